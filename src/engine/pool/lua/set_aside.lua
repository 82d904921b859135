-- set_aside
-- Takes a key out of the protocol that cannot be repaired: a value of a type that its role does not have, or, when `kind`
-- is `record`, a job's record that lacks what the other scripts need. It gets the name `aside`, where nothing is
-- overwritten, or with that name empty is deleted. Looked at again here, because the key may have become whole meanwhile.
-- FLAGS allow-oom
-- INCLUDE whole
-- KEYS name
-- ARGV aside expected kind
-- REPLY DONE
-- REPLY FINE
-- REPLY TAKEN
local function is_whole()
  local found = redis.call('HMGET', name, 'state', 'group', 'dispatch', 'attempt', 'terms', 'worker', 'token')
  return not flaw_of(unpack(found)) and redis.call('HEXISTS', name, 'payload') == 1
end

local found = redis.call('TYPE', name).ok
if found == 'none' or found == expected and (kind ~= 'record' or is_whole()) then return {'FINE'} end
if aside == '' then
  redis.call('UNLINK', name)
  return {'DONE'}
end
if redis.call('RENAMENX', name, aside) == 0 then return {'TAKEN'} end
return {'DONE'}
