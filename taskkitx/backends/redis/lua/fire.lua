-- needs: common place rows putting
-- Compares a scheduler's state and sets it together with its tasks; returns whether it did.
local scheduler, expected, state = take(), take(), take()
local current = call('HGET', base .. 'schedulers', scheduler)
if (current and '=' .. current or '') ~= expected then
  return 0
end
call('HSET', base .. 'schedulers', scheduler, state)
put_all()
return 1
