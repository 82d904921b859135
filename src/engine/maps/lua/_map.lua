-- The map as this call found it, and the one way to give it a new revision.
-- `data`, `meta` and `changes` are KEYS of every script that includes this.

-- Values up to this size travel in the message. Above it replicas are told to fetch: a string this long costs more to
-- build here than everything else, and a message that is too long makes Redis drop every subscriber.
local INLINE_BYTES = 65536
-- How long the record of an expired or destroyed map outlives its entries.
local AFTERLIFE_MS = 86400000

local map = {}

-- Every key is read before the first write: that read is the type check, and on the usual way it costs nothing more.
-- `key` is the entry the caller is about, or nil; sets map.previous (false: absent), or map.count without a key.
local function load_map(key)
  local entry
  if key then entry = redis.pcall('HGET', data, key) else entry = redis.pcall('HLEN', data) end
  local found = redis.pcall('HMGET', meta, 'generation', 'revision', 'bytes', 'state', 'expiresAtMs', 'ttlMs', 'ttlMode')
  if found.err or type(entry) == 'table' then
    return wrong_type(data, 'hash', meta, 'hash') or entry
  end
  map.now_us = wall_us()
  map.generation = found[1] or ''
  map.revision = found[2] or '0'
  map.bytes = tonumber(found[3] or '0')
  map.destroyed = found[4] == 'destroyed'
  map.expires_at = tonumber(found[5] or '0')
  map.ttl = tonumber(found[6] or '0')
  map.mode = found[7] or 'absolute'
  if key then map.previous = entry else map.count = entry end
  return nil
end

-- The byte count is kept beside the entries; when these were removed or written by another hand it starts from what is there.
local function count_entries()
  map.count = redis.call('HLEN', data)
  if map.count == 0 then
    map.bytes = 0
  elseif map.generation == '' then
    map.bytes = 0
    for _, key in ipairs(redis.call('HKEYS', data)) do
      map.bytes = map.bytes + #key + redis.call('HSTRLEN', data, key)
    end
  end
end

local function has_expired()
  return map.expires_at > 0 and map.expires_at * 1000 <= map.now_us
end

-- Message: "<generation> <previous revision> <revision> <expires at, ms, or 0> <kind> <sizes>\n<bytes>".
local function publish_change(kind, sizes, bytes)
  local before = map.revision
  map.revision = whole(math.max(tonumber(before) + 1, map.now_us))
  redis.call('HSET', meta, 'revision', map.revision, 'bytes', whole(map.bytes))
  redis.call('SPUBLISH', changes, map.generation .. ' ' .. before .. ' ' .. map.revision .. ' ' .. whole(map.expires_at)
    .. ' ' .. kind .. ' ' .. sizes .. '\n' .. bytes)
end

-- A replica that missed this message still learns of it: the revision of the last reset stays in the record.
local function publish_reset(kind)
  redis.call('DEL', data)
  map.bytes = 0
  map.count = 0
  map.previous = false
  publish_change(kind, '0', '')
  redis.call('HSET', meta, 'resetRevision', map.revision, 'resetCause', kind)
end

local function expire_entries()
  map.expires_at = 0
  redis.call('HDEL', meta, 'expiresAtMs')
  publish_reset('expired')
end
