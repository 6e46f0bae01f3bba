-- Forgetting a worker that owns nothing any more.
local function bury(worker)
  if call('EXISTS', base .. 'running:' .. worker) == 0 then
    call('ZREM', base .. 'leases', worker)
    call('SREM', base .. 'owners', worker)
    call('DEL', base .. 'worker:' .. worker, base .. 'cancel:' .. worker)
  end
end
