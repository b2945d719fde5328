package migrate

import (
	"context"
	"sync"
)

// pipeline reads jobs in order, works on several at once, and hands them over
// in order again. next returns false after the last job. At most twice as many
// jobs as workers are under way, so that memory stays bounded. The first error
// of next or take ends it; jobs read before an error of next are still taken.
func pipeline[J any](ctx context.Context, workers int, next func() (J, bool, error), work func(worker int, job J), take func(J) error) error {
	type ticket struct {
		job  J
		err  error
		done chan struct{}
	}
	ctx, cancel := context.WithCancel(ctx)
	todo := make(chan *ticket, workers)
	order := make(chan *ticket, 2*workers)
	var group sync.WaitGroup
	// All goroutines end before pipeline returns: the readers of next's input
	// are the caller's again.
	defer group.Wait()
	defer cancel()
	for w := range workers {
		group.Go(func() {
			for t := range todo {
				work(w, t.job)
				close(t.done)
			}
		})
	}
	group.Go(func() {
		defer close(order)
		defer close(todo)
		for ctx.Err() == nil {
			job, more, err := next()
			t := &ticket{job: job, err: err, done: make(chan struct{})}
			if err == nil && !more {
				return
			}
			select {
			case order <- t:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
			select {
			case todo <- t:
			case <-ctx.Done():
				return
			}
		}
	})
	for t := range order {
		if t.err != nil {
			return t.err
		}
		select {
		case <-t.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := take(t.job); err != nil {
			return err
		}
	}
	return ctx.Err()
}
