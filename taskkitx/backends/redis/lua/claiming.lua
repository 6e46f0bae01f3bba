-- Claims: promotion, order, what a claim writes.
local PROMOTED_AT_ONCE = 1000

local function awake(group)
  local words = call('HMGET', base .. 'paused', '+' .. group, 'all')
  return (words[1] or words[2]) ~= '1'
end

-- Queues what is due, a bounded number, paused or not.
local function promote(group)
  local future = base .. 'future:' .. group
  for _, id in ipairs(call('ZRANGEBYSCORE', future, '-inf', stamp, 'LIMIT', 0, PROMOTED_AT_ONCE)) do
    call('ZREM', future, id)
    local row = call('HMGET', base .. 'task:' .. id, 'due', 'rank')
    if row[1] then
      local due, rank = tonumber(row[1]) or 0, tonumber(row[2] or 0) or 0
      call('ZADD', base .. 'queue:' .. group, rank, place(due, id))
      call('HSET', base .. 'task:' .. id, 'state', QUEUED)
    else
      call('ZREM', base .. 'ids:' .. group, id)
    end
  end
end

-- Claims tasks that have left their structure already: {id, fields as they were}. Those whose hash Redis has lost are
-- dropped and told in `lost`.
local function claim(ids, worker, claims, lost)
  local owned = {}
  for _, id in ipairs(ids) do
    local key = base .. 'task:' .. id
    local flat = redis.pcall('HGETALL', key) -- of another type, it is none, too
    local attempt, unique = 0, false
    for i = 1, #flat, 2 do
      if flat[i] == 'attempt' then
        attempt = math.floor(tonumber(flat[i + 1]) or 0)
      elseif flat[i] == 'unique_key' then
        unique = true
      end
    end
    if #flat == 0 then
      lost[#lost + 1] = id
      call('ZREM', base .. 'ids:' .. group_of(id), id)
    else
      call('HSET', key, 'state', RUNNING, 'attempt', attempt + 1, 'worker', worker, 'began', stamp)
      owned[#owned + 1] = id
      claims[#claims + 1] = { id, flat }
      if unique then
        settle_key(load(id))
      end
    end
  end
  for i = 1, #owned, 1000 do
    call('SADD', base .. 'running:' .. worker, unpack(owned, i, math.min(i + 999, #owned)))
  end
  if #owned > 0 then
    call('SADD', base .. 'owners', worker)
  end
end

-- The first `count` of a sorted set of places, which leave it.
local function pop(key, count)
  local ids = call('ZPOPMIN', key, count)
  local popped = {}
  for i = 1, #ids, 2 do
    popped[#popped + 1] = id_at(ids[i])
  end
  return popped
end
