-- The settings of a stream, in the order in which they are given and told. A limit that is not there is none.
local SETTINGS = {'maxLength', 'maxBytes', 'maxAgeMs', 'ttlMs', 'ttlMode', 'onFull'}
-- So long the description of a stream outlives its events: who publishes then makes it anew with the same settings.
local DESCRIBED_MS = 86400000

local function read_settings(meta)
  return redis.call('HMGET', meta, unpack(SETTINGS))
end

-- An empty text leaves a setting as it is, a limit of 0 takes it away.
local function store_settings(meta, given)
  for i, name in ipairs(SETTINGS) do
    if given[i] == '0' then redis.call('HDEL', meta, name)
    elseif given[i] and given[i] ~= '' then redis.call('HSET', meta, name, given[i]) end
  end
end

-- Everything ends at one time, or with 0 at none. The keys of each sink follow by commands of the caller.
local function expire_at(at, meta, ...)
  for _, key in ipairs({...}) do
    if at == 0 then redis.call('PERSIST', key) else redis.call('PEXPIREAT', key, whole(at)) end
  end
  if at == 0 then
    redis.call('PERSIST', meta)
    redis.call('HDEL', meta, 'expireAtMs')
  else
    redis.call('PEXPIREAT', meta, whole(at + DESCRIBED_MS))
    redis.call('HSET', meta, 'expireAtMs', whole(at))
  end
end

-- The events ended with their time to live; the description is still there.
local function is_expired(events, meta, now)
  local at = redis.call('HGET', meta, 'expireAtMs')
  return at and tonumber(at) <= now and redis.call('EXISTS', events) == 0
end

-- A stream that is made, or made anew: nothing of its life before counts any more.
local function begin_life(meta, generation, now)
  redis.call('HDEL', meta, 'bytes', 'countedTo', 'countedCount', 'trimmed', 'expireAtMs')
  redis.call('HSET', meta, 'generation', generation, 'createdAtMs', whole(now))
  local ttl = tonumber(redis.call('HGET', meta, 'ttlMs') or 0)
  if ttl > 0 then expire_at(now + ttl, meta) end
end

-- A key that was made after the end of its stream was fixed ends with it.
local function expire_too(meta, ...)
  local at = redis.call('HGET', meta, 'expireAtMs')
  if not at then return end
  for _, key in ipairs({...}) do redis.call('PEXPIREAT', key, at) end
end
