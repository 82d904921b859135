-- A job's record as the scripts that end or move it need it. `attempt` is what the next failure counts: a service that
-- ran a whole lease without failing has its attempts behind it. `alive_at` is when its owner was last known to live.
local function job_of(key, alive_at)
  local found = read('hash', 'HMGET', job_prefix .. key, 'state', 'worker', 'token', 'group', 'attempt', 'attempts',
    'backoff', 'stable-at', 'dispatch', 'digest', 'reply-to', 'keep-ms', 'stop-reply-to', 'stop-id')
  if wrong or not found[1] then return nil end
  local stable = found[8] and alive_at >= tonumber(found[8])
  local first_ms, most_ms = string.match(found[7], '^(%d+) (%d+)$')
  return {
    state = found[1],
    worker = found[2] or '',
    token = found[3] or '0',
    group = found[4],
    attempt = stable and 1 or tonumber(found[5]),
    attempts = tonumber(found[6]),
    backoff = tonumber(first_ms) * 1000,
    backoff_max = tonumber(most_ms) * 1000,
    dispatch = found[9],
    digest = found[10] or '',
    reply_to = found[11],
    keep_ms = found[12],
    stop_reply_to = found[13],
    stop_id = found[14],
    stable = stable,
  }
end

-- Exponential with equal jitter, as core/backoff.ts; `random` in [0, 1) comes from the caller.
local function backoff_us(job, failures, random)
  local ceiling = math.min(job.backoff_max, job.backoff * 2 ^ math.max(0, math.min(failures - 1, 30)))
  return ceiling / 2 + ceiling / 2 * random
end
