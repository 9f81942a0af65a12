-- One order to the budget of a model under a provider's key; dbrag/embedding/budget.py is the same arithmetic in Python
-- (for a process without Redis), says what it means, and a test compares the two.
-- KEYS[1]: a hash, model -> budget as JSON. ARGV: model, limits (JSON) and share of them that a new bucket starts with,
-- verb, its amounts (JSON). Returns {milliseconds to wait, the server's time in milliseconds, budget as JSON}.
local DAYS_2 = 172800
local SPACING_MS, SLOW_MS = 250, 10000

local model, limits, start, verb, order = ARGV[1], cjson.decode(ARGV[2]), tonumber(ARGV[3]), ARGV[4], cjson.decode(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stored = redis.call('HGET', KEYS[1], model)
local budget = stored and cjson.decode(stored) or {at_ms = now, paused_until_ms = 0, slow_until_ms = 0, buckets = {}}
local buckets, wait = budget.buckets, 0

for _, kind in ipairs({'requests', 'tokens'}) do -- what is known instead of what was believed, then the refill
  local bucket, known = buckets[kind], limits[kind]
  if not (bucket and bucket.learned) then
    local level = known and math.min(bucket and bucket.level or start * known.limit, known.limit)
    bucket = known and {limit = known.limit, period_s = known.period_s, learned = known.learned, level = level}
    buckets[kind] = bucket or nil
  end
  if bucket then
    local gained = bucket.limit * math.max(0, now - budget.at_ms) / 1000 / bucket.period_s
    bucket.level = math.min(bucket.limit, bucket.level + gained)
  end
end
budget.at_ms = math.max(budget.at_ms, now)

if verb == 'take' then
  wait = math.max(0, budget.paused_until_ms - now)
  for kind, bucket in pairs(buckets) do
    local missing = math.min(order[kind], bucket.limit) - bucket.level
    wait = math.max(wait, math.ceil(missing * bucket.period_s * 1000 / bucket.limit - 1e-6))
  end
  if wait == 0 then
    for kind, bucket in pairs(buckets) do bucket.level = bucket.level - order[kind] end
    if next(buckets) == nil and now < budget.slow_until_ms then budget.paused_until_ms = now + SPACING_MS end
  end
elseif verb == 'count' then
  for kind, bucket in pairs(buckets) do
    bucket.level = math.max(bucket.level - order[kind], math.min(bucket.level, -bucket.limit))
  end
elseif verb == 'learn' then
  for kind, said in pairs(order) do
    local level = math.min(buckets[kind] and buckets[kind].level or said.most, said.most)
    buckets[kind] = {limit = said.limit, period_s = said.period_s, learned = true, level = level}
  end
elseif verb == 'pause' then
  budget.paused_until_ms = math.max(budget.paused_until_ms, now + order.ms)
  budget.slow_until_ms = budget.paused_until_ms + SLOW_MS
  budget.at_ms = budget.paused_until_ms
  for _, bucket in pairs(buckets) do bucket.level = math.min(bucket.level, 0) end
end

local json = cjson.encode(budget)
redis.call('HSET', KEYS[1], model, json)
redis.call('EXPIRE', KEYS[1], DAYS_2)
return {wait, now, json}
