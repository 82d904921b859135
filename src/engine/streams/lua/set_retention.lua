-- set_retention
-- Changes the settings of a stream: an empty text leaves one as it is, 0 takes a limit away. The time to live counts from
-- now; the keys of each sink follow by commands of the caller. Removing what is over the limits is another step.
-- INCLUDE require_types time retention
-- KEYS events meta sinks
-- ARGV settings...
-- REPLY OK settings:list
-- REPLY MISSING
local err = wrong_type(events, 'stream', meta, 'hash', sinks, 'hash')
if err then return err end
local now = math.floor(wall_us() / 1000)
if redis.call('EXISTS', events) == 0 then return {'MISSING'} end
store_settings(meta, settings)
-- Without a limit they are not kept: to be counted anew.
if settings[2] ~= '' then redis.call('HDEL', meta, 'bytes', 'countedTo', 'countedCount') end
local ttl = tonumber(redis.call('HGET', meta, 'ttlMs') or 0)
if settings[4] ~= '' or settings[5] ~= '' then
  expire_at(ttl > 0 and now + ttl or 0, meta, events, sinks)
end
return {'OK', read_settings(meta)}
