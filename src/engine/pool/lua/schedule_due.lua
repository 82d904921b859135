-- schedule_due
-- The schedules to look at now, at most `most`, as rows of name and the fields asked for, of which the first is never
-- absent and the second is the next tick; by Redis's wall clock, which names ticks.
-- Where many are due, `random` in [0, 1) chooses which, so that several nodes share them.
-- `next_ms` is how long until there is another one, -1 for never. A record that is gone or no record any more cannot
-- stand in the way of the others.
-- FLAGS allow-oom
-- INCLUDE time require_types shard
-- KEYS config schedules schedule_prefix
-- ARGV generation most random fields...
-- REPLY DUE now_ms:int next_ms:int list:list
-- REPLY LOST
local LOOK_AGAIN_MS = 60000
local refusal = enter()
if refusal then return refusal end
local now_ms = math.floor(shard.time / 1000)
local count = read('zset', 'ZCOUNT', schedules, '-inf', whole(now_ms))
if wrong then return wrong end
local offset = math.floor(tonumber(random) * math.max(1, count - tonumber(most) + 1))
local names = read('zset', 'ZRANGEBYSCORE', schedules, '-inf', whole(now_ms), 'LIMIT', offset, most)
local later = read('zset', 'ZRANGEBYSCORE', schedules, '(' .. whole(now_ms), '(+inf', 'WITHSCORES', 'LIMIT', 0, 1)
if wrong then return wrong end
local list, repaired = {}, false
for i = 1, #names do
  local found = redis.pcall('HMGET', schedule_prefix .. names[i], unpack(fields))
  local next = not found.err and tonumber(found[2])
  if not next or next > now_ms then repaired = true end
  if not found.err and not found[1] then
    redis.call('ZREM', schedules, names[i])
  elseif not next then
    redis.call('ZADD', schedules, whole(now_ms + LOOK_AGAIN_MS), names[i])
  elseif next > now_ms then
    redis.call('ZADD', schedules, whole(next), names[i])
  else
    list[#list + 1] = {names[i], found}
  end
end
-- Asked for all the time: when nothing is written, replicas and the log on disk have nothing to do.
if repaired then save() end
local wait = later[2] and math.ceil(tonumber(later[2]) - shard.time / 1000) or -1
return {'DUE', whole(now_ms), whole(wait), list}
