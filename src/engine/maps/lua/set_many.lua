-- set_many
-- Writes several entries, all or none, as one change. Of a batch too big for one message the keys alone are told.
-- INCLUDE time require_types map operation
-- KEYS data meta ops
-- ARGV changes lane sequence known ttl ttlMode maxEntries maxBytes maxValueBytes entries...
-- REPLY OK generation:text revision:int changed:int payload:bytes?
-- REPLY UNMET generation:text revision:int changed:int payload:bytes?
-- REPLY STALE
-- REPLY DESTROYED
-- REPLY VALUE_TOO_LARGE size:int
-- REPLY MAP_FULL count:int bytes:int
local refusal = open_operation(nil)
if refusal then return refusal end
count_entries()
local entry_count, byte_count, written, inline = count, bytes, {}, 0
for i = 1, #entries, 2 do
  local key, value = entries[i], entries[i + 1]
  if #value > tonumber(maxValueBytes) then return { 'VALUE_TOO_LARGE', #value } end
  local size = redis.call('HSTRLEN', data, key)
  local present = size > 0
  local same = false
  if size == #value or size == 0 then
    local held = redis.call('HGET', data, key)
    present = held ~= false
    same = held == value
  end
  if not same then
    if not present then
      entry_count = entry_count + 1
      byte_count = byte_count + #key
    end
    byte_count = byte_count + #value - size
    inline = inline + #key + #value
    written[#written + 1] = i
  end
end
if #written == 0 then return finish('OK', 0, nil) end
if entry_count > tonumber(maxEntries) and entry_count > count or byte_count > tonumber(maxBytes) and byte_count > bytes then
  return { 'MAP_FULL', count, bytes }
end
bytes = byte_count
begin_change()
local sizes, texts = {}, {}
for _, i in ipairs(written) do
  local key, value = entries[i], entries[i + 1]
  redis.call('HSET', data, key, value)
  sizes[#sizes + 1] = #key
  texts[#texts + 1] = key
  if inline <= INLINE_BYTES then
    sizes[#sizes + 1] = #value
    texts[#texts + 1] = value
  end
end
end_change(inline <= INLINE_BYTES and 'batch' or 'fetch', table.concat(sizes, ','), table.concat(texts))
return finish('OK', #written, nil)
