-- needs: common place rows putting claiming
-- Writes outcomes, each if its fence holds, then puts what follows them, then claims.
-- Returns now, the ids that were refused, the ids that Redis has lost, the claims, whether the store was emptied since
-- the worker registered: then nothing is claimed, because nobody would know for whom.
local worker, epoch = take(), take()
local emptied = epoch ~= '' and call('GET', base .. 'epoch') ~= epoch
local refused, lost, claims, written = {}, {}, {}, {}
local ARGUMENTS = { s = 1, r = 5, f = 4, d = 0, c = 0, e = 0 }
local ENDS = { d = 9, c = 8, e = 10 }

-- First all fences are read: what frees memory must be the first thing that is written (see `move`).
local plain, others, seen = {}, {}, {}
for number = 1, tonumber(take()) do
  local id, attempt, kind = take(), take(), take()
  local fence = call('HMGET', base .. 'task:' .. id, 'attempt', 'worker', 'state', 'ttl', 'unique_key', 'solo', 'loss')
  if fence[1] ~= attempt or fence[2] ~= worker then
    refused[#refused + 1] = id
  elseif fence[3] == '5' and not seen[id] then
    seen[id], written[number] = true, true
    if kind == 's' and not fence[5] then
      plain[#plain + 1] = { id, at + 1, fence[4], fence[6] or fence[7] }
    else
      others[#others + 1] = { id, at + 1, kind }
    end
  end
  at = at + ARGUMENTS[kind]
end

-- Batches of one kind of success: the hot path.
local function in_parts(command, key, values)
  for i = 1, #values, 1000 do
    call(command, key, unpack(values, i, math.min(i + 999, #values)))
  end
end

local ids, ended, disposable, disposable_after = {}, {}, {}, {}
for i, one in ipairs(plain) do
  local group, ttl = group_of(one[1]), one[3]
  disposable_after[ttl] = disposable_after[ttl] or text(now + (tonumber(ttl) or 0))
  ids[i], disposable[i] = one[1], disposable_after[ttl]
  ended[group] = ended[group] or {}
  local done = ended[group]
  done[#done + 1], done[#done + 2] = disposable[i], one[1]
end
in_parts('SREM', base .. 'running:' .. worker, ids)
for group, done in pairs(ended) do
  in_parts('ZADD', base .. 'ended:6:' .. group, done)
end
for i, one in ipairs(plain) do
  local key = base .. 'task:' .. one[1]
  if one[4] then
    call('HDEL', key, 'solo', 'loss')
  end
  call('HSET', key, 'state', SUCCEEDED, 'result', ARGV[one[2]], 'done', stamp, 'disposable', disposable[i])
  call('PUBLISH', base .. 'end:' .. one[1], '')
end

for _, one in ipairs(others) do
  local row, first, kind = load(one[1]), one[2], one[3]
  local changed = { solo = false, loss = false }
  if kind == 's' then
    changed.result = ARGV[first]
    finish(row, SUCCEEDED, changed)
  elseif kind == 'f' then
    changed.error = ARGV[first]
    finish(row, FAILED, changed)
    remember(row, worker, 'failed', ARGV[first + 1], ARGV[first + 2], ARGV[first + 3])
  elseif kind == 'r' then
    local interval = tonumber(ARGV[first])
    changed.retry_count = tonumber(row.retry_count or '0') + tonumber(ARGV[first + 1])
    wait_again(row, now + math.max(0, interval), changed)
    remember(row, worker, 'retried', ARGV[first + 2], ARGV[first + 3], ARGV[first + 4])
  else
    finish(row, ENDS[kind], changed)
  end
end

for _ = 1, tonumber(take()) do
  local number, size = tonumber(take()), tonumber(take())
  if written[number] then
    put()
  else
    at = at + size
  end
end

while at < #ARGV and not emptied do
  local group, limit = take(), tonumber(take())
  promote(group)
  if awake(group) then
    local wanted = #claims + limit
    repeat
      local popped = pop(base .. 'queue:' .. group, wanted - #claims)
      claim(popped, worker, claims, lost)
    until #claims >= wanted or #popped == 0
  end
end
tell()
return { stamp, refused, lost, claims, emptied }
