-- Shared counters of one cluster of gateways: reserve, settle, renew, fold, beat.
--
-- One call is one batch of operations of one member, done whole and in order.
--   KEYS[1]  prefix of all keys, `llm-gateway:{NAME}:`
--   ARGV[1]  JSON {member, instance, generation, fresh, deadline?, now?, ops}
--   result   `generation sequence time ready status`, then a line of numbers for each
--            operation; {that, results} where one of them says more than numbers.
--            status: ok, generation, replaced or format
-- Times are whole microseconds, money is nano-dollars: all below 2^53, so a Lua number
-- holds them exactly.
--
-- The parts are one script, in the order of `script.py`: each sees the locals of those before.
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
local SECOND, DAY = 1000000, 86400000000
local FOLDING, JUST_NOW = 60000000, 3000000
local GONE = 40 * DAY -- longer than any window
local FORMAT = '1' -- of the data: another one is not touched
local NEVER = 9007199254740991
local META, MEMBERS, WINDOWS = P .. 'meta', P .. 'members', P .. 'windows'
local OPEN, LEASES = P .. 'open:', P .. 'leases:'

local function num(text) return tonumber(text or '0') or 0 end
local function int(number) return string.format('%.0f', number) end
local function owner(entry) return string.match(entry, '^(.*)|[^|]*$') end
