-- needs: common place rows
-- Gives claims back, each if its fence holds; returns how many.
local worker, parked, released = take(), take() == '1', 0
while at < #ARGV do
  local id, attempt = take(), take()
  local row = load(id)
  if owns(row, worker, attempt) then
    released = released + 1
    if parked and not row.cancel then
      move(row, PARKED, { worker = false })
    else
      wait_again(row, nil, { worker = false })
    end
  end
end
tell()
return released
