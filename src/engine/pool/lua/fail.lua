-- fail
-- An attempt failed: the job waits for its back-off and is tried again by whoever owns it then, or is dead after its
-- last attempt, or ends if somebody asked it to stop. `final` skips the attempts left. A record
-- that cannot be used is set aside.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger server identity terms whole job end requeue bury aside
-- KEYS config own groups dead ledger job_prefix dead_job_prefix notes_prefix record_prefix pending_prefix aside_prefix
-- ARGV generation key token failure random final replies_prefix events
-- REPLY RETRY attempt:int delay_ms:int
-- REPLY DEAD attempt:int
-- REPLY STOPPED
-- REPLY UNKNOWN
-- REPLY GONE
-- REPLY LOST
local refusal = enter('failed') or check_identity()
if refusal then return refusal end
local job, flaw = job_of(key, shard.now)
read('set', 'SCARD', own)
read('set', 'SCARD', groups)
read('zset', 'ZCARD', dead)
if job then read('zset', 'ZCARD', pending_prefix .. job.group) end
if wrong then return wrong end
if flaw then
  drop_owned(own, key, flaw)
  save()
  return {'GONE'}
end
if is_unsure(job and job.token, token) then return {'UNKNOWN'} end
if not job or job.token ~= token or job.state == 'pending' then return {'GONE'} end
redis.call('SREM', own, key)
local failed = shard.more[1] + 1
if job.state == 'stopping' then
  end_job(key, job, 'stopped', '')
  log('stopped', key, job.worker, token, failure)
  save('failed', failed)
  return {'STOPPED'}
end
if final == '1' or (job.attempts > 0 and job.attempt >= job.attempts) then
  bury(key, job, failure)
  save('failed', failed)
  return {'DEAD', job.attempt}
end
local delay = backoff_us(job, job.attempt, tonumber(random))
requeue(key, job, job.attempt, shard.now + delay, failure)
log('failed', key, job.worker, token, failure)
save('failed', failed)
return {'RETRY', job.attempt, whole(delay / 1000)}
