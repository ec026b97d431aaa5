-- The call itself: is it of this generation and connection; then its operations in order.

-- Numbers as one text: whoever reads the answer would look at each by itself.
local function packed(result)
  local words = {}
  for i, value in ipairs(result) do
    if type(value) ~= 'number' then return result end
    words[i] = int(value)
  end
  return table.concat(words, ' ')
end

local function answer(generation, sequence, ready, status, results)
  local head = table.concat({ generation, int(sequence), int(now), ready, status }, ' ')
  local lines = { head }
  for i, result in ipairs(results) do
    if type(result) ~= 'string' then return { head, results } end
    lines[i + 1] = result
  end
  return table.concat(lines, '\n')
end

local meta = redis.call('HMGET', META, 'generation', 'format')
local generation = meta[1]
if meta[2] and meta[2] ~= FORMAT then return answer(generation or '-', 0, 0, 'format', {}) end
if not generation then
  generation = req.fresh
  redis.call('HSET', META, 'generation', generation, 'began', int(now), 'format', FORMAT)
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
  for i, op in ipairs(req.ops) do results[i] = packed(ops[op[1]](op)) end
  generation = redis.call('HGET', META, 'generation')
end
local ready = 1
local began = num(redis.call('HGET', META, 'began'))
if now - began < FOLDING and #absent() > 0 then ready = 0 end
return answer(generation, sequence, ready, status, results)
