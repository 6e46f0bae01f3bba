-- needs: common
-- Extends the leases of those workers that are known; returns the store's epoch and them. A store that was emptied
-- since has buried nobody: it learns anew whom it knew.
local until_, expected, candidate = text(now + tonumber(take())), take(), take()
local current, known = call('GET', base .. 'epoch'), {}
local emptied = expected ~= '' and current ~= expected
while at < #ARGV do
  local worker, info = take(), take()
  local key = base .. 'worker:' .. worker
  -- Removing is what a full Redis lets a script begin with: it must not look as if all workers had died.
  local knows = call('ZREM', base .. 'leases', worker) == 1
  if knows or emptied then
    call('ZADD', base .. 'leases', until_, worker)
    call('HSET', key, 'info', info)
    known[#known + 1] = worker
  end
  if emptied and not knows then
    call('HSET', key, 'record', '{}', 'started', stamp) -- the worker itself knows better, and will tell
  end
end
if emptied and not current then
  call('SET', base .. 'epoch', candidate)
  current = candidate
end
return { current or '', known }
