-- settle
-- Ends, for a batch, jobs their worker has finished or stopped. `items` are key, token, outcome (completed or stopped)
-- and result. Per item the reply says `ended`, `gone` when the job is not the worker's under that token, or `unknown`
-- while a quarantine makes that uncertain; a record that cannot be used is set aside. Who waits for the outcome is told; the outcome stays for a while under the id of the dispatch.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger server identity terms whole job end aside
-- KEYS config own ledger job_prefix notes_prefix record_prefix aside_prefix
-- ARGV generation replies_prefix events items...
-- REPLY OK states:list
-- REPLY LOST
local refusal = enter('ended') or check_identity()
if refusal then return refusal end
read('set', 'SCARD', own)
if wrong then return wrong end
local states, count = {}, 0
for i = 1, #items, 4 do
  local key, token, outcome, result = items[i], items[i + 1], items[i + 2], items[i + 3]
  local job = ending_of(key)
  if not job or job.token ~= token then
    local _, flaw = job_of(key, shard.now)
    if flaw then drop_owned(own, key, flaw) end
    states[#states + 1] = is_unsure(job and job.token, token) and 'unknown' or 'gone'
  else
    redis.call('SREM', own, key)
    end_job(key, job, outcome, result)
    log(outcome, key, job.worker, token, '')
    count = count + 1
    states[#states + 1] = 'ended'
  end
end
save('ended', shard.more[1] + count)
return {'OK', states}
