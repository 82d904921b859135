-- join_sink
-- A consumer joins a sink, or joins it again after its group was found missing. Makes the group when it is not there:
-- at `start` for a sink that never was; else at the sink's durable cursor, or the consumer's own memory of it, so that
-- nothing un-acknowledged is passed over; at the beginning when the stream is another one than before. Never at the end.
-- Consumers of one sink agree on its configuration; one may change it when no other has a lease.
-- `recreated` 1: a group that should have been there was made anew. Of a stream or a sink that was removed on purpose
-- nothing is made anew by who was in it; whoever opens it does.
-- The name of a partitioned stream is refused. The key that tells need only be given for a stream that is not there (UNKNOWN
-- asks for it): in a cluster a key that does not exist would have this refused for as long as the slot moves.
-- INCLUDE require_types time group entry_id retention partitioned
-- KEYS events meta sinks consumers partitions...
-- ARGV sink consumer config start lease_ms generation fresh_generation cursor recovering
-- REPLY OK generation:text cursor:text recreated:int
-- REPLY MISMATCH config:text
-- REPLY REMOVED
-- REPLY UNKNOWN
-- REPLY PARTITIONED count:int
local err = wrong_type(events, 'stream', meta, 'hash', partitions[1] or meta, 'hash', sinks, 'hash', consumers, 'zset')
if err then return err end
local now = math.floor(wall_us() / 1000)
local described = redis.call('HMGET', meta, 'generation', 'state')
local current = described[1]
if not current or described[2] == 'removed' then
  if not partitions[1] then return {'UNKNOWN'} end
  local divided = partition_count(partitions[1])
  if divided then return {'PARTITIONED', divided} end
end
if described[2] == 'removed' then
  if recovering == '1' then return {'REMOVED'} end
  redis.call('DEL', meta)
  current = false
end
if not current or is_expired(events, meta, now) then
  current = fresh_generation
  begin_life(meta, current, now)
end

local stored = redis.call('HMGET', sinks, sink .. ':config', sink .. ':cursor', sink .. ':removed')
if stored[3] and recovering == '1' then return {'REMOVED'} end
if stored[1] and stored[1] ~= config then
  local others = redis.call('ZCOUNT', consumers, whole(now), '+inf')
  local own = redis.call('ZSCORE', consumers, consumer)
  if own and tonumber(own) >= now then others = others - 1 end
  if others > 0 then return {'MISMATCH', stored[1]} end
end
redis.call('HSET', sinks, sink .. ':config', config, sink .. ':attendedAtMs', whole(now))
if stored[3] then redis.call('HDEL', sinks, sink .. ':removed') end
redis.call('ZADD', consumers, whole(now + tonumber(lease_ms)), consumer)

expire_too(meta, sinks, consumers)

local group = group_info(events, sink)
if group then return {'OK', current, stored[2] or '0-0', 0} end

local info = stream_info(events)
local last = info and info['last-generated-id'] or '0-0'
local known = stored[1] or recovering == '1'
local at = start
if known then
  at = stored[2] or cursor
  if at == '' or (recovering == '1' and generation ~= current) or id_less(last, at) then at = '0-0' end
elseif at == 'newest' then
  at = last
end
if at == last and info then
  redis.call('XGROUP', 'CREATE', events, sink, at, 'ENTRIESREAD', info['entries-added'])
else
  redis.call('XGROUP', 'CREATE', events, sink, at, 'MKSTREAM')
end
redis.call('HSET', sinks, sink .. ':cursor', at)
expire_too(meta, events, sinks)
if known then redis.call('HINCRBY', sinks, sink .. ':losses', 1) end
return {'OK', current, at, known and 1 or 0}
