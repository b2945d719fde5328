package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
)

// How many logins may fail: for one user from one address, from one address
// whoever is tried, and for one user wherever from. The second leaves room for
// many users behind one address. The third is against guesses from many
// addresses; it is wide, because whoever spends it keeps the user out too.
var (
	perUser    = limit.Budget{Burst: 5, Every: 12 * time.Second}
	perAddress = limit.Budget{Burst: 60, Every: time.Second}
	perAccount = limit.Budget{Burst: 100, Every: 5 * time.Second}
)

// throttle bounds failed logins: those that this process saw, and those that all
// servers saw together.
type throttle struct {
	now      func() time.Time
	users    *otter.Cache[string, *rate.Limiter]
	addrs    *otter.Cache[string, *rate.Limiter]
	accounts *otter.Cache[string, *rate.Limiter]
	shared   Budgets // nil for none
	key      []byte  // of the names of shared budgets
}

func newThrottle(now func() time.Time, shared Budgets, key []byte) *throttle {
	limiters := func() *otter.Cache[string, *rate.Limiter] {
		return otter.Must(&otter.Options[string, *rate.Limiter]{
			MaximumSize:      50_000,
			ExpiryCalculator: otter.ExpiryAccessing[string, *rate.Limiter](15 * time.Minute),
		})
	}
	return &throttle{now, limiters(), limiters(), limiters(), shared, key}
}

// attempt takes one try from the budgets, or returns ErrRateLimited. After a
// login that succeeded the caller calls success, which puts it back. Whether
// there is such a user makes no difference.
//
// This process counts though others count along: where they can't be asked any
// more, what it saw is not forgotten.
func (t *throttle) attempt(ctx context.Context, username, address string) (success func(), err error) {
	back, err := t.own(username, address)
	if err != nil || t.shared == nil {
		return back, err
	}
	// Whoever hangs up has tried all the same.
	ctx = context.WithoutCancel(ctx)
	giveBack, wait, ok := t.shared.Spend(ctx,
		limit.Claim{Key: t.name("user", username, address), Budget: perUser},
		limit.Claim{Key: t.name("address", address), Budget: perAddress},
		limit.Claim{Key: t.name("account", username), Budget: perAccount},
	)
	switch {
	case !ok:
		return back, nil
	case wait > 0:
		back()
		return nil, tooMany(wait)
	}
	return func() { back(); giveBack(ctx) }, nil
}

// name names a shared budget. Who looks into Redis is not shown what somebody
// typed: it may be a password in the wrong place.
func (t *throttle) name(kind string, parts ...string) string {
	hash := hmac.New(sha256.New, t.key)
	for _, part := range parts {
		hash.Write([]byte(part + "\x00"))
	}
	return "login " + kind + " " + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:18])
}

// own is attempt in this process.
func (t *throttle) own(username, address string) (success func(), err error) {
	now := t.now()
	var taken []*rate.Reservation
	back := func() {
		for _, r := range taken {
			r.CancelAt(now)
		}
	}
	for _, of := range [...]struct {
		limiters *otter.Cache[string, *rate.Limiter]
		key      string
		budget   limit.Budget
	}{
		{t.users, username + "\x00" + address, perUser},
		{t.addrs, address, perAddress},
		{t.accounts, username, perAccount},
	} {
		r, err := take(of.limiters, of.key, of.budget, now)
		if err != nil {
			back()
			return nil, err
		}
		taken = append(taken, r)
	}
	return back, nil
}

func take(limiters *otter.Cache[string, *rate.Limiter], key string, b limit.Budget, now time.Time) (*rate.Reservation, error) {
	fresh := rate.NewLimiter(rate.Every(b.Every), b.Burst)
	limiter, _ := limiters.SetIfAbsent(key, fresh)
	r := limiter.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return nil, tooMany(wait)
	}
	return r, nil
}

func tooMany(wait time.Duration) error {
	return &adapter.Error{Code: adapter.RateLimited, Message: "too many failed logins; wait before the next try", Temporary: true, NothingSent: true, RetryAfter: wait}
}
