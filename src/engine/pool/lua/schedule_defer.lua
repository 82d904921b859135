-- schedule_defer
-- A tick could not be acted for: it stays the next one, and is looked at again after a while.
-- FLAGS allow-oom
-- INCLUDE time require_types shard
-- KEYS config schedules schedule
-- ARGV generation name revision tick failure delay_ms
-- REPLY DEFERRED
-- REPLY STALE
-- REPLY LOST
local refusal = enter()
if refusal then return refusal end
local found = read('hash', 'HMGET', schedule, 'revision', 'next')
read('zset', 'ZCARD', schedules)
if wrong then return wrong end
if found[1] ~= revision or found[2] ~= tick then return {'STALE'} end
local now_ms = math.floor(shard.time / 1000)
redis.call('HSET', schedule, 'error', failure, 'failed-at', whole(now_ms))
redis.pcall('HINCRBY', schedule, 'failures', 1)
redis.call('ZADD', schedules, whole(now_ms + tonumber(delay_ms)), name)
save()
return {'DEFERRED'}
