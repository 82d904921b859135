-- remove_rest
-- Removes, a batch, what is left of a shard that is on its way out. With `done` 1 nothing is: then the mark stays for a
-- while, by which who still knows the shard learns that it was removed on purpose, and does not make it anew as one that
-- Redis lost. STANDS: it is not on its way out, and nothing was done.
-- FLAGS allow-oom
-- KEYS config names...
-- ARGV done keep_s
-- REPLY OK
-- REPLY STANDS
local state = redis.pcall('HGET', config, 'state')
if state ~= 'removing' and redis.call('EXISTS', config) == 1 then return {'STANDS'} end
for i = 1, #names do redis.call('UNLINK', names[i]) end
if done == '1' then
  redis.call('HSET', config, 'state', 'removed')
  redis.call('EXPIRE', config, keep_s)
end
return {'OK'}
