-- reset
-- Removes all entries if the condition holds (any, revision). An empty map does not change.
-- FLAGS allow-oom
-- INCLUDE time require_types map operation
-- KEYS data meta ops
-- ARGV changes lane sequence known ttl ttlMode maxEntries maxBytes maxValueBytes condition expected
-- REPLY OK generation:text revision:int changed:int payload:bytes?
-- REPLY UNMET generation:text revision:int changed:int payload:bytes?
-- REPLY STALE
-- REPLY DESTROYED
-- REPLY VALUE_TOO_LARGE size:int
-- REPLY MAP_FULL count:int bytes:int
local refusal = open_operation(nil)
if refusal then return refusal end
if condition == 'revision' and revision ~= expected then return finish('UNMET', 0, nil) end
if count == 0 then return finish('OK', 0, nil) end
begin_change()
publish_reset('reset')
return finish('OK', 1, nil)
