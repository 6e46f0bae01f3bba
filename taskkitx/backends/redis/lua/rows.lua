-- A task as a row, and its way from one structure to the next (keys.py lists them).
local function group_of(id)
  return string.match(id, '^(.*)_') or id
end

-- What scripts decide by. Data, results and the like may be large: they stay where they are.
local FIELDS = { 'state', 'name', 'due', 'created', 'ttl', 'rank', 'attempt', 'worker', 'began', 'retry_count', 'crashes',
  'lost', 'solo', 'cancel', 'unique_key', 'unique_until', 'unique_for' }

local NUMBERS = { 'due', 'created', 'ttl', 'rank', 'attempt', 'retry_count', 'crashes', 'lost', 'unique_for' }

local function load(id)
  local values = call('HMGET', base .. 'task:' .. id, unpack(FIELDS))
  if not values[1] then
    return nil
  end
  local row = {}
  for i, field in ipairs(FIELDS) do
    row[field] = values[i] or nil
  end
  for _, field in ipairs(NUMBERS) do
    if row[field] and not tonumber(row[field]) then
      row[field] = '0' -- somebody else has written there
    end
  end
  row.due, row.created, row.ttl = row.due or '0', row.created or '0', row.ttl or '0'
  row.id, row.group, row.state = id, group_of(id), tonumber(row.state)
  return row
end

local function id_at(member)
  return string.sub(member, 10)
end

-- Whether one comes before another in bytes; Lua's own comparison goes by the server's locale.
local function before(one, another)
  for i = 1, math.min(#one, #another) do
    local left, right = string.byte(one, i), string.byte(another, i)
    if left ~= right then
      return left < right
    end
  end
  return #one < #another
end

local function parked_key(group, name)
  return base .. 'parked:' .. #group .. ':' .. group .. ':' .. name
end

local function leave(row)
  local state, group, id = row.state, row.group, row.id
  if state == QUEUED then
    call('ZREM', base .. 'queue:' .. group, place(row.due, id))
  elseif state == SCHEDULED then
    call('ZREM', base .. 'future:' .. group, id)
  elseif state == RUNNING then
    call('SREM', base .. 'running:' .. row.worker, id)
  elseif state == SOLO then
    call('ZREM', base .. 'solo:' .. group, place(row.due, id))
  elseif state == PARKED then
    local key = parked_key(group, row.name)
    call('ZREM', key, place(row.due, id))
    if call('EXISTS', key) == 0 then
      call('SREM', base .. 'parked-names:' .. group, row.name)
    end
  elseif state >= SUCCEEDED then
    call('ZREM', base .. 'ended:' .. state .. ':' .. group, id)
  end
end

local function enter(row)
  local state, group, id = row.state, row.group, row.id
  local rank = row.rank or '0'
  if state == QUEUED then
    call('ZADD', base .. 'queue:' .. group, rank, place(row.due, id))
    hint(group)
  elseif state == SCHEDULED then
    call('ZADD', base .. 'future:' .. group, row.due, id)
    hint(group)
  elseif state == RUNNING then
    call('SADD', base .. 'running:' .. row.worker, id)
    call('SADD', base .. 'owners', row.worker)
  elseif state == SOLO then
    call('ZADD', base .. 'solo:' .. group, rank, place(row.due, id))
    hint(group)
  elseif state == PARKED then
    call('ZADD', parked_key(group, row.name), rank, place(row.due, id))
    call('SADD', base .. 'parked-names:' .. group, row.name)
    hint(group)
  elseif state >= SUCCEEDED then
    call('ZADD', base .. 'ended:' .. state .. ':' .. group, row.disposable, id)
    call('PUBLISH', base .. 'end:' .. id, '')
  end
end

-- Whether its unique key may stand in the way of another task's.
local function binds(row)
  local mode, waits = row.unique_until, row.state < RUNNING
  if mode == 'queued' then
    return waits
  elseif mode == 'started' then
    return waits and (row.attempt or '0') == '0'
  elseif mode == 'window' then
    return now < tonumber(row.created) + tonumber(row.unique_for or '0')
  end
  return row.state < SUCCEEDED
end

local function holder(unique_key)
  local id = call('HGET', base .. 'unique', unique_key)
  local row = id and load(id)
  return row and binds(row) and id
end

local function free_key(row)
  if row.unique_key and call('HGET', base .. 'unique', row.unique_key) == row.id then
    call('HDEL', base .. 'unique', row.unique_key)
  end
end

-- It takes or leaves its unique key, as what has become of it says.
local function settle_key(row)
  if not row.unique_key then
    return
  elseif not binds(row) then
    free_key(row)
  elseif row.state < RUNNING and not holder(row.unique_key) then
    call('HSET', base .. 'unique', row.unique_key, row.id)
  end
end

-- The row goes into another state; `changed` are its fields that change, false for those that go.
-- What frees memory comes first: a script that has begun to write is not stopped by a full Redis.
local function move(row, state, changed)
  leave(row)
  local set, gone = { 'state', state }, {}
  row.state = state
  for field, value in pairs(changed) do
    if value == false then
      gone[#gone + 1], row[field] = field, nil
    else
      set[#set + 1], set[#set + 2], row[field] = field, value, value
    end
  end
  local key = base .. 'task:' .. row.id
  if #gone > 0 then
    call('HDEL', key, unpack(gone))
  end
  call('HSET', key, unpack(set))
  enter(row)
  settle_key(row)
end

-- It has finished.
local function finish(row, state, changed)
  changed.done, changed.disposable = stamp, text(now + tonumber(row.ttl))
  move(row, state, changed)
end

-- It waits again, until `due`, or where it stood; unless somebody had asked to cancel it.
local function wait_again(row, due, changed)
  changed.due = due and text(due) or row.due
  if row.cancel then
    finish(row, CANCELLED, changed)
  elseif changed.solo or (row.solo and changed.solo ~= false) then
    move(row, SOLO, changed)
  else
    move(row, due and due > now and SCHEDULED or QUEUED, changed)
  end
end

-- An attempt that did not succeed, after what it came to was written (see `move`).
local function remember(row, worker, word, kind, message, trace)
  local key = base .. 'history:' .. row.id
  call('RPUSH', key, row.attempt, worker, row.began or '', stamp, word, kind, message, trace)
  call('LTRIM', key, -800, -1)
end

local function forget(row)
  leave(row)
  free_key(row)
  call('ZREM', base .. 'ids:' .. row.group, row.id)
  call('UNLINK', base .. 'task:' .. row.id, base .. 'history:' .. row.id)
  call('PUBLISH', base .. 'end:' .. row.id, '')
end

local function owns(row, worker, attempt)
  return row and row.state == RUNNING and row.worker == worker and row.attempt == attempt
end

-- Whether a row is in one of these states, written as ",6,7,"; nothing means any.
local function is_in(row, states)
  return states == '' or string.find(states, ',' .. row.state .. ',', 1, true)
end
