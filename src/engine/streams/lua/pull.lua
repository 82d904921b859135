-- pull
-- The only consumer of a sink takes what comes next: what others left un-acknowledged, oldest first, and new entries only
-- when nothing is left. So order holds when one consumer follows another. Its token is kept: a pull under an earlier one is
-- refused, also when it was under way for long, so nothing goes to a consumer that has been followed. Taking what was left
-- counts the delivery that follows; `most_left` is how many can be begun at once, so that others are not counted.
-- `entries` of LEFT holds id, delivery count, id, delivery count...; `lost` were removed while they were pending.
-- FLAGS allow-oom
-- INCLUDE require_types group entry_id
-- KEYS events sinks
-- ARGV sink consumer token count most_left
-- REPLY NEW entries:list
-- REPLY EMPTY last:text
-- REPLY LEFT lost:int entries:list
-- REPLY FENCED token:text
-- REPLY NOGROUP
local err = wrong_type(events, 'stream', sinks, 'hash')
if err then return err end
local group = group_info(events, sink)
if not group then return {'NOGROUP'} end
local owner = redis.call('HGET', sinks, sink .. ':owner') or '0'
local highest = string.match(owner, '^%d+')
if number_less(token, highest) then return {'FENCED', highest} end
if owner ~= token .. ' ' .. consumer then redis.call('HSET', sinks, sink .. ':owner', token .. ' ' .. consumer) end

local left = {}
local found_others = false
if group['pending'] > 0 then
  for _, holder in ipairs(redis.call('XPENDING', events, sink)[4] or {}) do
    if holder[1] ~= consumer then
      found_others = true
      for _, entry in ipairs(redis.call('XPENDING', events, sink, '-', '+', most_left, holder[1])) do
        left[#left + 1] = entry
      end
    end
  end
end
if found_others then
  table.sort(left, function(a, b) return id_less(a[1], b[1]) end)
  local entries, lost = {}, 0
  for i = 1, math.min(#left, tonumber(most_left)) do
    local id, deliveries = left[i][1], left[i][4] + 1
    local taken = redis.call('XCLAIM', events, sink, consumer, 0, id, 'RETRYCOUNT', deliveries, 'JUSTID')
    if taken[1] then
      entries[#entries + 1] = id
      entries[#entries + 1] = deliveries
    else
      lost = lost + 1
    end
  end
  if lost > 0 then redis.call('HINCRBY', sinks, sink .. ':lost', lost) end
  return {'LEFT', lost, entries}
end

local read = redis.call('XREADGROUP', 'GROUP', sink, consumer, 'COUNT', count, 'STREAMS', events, '>')
if read and read[1] then return {'NEW', read[1][2]} end
return {'EMPTY', group['last-delivered-id']}
