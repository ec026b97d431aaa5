-- Members: heartbeats, hello, generations, farewell; what providers said to one of them.

-- place, or `+` for the newest: what providers said to members since, [place, from, word, …]
function ops.hear(op)
  local out = { op[2] }
  if op[2] == '+' then
    local newest = redis.call('XREVRANGE', P .. 'words', '+', '-', 'COUNT', 1)
    out[1] = newest[1] and newest[1][1] or '0-0'
    return out
  end
  for _, found in ipairs(redis.call('XRANGE', P .. 'words', '(' .. op[2], '+', 'COUNT', 200)) do
    out[1] = found[1]
    out[#out + 1] = found[2][2]
    out[#out + 1] = found[2][4]
  end
  return out
end

-- Who was heard of in the last day and has not folded in this generation.
local function absent()
  local meta = redis.call('HMGET', META, 'generation', 'began')
  local found = {}
  for _, who in ipairs(redis.call('SMEMBERS', P .. 'expected')) do
    if redis.call('HGET', P .. 'folded', who) ~= meta[1] then
      local heard = redis.call('HGET', MEMBERS, who)
      local at = num(heard and string.match(heard, '^%d+') or meta[2])
      if now - at < DAY then found[#found + 1] = who end
    end
  end
  return found
end

-- what the member says of itself (JSON), windows to keep
function ops.beat(op)
  redis.call('HSET', MEMBERS, member, int(now) .. ' ' .. op[2])
  for _, id in ipairs(op[3]) do
    local found = window(id)
    if found.known then found:expire() end
  end
  sweep()
  local out = {
    int(num(redis.call('HGET', META, 'windows'))),
    redis.call('HGET', META, 'collector') or '',
    redis.call('HGET', P .. 'collected', member) or '',
    redis.call('HGET', META, 'amounts') or '0',
    table.concat(absent(), ' '),
  }
  for _, text in ipairs(redis.call('HGETALL', MEMBERS)) do out[#out + 1] = text end
  return out
end

function ops.members(op) return redis.call('HGETALL', MEMBERS) end

-- salt to propose, members that were heard of, ledger
-- `taken`, when: a member with another ledger was heard of just then under this name
function ops.hello(op)
  local known = redis.call('HGET', P .. 'ledgers', member)
  if known and op[4] ~= '' and known ~= op[4] then
    local at = string.match(redis.call('HGET', MEMBERS, member) or '', '^%d+')
    if now - num(at) < JUST_NOW then return { 'taken', at } end
  end
  redis.call('HSET', P .. 'ledgers', member, op[4])
  redis.call('HSETNX', META, 'salt', op[2])
  redis.call('HSET', P .. 'instances', member, req.instance)
  for _, who in ipairs(op[3]) do redis.call('SADD', P .. 'expected', who) end
  if redis.call('HEXISTS', MEMBERS, member) == 0 then
    redis.call('HSET', MEMBERS, member, int(now) .. ' {}')
  end
  local out = { redis.call('HGET', META, 'salt') }
  for _, id in ipairs(redis.call('SMEMBERS', WINDOWS)) do
    if redis.call('EXISTS', P .. 'window:' .. id) == 1 then out[#out + 1] = id
    else redis.call('SREM', WINDOWS, id) end
  end
  return out
end

-- What went before is not to be trusted: everybody folds anew.
-- shift: the clock was set by so much; who was heard of just now still is
function ops.renew_generation(op)
  redis.call('HSET', META, 'generation', req.fresh, 'began', int(now))
  redis.call('DEL', P .. 'folded')
  if op[2] == 0 then return { 1 } end
  local all = redis.call('HGETALL', MEMBERS)
  for i = 1, #all, 2 do
    local at, about = string.match(all[i + 1], '^(%d+) (.*)$')
    local moved = math.min(num(at) + math.max(op[2], 0), now)
    redis.call('HSET', MEMBERS, all[i], int(moved) .. ' ' .. (about or '{}'))
  end
  return { 1 }
end

-- member: gone for good; what it held open counts as used
function ops.forget(op)
  local who, ended = op[2], 0
  for _, id in ipairs(redis.call('HKEYS', OPEN .. who)) do ended = ended + close(who, id, nil) end
  leave(who)
  return { ended }
end

-- what a provider said (JSON), for the others
function ops.tell(op)
  redis.call('XADD', P .. 'words', 'MAXLEN', '~', '10000', '*', 'from', member, 'word', op[2])
  return { 1 }
end
