-- needs: common place rows
-- Writes a running attempt's progress, if its fence holds and nobody asked to cancel it.
local worker, id, attempt = take(), take(), take()
local row = load(id)
if not owns(row, worker, attempt) or row.cancel then
  return 0
end
call('HSET', base .. 'task:' .. id, 'progress', take())
return 1
