-- needs: common place rows
-- Every group's figures: group, paused, the oldest due, then state and count in turn.
local cap, running, names = tonumber(take()), {}, {}
for _, worker in ipairs(call('SMEMBERS', base .. 'owners')) do
  for _, id in ipairs(call('SMEMBERS', base .. 'running:' .. worker)) do
    local group = group_of(id)
    running[group] = (running[group] or 0) + 1
  end
end
local words, flat = {}, call('HGETALL', base .. 'paused')
for i = 1, #flat, 2 do
  words[flat[i]] = flat[i + 1]
  if flat[i] ~= 'all' and flat[i + 1] == '1' then
    names[string.sub(flat[i], 2)] = true
  end
end
for _, group in ipairs(call('SMEMBERS', base .. 'groups')) do
  names[group] = true
end

local function count_parked(group)
  local count = 0
  for _, name in ipairs(call('SMEMBERS', base .. 'parked-names:' .. group)) do
    count = count + call('ZCARD', parked_key(group, name))
  end
  return count
end

-- One seek for each rank in use.
local function oldest_due(group)
  local oldest, rank = nil, '-inf'
  while rank do
    local first = call('ZRANGEBYSCORE', base .. 'queue:' .. group, rank, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    rank = first[2] and '(' .. first[2]
    if first[1] and (not oldest or before(first[1], oldest)) then
      oldest = first[1]
    end
  end
  return oldest
end

local answer = {}
for group in pairs(names) do
  local counts = {
    [SCHEDULED] = call('ZCARD', base .. 'future:' .. group),
    [QUEUED] = call('ZCARD', base .. 'queue:' .. group),
    [SOLO] = call('ZCARD', base .. 'solo:' .. group),
    [PARKED] = count_parked(group),
    [RUNNING] = running[group] or 0,
  }
  for state = SUCCEEDED, 10 do
    counts[state] = call('ZCARD', base .. 'ended:' .. state .. ':' .. group)
  end
  local word = words['+' .. group]
  local line, any = { group, (word or words.all) == '1' and 1 or 0, oldest_due(group) or '' }, word == '1'
  for state, count in pairs(counts) do
    if count > 0 then
      any = true
      line[#line + 1], line[#line + 2] = state, math.min(count, cap)
    end
  end
  if any then
    answer[#answer + 1] = line
  else
    call('SREM', base .. 'groups', group)
  end
end
return { stamp, answer }
