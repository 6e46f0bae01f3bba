-- needs: common place rows burying
-- Takes a page of a dead worker's tasks back; returns how many.
local BACK_OFF, MOST_DOUBLINGS, SOLO_FROM_LOST = 10, 12, 2
local worker, limit = take(), tonumber(take())
math.randomseed(tonumber(take()))
local everybody = take() == '1'
local cause, trace = take(), take()
local verdicts = {} -- kind, cause, trace, whether a suspect runs alone or a charged one again
while at < #ARGV do
  local id = take()
  verdicts[id] = { take(), take(), take(), take() == '1' }
end

local function take_back(row)
  local verdict = verdicts[row.id]
  local kind = verdict and verdict[1] or (everybody and 'lost')
  local changed = { worker = false }
  if kind == 'charged' then
    local crashes = tonumber(row.crashes or '0') + 1
    changed.solo, changed.loss, changed.crashes = '1', verdict[2], crashes
    wait_again(row, now + (verdict[4] and BACK_OFF * 2 ^ math.min(crashes - 1, MOST_DOUBLINGS) or 0), changed)
    remember(row, worker, 'crashed', 'crash', verdict[2], verdict[3])
  elseif kind == 'suspect' then
    changed.loss = verdict[2]
    if verdict[4] then
      changed.solo = '1'
    end
    wait_again(row, nil, changed)
  elseif kind == 'lost' then
    local times = tonumber(row.lost or '0') + 1
    changed.loss, changed.lost = cause, times
    if times >= SOLO_FROM_LOST then
      changed.solo = '1'
    end
    -- Full jitter, so that the tasks that vanished together do not meet again.
    wait_again(row, now + math.random() * BACK_OFF * 2 ^ math.min(times - 1, MOST_DOUBLINGS), changed)
    remember(row, worker, 'lost', 'lost', cause, trace)
  else
    wait_again(row, nil, changed)
  end
end

local running, restored = base .. 'running:' .. worker, 0
repeat
  local page = call('SRANDMEMBER', running, limit)
  for _, id in ipairs(page) do
    local row = load(id)
    if row and row.state == RUNNING and row.worker == worker then
      take_back(row)
      restored = restored + 1
    else
      call('SREM', running, id) -- Redis has lost it
    end
  end
until restored > 0 or #page == 0
bury(worker)
tell()
return restored
