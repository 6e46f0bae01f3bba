-- needs: common
-- The last word on a group holds, or on all of them.
local word, all = take(), take() == 'all'
local key = base .. 'paused'
if all then
  call('DEL', key)
  if word == '1' then
    call('HSET', key, 'all', 1)
  end
end
local all_paused = call('HGET', key, 'all')
while at < #ARGV do
  local group = take()
  call('HDEL', key, '+' .. group) -- what a full Redis lets a script begin with
  if word == '1' or all_paused then
    call('HSET', key, '+' .. group, word)
  end
  hint(group)
end
if word == '0' then
  if all then
    call('PUBLISH', base .. 'work', '')
  end
  tell()
end
return 1
