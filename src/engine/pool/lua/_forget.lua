-- Ends a membership, or only its description. Tokens go on above the number of the worker's last hint: a new membership
-- under its name counts its hints from the tokens on, so that one of before, still under way, is never taken for one of then.
-- A later release may keep more of a worker than this one knows, under `<field>:<worker>` as all of it: what is left behind
-- nobody would take away.
local function forget_description(worker)
  local mail = redis.call('HGET', member_info, 'mail:' .. worker)
  shard.token = math.max(shard.token, tonumber(mail or 0) or 0)
  local fields = {}
  for _, field in ipairs(redis.call('HKEYS', member_info)) do
    if string.match(field, '^[^:]*:(.*)$') == worker then fields[#fields + 1] = field end
  end
  return #fields > 0 and redis.call('HDEL', member_info, unpack(fields)) or 0
end

local function forget(worker)
  redis.call('ZREM', members, worker)
  forget_description(worker)
  next_epoch()
  redis.call('SPUBLISH', events, 'epoch ' .. shard.epoch)
end
