-- reassert_commit
-- Puts the staged entries in the place of a map that Redis lost. What was written since the loss is newer and stays. The change
-- follows a revision that nobody showed, so that every replica reads the map anew. `next` names the map if nobody wrote yet.
-- INCLUDE time require_types map reassert
-- KEYS data meta restorer stage
-- ARGV changes lost copied replica total deadline next
-- REPLY RESTORED revision:int
-- REPLY BEATEN
-- REPLY SETTLED
local refusal = load_loss()
if refusal then return refusal end
if settled() or (deadline ~= '0' and tonumber(deadline) * 1000 <= now_us) then return { 'SETTLED' } end
if not leads() or redis.call('HLEN', stage) ~= tonumber(total) then return { 'BEATEN' } end
bytes = tonumber(leader[4])
local newer = redis.call('HGETALL', data)
for i = 1, #newer, 2 do
  local key, value = newer[i], newer[i + 1]
  if redis.call('HEXISTS', stage, key) == 0 then bytes = bytes + #key end
  bytes = bytes + #value - redis.call('HSTRLEN', stage, key)
  redis.call('HSET', stage, key, value)
end
redis.call('RENAME', stage, data)
redis.call('PERSIST', data)
redis.call('DEL', restorer)
if generation == '' then
  generation = next
  redis.call('HSET', meta, 'generation', generation, 'prior', '', 'state', 'live')
end
redis.call('HSET', meta, 'restored', lost, 'restorer', replica)
if expires_at == 0 and deadline ~= '0' then
  expires_at = tonumber(deadline)
  redis.call('HSET', meta, 'expiresAtMs', deadline, 'state', 'expiring')
  redis.call('PEXPIREAT', meta, expires_at + AFTERLIFE_MS)
end
if expires_at > 0 then redis.call('PEXPIREAT', data, expires_at) end
revision = whole(math.max(tonumber(revision), tonumber(copied)) + 1)
publish_change('restored', '0', '')
return { 'RESTORED', revision }
