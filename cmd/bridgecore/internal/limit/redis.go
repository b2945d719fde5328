package limit

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Shared counts in Redis, so that several servers share the buckets. While
// Redis is away it counts in this process: nobody is refused for that, and
// nobody is let through without limit.
type Shared struct {
	client *redis.Client
	prefix string
	local  *Local
	log    *slog.Logger
	away   atomic.Int64 // Unix ns until which Redis is left alone
}

// How long Redis may take, and how long it is left alone after it failed.
const (
	redisTimeout = 100 * time.Millisecond
	redisPause   = time.Second
)

// take is the bucket as one number, the time at which it is full again (GCRA).
// It uses Redis's clock, so that the servers' own need not agree.
//
// KEYS[1] the bucket; ARGV[1] requests a minute. It returns whether the request
// is allowed, and how many microseconds until the bucket is full.
var take = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local minute = 60000000
local each = minute / tonumber(ARGV[1])
local full = tonumber(redis.call('GET', KEYS[1]) or '0')
if full < now then full = now end
local after = full + each
if after - now > minute + 1 then
  return {0, string.format('%.0f', full - now)}
end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000) + 1000)
return {1, string.format('%.0f', after - now)}
`)

// NewShared returns a limiter in the Redis of the URL; prefix goes before
// every key. It does not connect.
func NewShared(url, prefix string, log *slog.Logger) (*Shared, error) {
	opt, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("the Redis URL can't be read; it must look like redis://user:password@host:6379/0")
	}
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout, opt.PoolTimeout = redisTimeout, redisTimeout, redisTimeout, redisTimeout
	opt.ContextTimeoutEnabled = true
	opt.MaxRetries, opt.DialerRetries = -1, 1
	opt.DisableIdentity = true
	if log == nil {
		log = slog.Default()
	}
	return &Shared{client: redis.NewClient(opt), prefix: prefix, local: NewLocal(nil), log: log}, nil
}

// Take implements Limiter.
func (s *Shared) Take(ctx context.Context, key string, perMinute int) Result {
	if perMinute <= 0 {
		return unlimited
	}
	now := time.Now().UnixNano()
	if now < s.away.Load() {
		return s.local.Take(ctx, key, perMinute)
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	v, err := take.Run(ctx, s.client, []string{s.prefix + key}, perMinute).Slice()
	allowed, micros, ok := readTake(v)
	if err != nil || !ok {
		if !errors.Is(err, context.Canceled) {
			s.away.Store(now + int64(redisPause))
			s.log.Warn("rate limits are counted in this process: their Redis does not answer", "error", err)
		}
		return s.local.Take(ctx, key, perMinute)
	}
	each := float64(time.Minute/time.Microsecond) / float64(perMinute)
	return resultOf(allowed, perMinute, float64(perMinute)-float64(micros)/each)
}

func readTake(v []any) (allowed bool, micros int64, ok bool) {
	if len(v) != 2 {
		return false, 0, false
	}
	flag, isInt := v[0].(int64)
	text, isText := v[1].(string)
	if !isInt || !isText {
		return false, 0, false
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false, 0, false
		}
		micros = micros*10 + int64(c-'0')
	}
	return flag == 1, micros, true
}

// Close closes the connections.
func (s *Shared) Close() error { return s.client.Close() }
