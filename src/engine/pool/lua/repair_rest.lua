-- repair_rest
-- Mends, a batch, what stands beside the jobs: the list of the dead against their records, notifications without a job,
-- groups that nobody lists, descriptions of workers that are no members, the index of the schedules. `items` are a kind and a name. Only what is wrong
-- at this moment is changed.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger server identity forget whole
-- KEYS config members member_info groups dead job_prefix dead_job_prefix notes_prefix pending_prefix ledger schedules schedule_prefix
-- ARGV generation events items...
-- REPLY OK states:list
-- REPLY QUARANTINE left_ms:int
-- REPLY LOST
-- Longer than anything that makes a schedule wait past its tick.
local LATEST_TICK_MS = 3600000
local refusal = enter() or check_identity()
if refusal then return refusal end
-- What seems to be wrong may be lost, and a worker about to bring it back.
if shard.quarantine > 0 then return {'QUARANTINE', whole(shard.quarantine / 1000)} end
read('zset', 'ZCARD', members)
read('hash', 'HLEN', member_info)
read('set', 'SCARD', groups)
read('zset', 'ZCARD', dead)
read('zset', 'ZCARD', schedules)
if wrong then return wrong end

local mend = {
  ['dead-entry'] = function(key)
    return redis.call('EXISTS', dead_job_prefix .. key) == 0 and redis.call('ZREM', dead, key) == 1
  end,
  ['dead-record'] = function(key)
    local found = redis.pcall('HMGET', dead_job_prefix .. key, 'state', 'died-at')
    if found.err or not found[1] then return false end
    return redis.call('ZADD', dead, 'NX', is_count(found[2]) and found[2] or whole(math.floor(shard.time / 1000)), key) == 1
  end,
  notes = function(key)
    return redis.call('EXISTS', job_prefix .. key) == 0 and redis.call('UNLINK', notes_prefix .. key) == 1
  end,
  group = function(name)
    return redis.call('EXISTS', pending_prefix .. name) == 1 and redis.call('SADD', groups, name) == 1
  end,
  schedule = function(name)
    local found = redis.pcall('HMGET', schedule_prefix .. name, 'revision', 'next', 'key', 'paused')
    if found.err then return false end
    if not found[1] then return redis.call('ZREM', schedules, name) == 1 end
    local due = (found[4] or not found[3]) and math.huge or is_count(found[2]) and tonumber(found[2])
    if not due then return false end
    local place = tonumber(redis.call('ZSCORE', schedules, name))
    if place == due then return false end
    -- One that was put off is in its place too.
    local latest = math.max(due, shard.time / 1000 + LATEST_TICK_MS)
    if place and due < math.huge and place > -math.huge and place <= latest then return false end
    redis.call('ZADD', schedules, due == math.huge and '+inf' or found[2], name)
    redis.call('SPUBLISH', events, 'schedule ' .. name)
    return true
  end,
  member = function(worker)
    return not redis.call('ZSCORE', members, worker) and forget_description(worker) > 0
  end,
}

local states = {}
for i = 1, #items, 2 do states[#states + 1] = mend[items[i]](items[i + 1]) and 'repaired' or 'fine' end
save()
return {'OK', states}
