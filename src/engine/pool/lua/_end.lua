-- Ends a job: record and notifications go, the outcome stays for a while under the id of its dispatch, so that a
-- dispatch sent again after a lost reply does not run the job a second time. Taking the key out of the pending or owned
-- set is the caller's part.
local RETRY_WINDOW_MS = 30000

local function tell(node, kind, id, worker, token, body)
  redis.call('SPUBLISH', replies_prefix .. node, kind .. ' ' .. id .. ' ' .. worker .. ' ' .. token .. '\n' .. body)
end

-- What `end_job` needs of a job, and its token.
local function ending_of(key)
  local found = redis.pcall('HMGET', job_prefix .. key, 'token', 'worker', 'dispatch', 'terms', 'stop-by')
  if found.err or not found[3] then return nil end
  local job = terms_of(found[4])
  job.token = found[1] or '0'
  job.worker = found[2] or ''
  job.dispatch = found[3]
  job.stop_by = found[5]
  return job
end

-- A foreign key under the name of the record costs the outcome, not the end of the job. The result is kept when the outcome is.
local function note_outcome(key, dispatch, digest, outcome, worker, token, keep_ms, result)
  local record = record_prefix .. dispatch
  local kept = redis.pcall('HSET', record, 'key', key, 'digest', digest, 'outcome', outcome, 'worker', worker, 'token',
    token)
  if type(kept) ~= 'number' then return end
  redis.call('PEXPIRE', record, keep_ms or RETRY_WINDOW_MS)
  if keep_ms and result ~= '' then redis.call('HSET', record, 'result', result) end
end

local function end_job(key, job, outcome, body)
  redis.call('UNLINK', job_prefix .. key, notes_prefix .. key)
  shard.count = shard.count - 1
  note_outcome(key, job.dispatch, job.digest, outcome, job.worker, job.token, job.keep_ms, body)
  if job.reply_to then
    tell(job.reply_to, outcome, job.dispatch, job.worker, job.token,
      (job.keep_ms or outcome == 'dead') and body or '')
  end
  if job.stop_by then
    local id, node = string.match(job.stop_by, '^(%S+) (%S+)$')
    if id then tell(node, outcome, id, job.worker, job.token, '') end
  end
end
