-- redeliver_dead
-- Gives dead letters back to the sink that gave up on them, and to no other: the event in the stream is pending to the
-- sink again, claimable at once, with its deliveries forgotten, and is a dead letter no more. Both or neither, so whoever
-- asks twice changes nothing the second time. `holder` is the consumer it is pending to until another claims it.
-- `results` has a word for each of ids: redelivered; absent, there is no such dead letter; gone, its event is no longer
-- in the stream, and the dead letter stays.
-- FLAGS allow-oom
-- INCLUDE require_types group entry_id
-- KEYS events sinks dead
-- ARGV sink holder idle_ms ids...
-- REPLY OK results:list
-- REPLY MISSING
local err = wrong_type(events, 'stream', sinks, 'hash', dead, 'stream')
if err then return err end
local group = group_info(events, sink)
if not group then return {'MISSING'} end
local results = {}
local oldest
for _, id in ipairs(ids) do
  local letter = redis.call('XRANGE', dead, id, id)[1]
  local origin = letter and letter[2][1] == 'i' and letter[2][2]
  if not letter then
    results[#results + 1] = 'absent'
  elseif not origin or not id_parts(origin) or #redis.call('XRANGE', events, origin, origin) == 0 then
    results[#results + 1] = 'gone'
  else
    -- After a reset it may be yet to come, or be pending: then it is delivered anyway.
    local to_come = id_less(group['last-delivered-id'], origin)
    if not to_come and #redis.call('XPENDING', events, sink, origin, origin, 1) == 0 then
      redis.call('XCLAIM', events, sink, holder, 0, origin, 'IDLE', idle_ms, 'RETRYCOUNT', 0, 'FORCE', 'JUSTID')
      if not oldest or id_less(origin, oldest) then oldest = origin end
    end
    redis.call('XDEL', dead, id)
    results[#results + 1] = 'redelivered'
  end
end
if oldest then
  -- All before the cursor is acknowledged: that is true no more.
  local cursor = redis.call('HGET', sinks, sink .. ':cursor')
  if cursor and not id_less(cursor, oldest) then redis.call('HSET', sinks, sink .. ':cursor', id_before(oldest)) end
  redis.call('HDEL', sinks, sink .. ':claimUntil')
end
return {'OK', results}
