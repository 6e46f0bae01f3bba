-- needs: common place rows
-- Queues finished tasks again; returns how many.
local GONE = { 'retry_count', 'crashes', 'lost', 'loss', 'expires', 'solo', 'result', 'error', 'done', 'disposable',
  'progress', 'cancel', 'cancelled_by' }
local states, retried = take(), 0
while at < #ARGV do
  local row = load(take())
  if row and row.state >= SUCCEEDED and is_in(row, states) then
    local changed = { due = stamp }
    for _, field in ipairs(GONE) do
      changed[field] = false
    end
    move(row, QUEUED, changed)
    retried = retried + 1
  end
end
tell()
return retried
