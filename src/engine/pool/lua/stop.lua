-- stop
-- Ends a job that waits; asks the owner of one that does not, durably: the request survives the owner's crash. The same
-- id gets the same answer, also when the job is gone by then; it writes too, for whoever waits for replicas after it. In
-- quarantine another worker may have the job than the record says, perhaps of another dispatch: the record keeps in which
-- life of the shard the stop was asked, for when that one says so. A job that waits then would leave no such record behind,
-- and come back when somebody says that the key is his: it is not ended before the quarantine is.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger server identity unproven mail terms whole job end
-- KEYS config member_info ledger record job_prefix notes_prefix record_prefix pending_prefix
-- ARGV generation id key reply_to retention_ms mailbox_prefix replies_prefix events
-- REPLY STOPPED
-- REPLY STOPPING worker:text
-- REPLY ABSENT
-- REPLY QUARANTINE left_ms:int
-- REPLY LOST
local refusal = enter('ended') or check_identity()
if refusal then return refusal end
local known = read('hash', 'HMGET', record, 'outcome', 'worker')
read('hash', 'HLEN', job_prefix .. key)
local job = job_of(key, shard.now)
read('hash', 'HLEN', member_info)
if job then read('zset', 'ZCARD', pending_prefix .. job.group) end
if wrong then return wrong end
if known[1] then save() end
if known[1] == 'stopped' then return {'STOPPED'} end
if known[1] == 'stopping' then return {'STOPPING', known[2]} end
if (not job or job.state == 'pending') and shard.quarantine > 0 then return unproven() end
if not job then return {'ABSENT'} end
local outcome = job.state == 'pending' and 'stopped' or 'stopping'
redis.call('HSET', record, 'outcome', outcome, 'worker', job.worker)
redis.call('PEXPIRE', record, retention_ms)
if outcome == 'stopped' then
  redis.call('ZREM', pending_prefix .. job.group, key)
  shard.queued = shard.queued - 1
  end_job(key, job, 'stopped', '')
  log('stopped', key, '', job.token, 'was waiting')
  save('ended', shard.more[1] + 1)
  return {'STOPPED'}
end
redis.call('HSET', job_prefix .. key, 'state', 'stopping')
if shard.quarantine > 0 then redis.call('HSET', job_prefix .. key, 'stopped-in', life()) end
if reply_to ~= '' then redis.call('HSET', job_prefix .. key, 'stop-by', id .. ' ' .. reply_to) end
mail(job.worker, 'stop', job.token .. ' ' .. #key, key)
log('stopping', key, job.worker, job.token, '')
save()
return {'STOPPING', job.worker}
