-- started
-- Records, for a batch, that jobs run. `items` are key, token and stable_ms: after that long without failing a service
-- has its attempts behind it; empty for a task. The reply says per item what else there is to know: `gone` when the job
-- is not the caller's under that token (`unknown` while a quarantine makes that uncertain), `stopping` when somebody asked it to stop, else the number of its notifications, when `notes` is 1 and it matters.
-- FLAGS allow-oom
-- INCLUDE time require_types shard ledger server identity terms
-- KEYS config ledger job_prefix notes_prefix
-- ARGV generation worker replies_prefix notes events items...
-- REPLY OK states:list
-- REPLY LOST
local refusal = enter('started') or check_identity()
if refusal then return refusal end
local states, count, told = {}, 0, {}
-- The items of a batch mostly say the same.
local stable_at = {}
local at = whole(math.floor(shard.time / 1000))
for i = 1, #items, 3 do
  local key, token, stable_ms = items[i], items[i + 1], items[i + 2]
  local job = job_prefix .. key
  local found = redis.pcall('HMGET', job, 'token', 'state', 'dispatch', 'terms')
  if found.err or found[1] ~= token then
    states[#states + 1] = is_unsure(found[1], token) and 'unknown' or 'gone'
  elseif found[2] == 'stopping' then
    states[#states + 1] = 'stopping'
  else
    if found[2] ~= 'running' then
      if stable_ms == '' then
        redis.call('HSET', job, 'state', 'running', 'started-at', at)
      else
        stable_at[stable_ms] = stable_at[stable_ms] or whole(shard.now + tonumber(stable_ms) * 1000)
        redis.call('HSET', job, 'state', 'running', 'started-at', at, 'stable-at', stable_at[stable_ms])
      end
      count = count + 1
      local waiting = reply_to_of(found[4])
      if waiting and found[3] then
        told[waiting] = told[waiting] or {}
        table.insert(told[waiting], 'started ' .. found[3] .. ' ' .. worker .. ' ' .. token .. '\n')
      end
      log('started', key, worker, token, '')
    end
    local count_of = notes == '1' and redis.pcall('LLEN', notes_prefix .. key)
    states[#states + 1] = type(count_of) == 'number' and count_of or 0
  end
end
for node, lines in pairs(told) do redis.call('SPUBLISH', replies_prefix .. node, table.concat(lines)) end
save_clock('started', shard.more[1] + count)
return {'OK', states}
