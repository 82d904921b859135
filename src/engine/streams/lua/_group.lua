-- What XINFO says about one stream or group, as a table by field; nil when the key or the group is not there.
local function as_table(flat)
  local found = {}
  for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
  return found
end

local function stream_info(events)
  if redis.call('EXISTS', events) == 0 then return nil end
  return as_table(redis.call('XINFO', 'STREAM', events))
end

local function group_info(events, sink)
  if redis.call('EXISTS', events) == 0 then return nil end
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', events)) do
    local group = as_table(flat)
    if group['name'] == sink then return group end
  end
  return nil
end
