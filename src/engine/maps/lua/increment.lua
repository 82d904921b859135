-- increment
-- Adds to a 64-bit integer; an absent entry counts as 0. Redis adds: a Lua number is exact up to 2^53 only.
-- INCLUDE time require_types map operation
-- KEYS data meta ops
-- ARGV changes lane sequence known ttl ttlMode maxEntries maxBytes maxValueBytes key by
-- REPLY OK generation:text revision:int changed:int payload:bytes?
-- REPLY UNMET generation:text revision:int changed:int payload:bytes?
-- REPLY STALE
-- REPLY DESTROYED
-- REPLY VALUE_TOO_LARGE size:int
-- REPLY MAP_FULL count:int bytes:int
-- REPLY NOT_INTEGER
-- REPLY OVERFLOW
local refusal = open_operation(key)
if refusal then return refusal end
local sum = redis.pcall('HINCRBY', data, key, by)
if type(sum) == 'table' then
  if string.find(sum.err, 'not an integer', 1, true) then return { 'NOT_INTEGER' } end
  if string.find(sum.err, 'overflow', 1, true) then return { 'OVERFLOW' } end
  return sum
end
local value = redis.call('HGET', data, key)
if value == previous then return finish('OK', 0, value) end
-- Only now is the size known: put things back before judging it.
if previous then redis.call('HSET', data, key, previous) else redis.call('HDEL', data, key) end
refusal = over_limit(key, #value)
if refusal then return refusal end
write_entry(key, value)
return finish('OK', 1, value)
