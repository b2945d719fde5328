package bridge

import (
	"context"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/breaker"
)

// Observer is told what the bridge does. Its methods are called from many
// goroutines and should return soon.
type Observer interface {
	// Upstream is told of every call that was made to a system, when it ended.
	Upstream(ctx context.Context, e UpstreamEvent)
	// Lookup is told of every read that the cache was asked for.
	Lookup(ctx context.Context, e LookupEvent)
	// Changed is told of every change that a system acknowledged.
	Changed(ctx context.Context, e ChangeEvent)
	// Breaker is told when a system's breaker changes its state. It must not
	// call the bridge.
	Breaker(e BreakerEvent)
}

// Beginner is an Observer that is told of calls before they are made, too.
type Beginner interface {
	// Begin is told of a call that is about to be made. The call is made in the
	// context that it returns, and Upstream is told of its end in the same.
	Begin(ctx context.Context, e UpstreamEvent) context.Context
}

// Observers tells several observers.
type Observers []Observer

// Upstream tells all.
func (o Observers) Upstream(ctx context.Context, e UpstreamEvent) {
	for _, one := range o {
		one.Upstream(ctx, e)
	}
}

// Begin tells those that are Beginners.
func (o Observers) Begin(ctx context.Context, e UpstreamEvent) context.Context {
	for _, one := range o {
		if b, ok := one.(Beginner); ok {
			ctx = b.Begin(ctx, e)
		}
	}
	return ctx
}

// Lookup tells all.
func (o Observers) Lookup(ctx context.Context, e LookupEvent) {
	for _, one := range o {
		one.Lookup(ctx, e)
	}
}

// Changed tells all.
func (o Observers) Changed(ctx context.Context, e ChangeEvent) {
	for _, one := range o {
		one.Changed(ctx, e)
	}
}

// Breaker tells all.
func (o Observers) Breaker(e BreakerEvent) {
	for _, one := range o {
		one.Breaker(e)
	}
}

// UpstreamEvent is one call that was made to a system.
type UpstreamEvent struct {
	Tenant, System, Kind string
	Operation, Model     string
	Attempt              int // from 1
	Duration             time.Duration
	Err                  error
}

// LookupEvent is one read that may be kept.
type LookupEvent struct {
	Tenant, System   string
	Operation, Model string
	Hit              bool
}

// ChangeEvent is a change that a system acknowledged.
type ChangeEvent struct {
	Tenant, System, User string
	Operation            string // "create", "write", "unlink", or the method
	Model                string
	IDs                  []adapter.ID // as far as they are known
	Values               any          // what was written, if anything
	// As is the version in whose words Model and Values are, "" for the
	// system's own.
	As string
}

// BreakerEvent is a change of a breaker's state.
type BreakerEvent struct {
	Tenant, System string
	From, To       breaker.State
}
