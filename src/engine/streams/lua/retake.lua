-- retake
-- A consumer delivers an entry of its own again: counts the delivery and sets the idle time to 0, if it is still its own.
-- FLAGS allow-oom
-- INCLUDE require_types group
-- KEYS events
-- ARGV sink consumer id
-- REPLY OK count:int
-- REPLY MOVED
local err = wrong_type(events, 'stream')
if err then return err end
if not group_info(events, sink) then return {'MOVED'} end
local found = redis.call('XPENDING', events, sink, id, id, 1)
if not found[1] or found[1][2] ~= consumer then return {'MOVED'} end
local count = found[1][4] + 1
redis.call('XCLAIM', events, sink, consumer, 0, id, 'IDLE', 0, 'RETRYCOUNT', count, 'JUSTID')
return {'OK', count}
