package cache

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// flights lets callers who want the same thing at the same time share one
// load.
type flights struct {
	mu     sync.Mutex
	flying map[flightKey]*flight
	landed atomic.Uint64 // flights that ended
}

// flightKey holds the generations too: a read that begins after a bump must
// not join a load that began before it.
type flightKey struct {
	sum   [20]byte
	gen   Generation
	local Generation
}

type flight struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int // guarded by flights.mu
	value   Value
	err     error
	panic   any
}

func (f *flights) do(ctx context.Context, key flightKey, load func(context.Context) (Value, error)) (Value, error) {
	if err := ctx.Err(); err != nil {
		return Value{}, err
	}
	f.mu.Lock()
	fl := f.flying[key]
	if fl == nil {
		// The load keeps the first caller's values but not its cancellation:
		// others may still want the answer when that caller has gone.
		shared, cancel := context.WithCancel(context.WithoutCancel(ctx))
		fl = &flight{done: make(chan struct{}), cancel: cancel}
		if f.flying == nil {
			f.flying = map[flightKey]*flight{}
		}
		f.flying[key] = fl
		go f.fly(shared, key, fl, load)
	}
	fl.waiting++
	f.mu.Unlock()

	select {
	case <-fl.done:
		if fl.panic != nil {
			panic(fl.panic) //nolint:forbidigo // it is the caller's own, from his load
		}
		return fl.value, fl.err
	case <-ctx.Done():
		f.mu.Lock()
		defer f.mu.Unlock()
		if fl.waiting--; fl.waiting == 0 {
			// Nobody wants it any more; whoever comes now starts anew.
			fl.cancel()
			f.forget(key, fl)
		}
		return Value{}, ctx.Err()
	}
}

func (f *flights) fly(ctx context.Context, key flightKey, fl *flight, load func(context.Context) (Value, error)) {
	defer fl.cancel()
	defer func() {
		if p := recover(); p != nil {
			// The panic belongs to the callers, who may know what to do.
			fl.panic = fmt.Sprintf("%v\n\nin the load:\n%s", p, debug.Stack())
		}
		f.landed.Add(1)
		f.mu.Lock()
		f.forget(key, fl)
		f.mu.Unlock()
		close(fl.done)
	}()
	fl.value, fl.err = load(ctx)
}

func (f *flights) forget(key flightKey, fl *flight) {
	if f.flying[key] == fl {
		delete(f.flying, key)
	}
}
