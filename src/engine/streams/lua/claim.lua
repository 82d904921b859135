-- claim
-- Takes over entries that nobody has worked on for idle_ms, oldest first, a bounded part of the pending list at a time.
-- One consumer at a time: it holds the scan, from the place where the last one ended, until its lease on it is over or
-- the list is through, and then the sink rests. Counts the delivery that follows here, so that an entry which kills its
-- consumer is counted too. Entries that were trimmed while pending are removed and counted as lost.
-- `entries` holds id, delivery count, id, delivery count...
-- FLAGS allow-oom
-- INCLUDE require_types time group
-- KEYS events sinks
-- ARGV sink consumer idle_ms count hold_ms rest_ms
-- REPLY OK more:int lost:int entries:list
-- REPLY BUSY
-- REPLY NOGROUP
local err = wrong_type(events, 'stream', sinks, 'hash')
if err then return err end
if not group_info(events, sink) then return {'NOGROUP'} end
local now = math.floor(wall_us() / 1000)
local scan = redis.call('HMGET', sinks, sink .. ':claimer', sink .. ':claimUntil', sink .. ':claimFrom')
local left = tonumber(scan[2] or 0) - now
-- A lease further away than any can be was left by a clock that has been set back since.
if scan[1] ~= consumer and left > 0 and left <= math.max(tonumber(hold_ms), tonumber(rest_ms)) then return {'BUSY'} end
local found = redis.call('XAUTOCLAIM', events, sink, consumer, idle_ms, scan[3] or '0-0', 'COUNT', count, 'JUSTID')
local following, ids, gone = found[1], found[2], found[3] or {}
local entries = {}
for _, id in ipairs(ids) do
  local deliveries = redis.call('XPENDING', events, sink, id, id, 1)[1][4] + 1
  redis.call('XCLAIM', events, sink, consumer, 0, id, 'RETRYCOUNT', deliveries, 'JUSTID')
  entries[#entries + 1] = id
  entries[#entries + 1] = deliveries
end
local more = following ~= '0-0'
redis.call('HSET', sinks, sink .. ':claimer', more and consumer or '', sink .. ':claimFrom', following,
  sink .. ':claimUntil', whole(now + tonumber(more and hold_ms or rest_ms)))
if #gone > 0 then redis.call('HINCRBY', sinks, sink .. ':lost', #gone) end
return {'OK', more and 1 or 0, #gone, entries}
