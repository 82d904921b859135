-- The ledger is for people; the protocol never reads it. Always the same fields, which Redis then stores once.
local function enter_logged()
  local refusal = enter()
  if refusal then return refusal end
  read('stream', 'XLEN', ledger)
  return wrong
end

local function log(kind, key, worker, token, detail)
  if shard.ledger_length == 0 then return end
  redis.call('XADD', ledger, 'MAXLEN', '~', shard.ledger_length, '*', 'type', kind, 'key', key, 'worker', worker,
    'token', token, 'detail', detail)
end
