-- due
-- A page of the jobs of a group that wait and are due, with the live members that take jobs and how many each holds now,
-- so that the caller computes who should have them from one moment.
-- FLAGS allow-oom
-- INCLUDE time require_types shard
-- KEYS config members member_info pending own_prefix
-- ARGV generation offset count
-- REPLY DUE epoch:int keys:list loads:list
-- REPLY LOST
local refusal = enter()
if refusal then return refusal end
local live = read('zset', 'ZRANGEBYSCORE', members, '(' .. whole(shard.now), '+inf')
local keys = read('zset', 'ZRANGEBYSCORE', pending, '-inf', whole(shard.now), 'LIMIT', offset, count)
read('hash', 'HLEN', member_info)
if wrong then return wrong end
local loads = {}
for i = 1, #live do
  if redis.call('HEXISTS', member_info, 'draining:' .. live[i]) == 0 then
    local owned = redis.pcall('SCARD', own_prefix .. live[i])
    loads[#loads + 1] = {live[i], type(owned) == 'number' and owned or 0}
  end
end
save()
return {'DUE', shard.epoch, keys, loads}
