-- One write of a client, done at most once however often it is sent.
-- A client has lanes, each with one write under way, and numbers its writes. The last result of each lane is kept in
-- `ops`: the same number again gets that result back, a lower number is a late copy of a write already given up. So the
-- record grows with the writes under way and not with the writes done; it goes after a while by itself.
-- `ops`, `lane`, `sequence`, `known`, `ttl`, `ttlMode` and the limits are declared by every script that includes this.

local OPERATION_TTL_S = 180

local function replay(record)
  local status, generation, revision, changed, kept = string.match(record, '^%d+ (%u+) (%S*) (%d+) (%d+) (%d)$')
  local payload = kept == '1' and redis.call('HGET', ops, lane .. ':payload') or nil
  if status == 'UNMET' then return { 'UNMET', generation, revision, changed, payload } end
  return { 'OK', generation, revision, changed, payload }
end

-- Returns a reply when the call must end here.
local function open_operation(key)
  local record = redis.pcall('HGET', ops, lane)
  if type(record) == 'table' then return wrong_type(ops, 'hash') or record end
  if record then
    local last = tonumber(string.match(record, '^%d+'))
    if last == tonumber(sequence) then return replay(record) end
    if last > tonumber(sequence) then return { 'STALE' } end
  end
  local refusal = load_map(key)
  if refusal then return refusal end
  -- Who knew the map that was destroyed must not bring it back by accident; who comes new may begin another.
  if map.destroyed and known == map.generation then return { 'DESTROYED' } end
  if map.generation == '' then count_entries() end
  if has_expired() then expire_entries() end
  return nil
end

local function record_result(status, changed, payload)
  local head = sequence .. ' ' .. status .. ' ' .. map.generation .. ' ' .. map.revision .. ' ' .. changed
  local added
  if payload then
    added = redis.call('HSET', ops, lane, head .. ' 1', lane .. ':payload', payload)
  else
    added = redis.call('HSET', ops, lane, head .. ' 0')
  end
  if added > 0 then redis.call('EXPIRE', ops, OPERATION_TTL_S, 'NX') end
end

local function finish(changed, payload)
  record_result('OK', changed, payload)
  return { 'OK', map.generation, map.revision, changed, payload }
end

-- The condition of a conditional write does not hold.
local function unmet(payload)
  record_result('UNMET', 0, payload)
  return { 'UNMET', map.generation, map.revision, 0, payload }
end

-- Limits are exact: nothing is written that goes over one. What shrinks the map is never refused.
local function over_limit(key, size)
  if size > tonumber(maxValueBytes) then return { 'VALUE_TOO_LARGE', size } end
  local more = size
  if map.previous then
    more = size - #map.previous
  else
    count_entries()
    more = more + #key
    if map.count + 1 > tonumber(maxEntries) then return { 'MAP_FULL', map.count, whole(map.bytes) } end
  end
  if more > 0 and map.bytes + more > tonumber(maxBytes) then
    return { 'MAP_FULL', map.count or redis.call('HLEN', data), whole(map.bytes) }
  end
  map.bytes = map.bytes + more
  return nil
end

-- The first change begins a generation: its name is the operation's, which no other has.
local function begin_change()
  if map.generation == '' or map.destroyed then
    local prior = map.generation
    map.generation = lane .. '.' .. sequence
    map.destroyed = false
    redis.call('DEL', meta)
    redis.call('HSET', meta, 'generation', map.generation, 'prior', prior, 'state', 'live')
  end
  local wanted = tonumber(ttl)
  if wanted > 0 and (wanted ~= map.ttl or ttlMode ~= map.mode) then
    map.ttl = wanted
    map.mode = ttlMode
    redis.call('HSET', meta, 'ttlMs', ttl, 'ttlMode', ttlMode)
  end
  if map.ttl > 0 then
    if map.mode == 'sliding' or map.expires_at == 0 then
      map.expires_at = math.floor(map.now_us / 1000) + map.ttl
      redis.call('HSET', meta, 'expiresAtMs', whole(map.expires_at))
    end
    redis.call('PEXPIREAT', meta, whole(map.expires_at + AFTERLIFE_MS))
  end
end

-- After the entries were written: Redis itself hides them at the deadline, whoever is alive then.
local function end_change(kind, sizes, bytes)
  if map.expires_at > 0 then redis.call('PEXPIREAT', data, whole(map.expires_at)) end
  publish_change(kind, sizes, bytes)
end

local function write_entry(key, value)
  begin_change()
  redis.call('HSET', data, key, value)
  if #value > INLINE_BYTES then
    end_change('fetch', #key, key)
  else
    end_change('set', #key, key .. value)
  end
end

local function delete_entry(key)
  map.bytes = map.bytes - #key - #map.previous
  begin_change()
  redis.call('HDEL', data, key)
  end_change('delete', #key, key)
end
