-- members
-- What a worker or a client looks at each second: the live members and how full they are, whether a lease is over and
-- must be reaped, whether work waits in a group, and when the next of these falls due. Advances the clock, nothing else.
-- Descriptions are sent only when the caller's epoch is not the present one. `mail` is -1 for a worker that is no member. A
-- row of `list`: id, jobs owned, 1 when draining, description, 1 when it has renewed its lease since it joined. `server`
-- tells the caller whether what it knows was told by this Redis. `queued` are all that wait, of any group.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger server identity
-- KEYS config members member_info pending ledger own_prefix
-- ARGV generation worker known_epoch events
-- REPLY MEMBERS epoch:int mail:int reapable:int due:int next_ms:int server:text quarantine_ms:int queued:int list:list
-- REPLY LOST
local refusal = enter('grace-ms') or check_identity()
if refusal then return refusal end
local all = read('zset', 'ZRANGE', members, 0, -1, 'WITHSCORES')
local first = read('zset', 'ZRANGE', pending, 0, 0, 'WITHSCORES')
read('hash', 'HLEN', member_info)
if wrong then return wrong end
local next_us, grace_us = -1, shard.more[1] * 1000
local function sooner(us) if us > 0 and (next_us < 0 or us < next_us) then next_us = us end end
local reapable, list = 0, {}
local known = known_epoch == shard.epoch
local mail = -1
for i = 1, #all, 2 do
  local id, left = all[i], tonumber(all[i + 1]) - shard.now
  if left + grace_us <= 0 then reapable = reapable + 1 else sooner(left + grace_us) end
  if left > 0 then
    local about = redis.call('HMGET', member_info, 'draining:' .. id, 'mail:' .. id, 'info:' .. id, 'proven:' .. id)
    if id == worker then mail = tonumber(about[2]) or -1 end
    local owned = redis.pcall('SCARD', own_prefix .. id)
    if type(owned) ~= 'number' then owned = 0 end
    list[#list + 1] = {id, owned, about[1] and 1 or 0, known and '' or about[3] or '{}', about[4] and 1 or 0}
  end
end
if shard.quarantine > 0 then
  reapable = 0
  sooner(shard.quarantine)
end
local due = 0
if first[2] then
  local wait = tonumber(first[2]) - shard.now
  if wait <= 0 then due = 1 else sooner(wait) end
end
save()
return {'MEMBERS', shard.epoch, whole(mail), reapable, due, whole(math.ceil(next_us / 1000)), shard.server,
  whole(math.ceil(shard.quarantine / 1000)), shard.queued, list}
