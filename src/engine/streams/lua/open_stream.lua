-- open_stream
-- Makes sure that the stream exists and has a generation, which changes whenever it is made anew. With create 0 only
-- looks. The events key is made empty through a group that is removed again, so that adding can insist that it exists.
-- INCLUDE require_types time
-- KEYS events meta
-- ARGV generation create
-- REPLY OK generation:text created:int
-- REPLY MISSING
local err = wrong_type(events, 'stream', meta, 'hash')
if err then return err end
local current = redis.call('HMGET', meta, 'generation', 'state')
local alive = current[1] and current[2] ~= 'removed'
local has_events = redis.call('EXISTS', events) == 1
if create == '0' and not alive and not has_events then return {'MISSING'} end
local created = 0
if not alive then
  redis.call('DEL', meta)
  redis.call('HSET', meta, 'generation', generation, 'createdAtMs', whole(math.floor(wall_us() / 1000)))
  current[1] = generation
  created = 1
end
if not has_events then
  redis.call('XGROUP', 'CREATE', events, 'open:', '0', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', events, 'open:')
end
return {'OK', current[1], created}
