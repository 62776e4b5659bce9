-- Judges and moves several counters in one step: buckets.py tells what the figures are, and does the same.
-- KEYS: the counters. ARGV: 'take' or 'give_back', then each counter's rule as JSON.
-- 'take' answers {which refused (0: none), microseconds to wait, then remaining and reset of each}.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function delay(rule, tries)
  if tries >= rule.closed_at then return rule.closed_for end
  if tries < rule.free then return 0 end
  return math.min(rule.longest_delay, rule.first_delay * 2 ^ (tries - rule.free))
end

local function kept(rule, tries)
  return tries < rule.free and rule.forgotten or rule.closed_for
end

local function parts(value)
  local tries, free_from = string.match(value, '^(%d+):(%d+)$')
  return tonumber(tries), tonumber(free_from)
end

-- A counter begins with `false`. Answers over, remaining, reset, the new value, how long it is kept.
local function take(rule, value)
  if rule.kind == 'rate' then
    local arrival = math.max(tonumber(value) or now, now) + rule.interval
    local ahead = arrival - now
    local over = ahead - rule.interval * rule.burst
    return over, math.max(0, math.floor(-over / rule.interval)), ahead, string.format('%.0f', arrival), ahead
  end
  local tries, free_from = 0, 0
  if value then tries, free_from = parts(value) end
  tries = tries + 1
  local wait, keep = delay(rule, tries), kept(rule, tries)
  local reset = wait > 0 and wait or keep
  return free_from - now, math.max(0, rule.free - tries), reset, string.format('%d:%.0f', tries, now + wait), keep
end

-- The new value and how long it is kept; nil: it need not be kept.
local function give_back(rule, value)
  if rule.kind == 'rate' then
    local arrival = tonumber(value) - rule.interval
    if arrival <= now then return nil end
    return string.format('%.0f', arrival), arrival - now
  end
  local tries = parts(value) - 1
  if tries <= 0 then return nil end
  return string.format('%d:0', tries), kept(rule, tries)
end

local function keep(key, value, microseconds)
  redis.call('SET', key, value, 'PX', string.format('%.0f', math.ceil(microseconds / 1000)))
end

if ARGV[1] == 'give_back' then
  for i, key in ipairs(KEYS) do
    local held = redis.call('GET', key)
    if held then
      local value, microseconds = give_back(cjson.decode(ARGV[i + 1]), held)
      if value then keep(key, value, microseconds) else redis.call('DEL', key) end
    end
  end
  return {}
end

local refused, wait, answer, moved = 0, 0, {}, {}
for i, key in ipairs(KEYS) do
  local over, remaining, reset, value, microseconds = take(cjson.decode(ARGV[i + 1]), redis.call('GET', key))
  if over > wait then refused, wait = i, over end
  answer[#answer + 1], answer[#answer + 2] = remaining, reset
  moved[i] = {value, microseconds}
end
if refused == 0 then
  for i, key in ipairs(KEYS) do keep(key, moved[i][1], moved[i][2]) end
end
return {refused, wait, unpack(answer)}
