-- Ids are compared as text, number by number: a sequence may be larger than a Lua number holds exactly.
local function id_parts(id)
  return string.match(id, '^(%d+)%-(%d+)$')
end

local function number_less(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

local function id_less(a, b)
  local a_ms, a_seq = id_parts(a)
  local b_ms, b_seq = id_parts(b)
  if a_ms ~= b_ms then return number_less(a_ms, b_ms) end
  return number_less(a_seq, b_seq)
end

-- An id before `id` with no entry of ours in between; for a huge sequence an earlier one, which only repeats.
local function id_before(id)
  local ms, seq = id_parts(id)
  if seq == '0' then
    if ms == '0' then return '0-0' end
    return string.format('%.0f', tonumber(ms) - 1) .. '-18446744073709551615'
  end
  if #seq > 15 then return ms .. '-0' end
  return ms .. '-' .. string.format('%.0f', tonumber(seq) - 1)
end
