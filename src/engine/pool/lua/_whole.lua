-- What the scripts need of a job's record: the first of its fields that nothing can be done with, or nil. As `badFields` of
-- inspect/invariants/examine.ts, but for the payload, which is read only where it is used.
local OWNED = {assigned = true, running = true, stopping = true}

local function is_count(text)
  return text and #text < 17 and string.find(text, '^%d+$') ~= nil
end

local function flaw_of(state, group, dispatch, attempt, terms, worker, token)
  local owned = OWNED[state]
  if not owned and state ~= 'pending' then return 'state' end
  if not group or group == '' then return 'group' end
  if not dispatch then return 'dispatch' end
  if not is_count(attempt) then return 'attempt' end
  if not terms or not string.find(terms, '^%d+ %d+ %d+ %d+ %S+ %S+ %S+') then return 'terms' end
  if owned and (not worker or worker == '') then return 'worker' end
  if owned and not is_count(token) then return 'token' end
  return nil
end
