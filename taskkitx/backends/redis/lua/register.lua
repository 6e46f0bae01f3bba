-- needs: common
-- Makes a worker known; returns the store's epoch.
local worker, record, info, ttl = take(), take(), take(), tonumber(take())
call('ZREM', base .. 'leases', worker) -- what a full Redis lets a script begin with
call('SETNX', base .. 'version', take())
call('SETNX', base .. 'epoch', take())
call('HSET', base .. 'worker:' .. worker, 'record', record, 'info', info, 'started', stamp)
call('ZADD', base .. 'leases', text(now + ttl), worker)
return call('GET', base .. 'epoch')
