-- dead_letter
-- Copies an entry, as it is, to the sink's dead letters and acknowledges it: both or neither. Of an entry with more than
-- 3500 fields, which is none of ours, the first 3500 are kept, and the reason says how many are not. Only the consumer to which
-- it is pending may, so a second try, or a consumer that lost it to another, changes nothing. With pending 0 (a sink
-- that acknowledges nothing) it only copies. Dead letters over the cap are dropped, oldest first, and counted.
-- INCLUDE require_types time group expire_with
-- KEYS events sinks dead
-- ARGV sink consumer id count reason cap pending
-- REPLY OK dead:text
-- REPLY MOVED
-- REPLY LOST
local err = wrong_type(events, 'stream', sinks, 'hash', dead, 'stream')
if err then return err end
if pending == '1' then
  local found = group_info(events, sink) and redis.call('XPENDING', events, sink, id, id, 1) or {}
  if #found == 0 or found[1][2] ~= consumer then return {'MOVED'} end
end
local entry = redis.call('XRANGE', events, id, id)[1]
if not entry then
  if pending == '1' then redis.call('XACK', events, sink, id) end
  redis.call('HINCRBY', sinks, sink .. ':lost', 1)
  return {'LOST'}
end
-- As many values as a Lua call takes, with some to spare.
local most = math.min(#entry[2], 7000)
if most < #entry[2] then
  reason = reason .. ' (' .. (#entry[2] - most) / 2 .. ' of its ' .. #entry[2] / 2 .. ' fields are not kept)'
end
-- Our fields come first: whoever decodes takes the first three, whatever names the entry's own have.
local fields = {'i', id, 'c', count, 'r', reason}
for i = 1, most do fields[#fields + 1] = entry[2][i] end
local copy = redis.call('XADD', dead, '*', unpack(fields))
expire_with(events, dead)
if pending == '1' then redis.call('XACK', events, sink, id) end
redis.call('HINCRBY', sinks, sink .. ':dead', 1)
if redis.call('XLEN', dead) > tonumber(cap) then
  local dropped = redis.call('XTRIM', dead, 'MAXLEN', cap)
  redis.call('HINCRBY', sinks, sink .. ':deadDropped', dropped)
end
return {'OK', copy}
