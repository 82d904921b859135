-- remove_partitions
-- Removes the description of a partitioned stream. A mark stays for a while, so that nobody who still uses it makes it anew.
-- INCLUDE require_types time
-- KEYS description
-- ARGV keep_s
-- REPLY OK
-- REPLY MISSING
local err = wrong_type(description, 'hash')
if err then return err end
local present = redis.call('HMGET', description, 'count', 'state')
if not present[1] or present[2] == 'removed' then return {'MISSING'} end
redis.call('HSET', description, 'state', 'removed', 'removedAtMs', whole(math.floor(wall_us() / 1000)))
redis.call('EXPIRE', description, keep_s)
return {'OK'}
