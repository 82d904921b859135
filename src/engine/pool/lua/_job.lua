-- A job's record as the scripts that end or move it need it. `attempt` is what the next failure counts: a service that
-- ran a whole lease without failing has its attempts behind it. `alive_at` is when its owner was last known to live.
local function job_of(key, alive_at)
  local found = read('hash', 'HMGET', job_prefix .. key, 'state', 'worker', 'token', 'group', 'attempt', 'attempts',
    'backoff-ms', 'backoff-max-ms', 'stable-at', 'dispatch', 'digest', 'reply-to', 'keep-ms', 'stop-reply-to',
    'stop-id')
  if wrong or not found[1] then return nil end
  local stable = found[9] and alive_at >= tonumber(found[9])
  return {
    state = found[1],
    worker = found[2] or '',
    token = found[3] or '0',
    group = found[4],
    attempt = stable and 1 or tonumber(found[5]),
    attempts = tonumber(found[6]),
    backoff = tonumber(found[7]) * 1000,
    backoff_max = tonumber(found[8]) * 1000,
    dispatch = found[10],
    digest = found[11] or '',
    reply_to = found[12],
    keep_ms = found[13],
    stop_reply_to = found[14],
    stop_id = found[15],
    stable = stable,
  }
end

-- Exponential with equal jitter, as core/backoff.ts; `random` in [0, 1) comes from the caller.
local function backoff_us(job, failures, random)
  local ceiling = math.min(job.backoff_max, job.backoff * 2 ^ math.max(0, math.min(failures - 1, 30)))
  return ceiling / 2 + ceiling / 2 * random
end
