-- A map that Redis lost is written back once, from the copy with the highest revision: whoever offers that one leads. Its
-- entries are staged beside the map and take its place in one step, so nobody ever sees a part of them.
-- `restorer`, `stage`, `lost`, `copied` and `replica` are declared by every script that includes this.

-- How long a leader may be silent before another takes its place.
local LEAD_MS = 5000

local leader

local function load_loss()
  leader = redis.pcall('HMGET', restorer, 'lost', 'copied', 'replica', 'bytes')
  local staged = redis.pcall('HLEN', stage)
  if leader.err or type(staged) == 'table' then
    return wrong_type(restorer, 'hash', stage, 'hash') or leader
  end
  return load_map(nil)
end

-- There is no loss to make good: the map is back, was written back already, or was emptied, destroyed or begun anew on purpose.
local function settled()
  local found = redis.call('HMGET', meta, 'restored', 'resetRevision', 'prior')
  return generation == lost or state == 'destroyed' or found[1] or found[2] or (found[3] or '') ~= ''
end

local function leads()
  return leader[1] == lost and leader[2] == copied and leader[3] == replica
end
