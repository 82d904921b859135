-- schedule_pause
-- Lets a schedule or ticker tick no more until it is resumed.
-- FLAGS allow-oom
-- INCLUDE time require_types shard
-- KEYS config schedules schedule
-- ARGV generation name events
-- REPLY PAUSED
-- REPLY SAME
-- REPLY ABSENT
-- REPLY LOST
local refusal = enter()
if refusal then return refusal end
local found = read('hash', 'HMGET', schedule, 'digest', 'paused')
read('zset', 'ZCARD', schedules)
if wrong then return wrong end
if not found[1] then return {'ABSENT'} end
if found[2] then return {'SAME'} end
redis.call('HSET', schedule, 'paused', 1)
redis.call('HDEL', schedule, 'next', 'failures', 'error')
redis.call('ZADD', schedules, '+inf', name)
save()
redis.call('SPUBLISH', events, 'schedule ' .. name)
return {'PAUSED'}
