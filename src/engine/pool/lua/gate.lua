-- gate
-- Closes or opens the pool for new jobs. Those that are there go on, and what they need is not refused.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger
-- KEYS config ledger
-- ARGV generation open
-- REPLY CLOSED at_ms:int
-- REPLY OPEN
-- REPLY LOST
local refusal = enter('closed-at')
if refusal then return refusal end
local closed_at = shard.more[1]
if open == '1' then
  redis.call('HDEL', config, 'closed-at')
  save()
  if closed_at then log('opened', '', '', '', '') end
  return {'OPEN'}
end
if closed_at then
  save()
else
  closed_at = math.floor(shard.time / 1000)
  save('closed-at', whole(closed_at))
  log('closed', '', '', '', '')
end
return {'CLOSED', whole(closed_at)}
