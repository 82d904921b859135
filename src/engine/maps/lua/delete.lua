-- delete
-- Removes one entry if its condition holds (any, value). The payload is the value before, or the one that is there.
-- FLAGS allow-oom
-- INCLUDE time require_types map operation
-- KEYS data meta ops
-- ARGV changes lane sequence known ttl ttlMode maxEntries maxBytes maxValueBytes key condition expected
-- REPLY OK generation:text revision:int changed:int payload:bytes?
-- REPLY UNMET generation:text revision:int changed:int payload:bytes?
-- REPLY STALE
-- REPLY DESTROYED
-- REPLY VALUE_TOO_LARGE size:int
-- REPLY MAP_FULL count:int bytes:int
local refusal = open_operation(key)
if refusal then return refusal end
if condition == 'value' and previous ~= expected then return finish('UNMET', 0, previous) end
if not previous then return finish('OK', 0, nil) end
delete_entry(key)
return finish('OK', 1, previous)
