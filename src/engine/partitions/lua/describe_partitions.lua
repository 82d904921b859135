-- describe_partitions
-- Says into how many partitions a stream is divided, which is fixed when the description is made. With count 0 it only
-- looks. TAKEN: it is an ordinary stream. With restore 1 it makes a description anew that went with the data of Redis, but not one that was removed.
-- INCLUDE require_types time
-- KEYS description events meta
-- ARGV count restore
-- REPLY OK count:int created:int
-- REPLY MISMATCH count:int
-- REPLY MISSING
-- REPLY REMOVED
-- REPLY TAKEN
local err = wrong_type(description, 'hash', events, 'stream', meta, 'hash')
if err then return err end
local present = redis.call('HMGET', description, 'count', 'state')
if present[2] == 'removed' and restore == '1' then return {'REMOVED'} end
if present[1] and present[2] ~= 'removed' then
  if count ~= '0' and count ~= present[1] then return {'MISMATCH', tonumber(present[1])} end
  return {'OK', tonumber(present[1]), 0}
end
local ordinary = redis.call('HMGET', meta, 'generation', 'state')
if redis.call('EXISTS', events) == 1 or (ordinary[1] and ordinary[2] ~= 'removed') then return {'TAKEN'} end
if count == '0' then return {'MISSING'} end
redis.call('DEL', description)
redis.call('HSET', description, 'count', count, 'createdAtMs', whole(math.floor(wall_us() / 1000)))
return {'OK', tonumber(count), 1}
