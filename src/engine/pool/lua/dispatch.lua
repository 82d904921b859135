-- dispatch
-- Admits jobs, each once: the same id gets the same answer. When the worker named is alive at the epoch the caller knows
-- and below its capacity, the job is assigned in the same step and the worker may start on the hint, because only itself,
-- or the reaper after its lease, can end an assignment. Otherwise the job waits for a worker of its group. `items` are id,
-- key, group, payload, digest, remember_ms, delay_ms, terms, worker, epoch, capacity: what one tick brings comes
-- together, and each has an answer of its own, so that what is wrong with one keeps no other out.
-- INCLUDE time require_types shard ledger server identity mail terms item admit
-- KEYS config members member_info groups ledger pending_prefix own_prefix job_prefix record_prefix
-- ARGV generation mailbox_prefix events items...
-- REPLY DONE answers:list
-- REPLY ASSIGNED epoch:int worker:text token:int
-- REPLY PENDING epoch:int
-- REPLY ENDED epoch:int outcome:text worker:text token:int
-- REPLY EXISTS state:text
-- REPLY FULL limit:int
-- REPLY CLOSED
-- REPLY QUARANTINE left_ms:int
-- REPLY CONFLICT
-- REPLY WRONG message:text
-- REPLY LOST
local refusal = enter('limit', 'dispatched', 'closed-at') or check_identity()
if refusal then return refusal end
local limit, count_before = shard.more[1], shard.count

local function answer_to(wanted, remember_ms)
  local refused = refusal_of(wanted, limit, shard.more[3])
  if refused then return refused end
  local assigned
  assigned, refused = place_of(wanted)
  if refused then return refused end
  local token = admit(wanted, assigned)
  if remember_ms ~= '' then
    redis.call('HSET', record, 'key', wanted.key, 'digest', wanted.digest)
    redis.call('PEXPIRE', record, remember_ms)
  end
  if token then return {'ASSIGNED', shard.epoch, wanted.worker, token} end
  return {'PENDING', shard.epoch}
end

local answers = {}
for i = 1, #items, 11 do
  local id, key, group, payload, digest, remember_ms, delay_ms, terms, worker, epoch, capacity = unpack(items, i, i + 10)
  job, record, pending, own = job_prefix .. key, record_prefix .. id, pending_prefix .. group, own_prefix .. worker
  wrong = nil
  local answer = answer_to({
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
  }, remember_ms)
  answers[#answers + 1] = answer.err and {'WRONG', answer.err} or answer
end
deliver_assignments()
if shard.count > count_before then save('dispatched', shard.more[2] + shard.count - count_before) end
return {'DONE', answers}
