-- needs: common
-- Seconds until the next scheduled task of these groups is due.
local nearest
while at < #ARGV do
  local first = call('ZRANGE', base .. 'future:' .. take(), 0, 0, 'WITHSCORES')
  local due = first[2] and tonumber(first[2])
  if due and (not nearest or due < nearest) then
    nearest = due
  end
end
return nearest and text(nearest - now)
