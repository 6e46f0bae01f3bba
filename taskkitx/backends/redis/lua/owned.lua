-- needs: common
-- (id, attempt) of what a worker claimed before some seconds ago.
local worker, limit = take(), now - tonumber(take())
local answer = {}
for _, id in ipairs(call('SMEMBERS', base .. 'running:' .. worker)) do
  local claim = call('HMGET', base .. 'task:' .. id, 'attempt', 'began')
  if claim[1] and tonumber(claim[2]) < limit then
    answer[#answer + 1], answer[#answer + 2] = id, claim[1]
  end
end
return answer
