-- needs: common
-- A worker's running tasks that somebody asked to cancel; what it no longer runs is dropped.
local worker = take()
local key, answer = base .. 'cancel:' .. worker, {}
for _, id in ipairs(call('SMEMBERS', key)) do
  local row = call('HMGET', base .. 'task:' .. id, 'worker', 'state', 'cancel')
  if row[1] == worker and row[2] == '5' and row[3] then
    answer[#answer + 1] = id
  else
    call('SREM', key, id)
  end
end
return answer
