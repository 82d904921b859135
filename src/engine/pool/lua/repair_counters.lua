-- repair_counters
-- Derives the counters of a shard from its indexes, and raises the token high-water to `token`, the highest a job has.
-- What it reads grows with workers and groups, not with jobs.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger server identity
-- KEYS config members groups pending_prefix own_prefix ledger
-- ARGV generation events token
-- REPLY OK count:int queued:int repaired:int
-- REPLY QUARANTINE left_ms:int
-- REPLY LOST
local refusal = enter() or check_identity()
if refusal then return refusal end
-- What seems to be wrong may be lost, and a worker about to bring it back.
if shard.quarantine > 0 then return {'QUARANTINE', whole(shard.quarantine / 1000)} end
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
