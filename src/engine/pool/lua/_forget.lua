-- Ends a membership, or only its description. Tokens go on above the number of the worker's last hint: a new membership
-- under its name counts its hints from the tokens on, so that one of before, still under way, is never taken for one of then.
local function forget_description(worker)
  local mail = redis.call('HGET', member_info, 'mail:' .. worker)
  shard.token = math.max(shard.token, tonumber(mail or 0) or 0)
  return redis.call('HDEL', member_info, 'node:' .. worker, 'incarnation:' .. worker, 'info:' .. worker,
    'since:' .. worker, 'mail:' .. worker, 'draining:' .. worker, 'renewed:' .. worker, 'health:' .. worker,
    'proven:' .. worker, 'fenced:' .. worker)
end

local function forget(worker)
  redis.call('ZREM', members, worker)
  forget_description(worker)
  next_epoch()
  redis.call('SPUBLISH', events, 'epoch ' .. shard.epoch)
end
