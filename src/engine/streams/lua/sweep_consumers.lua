-- sweep_consumers
-- Deletes consumers whose lease is over and to which nothing is pending. To delete one with pending entries would lose
-- them; those wait until they are claimed. `aged` is 1 when the stream has an event older than its limit.
-- FLAGS allow-oom
-- INCLUDE require_types time group entry_id
-- KEYS events meta consumers
-- ARGV sink lease_ms
-- REPLY OK deleted:int aged:int
local err = wrong_type(events, 'stream', meta, 'hash', consumers, 'zset')
if err then return err end
if not group_info(events, sink) then return {'OK', 0, 0} end
local now = math.floor(wall_us() / 1000)
local present = {}
local deleted = 0
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', events, sink)) do
  local consumer = as_table(flat)
  present[consumer['name']] = true
  local lease = redis.call('ZSCORE', consumers, consumer['name'])
  local over
  if lease then over = tonumber(lease) < now else over = consumer['idle'] > tonumber(lease_ms) end
  if over and consumer['pending'] == 0 then
    redis.call('XGROUP', 'DELCONSUMER', events, sink, consumer['name'])
    redis.call('ZREM', consumers, consumer['name'])
    deleted = deleted + 1
  end
end
for _, name in ipairs(redis.call('ZRANGE', consumers, '-inf', '(' .. whole(now), 'BYSCORE', 'LIMIT', 0, 1000)) do
  if not present[name] then redis.call('ZREM', consumers, name) end
end
local aged = 0
local max_age = tonumber(redis.call('HGET', meta, 'maxAgeMs') or 0)
local oldest = redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1]
if max_age > 0 and oldest and id_less(oldest[1], whole(math.max(0, now - max_age)) .. '-0') then aged = 1 end
return {'OK', deleted, aged}
