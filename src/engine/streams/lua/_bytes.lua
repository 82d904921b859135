local function entry_bytes(fields)
  local bytes = 0
  for i = 2, #fields, 2 do bytes = bytes + #fields[i] end
  return bytes
end

-- What is known of the bytes of a stream: so many, of so many events, up to that one. Events that came by another way are
-- counted now, a bounded part of them; `count` is the length of the stream when all are.
local function count_bytes(events, meta, length, step)
  local known = redis.call('HMGET', meta, 'bytes', 'countedCount', 'countedTo')
  local bytes, count, to = tonumber(known[1] or 0), tonumber(known[2] or 0), known[3] or '0-0'
  local found = {}
  if count < length then found = redis.call('XRANGE', events, '(' .. to, '+', 'COUNT', step) end
  -- Some were removed by somebody who did not say how large they were: from the beginning again.
  if count > length or (count < length and #found == 0) then
    bytes, count, to = 0, 0, '0-0'
    found = redis.call('XRANGE', events, '-', '+', 'COUNT', step)
  end
  for _, entry in ipairs(found) do
    bytes = bytes + entry_bytes(entry[2])
    count = count + 1
    to = entry[1]
  end
  return bytes, count, to
end

local function store_bytes(meta, bytes, count, to)
  redis.call('HSET', meta, 'bytes', whole(bytes), 'countedCount', whole(count), 'countedTo', to)
end
