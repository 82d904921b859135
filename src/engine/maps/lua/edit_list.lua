-- edit_list
-- Appends to, appends what is missing to, or removes from a list of texts kept as a JSON array; an absent entry is the
-- empty list, and a list that becomes empty leaves no entry. The payload is the list after.
-- INCLUDE time require_types map operation
-- KEYS data meta ops
-- ARGV changes lane sequence known ttl ttlMode maxEntries maxBytes maxValueBytes key edit items...
-- REPLY OK generation:text revision:int changed:int payload:bytes?
-- REPLY UNMET generation:text revision:int changed:int payload:bytes?
-- REPLY STALE
-- REPLY DESTROYED
-- REPLY VALUE_TOO_LARGE size:int
-- REPLY MAP_FULL count:int bytes:int
-- REPLY NOT_LIST
local refusal = open_operation(key)
if refusal then return refusal end
local list = {}
if previous then
  local valid, decoded = pcall(cjson.decode, previous)
  if not valid or type(decoded) ~= 'table' or not string.find(previous, '^%s*%[') then return { 'NOT_LIST' } end
  list = decoded
  for i = 1, #list do
    if type(list[i]) ~= 'string' then return { 'NOT_LIST' } end
  end
end
local result, changed = list, false
if edit == 'remove' then
  local unwanted = {}
  for _, item in ipairs(items) do unwanted[item] = true end
  result = {}
  for _, item in ipairs(list) do
    if unwanted[item] then changed = true else result[#result + 1] = item end
  end
else
  local present = {}
  if edit == 'unique' then
    for _, item in ipairs(list) do present[item] = true end
  end
  for _, item in ipairs(items) do
    if not present[item] then
      result[#result + 1] = item
      changed = true
      if edit == 'unique' then present[item] = true end
    end
  end
end
if not changed then return finish('OK', 0, previous or '[]') end
if #result == 0 then
  delete_entry(key)
  return finish('OK', 1, '[]')
end
-- cjson writes "/" as "\/"; both are JSON, people expect the first.
local value = string.gsub(cjson.encode(result), '\\/', '/')
refusal = over_limit(key, #value)
if refusal then return refusal end
write_entry(key, value)
return finish('OK', 1, value)
