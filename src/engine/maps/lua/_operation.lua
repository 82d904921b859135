-- One write of a client, done at most once however often it is sent.
-- A client has lanes, each with one write under way, and numbers its writes. The last result of each lane is kept in
-- `ops`: the same number again gets that result back, a lower number is a late copy of a write already given up. So the
-- record grows with the writes under way and not with the writes done. What is old goes bit by bit, and all of it when
-- nobody writes for a while; by Redis's clock alone.
-- `ops` is one key that is there as long as the map is written to: while a slot moves no key can be made beside those that
-- are there, and a write whose record may be elsewhere is refused by Redis rather than done again.
-- `ops`, `lane`, `sequence`, `known`, `ttl`, `ttlMode` and the limits are declared by every script that includes this.

-- A result is kept for so long at least: a write is repeated for a minute, and each attempt may take ten.
local KEPT_S = 720
local IDLE_S = 900
-- How often a lane looks after what is kept, and how many records it looks at. More than one, so that they go faster than they come.
local LOOK_EVERY_S = 60
local LOOK_COUNT = -10
-- Digits of a number: of fixed width, they compare as text.
local SEQUENCE_WIDTH = 12
-- A longer value has a field of its own: joining it to the record would copy it.
local JOINED_BYTES = 1024

-- What is kept of the lane: "<sequence> <when the lane looked last, s> <status> <generation> <revision> <changed> <kind of payload><payload>".
local record

local function replay()
  local status, of, at, changed, kept, payload = string.match(record, '^%d+ %d+ (%u+) (%S*) (%d+) (%d+) (%d)(.*)$')
  if kept == '0' then payload = nil end
  if kept == '2' then payload = redis.call('HGET', ops, lane .. ':payload') end
  if status == 'UNMET' then return { 'UNMET', of, at, changed, payload } end
  return { 'OK', of, at, changed, payload }
end

-- The byte count is kept beside the entries; when these were removed or written by another hand it starts from what is there.
local function count_entries()
  count = redis.call('HLEN', data)
  if count == 0 then
    bytes = 0
  elseif generation == '' then
    bytes = 0
    for _, key in ipairs(redis.call('HKEYS', data)) do
      bytes = bytes + #key + redis.call('HSTRLEN', data, key)
    end
  end
end

-- Returns a reply when the call must end here.
local function open_operation(key)
  record = redis.pcall('HGET', ops, lane)
  if record then
    if type(record) == 'table' then return wrong_type(ops, 'hash') or record end
    local last = string.sub(record, 1, SEQUENCE_WIDTH)
    if last == sequence then return replay() end
    if last > sequence then return { 'STALE' } end
  end
  local refusal = load_map(key)
  if refusal then return refusal end
  -- Who knew the map that was destroyed must not bring it back by accident; who comes new may begin another.
  if state == 'destroyed' and known == generation then return { 'DESTROYED' } end
  if generation == '' then count_entries() end
  -- Where keys are on their way elsewhere the entries cannot be made anew; the expiry is done, the write is not.
  if expire_if_due() and type(redis.pcall('EXISTS', data)) == 'table' then
    return redis.error_reply('TRYAGAIN the map expired while its slot moves')
  end
  return nil
end

local function look_after(now_s)
  if redis.call('TTL', ops) < KEPT_S + LOOK_EVERY_S then redis.call('EXPIRE', ops, IDLE_S) end
  for _, name in ipairs(redis.call('HRANDFIELD', ops, LOOK_COUNT)) do
    local of = string.gsub(name, ':payload$', '')
    if of ~= lane then
      local at = string.match(redis.call('HGET', ops, of) or '', '^%d+ (%d+)')
      if not at or tonumber(at) + KEPT_S + LOOK_EVERY_S < now_s then redis.call('HDEL', ops, of, of .. ':payload') end
    end
  end
end

-- Keeps the result and returns it. `UNMET`: the condition of a conditional write does not hold.
local function finish(status, changed, payload)
  local now_s, looked_s, kept = math.floor(now_us / 1000000), nil, nil
  if record then looked_s, kept = string.match(record, '^%d+ (%d+) %u+ %S* %d+ %d+ (%d)') end
  looked_s = tonumber(looked_s)
  local is_due = not looked_s or math.abs(now_s - looked_s) >= LOOK_EVERY_S
  if is_due then looked_s = now_s end
  -- Of a map that was destroyed before there is nothing to know: who knew it could not begin another.
  local of = state == 'destroyed' and '' or generation
  local result = sequence .. ' ' .. looked_s .. ' ' .. status .. ' ' .. of .. ' ' .. revision .. ' ' .. changed
  if payload and #payload > JOINED_BYTES then
    redis.call('HSET', ops, lane, result .. ' 2', lane .. ':payload', payload)
  else
    redis.call('HSET', ops, lane, result .. (payload and ' 1' .. payload or ' 0'))
    if kept == '2' then redis.call('HDEL', ops, lane .. ':payload') end
  end
  if is_due then look_after(now_s) end
  if status == 'UNMET' then return { 'UNMET', of, revision, changed, payload } end
  return { 'OK', of, revision, changed, payload }
end

-- Limits are exact: nothing is written that goes over one. What shrinks the map is never refused.
local function over_limit(key, size)
  if size > tonumber(maxValueBytes) then return { 'VALUE_TOO_LARGE', size } end
  local more = size
  if previous then
    more = size - #previous
  else
    count_entries()
    more = more + #key
    if count + 1 > tonumber(maxEntries) then return { 'MAP_FULL', count, bytes } end
  end
  if more > 0 and bytes + more > tonumber(maxBytes) then
    return { 'MAP_FULL', count or redis.call('HLEN', data), bytes }
  end
  bytes = bytes + more
  return nil
end

local function touch_expiry()
  local wanted = tonumber(ttl)
  if wanted > 0 and (wanted ~= ttl_ms or ttlMode ~= ttl_mode) then
    ttl_ms, ttl_mode, state = wanted, ttlMode, 'expiring'
    redis.call('HSET', meta, 'ttlMs', ttl, 'ttlMode', ttlMode, 'state', state)
  end
  if ttl_mode == 'sliding' or expires_at == 0 then
    expires_at = math.floor(now_us / 1000) + ttl_ms
    redis.call('HSET', meta, 'expiresAtMs', expires_at)
  end
  redis.call('PEXPIREAT', meta, expires_at + AFTERLIFE_MS)
end

-- The first change begins a generation: its name is the operation's, which no other has.
local function begin_change()
  if generation == '' or state == 'destroyed' then
    local prior = generation
    generation, state = lane .. '.' .. sequence, 'live'
    -- Not removed and made anew: where keys are on their way elsewhere it could not be.
    redis.call('HSET', meta, 'generation', generation, 'prior', prior, 'state', state)
    redis.call('HDEL', meta, 'expiresAtMs', 'ttlMs', 'ttlMode', 'resetRevision', 'resetCause', 'restored', 'restorer')
    redis.call('PERSIST', meta)
  end
  if ttl_ms > 0 or ttl ~= '0' then touch_expiry() end
end

-- Redis itself hides the entries at the deadline, whoever is alive then.
local function hide_at_deadline()
  if expires_at > 0 then redis.call('PEXPIREAT', data, expires_at) end
end

-- After the entries were written.
local function end_change(kind, sizes, text)
  hide_at_deadline()
  publish_change(kind, sizes, text)
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
  bytes = bytes - #key - #previous
  begin_change()
  hide_at_deadline()
  -- It may be the last: where keys are on their way elsewhere the entries cannot be named after it.
  redis.call('HDEL', data, key)
  publish_change('delete', #key, key)
end
