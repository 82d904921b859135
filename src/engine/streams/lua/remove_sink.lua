-- remove_sink
-- Removes a sink from one stream: its group with what is pending, its consumers, settings, counters and dead letters. A
-- mark stays, by which a consumer that still runs learns that it was on purpose and does not make the group anew; whoever
-- opens the sink again clears it. With force 0 nothing is done while a consumer has a lease.
-- FLAGS allow-oom
-- INCLUDE require_types time group
-- KEYS events sinks consumers dead
-- ARGV sink force
-- REPLY OK
-- REPLY LIVE consumers:int
-- REPLY MISSING
local err = wrong_type(events, 'stream', sinks, 'hash', consumers, 'zset', dead, 'stream')
if err then return err end
if not group_info(events, sink) then return {'MISSING'} end
local now = whole(math.floor(wall_us() / 1000))
local live = redis.call('ZCOUNT', consumers, now, '+inf')
if live > 0 and force == '0' then return {'LIVE', live} end
local own = {}
for _, field in ipairs(redis.call('HKEYS', sinks)) do
  if string.match(field, '^[^:]+') == sink then own[#own + 1] = field end
end
redis.call('XGROUP', 'DESTROY', events, sink)
redis.call('UNLINK', consumers, dead)
-- First the mark: a key that is emptied is gone, and its expiry with it.
redis.call('HSET', sinks, sink .. ':removed', now)
for _, field in ipairs(own) do redis.call('HDEL', sinks, field) end
return {'OK'}
