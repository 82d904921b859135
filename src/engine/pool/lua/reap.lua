-- reap
-- Takes a bounded batch of jobs from a worker whose lease and grace are over: each waits again, or ends if it was asked
-- to stop, or is dead when that was its last attempt. When nothing is left the membership ends. `more` is 1 while there
-- is something to reap. Jobs that crash their workers one after the other wait longer each time, after the second. A record
-- that cannot be used is set aside. A worker whose set was overwritten by somebody else keeps no other from being reaped.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger server identity terms whole job end requeue bury forget aside
-- KEYS config members member_info groups dead ledger own_prefix job_prefix dead_job_prefix notes_prefix record_prefix pending_prefix aside_prefix
-- ARGV generation batch random replies_prefix events
-- REPLY REAPED worker:text count:int more:int
-- REPLY NONE
-- REPLY LOST
local FREE_CRASHES = 2
local MOST_LOOKED_AT = 100
local refusal = enter('lease-ms', 'grace-ms') or check_identity()
if refusal then return refusal end
local lease_us, grace_us = shard.more[1] * 1000, shard.more[2] * 1000
local over = read('zset', 'ZRANGEBYSCORE', members, '-inf', whole(shard.now - grace_us), 'WITHSCORES', 'LIMIT', 0,
  MOST_LOOKED_AT)
read('hash', 'HLEN', member_info)
read('set', 'SCARD', groups)
read('zset', 'ZCARD', dead)
if wrong then return wrong end
local worker, own, keys, renewed_at = nil, nil, nil, nil
local left = #over / 2
for i = 1, #over, 2 do
  own = own_prefix .. over[i]
  keys = redis.pcall('SRANDMEMBER', own, batch)
  left = left - 1
  if not keys.err then
    worker, renewed_at = over[i], tonumber(over[i + 1]) - lease_us
    break
  end
end
if not worker or shard.quarantine > 0 then
  save()
  return {'NONE'}
end
for i = 1, #keys do
  local key = keys[i]
  local job, flaw = job_of(key, renewed_at)
  if job then read('zset', 'ZCARD', pending_prefix .. job.group) end
  -- The queue was overwritten by somebody else: one job is lost, the others must not be.
  if wrong then job = nil end
  wrong = nil
  if not job or job.worker ~= worker or job.state == 'pending' then
    drop_owned(own, key, flaw)
  else
    redis.call('SREM', own, key)
    if job.state == 'stopping' then
      end_job(key, job, 'stopped', '')
      log('stopped', key, worker, job.token, 'its worker is gone')
    elseif job.attempts > 0 and not job.stable and job.attempt >= job.attempts then
      bury(key, job, 'the worker ended while it ran the last attempt')
    else
      local attempt = job.stable and 0 or job.attempt
      local delay = attempt <= FREE_CRASHES and 0 or backoff_us(job, attempt - FREE_CRASHES, tonumber(random))
      requeue(key, job, attempt, shard.now + delay, '')
      log('released', key, worker, job.token, 'lease over')
    end
  end
end
local more = left > 0
if redis.call('SCARD', own) == 0 then
  forget(worker)
  log('expired', '', worker, '', '')
else
  more = true
end
save('epoch', shard.epoch)
return {'REAPED', worker, #keys, more and 1 or 0}
