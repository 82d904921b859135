-- dispatch
-- Admits a job, once: the same id gets the same answer. When the worker named is alive at the epoch the caller knows and
-- below its capacity, the job is assigned in the same step and the worker may start on the hint, because only itself, or
-- the reaper after its lease, can end an assignment. Otherwise the job waits for a worker of its group. An answer to a
-- repetition writes too: whoever waits for replicas after it then waits for those that have the job.
-- INCLUDE time require_types shard ledger server identity mail terms admit
-- KEYS config members member_info groups pending own job record ledger
-- ARGV generation id key payload group digest remember_ms delay_ms terms worker epoch capacity mailbox_prefix events
-- REPLY ASSIGNED epoch:int worker:text token:int
-- REPLY PENDING epoch:int
-- REPLY ENDED epoch:int outcome:text worker:text token:int
-- REPLY EXISTS state:text
-- REPLY FULL limit:int
-- REPLY QUARANTINE left_ms:int
-- REPLY CONFLICT
-- REPLY LOST
local refusal = enter('limit', 'dispatched') or check_identity()
if refusal then return refusal end
local wanted = {
  id = id,
  key = key,
  group = group,
  payload = payload,
  terms = terms,
  digest = digest,
  delay_us = tonumber(delay_ms) * 1000,
  worker = worker,
  epoch = epoch,
  capacity = capacity,
}
refusal = refusal_of(wanted, shard.more[1])
if refusal then return refusal end
local assigned
assigned, refusal = place_of(wanted)
if refusal then return refusal end
local token = admit(wanted, assigned)
if remember_ms ~= '' then
  redis.call('HSET', record, 'key', key, 'digest', digest)
  redis.call('PEXPIRE', record, remember_ms)
end
save('dispatched', shard.more[2] + 1)
if token then return {'ASSIGNED', shard.epoch, worker, token} end
return {'PENDING', shard.epoch}
