-- assign
-- Gives waiting jobs to the worker that asks, as far as its capacity goes, each under a new token. The reply holds what
-- starting them needs. A key that is taken or not due is left out; one without a record, or with one that cannot be used,
-- leaves the queue for good and keeps no other out. The reply is bounded in bytes.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger server identity terms end whole aside
-- KEYS config members member_info pending own ledger job_prefix notes_prefix record_prefix aside_prefix
-- ARGV generation worker incarnation epoch capacity events replies_prefix job_keys...
-- REPLY ASSIGNED jobs:list
-- REPLY STALE epoch:int
-- REPLY QUARANTINE left_ms:int
-- REPLY EXPIRED
-- REPLY LOST
local MAX_REPLY_BYTES = 4194304
local refusal = enter() or check_identity()
if refusal then return refusal end
local lease = read('zset', 'ZSCORE', members, worker)
local about = read('hash', 'HMGET', member_info, 'incarnation:' .. worker, 'draining:' .. worker)
local owned = read('set', 'SCARD', own)
read('zset', 'ZCARD', pending)
if wrong then return wrong end
if shard.quarantine > 0 then return {'QUARANTINE', whole(shard.quarantine / 1000)} end
if not lease or about[1] ~= incarnation or tonumber(lease) <= shard.now then return {'EXPIRED'} end
if epoch ~= shard.epoch or about[2] then return {'STALE', shard.epoch} end
local jobs, bytes = {}, 0
for i = 1, #job_keys do
  if owned >= tonumber(capacity) or bytes > MAX_REPLY_BYTES then break end
  local key = job_keys[i]
  local score = redis.call('ZSCORE', pending, key)
  local found = score and tonumber(score) <= shard.now and redis.pcall('HMGET', job_prefix .. key, 'state', 'attempt',
    'payload', 'dispatch', 'terms', 'group', 'worker', 'token')
  local flaw = found and (found.err and 'type'
    or flaw_of(found[1], found[6], found[4], found[2], found[5], found[7], found[8]) or not found[3] and 'payload')
  if flaw then
    drop_queued(pending, key, redis.call('EXISTS', job_prefix .. key) == 1 and flaw)
  elseif found and found[1] == 'pending' then
    local token, attempt = mint(), tonumber(found[2]) + 1
    redis.call('ZREM', pending, key)
    redis.call('SADD', own, key)
    redis.call('HSET', job_prefix .. key, 'state', 'assigned', 'worker', worker, 'token', token, 'attempt', attempt)
    redis.call('HDEL', job_prefix .. key, 'not-before', 'due-at')
    shard.queued = shard.queued - 1
    owned = owned + 1
    bytes = bytes + #found[3]
    jobs[#jobs + 1] = {key, token, attempt, found[3], found[4], found[5]}
    log('assigned', key, worker, token, '')
  end
end
save()
return {'ASSIGNED', jobs}
