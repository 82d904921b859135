-- open_stream
-- Makes sure that the stream exists and has a generation, which changes whenever it is made anew. With create 0 only
-- looks. The events key is made empty through a group that is removed again, so that adding can insist that it exists.
-- The settings given are those of a stream that is made; one that was there keeps its own, also when its events ended with
-- its time to live. The name of a partitioned stream is refused. The key that tells need only be given for a stream that is not
-- there (UNKNOWN asks for it): in a cluster a key that does not exist would have this refused for as long as the slot moves.
-- INCLUDE require_types time retention partitioned
-- KEYS events meta partitions...
-- ARGV generation create settings...
-- REPLY OK generation:text created:int settings:list
-- REPLY UNKNOWN
-- REPLY MISSING
-- REPLY PARTITIONED count:int
local err = wrong_type(events, 'stream', meta, 'hash', partitions[1] or meta, 'hash')
if err then return err end
local now = math.floor(wall_us() / 1000)
local current = redis.call('HMGET', meta, 'generation', 'state')
if not current[1] or current[2] == 'removed' then
  if not partitions[1] then return {'UNKNOWN'} end
  local divided = partition_count(partitions[1])
  if divided then return {'PARTITIONED', divided} end
end
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
