-- Folds: a member's part of every window is replaced; looks at what the others have.

-- ids that the member has asked for and had no answer yet
-- A member's part begins anew: what it holds open is named again, then its windows.
function ops.fold_begin(op)
  local asked = {}
  for i, id in ipairs(op[2]) do
    asked[i] = { id, redis.call('HGET', OPEN .. member, id), redis.call('ZSCORE', LEASES .. member, id) }
  end
  redis.call('DEL', OPEN .. member, LEASES .. member)
  for _, one in ipairs(asked) do
    if one[2] then
      redis.call('HSET', OPEN .. member, one[1], one[2])
      redis.call('ZADD', LEASES .. member, one[3], one[1])
    end
  end
  return { 1 }
end

-- What one of those holds of a window, if it was granted: the fold does not know of it.
local function keep(found, id)
  local packed = redis.call('HGET', OPEN .. member, id)
  if not packed then return end
  local record = cmsgpack.unpack(packed)
  for _, hold in ipairs(record.holds) do
    if hold[1] == found.id and hold[3] > 0 then
      if hold[2] ~= 0 then found:more_reserved(member, hold[3])
      else hold[4] = found:add(member, now, hold[3]) end
    end
  end
  redis.call('HSET', OPEN .. member, id, cmsgpack.pack(record))
end

-- A command with many words, in parts that fit on the stack: a call for each takes its time.
local function many(command, key, words)
  for at = 1, #words, 1000 do
    redis.call(command, key, unpack(words, at, math.min(at + 999, #words)))
  end
end

-- The member's entries are these now: [[name, first, last, amount]], by their last moment.
function Window:replace(entries)
  local mine, gone, fields = member .. '|', {}, {}
  for _, entry in ipairs(redis.call('ZRANGE', self.entries, 0, -1)) do
    if string.sub(entry, 1, #mine) == mine then
      gone[#gone + 1] = entry
      fields[#fields + 1] = entry
      fields[#fields + 1] = entry .. ':f'
    end
  end
  many('ZREM', self.entries, gone)
  many('HDEL', self.amounts, fields)
  local sum, last, count, scores, values = 0, nil, 0, {}, {}
  for _, entry in ipairs(entries) do
    if entry[3] + self.length > now then
      last, count, sum = entry[1], count + 1, sum + entry[4]
      scores[#scores + 1], scores[#scores + 2] = int(entry[3]), last
      local at = #values
      values[at + 1], values[at + 2] = last, int(entry[4])
      values[at + 3], values[at + 4] = last .. ':f', int(entry[2])
    end
  end
  many('ZADD', self.entries, scores)
  many('HSET', self.amounts, values)
  self:more_used(member, sum - self.own_used)
  redis.call('HDEL', self.key, 'n:' .. member, 'l:' .. member)
  if last then redis.call('HSET', self.key, 'n:' .. member, count, 'l:' .. member, last) end
  self:set_next()
end

-- window, label, bound, length, start, stop, used, reserved,
-- entries [[name, first, last, amount]], ids that are asked for and hold some of it
function ops.fold(op)
  local found = window(op[2])
  found:shape(op[5], op[6], op[7])
  found:advance()
  local amount = 'amount:' .. member
  if redis.call('HGET', found.key, amount) ~= int(op[4]) then redis.call('HINCRBY', META, 'amounts', 1) end
  redis.call('HSET', found.key, 'label', op[3], amount, int(op[4]))
  found:more_reserved(member, op[9] - found.own_reserved)
  if found.length == 0 then
    local used = op[6] == found.start and op[8] or 0
    found:more_used(member, used - found.own_used)
  else
    found:replace(op[10])
  end
  for _, id in ipairs(op[11]) do keep(found, id) end
  found:expire()
  return { 1 }
end

-- id, need, holds [[window, index, amount, entry]], lease
function ops.open(op)
  redis.call('HSET', OPEN .. member, op[2], cmsgpack.pack({ need = op[3], holds = op[4] }))
  redis.call('ZADD', LEASES .. member, int(now + op[5]), op[2])
  return { 1 }
end

-- windows that are none of the member's: of an account that it has no more, perhaps
function ops.no_amount(op)
  local gone = 0
  for _, id in ipairs(op[2]) do
    gone = gone + redis.call('HDEL', P .. 'window:' .. id, 'amount:' .. member)
  end
  if gone > 0 then redis.call('HINCRBY', META, 'amounts', 1) end
  return { gone }
end

-- windows: what each member allows where they differ, [member, amount, …] of each
function ops.amounts(op)
  local out = {}
  for i, id in ipairs(op[2]) do
    local found, first, differ = {}, nil, false
    local all = redis.call('HGETALL', P .. 'window:' .. id)
    for j = 1, #all, 2 do
      local who = string.match(all[j], '^amount:(.*)$')
      if who then
        found[#found + 1], found[#found + 2] = who, all[j + 1]
        first = first or all[j + 1]
        differ = differ or all[j + 1] ~= first
      end
    end
    out[i] = differ and found or {}
  end
  return out
end

function ops.fold_end(op)
  redis.call('HSET', P .. 'folded', member, redis.call('HGET', META, 'generation'))
  return { 1 }
end

-- windows that are asked about
function ops.look(op)
  local out = {}
  for _, id in ipairs(op[2]) do
    local found = window(id)
    found:advance()
    found:others(out)
  end
  return out
end

function ops.windows(op) return redis.call('SMEMBERS', WINDOWS) end
