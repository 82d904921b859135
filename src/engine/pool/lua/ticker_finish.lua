-- ticker_finish
-- A tick of a ticker was run, or passed over: the next one is due at its time. Only for who has it.
-- FLAGS allow-oom
-- INCLUDE time require_types shard
-- KEYS config schedule
-- ARGV generation claim tick next late failure
-- REPLY DONE
-- REPLY STALE
-- REPLY LOST
local refusal = enter()
if refusal then return refusal end
local found = read('hash', 'HMGET', schedule, 'claim', 'paused', 'next')
if wrong then return wrong end
if found[1] ~= claim then return {'STALE'} end
-- One that was paused and resumed meanwhile may be further: the ticks of the pause are nobody's.
if not found[2] and tonumber(next) > (tonumber(found[3]) or 0) then redis.call('HSET', schedule, 'next', next) end
redis.call('HDEL', schedule, 'claim', 'claim-until', 'holder', 'error')
if tick ~= '' then
  redis.pcall('HINCRBY', schedule, 'fired', 1)
  redis.call('HSET', schedule, 'last-tick', tick)
end
if late == '1' then redis.pcall('HINCRBY', schedule, 'misfires', 1) end
if failure ~= '' then
  redis.call('HSET', schedule, 'error', failure, 'failed-at', whole(math.floor(shard.time / 1000)))
end
save()
return {'DONE'}
