-- Hints to one worker. Each has the next number of that worker, also kept in its description, so that the worker sees from
-- its next poll whether it missed one. A message holds one hint or several, one behind the other: what a script gives to
-- one worker leaves together, for a message costs more than what is in it. A large payload stays behind: the worker
-- fetches it with a claim.
local INLINE_BYTES = 16384
local function mail(worker, kind, rest, body)
  local sequence = redis.pcall('HINCRBY', member_info, 'mail:' .. worker, 1)
  -- Somebody wrote something else there: goes on above all there were.
  if type(sequence) ~= 'number' then
    sequence = math.max(shard.token, shard.time)
    redis.call('HSET', member_info, 'mail:' .. worker, whole(sequence))
  end
  sequence = whole(sequence)
  redis.call('SPUBLISH', mailbox_prefix .. worker, kind .. ' ' .. sequence .. ' ' .. rest .. '\n' .. body)
end

-- Kinds and the rest of the hints that wait for the end of the script, in turns, by worker.
local waiting_mail, waiting_bytes = {}, {}
local function deliver(worker)
  local hints = waiting_mail[worker]
  waiting_mail[worker], waiting_bytes[worker] = nil, nil
  local before = redis.call('HINCRBY', member_info, 'mail:' .. worker, #hints / 2) - #hints / 2
  for i = 1, #hints, 2 do hints[i] = hints[i] .. whole(before + (i + 1) / 2) end
  redis.call('SPUBLISH', mailbox_prefix .. worker, table.concat(hints))
end

-- Whoever calls this calls `deliver_assignments` at its end.
local function mail_assignment(worker, key, token, attempt, dispatch, terms, payload)
  local bytes = (waiting_bytes[worker] or 0) + #payload
  if #payload <= INLINE_BYTES and bytes > INLINE_BYTES and waiting_mail[worker] then
    deliver(worker)
    bytes = #payload
  end
  local hints = waiting_mail[worker] or {}
  waiting_mail[worker] = hints
  if #payload > INLINE_BYTES then
    hints[#hints + 1] = 'fetch '
    hints[#hints + 1] = ' \n'
  else
    hints[#hints + 1] = 'assign '
    hints[#hints + 1] = ' ' .. token .. ' ' .. attempt .. ' ' .. #key .. ' ' .. #payload .. ' ' .. dispatch .. ' ' ..
      terms .. '\n' .. key .. payload
    waiting_bytes[worker] = bytes
  end
end

local function deliver_assignments()
  for worker in pairs(waiting_mail) do deliver(worker) end
end
