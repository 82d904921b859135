-- purge
-- Removes dead jobs, a batch of keys, for good. The reply says for each whether there was one.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger
-- KEYS config dead ledger dead_job_prefix
-- ARGV generation job_keys...
-- REPLY OK states:list
-- REPLY LOST
local refusal = enter()
if refusal then return refusal end
read('zset', 'ZCARD', dead)
if wrong then return wrong end
local states = {}
for i = 1, #job_keys do
  local key = job_keys[i]
  local record = dead_job_prefix .. key
  read('hash', 'HLEN', record)
  local removed = redis.call('ZREM', dead, key)
  -- What somebody else wrote under that name is not ours to remove.
  if not wrong then redis.call('UNLINK', record) end
  wrong = nil
  if removed == 1 then log('purged', key, '', '', '') end
  states[i] = removed == 1 and 'purged' or 'absent'
end
save()
return {'OK', states}
