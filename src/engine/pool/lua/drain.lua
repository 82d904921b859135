-- drain
-- Takes a worker out of placement, before it gives up its first job: otherwise the others would send the jobs back.
-- A worker that leaves says which incarnation it is, because another process may have its name by now; an operator does not.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger server identity unproven mail
-- KEYS config members member_info ledger
-- ARGV generation worker incarnation mailbox_prefix events
-- REPLY DRAINING epoch:int
-- REPLY ABSENT
-- REPLY QUARANTINE left_ms:int
-- REPLY LOST
local refusal = enter() or check_identity()
if refusal then return refusal end
local lease = read('zset', 'ZSCORE', members, worker)
local stand = read('hash', 'HMGET', member_info, 'draining:' .. worker, 'incarnation:' .. worker)
if wrong then return wrong end
if not lease and incarnation == '' and shard.quarantine > 0 then return unproven() end
if not lease or incarnation ~= '' and incarnation ~= stand[2] then return {'ABSENT'} end
if stand[1] then
  save()
  return {'DRAINING', shard.epoch}
end
redis.call('HSET', member_info, 'draining:' .. worker, 1)
next_epoch()
save('epoch', shard.epoch)
mail(worker, 'drain', '', '')
redis.call('SPUBLISH', events, 'epoch ' .. shard.epoch)
log('draining', '', worker, '', '')
return {'DRAINING', shard.epoch}
