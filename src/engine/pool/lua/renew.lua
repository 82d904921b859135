-- renew
-- Extends a lease that is not over. A lease that is over is never revived: its jobs may be somebody else's already.
-- `health` is what the worker says of itself, for people; empty when that has not changed.
-- FLAGS allow-oom
-- INCLUDE time require_types shard
-- KEYS config members member_info
-- ARGV generation worker incarnation health
-- REPLY RENEWED epoch:int
-- REPLY EXPIRED
-- REPLY LOST
local refusal = enter('lease-ms')
if refusal then return refusal end
local lease = read('zset', 'ZSCORE', members, worker)
local stand = read('hash', 'HGET', member_info, 'incarnation:' .. worker)
if wrong then return wrong end
if not lease or stand ~= incarnation or tonumber(lease) <= shard.now then
  save()
  return {'EXPIRED'}
end
redis.call('ZADD', members, whole(shard.now + shard.more[1] * 1000), worker)
if health ~= '' then redis.call('HSET', member_info, 'health:' .. worker, health) end
save()
return {'RENEWED', shard.epoch}
