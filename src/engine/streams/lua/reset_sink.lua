-- reset_sink
-- Moves the cursor of a sink: what comes after it is delivered, again or for the first time. What is pending after it is
-- delivered again like the rest, with its deliveries forgotten; what is pending at or before it is dropped and lost to the
-- sink, or stays pending with keep 1. `skipped` unread events, which the caller counted, are lost to it too. Nothing is
-- done when the sink has moved on from `seen`, for which they were counted, or, with force 0, while a consumer has a lease.
-- FLAGS allow-oom
-- INCLUDE require_types time group entry_id
-- KEYS events sinks consumers
-- ARGV sink seen cursor entries_read skipped keep force
-- REPLY OK again:int dropped:int kept:int
-- REPLY LIVE consumers:int
-- REPLY CHANGED
-- REPLY MISSING
local err = wrong_type(events, 'stream', sinks, 'hash', consumers, 'zset')
if err then return err end
local group = group_info(events, sink)
if not group then return {'MISSING'} end
local live = redis.call('ZCOUNT', consumers, whole(math.floor(wall_us() / 1000)), '+inf')
if live > 0 and force == '0' then return {'LIVE', live} end
if group['last-delivered-id'] ~= seen then return {'CHANGED'} end

local again, dropped, kept = 0, 0, 0
local first_kept
local from = '-'
while from do
  local found = redis.call('XPENDING', events, sink, from, '+', 1000)
  local ended = {}
  for _, entry in ipairs(found) do
    if id_less(cursor, entry[1]) then
      again = again + 1
      ended[#ended + 1] = entry[1]
    elseif keep == '1' then
      kept = kept + 1
      first_kept = first_kept or entry[1]
    else
      dropped = dropped + 1
      ended[#ended + 1] = entry[1]
    end
  end
  if #ended > 0 then redis.call('XACK', events, sink, unpack(ended)) end
  from = #found == 1000 and '(' .. found[#found][1] or nil
end
redis.call('XGROUP', 'SETID', events, sink, cursor, 'ENTRIESREAD', entries_read)
redis.call('HSET', sinks, sink .. ':cursor', first_kept and id_before(first_kept) or cursor)
redis.call('HDEL', sinks, sink .. ':claimer', sink .. ':claimFrom', sink .. ':claimUntil')
local lost = dropped + tonumber(skipped)
if lost > 0 then redis.call('HINCRBY', sinks, sink .. ':lost', lost) end
return {'OK', again, dropped, kept}
