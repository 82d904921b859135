-- schedule_resume
-- Lets a paused schedule or ticker go on with the tick given. Those of the pause were not missed: they are nobody's.
-- INCLUDE time require_types shard
-- KEYS config schedules schedule
-- ARGV generation name revision next due events
-- REPLY RESUMED
-- REPLY SAME
-- REPLY STALE
-- REPLY LOST
local refusal = enter()
if refusal then return refusal end
local found = read('hash', 'HMGET', schedule, 'revision', 'paused')
read('zset', 'ZCARD', schedules)
if wrong then return wrong end
if found[1] ~= revision then return {'STALE'} end
if not found[2] then return {'SAME'} end
redis.call('HDEL', schedule, 'paused')
redis.call('HSET', schedule, 'next', next)
redis.call('ZADD', schedules, due, name)
save()
redis.call('SPUBLISH', events, 'schedule ' .. name)
return {'RESUMED'}
