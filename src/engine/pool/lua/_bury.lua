-- Moves a job whose last attempt failed to the dead set, payload and error included. The set is capped; what falls out
-- is counted.
local function bury(key, job, failure)
  local grave = dead_job_prefix .. key
  redis.call('RENAME', job_prefix .. key, grave)
  redis.call('HDEL', grave, 'stable-at', 'stop-by', 'stopped-in')
  redis.call('HSET', grave, 'state', 'dead', 'error', failure, 'died-at', whole(math.floor(shard.time / 1000)))
  redis.call('ZADD', dead, whole(math.floor(shard.time / 1000)), key)
  local dropped, limit = 0, tonumber(redis.call('HGET', config, 'dead-limit'))
  while redis.call('ZCARD', dead) > limit and dropped < 10 do
    local oldest = redis.call('ZPOPMIN', dead)
    redis.call('UNLINK', dead_job_prefix .. oldest[1])
    dropped = dropped + 1
  end
  if dropped > 0 then redis.call('HINCRBY', config, 'dead-dropped', dropped) end
  end_job(key, job, 'dead', failure)
  log('dead', key, job.worker, job.token, failure)
end
