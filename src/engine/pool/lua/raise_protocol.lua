-- raise_protocol
-- Makes the shard speak a newer version, if every member speaks it; also one whose lease is over counts until it is reaped,
-- for it may come back. Refused in quarantine, when live workers may be missing among the members.
-- The generation ends with the version, so whoever goes by the old one is told LOST at its next step, and nothing is written
-- in the old version any more. With `dry_run` 1 it only answers. A row of `list`: worker, oldest and newest version.
-- INCLUDE time require_types shard ledger server identity
-- KEYS config members member_info ledger
-- ARGV generation version dry_run events
-- REPLY RAISED
-- REPLY STANDS
-- REPLY KEPT list:list
-- REPLY QUARANTINE left_ms:int
-- REPLY LOST
local refusal = enter('protocol') or check_identity()
if refusal then return refusal end
local all = read('zset', 'ZRANGE', members, 0, -1)
read('hash', 'HLEN', member_info)
if wrong then return wrong end
if shard.quarantine > 0 then
  save()
  return {'QUARANTINE', whole(math.ceil(shard.quarantine / 1000))}
end
local wanted = tonumber(version)
if shard.more[1] >= wanted then return {'STANDS'} end

-- A description without a range is of the first version; one that cannot be read speaks nothing.
local function range_of(worker)
  local fine, info = pcall(cjson.decode, redis.call('HGET', member_info, 'info:' .. worker) or '')
  if not fine or type(info) ~= 'table' then return 0, 0 end
  local range = type(info.protocols) == 'table' and info.protocols or {}
  return tonumber(range.oldest) or 1, tonumber(range.newest) or 1
end

local list = {}
for _, worker in ipairs(all) do
  local oldest, newest = range_of(worker)
  if wanted < oldest or wanted > newest then list[#list + 1] = {worker, oldest, newest} end
end
if #list > 0 then return {'KEPT', list} end
if dry_run == '1' then return {'RAISED'} end
save('protocol', version, 'generation', string.match(generation, '^[^.]*') .. '.' .. version)
log('upgraded', '', '', '', 'version ' .. version)
return {'RAISED'}
