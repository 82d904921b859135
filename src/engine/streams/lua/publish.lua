-- publish
-- Adds an event to a stream whose key was found missing: gone with the data of Redis, ended with its time to live, or
-- removed on purpose. Removed stays removed. Otherwise the stream is made anew, under a new generation unless its
-- description survived, which then also says its settings; else they are those that the publisher knows.
-- Without fields the stream is only made anew, and the id is empty. The usual path is XADD NOMKSTREAM without a script.
-- INCLUDE require_types time retention
-- KEYS events meta
-- ARGV generation max_length max_bytes max_age_ms ttl_ms ttl_mode on_full fields...
-- REPLY OK id:text generation:text
-- REPLY REMOVED
local err = wrong_type(events, 'stream', meta, 'hash')
if err then return err end
local now = math.floor(wall_us() / 1000)
local current = redis.call('HMGET', meta, 'generation', 'state')
if current[2] == 'removed' then return {'REMOVED'} end
local expired = is_expired(events, meta, now)
local id = ''
if #fields > 0 then
  id = redis.call('XADD', events, '*', unpack(fields))
elseif redis.call('EXISTS', events) == 0 then
  redis.call('XGROUP', 'CREATE', events, 'open:', '0', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', events, 'open:')
end
if not current[1] or expired then
  if not current[1] then store_settings(meta, {max_length, max_bytes, max_age_ms, ttl_ms, ttl_mode, on_full}) end
  begin_life(meta, generation, now)
  current[1] = generation
end
expire_too(meta, events)
return {'OK', id, current[1]}
