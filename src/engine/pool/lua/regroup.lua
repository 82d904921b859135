-- regroup
-- Gives jobs, a batch, to other worker groups. `items` are key and group. One that waits changes queue. The record of one
-- that is owned names its new group from here on: whatever ends the ownership (its worker, which is told and moves it;
-- the reaper; a failed attempt) puts it there. Nothing is interrupted here, and one that is to stop is left alone.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger mail terms whole job
-- KEYS config member_info groups ledger job_prefix pending_prefix
-- ARGV generation mailbox_prefix events items...
-- REPLY OK states:list
-- REPLY LOST
local refusal = enter()
if refusal then return refusal end
read('hash', 'HLEN', member_info)
read('set', 'SCARD', groups)
if wrong then return wrong end
local states, filled = {}, {}
for i = 1, #items, 2 do
  local key, group = items[i], items[i + 1]
  local job = job_of(key, shard.now)
  local due = job and read('zset', 'ZSCORE', pending_prefix .. job.group, key)
  if job then read('zset', 'ZCARD', pending_prefix .. group) end
  -- One bad record must not keep the others where they are.
  local unusable = wrong or not job or job.state == 'stopping' or (job.state == 'pending' and not due)
  wrong = nil
  if unusable then
    states[#states + 1] = 'gone'
  elseif job.group == group then
    states[#states + 1] = 'same'
  else
    redis.call('HSET', job_prefix .. key, 'group', group)
    log('regrouped', key, job.worker, job.token, 'from ' .. job.group .. ' to ' .. group)
    if job.state == 'pending' then
      redis.call('ZREM', pending_prefix .. job.group, key)
      redis.call('ZADD', pending_prefix .. group, due, key)
      redis.call('SADD', groups, group)
      filled[group] = true
      states[#states + 1] = 'queued'
    else
      mail(job.worker, 'regroup', job.token .. ' ' .. #key, key .. group)
      states[#states + 1] = 'asked'
    end
  end
end
for group in pairs(filled) do redis.call('SPUBLISH', events, 'pending ' .. group) end
save()
return {'OK', states}
