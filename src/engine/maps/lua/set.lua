-- set
-- Writes one entry if its condition holds (any, absent, value, revision); a value that is there already changes nothing.
-- The payload is the value before, or for an unmet condition the value that is there.
-- INCLUDE time require_types map operation
-- KEYS data meta ops
-- ARGV changes lane sequence known ttl ttlMode maxEntries maxBytes maxValueBytes key value condition expected
-- REPLY OK generation:text revision:int changed:int payload:bytes?
-- REPLY UNMET generation:text revision:int changed:int payload:bytes?
-- REPLY STALE
-- REPLY DESTROYED
-- REPLY VALUE_TOO_LARGE size:int
-- REPLY MAP_FULL count:int bytes:int
local refusal = open_operation(key)
if refusal then return refusal end
if (condition == 'absent' and previous)
  or (condition == 'value' and previous ~= expected)
  or (condition == 'revision' and revision ~= expected) then
  return finish('UNMET', 0, previous)
end
if previous == value then return finish('OK', 0, previous) end
refusal = over_limit(key, #value)
if refusal then return refusal end
write_entry(key, value)
return finish('OK', 1, previous)
