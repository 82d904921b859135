-- notify
-- Appends a notification to a job's list, once per id, and hints to its owner. The list is bounded.
-- INCLUDE time require_types shard ledger server identity unproven mail
-- KEYS config member_info job notes record ledger
-- ARGV generation key payload most retention_ms mailbox_prefix events
-- REPLY NOTED
-- REPLY FULL count:int
-- REPLY ABSENT
-- REPLY QUARANTINE left_ms:int
-- REPLY LOST
local refusal = enter() or check_identity()
if refusal then return refusal end
local known = read('hash', 'HGET', record, 'outcome')
local found = read('hash', 'HMGET', job, 'state', 'worker', 'token')
local count = read('list', 'LLEN', notes)
read('hash', 'HLEN', member_info)
if wrong then return wrong end
if known then
  -- For whoever waits for replicas after it.
  save()
  return {'NOTED'}
end
if not found[1] and shard.quarantine > 0 then return unproven() end
if not found[1] then return {'ABSENT'} end
if count >= tonumber(most) then return {'FULL', count} end
redis.call('RPUSH', notes, payload)
redis.call('HSET', record, 'outcome', 'noted')
redis.call('PEXPIRE', record, retention_ms)
if found[1] == 'running' and found[2] and found[3] then mail(found[2], 'note', found[3] .. ' ' .. #key, key) end
save()
return {'NOTED'}
