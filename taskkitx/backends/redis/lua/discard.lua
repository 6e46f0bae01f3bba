-- needs: common place rows
-- Deletes what does not run; returns how many.
local states, discarded = take(), 0
while at < #ARGV do
  local row = load(take())
  if row and row.state ~= RUNNING and is_in(row, states) then
    forget(row)
    discarded = discarded + 1
  end
end
return discarded
