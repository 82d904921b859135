-- The keys of the job at hand, for a script that admits several: set before each.
local job, record, pending, own
