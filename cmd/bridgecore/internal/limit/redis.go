package limit

import (
	"cmp"
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
	client  *redis.Client
	prefix  string
	timeout time.Duration
	local   *Local
	log     *slog.Logger
	away    atomic.Int64 // Unix ns until which Redis is left alone
}

// Redis is where a Shared counts. URL is required.
type Redis struct {
	URL     string
	Prefix  string        // goes before every key
	Timeout time.Duration // of one answer, after which Redis counts as away; 0 is 100 ms
	Log     *slog.Logger  // nil for slog.Default
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

// NewShared returns a limiter in Redis. It does not connect.
func NewShared(r Redis) (*Shared, error) {
	opt, err := redis.ParseURL(r.URL)
	if err != nil {
		return nil, errors.New("the Redis URL can't be read; it must look like redis://user:password@host:6379/0")
	}
	r.Timeout = cmp.Or(r.Timeout, redisTimeout)
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout, opt.PoolTimeout = r.Timeout, r.Timeout, r.Timeout, r.Timeout
	opt.ContextTimeoutEnabled = true
	opt.MaxRetries, opt.DialerRetries = -1, 1
	opt.DisableIdentity = true
	if r.Log == nil {
		r.Log = slog.Default()
	}
	return &Shared{client: redis.NewClient(opt), prefix: r.Prefix, timeout: r.Timeout, local: NewLocal(nil), log: r.Log}, nil
}

// Take implements Limiter.
func (s *Shared) Take(ctx context.Context, key string, perMinute int) Result {
	if perMinute <= 0 {
		return unlimited
	}
	if s.isAway() {
		return s.local.Take(ctx, key, perMinute)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	v, err := take.Run(ctx, s.client, []string{s.prefix + key}, perMinute).Slice()
	allowed, micros, ok := readTake(v)
	if err != nil || !ok {
		if !errors.Is(err, context.Canceled) {
			s.leave(err)
		}
		return s.local.Take(ctx, key, perMinute)
	}
	each := float64(time.Minute/time.Microsecond) / float64(perMinute)
	return resultOf(allowed, perMinute, float64(perMinute)-float64(micros)/each)
}

func (s *Shared) isAway() bool { return time.Now().UnixNano() < s.away.Load() }

// leave leaves Redis alone for a while, since it does not answer.
func (s *Shared) leave(err error) {
	s.away.Store(time.Now().Add(redisPause).UnixNano())
	s.log.Warn("requests and failed logins are counted in this process: the Redis for limits does not answer", "error", err)
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
	micros, ok = readMicros(text)
	return flag == 1 && ok, micros, ok
}

func readMicros(text string) (micros int64, ok bool) {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		micros = micros*10 + int64(c-'0')
	}
	return micros, text != ""
}

// Close closes the connections.
func (s *Shared) Close() error { return s.client.Close() }
