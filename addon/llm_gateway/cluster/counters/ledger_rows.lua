-- Rows of the ledgers, on their way to the one that collects them.

-- Finished requests: rows [[number, JSON]] of a ledger, most kept in the stream
function ops.ship(op)
  for _, row in ipairs(op[3]) do
    redis.call('XADD', P .. 'rows', 'MAXLEN', '~', int(op[4]), '*',
      'from', member, 'ledger', op[2], 'n', int(row[1]), 'row', row[2])
  end
  return { 1 }
end

-- this ledger: take them all; refused while another member that is alive does
function ops.collect(op)
  local known = redis.call('HGET', META, 'collector')
  local who = known and string.match(known, '^(%S+) ')
  if who and who ~= member then
    local heard = redis.call('HGET', MEMBERS, who)
    if heard and now - num(string.match(heard, '^%d+')) < 60000000 then return { 0, who } end
  end
  redis.call('HSET', META, 'collector', member .. ' ' .. op[2])
  return { 1, member }
end

-- It was one that was away for long, and another took its place.
local function collects()
  local known = redis.call('HGET', META, 'collector')
  return known and string.match(known, '^(%S+) ') == member
end

-- place: rows after it, [place, from, ledger, n, row, …]; nothing for who collects no more
function ops.rows(op)
  if not collects() then return { '' } end
  local out = { op[2] }
  for _, found in ipairs(redis.call('XRANGE', P .. 'rows', '(' .. op[2], '+', 'COUNT', op[3])) do
    out[1] = found[1]
    for i = 2, 8, 2 do out[#out + 1] = found[2][i] end
  end
  return out
end

-- place, [[member, ledger, n]]: all up to there is in the collector's ledger
function ops.collected(op)
  if not collects() then return { 0 } end
  for _, row in ipairs(op[3]) do
    redis.call('HSET', P .. 'collected', row[1], row[2] .. ' ' .. row[3])
  end
  redis.call('XTRIM', P .. 'rows', 'MINID', op[2])
  return { 1 }
end
