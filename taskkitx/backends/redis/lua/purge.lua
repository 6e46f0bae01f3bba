-- needs: common place rows
-- Deletes finished tasks whose time is over, oldest first; returns how many.
local limit, found = tonumber(take()), {}
for _, group in ipairs(call('SMEMBERS', base .. 'groups')) do
  for state = SUCCEEDED, 10 do
    local key = base .. 'ended:' .. state .. ':' .. group
    local over = call('ZRANGEBYSCORE', key, '-inf', stamp, 'WITHSCORES', 'LIMIT', 0, limit)
    for i = 1, #over, 2 do
      found[#found + 1] = { tonumber(over[i + 1]), over[i], key }
    end
  end
end
table.sort(found, function(one, another)
  return one[1] < another[1] or (one[1] == another[1] and before(one[2], another[2]))
end)
local count = math.min(limit, #found)
for i = 1, count do
  local row = load(found[i][2])
  call('ZREM', found[i][3], found[i][2]) -- even if Redis has lost the row
  if row then
    forget(row)
  end
end
return count
