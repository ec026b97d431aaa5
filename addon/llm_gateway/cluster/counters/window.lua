-- Windows: totals, each member's part, entries of a rolling one.

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

function Window:expire()
  local keep = math.floor((math.max(self.length, 0) + 2 * DAY) / 1000)
  if self.length == 0 then keep = math.floor(33 * DAY / 1000) end
  redis.call('PEXPIRE', self.key, int(keep))
  redis.call('PEXPIRE', self.entries, int(keep))
  redis.call('PEXPIRE', self.amounts, int(keep))
end

-- Its keys, or some of them, are gone: the server threw them away. Everybody folds again.
function Window:lost()
  redis.call('HINCRBY', META, 'windows', 1)
end

-- length 0: a calendar window, from `start` to `stop`.
function Window:shape(length, start, stop)
  if not self.known then
    self.known, self.length, self.start, self.stop = true, length, start, stop
    redis.call('HSET', self.key, 'length', int(length), 'start', int(start), 'end', int(stop),
      'used', '0', 'reserved', '0')
    redis.call('DEL', self.entries, self.amounts)
    redis.call('SADD', WINDOWS, self.id)
    redis.call('HINCRBY', META, 'windows', 1)
    self:expire()
  elseif self.length == 0 and start <= now and (start > self.start or self.start > now + SECOND) then
    self:clear(start, stop) -- another day; or it was one that is not yet, by a clock that was set
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
  if self.next == NEVER and self.used ~= 0 then self:lost() end
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
  if redis.call('HINCRBY', self.key, 'n:' .. who, 1) == 1 then self:expire() end
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
  -- A call may ask for the same a hundred times, of a window with thousands of entries.
  local known = self.fits
  if known and known.used == self.used and known.room == room then return known.at end
  local used, at, place, count = self.used, now, 0, 16
  while used > room do
    local rows = redis.call('ZRANGE', self.entries, place, place + count - 1, 'WITHSCORES')
    if #rows == 0 then break end
    local names = {}
    for i = 1, #rows, 2 do names[#names + 1] = rows[i] end
    for i, held in ipairs(redis.call('HMGET', self.amounts, unpack(names))) do
      if used <= room then break end
      used, at = used - num(held), tonumber(rows[2 * i]) + self.length
    end
    place, count = place + count, math.min(count * 4, 1024)
  end
  self.fits = { used = self.used, room = room, at = at }
  return at
end

-- What the others have of it, and when something comes back next.
function Window:others(into)
  local back = self.length == 0 and self.stop or self.next
  into[#into + 1] = self.used - self.own_used
  into[#into + 1] = self.reserved - self.own_reserved
  into[#into + 1] = back == NEVER and 0 or back
end
