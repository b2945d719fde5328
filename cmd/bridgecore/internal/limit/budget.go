package limit

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Budget is how often something may be done: Burst times at once, and once more
// after each Every.
type Budget struct {
	Burst int
	Every time.Duration
}

// Claim is one use of somebody's budget. The key is whose.
type Claim struct {
	Key    string
	Budget Budget
}

// spend is [take] for several budgets: one use of each, or of none where one of
// them is spent.
//
// KEYS the budgets; ARGV of each its burst and the microseconds until one more
// use. It returns how many microseconds to wait, 0 where all were taken.
var spend = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local after, wait = {}, 0
for i, key in ipairs(KEYS) do
  local burst, each = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local full = tonumber(redis.call('GET', key) or '0')
  if full < now then full = now end
  after[i] = full + each
  wait = math.max(wait, after[i] - now - burst * each)
end
if wait > 0 then
  return string.format('%.0f', wait)
end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.0f', after[i]), 'PX', math.ceil((after[i] - now) / 1000) + 1000)
end
return '0'
`)

// refund puts one use of each budget back; the arguments are those of spend.
var refund = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
for i, key in ipairs(KEYS) do
  local full = tonumber(redis.call('GET', key) or '0') - tonumber(ARGV[2 * i])
  if full <= now then
    redis.call('DEL', key)
  else
    redis.call('SET', key, string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1000)
  end
end
return '0'
`)

// Spend takes one use of each budget, or of none where one of them is spent, and
// returns how long to wait then. giveBack undoes it. ok false means that Redis
// is away and nothing was counted.
func (s *Shared) Spend(ctx context.Context, claims ...Claim) (giveBack func(context.Context), wait time.Duration, ok bool) {
	keys, args := make([]string, len(claims)), make([]any, 0, 2*len(claims))
	for i, c := range claims {
		keys[i] = s.prefix + c.Key
		args = append(args, c.Budget.Burst, c.Budget.Every.Microseconds())
	}
	micros, ok := s.run(ctx, spend, keys, args)
	if !ok {
		return nil, 0, false
	}
	if micros > 0 {
		return nil, time.Duration(micros) * time.Microsecond, true
	}
	return func(ctx context.Context) { s.run(ctx, refund, keys, args) }, 0, true
}

// run runs a script that returns microseconds.
func (s *Shared) run(ctx context.Context, script *redis.Script, keys []string, args []any) (micros int64, ok bool) {
	if s.isAway() {
		return 0, false
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	text, err := script.Run(ctx, s.client, keys, args...).Text()
	if err == nil {
		micros, ok = readMicros(text)
	}
	if !ok && !errors.Is(err, context.Canceled) {
		s.leave(err)
	}
	return micros, ok
}
