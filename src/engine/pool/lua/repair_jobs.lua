-- repair_jobs
-- Puts jobs, a batch, where their records say they are, and nowhere else. `items` are the place where a job was seen
-- (`pending` or `owned`, else empty), the name of that group or worker, and its key; without a key the owner itself is
-- meant. Only what is wrong at this moment is changed, so it is safe beside workers. A worker that owns jobs and is no
-- member becomes one for a last lease, because it may still believe in its own; then the reaper has its jobs.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger server identity whole
-- KEYS config members member_info groups job_prefix pending_prefix own_prefix ledger
-- ARGV generation events items...
-- REPLY OK states:list
-- REPLY QUARANTINE left_ms:int
-- REPLY LOST
local refusal = enter('lease-ms') or check_identity()
if refusal then return refusal end
-- What seems to be wrong may be lost, and a worker about to bring it back.
if shard.quarantine > 0 then return {'QUARANTINE', whole(shard.quarantine / 1000)} end
read('zset', 'ZCARD', members)
read('hash', 'HLEN', member_info)
read('set', 'SCARD', groups)
if wrong then return wrong end

local function make_member(worker)
  if redis.call('ZSCORE', members, worker) then return false end
  redis.call('ZADD', members, whole(shard.now + shard.more[1] * 1000), worker)
  redis.call('HSETNX', member_info, 'mail:' .. worker, whole(shard.time))
  -- Nobody knows what it can hold: it gets nothing more.
  if redis.call('HEXISTS', member_info, 'info:' .. worker) == 0 then
    redis.call('HSET', member_info, 'draining:' .. worker, 1)
  end
  next_epoch()
  return true
end

-- Where the record says the job is; nil when there is no record, false when it cannot be told.
local now = whole(shard.now)
local function place_of(key)
  local found = redis.pcall('HMGET', job_prefix .. key, 'state', 'group', 'worker', 'not-before')
  if found.err then return false end
  if found[1] == 'pending' and found[2] then
    return {kind = 'pending', name = found[2], index = pending_prefix .. found[2], due = is_count(found[4]) and found[4] or now}
  end
  if found[1] and found[1] ~= 'pending' and found[3] then
    return {kind = 'owned', name = found[3], index = own_prefix .. found[3]}
  end
  if found[1] or redis.call('EXISTS', job_prefix .. key) == 1 then return false end
  return nil
end

local function put(place, key)
  if place.kind == 'owned' then
    if wrong_type(place.index, 'set') then return 'broken' end
    local added = redis.call('SADD', place.index, key) == 1
    return (make_member(place.name) or added) and 'repaired' or 'fine'
  end
  if wrong_type(place.index, 'zset') then return 'broken' end
  local score = redis.call('ZSCORE', place.index, key)
  redis.call('SADD', groups, place.name)
  if score and tonumber(score) == tonumber(place.due) then return 'fine' end
  redis.call('ZADD', place.index, place.due, key)
  return 'repaired'
end

local function repair(kind, name, key)
  if key == '' then return redis.call('EXISTS', own_prefix .. name) == 1 and make_member(name) and 'repaired' or 'fine' end
  local place = place_of(key)
  if place == false then return 'broken' end
  local state = place and put(place, key) or 'fine'
  local seen = kind == 'pending' and pending_prefix .. name or kind == 'owned' and own_prefix .. name
  if not seen or place and place.index == seen then return state end
  local removed = redis.pcall(kind == 'pending' and 'ZREM' or 'SREM', seen, key)
  return removed == 1 and 'repaired' or state
end

local states, epoch = {}, shard.epoch
for i = 1, #items, 3 do states[#states + 1] = repair(items[i], items[i + 1], items[i + 2]) end
save('epoch', shard.epoch)
if epoch ~= shard.epoch then redis.call('SPUBLISH', events, 'epoch ' .. shard.epoch) end
return {'OK', states}
