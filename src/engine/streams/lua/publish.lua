-- publish
-- Adds an event to a stream whose key was found missing: gone with the data of Redis, or removed on purpose. Removed
-- stays removed. Otherwise the stream is made anew, under a new generation unless its description survived.
-- The usual path is XADD NOMKSTREAM without a script.
-- INCLUDE require_types time
-- KEYS events meta
-- ARGV generation fields...
-- REPLY OK id:text generation:text
-- REPLY REMOVED
local err = wrong_type(events, 'stream', meta, 'hash')
if err then return err end
local current = redis.call('HMGET', meta, 'generation', 'state')
if current[2] == 'removed' then return {'REMOVED'} end
if not current[1] then
  redis.call('HSET', meta, 'generation', generation, 'createdAtMs', whole(math.floor(wall_us() / 1000)))
  current[1] = generation
end
local id = redis.call('XADD', events, '*', unpack(fields))
return {'OK', id, current[1]}
