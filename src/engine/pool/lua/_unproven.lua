-- The answer about something that is not there while that proves nothing. The clock goes on: without a worker nobody else
-- moves it, and the quarantine would not end.
local function unproven()
  save()
  return {'QUARANTINE', whole(math.ceil(shard.quarantine / 1000))}
end
