-- needs: common place rows claiming
-- Claims the first parked tasks under any of these names.
local worker, group, limit = take(), take(), tonumber(take())
local found = {}
if awake(group) then
  while at < #ARGV do
    local name = take()
    local first = call('ZRANGE', parked_key(group, name), 0, limit - 1, 'WITHSCORES')
    for i = 1, #first, 2 do
      found[#found + 1] = { tonumber(first[i + 1]), first[i], name }
    end
  end
end
table.sort(found, function(one, another)
  return one[1] < another[1] or (one[1] == another[1] and before(one[2], another[2]))
end)
local ids, claims, lost = {}, {}, {}
for i = 1, math.min(limit, #found) do
  local key = parked_key(group, found[i][3])
  call('ZREM', key, found[i][2])
  if call('EXISTS', key) == 0 then
    call('SREM', base .. 'parked-names:' .. group, found[i][3])
  end
  ids[i] = id_at(found[i][2])
end
claim(ids, worker, claims, lost)
return { stamp, {}, lost, claims }
