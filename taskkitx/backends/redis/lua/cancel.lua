-- needs: common place rows
-- Cancels what waits, asks what runs; returns the state of each known task.
local states, by, answer = take(), take(), {}
while at < #ARGV do
  local row = load(take())
  if row then
    if row.state < SUCCEEDED and is_in(row, states) then
      local changed = {}
      if not row.cancel then
        changed.cancel, changed.cancelled_by = stamp, by
      end
      if row.state < RUNNING then
        finish(row, CANCELLED, changed)
      elseif changed.cancel then
        call('HSET', base .. 'task:' .. row.id, 'cancel', stamp, 'cancelled_by', by)
        call('SADD', base .. 'cancel:' .. row.worker, row.id)
      end
    end
    answer[#answer + 1], answer[#answer + 2] = row.id, row.state
  end
end
tell()
return answer
