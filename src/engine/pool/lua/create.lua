-- create
-- Makes the shard, or answers with the settings it has. Lease terms are one for all: they change only while nobody is a
-- member, because a worker with other terms would fence itself at another time than the others expect.
-- A shard that somebody knew before (`known`), or whose events somebody listens to, was lost: it begins in quarantine, so
-- that live workers can say what they run before anything is admitted or assigned. Who did not know it makes it in its
-- oldest version then: those who did most likely speak that.
-- One that was removed on purpose is not made anew by who knew it (REMOVED), and by nobody until all of it is gone
-- (REMOVING). Whoever makes it anew then makes a new one: nothing was lost.
-- Allowed when memory is full, because every worker that starts asks it.
-- FLAGS allow-oom
-- INCLUDE time require_types server
-- KEYS config members
-- ARGV generation shards terms_given limit_given lease_ms margin_ms grace_ms clamp_ms stop_budget_ms limit ledger_length dead_limit protocol oldest_protocol known events
-- REPLY CREATED
-- REPLY EXISTS
-- REPLY REMOVED
-- REPLY REMOVING
-- REPLY CONFLICT lease_ms:int margin_ms:int grace_ms:int clamp_ms:int stop_budget_ms:int
local refusal = wrong_type(config, 'hash', members, 'zset')
if refusal then return refusal end
local terms = {'lease-ms', lease_ms, 'margin-ms', margin_ms, 'grace-ms', grace_ms, 'clamp-ms', clamp_ms,
  'stop-budget-ms', stop_budget_ms}
local mark = redis.call('HMGET', config, 'state', 'token')
if mark[1] then
  if known == '1' then return {'REMOVED'} end
  if mark[1] == 'removing' then return {'REMOVING'} end
  redis.call('UNLINK', config)
end
if redis.call('EXISTS', config) == 0 then
  local now = wall_us()
  local time = whole(now)
  local listened = redis.call('PUBSUB', 'SHARDNUMSUB', events)[2]
  local lost = known == '1' or not mark[1] and listened > 0
  local quarantine_until = lost and whole(now + tonumber(lease_ms) * 1000) or '0'
  if lost and known ~= '1' then protocol = oldest_protocol end
  -- What every script reads comes first: Redis looks through a small hash in order.
  redis.call('HSET', config, 'clock', time, 'last-time', time, 'token', mark[2] or 0, 'epoch', 1, 'generation', generation,
    'clamp-ms', clamp_ms, 'count', 0, 'queued', 0, 'ledger-length', ledger_length, 'server', server_id(),
    'quarantine-until', quarantine_until, 'limit', limit, 'dispatched', 0, 'started', 0, 'ended', 0, 'failed', 0,
    'dead-limit', dead_limit, 'shards', shards, 'protocol', protocol, 'created-at', string.sub(time, 1, -4),
    unpack(terms))
  return {'CREATED'}
end
local stand = redis.call('HMGET', config, 'lease-ms', 'margin-ms', 'grace-ms', 'clamp-ms', 'stop-budget-ms')
local same = stand[1] == lease_ms and stand[2] == margin_ms and stand[3] == grace_ms and stand[4] == clamp_ms
  and stand[5] == stop_budget_ms
if terms_given == '1' and not same then
  if redis.call('ZCARD', members) > 0 then
    return {'CONFLICT', stand[1], stand[2], stand[3], stand[4], stand[5]}
  end
  redis.call('HSET', config, unpack(terms))
end
if limit_given == '1' then redis.call('HSET', config, 'limit', limit) end
return {'EXISTS'}
