-- The map as this call found it, and the one way to give it a new revision.
-- `data` and `meta` are KEYS of every script that includes this. The channel `changes` is none: it never exists, and while
-- a slot moves a script is refused when one of its keys is missing.

-- Values up to this size travel in the message. Above it replicas are told to fetch: a string this long costs more to
-- build here than everything else, and a message that is too long makes Redis drop every subscriber.
local INLINE_BYTES = 65536
-- How long the record of an expired or destroyed map outlives its entries.
local AFTERLIFE_MS = 86400000

local generation, revision, bytes, state, now_us
-- Deadline and time to live in ms; of a map that does not expire both are 0.
local expires_at, ttl_ms, ttl_mode = 0, 0, 'absolute'
-- The entry the call is about (false: absent), or without one the number of entries.
local previous, count

-- Every key is read before the first write: that read is the type check, and on the usual way it costs nothing more.
local function load_map(key)
  local entry
  if key then entry = redis.pcall('HGET', data, key) else entry = redis.pcall('HLEN', data) end
  local found = redis.pcall('HMGET', meta, 'generation', 'revision', 'bytes', 'state')
  if found.err or type(entry) == 'table' then
    return wrong_type(data, 'hash', meta, 'hash') or entry
  end
  generation, revision, bytes, state = found[1] or '', found[2] or '0', tonumber(found[3] or 0), found[4] or 'live'
  if key then previous = entry else count = entry end
  now_us = wall_us()
  if state ~= 'live' then
    found = redis.call('HMGET', meta, 'expiresAtMs', 'ttlMs', 'ttlMode')
    expires_at, ttl_ms, ttl_mode = tonumber(found[1] or 0), tonumber(found[2] or 0), found[3] or 'absolute'
  end
  return nil
end

-- Message: "<generation> <previous revision> <revision> <expires at, ms, or 0> <kind> <sizes>\n<bytes>".
local function publish_change(kind, sizes, text)
  local before = revision
  revision = whole(math.max(tonumber(before) + 1, now_us))
  redis.call('HSET', meta, 'revision', revision, 'bytes', bytes)
  redis.call('SPUBLISH', changes, generation .. ' ' .. before .. ' ' .. revision .. ' '
    .. (expires_at > 0 and whole(expires_at) or '0') .. ' ' .. kind .. ' ' .. sizes .. '\n' .. text)
end

-- A replica that missed this message still learns of it: the last reset stays in the record.
local function publish_reset(kind)
  redis.call('DEL', data)
  bytes, count, previous = 0, 0, false
  publish_change(kind, '0', '')
  redis.call('HSET', meta, 'resetRevision', revision, 'resetCause', kind)
end

-- Whoever finds the deadline passed makes it a change for all. The entries are gone after it.
local function expire_if_due()
  if expires_at == 0 or expires_at * 1000 > now_us then return false end
  expires_at = 0
  redis.call('HDEL', meta, 'expiresAtMs')
  publish_reset('expired')
  return true
end
