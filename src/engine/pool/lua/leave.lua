-- leave
-- Ends a membership that holds no job any more.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger forget
-- KEYS config members member_info own ledger
-- ARGV generation worker incarnation events
-- REPLY LEFT epoch:int
-- REPLY OWNS count:int
-- REPLY LOST
local refusal = enter()
if refusal then return refusal end
local lease = read('zset', 'ZSCORE', members, worker)
local stand = read('hash', 'HGET', member_info, 'incarnation:' .. worker)
local owned = read('set', 'SCARD', own)
if wrong then return wrong end
if not lease or stand ~= incarnation then return {'LEFT', shard.epoch} end
if owned > 0 then return {'OWNS', owned} end
forget(worker)
save('epoch', shard.epoch)
log('left', '', worker, '', '')
return {'LEFT', shard.epoch}
