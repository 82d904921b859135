-- repair_counters
-- Derives the counters of a shard from its indexes, and raises the token high-water to `token`, the highest a job has.
-- What it reads grows with workers and groups, not with jobs.
-- FLAGS allow-oom
-- INCLUDE time require_types shard
-- KEYS config members groups pending_prefix own_prefix
-- ARGV generation token
-- REPLY OK count:int queued:int repaired:int
-- REPLY LOST
local refusal = enter()
if refusal then return refusal end
local workers = read('zset', 'ZRANGE', members, 0, -1)
local names = read('set', 'SMEMBERS', groups)
if wrong then return wrong end
local queued, owned = 0, 0
for i = 1, #names do
  local waiting = read('zset', 'ZCARD', pending_prefix .. names[i])
  if wrong then return wrong end
  queued = queued + waiting
end
for i = 1, #workers do
  local held = read('set', 'SCARD', own_prefix .. workers[i])
  if wrong then return wrong end
  owned = owned + held
end
local changed = shard.queued ~= queued or shard.count ~= queued + owned or shard.token < tonumber(token)
shard.queued = queued
shard.count = queued + owned
shard.token = math.max(shard.token, tonumber(token))
save()
return {'OK', shard.count, shard.queued, changed and 1 or 0}
