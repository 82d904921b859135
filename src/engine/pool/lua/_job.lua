-- A job's record as the scripts that end or move it need it, with its terms. `attempt` is what the next failure counts: a
-- service that ran a whole lease without failing has its attempts behind it. `alive_at` is when its owner was last known
-- to live. For a record that cannot be used there is no job, and the second value says what is wrong with it; the third is
-- what it has all the same.
local function job_of(key, alive_at)
  local found = redis.pcall('HMGET', job_prefix .. key, 'state', 'worker', 'token', 'group', 'attempt', 'stable-at',
    'dispatch', 'terms', 'stop-by')
  if found.err then return nil, 'type', {} end
  local flaw = flaw_of(found[1], found[4], found[7], found[5], found[8], found[2], found[3])
  if flaw then
    if not found[1] and redis.call('EXISTS', job_prefix .. key) == 0 then return nil end
    return nil, flaw, {worker = found[2], token = found[3], group = found[4]}
  end
  local job = terms_of(found[8])
  job.state = found[1]
  job.worker = found[2] or ''
  job.token = found[3] or '0'
  job.group = found[4]
  job.stable = found[6] and alive_at >= (tonumber(found[6]) or math.huge)
  job.attempt = job.stable and 1 or tonumber(found[5])
  job.dispatch = found[7]
  job.terms = found[8]
  job.stop_by = found[9]
  return job
end

-- Exponential with equal jitter, as core/backoff.ts; `random` in [0, 1) comes from the caller.
local function backoff_us(job, failures, random)
  local ceiling = math.min(job.backoff_max, job.backoff * 2 ^ math.max(0, math.min(failures - 1, 30)))
  return ceiling / 2 + ceiling / 2 * random
end
