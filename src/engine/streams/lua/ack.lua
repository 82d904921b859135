-- ack
-- Acknowledges entries and adds to the sink's counters. Acknowledging twice counts once, so it may be sent again; the
-- other counters may then count twice, which is what counters may do.
-- FLAGS allow-oom
-- INCLUDE require_types
-- KEYS events sinks
-- ARGV sink filtered redelivered lost ids...
-- REPLY OK acked:int
local err = wrong_type(events, 'stream', sinks, 'hash')
if err then return err end
local acked = 0
if #ids > 0 then acked = redis.call('XACK', events, sink, unpack(ids)) end
local function count(name, by)
  if tonumber(by) > 0 then redis.call('HINCRBY', sinks, sink .. ':' .. name, by) end
end
count('acked', acked - tonumber(filtered))
count('filtered', filtered)
count('redelivered', redelivered)
count('lost', lost)
return {'OK', acked}
