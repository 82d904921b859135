-- beat
-- A consumer says that it is alive and still works on `ids`: renews its lease, sets the idle time of those that are
-- pending to it to 0 without counting a delivery, and names the others. Moves the durable cursor of the sink: everything
-- at or before it is acknowledged.
-- FLAGS allow-oom
-- INCLUDE require_types time group entry_id
-- KEYS events sinks consumers
-- ARGV sink consumer lease_ms ids...
-- REPLY OK cursor:text moved:list
-- REPLY NOGROUP
local err = wrong_type(events, 'stream', sinks, 'hash', consumers, 'zset')
if err then return err end
local group = group_info(events, sink)
if not group then return {'NOGROUP'} end
local now = math.floor(wall_us() / 1000)
redis.call('ZADD', consumers, whole(now + tonumber(lease_ms)), consumer)
local moved = {}
for _, id in ipairs(ids) do
  local found = redis.call('XPENDING', events, sink, id, id, 1)
  if found[1] and found[1][2] == consumer then
    redis.call('XCLAIM', events, sink, consumer, 0, id, 'IDLE', 0, 'JUSTID')
  else
    moved[#moved + 1] = id
  end
end
local cursor = group['last-delivered-id']
local summary = redis.call('XPENDING', events, sink)
if summary[1] > 0 then cursor = id_before(summary[2]) end
local stored = redis.call('HMGET', sinks, sink .. ':cursor', sink .. ':attendedAtMs')
if stored[1] ~= cursor then redis.call('HSET', sinks, sink .. ':cursor', cursor) end
-- To the hour: it is there to find sinks that have been without a consumer for days.
if now - tonumber(stored[2] or 0) > 3600000 then redis.call('HSET', sinks, sink .. ':attendedAtMs', whole(now)) end
return {'OK', cursor, moved}
