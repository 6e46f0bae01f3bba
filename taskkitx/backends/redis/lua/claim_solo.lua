-- needs: common place rows claiming
-- Claims the first suspect that is due: the best of these groups' best, found with one seek for each rank in use.
local worker = take()
local found
while at < #ARGV do
  local group = take()
  local rank = awake(group) and '-inf'
  while rank do
    local first = call('ZRANGEBYSCORE', base .. 'solo:' .. group, rank, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    rank = first[2] and '(' .. first[2]
    if first[1] and before(first[1], place(now, '\255')) then
      local number = tonumber(first[2])
      if not found or number < found[1] or (number == found[1] and before(first[1], found[2])) then
        found = { number, first[1], group }
      end
      rank = nil
    end
  end
end
local claims, lost = {}, {}
if found then
  call('ZREM', base .. 'solo:' .. found[3], found[2])
  claim({ id_at(found[2]) }, worker, claims, lost)
end
return { stamp, {}, lost, claims }
