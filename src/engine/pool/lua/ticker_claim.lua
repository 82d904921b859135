-- ticker_claim
-- Takes a ticker's next tick for one of those that hold it open, or extends what it has: for a while nobody else runs it.
-- One that does not come back loses it, and another one runs the tick again.
-- FLAGS allow-oom
-- INCLUDE time require_types shard
-- KEYS config schedule
-- ARGV generation revision tick holder claim lease_ms
-- REPLY CLAIMED claim:text
-- REPLY TAKEN left_ms:int
-- REPLY STALE
-- REPLY LOST
local refusal = enter()
if refusal then return refusal end
local found = read('hash', 'HMGET', schedule, 'revision', 'next', 'claim', 'claim-until')
if wrong then return wrong end
local held = claim ~= '' and found[3] == claim
if not held and (claim ~= '' or found[1] ~= revision or found[2] ~= tick) then return {'STALE'} end
local left_us = (tonumber(found[4] or 0) or 0) - shard.now
if not held and found[3] and left_us > 0 then
  -- The logical clock goes on while somebody waits, or the claim would never be over.
  save()
  return {'TAKEN', whole(math.ceil(left_us / 1000))}
end
local mine = held and claim or mint()
redis.call('HSET', schedule, 'claim', mine, 'claim-until', whole(shard.now + tonumber(lease_ms) * 1000), 'holder', holder)
save()
return {'CLAIMED', mine}
