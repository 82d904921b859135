-- retry
-- Admits a dead job once more: its payload and its terms, no attempt counted. It waits in the queue of the group given,
-- and is dead no longer in the same step. The same id gets the same answer.
-- INCLUDE time require_types shard ledger server identity mail terms admit
-- KEYS config members member_info groups pending own job record ledger dead dead_job
-- ARGV generation id key group mailbox_prefix events
-- REPLY ASSIGNED epoch:int worker:text token:int
-- REPLY PENDING epoch:int
-- REPLY ENDED epoch:int outcome:text worker:text token:int
-- REPLY ABSENT
-- REPLY BROKEN
-- REPLY EXISTS state:text
-- REPLY FULL limit:int
-- REPLY CLOSED
-- REPLY QUARANTINE left_ms:int
-- REPLY CONFLICT
-- REPLY LOST
local refusal = enter('limit', 'dispatched', 'closed-at') or check_identity()
if refusal then return refusal end
local found = read('hash', 'HMGET', dead_job, 'terms', 'payload')
read('zset', 'ZCARD', dead)
if wrong then return wrong end
local wanted = {
  id = id,
  key = key,
  group = group,
  payload = found[2],
  terms = found[1],
  digest = terms_of(found[1]).digest,
  delay_us = 0,
  worker = '',
}
refusal = refusal_of(wanted, shard.more[1], shard.more[3])
if refusal then return refusal end
if not found[1] or not found[2] then
  if redis.call('EXISTS', dead_job) == 1 then return {'BROKEN'} end
  return {'ABSENT'}
end
local _, unusable = place_of(wanted)
if unusable then return unusable end
admit(wanted, false)
redis.call('ZREM', dead, key)
redis.call('UNLINK', dead_job)
save('dispatched', shard.more[2] + 1)
return {'PENDING', shard.epoch}
