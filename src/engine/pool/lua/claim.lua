-- claim
-- What a worker does with jobs recorded to it that it does not run: after it missed a hint, or as a new incarnation. Each
-- is given with a new token, so that whatever an earlier incarnation still sends about it is refused. `pairs` are key and
-- the token the caller runs it under, or an empty one. A job asked to stop ends here, for nobody runs it. An attempt that
-- another process began counts: a payload that crashes its worker ends dead. One that this process had to stop because its
-- lease was over does not: that was not the job's fault. A record that cannot be used is set aside, unless the job runs here:
-- then that is left to its end.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger server identity terms whole job end bury aside
-- KEYS config members member_info own dead ledger job_prefix dead_job_prefix notes_prefix record_prefix aside_prefix
-- ARGV generation worker incarnation replies_prefix events pairs...
-- REPLY CLAIMED mail:int jobs:list
-- REPLY QUARANTINE left_ms:int
-- REPLY EXPIRED
-- REPLY LOST
local MAX_REPLY_BYTES = 4194304
local refusal = enter() or check_identity()
if refusal then return refusal end
local lease = read('zset', 'ZSCORE', members, worker)
local about = read('hash', 'HMGET', member_info, 'incarnation:' .. worker, 'since:' .. worker, 'mail:' .. worker,
  'renewed:' .. worker, 'fenced:' .. worker)
read('set', 'SCARD', own)
read('zset', 'ZCARD', dead)
if wrong then return wrong end
if shard.quarantine > 0 then return {'QUARANTINE', whole(shard.quarantine / 1000)} end
if not lease or about[1] ~= incarnation or tonumber(lease) <= shard.now then return {'EXPIRED'} end
local jobs, bytes = {}, 0
for i = 1, #pairs, 2 do
  if bytes > MAX_REPLY_BYTES then break end
  local key, running_token = pairs[i], pairs[i + 1]
  local job, flaw, rest = job_of(key, tonumber(about[4]) or 0)
  if flaw and running_token ~= '' and rest.group and rest.worker == worker and rest.token == running_token then
    jobs[#jobs + 1] = {'kept', key, 0, rest.group}
  elseif not job or job.worker ~= worker then
    drop_owned(own, key, flaw)
    jobs[#jobs + 1] = {'gone', key}
  elseif running_token ~= '' then
    local state = job.token == running_token and (job.state == 'stopping' and 'stopping' or 'kept') or 'stale'
    local notes = redis.pcall('LLEN', notes_prefix .. key)
    jobs[#jobs + 1] = {state, key, type(notes) == 'number' and notes or 0, job.group}
  elseif job.state == 'stopping' then
    redis.call('SREM', own, key)
    end_job(key, job, 'stopped', '')
    log('stopped', key, worker, job.token, 'was not running')
    jobs[#jobs + 1] = {'gone', key}
  else
    local payload = redis.call('HGET', job_prefix .. key, 'payload')
    local begun = not about[5] and (job.state == 'running' or tonumber(job.token) <= (tonumber(about[2]) or 0))
    local attempt = begun and (job.stable and 1 or job.attempt + 1) or job.attempt
    if job.attempts > 0 and attempt > job.attempts then
      redis.call('SREM', own, key)
      bury(key, job, 'the worker ended while it ran the last attempt')
      jobs[#jobs + 1] = {'gone', key}
    elseif not payload then
      drop_owned(own, key, 'payload')
      jobs[#jobs + 1] = {'gone', key}
    else
      local token = mint()
      redis.call('HSET', job_prefix .. key, 'state', 'assigned', 'token', token, 'attempt', attempt)
      redis.call('HDEL', job_prefix .. key, 'started-at', 'stable-at')
      bytes = bytes + #payload
      jobs[#jobs + 1] = {'claimed', key, token, attempt, payload, job.dispatch, job.terms, job.group}
      log('claimed', key, worker, token, '')
    end
  end
end
save()
return {'CLAIMED', tonumber(about[3]) and about[3] or '0', jobs}
