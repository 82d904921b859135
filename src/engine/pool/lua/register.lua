-- register
-- Makes a worker a member for one lease, under a new incarnation after a fence. What is recorded to it stays its own: it
-- claims it again. A worker's name belongs to one node while its lease, or what was left of it, is not reaped. In
-- quarantine a worker registers again under the incarnation it has, to be a member of what Redis has now; also when
-- somebody damaged what it says of itself.
-- `token` is the highest that the process knows of: those minted from now on are above it, whatever was lost, also when the
-- clock of Redis was set back.
-- Hints are numbered above every token and from the time on, so that one of an earlier membership, or of an earlier life of
-- the shard, is never taken for a later one.
-- Allowed when memory is full: somebody must run what there is, and a worker that was fenced must be able to come back.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger server identity
-- KEYS config members member_info own ledger
-- ARGV generation worker node incarnation info token events
-- REPLY REGISTERED epoch:int mail:int owned:int
-- REPLY TAKEN node:text left_ms:int
-- REPLY LOST
local refusal = enter('lease-ms', 'grace-ms') or check_identity()
if refusal then return refusal end
local lease = read('zset', 'ZSCORE', members, worker)
local stand = read('hash', 'HMGET', member_info, 'node:' .. worker, 'incarnation:' .. worker, 'mail:' .. worker,
  'info:' .. worker)
local owned = read('set', 'SCARD', own)
if wrong then return wrong end
local lease_us, grace_us = shard.more[1] * 1000, shard.more[2] * 1000
if lease and stand[1] ~= node and tonumber(lease) + grace_us > shard.now then
  return {'TAKEN', stand[1] or '', whole((tonumber(lease) + grace_us - shard.now) / 1000)}
end
shard.token = math.max(shard.token, tonumber(token))
redis.call('ZADD', members, whole(shard.now + lease_us), worker)
local again = lease and stand[1] == node and stand[2] == incarnation
if again and shard.quarantine == 0 and stand[4] == info then
  save()
  return {'REGISTERED', shard.epoch, tonumber(stand[3]) and stand[3] or '0', owned}
end
local mail = whole(math.max(tonumber(stand[3] or '0') or 0, shard.token, shard.time))
redis.call('HSET', member_info, 'node:' .. worker, node, 'incarnation:' .. worker, incarnation, 'info:' .. worker, info,
  'mail:' .. worker, mail)
if not again then
  -- Tokens above `since` were minted for this incarnation: a job assigned under one was never begun by an earlier one.
  -- `renewed` is when the earlier one was last known to live.
  redis.call('HSET', member_info, 'since:' .. worker, whole(shard.token), 'renewed:' .. worker,
    whole(lease and tonumber(lease) - lease_us or 0))
  if lease and stand[1] == node then
    redis.call('HSET', member_info, 'fenced:' .. worker, 1)
  else
    redis.call('HDEL', member_info, 'fenced:' .. worker)
  end
  redis.call('HDEL', member_info, 'draining:' .. worker, 'proven:' .. worker, 'health:' .. worker)
end
next_epoch()
save('epoch', shard.epoch)
redis.call('SPUBLISH', events, 'epoch ' .. shard.epoch)
log('joined', '', worker, '', 'incarnation ' .. incarnation)
return {'REGISTERED', shard.epoch, mail, owned}
