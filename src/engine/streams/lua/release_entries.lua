-- release_entries
-- Makes entries claimable at once that are pending to consumers whose lease is over, and have been idle for min_idle_ms:
-- their idle time becomes at least idle_ms, and nobody need wait until the sink has rested since the last scan. They stay
-- with their consumer, and their deliveries are not counted, until another claims them. Those that were settled or taken
-- in the meantime are left alone. `released` holds the ids of the others.
-- FLAGS allow-oom
-- INCLUDE require_types time group
-- KEYS events sinks consumers
-- ARGV sink min_idle_ms idle_ms ids...
-- REPLY OK released:list
-- REPLY MISSING
local err = wrong_type(events, 'stream', sinks, 'hash', consumers, 'zset')
if err then return err end
if not group_info(events, sink) then return {'MISSING'} end
local now = math.floor(wall_us() / 1000)
local released = {}
for _, id in ipairs(ids) do
  local entry = redis.call('XPENDING', events, sink, 'IDLE', min_idle_ms, id, id, 1)[1]
  local lease = entry and redis.call('ZSCORE', consumers, entry[2])
  if entry and (not lease or tonumber(lease) < now) then
    local idle = math.max(entry[3], tonumber(idle_ms))
    redis.call('XCLAIM', events, sink, entry[2], 0, id, 'IDLE', whole(idle), 'RETRYCOUNT', entry[4], 'JUSTID')
    released[#released + 1] = id
  end
end
if #released > 0 then redis.call('HDEL', sinks, sink .. ':claimUntil') end
return {'OK', released}
