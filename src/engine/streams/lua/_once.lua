-- Ids under which events were published, in one hash for each five minutes and life of the stream: id -> digest of the
-- event, a blank, id of the event, whose time says how old the entry is.
local ONCE_BUCKET_MS = 300000

local function once_bucket(prefix, generation, number)
  return prefix .. generation .. ':' .. whole(number)
end

-- The digest and the event of an id that was used within the window, or nil.
local function once_find(prefix, generation, id, now, window)
  for number = math.floor(now / ONCE_BUCKET_MS), math.max(0, math.floor((now - window) / ONCE_BUCKET_MS)), -1 do
    local found = redis.call('HGET', once_bucket(prefix, generation, number), id)
    if found then
      local digest, event = string.match(found, '^(%S+) (%S+)$')
      if digest and tonumber(string.match(event, '^%d+')) >= now - window then return digest, event end
      return nil
    end
  end
  return nil
end

local function once_count(prefix, generation, now)
  return redis.call('HLEN', once_bucket(prefix, generation, math.floor(now / ONCE_BUCKET_MS)))
end

local function once_store(prefix, generation, id, digest, event, now, window)
  local number = math.floor(now / ONCE_BUCKET_MS)
  local bucket = once_bucket(prefix, generation, number)
  redis.call('HSET', bucket, id, digest .. ' ' .. event)
  local at = (number + 1) * ONCE_BUCKET_MS + window
  if redis.call('PEXPIRETIME', bucket) < at then redis.call('PEXPIREAT', bucket, whole(at)) end
end
