-- expire
-- Run by a replica at the deadline: empties the map and says so with a revision, unless somebody else did or a write moved it.
-- FLAGS allow-oom
-- INCLUDE time require_types map
-- KEYS data meta changes
-- REPLY EXPIRED revision:int
-- REPLY LATER expiresAtMs:int
local refusal = load_map(nil)
if refusal then return refusal end
if not has_expired() then return { 'LATER', whole(map.expires_at) } end
expire_entries()
return { 'EXPIRED', map.revision }
