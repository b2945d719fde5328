// Package breaker stops calling a system that does not answer. One [Breaker]
// stands before each system: after some failures in a row it opens and
// answers at once, after a while it lets one call through to see, and that
// call's success closes it.
//
// What counts as a failure is told from the error's code, see [ClassOf]: a
// system that refuses a call in good order is in good health.
package breaker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/bridgecore/bridgecore/adapter"
)

// The defaults of Settings.
const (
	DefaultFailures = 5
	DefaultCooldown = 60 * time.Second
)

// Settings say when a breaker opens and for how long. The zero value has the
// defaults.
type Settings struct {
	Failures int           // failures in a row that open it; 0 is DefaultFailures
	Cooldown time.Duration // how long it stays open; 0 is DefaultCooldown
	// OnChange is told of every change of state, one at a time. It must not
	// call the breaker.
	OnChange func(Change)
}

// State is what a breaker does with calls, in the documented spelling.
type State string

// The states.
const (
	Closed   State = "closed"    // calls go through
	Open     State = "open"      // calls are answered at once
	HalfOpen State = "half_open" // one call is let through to see
)

// Change is a change of state.
type Change struct {
	Name string
	From State
	To   State
}

// Snapshot is the condition of a breaker at one moment.
type Snapshot struct {
	State            State      `json:"state"`
	FailureCount     int        `json:"failure_count"` // in a row, up to now
	LastFailureTime  *time.Time `json:"last_failure_time"`
	FailureThreshold int        `json:"failure_threshold"`
	RecoveryTimeout  int        `json:"recovery_timeout"` // seconds
	// RetryAt is when the next call is let through; null when calls are.
	RetryAt *time.Time `json:"retry_at"`
	// CredentialsRefused says that the system refused our credentials lately
	// and is not asked again before RetryAt.
	CredentialsRefused bool `json:"credentials_refused,omitempty"`
	// Paced says that the system asked us to wait until RetryAt.
	Paced bool `json:"paced,omitempty"`
}

// Breaker stands before one system. It is safe for concurrent use.
type Breaker struct {
	name     string
	settings Settings
	gate     *gobreaker.CircuitBreaker[struct{}]

	mu           sync.Mutex
	failures     int
	lastFailure  time.Time
	retryAt      time.Time // of the open state
	refusedUntil time.Time // the credentials
	pacedUntil   time.Time
}

// New makes a closed breaker. The name is the system's, for messages.
func New(name string, s Settings) *Breaker {
	if s.Failures <= 0 {
		s.Failures = DefaultFailures
	}
	if s.Cooldown <= 0 {
		s.Cooldown = DefaultCooldown
	}
	b := &Breaker{name: name, settings: s}
	b.gate = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         name,
		MaxRequests:  1,
		Timeout:      s.Cooldown,
		ReadyToTrip:  func(n gobreaker.Counts) bool { return int(n.ConsecutiveFailures) >= s.Failures },
		IsSuccessful: func(err error) bool { return classOf(err) == Success },
		IsExcluded: func(err error) bool {
			c := classOf(err)
			return c == Neutral || c == Pacing
		},
		OnStateChange: b.changed,
	})
	return b
}

// Class is what the end of a call says about the health of a system.
type Class int

// The classes.
const (
	Success            Class = iota // answered in good order, if only with a refusal
	Failure                         // unreachable, cut off, too slow, or not itself
	Neutral                         // says nothing: the caller went away, nothing was tried
	Pacing                          // answered that we are too fast
	CredentialsRefused              // answered in good order, but does not know us
)

// classes sorts the codes of errors.
var classes = map[adapter.Code]Class{
	adapter.Unavailable:     Failure, // not connected, TLS refused, reset, 502-504, malformed protocol
	adapter.Timeout:         Failure, // our own deadline
	adapter.UnknownOutcome:  Failure, // cut off or too slow while changing something
	adapter.Canceled:        Neutral,
	adapter.RateLimited:     Pacing,
	adapter.Unauthenticated: CredentialsRefused,
}

// ClassOf sorts the error of a call made under ctx, the caller's own context.
// When that has ended, the call was cut short by the caller and says nothing,
// whatever error came of it.
func ClassOf(ctx context.Context, err error) Class {
	if err == nil {
		return Success
	}
	class, listed := classes[adapter.CodeOf(err)]
	switch {
	case errors.As(err, new(*silent)):
		return Neutral
	case !listed:
		if e, ok := errors.AsType[*adapter.Error](err); ok && e.Code == adapter.Internal && e.Temporary {
			return Failure
		}
		return Success
	case class == Failure && ctx.Err() != nil:
		return Neutral
	}
	return class
}

// Silent marks an error as saying nothing about the system, whatever its code:
// a call that was given up before the system was asked.
func Silent(err error) error { return &silent{err} }

type silent struct{ error }

func (s *silent) Unwrap() error { return s.error }

// classed carries a class through the gate.
type classed struct {
	class Class
	error
}

func (c classed) Unwrap() error { return c.error }

func classOf(err error) Class {
	if err == nil {
		return Success
	}
	var c classed
	if errors.As(err, &c) {
		if c.class == CredentialsRefused {
			return Success // as far as reaching the system goes
		}
		return c.class
	}
	return Neutral // a panic: ours, not the system's
}

// Rejection reports whether err is a breaker's own answer: the call was not
// made.
func Rejection(err error) bool {
	var r *rejection
	return errors.As(err, &r)
}

type rejection struct{ reason string }

func (r *rejection) Error() string { return r.reason }

// Do makes the call unless the system is not to be asked now; then it answers
// at once with an [*adapter.Error] that nothing was sent for, and that says
// when the system is asked again.
//
// ctx is the caller's: a call that fails because it ended says nothing about
// the system. A deadline of ours, which does, belongs inside fn.
func (b *Breaker) Do(ctx context.Context, fn func(context.Context) error) error {
	if err := b.held(); err != nil {
		return err
	}
	_, err := b.gate.Execute(func() (struct{}, error) {
		err := fn(ctx)
		class := ClassOf(ctx, err)
		b.note(class, err)
		if err == nil {
			return struct{}{}, nil
		}
		return struct{}{}, classed{class, err}
	})
	var c classed
	switch {
	case errors.As(err, &c):
		return c.error
	case errors.Is(err, gobreaker.ErrOpenState):
		return b.opened()
	case errors.Is(err, gobreaker.ErrTooManyRequests):
		return b.reject(adapter.Unavailable, "is being tried again after failures", time.Second, err)
	}
	return err
}

// held is the answer while the system asked us to wait, or refused our
// credentials.
func (b *Breaker) held() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refusedUntil.IsZero() && b.pacedUntil.IsZero() {
		return nil
	}
	now := time.Now()
	if left := b.refusedUntil.Sub(now); left > 0 {
		return b.reject(adapter.Unauthenticated, "refused the credentials it is configured with; they are not tried again", left, nil)
	}
	if left := b.pacedUntil.Sub(now); left > 0 {
		return b.reject(adapter.RateLimited, "asked for fewer calls", left, nil)
	}
	b.refusedUntil, b.pacedUntil = time.Time{}, time.Time{}
	return nil
}

func (b *Breaker) opened() error {
	b.mu.Lock()
	left := max(time.Until(b.retryAt), time.Second)
	n := b.failures
	b.mu.Unlock()
	return b.reject(adapter.Unavailable, fmt.Sprintf("did not answer %d times in a row and is left alone", n), left, gobreaker.ErrOpenState)
}

func (b *Breaker) reject(code adapter.Code, what string, left time.Duration, err error) error {
	left = (left + time.Second - 1).Truncate(time.Second)
	message := fmt.Sprintf("system %q %s; try again in %d s", b.name, what, left/time.Second)
	if code == adapter.Unauthenticated {
		message = fmt.Sprintf("system %q %s for %d s; correct its connection settings", b.name, what, left/time.Second)
	}
	if err == nil {
		err = errors.New(what)
	}
	return &adapter.Error{
		Code: code, Message: message, NothingSent: true, RetryAfter: left,
		Temporary: code != adapter.Unauthenticated,
		Err:       fmt.Errorf("%w: %w", &rejection{what}, err),
	}
}

// maxPace bounds how long a system can make us wait.
const maxPace = 5 * time.Minute

// note keeps what the gate does not: for how long to wait, and the figures
// that outlive a change of state.
func (b *Breaker) note(class Class, err error) {
	if class == Success && b.quiet() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	switch class {
	case Success:
		b.failures = 0
		b.refusedUntil, b.pacedUntil = time.Time{}, time.Time{}
	case Failure:
		b.failures++
		b.lastFailure = now
	case CredentialsRefused:
		b.failures = 0
		b.refusedUntil = now.Add(max(b.settings.Cooldown, min(adapter.RetryAfter(err), maxPace)))
	case Pacing:
		if wait := adapter.RetryAfter(err); wait > 0 {
			b.pacedUntil = now.Add(min(wait, maxPace))
		}
	}
}

func (b *Breaker) quiet() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures == 0 && b.refusedUntil.IsZero() && b.pacedUntil.IsZero()
}

var states = map[gobreaker.State]State{
	gobreaker.StateClosed:   Closed,
	gobreaker.StateOpen:     Open,
	gobreaker.StateHalfOpen: HalfOpen,
}

// changed runs under the gate's lock.
func (b *Breaker) changed(name string, from, to gobreaker.State) {
	if to == gobreaker.StateOpen {
		b.mu.Lock()
		b.retryAt = time.Now().Add(b.settings.Cooldown)
		b.mu.Unlock()
	}
	if b.settings.OnChange != nil {
		b.settings.OnChange(Change{Name: name, From: states[from], To: states[to]})
	}
}

// Snapshot returns the breaker's condition now.
func (b *Breaker) Snapshot() Snapshot {
	state := states[b.gate.State()]
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Snapshot{
		State: state, FailureCount: b.failures,
		FailureThreshold: b.settings.Failures, RecoveryTimeout: int(b.settings.Cooldown / time.Second),
	}
	if !b.lastFailure.IsZero() {
		at := b.lastFailure.UTC()
		s.LastFailureTime = &at
	}
	now := time.Now()
	retry := time.Time{}
	if state == Open {
		retry = b.retryAt
	}
	if s.CredentialsRefused = b.refusedUntil.After(now); s.CredentialsRefused {
		retry = later(retry, b.refusedUntil)
	}
	if s.Paced = b.pacedUntil.After(now); s.Paced {
		retry = later(retry, b.pacedUntil)
	}
	if !retry.IsZero() {
		retry = retry.UTC()
		s.RetryAt = &retry
	}
	return s
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
