-- schedule_put
-- Makes a schedule or a ticker under a name, once: the same again changes nothing, another one is refused unless it is to
-- replace the first, and then it stays paused if that was. `due` is when to look at it: its next tick, or never for a
-- ticker, which those who hold it open look at themselves.
-- INCLUDE time require_types shard
-- KEYS config schedules schedule
-- ARGV generation name digest replace next due events fields...
-- REPLY CREATED
-- REPLY REPLACED
-- REPLY EXISTS
-- REPLY CONFLICT
-- REPLY LOST
local refusal = enter()
if refusal then return refusal end
local found = read('hash', 'HMGET', schedule, 'digest', 'paused', 'last-tick')
read('zset', 'ZCARD', schedules)
if wrong then return wrong end
if found[1] == digest then return {'EXISTS'} end
if found[1] and replace ~= '1' then return {'CONFLICT'} end
redis.call('UNLINK', schedule)
redis.call('HSET', schedule, 'digest', digest, unpack(fields))
if found[3] then redis.call('HSET', schedule, 'last-tick', found[3]) end
if found[2] then
  redis.call('HSET', schedule, 'paused', 1)
  redis.call('ZADD', schedules, '+inf', name)
else
  redis.call('HSET', schedule, 'next', next)
  redis.call('ZADD', schedules, due, name)
end
save()
redis.call('SPUBLISH', events, 'schedule ' .. name)
if found[1] then return {'REPLACED'} end
return {'CREATED'}
