-- Puts a job back into the queue of its group, without a token: what its last owner still sends is refused. Taking it out
-- of the owned set is the caller's part.
local function requeue(key, job, attempt, not_before, failure)
  redis.call('HDEL', job_prefix .. key, 'worker', 'token', 'started-at', 'stable-at')
  redis.call('HSET', job_prefix .. key, 'state', 'pending', 'attempt', attempt, 'not-before', whole(not_before),
    'due-at', due_at(not_before))
  if failure ~= '' then redis.call('HSET', job_prefix .. key, 'error', failure) end
  redis.call('ZADD', pending_prefix .. job.group, whole(not_before), key)
  redis.call('SADD', groups, job.group)
  shard.queued = shard.queued + 1
  redis.call('SPUBLISH', events, 'pending ' .. job.group)
end
