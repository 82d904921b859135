-- started
-- Records, for a batch, that jobs run. `items` are key, token and stable_ms: after that long without failing a service
-- has its attempts behind it; empty for a task. The reply says per item what else there is to know: `gone` when the job
-- is not the caller's under that token, `stopping` when somebody asked it to stop, else the number of its notifications.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger
-- KEYS config ledger job_prefix notes_prefix
-- ARGV generation worker replies_prefix items...
-- REPLY OK states:list
-- REPLY LOST
local refusal = enter_logged()
if refusal then return refusal end
local states, count = {}, 0
local at = whole(math.floor(shard.time / 1000))
for i = 1, #items, 3 do
  local key, token, stable_ms = items[i], items[i + 1], items[i + 2]
  local job = job_prefix .. key
  local found = redis.pcall('HMGET', job, 'token', 'state', 'reply-to', 'dispatch')
  if found.err or found[1] ~= token then
    states[#states + 1] = 'gone'
  elseif found[2] == 'stopping' then
    states[#states + 1] = 'stopping'
  else
    if found[2] ~= 'running' then
      if stable_ms == '' then
        redis.call('HSET', job, 'state', 'running', 'started-at', at)
      else
        redis.call('HSET', job, 'state', 'running', 'started-at', at, 'stable-at',
          whole(shard.now + tonumber(stable_ms) * 1000))
      end
      count = count + 1
      if found[3] then
        redis.call('SPUBLISH', replies_prefix .. found[3], 'started ' .. found[4] .. ' ' .. worker .. ' ' .. token .. '\n')
      end
      log('started', key, worker, token, '')
    end
    local notes = redis.pcall('LLEN', notes_prefix .. key)
    states[#states + 1] = type(notes) == 'number' and notes or 0
  end
end
if count > 0 then redis.call('HINCRBY', config, 'started', count) end
save()
return {'OK', states}
