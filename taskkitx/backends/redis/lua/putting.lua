-- Takes one task from the arguments (fields.py: put_arguments) and keeps it; returns the id of the one that stands in
-- its way, if one does. `holder`, `load` and `settle_key` are only there, and only needed, where keys are unique.
local function put()
  local id, group, when, rank, unique_key = take(), take(), take(), take(), take()
  local count = tonumber(take())
  local first = at + 1
  at = at + count
  local key = base .. 'task:' .. id
  if unique_key ~= '' then
    local standing = call('EXISTS', key) == 1 and id or holder(string.sub(unique_key, 2))
    if standing then
      return standing
    end
  end
  local due, state = stamp, QUEUED
  if when ~= '' then
    due = string.sub(when, 2)
    if string.sub(when, 1, 1) == '+' then
      due = text(now + tonumber(due))
    end
    state = tonumber(due) > now and SCHEDULED or QUEUED
  end
  if call('HSETNX', key, 'state', state) == 0 then
    return id
  end
  call('HSET', key, 'due', due, 'created', stamp, unpack(ARGV, first, at))
  if state == SCHEDULED then
    call('ZADD', base .. 'future:' .. group, due, id)
  else
    call('ZADD', base .. 'queue:' .. group, rank, place(due, id))
  end
  call('ZADD', base .. 'ids:' .. group, 0, id)
  if not heard[group] then
    call('SADD', base .. 'groups', group)
    hint(group)
  end
  if unique_key ~= '' then
    settle_key(load(id))
  end
  return nil
end

-- Takes and puts any number; returns (number, id of the one in its way) for those that were not put.
local function put_all()
  local answers = {}
  for number = 0, tonumber(take()) - 1 do
    local standing = put()
    if standing then
      answers[#answers + 1], answers[#answers + 2] = number, standing
    end
  end
  tell()
  return answers
end
