-- edit
-- Sets and deletes several entries as one change, if each is what was expected, else none. `edits` holds five for each entry:
-- key, whether it is expected to be there and its value then, whether it shall be there and its value then. The payload of an
-- unmet condition names the entries by their place. Of what is too big for one message, or deletes, the keys alone are told.
-- INCLUDE time require_types map operation
-- KEYS data meta ops
-- ARGV changes lane sequence known ttl ttlMode maxEntries maxBytes maxValueBytes edits...
-- REPLY OK generation:text revision:int changed:int payload:bytes?
-- REPLY UNMET generation:text revision:int changed:int payload:bytes?
-- REPLY STALE
-- REPLY DESTROYED
-- REPLY VALUE_TOO_LARGE size:int
-- REPLY MAP_FULL count:int bytes:int
local refusal = open_operation(nil)
if refusal then return refusal end
count_entries()
local unmet, written, removed = {}, {}, {}
local entry_count, byte_count, inline = count, bytes, 0
for i = 1, #edits, 5 do
  local key = edits[i]
  local expected = edits[i + 1] == '1' and edits[i + 2]
  local wanted = edits[i + 3] == '1' and edits[i + 4]
  if redis.call('HGET', data, key) ~= expected then
    unmet[#unmet + 1] = whole((i - 1) / 5)
  elseif wanted ~= expected then
    if expected then
      entry_count = entry_count - 1
      byte_count = byte_count - #key - #expected
    end
    if wanted then
      if #wanted > tonumber(maxValueBytes) then return { 'VALUE_TOO_LARGE', #wanted } end
      entry_count = entry_count + 1
      byte_count = byte_count + #key + #wanted
      inline = inline + #key + #wanted
      written[#written + 1] = i
    else
      removed[#removed + 1] = i
    end
  end
end
if #unmet > 0 then return finish('UNMET', 0, table.concat(unmet, ',')) end
if #written + #removed == 0 then return finish('OK', 0, nil) end
if entry_count > tonumber(maxEntries) and entry_count > count or byte_count > tonumber(maxBytes) and byte_count > bytes then
  return { 'MAP_FULL', count, bytes }
end
bytes = byte_count
begin_change()
local told = #removed == 0 and inline <= INLINE_BYTES
local sizes, texts = {}, {}
for _, i in ipairs(written) do
  redis.call('HSET', data, edits[i], edits[i + 4])
  sizes[#sizes + 1] = #edits[i]
  texts[#texts + 1] = edits[i]
  if told then
    sizes[#sizes + 1] = #edits[i + 4]
    texts[#texts + 1] = edits[i + 4]
  end
end
hide_at_deadline()
-- Last: they may be all there are.
for _, i in ipairs(removed) do
  redis.call('HDEL', data, edits[i])
  sizes[#sizes + 1] = #edits[i]
  texts[#texts + 1] = edits[i]
end
publish_change(told and 'batch' or 'fetch', table.concat(sizes, ','), table.concat(texts))
return finish('OK', #written + #removed, nil)
