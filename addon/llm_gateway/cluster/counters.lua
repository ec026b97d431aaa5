-- Shared counters of one cluster of gateways: reserve, settle, renew, fold, beat.
--
-- One call is one batch of operations of one member, done whole and in order.
--   KEYS[1]  prefix of all keys, `llm-gateway:{NAME}:`
--   ARGV[1]  JSON {member, instance, generation, fresh, deadline?, now?, ops}
--   result   {generation, sequence, server time, ready, status, results}
-- Times are whole microseconds, money is nano-dollars: all below 2^53, so a Lua number
-- holds them exactly.
--
-- A window keeps totals (`used`, `reserved`) and what each member has of them (`u:NAME`,
-- `r:NAME`), so that one member's part can be replaced whole: that is a fold. A rolling
-- window has its entries in a sorted set, by the moment they came last. The arithmetic is
-- that of the memory engine (limits/windows.py): what one says, the other says.

local P = KEYS[1]
local req = cjson.decode(ARGV[1])
local member = req.member
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if req.now then now = req.now end -- a test's own clock

local EXACT, STEPS = 512, 256
local DAY = 86400000000
local FOLDING = 60000000
local NEVER = 9007199254740991
local META, MEMBERS, WINDOWS = P .. 'meta', P .. 'members', P .. 'windows'
local OPEN, LEASES = P .. 'open:', P .. 'leases:'

local function num(text) return tonumber(text or '0') or 0 end
local function int(number) return string.format('%.0f', number) end
local function owner(entry) return string.match(entry, '^(.*)|[^|]*$') end

local Window = {}
Window.__index = Window
local loaded = {}

local function window(id)
  local found = loaded[id]
  if found then return found end
  local key = P .. 'window:' .. id
  local f = redis.call('HMGET', key, 'used', 'reserved', 'next', 'length', 'start', 'end',
    'u:' .. member, 'r:' .. member)
  found = setmetatable({
    id = id, key = key, entries = P .. 'entries:' .. id, amounts = P .. 'amounts:' .. id,
    known = f[4] and true or false,
    used = num(f[1]), reserved = num(f[2]), next = f[3] and num(f[3]) or NEVER,
    length = num(f[4]), start = num(f[5]), stop = num(f[6]),
    own_used = num(f[7]), own_reserved = num(f[8]),
  }, Window)
  loaded[id] = found
  return found
end

-- length 0: a calendar window, from `start` to `stop`.
function Window:shape(length, start, stop)
  if not self.known then
    self.known, self.length, self.start, self.stop = true, length, start, stop
    redis.call('HSET', self.key, 'length', int(length), 'start', int(start), 'end', int(stop),
      'used', '0', 'reserved', '0')
    redis.call('SADD', WINDOWS, self.id)
    redis.call('HINCRBY', META, 'windows', 1)
  elseif self.length == 0 and start > self.start and start <= now then
    self:clear(start, stop)
  end
  if self.length == 0 and self.stop == 0 and start == self.start then
    self.stop = stop
    redis.call('HSET', self.key, 'end', int(stop))
  end
end

function Window:clear(start, stop)
  for _, field in ipairs(redis.call('HKEYS', self.key)) do
    if string.sub(field, 1, 2) == 'u:' then redis.call('HDEL', self.key, field) end
  end
  self.used, self.own_used, self.start, self.stop = 0, 0, start, stop
  redis.call('HSET', self.key, 'used', '0', 'start', int(start), 'end', int(stop))
end

function Window:more_used(who, amount)
  if amount == 0 then return end
  self.used = self.used + amount
  redis.call('HINCRBY', self.key, 'used', int(amount))
  redis.call('HINCRBY', self.key, 'u:' .. who, int(amount))
  if who == member then self.own_used = self.own_used + amount end
end

function Window:more_reserved(who, amount)
  if amount == 0 then return end
  self.reserved = self.reserved + amount
  redis.call('HINCRBY', self.key, 'reserved', int(amount))
  redis.call('HINCRBY', self.key, 'r:' .. who, int(amount))
  if who == member then self.own_reserved = self.own_reserved + amount end
end

function Window:set_next()
  local first = redis.call('ZRANGE', self.entries, 0, 0, 'WITHSCORES')
  self.next = first[2] and (tonumber(first[2]) + self.length) or NEVER
  redis.call('HSET', self.key, 'next', int(self.next))
end

function Window:drop(entry)
  local gone = num(redis.call('HGET', self.amounts, entry))
  local who = owner(entry)
  self:more_used(who, -gone)
  redis.call('HINCRBY', self.key, 'n:' .. who, -1)
  redis.call('HDEL', self.amounts, entry, entry .. ':f')
  redis.call('ZREM', self.entries, entry)
end

function Window:advance()
  if self.length == 0 then
    -- The next one begins where this one ends; how long it lasts, a member will say.
    if self.stop ~= 0 and now >= self.stop then self:clear(self.stop, 0) end
    return
  end
  if now < self.next then return end
  local gone = redis.call('ZRANGEBYSCORE', self.entries, '-inf', int(now - self.length))
  for _, entry in ipairs(gone) do self:drop(entry) end
  self:set_next()
end

-- Counts an amount from `at` on; the entry's name, for `take_back`.
function Window:add(who, at, amount, name)
  self:more_used(who, amount)
  if self.length == 0 then return int(self.start) end
  local last = redis.call('HMGET', self.key, 'l:' .. who, 'n:' .. who)
  local entry = last[1]
  if entry and not name then
    local score = redis.call('ZSCORE', self.entries, entry)
    if score then
      local first = num(redis.call('HGET', self.amounts, entry .. ':f'))
      local crowded = num(last[2]) >= EXACT and at - first < self.length / STEPS
      if at <= tonumber(score) or crowded then
        redis.call('HINCRBY', self.amounts, entry, int(amount))
        if at > tonumber(score) then
          redis.call('ZADD', self.entries, int(at), entry)
          self:set_next()
        end
        return entry
      end
    end
  end
  entry = name or (who .. '|' .. int(redis.call('HINCRBY', self.key, 'entry', 1)))
  redis.call('ZADD', self.entries, int(at), entry)
  redis.call('HSET', self.amounts, entry, int(amount), entry .. ':f', int(at))
  redis.call('HSET', self.key, 'l:' .. who, entry)
  redis.call('HINCRBY', self.key, 'n:' .. who, 1)
  if at + self.length < self.next then
    self.next = at + self.length
    redis.call('HSET', self.key, 'next', int(self.next))
  end
  return entry
end

function Window:take_back(who, entry, amount)
  if self.length == 0 then
    if entry ~= int(self.start) then return end
    local most = num(redis.call('HGET', self.key, 'u:' .. who))
    self:more_used(who, -math.min(amount, most))
    return
  end
  local there = redis.call('HGET', self.amounts, entry)
  if not there then return end
  amount = math.min(amount, num(there))
  redis.call('HINCRBY', self.amounts, entry, int(-amount))
  self:more_used(who, -amount)
end

-- When so much would fit, if what is open ended now. NEVER: it is more than the limit.
function Window:fits_at(bound, amount)
  if amount > bound then return NEVER end
  local room = bound - self.reserved - amount
  if self.used <= room then return now end
  if self.length == 0 then return self.stop end
  if room < 0 then return now + self.length end
  local used, at = self.used, now
  local rows = redis.call('ZRANGE', self.entries, 0, -1, 'WITHSCORES')
  for i = 1, #rows, 2 do
    if used <= room then break end
    used = used - num(redis.call('HGET', self.amounts, rows[i]))
    at = tonumber(rows[i + 1]) + self.length
  end
  return at
end

-- What the others have of it, and when something comes back next.
function Window:others(into)
  local back = self.length == 0 and self.stop or self.next
  into[#into + 1] = self.used - self.own_used
  into[#into + 1] = self.reserved - self.own_reserved
  into[#into + 1] = back == NEVER and 0 or back
end

local function expiry(found)
  local keep = math.floor((math.max(found.length, 0) + 2 * DAY) / 1000)
  if found.length == 0 then keep = math.floor(33 * DAY / 1000) end
  redis.call('PEXPIRE', found.key, int(keep))
  redis.call('PEXPIRE', found.entries, int(keep))
  redis.call('PEXPIRE', found.amounts, int(keep))
end

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

-- Leases that ran out: what was reserved counts as used. Bounded, so that no call is long.
local function sweep()
  for _, who in ipairs(redis.call('HKEYS', MEMBERS)) do
    local late = redis.call('ZRANGEBYSCORE', LEASES .. who, '-inf', int(now), 'LIMIT', 0, 200)
    for _, id in ipairs(late) do close(who, id, nil) end
  end
end

local ops = {}

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
          local first = num(redis.call('HGET', found.amounts, all[i] .. ':f'))
          local far = math.max(first - at, at - tonumber(all[i + 1]), 0)
          if owner(all[i]) == member and far < near then best, near = all[i], far end
        end
        if best then found:take_back(member, best, -amount) end
      end
    end
  end
  return { 1 }
end

-- A member's part begins anew: what it held open is named again after its windows.
function ops.fold_begin(op)
  redis.call('DEL', OPEN .. member, LEASES .. member)
  return { 1 }
end

-- window, label, bound, length, start, stop, used, reserved, entries [[name, first, last, amount]]
function ops.fold(op)
  local found = window(op[2])
  found:shape(op[5], op[6], op[7])
  found:advance()
  redis.call('HSET', found.key, 'label', op[3], 'amount:' .. member, int(op[4]))
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

-- what the member says of itself (JSON), windows to keep
function ops.beat(op)
  redis.call('HSET', MEMBERS, member, int(now) .. ' ' .. op[2])
  for _, id in ipairs(op[3]) do
    local found = window(id)
    if found.known then expiry(found) end
  end
  sweep()
  local out = {
    int(num(redis.call('HGET', META, 'windows'))),
    redis.call('HGET', META, 'collector') or '',
    redis.call('HGET', P .. 'collected', member) or '',
  }
  for _, text in ipairs(redis.call('HGETALL', MEMBERS)) do out[#out + 1] = text end
  return out
end

-- salt to propose, members that were heard of
function ops.hello(op)
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
function ops.renew_generation(op)
  redis.call('HSET', META, 'generation', req.fresh, 'began', int(now))
  redis.call('DEL', P .. 'folded')
  return { 1 }
end

-- member: gone for good; what it held open counts as used
function ops.forget(op)
  local who, ended = op[2], 0
  for _, id in ipairs(redis.call('HKEYS', OPEN .. who)) do ended = ended + close(who, id, nil) end
  redis.call('HDEL', MEMBERS, who)
  redis.call('HDEL', P .. 'instances', who)
  redis.call('SREM', P .. 'expected', who)
  return { ended }
end

-- what a provider said (JSON), for the others
function ops.tell(op)
  redis.call('XADD', P .. 'words', 'MAXLEN', '~', '10000', '*', 'from', member, 'word', op[2])
  return { 1 }
end

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

-- place: rows after it, [place, from, ledger, n, row, …]
function ops.rows(op)
  local out = { op[2] }
  for _, found in ipairs(redis.call('XRANGE', P .. 'rows', '(' .. op[2], '+', 'COUNT', op[3])) do
    out[1] = found[1]
    for i = 2, 8, 2 do out[#out + 1] = found[2][i] end
  end
  return out
end

-- place, [[member, ledger, n]]: all up to there is in the collector's ledger
function ops.collected(op)
  for _, row in ipairs(op[3]) do
    redis.call('HSET', P .. 'collected', row[1], row[2] .. ' ' .. row[3])
  end
  redis.call('XTRIM', P .. 'rows', 'MINID', op[2])
  return { 1 }
end

local generation = redis.call('HGET', META, 'generation')
if not generation then
  generation = req.fresh
  redis.call('HSET', META, 'generation', generation, 'began', int(now))
end
local sequence = redis.call('HINCRBY', META, 'seq', 1)
local first = req.ops[1] and req.ops[1][1]
local free = first == 'hello' or first == 'forget'
local status = 'ok'
if not free and req.generation ~= generation then status = 'generation' end
if not free and redis.call('HGET', P .. 'instances', member) ~= req.instance then
  local other = redis.call('HGET', P .. 'instances', member)
  local base = '^[^.]*'
  local ours = not other or string.match(other, base) == string.match(req.instance, base)
  status = ours and 'generation' or 'replaced'
end
local results = {}
if status == 'ok' then
  for i, op in ipairs(req.ops) do results[i] = ops[op[1]](op) end
  generation = redis.call('HGET', META, 'generation')
end
local ready = 1
if now - num(redis.call('HGET', META, 'began')) < FOLDING then
  local folded = P .. 'folded'
  for _, who in ipairs(redis.call('SMEMBERS', P .. 'expected')) do
    local heard = redis.call('HGET', MEMBERS, who)
    local lately = not heard or now - num(string.match(heard, '^%d+')) < DAY
    if lately and redis.call('HGET', folded, who) ~= generation then ready = 0 break end
  end
end
return { generation, sequence, now, ready, status, results }
