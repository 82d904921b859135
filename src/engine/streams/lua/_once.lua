-- Ids under which events were published, in one hash for each five minutes and life of the stream: id -> digest of the
-- event, a blank, id of the event, whose time says how old the entry is. `buckets` are the next one and all that may hold
-- an id within the window, newest first. A bucket that nobody has needed yet is made with an empty field: while a slot of a
-- cluster moves to another node, a script that names a key which does not exist is refused.
local ONCE_BUCKET_MS = 300000

local function once_number(now)
  return math.floor(now / ONCE_BUCKET_MS)
end

-- The present one of `buckets`, which were right for `newest`; nil when they are not any more.
local function once_present(buckets, newest, now)
  local late = once_number(now) - tonumber(newest)
  if #buckets > 2 and (late == 0 or late == 1) then return 2 - late end
  return nil
end

-- The digest and the event of an id that was used within the window, or nil.
local function once_find(buckets, present, id, now, window)
  for i = present, #buckets do
    local found = redis.call('HGET', buckets[i], id)
    if found then
      local digest, event = string.match(found, '^(%S+) (%S+)$')
      if digest and tonumber(string.match(event, '^%d+')) >= now - window then return digest, event end
      return nil
    end
  end
  return nil
end

local function once_count(bucket)
  return redis.call('HLEN', bucket) - redis.call('HEXISTS', bucket, '')
end

-- Each is kept until it is older than the window; somebody with a shorter one may have made it.
local function once_make(buckets, newest)
  for i, bucket in ipairs(buckets) do
    redis.call('HSETNX', bucket, '', '')
    local at = (tonumber(newest) + 2 - i + #buckets) * ONCE_BUCKET_MS
    if redis.call('PEXPIRETIME', bucket) < at then redis.call('PEXPIREAT', bucket, whole(at)) end
  end
end

local function once_store(bucket, id, digest, event)
  redis.call('HSET', bucket, id, digest .. ' ' .. event)
end
