-- rebalance
-- Counts an epoch although no member came or went: every worker then looks at each of its jobs again.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger
-- KEYS config ledger
-- ARGV generation events
-- REPLY REBALANCING epoch:int
-- REPLY LOST
local refusal = enter()
if refusal then return refusal end
next_epoch()
save('epoch', shard.epoch)
redis.call('SPUBLISH', events, 'epoch ' .. shard.epoch)
log('rebalance', '', '', '', '')
return {'REBALANCING', shard.epoch}
