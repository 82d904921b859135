-- leave_sink
-- A consumer leaves. What is pending to it is made old enough for the others to claim at once; for `unstarted`, which no
-- handler saw, the delivery is taken back. The consumer is deleted when nothing is pending to it, else its lease ends, so
-- that it is deleted once its entries are claimed. The group stays, also when this was the last consumer.
-- FLAGS allow-oom
-- INCLUDE require_types group
-- KEYS events sinks consumers
-- ARGV sink consumer idle_ms unstarted...
-- REPLY OK pending:int
local err = wrong_type(events, 'stream', sinks, 'hash', consumers, 'zset')
if err then return err end
if not group_info(events, sink) then
  redis.call('ZREM', consumers, consumer)
  return {'OK', 0}
end
local never_seen = {}
for _, id in ipairs(unstarted) do never_seen[id] = true end
local pending = 0
for _, found in ipairs(redis.call('XPENDING', events, sink, '-', '+', 100000, consumer)) do
  local id, count = found[1], found[4]
  if never_seen[id] then count = math.max(0, count - 1) end
  redis.call('XCLAIM', events, sink, consumer, 0, id, 'IDLE', idle_ms, 'RETRYCOUNT', count, 'JUSTID')
  pending = pending + 1
end
if pending == 0 then
  redis.call('XGROUP', 'DELCONSUMER', events, sink, consumer)
  redis.call('ZREM', consumers, consumer)
else
  redis.call('ZADD', consumers, 0, consumer)
  -- Nobody need wait until the sink has rested since the last scan.
  redis.call('HDEL', sinks, sink .. ':claimUntil')
end
return {'OK', pending}
