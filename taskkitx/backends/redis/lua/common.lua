-- What every script begins with. KEYS[1] is what every key begins with; ARGV[1] is a test's clock, or nothing.
local base, call = KEYS[1], redis.call
local stamp = ARGV[1]
if stamp == '' then
  local time = call('TIME')
  stamp = time[1] .. '.' .. string.sub('00000' .. time[2], -6)
end
local now = tonumber(stamp)

-- A number as kept: Lua's own tostring would round it.
local function text(number)
  return string.format('%.17g', number)
end

-- The arguments, one after the other.
local at = 1
local function take()
  at = at + 1
  return ARGV[at]
end

-- Groups that may have work now; told once, at the end.
local told, heard = {}, {}
local function hint(group)
  if not heard[group] then
    heard[group] = true
    told[#told + 1] = group
  end
end

local function tell()
  if #told > 0 then
    call('PUBLISH', base .. 'work', table.concat(told, '\n'))
  end
end
