-- expire
-- Run by a replica at the deadline: empties the map and says so with a revision, unless somebody else did or a write moved it.
-- FLAGS allow-oom
-- INCLUDE time require_types map
-- KEYS data meta
-- ARGV changes
-- REPLY EXPIRED revision:int
-- REPLY LATER expiresAtMs:int
local refusal = load_map(nil)
if refusal then return refusal end
if expire_if_due() then return { 'EXPIRED', revision } end
return { 'LATER', whole(expires_at) }
