-- resettle
-- After Redis lost something: ends again what a worker had ended in the last moments, so that an older copy of the shard
-- does not bring it back, nor somebody who gave it up before. `items` are key, dispatch, token, outcome, digest, how long to
-- keep the outcome in ms (empty: as long as a reply may be under way), the result if it is kept, or why it is dead, and after
-- how many attempts. A record of another dispatch, or under a later token, is somebody else's; what became of this one is
-- noted beside it. Of the dead only those are buried again whose record, and with it the payload, is there.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger terms whole job end bury
-- KEYS config dead ledger own_prefix job_prefix dead_job_prefix notes_prefix record_prefix pending_prefix
-- ARGV generation replies_prefix items...
-- REPLY OK count:int
-- REPLY LOST
local refusal = enter('ended')
if refusal then return refusal end
local count = 0
for i = 1, #items, 8 do
  local key, dispatch, token, outcome, digest, keep_ms, result, attempt = unpack(items, i, i + 7)
  local job = job_of(key, shard.now)
  if job and job.state == 'pending' then read('zset', 'ZCARD', pending_prefix .. job.group) end
  if job and job.worker ~= '' then read('set', 'SCARD', own_prefix .. job.worker) end
  if outcome == 'dead' then read('zset', 'ZCARD', dead) end
  if wrong then job = nil end
  wrong = nil
  if job and job.dispatch == dispatch and tonumber(job.token) <= tonumber(token) then
    if job.state == 'pending' then
      redis.call('ZREM', pending_prefix .. job.group, key)
      shard.queued = shard.queued - 1
    else
      redis.call('SREM', own_prefix .. job.worker, key)
    end
    if outcome == 'dead' then
      redis.call('HSET', job_prefix .. key, 'attempt', attempt)
      bury(key, job, result)
    else
      end_job(key, job, outcome, result)
      log(outcome, key, job.worker, token, 'again, after Redis lost it')
    end
    count = count + 1
  elseif (not job or job.dispatch ~= dispatch) and shard.quarantine > 0
    and redis.pcall('HEXISTS', record_prefix .. dispatch, 'outcome') == 0 then
    note_outcome(key, dispatch, digest, outcome, '', token, keep_ms ~= '' and keep_ms, result)
  end
end
save('ended', shard.more[1] + count)
return {'OK', count}
