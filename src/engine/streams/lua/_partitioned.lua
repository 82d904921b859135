-- Number of partitions when the name is of a partitioned stream, which has no events of its own; else nil.
local function partition_count(description)
  local present = redis.call('HMGET', description, 'count', 'state')
  if present[1] and present[2] ~= 'removed' then return tonumber(present[1]) end
  return nil
end
