-- take_notes
-- Drops the notifications the owner has handled and gives the next ones, in order. They leave the list only when handled,
-- so a crash delivers them again rather than never. `first` is the number of the first one that the caller was given, and
-- the reply says that of its first one: the same request sent again drops nothing twice.
-- FLAGS allow-oom
-- INCLUDE time require_types shard
-- KEYS config job notes
-- ARGV generation token first handled
-- REPLY NOTES first:int list:list
-- REPLY GONE
-- REPLY LOST
local refusal = enter()
if refusal then return refusal end
local found = read('hash', 'HMGET', job, 'token', 'notes-done')
read('list', 'LLEN', notes)
if wrong then return wrong end
if found[1] ~= token then return {'GONE'} end
local done = tonumber(found[2] or '0')
if handled ~= '0' and done == tonumber(first) then
  redis.call('LTRIM', notes, handled, -1)
  done = done + tonumber(handled)
  redis.call('HSET', job, 'notes-done', done)
end
local list = redis.call('LRANGE', notes, 0, 99)
save()
return {'NOTES', done, list}
