-- Admission of a job, for every script that admits one. `refusal_of` reads and checks, `place_of` decides who takes it,
-- `admit` writes; so everything is read before the first write. The script names the keys `job`, `record`, `pending` and
-- `own`, the last two of the group and of the worker wanted.
--
-- `wanted`: id, key, group, payload, terms, digest, delay_us, worker, epoch, capacity.

-- The answer when the job is not admitted: it is there already, or must not be. An answer to a repetition writes too:
-- whoever waits for replicas after it then waits for those that have the job.
local function refusal_of(wanted, limit, closed_at)
  -- Mostly there is neither, which one question tells for a quarter of what reading both costs.
  if redis.call('EXISTS', job, record) > 0 then
    local known = read('hash', 'HMGET', record, 'key', 'digest', 'outcome', 'worker', 'token')
    local present = read('hash', 'HMGET', job, 'state', 'dispatch', 'terms', 'worker', 'token')
    if wrong then return wrong end
    if known[1] and (known[1] ~= wanted.key or known[2] ~= wanted.digest) then return {'CONFLICT'} end
    if known[3] then
      save()
      return {'ENDED', shard.epoch, known[3], known[4] or '', known[5] or '0'}
    end
    -- A record that lacks some of it is there all the same, until it is set aside.
    local state = present[1] or (present[2] or present[3] or present[4] or present[5]) and 'broken'
    if present[1] and present[2] == wanted.id and (present[1] == 'pending' or present[4] and present[5]) then
      if terms_of(present[3]).digest ~= wanted.digest then return {'CONFLICT'} end
      save()
      if present[1] == 'pending' then return {'PENDING', shard.epoch} end
      return {'ASSIGNED', shard.epoch, present[4], present[5]}
    end
    if state then return {'EXISTS', state} end
  end
  if closed_at then return {'CLOSED'} end
  if shard.quarantine > 0 then
    -- The clock goes on: without a worker nobody else moves it, and the quarantine would not end.
    save()
    return {'QUARANTINE', whole(math.ceil(shard.quarantine / 1000))}
  end
  if shard.count >= limit then return {'FULL', limit} end
end

-- Workers that were looked at: a batch mostly wants few.
local seats = {}
local function seat_of(worker)
  if seats[worker] then return seats[worker] end
  local lease = read('zset', 'ZSCORE', members, worker)
  local owned = read('set', 'SCARD', own)
  read('hash', 'HLEN', member_info)
  if wrong then return nil end
  seats[worker] = {alive = lease and tonumber(lease) > shard.now, owned = owned}
  return seats[worker]
end

-- Whether the worker wanted takes the job at once; else it waits in the queue of its group. The second value refuses.
local function place_of(wanted)
  if wanted.worker ~= '' and wanted.epoch == shard.epoch and wanted.delay_us == 0 then
    local seat = seat_of(wanted.worker)
    if not seat then return false, wrong end
    if seat.alive and seat.owned < tonumber(wanted.capacity) then return true end
  end
  read('zset', 'ZCARD', pending)
  read('set', 'SCARD', groups)
  return false, wrong
end

-- Of the whole batch: a number made into a text costs as much as a third of a command.
local wall_ms

-- The token, or nil when the job waits. The caller delivers the assignments and saves the shard.
local function admit(wanted, assigned)
  shard.count = shard.count + 1
  wall_ms = wall_ms or whole(math.floor(shard.time / 1000))
  if assigned then
    local token = mint()
    redis.call('HSET', job, 'state', 'assigned', 'worker', wanted.worker, 'token', token, 'attempt', '1', 'dispatch',
      wanted.id, 'terms', wanted.terms, 'group', wanted.group, 'dispatched-at', wall_ms, 'payload', wanted.payload)
    redis.call('SADD', own, wanted.key)
    seats[wanted.worker].owned = seats[wanted.worker].owned + 1
    mail_assignment(wanted.worker, wanted.key, token, '1', wanted.id, wanted.terms, wanted.payload)
    log('dispatched', wanted.key, wanted.worker, token, '')
    return token
  end
  local due = whole(shard.now + wanted.delay_us)
  redis.call('HSET', job, 'state', 'pending', 'not-before', due, 'due-at', due_at(due), 'attempt', '0', 'dispatch',
    wanted.id, 'terms', wanted.terms, 'group', wanted.group, 'dispatched-at', wall_ms, 'payload', wanted.payload)
  redis.call('ZADD', pending, due, wanted.key)
  redis.call('SADD', groups, wanted.group)
  shard.queued = shard.queued + 1
  redis.call('SPUBLISH', events, 'pending ' .. wanted.group)
  log('dispatched', wanted.key, '', '', '')
end
