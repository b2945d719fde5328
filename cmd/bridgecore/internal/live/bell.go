package live

import (
	"context"
	"runtime"
	"sync"
)

// wave is how many sessions are woken together.
const wave = 16

// bell wakes the sessions that something was pushed to, a few at a time: when
// all are ready at once, whoever else has something to do waits behind them,
// first of all the request that made the change.
type bell struct {
	rung chan struct{}

	mu  sync.Mutex
	due []*Session
}

// ring has sessions woken soon.
func (b *bell) ring(list []*Session) {
	if len(list) == 0 {
		return
	}
	b.mu.Lock()
	for _, s := range list {
		if !s.due {
			s.due = true
			b.due = append(b.due, s)
		}
	}
	b.mu.Unlock()
	select {
	case b.rung <- struct{}{}:
	default:
	}
}

// next are those whose turn it is.
func (b *bell) next(list []*Session) []*Session {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(wave, len(b.due))
	list = append(list[:0], b.due[:n]...)
	clear(b.due[:n])
	if b.due = b.due[n:]; len(b.due) == 0 {
		b.due = nil
	}
	for _, s := range list {
		s.due = false
	}
	return list
}

func (b *bell) run(ctx context.Context) {
	list := make([]*Session, 0, wave)
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.rung:
		}
		for list = b.next(list); len(list) > 0; list = b.next(list) {
			for _, s := range list {
				s.rouse()
			}
			clear(list)
			runtime.Gosched()
		}
	}
}
