package auth

import (
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"

	"github.com/bridgecore/bridgecore/adapter"
)

// How many logins may fail: for one user from one address, from one address
// whoever is tried, and for one user wherever from. The second leaves room for
// many users behind one address. The third is against guesses from many
// addresses; it is wide, because whoever spends it keeps the user out too.
var (
	perUser    = budget{burst: 5, every: 12 * time.Second}
	perAddress = budget{burst: 60, every: time.Second}
	perAccount = budget{burst: 100, every: 5 * time.Second}
)

type budget struct {
	burst int
	every time.Duration // until one more attempt is allowed
}

// throttle bounds failed logins, in this process.
type throttle struct {
	now      func() time.Time
	users    *otter.Cache[string, *rate.Limiter]
	addrs    *otter.Cache[string, *rate.Limiter]
	accounts *otter.Cache[string, *rate.Limiter]
}

func newThrottle(now func() time.Time) *throttle {
	limiters := func() *otter.Cache[string, *rate.Limiter] {
		return otter.Must(&otter.Options[string, *rate.Limiter]{
			MaximumSize:      50_000,
			ExpiryCalculator: otter.ExpiryAccessing[string, *rate.Limiter](15 * time.Minute),
		})
	}
	return &throttle{now, limiters(), limiters(), limiters()}
}

// attempt takes one try from the budgets, or returns ErrRateLimited. After a
// login that succeeded the caller calls success, which puts it back. Whether
// there is such a user makes no difference.
func (t *throttle) attempt(username, address string) (success func(), err error) {
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
		budget   budget
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

func take(limiters *otter.Cache[string, *rate.Limiter], key string, b budget, now time.Time) (*rate.Reservation, error) {
	fresh := rate.NewLimiter(rate.Every(b.every), b.burst)
	limiter, _ := limiters.SetIfAbsent(key, fresh)
	r := limiter.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return nil, &adapter.Error{Code: adapter.RateLimited, Message: "too many failed logins; wait before the next try", Temporary: true, NothingSent: true, RetryAfter: wait}
	}
	return r, nil
}
