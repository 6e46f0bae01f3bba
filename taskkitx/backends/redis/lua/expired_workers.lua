-- needs: common burying
-- Workers whose lease has ended, and owners that are not known.
local answer = call('ZRANGEBYSCORE', base .. 'leases', '-inf', stamp)
for _, worker in ipairs(call('SMEMBERS', base .. 'owners')) do
  if not call('ZSCORE', base .. 'leases', worker) then
    if call('EXISTS', base .. 'running:' .. worker) == 1 then
      answer[#answer + 1] = worker
    else
      bury(worker)
    end
  end
end
return answer
