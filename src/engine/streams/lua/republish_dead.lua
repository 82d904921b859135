-- republish_dead
-- Publishes dead letters again, as new events with their fields as they were, and one more header that names the event
-- they were; each is then a dead letter no more, both or neither. `results` has the new id for each of ids, or an empty
-- text when there is no such dead letter.
-- INCLUDE require_types
-- KEYS events dead
-- ARGV header ids...
-- REPLY OK results:list
-- REPLY MISSING
local err = wrong_type(events, 'stream', dead, 'stream')
if err then return err end
if redis.call('EXISTS', events) == 0 then return {'MISSING'} end
local results = {}
for _, id in ipairs(ids) do
  local letter = redis.call('XRANGE', dead, id, id)[1]
  if not letter or letter[2][1] ~= 'i' then
    results[#results + 1] = ''
  else
    local old = letter[2]
    -- Three fields of ours come first: id, deliveries, reason.
    local pair = '["' .. header .. '","' .. old[2] .. '"]'
    local fields = {}
    local headed = false
    for i = 7, #old - 1, 2 do
      local value = old[i + 1]
      if old[i] == 'h' and not headed then
        headed = true
        -- A JSON array of pairs, or something that is none: that stays as it is.
        if string.sub(value, -2) == ']]' then value = string.sub(value, 1, -2) .. ',' .. pair .. ']' end
      end
      fields[#fields + 1] = old[i]
      fields[#fields + 1] = value
    end
    if not headed then
      fields[#fields + 1] = 'h'
      fields[#fields + 1] = '[' .. pair .. ']'
    end
    results[#results + 1] = redis.call('XADD', events, '*', unpack(fields))
    redis.call('XDEL', dead, id)
  end
end
return {'OK', results}
