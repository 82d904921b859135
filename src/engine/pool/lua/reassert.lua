-- reassert
-- After Redis lost something: a worker says which jobs it holds, and the highest token wins. A record that is missing, or
-- older than the caller's, is written again as the caller has it. `items` are key, token, state, attempt, stable_ms, group,
-- dispatch, terms and payload; the state is running, assigned, stopping, or pending for a job that the worker had to stop or
-- has given up, which then waits. What is known to have ended stays ended. A stop that was asked stands, whoever the record
-- said had the job: of the same dispatch, or of whatever has the key when it was asked since the loss.
-- What only waits needs no membership: a worker whose name somebody else has by now can still put back what it held.
-- Only in quarantine is anything restored: later somebody else may run the job. Per item the reply says `kept`, `restored`,
-- `stopping` for one of these that somebody asked to stop, or `stale` when it is not the caller's any more.
-- INCLUDE time require_types shard ledger server identity terms requeue
-- KEYS config members member_info groups own ledger own_prefix job_prefix pending_prefix record_prefix
-- ARGV generation worker incarnation events items...
-- REPLY ASSERTED states:list
-- REPLY EXPIRED
-- REPLY LOST
local refusal = enter() or check_identity()
if refusal then return refusal end
local lease = read('zset', 'ZSCORE', members, worker)
local stand = read('hash', 'HGET', member_info, 'incarnation:' .. worker)
read('set', 'SCARD', own)
read('set', 'SCARD', groups)
if wrong then return wrong end
if not lease or stand ~= incarnation or tonumber(lease) <= shard.now then
  for i = 3, #items, 9 do
    if items[i] ~= 'pending' then return {'EXPIRED'} end
  end
end

local function remove_from_index(key, present)
  if present[1] == 'pending' then
    if redis.call('ZREM', pending_prefix .. (present[4] or ''), key) == 1 then shard.queued = shard.queued - 1 end
  elseif present[1] and present[2] then
    redis.call('SREM', own_prefix .. present[2], key)
  end
end

local function set_running(record, stable_ms)
  redis.call('HSET', record, 'state', 'running', 'started-at', whole(math.floor(shard.time / 1000)))
  if stable_ms ~= '' then redis.call('HSET', record, 'stable-at', whole(shard.now + tonumber(stable_ms) * 1000)) end
end

local states = {}
local at = whole(math.floor(shard.time / 1000))
for i = 1, #items, 9 do
  local key, token, state, attempt, stable_ms, group, dispatch, terms = unpack(items, i, i + 7)
  -- What is minted next is above all that were given, also when the clock of Redis was set back.
  shard.token = math.max(shard.token, tonumber(token))
  local record = job_prefix .. key
  local present = read('hash', 'HMGET', record, 'state', 'worker', 'token', 'group', 'dispatch', 'stop-by', 'stopped-in')
  read('zset', 'ZCARD', pending_prefix .. group)
  if present[1] == 'pending' and present[4] then read('zset', 'ZCARD', pending_prefix .. present[4]) end
  if present[2] then read('set', 'SCARD', own_prefix .. present[2]) end
  -- Without a number it is older than what the caller holds.
  local theirs = not wrong and (tonumber(present[3] or '0') or 0)
  if wrong then
    wrong = nil
    states[#states + 1] = 'stale'
  elseif theirs == tonumber(token) and present[2] == worker then
    if present[1] == 'assigned' and state == 'running' then set_running(record, stable_ms) end
    if state == 'stopping' then redis.call('HSET', record, 'state', 'stopping') end
    states[#states + 1] = (present[1] == 'stopping' or state == 'stopping') and 'stopping' or 'kept'
  elseif theirs > tonumber(token) or shard.quarantine == 0 then
    states[#states + 1] = 'stale'
  elseif redis.pcall('HEXISTS', record_prefix .. dispatch, 'outcome') == 1 then
    -- It has ended: by the caller, or because an older copy had it waiting when it was asked to stop.
    states[#states + 1] = state == 'pending' and 'kept' or 'stale'
  elseif state == 'pending' and present[1] then
    -- It is waiting, or its last known owner claims it: not lost.
    states[#states + 1] = 'kept'
  else
    local asked = present[1] == 'stopping' and (present[5] == dispatch or present[7] == life())
    if asked then state = 'stopping' end
    remove_from_index(key, present)
    if not present[1] then shard.count = shard.count + 1 end
    redis.call('UNLINK', record)
    redis.call('HSET', record, 'state', state, 'attempt', attempt, 'dispatch', dispatch, 'terms', terms, 'group', group,
      'dispatched-at', at, 'payload', items[i + 8])
    if state == 'pending' then
      requeue(key, {group = group}, attempt, shard.now, '')
    else
      redis.call('HSET', record, 'worker', worker, 'token', token)
      if state == 'running' then set_running(record, stable_ms) end
      if asked and present[6] then redis.call('HSET', record, 'stop-by', present[6]) end
      if asked and present[7] then redis.call('HSET', record, 'stopped-in', present[7]) end
      redis.call('SADD', own, key)
    end
    log('restored', key, worker, token, state)
    states[#states + 1] = state == 'stopping' and 'stopping' or 'restored'
  end
end
save()
return {'ASSERTED', states}
