-- Notices that Redis is not what it was: another server answers (a failover, perhaps to a replica that missed the last
-- seconds), or the same one after a restart. Then the shard may say less than was promised, so it goes into quarantine for
-- one lease: nothing is admitted, assigned, claimed or reaped while live workers assert what they run. After a lease whoever
-- did not has stopped by itself. The epoch jumps past all that may have been given in what was lost: to the time in ms, for
-- the same older copy may come back more than once.
-- For every script whose effect rests on what the shard says, or whose answer makes a worker let go of a job; after `enter`, before anything else is written.
local function check_identity()
  local server = server_id()
  if server == shard.server then return nil end
  shard.quarantine = tonumber(redis.call('HGET', config, 'lease-ms')) * 1000
  shard.epoch = whole(math.max(tonumber(shard.epoch) + 1, shard.time / 1000))
  shard.server = server
  redis.call('HSET', config, 'server', server, 'quarantine-until', whole(shard.now + shard.quarantine), 'clock',
    whole(shard.now), 'last-time', whole(shard.time), 'epoch', shard.epoch)
  redis.call('SPUBLISH', events, 'epoch ' .. shard.epoch)
  log('quarantined', '', '', '', 'another server, or a restart')
  return nil
end

-- Names what the shard remembers: another one as soon as Redis may have lost something of it, and never the same again.
-- What somebody counted under one name says nothing about what is there under the next.
local function life() return string.match(generation, '^[^.]*') .. '@' .. shard.server end

-- In quarantine a record that is missing (`recorded` is its token), or older than what the caller holds, proves nothing: the
-- caller asserts what it has, then asks again.
local function is_unsure(recorded, token)
  return shard.quarantine > 0 and tonumber(recorded or '0') < tonumber(token)
end
