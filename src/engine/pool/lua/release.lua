-- release
-- Gives up a job that its worker has stopped: to the next owner in the same step when that one is alive at the epoch
-- given and has room, else back to the queue. The attempt does not count. A job asked to stop ends instead; one whose
-- record cannot be used is set aside.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger server identity mail terms whole job end requeue aside
-- KEYS config members member_info own next_own groups ledger job_prefix notes_prefix record_prefix pending_prefix aside_prefix
-- ARGV generation key token next epoch capacity reason mailbox_prefix replies_prefix events
-- REPLY ASSIGNED token:int
-- REPLY PENDING
-- REPLY STOPPED
-- REPLY UNKNOWN
-- REPLY GONE
-- REPLY LOST
local refusal = enter() or check_identity()
if refusal then return refusal end
local job, flaw = job_of(key, shard.now)
local lease = next ~= '' and read('zset', 'ZSCORE', members, next)
local owned = read('set', 'SCARD', next_own)
read('set', 'SCARD', own)
read('set', 'SCARD', groups)
read('hash', 'HLEN', member_info)
if job then read('zset', 'ZCARD', pending_prefix .. job.group) end
if wrong then return wrong end
local passes = shard.quarantine == 0 and lease and tonumber(lease) > shard.now and epoch == shard.epoch
  and owned < tonumber(capacity)
local payload = passes and job and redis.call('HGET', job_prefix .. key, 'payload')
if passes and job and job.state ~= 'stopping' and not payload then flaw = 'payload' end
if flaw then
  drop_owned(own, key, flaw)
  save()
  return {'GONE'}
end
if is_unsure(job and job.token, token) then return {'UNKNOWN'} end
if not job or job.token ~= token or job.state == 'pending' then return {'GONE'} end
redis.call('SREM', own, key)
if job.state == 'stopping' then
  end_job(key, job, 'stopped', '')
  log('stopped', key, job.worker, token, '')
  save()
  return {'STOPPED'}
end
local attempt = job.stable and 0 or math.max(0, job.attempt - 1)
if passes then
  local new_token = mint()
  redis.call('HDEL', job_prefix .. key, 'started-at', 'stable-at')
  redis.call('HSET', job_prefix .. key, 'state', 'assigned', 'worker', next, 'token', new_token, 'attempt', attempt + 1)
  redis.call('SADD', next_own, key)
  mail_assignment(next, key, new_token, attempt + 1, job.dispatch, job.terms, payload)
  deliver_assignments()
  log('moved', key, next, new_token, 'from ' .. job.worker .. ', ' .. reason)
  save()
  return {'ASSIGNED', new_token}
end
requeue(key, job, attempt, shard.now, '')
log('released', key, job.worker, token, reason)
save()
return {'PENDING'}
