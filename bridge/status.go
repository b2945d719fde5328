package bridge

import (
	"context"
	"encoding/json"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/breaker"
	"github.com/bridgecore/bridgecore/cache"
)

// Stats are the figures of the calls that were made to a system since it was
// connected. What the cache answered, or the breaker refused, is no call.
type Stats struct {
	TotalRequests      int64 `json:"total_requests"`
	SuccessfulRequests int64 `json:"successful_requests"`
	FailedRequests     int64 `json:"failed_requests"`
	// AvgResponseTime is the mean of all finished calls, in seconds.
	AvgResponseTime   float64    `json:"avg_response_time"`
	ActiveConnections int64      `json:"active_connections"` // calls under way
	LastRequestAt     *time.Time `json:"last_request_at"`
}

type statistics struct {
	begun, succeeded, failed, active, took, last atomic.Int64
}

// begin counts a call in; the function it returns counts it out.
func (s *statistics) begin() func(error) time.Duration {
	start := time.Now()
	s.begun.Add(1)
	s.active.Add(1)
	s.last.Store(start.UnixNano())
	return func(err error) time.Duration {
		took := time.Since(start)
		s.took.Add(int64(took))
		if err == nil {
			s.succeeded.Add(1)
		} else {
			s.failed.Add(1)
		}
		s.active.Add(-1)
		return took
	}
}

func (s *statistics) read() Stats {
	out := Stats{
		SuccessfulRequests: s.succeeded.Load(), FailedRequests: s.failed.Load(),
		ActiveConnections: s.active.Load(), TotalRequests: s.begun.Load(),
	}
	if n := out.SuccessfulRequests + out.FailedRequests; n > 0 {
		mean := time.Duration(s.took.Load() / n)
		out.AvgResponseTime = math.Round(mean.Seconds()*1e6) / 1e6
	}
	if last := s.last.Load(); last > 0 {
		at := time.Unix(0, last).UTC()
		out.LastRequestAt = &at
	}
	return out
}

// Health is the outcome of asking a system whether it is there.
type Health struct {
	Healthy      bool         `json:"healthy"`
	CheckedAt    time.Time    `json:"checked_at"`
	ResponseTime float64      `json:"response_time"` // seconds
	Code         adapter.Code `json:"code,omitempty"`
	Message      string       `json:"message,omitempty"` // why it is not, for people
}

// Status is the condition of a system.
type Status struct {
	SystemID  string           `json:"system_id"`
	Kind      string           `json:"system_type"`
	Version   string           `json:"version"` // what the system says of itself, else what its owner does
	Build     string           `json:"build,omitempty"`
	Transport string           `json:"transport,omitempty"`
	Connected bool             `json:"connected"` // it was dialled and not closed since
	Health    Health           `json:"health"`
	Breaker   breaker.Snapshot `json:"circuit_breaker"`
	Pool      Stats            `json:"connection_pool"`
	// MaxConnections is how many calls are made to it at a time.
	MaxConnections int         `json:"max_connections"`
	Cache          cache.Stats `json:"cache"`
}

// healthTimeout bounds a health check.
const healthTimeout = 5 * time.Second

// Health asks the system whether it is there, dialling it if need be. It
// goes the way of every call: an open breaker answers at once.
func (s *System) Health(ctx context.Context) Health {
	start := time.Now()
	err := s.link.do(s.scoped(ctx, &s.caller.Scope), work{operation: "health", timeout: healthTimeout, once: true, run: adapter.Ping})
	if err != nil {
		return unhealthy(start, err)
	}
	return Health{Healthy: true, CheckedAt: start.UTC(), ResponseTime: secondsSince(start)}
}

func unhealthy(start time.Time, err error) Health {
	h := Health{CheckedAt: start.UTC(), ResponseTime: secondsSince(start), Code: adapter.CodeOf(err), Message: "the system does not answer"}
	if e, ok := asError(err); ok {
		h.Message = e.Message
	}
	return h
}

func secondsSince(start time.Time) float64 { return math.Round(time.Since(start).Seconds()*1e6) / 1e6 }

// Status asks the system whether it is there and returns its condition.
func (s *System) Status(ctx context.Context) Status {
	health := s.Health(ctx)
	out := Status{
		SystemID: s.link.config.ID, Kind: s.link.config.Kind, Version: s.link.config.Version,
		Health: health, Breaker: s.link.breaker.Snapshot(), Pool: s.link.stats.read(),
		MaxConnections: cap(s.link.turns), Cache: s.CacheStats(ctx),
	}
	if info, ok := s.link.info(); ok {
		out.Connected = true
		out.Version, out.Build, out.Transport = info.Version, info.Build, info.Transport
	}
	return out
}

// Stats returns the figures of the calls made to the system.
func (s *System) Stats() Stats { return s.link.stats.read() }

// TenantStats returns the figures of the calls that were made to all systems of
// a tenant since the bridge was made.
func (b *Bridge) TenantStats(tenant string) Stats { return b.tenantStats(tenant).read() }

func (b *Bridge) tenantStats(tenant string) *statistics {
	s, known := b.tenants.Load(tenant)
	if !known {
		s, _ = b.tenants.LoadOrStore(tenant, new(statistics))
	}
	return s.(*statistics)
}

// checksAtOnce bounds how many systems are asked at a time whether they are
// there.
const checksAtOnce = 8

// Health asks systems of the caller whether they are there, several at a time.
// The answers are in the order of the ids; a system that can't be used at all is
// not healthy.
func (b *Bridge) Health(ctx context.Context, caller Caller, ids []string) []Health {
	out := make([]Health, len(ids))
	turns := make(chan struct{}, checksAtOnce)
	var wait sync.WaitGroup
	for i, id := range ids {
		turns <- struct{}{}
		wait.Go(func() {
			defer func() { <-turns }()
			sys, err := b.System(ctx, caller, id)
			if err != nil {
				out[i] = unhealthy(time.Now(), err)
				return
			}
			out[i] = sys.Health(ctx)
		})
	}
	wait.Wait()
	return out
}

// CacheStats returns the figures of the cache for this system.
func (s *System) CacheStats(ctx context.Context) cache.Stats {
	return s.bridge.config.Cache.Stats(ctx, s.link.config.Tenant, s.link.config.ID)
}

// ClearCache removes the answers kept for a model, or with an empty model for
// the whole system, and tells how many those were, as well as can be told.
func (s *System) ClearCache(ctx context.Context, model string) int {
	s.link.schemas.clear()
	if model == "" {
		return s.bridge.config.Cache.Clear(ctx, s.subject(""))
	}
	n := 0
	for _, name := range s.names(model) {
		n += s.bridge.config.Cache.Clear(ctx, s.subject(name)) + s.bridge.config.Cache.Clear(ctx, s.subject(name+schemaSuffix))
	}
	return n
}

// appendObject writes a JSON object of texts.
func appendObject(dst []byte, pairs ...string) []byte {
	dst = append(dst, '{')
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, pairs[i])
		dst = append(dst, ':')
		dst = appendString(dst, pairs[i+1])
	}
	return append(dst, '}')
}

func appendString(dst []byte, s string) []byte {
	b, _ := json.Marshal(s)
	return append(dst, b...)
}

// Connected tells how many systems are connected, by their kind.
func (b *Bridge) Connected() map[string]int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	count := make(map[string]int, len(b.config.Openers))
	for kind := range b.config.Openers {
		count[kind] = 0
	}
	for _, l := range b.links {
		if _, ok := l.info(); ok {
			count[l.config.Kind]++
		}
	}
	return count
}
