-- open_stream
-- Makes sure that the stream exists and has a generation, which changes whenever it is made anew. With create 0 only
-- looks. The events key is made empty through a group that is removed again, so that adding can insist that it exists.
-- The settings given are those of a stream that is made; one that was there keeps its own, also when its events ended with
-- its time to live. The name of a partitioned stream is refused.
-- INCLUDE require_types time retention partitioned
-- KEYS events meta partitions
-- ARGV generation create settings...
-- REPLY OK generation:text created:int settings:list
-- REPLY MISSING
-- REPLY PARTITIONED count:int
local err = wrong_type(events, 'stream', meta, 'hash', partitions, 'hash')
if err then return err end
local divided = partition_count(partitions)
if divided then return {'PARTITIONED', divided} end
local now = math.floor(wall_us() / 1000)
local current = redis.call('HMGET', meta, 'generation', 'state')
local has_events = redis.call('EXISTS', events) == 1
local expired = is_expired(events, meta, now)
local alive = current[1] and current[2] ~= 'removed' and not expired
if create == '0' and not alive and not has_events then return {'MISSING'} end
if not has_events then
  redis.call('XGROUP', 'CREATE', events, 'open:', '0', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', events, 'open:')
end
local created = 0
if not alive then
  if not expired then
    redis.call('DEL', meta)
    store_settings(meta, settings)
    created = 1
  end
  begin_life(meta, generation, now)
  current[1] = generation
end
expire_too(meta, events)
return {'OK', current[1], created, read_settings(meta)}
