-- schedule_remove
-- Removes a schedule or ticker. What it dispatched stays.
-- FLAGS allow-oom
-- INCLUDE time require_types shard
-- KEYS config schedules schedule
-- ARGV generation name events
-- REPLY REMOVED
-- REPLY ABSENT
-- REPLY LOST
local refusal = enter()
if refusal then return refusal end
read('zset', 'ZCARD', schedules)
if wrong then return wrong end
-- Whatever lies under the name: it is not to be there.
local count = redis.call('DEL', schedule) + redis.call('ZREM', schedules, name)
save()
if count == 0 then return {'ABSENT'} end
redis.call('SPUBLISH', events, 'schedule ' .. name)
return {'REMOVED'}
