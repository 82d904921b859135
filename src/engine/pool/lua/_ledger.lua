-- The ledger is for people; the protocol never reads it, and goes on when it cannot be written. Always the same fields,
-- which Redis then stores once.
local function log(kind, key, worker, token, detail)
  if shard.ledger_length == '0' then return end
  redis.pcall('XADD', ledger, 'MAXLEN', '~', shard.ledger_length, '*', 'type', kind, 'key', key, 'worker', worker,
    'token', token, 'detail', detail)
end
