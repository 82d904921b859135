-- dispatch
-- Admits a job, once: the same id gets the same answer. When the worker named is alive at the epoch the caller knows and
-- below its capacity, the job is assigned in the same step and the worker may start on the hint, because only itself, or
-- the reaper after its lease, can end an assignment. Otherwise the job waits for a worker of its group. An answer to a
-- repetition writes too: whoever waits for replicas after it then waits for those that have the job.
-- INCLUDE time require_types shard ledger mail
-- KEYS config members member_info groups pending own job record ledger
-- ARGV generation id key payload group digest remember_ms delay_ms attempts backoff_ms backoff_max_ms reply_to keep_ms worker epoch capacity mailbox_prefix events
-- REPLY ASSIGNED epoch:int worker:text token:int
-- REPLY PENDING epoch:int
-- REPLY ENDED epoch:int outcome:text worker:text token:int
-- REPLY EXISTS state:text
-- REPLY FULL limit:int
-- REPLY CONFLICT
-- REPLY LOST
local refusal = enter('limit', 'dispatched')
if refusal then return refusal end
local known = read('hash', 'HMGET', record, 'key', 'digest', 'outcome', 'worker', 'token')
local present = read('hash', 'HMGET', job, 'state', 'dispatch', 'digest', 'worker', 'token')
if wrong then return wrong end
if known[1] and (known[1] ~= key or known[2] ~= digest) then return {'CONFLICT'} end
if known[3] then
  save()
  return {'ENDED', shard.epoch, known[3], known[4] or '', known[5] or '0'}
end
if present[1] and present[2] == id then
  if (present[3] or '') ~= digest then return {'CONFLICT'} end
  save()
  if present[1] == 'pending' then return {'PENDING', shard.epoch} end
  return {'ASSIGNED', shard.epoch, present[4], present[5]}
end
if present[1] then return {'EXISTS', present[1]} end
if shard.count >= shard.more[1] then return {'FULL', shard.more[1]} end
local assign = false
if worker ~= '' and epoch == shard.epoch and delay_ms == '0' then
  local lease = read('zset', 'ZSCORE', members, worker)
  local owned = read('set', 'SCARD', own)
  read('hash', 'HLEN', member_info)
  if wrong then return wrong end
  assign = lease and tonumber(lease) > shard.now and owned < tonumber(capacity)
end
if not assign then
  read('zset', 'ZCARD', pending)
  read('set', 'SCARD', groups)
  if wrong then return wrong end
end
local fields = {'group', group, 'payload', payload, 'dispatch', id, 'attempts', attempts, 'backoff', backoff_ms .. ' ' .. backoff_max_ms,
  'payload-bytes', #payload, 'dispatched-at', whole(math.floor(shard.time / 1000))}
local function set(name, value)
  fields[#fields + 1] = name
  fields[#fields + 1] = value
end
if digest ~= '' then set('digest', digest) end
if reply_to ~= '' then set('reply-to', reply_to) end
if keep_ms ~= '' then set('keep-ms', keep_ms) end
local token = '0'
if assign then
  token = mint()
  set('state', 'assigned')
  set('worker', worker)
  set('token', token)
  set('attempt', 1)
else
  local due = whole(shard.now + tonumber(delay_ms) * 1000)
  set('state', 'pending')
  set('attempt', 0)
  set('not-before', due)
  redis.call('ZADD', pending, due, key)
  redis.call('SADD', groups, group)
  shard.queued = shard.queued + 1
end
redis.call('HSET', job, unpack(fields))
shard.count = shard.count + 1
if remember_ms ~= '' then
  redis.call('HSET', record, 'key', key, 'digest', digest)
  redis.call('PEXPIRE', record, remember_ms)
end
save('dispatched', shard.more[2] + 1)
if assign then
  redis.call('SADD', own, key)
  mail_assignment(worker, key, token, 1, payload)
  log('dispatched', key, worker, token, '')
  return {'ASSIGNED', shard.epoch, worker, token}
end
redis.call('SPUBLISH', events, 'pending ' .. group)
log('dispatched', key, '', '', '')
return {'PENDING', shard.epoch}
