-- Hints to one worker. Each carries the next number of that worker, also kept in its description, so that the worker
-- sees from its next poll whether it missed one. A large payload stays behind: the worker fetches it with a claim.
local INLINE_BYTES = 16384
local function mail(worker, kind, rest, body)
  local sequence = whole(redis.call('HINCRBY', member_info, 'mail:' .. worker, 1))
  redis.call('SPUBLISH', mailbox_prefix .. worker, kind .. ' ' .. sequence .. ' ' .. rest .. '\n' .. body)
end

local function mail_assignment(worker, key, token, attempt, dispatch, terms, payload)
  if #payload > INLINE_BYTES then
    mail(worker, 'fetch', '', '')
  else
    mail(worker, 'assign', token .. ' ' .. attempt .. ' ' .. #key .. ' ' .. dispatch .. ' ' .. terms, key .. payload)
  end
end
