import { RedisScript } from './redis-script.ts';

/**
 * Layout, all under one hash tag so that a batch is one script also in a cluster (the whole store then lives on one shard):
 * `a:<model>:<id>` hash of p(ayload), e(xpires at), m(ark of this house: the seal), s(pent at) and the keys g, n, u, c; `g:<grant>` and `n:<account>` sorted sets
 * of `<model>:<id>` by expiry, the model of tokens as one letter: up to 64 bytes a member lies packed in the set, which then takes 200 bytes instead of
 * 1,200; `u:<model>:<uid>` and `c:<model>:<user code>` the id. An index may be stale: whoever follows it
 * compares the row's own key. Times are ours, handed in, so that all nodes and both stores judge by one clock.
 */
const COMMON = `
local base, now = KEYS[1], tonumber(ARGV[1])
local function row_key(model, id) return base .. 'a:' .. model .. ':' .. id end
local LETTERS = { AccessToken = 'A', AuthorizationCode = 'C' }
local MODELS = { A = 'AccessToken', C = 'AuthorizationCode' }
local function member_of(model, id) return (LETTERS[model] or model) .. ':' .. id end
local function of_member(member)
  local model, id = string.match(member, '^([^:]+):(.*)$')
  return MODELS[model] or model, id
end
local function live(key)
  local expires = redis.call('HGET', key, 'e')
  return expires and tonumber(expires) > now
end
`;

/**
 * Applies a batch whole or not at all. Compare-and-sets look at the state before the batch. Answers with the 1-based index of
 * the one that lost, or 0 followed by the expiries of what was consumed, in order.
 */
export const APPLY = new RedisScript(`${COMMON}
local changes = cjson.decode(ARGV[2])
local taken = {}
for index, change in ipairs(changes) do
  if change.kind == 'consume' or change.kind == 'mark' or change.isOnce then
    local key = row_key(change.model, change.id)
    local exists = live(key)
    if taken[key] then return { index } end
    if change.kind == 'mark' and exists then return { index } end
    if change.kind == 'destroy' and not exists then return { index } end
    if change.kind == 'consume' and (not exists or redis.call('HEXISTS', key, 's') == 1) then return { index } end
    taken[key] = true
  end
end

local function add_to_set(name, member, expires)
  local key = base .. name
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  redis.call('ZADD', key, expires, member)
  redis.call('EXPIREAT', key, expires, 'NX')
  redis.call('EXPIREAT', key, expires, 'GT')
end
local function put(change)
  local key, member = row_key(change.model, change.id), member_of(change.model, change.id)
  local spent = live(key) and redis.call('HGET', key, 's')
  redis.call('DEL', key)
  redis.call('HSET', key, 'p', change.payload, 'e', change.expiresAt, 'm', change.seal)
  if spent then redis.call('HSET', key, 's', spent) end
  local keys = change.keys
  if keys.grantId then
    redis.call('HSET', key, 'g', keys.grantId)
    add_to_set('g:' .. keys.grantId, member, change.expiresAt)
  end
  if keys.accountId then
    redis.call('HSET', key, 'n', keys.accountId)
    add_to_set('n:' .. keys.accountId, member, change.expiresAt)
  end
  if keys.uid then
    redis.call('HSET', key, 'u', keys.uid)
    redis.call('SET', base .. 'u:' .. change.model .. ':' .. keys.uid, change.id, 'EXAT', change.expiresAt)
  end
  if keys.userCode then
    redis.call('HSET', key, 'c', keys.userCode)
    redis.call('SET', base .. 'c:' .. change.model .. ':' .. keys.userCode, change.id, 'EXAT', change.expiresAt)
  end
  redis.call('EXPIREAT', key, change.expiresAt)
end
local function revoke(change)
  local chosen
  if change.models then
    chosen = {}
    for _, model in ipairs(change.models) do chosen[model] = true end
  end
  local set = base .. 'g:' .. change.grantId
  for _, member in ipairs(redis.call('ZRANGE', set, 0, -1)) do
    local model, id = of_member(member)
    local key = row_key(model, id)
    if not chosen or chosen[model] then
      if redis.call('HGET', key, 'g') == change.grantId then redis.call('DEL', key) end
      redis.call('ZREM', set, member)
    end
  end
end

local answer = { 0 }
for _, change in ipairs(changes) do
  if change.kind == 'put' then put(change)
  elseif change.kind == 'revokeGrant' then revoke(change)
  else
    local key = row_key(change.model, change.id)
    if change.kind == 'destroy' then redis.call('DEL', key)
    elseif change.kind == 'consume' then
      redis.call('HSET', key, 's', now)
      answer[#answer + 1] = tonumber(redis.call('HGET', key, 'e'))
    else
      redis.call('DEL', key)
      redis.call('HSET', key, 'p', '{}', 'e', change.expiresAt)
      redis.call('EXPIREAT', key, change.expiresAt)
    end
  end
end
return answer
`);

/** One row by `u` (uid) or `c` (user code): id, payload, expiry, seal, spent at; an empty list when there is none. */
export const FIND_BY_KEY = new RedisScript(`${COMMON}
local field, model, value = ARGV[2], ARGV[3], ARGV[4]
local id = redis.call('GET', base .. field .. ':' .. model .. ':' .. value)
if not id then return {} end
local key = row_key(model, id)
local row = redis.call('HMGET', key, 'p', 'e', 'm', 's', field)
if row[5] ~= value or not live(key) then return {} end
return { id, row[1], row[2], row[3], row[4] }
`);

/** The live rows of one model and account, at most a thousand, in one list of id, payload, expiry, seal, spent at. */
export const FIND_BY_ACCOUNT = new RedisScript(`${COMMON}
local model, account = ARGV[2], ARGV[3]
local found = {}
for _, member in ipairs(redis.call('ZRANGE', base .. 'n:' .. account, '(' .. ARGV[1], '+inf', 'BYSCORE', 'LIMIT', 0, 1000)) do
  local of, id = of_member(member)
  local key = row_key(of, id)
  if of == model and live(key) then
    local row = redis.call('HMGET', key, 'p', 'e', 'm', 's', 'n')
    if row[5] == account then found[#found + 1] = { id, row[1], row[2], row[3], row[4] } end
  end
end
return found
`);
