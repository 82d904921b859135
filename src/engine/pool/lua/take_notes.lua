-- take_notes
-- Drops the notifications the owner has handled and gives the next ones, in order. They leave the list only when handled,
-- so a crash delivers them again rather than never.
-- FLAGS allow-oom
-- INCLUDE time require_types shard
-- KEYS config job notes
-- ARGV generation token handled
-- REPLY NOTES list:list
-- REPLY GONE
-- REPLY LOST
local refusal = enter()
if refusal then return refusal end
local found = read('hash', 'HGET', job, 'token')
read('list', 'LLEN', notes)
if wrong then return wrong end
if found ~= token then return {'GONE'} end
if handled ~= '0' then redis.call('LTRIM', notes, handled, -1) end
local list = redis.call('LRANGE', notes, 0, 99)
save()
return {'NOTES', list}
