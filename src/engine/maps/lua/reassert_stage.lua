-- reassert_stage
-- Offers a replica's copy of a map that Redis lost, and stages a part of its entries; a first call stages none. `offset`
-- entries were staged before: the same part again changes nothing, and a part that is missing ends the attempt.
-- INCLUDE time require_types map reassert
-- KEYS data meta restorer stage
-- ARGV changes lost copied replica offset entries...
-- REPLY LEADS
-- REPLY BEATEN
-- REPLY SETTLED
local refusal = load_loss()
if refusal then return refusal end
if settled() then return { 'SETTLED' } end
if not leads() then
  if offset ~= '0' or (leader[1] and tonumber(leader[2]) >= tonumber(copied)) then return { 'BEATEN' } end
  redis.call('DEL', stage)
  redis.call('HSET', restorer, 'lost', lost, 'copied', copied, 'replica', replica, 'bytes', 0)
end
local staged = redis.call('HLEN', stage)
if staged < tonumber(offset) then return { 'BEATEN' } end
if staged == tonumber(offset) and #entries > 0 then
  local size = 0
  for i = 1, #entries, 2 do
    redis.call('HSET', stage, entries[i], entries[i + 1])
    size = size + #entries[i] + #entries[i + 1]
  end
  redis.call('HINCRBY', restorer, 'bytes', size)
end
redis.call('PEXPIRE', restorer, LEAD_MS)
redis.call('PEXPIRE', stage, LEAD_MS)
return { 'LEADS' }
