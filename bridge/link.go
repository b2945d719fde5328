package bridge

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/breaker"
)

// link is the way to one system under one configuration: the adapter, dialled
// when first needed, behind a breaker and a bulkhead.
type link struct {
	bridge  *Bridge
	config  SystemConfig
	open    Opener
	breaker *breaker.Breaker
	turns   chan struct{} // the bulkhead: one for each call under way
	budget  budget
	stats   statistics
	tenant  *statistics // of all of the tenant's systems
	schemas schemas
	lenses  lenses
	doubt   doubts
	// mappings are those of the universal vocabulary; nil where there are none.
	mappings atomic.Pointer[layer]
	shapes   shapes

	checked  atomic.Int64 // when the configuration was last looked up, Unix ns
	lastUsed atomic.Int64

	mu      sync.Mutex
	adapter adapter.Adapter
	own     nature // of the adapter
	dialing *dialing
	retired bool
	calls   sync.WaitGroup // calls and dials under way; grows only while not retired
}

type dialing struct {
	done    chan struct{}
	adapter adapter.Adapter
	err     error
}

func newLink(b *Bridge, config SystemConfig, open Opener) *link {
	n := config.MaxConcurrent
	if n <= 0 {
		n = b.config.MaxConcurrent
	}
	l := &link{bridge: b, config: config, open: open, turns: make(chan struct{}, n), tenant: b.tenantStats(config.Tenant)}
	settings := b.config.Breaker
	onChange := settings.OnChange
	settings.OnChange = func(c breaker.Change) {
		b.log.Warn("breaker changed", "system", config, "from", c.From, "to", c.To)
		if onChange != nil {
			onChange(c)
		}
		if o := b.config.Observer; o != nil {
			o.Breaker(BreakerEvent{Tenant: config.Tenant, System: config.ID, From: c.From, To: c.To})
		}
	}
	l.breaker = breaker.New(config.ID, settings)
	now := time.Now().UnixNano()
	l.checked.Store(now)
	l.lastUsed.Store(now)
	return l
}

// due reports, to one caller at a time, that the configuration should be
// looked up again.
func (l *link) due(every time.Duration) bool {
	at, now := l.checked.Load(), time.Now().UnixNano()
	return now-at >= int64(every) && l.checked.CompareAndSwap(at, now)
}

func (l *link) idle(after time.Duration) bool {
	return time.Now().UnixNano()-l.lastUsed.Load() > int64(after) && len(l.turns) == 0
}

// work is one call to the system.
type work struct {
	operation string
	model     string
	changes   bool
	// timeout is the call's own, 0 for the bridge's.
	timeout time.Duration
	// once keeps the call from being repeated.
	once bool
	run  func(context.Context, adapter.Adapter) error
}

// do makes a call, and again where that can do no harm.
func (l *link) do(ctx context.Context, w work) error {
	if !l.enter() {
		return &adapter.Error{
			Code: adapter.Unavailable, NothingSent: true, Temporary: true,
			Message: fmt.Sprintf("the connection to system %q was closed meanwhile; ask again", l.config.ID),
		}
	}
	defer l.calls.Done()
	l.lastUsed.Store(time.Now().UnixNano())
	l.budget.earn()
	for attempt := 1; ; attempt++ {
		err := l.breaker.Do(ctx, func(ctx context.Context) error { return l.attempt(ctx, w, attempt) })
		if err == nil {
			return nil
		}
		wait, again := l.retry(ctx, w, attempt, err)
		if !again {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// retry says whether a failed call is repeated, and after how long.
func (l *link) retry(ctx context.Context, w work, attempt int, err error) (time.Duration, bool) {
	const longest = 2 * time.Second
	switch {
	case w.once, attempt > l.bridge.config.Retries, ctx.Err() != nil,
		breaker.Rejection(err), errors.As(err, new(*fullError)),
		errors.As(err, new(*adapter.PartialError)), // a part was done, whatever the rest says
		adapter.CodeOf(err) == adapter.Timeout,     // the caller has waited long enough
		!adapter.Retryable(err, w.changes):
		return 0, false
	}
	wait := time.Duration(float64(100*time.Millisecond<<(attempt-1)) * (0.5 + rand.Float64()))
	if asked := adapter.RetryAfter(err); asked > wait {
		wait = asked
	}
	if deadline, ok := ctx.Deadline(); wait > longest || ok && time.Until(deadline) <= wait {
		return 0, false
	}
	return wait, l.budget.spend()
}

// attempt makes the call once, in its turn.
func (l *link) attempt(ctx context.Context, w work, attempt int) error {
	if err := l.take(ctx); err != nil {
		// Nothing was asked of the system, so this says nothing about it.
		return breaker.Silent(err)
	}
	defer func() { <-l.turns }()
	event := UpstreamEvent{
		Tenant: l.config.Tenant, System: l.config.ID, Kind: l.config.Kind,
		Operation: w.operation, Model: w.model, Attempt: attempt,
	}
	if b, ok := l.bridge.config.Observer.(Beginner); ok {
		ctx = b.Begin(ctx, event)
	}
	timeout := w.timeout
	if timeout <= 0 {
		timeout = l.bridge.config.CallTimeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	done, doneToo := l.stats.begin(), l.tenant.begin()
	a, err := l.dial(limited)
	if err == nil {
		err = w.run(limited, a)
	} else if e, ok := errors.AsType[*adapter.Error](err); !ok || e.Code == adapter.UnknownOutcome {
		err = &adapter.Error{
			Code: adapter.Unavailable, NothingSent: true, Temporary: true, Err: err,
			Message: fmt.Sprintf("system %q can't be reached", l.config.ID),
		}
	}
	err = l.say(ctx, w, timeout, err)
	event.Duration, event.Err = done(err), err
	doneToo(err)
	if o := l.bridge.config.Observer; o != nil {
		o.Upstream(ctx, event)
	}
	return err
}

// say turns a bare error of a context into one of ours.
func (l *link) say(ctx context.Context, w work, timeout time.Duration, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*adapter.Error](err); ok {
		return err
	}
	switch {
	case errors.Is(err, context.Canceled), ctx.Err() != nil:
		return &adapter.Error{Code: adapter.CodeOf(err), Message: "the call was given up before its end", Err: err}
	case errors.Is(err, context.DeadlineExceeded) && w.changes:
		return &adapter.Error{Code: adapter.UnknownOutcome, Model: w.model, Err: err,
			Message: fmt.Sprintf("system %q did not answer within %s; the change may have been made", l.config.ID, timeout)}
	case errors.Is(err, context.DeadlineExceeded):
		return &adapter.Error{Code: adapter.Timeout, Temporary: true, Err: err,
			Message: fmt.Sprintf("system %q did not answer within %s", l.config.ID, timeout)}
	}
	return err
}

// fullError says that all of a system's calls are taken.
type fullError struct{ err *adapter.Error }

func (e *fullError) Error() string { return e.err.Error() }

// Unwrap lets errors.As find the adapter's error.
func (e *fullError) Unwrap() error { return e.err }

// take waits for a turn, not for ever: a system that hangs must not gather
// everybody who waits for it.
func (l *link) take(ctx context.Context) error {
	select {
	case l.turns <- struct{}{}:
		return nil
	default:
	}
	var late <-chan time.Time // never, for those who are patient
	if !isPatient(ctx) {
		timer := time.NewTimer(l.bridge.config.MaxWait)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case l.turns <- struct{}{}:
		return nil
	case <-late:
		return &fullError{&adapter.Error{
			Code: adapter.Unavailable, NothingSent: true, Temporary: true, RetryAfter: time.Second,
			Message: fmt.Sprintf("system %q is busy: all of its %d calls at a time are taken; try again in a moment", l.config.ID, cap(l.turns)),
		}}
	case <-ctx.Done():
		return &adapter.Error{Code: adapter.CodeOf(ctx.Err()), Message: fmt.Sprintf("the call was given up while waiting for its turn on system %q", l.config.ID), NothingSent: true, Err: ctx.Err()}
	}
}

type patience struct{}

// Patient returns a context whose calls wait for their turn on a busy system as
// long as the context lives, rather than for [Config.MaxWait]: for work that
// nobody wants to begin anew half way, such as an export.
func Patient(ctx context.Context) context.Context {
	return context.WithValue(ctx, patience{}, true)
}

func isPatient(ctx context.Context) bool { return ctx.Value(patience{}) != nil }

// enter counts a call in, unless the link is being closed.
func (l *link) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.retired {
		return false
	}
	l.calls.Add(1)
	return true
}

// dial returns the adapter, dialling it once for all who wait. A dial that
// fails is not remembered.
func (l *link) dial(ctx context.Context) (adapter.Adapter, error) {
	l.mu.Lock()
	if a := l.adapter; a != nil {
		l.mu.Unlock()
		return a, nil
	}
	d := l.dialing
	if d == nil {
		d = &dialing{done: make(chan struct{})}
		l.dialing = d
		l.calls.Add(1) // the caller is inside, so close waits for us
		go l.dialNow(context.WithoutCancel(ctx), d)
	}
	l.mu.Unlock()
	select {
	case <-d.done:
		return d.adapter, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *link) dialNow(ctx context.Context, d *dialing) {
	defer l.calls.Done()
	ctx, cancel := context.WithTimeout(ctx, l.bridge.config.CallTimeout)
	defer cancel()
	d.adapter, d.err = l.openSafely(ctx)
	l.mu.Lock()
	l.dialing = nil
	if d.err == nil {
		l.adapter, l.own = d.adapter, natureOf(d.adapter)
	}
	l.mu.Unlock()
	if d.err == nil {
		info := d.adapter.Info()
		l.bridge.log.Info("connected", "system", l.config, "version", info.Version, "transport", info.Transport)
	}
	close(d.done)
}

// openSafely keeps a panic of an Opener, on a goroutine of its own here, from
// taking the process down.
func (l *link) openSafely(ctx context.Context) (a adapter.Adapter, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &adapter.Error{Code: adapter.Internal, Message: fmt.Sprintf("connecting to system %q failed", l.config.ID), Err: fmt.Errorf("panic: %v", p)}
		}
	}()
	a, err = l.open(ctx, l.config)
	if err == nil && a == nil {
		err = adapter.Errorf(adapter.Internal, "the opener of kind %q gave no adapter", l.config.Kind)
	}
	return a, err
}

// info returns what the system said of itself, if it was asked.
func (l *link) info() (adapter.Info, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.adapter == nil {
		return adapter.Info{}, false
	}
	return l.adapter.Info(), true
}

// nature is what the adapter said of itself, if it was dialled.
func (l *link) nature() (nature, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.adapter == nil {
		return nature{}, false
	}
	return l.own, true
}

// close lets the calls under way end and closes the adapter.
func (l *link) close() error {
	l.mu.Lock()
	l.retired = true
	l.mu.Unlock()
	l.calls.Wait()
	l.mu.Lock()
	a := l.adapter
	l.adapter = nil
	l.mu.Unlock()
	if a == nil {
		return nil
	}
	return a.Close()
}

// budget bounds how many calls are repeated: a tenth of the calls made, and a
// few at the beginning. Without it, a system in trouble would get three times
// the calls it can't answer.
type budget struct {
	mu    sync.Mutex
	spent float64
}

const (
	budgetSize = 10.0
	budgetEarn = 0.1
)

func (b *budget) earn() {
	b.mu.Lock()
	b.spent = max(0, b.spent-budgetEarn)
	b.mu.Unlock()
}

func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spent+1 > budgetSize {
		return false
	}
	b.spent++
	return true
}
