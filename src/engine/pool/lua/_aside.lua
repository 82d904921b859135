-- A job whose record cannot be used must keep no other from its turn: it is put beside, under the name that
-- `doctor --repair --broken set-aside` gives, and is told in the ledger; who waits for it is told that it is dead. For a
-- record that is there.
local function put_aside(key, flaw)
  local name, aside = job_prefix .. key, aside_prefix .. 'job:' .. key
  local found = redis.pcall('HMGET', name, 'dispatch', 'terms', 'worker', 'token')
  if redis.call('EXISTS', aside) == 1 then aside = aside .. ':' .. mint() end
  redis.call('RENAME', name, aside)
  redis.call('UNLINK', notes_prefix .. key)
  local worker, token = found[3] or '', found[4] or '0'
  local why = 'set aside: its record was without a valid ' .. flaw
  log('broken', key, worker, token, why)
  if not found[1] then return end
  local terms = terms_of(found[2])
  note_outcome(key, found[1], terms.digest, 'dead', worker, token, terms.keep_ms, why)
  if terms.reply_to then tell(terms.reply_to, 'dead', found[1], worker, token, why) end
end

-- Takes out of a queue what nobody can run: the key of no record, or of one that is put aside because of its flaw.
local function drop_queued(queue, key, flaw)
  if redis.call('ZREM', queue, key) == 0 then return end
  shard.queued = shard.queued - 1
  shard.count = shard.count - 1
  if flaw then put_aside(key, flaw) end
end

-- The same for the set of an owner, which may also name what is another's.
local function drop_owned(own, key, flaw)
  if redis.call('SREM', own, key) == 0 then return end
  shard.count = shard.count - 1
  if flaw then put_aside(key, flaw) end
end
