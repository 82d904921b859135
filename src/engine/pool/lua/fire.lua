-- fire
-- Acts for the next tick of a schedule, once: in one step the next tick becomes another one and the job is dispatched,
-- under an id made of the tick. A key that has a job has what the tick wanted. `tick` is empty when the ticks before
-- `next` are passed over. With `waits` a tick that is made up for has its turn when the job of the one before is done.
-- INCLUDE time require_types shard ledger server identity mail terms admit
-- KEYS config members member_info groups pending own job record ledger schedules schedule
-- ARGV generation name revision expected tick id next late waits group worker epoch capacity mailbox_prefix events
-- REPLY ASSIGNED epoch:int worker:text token:int
-- REPLY PENDING epoch:int
-- REPLY ENDED epoch:int outcome:text worker:text token:int
-- REPLY EXISTS state:text
-- REPLY CONFLICT
-- REPLY PASSED
-- REPLY WAITS
-- REPLY STALE
-- REPLY BROKEN
-- REPLY FULL limit:int
-- REPLY CLOSED
-- REPLY QUARANTINE left_ms:int
-- REPLY LOST
-- Counters are for people: one that is no number any more stays so, and the tick is acted for all the same.
local MIN_WAIT_MS, MAX_WAIT_MS = 20, 5000
local refusal = enter('limit', 'dispatched', 'closed-at') or check_identity()
if refusal then return refusal end
local now_ms = math.floor(shard.time / 1000)
local found = read('hash', 'HMGET', schedule, 'revision', 'next', 'key', 'payload', 'terms')
read('zset', 'ZCARD', schedules)
if wrong then return wrong end
if found[1] ~= revision or found[2] ~= expected or tonumber(expected) > now_ms then return {'STALE'} end
if not (found[3] and found[4] and found[5]) then return {'BROKEN'} end
local answer, token = {'PASSED'}, nil
if tick ~= '' then
  local wanted = {
    id = id,
    key = found[3],
    group = group,
    payload = found[4],
    terms = found[5],
    digest = '-',
    delay_us = 0,
    worker = worker,
    epoch = epoch,
    capacity = capacity,
  }
  answer = refusal_of(wanted, shard.more[1], shard.more[3])
  if answer and (answer.err or answer[1] == 'FULL' or answer[1] == 'CLOSED' or answer[1] == 'QUARANTINE') then return answer end
  if waits == '1' and answer and answer[1] == 'EXISTS' then
    local present = read('hash', 'HMGET', job, 'dispatch', 'dispatched-at')
    local own_prefix = 'sch:' .. name .. ':'
    if present[1] and string.sub(present[1], 1, #own_prefix) == own_prefix then
      -- The longer the job before has run, the longer it may still take.
      local wait = math.max(MIN_WAIT_MS, math.min((now_ms - (tonumber(present[2]) or now_ms)) / 4, MAX_WAIT_MS))
      redis.call('ZADD', schedules, whole(now_ms + wait), name)
      save()
      return {'WAITS'}
    end
  end
  if not answer then
    local assigned
    assigned, refusal = place_of(wanted)
    if refusal then return refusal end
    token = admit(wanted, assigned)
    deliver_assignments()
    answer = token and {'ASSIGNED', shard.epoch, worker, token} or {'PENDING', shard.epoch}
    redis.pcall('HINCRBY', schedule, 'fired', 1)
    shard.more[2] = shard.more[2] + 1
  else
    redis.pcall('HINCRBY', schedule, 'occupied', 1)
  end
  redis.call('HSET', schedule, 'last-tick', tick)
end
redis.call('HSET', schedule, 'next', next)
redis.call('HDEL', schedule, 'error', 'failures')
if late == '1' then redis.pcall('HINCRBY', schedule, 'misfires', 1) end
redis.call('ZADD', schedules, next, name)
save('dispatched', shard.more[2])
return answer
