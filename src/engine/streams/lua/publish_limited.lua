-- publish_limited
-- Adds events to a stream that has limits, or under ids of their publisher, each or not, in their order. Room is made first: what every sink has
-- acknowledged goes, oldest first; then, as the stream says, an event is refused or the oldest go all the same, and those
-- that a sink had not acknowledged are counted as lost to it. So nothing un-acknowledged goes without being counted.
-- A bounded part in one step: `results` may be shorter than the events, `done` 0 when more is to be removed or counted;
-- then the rest is to be asked for again. Without events it only removes. `lost` holds sink, count, sink, count...
-- An id that was used within the window, and has not been forgotten since: the same event is not added again and the first
-- one's id is the result, another one is a `conflict`; ids over the cap are refused (`ids-full`), none is dropped for them.
-- A result is an id, behind `again ` when nothing was added for it, one of these words, `blocked` or `large`. `batch` holds for
-- each event the number of its fields, its publisher's id and its digest, or empty texts, then the fields. With ids `buckets`
-- are where they are looked up, in that generation and at the time of `once_newest`; when these are others by now nothing is
-- done (STALE).
-- `ends_at_ms` is the new end of the stream when it was moved, else 0: the keys of its sinks are to follow, by single
-- commands, because most of them need not exist.
-- INCLUDE require_types time group entry_id retention bytes once
-- `more` holds the buckets, `bucket_count` of them, and then the key of the sinks; that only where there are sinks (else SINKS
-- asks for it), because a key that does not exist would have this refused for as long as the slot moves in a cluster.
-- KEYS events meta more...
-- ARGV bucket_count once_generation once_newest once_window_ms once_cap step batch...
-- REPLY OK results:list done:int removed:int holder:text lost:list settings:list ends_at_ms:int newest:int
-- REPLY SINKS
-- REPLY STALE generation:text newest:int
-- REPLY MISSING
local buckets = {unpack(more, 1, tonumber(bucket_count))}
local sinks = more[#buckets + 1]
local err = wrong_type(events, 'stream', meta, 'hash', sinks or meta, 'hash')
if err then return err end
if redis.call('EXISTS', events) == 0 then return {'MISSING'} end
if not sinks and #redis.call('XINFO', 'GROUPS', events) > 0 then return {'SINKS'} end
local now = math.floor(wall_us() / 1000)
step = tonumber(step)
local settings = read_settings(meta)
local max_length = tonumber(settings[1] or 0)
local max_bytes = tonumber(settings[2] or 0)
local max_age = tonumber(settings[3] or 0)
local ttl = tonumber(settings[4] or 0)
local may_lose = settings[6] == 'dropOldest'

local wanted = {}
local wanted_bytes = 0
local has_ids = false
local position = 1
while position <= #batch do
  local count = tonumber(batch[position])
  local size = 0
  local from = position + 3
  for i = from + 1, from + count - 1, 2 do size = size + #batch[i] end
  wanted[#wanted + 1] = {id = batch[position + 1], digest = batch[position + 2], from = from, to = from + count - 1, size = size}
  if batch[position + 1] ~= '' then has_ids = true end
  if max_bytes == 0 or size <= max_bytes then wanted_bytes = wanted_bytes + size end
  position = from + count
end

local newest = once_number(now)
local present = once_present(buckets, once_newest, now)
if has_ids then
  local generation = redis.call('HGET', meta, 'generation') or ''
  if not present or once_generation ~= generation then return {'STALE', generation, newest} end
end

local length = redis.call('XLEN', events)
local bytes, counted_count, counted_to = 0, 0, '0-0'
if max_bytes > 0 then
  bytes, counted_count, counted_to = count_bytes(events, meta, length, step)
  if counted_count < length then
    store_bytes(meta, bytes, counted_count, counted_to)
    return {'OK', {}, 0, 0, '', {}, settings, 0, newest}
  end
end

local function is_over(count, size)
  return (max_length > 0 and count > max_length) or (max_bytes > 0 and size > max_bytes)
end

-- What may go, oldest first, as many as may be needed.
local may_go = {}
local most = 0
local holder = ''
local groups = {}
local too_old = max_age > 0 and length > 0 and whole(math.max(0, now - max_age)) .. '-0'
if too_old and not id_less(redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1][1], too_old) then too_old = false end
if length > 0 and (too_old or is_over(length + #wanted, bytes + wanted_bytes)) then
  if max_length > 0 then most = math.max(0, length + #wanted - max_length) end
  if max_bytes > 0 then
    local mean = math.max(1, bytes / length)
    most = most + math.ceil(math.max(0, bytes + wanted_bytes - max_bytes) / mean)
  end
  most = math.min(step, most + (too_old and #wanted + 8 or 1))
  local bound, inclusive = '+', true
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', events)) do groups[#groups + 1] = as_table(flat) end
  if not may_lose then
    for _, group in ipairs(groups) do
      -- Everything up to the last delivered one is acknowledged, or before the oldest pending one.
      local id, with = group['last-delivered-id'], true
      if group['pending'] > 0 then
        local pending = redis.call('XPENDING', events, group['name'])[2]
        if not id_less(id, pending) then id, with = pending, false end
      end
      if bound == '+' or id_less(id, bound) or (id == bound and not with) then
        bound, inclusive, holder = id, with, group['name']
      end
    end
  end
  may_go = redis.call('XRANGE', events, '-', inclusive and bound or '(' .. bound, 'COUNT', most)
end

local dropped, dropped_bytes = 0, 0
local accepted, accepted_bytes = 0, 0
local function drop_next()
  dropped = dropped + 1
  if max_bytes > 0 then dropped_bytes = dropped_bytes + entry_bytes(may_go[dropped][2]) end
end
local function has_more() return most > 0 and #may_go == most and dropped == most end
while too_old and dropped < #may_go and id_less(may_go[dropped + 1][1], too_old) do drop_next() end
while dropped < #may_go and is_over(length - dropped, bytes - dropped_bytes) do drop_next() end
local done = has_more() and 0 or 1

local window = tonumber(once_window_ms)
local ids_left
local asked = {}
-- What is known of the id of an event, or nil when it is to be added.
local function known(event, index)
  if event.id == '' then return nil end
  local earlier = asked[event.id]
  if earlier then return wanted[earlier].digest == event.digest and earlier or 'conflict' end
  local digest, found = once_find(buckets, present, event.id, now, window)
  if digest then return digest == event.digest and 'again ' .. found or 'conflict' end
  ids_left = ids_left or tonumber(once_cap) - once_count(buckets[present])
  if ids_left <= 0 then return 'ids-full' end
  ids_left = ids_left - 1
  asked[event.id] = index
  return nil
end

local verdicts = {}
for index, event in ipairs(wanted) do
  local verdict = known(event, index)
  if verdict then
    verdicts[index] = verdict
  elseif max_bytes > 0 and event.size > max_bytes then
    verdicts[index] = 'large'
  else
    local before, before_bytes = dropped, dropped_bytes
    local function fits()
      return not is_over(length - dropped + accepted + 1, bytes - dropped_bytes + accepted_bytes + event.size)
    end
    while dropped < #may_go and not fits() do drop_next() end
    if fits() then
      accepted = accepted + 1
      accepted_bytes = accepted_bytes + event.size
      verdicts[index] = 'fits'
    elseif has_more() or (accepted > 0 and (may_lose or #groups == 0)) then
      -- There is more to remove, or what must go for this one is not in the stream before this step ends.
      done = 0
      break
    else
      -- Nothing is removed for an event that does not come.
      dropped, dropped_bytes = before, before_bytes
      verdicts[index] = 'blocked'
    end
  end
end

local lost = {}
if dropped > 0 then
  redis.call('XTRIM', events, 'MAXLEN', '=', whole(length - dropped))
  redis.call('HINCRBY', meta, 'trimmed', dropped)
  local last = may_go[dropped][1]
  for _, group in ipairs(may_lose and groups or {}) do
    local name, count = group['name'], 0
    for i = dropped, 1, -1 do
      if not id_less(group['last-delivered-id'], may_go[i][1]) then break end
      count = count + 1
    end
    if group['pending'] > 0 then
      while true do
        local found = redis.call('XPENDING', events, name, '-', last, 1000)
        -- After a reset of the sink an event may be pending and yet to be delivered: it is lost once.
        for _, entry in ipairs(found) do
          redis.call('XACK', events, name, entry[1])
          if not id_less(group['last-delivered-id'], entry[1]) then count = count + 1 end
        end
        if #found < 1000 then break end
      end
    end
    if count > 0 then
      redis.call('HINCRBY', sinks, name .. ':lost', count)
      lost[#lost + 1] = name
      lost[#lost + 1] = count
    end
  end
end

local results = {}
local made = false
for i, verdict in ipairs(verdicts) do
  local event = wanted[i]
  -- A number: what became of the one that came first under this id.
  if type(verdict) == 'number' then
    results[i] = (verdicts[verdict] == 'fits' and 'again ' or '') .. results[verdict]
  else
    results[i] = verdict
  end
  if verdict == 'fits' then
    if event.id ~= '' and not made then
      once_make(buckets, once_newest)
      made = true
    end
    counted_to = redis.call('XADD', events, '*', unpack(batch, event.from, event.to))
    results[i] = counted_to
    if event.id ~= '' then once_store(buckets[present], event.id, event.digest, counted_to) end
  end
end
if max_bytes > 0 then
  store_bytes(meta, bytes - dropped_bytes + accepted_bytes, length - dropped + accepted, counted_to)
end
-- A sliding time to live is moved once a hundredth of it has passed: not by every event.
local ends_at = 0
if ttl > 0 and settings[5] == 'sliding' and accepted > 0 and redis.call('PEXPIRETIME', events) < now + ttl * 0.99 then
  ends_at = now + ttl
  expire_at(ends_at, meta, events, sinks)
end
return {'OK', results, done, dropped, holder, lost, settings, ends_at, newest}
