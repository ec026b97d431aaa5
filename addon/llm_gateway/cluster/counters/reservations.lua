-- Reservations: reserve, settle, renew; what was used without one; leases that ran out.

local ops = {}

local function close(who, id, real)
  local packed = redis.call('HGET', OPEN .. who, id)
  if not packed then return 0 end
  local record = cmsgpack.unpack(packed)
  redis.call('HDEL', OPEN .. who, id)
  redis.call('ZREM', LEASES .. who, id)
  for _, hold in ipairs(record.holds) do
    local found, index, held, entry = window(hold[1]), hold[2], hold[3], hold[4]
    found:advance()
    local amount = (real or record.need)[index + 1]
    local more = amount - held
    if index ~= 0 then
      found:more_reserved(who, -held)
      if amount ~= 0 then found:add(who, now, amount) end
    elseif more > 0 then
      found:add(who, now, more)
    elseif more < 0 and entry and entry ~= '' then
      found:take_back(who, entry, -more)
    end
  end
  return 1
end

-- A member is one no more.
local function leave(who)
  redis.call('HDEL', MEMBERS, who)
  for _, name in ipairs({ 'instances', 'folded', 'collected', 'ledgers' }) do redis.call('HDEL', P .. name, who) end
  redis.call('SREM', P .. 'expected', who)
end

-- Nothing that it used stands in any window any more: names do not pile up.
local function purge(who)
  leave(who)
  for _, id in ipairs(redis.call('SMEMBERS', WINDOWS)) do
    local key = P .. 'window:' .. id
    for _, field in ipairs({ 'u:', 'r:' }) do
      if num(redis.call('HGET', key, field .. who)) == 0 then redis.call('HDEL', key, field .. who) end
    end
    redis.call('HDEL', key, 'n:' .. who, 'l:' .. who, 'amount:' .. who)
  end
end

-- Leases that ran out: what was reserved counts as used. Bounded, so that no call is long.
local function sweep()
  local gone
  local all = redis.call('HGETALL', MEMBERS)
  for i = 1, #all, 2 do
    local who = all[i]
    local late = redis.call('ZRANGEBYSCORE', LEASES .. who, '-inf', int(now), 'LIMIT', 0, 200)
    for _, id in ipairs(late) do close(who, id, nil) end
    if #late == 0 and now - num(string.match(all[i + 1], '^%d+')) > GONE then gone = who end
  end
  if gone then purge(gone) end
end

-- id, lease, need, rows [[window, index, bound, length, start, stop]], force
-- After the batch's deadline nothing is reserved: nobody waits for it any more.
function ops.reserve(op)
  local id, need, rows, force = op[2], op[4], op[5], op[6]
  local out = { 1, 0 }
  if not force and req.deadline and now > req.deadline then return { 3, 0 } end
  if redis.call('HEXISTS', OPEN .. member, id) == 1 then
    for _, row in ipairs(rows) do window(row[1]):others(out) end
    return out
  end
  local worst = -1
  for _, row in ipairs(rows) do
    local found, index, bound = window(row[1]), row[2], row[3]
    found:shape(row[4], row[5], row[6])
    found:advance()
    local amount = need[index + 1]
    if bound >= 0 and amount > 0 and not force and amount > bound - found.used - found.reserved then
      worst = math.max(worst, found:fits_at(bound, amount))
    end
  end
  if worst >= 0 then
    out = { 0, worst == NEVER and 0 or worst }
    for _, row in ipairs(rows) do window(row[1]):others(out) end
    return out
  end
  local holds = {}
  for i, row in ipairs(rows) do
    local found, index = window(row[1]), row[2]
    local amount, entry = need[index + 1], ''
    if amount > 0 then
      if index == 0 then entry = found:add(member, now, amount)
      else found:more_reserved(member, amount) end
    end
    holds[i] = { row[1], index, amount, entry }
  end
  redis.call('HSET', OPEN .. member, id, cmsgpack.pack({ need = need, holds = holds }))
  redis.call('ZADD', LEASES .. member, int(now + op[3]), id)
  for _, row in ipairs(rows) do window(row[1]):others(out) end
  return out
end

-- id, real, calendar bounds [[window, start, stop]]
function ops.settle(op)
  for _, row in ipairs(op[4] or {}) do window(row[1]):shape(0, row[2], row[3]) end
  return { close(member, op[2], op[3]) }
end

-- ids, lease
function ops.renew(op)
  for _, id in ipairs(op[2]) do
    redis.call('ZADD', LEASES .. member, 'XX', int(now + op[3]), id)
  end
  return { 1 }
end

-- at, amounts, rows as in `reserve`: what was used without a reservation, or turned out so
function ops.count(op)
  for _, row in ipairs(op[4]) do
    local found, amount = window(row[1]), op[3][row[2] + 1]
    found:shape(row[4], row[5], row[6])
    found:advance()
    local at = math.min(op[2], now)
    local there = found.length == 0 and at >= found.start or at + found.length > now
    if amount > 0 and there then
      found:add(member, at, amount)
    elseif amount < 0 and there then
      if found.length == 0 then
        found:take_back(member, int(found.start), -amount)
      else
        local best, near = nil, NEVER
        local all = redis.call('ZRANGE', found.entries, 0, -1, 'WITHSCORES')
        for i = 1, #all, 2 do
          if owner(all[i]) == member then
            local first = num(redis.call('HGET', found.amounts, all[i] .. ':f'))
            local far = math.max(first - at, at - tonumber(all[i + 1]), 0)
            if far < near then best, near = all[i], far end
          end
        end
        if best then found:take_back(member, best, -amount) end
      end
    end
  end
  return { 1 }
end
