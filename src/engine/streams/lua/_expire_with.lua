-- A key of a sink ends with the events of its stream, when they end.
local function expire_with(events, key)
  local at = redis.call('PEXPIRETIME', events)
  if at > 0 then redis.call('PEXPIREAT', key, whole(at)) end
end
