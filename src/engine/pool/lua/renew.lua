-- renew
-- Extends a lease that is not over. A lease that is over is never revived: its jobs may be somebody else's already; only in
-- quarantine, when nobody may take them, the answer is UNKNOWN and the worker registers again. The first renewal proves
-- that the worker stays: running jobs are moved to it from then on. `health` is what the worker says of itself, for people; empty
-- when that has not changed.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger server identity
-- KEYS config members member_info ledger
-- ARGV generation worker incarnation health events
-- REPLY RENEWED epoch:int
-- REPLY UNKNOWN
-- REPLY EXPIRED
-- REPLY LOST
local refusal = enter('lease-ms') or check_identity()
if refusal then return refusal end
local lease = read('zset', 'ZSCORE', members, worker)
local stand = read('hash', 'HMGET', member_info, 'incarnation:' .. worker, 'proven:' .. worker)
if wrong then return wrong end
if not lease or stand[1] ~= incarnation or tonumber(lease) <= shard.now then
  save()
  if shard.quarantine > 0 then return {'UNKNOWN'} end
  return {'EXPIRED'}
end
if not stand[2] then redis.call('HSET', member_info, 'proven:' .. worker, 1) end
redis.call('ZADD', members, whole(shard.now + shard.more[1] * 1000), worker)
if health ~= '' then redis.call('HSET', member_info, 'health:' .. worker, health) end
save()
return {'RENEWED', shard.epoch}
