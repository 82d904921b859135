-- destroy
-- Removes the map. A record stays for a while, so that whoever still writes to the map it knew is refused.
-- FLAGS allow-oom
-- INCLUDE time require_types map operation
-- KEYS data meta ops
-- ARGV changes lane sequence known ttl ttlMode maxEntries maxBytes maxValueBytes
-- REPLY OK generation:text revision:int changed:int payload:bytes?
-- REPLY UNMET generation:text revision:int changed:int payload:bytes?
-- REPLY STALE
-- REPLY DESTROYED
-- REPLY VALUE_TOO_LARGE size:int
-- REPLY MAP_FULL count:int bytes:int
local refusal = open_operation(nil)
if refusal then return refusal end
if state == 'destroyed' or (generation == '' and count == 0) then return finish('OK', 0, nil) end
if generation == '' then begin_change() end
redis.call('HSET', meta, 'state', 'destroyed')
redis.call('HDEL', meta, 'expiresAtMs', 'ttlMs', 'ttlMode')
expires_at = 0
publish_reset('destroyed')
redis.call('PEXPIRE', meta, AFTERLIFE_MS)
return finish('OK', 1, nil)
