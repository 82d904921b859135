-- Redis's wall clock in microseconds; below 2^53, so a Lua number holds it exactly.
local function wall_us()
  local now = redis.call('TIME')
  return tonumber(now[1]) * 1000000 + tonumber(now[2])
end

-- Whole numbers as text: tostring would write them with an exponent. A third of the cost of '%.0f', and as exact: Lua
-- hands over a 64-bit integer. A fraction is cut off.
local function whole(number)
  return string.format('%d', number)
end
