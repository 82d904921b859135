-- trim
-- Removes old events, a bounded number in one step; `done` 0 asks for another. Whole blocks first, then the rest
-- exactly. What a sink had not acknowledged is counted as lost to it, and what was pending is acknowledged, because
-- nobody can read it any more. `lost` holds sink, count, sink, count... of this step.
-- INCLUDE require_types time group entry_id
-- KEYS events meta sinks
-- ARGV strategy threshold step
-- REPLY OK removed:int done:int lost:list
-- REPLY MISSING
local err = wrong_type(events, 'stream', meta, 'hash', sinks, 'hash')
if err then return err end
if redis.call('EXISTS', events) == 0 then return {'MISSING'} end
-- XINFO STREAM would read the first and the last event: what it says is asked for only where it is needed.
local function first_id()
  local found = redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1]
  return found and found[1] or nil
end
local length = redis.call('XLEN', events)
local groups = {}
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', events)) do groups[#groups + 1] = as_table(flat) end
local oldest = #groups > 0 and first_id() or nil

local done = 0
local removed = redis.call('XTRIM', events, strategy, '~', threshold, 'LIMIT', step)
if removed == 0 then
  -- Less than a block is left to remove.
  removed = redis.call('XTRIM', events, strategy, '=', threshold)
  done = 1
end
local lost = {}
if removed > 0 then
  -- The first id that is left, or nil when none is.
  local floor = #groups > 0 and first_id() or nil
  redis.call('HINCRBY', meta, 'trimmed', removed)
  -- How large they were is not known here: the bytes that are left are counted anew.
  redis.call('HDEL', meta, 'bytes', 'countedTo', 'countedCount')
  for _, group in ipairs(groups) do
    local name = group['name']
    local delivered = group['last-delivered-id']
    local unread = 0
    if id_less(delivered, oldest) then
      unread = removed
    elseif not floor or id_less(delivered, floor) then
      -- Redis knows how many are left to read unless events were deleted one by one; then as many as may be.
      local lag = tonumber(group['lag'] or length) or length
      unread = math.max(0, removed - math.max(0, length - lag))
    end
    local pending = 0
    local bound = floor and ('(' .. floor) or '+'
    while true do
      local found = redis.call('XPENDING', events, name, '-', bound, 1000)
      for _, entry in ipairs(found) do redis.call('XACK', events, name, entry[1]) end
      pending = pending + #found
      if #found < 1000 then break end
    end
    if unread + pending > 0 then
      redis.call('HINCRBY', sinks, name .. ':lost', unread + pending)
      lost[#lost + 1] = name
      lost[#lost + 1] = unread + pending
    end
  end
end
return {'OK', removed, done, lost}
