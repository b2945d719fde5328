// Package limit says how many requests somebody may still make: token buckets
// per class of request and per caller, in this process or shared by several
// through Redis.
package limit

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

// Class is a kind of request that is limited by itself.
type Class string

// The classes, each with a number of requests a minute of its own.
const (
	Auth    Class = "auth"    // logins and refreshes
	Read    Class = "read"    // whatever changes nothing
	Write   Class = "write"   // creations, changes, methods that may change something
	Delete  Class = "delete"  // removals
	Batch   Class = "batch"   // many operations in one request
	File    Class = "file"    // uploads and downloads
	Report  Class = "report"  // exports
	Default Class = "default" // everything else
)

// Classes are all classes.
var Classes = []Class{Auth, Read, Write, Delete, Batch, File, Report, Default}

// Rates are requests a minute by class. 0 is no limit; a class that is left
// out has Default's.
type Rates map[Class]int

// Documented are the rates that the documentation promises.
func Documented() Rates {
	return Rates{Auth: 10, Read: 100, Write: 50, Delete: 20, Batch: 10, File: 30, Report: 20, Default: 60}
}

// UnmarshalText reads "read=100, write=50".
func (r *Rates) UnmarshalText(text []byte) error {
	rates := Rates{}
	for part := range strings.SplitSeq(string(text), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, number, found := strings.Cut(part, "=")
		class := Class(strings.TrimSpace(name))
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if !found || err != nil || n < 0 {
			return fmt.Errorf("must read like read=100, write=50; %q does not", part)
		}
		if !slices.Contains(Classes, class) {
			return fmt.Errorf("there is no class %q; there are %s", class, classNames())
		}
		rates[class] = n
	}
	*r = rates
	return nil
}

func classNames() string {
	names := make([]string, len(Classes))
	for i, c := range Classes {
		names[i] = string(c)
	}
	return strings.Join(names, ", ")
}

// Of returns the rate of a class.
func (r Rates) Of(c Class) int {
	if n, ok := r[c]; ok {
		return n
	}
	return r[Default]
}

// Over returns r with the rates of other in place of its own.
func (r Rates) Over(other Rates) Rates {
	if len(other) == 0 {
		return r
	}
	out := make(Rates, len(r)+len(other))
	for c, n := range r {
		out[c] = n
	}
	for c, n := range other {
		out[c] = n
	}
	return out
}

// Result is what became of one request.
type Result struct {
	Allowed   bool
	Limit     int           // requests a minute; 0 for no limit
	Remaining int           // requests that may be made at once after this one
	Reset     time.Duration // until all of Limit may be made at once again
	Retry     time.Duration // until the next may be made; 0 when this one was allowed
}

// Limiter counts requests. A key is whose bucket it is; a bucket holds as many
// requests as the rate has in a minute and fills evenly.
type Limiter interface {
	Take(ctx context.Context, key string, perMinute int) Result
}

// unlimited is the result where there is no limit.
var unlimited = Result{Allowed: true}

// Local counts in this process. Buckets that were full for a while are
// forgotten.
type Local struct {
	now     func() time.Time
	buckets *otter.Cache[string, *bucket]
}

// bucket is a limiter with the rate it was made for: another rate is another
// bucket.
type bucket struct {
	*rate.Limiter
	perMinute int
}

// most is how many buckets are kept. One that is pushed out begins full again,
// which somebody with so many addresses gains nothing by.
const most = 100_000

// NewLocal returns a limiter for this process; now is nil for time.Now.
func NewLocal(now func() time.Time) *Local {
	if now == nil {
		now = time.Now
	}
	return &Local{now, otter.Must(&otter.Options[string, *bucket]{
		MaximumSize:      most,
		ExpiryCalculator: otter.ExpiryAccessing[string, *bucket](2 * time.Minute),
	})}
}

// Take implements Limiter.
func (l *Local) Take(_ context.Context, key string, perMinute int) Result {
	if perMinute <= 0 {
		return unlimited
	}
	b, ok := l.buckets.GetIfPresent(key)
	if !ok || b.perMinute != perMinute {
		fresh := &bucket{rate.NewLimiter(rate.Limit(float64(perMinute)/60), perMinute), perMinute}
		if ok {
			l.buckets.Set(key, fresh)
			b = fresh
		} else {
			b, _ = l.buckets.SetIfAbsent(key, fresh)
		}
	}
	now := l.now()
	allowed := b.AllowN(now, 1)
	return resultOf(allowed, perMinute, b.TokensAt(now))
}

// resultOf describes a bucket that holds so many tokens.
func resultOf(allowed bool, perMinute int, tokens float64) Result {
	each := time.Minute / time.Duration(perMinute)
	tokens = max(0, min(tokens, float64(perMinute)))
	r := Result{Allowed: allowed, Limit: perMinute, Remaining: int(math.Floor(tokens + 1e-9))}
	r.Reset = time.Duration((float64(perMinute) - tokens) * float64(each))
	if !allowed {
		r.Remaining = 0
		r.Retry = time.Duration((1 - min(tokens, 1)) * float64(each))
	}
	return r
}
