-- States, and where a task stands among others.
local SCHEDULED, QUEUED, SOLO, PARKED, RUNNING, SUCCEEDED, FAILED, CANCELLED = 0, 1, 2, 3, 5, 6, 7, 8

-- Where a task stands among those of its rank: by due, then by id, in bytes. Big-endian doubles sort as numbers, but
-- for negative ones, which sort the other way round.
local function place(due, id)
  due = tonumber(due)
  if due >= 0 then
    return '1' .. struct.pack('>d', due == 0 and 0 or due) .. id
  end
  local flipped = string.gsub(struct.pack('>d', due), '.', function(byte)
    return string.char(255 - string.byte(byte))
  end)
  return '0' .. flipped .. id
end

