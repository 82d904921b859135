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
local function enter()
  local found = read('hash', 'HMGET', config, 'clock', 'last-time', 'token', 'count', 'queued', 'epoch', 'generation',
    'clamp-ms', 'ledger-length')
  if wrong then return wrong end
  if found[7] ~= generation then return {'LOST'} end
  local time = wall_us()
  local passed = math.max(0, math.min(time - tonumber(found[2]), tonumber(found[8]) * 1000))
  shard = {
    time = time,
    now = tonumber(found[1]) + passed,
    token = tonumber(found[3]),
    count = tonumber(found[4]),
    queued = tonumber(found[5]),
    epoch = tonumber(found[6]),
    ledger_length = tonumber(found[9]),
  }
end

-- A setting of the shard that not every script needs.
local function setting(name) return tonumber(redis.call('HGET', config, name)) end

local function save(...)
  redis.call('HSET', config, 'clock', whole(shard.now), 'last-time', whole(shard.time), 'token', whole(shard.token),
    'count', whole(shard.count), 'queued', whole(shard.queued), ...)
end

-- Strictly increasing even when the counter was lost, because time in microseconds moves on.
local function mint()
  shard.token = math.max(shard.token + 1, shard.time)
  return whole(shard.token)
end
