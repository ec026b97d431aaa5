-- Folds: a member's part of every window is replaced; looks at what the others have.

-- ids that the member has asked for and had no answer yet
-- A member's part begins anew: what it held open is named again after its windows.
function ops.fold_begin(op)
  local asked = {}
  for _, id in ipairs(op[2]) do asked[id] = redis.call('HGET', OPEN .. member, id) end
  redis.call('DEL', OPEN .. member, LEASES .. member)
  for id, record in pairs(asked) do
    if record then redis.call('HSET', OPEN .. member, id, record) end
  end
  return { 1 }
end

-- window, label, bound, length, start, stop, used, reserved, entries [[name, first, last, amount]]
function ops.fold(op)
  local found = window(op[2])
  found:shape(op[5], op[6], op[7])
  found:advance()
  local amount = 'amount:' .. member
  if redis.call('HGET', found.key, amount) ~= int(op[4]) then redis.call('HINCRBY', META, 'amounts', 1) end
  redis.call('HSET', found.key, 'label', op[3], amount, int(op[4]))
  for _, entry in ipairs(redis.call('ZRANGE', found.entries, 0, -1)) do
    if owner(entry) == member then found:drop(entry) end
  end
  found:more_used(member, -found.own_used)
  found:more_reserved(member, op[9] - found.own_reserved)
  redis.call('HDEL', found.key, 'n:' .. member, 'l:' .. member)
  if found.length == 0 then
    if op[6] == found.start then found:more_used(member, op[8]) end
  else
    for _, entry in ipairs(op[10]) do
      if entry[3] + found.length > now then
        found:add(member, entry[3], entry[4], entry[1])
        redis.call('HSET', found.amounts, entry[1] .. ':f', int(entry[2]))
      end
    end
    found:set_next()
  end
  expiry(found)
  return { 1 }
end

-- id, need, holds [[window, index, amount, entry]], lease
function ops.open(op)
  redis.call('HSET', OPEN .. member, op[2], cmsgpack.pack({ need = op[3], holds = op[4] }))
  redis.call('ZADD', LEASES .. member, int(now + op[5]), op[2])
  return { 1 }
end

-- as `reserve`, of one that `fold_begin` named: it is held still, if it was
function ops.keep(op)
  if redis.call('HDEL', OPEN .. member, op[2]) == 0 then return { 0 } end
  return ops.reserve(op)
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
