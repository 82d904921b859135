-- remove
-- Takes the shard out of use, if no worker lives and no job is there: settings, members, indexes and ledger go in this
-- step, and who knew the shard is told LOST from then on. A mark stays in place of the settings. While it says `removing`
-- the records are on their way out (remove_rest), and nobody makes the shard anew. `jobs` 1 takes jobs along.
-- Refused in quarantine, when live workers and what they run may be missing here. Counted as workers are all whose lease is
-- not over on the logical clock; `alive` of them also to a person looking on, for that clock stands still when nobody asks.
-- It goes on here, so that asking again helps; `left_ms` is how long at most. With `dry_run` 1 it only answers.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger server identity
-- KEYS config members member_info groups dead ledger schedules
-- ARGV generation jobs dry_run events
-- REPLY REMOVED
-- REPLY KEPT workers:int alive:int jobs:int left_ms:int
-- REPLY QUARANTINE left_ms:int
-- REPLY LOST
local refusal = enter('shards', 'clock', 'last-time') or check_identity()
if refusal then return refusal end
local seen = shard.more[2] + math.max(0, shard.time - shard.more[3])
local workers = read('zset', 'ZCOUNT', members, '(' .. whole(shard.now), '+inf')
local alive = read('zset', 'ZCOUNT', members, '(' .. whole(seen), '+inf')
local longest = read('zset', 'ZREVRANGE', members, 0, 0, 'WITHSCORES')
if wrong then return wrong end
if shard.quarantine > 0 then
  save()
  return {'QUARANTINE', whole(math.ceil(shard.quarantine / 1000))}
end
if workers > 0 or jobs ~= '1' and shard.count > 0 then
  save()
  local left_us = math.max(0, tonumber(longest[2] or '0') - shard.now)
  return {'KEPT', workers, alive, shard.count, whole(math.ceil(left_us / 1000))}
end
if dry_run == '1' then return {'REMOVED'} end
next_epoch()
redis.call('UNLINK', config, members, member_info, groups, dead, ledger, schedules)
-- Tokens go on above these, should it be made anew.
redis.call('HSET', config, 'state', 'removing', 'shards', shard.more[1], 'token', whole(shard.token), 'removed-at',
  whole(math.floor(shard.time / 1000)))
redis.call('SPUBLISH', events, 'epoch ' .. shard.epoch)
return {'REMOVED'}
