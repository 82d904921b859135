-- Types are checked before the first write: a wrong type met half way would leave the earlier writes standing.
local function wrong_type(...)
  local pairs_of = {...}
  for i = 1, #pairs_of, 2 do
    local found = redis.call('TYPE', pairs_of[i]).ok
    if found ~= 'none' and found ~= pairs_of[i + 1] then
      return redis.error_reply('WRONGTYPE key "' .. pairs_of[i] .. '" is a ' .. found .. ', expected a ' .. pairs_of[i + 1])
    end
  end
  return nil
end
