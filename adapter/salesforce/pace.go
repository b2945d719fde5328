package salesforce

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

const (
	// slowest is the pause before a call when next to nothing is left.
	slowest = 5 * time.Second
	// probeEvery is how often, with calls refused, one goes out all the same:
	// nothing else would tell that the day's count went down again.
	probeEvery = 5 * time.Minute
)

// pace spaces calls out when the organization's daily API requests run low,
// and refuses them when next to none are left. Salesforce counts over the last
// 24 hours, and tells the count with every answer.
type pace struct {
	slowAt, stopAt int // percentages; above 100 means never
	now            func() time.Time
	wait           func(ctx context.Context, d time.Duration) error

	mu        sync.Mutex
	used, all int64
	probed    time.Time
}

func newPace(slowAt, stopAt int) *pace {
	return &pace{slowAt: slowAt, stopAt: stopAt, now: time.Now, wait: wait}
}

// wait waits, or returns the error of the context's end.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return adapter.ContextError(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return adapter.ContextError(ctx)
	}
}

// note reads the count of an answer: "api-usage=18/5000". Others may stand
// beside it: "api-bursts=1/750", or a connected app's own share.
func (p *pace) note(h http.Header) {
	separator := func(r rune) bool { return r == ';' || r == ',' }
	for part := range strings.FieldsFuncSeq(h.Get("Sforce-Limit-Info"), separator) {
		count, ok := strings.CutPrefix(strings.TrimSpace(part), "api-usage=")
		if !ok {
			continue
		}
		count, _, _ = strings.Cut(count, " ")
		used, all, ok := strings.Cut(count, "/")
		u, err1 := strconv.ParseInt(used, 10, 64)
		a, err2 := strconv.ParseInt(all, 10, 64)
		if !ok || err1 != nil || err2 != nil || a <= 0 || u < 0 {
			continue
		}
		p.mu.Lock()
		p.used, p.all = u, a
		p.mu.Unlock()
	}
}

// usage returns the count of the last answer.
func (p *pace) usage() (used, all int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used, p.all
}

// ready waits until a call may be sent.
func (p *pace) ready(ctx context.Context) error {
	d, err := p.pause()
	if err != nil || d == 0 {
		return err
	}
	if err := p.wait(ctx, d); err != nil {
		return notSent(err)
	}
	return nil
}

// pause is how long the next call has to wait.
func (p *pace) pause() (time.Duration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == 0 {
		return 0, nil
	}
	percent := float64(p.used) * 100 / float64(p.all)
	if p.stopAt <= 100 && percent >= float64(p.stopAt) {
		now := p.now()
		if since := now.Sub(p.probed); since < probeEvery {
			return 0, &adapter.Error{
				Code: adapter.RateLimited, Temporary: true, NothingSent: true, RetryAfter: (probeEvery - since).Round(time.Second),
				Message: fmt.Sprintf("%d of the organization's %d API requests of a day are used; the rest is kept for others (stop_at is %d%%)", p.used, p.all, p.stopAt),
			}
		}
		p.probed = now
		return 0, nil
	}
	if p.slowAt > 100 || percent < float64(p.slowAt) {
		return 0, nil
	}
	end := float64(min(p.stopAt, 100))
	share := 1.0
	if end > float64(p.slowAt) {
		share = min((percent-float64(p.slowAt))/(end-float64(p.slowAt)), 1)
	}
	return time.Duration(share * share * float64(slowest)), nil
}
