-- Redis's wall clock in microseconds; below 2^53, so a Lua number holds it exactly.
local function wall_us()
  local now = redis.call('TIME')
  return tonumber(now[1]) * 1000000 + tonumber(now[2])
end

-- Whole numbers as text: tostring would write them with an exponent.
local function whole(number)
  return string.format('%.0f', number)
end
