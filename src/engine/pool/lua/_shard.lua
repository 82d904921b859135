-- What every script of a shard begins and ends with.
--
-- `read` is for everything read before the first write: a key of a wrong type is named by the reply, nothing half
-- written, and right types cost nothing more than the read itself.
-- `enter` advances the logical clock: it grows by the time that passed, at most by the clamp, so that a step of Redis's
-- clock, a pause or a move to another host cannot end leases. It answers LOST when the shard is not the one the caller
-- knows (flushed, made anew): then nothing may be written. `save` writes back what the script changed.
local wrong = nil
local function read(expected, command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then wrong = wrong or wrong_type(key, expected) or reply end
  return reply
end

local shard = nil
-- `...` are further fields to read at once, for `shard.more`.
local function enter(...)
  local found = read('hash', 'HMGET', config, 'clock', 'last-time', 'token', 'epoch', 'generation', 'clamp-ms', 'count',
    'queued', 'ledger-length', 'server', 'quarantine-until', ...)
  if wrong then return wrong end
  if found[5] ~= generation then return {'LOST'} end
  local time = wall_us()
  local passed = math.max(0, math.min(time - tonumber(found[2]), tonumber(found[6]) * 1000))
  shard = {
    time = time,
    now = tonumber(found[1]) + passed,
    token = tonumber(found[3]),
    epoch = found[4],
    count = tonumber(found[7]),
    queued = tonumber(found[8]),
    ledger_length = found[9],
    server = found[10],
    -- How much longer the quarantine lasts, in µs.
    quarantine = math.max(0, tonumber(found[11]) - tonumber(found[1]) - passed),
    more = {},
  }
  for i = 12, #found do shard.more[i - 11] = tonumber(found[i]) end
end

-- `...` are further fields and values. Alone it is for scripts that mint no token, and neither add a job nor take one away.
local function save_clock(...)
  redis.call('HSET', config, 'clock', whole(shard.now), 'last-time', whole(shard.time), ...)
end

-- Counts are small: Lua's own text of them is exact.
local function save(...)
  save_clock('token', whole(shard.token), 'count', shard.count, 'queued', shard.queued, ...)
end

-- A change of the members: every view of before is old.
local function next_epoch() shard.epoch = whole(tonumber(shard.epoch) + 1) end

-- Strictly increasing even when the counter was lost, because time in microseconds moves on.
local function mint()
  shard.token = math.max(shard.token + 1, shard.time)
  return whole(shard.token)
end

-- Wall ms of a moment on the logical clock, if that never stood still until then. For people, who see how long a job is due:
-- the logical clock stands still while nobody asks, and catches up by no more than the clamp.
local function due_at(not_before)
  return whole(math.floor((shard.time + tonumber(not_before) - shard.now) / 1000))
end
