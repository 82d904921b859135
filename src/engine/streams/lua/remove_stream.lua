-- remove_stream
-- Removes a stream with all its sinks. `others` are the keys of the sinks in `names`; when a sink came in the meantime
-- nothing is done. A mark stays for a while, so that whoever still publishes or reads learns that it was on purpose.
-- INCLUDE time
-- KEYS events meta sinks others...
-- ARGV keep_s names...
-- REPLY OK
-- REPLY CHANGED
-- REPLY MISSING
local state = redis.call('TYPE', meta).ok == 'hash' and redis.call('HGET', meta, 'state')
if state == 'removed' or redis.call('EXISTS', events, meta) == 0 then return {'MISSING'} end
local given = {}
for _, name in ipairs(names) do given[name] = true end
if redis.call('TYPE', sinks).ok == 'hash' then
  for _, field in ipairs(redis.call('HKEYS', sinks)) do
    if not given[string.match(field, '^[^:]+')] then return {'CHANGED'} end
  end
end
local generation = redis.call('TYPE', meta).ok == 'hash' and redis.call('HGET', meta, 'generation') or ''
for _, key in ipairs(others) do redis.call('UNLINK', key) end
redis.call('UNLINK', events, sinks, meta)
redis.call('HSET', meta, 'state', 'removed', 'generation', generation, 'removedAtMs', whole(math.floor(wall_us() / 1000)))
redis.call('EXPIRE', meta, keep_s)
return {'OK'}
