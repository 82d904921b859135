-- What a dispatch asked for, one text that goes with the job wherever it goes: attempts, first and longest back-off in
-- ms, bytes of the payload, how long to keep the outcome in ms, node to tell, digest; `-` for what was not given. Behind
-- them, if the dispatch was traced, its trace context. A later version may add words at the end.
local function terms_of(text)
  local attempts, first_ms, most_ms, _, keep_ms, reply_to, digest =
    string.match(text or '', '^(%d+) (%d+) (%d+) (%d+) (%S+) (%S+) (%S+)')
  if not attempts then return {attempts = 1, backoff = 1000000, backoff_max = 1000000, digest = '-'} end
  return {
    attempts = tonumber(attempts),
    backoff = tonumber(first_ms) * 1000,
    backoff_max = tonumber(most_ms) * 1000,
    keep_ms = keep_ms ~= '-' and keep_ms or nil,
    reply_to = reply_to ~= '-' and reply_to or nil,
    digest = digest,
  }
end

-- The node to tell alone, for a third of the cost.
local function reply_to_of(text)
  local reply_to = string.match(text or '', '^%d+ %d+ %d+ %d+ %S+ (%S+) %S')
  return reply_to ~= '-' and reply_to or nil
end
