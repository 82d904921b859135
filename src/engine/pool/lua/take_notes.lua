-- take_notes
-- Drops the notifications the owner has handled and gives the next ones, in order. They leave the list only when handled,
-- so a crash delivers them again rather than never. `first` is the number of the first one that the caller was given, and
-- the reply says that of its first one: the same request sent again drops nothing twice. Numbers count from the head of the
-- list, so they mean something only in the life of the shard in which they were given: after a loss the list is another
-- one, begun anew or older, and what was accepted since stands where something else stood. Then nothing is dropped.
-- INCLUDE time require_types shard ledger server identity
-- KEYS config job notes ledger
-- ARGV generation token given_in first handled events
-- REPLY NOTES given_in:text first:int list:list
-- REPLY GONE
-- REPLY LOST
local refusal = enter() or check_identity()
if refusal then return refusal end
local found = read('hash', 'HMGET', job, 'token', 'notes-done')
read('list', 'LLEN', notes)
if wrong then return wrong end
if found[1] ~= token then return {'GONE'} end
local done = tonumber(found[2] or '0') or 0
if handled ~= '0' and given_in == life() and done == tonumber(first) then
  redis.call('LTRIM', notes, handled, -1)
  done = done + tonumber(handled)
  redis.call('HSET', job, 'notes-done', done)
end
local list = redis.call('LRANGE', notes, 0, 99)
save()
return {'NOTES', life(), done, list}
