-- needs: common
-- All known workers: id, end of lease in seconds from now, started, record, info.
local answer, leases = {}, call('ZRANGE', base .. 'leases', 0, -1, 'WITHSCORES')
for i = 1, #leases, 2 do
  local row = call('HMGET', base .. 'worker:' .. leases[i], 'started', 'record', 'info')
  if row[1] then
    answer[#answer + 1] = { leases[i], text(tonumber(leases[i + 1]) - now), row[1], row[2], row[3] }
  end
end
return answer
