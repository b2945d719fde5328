package breaker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/breaker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	down     = &adapter.Error{Code: adapter.Unavailable, Message: "down", Temporary: true}
	business = &adapter.Error{Code: adapter.InvalidArgument, Message: "no such field"}
)

func with(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

func TestClasses(t *testing.T) {
	live := context.Background()
	gone, cancel := context.WithCancel(live)
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want breaker.Class
	}{
		{live, nil, breaker.Success},
		{live, down, breaker.Failure},
		{live, adapter.ErrTimeout, breaker.Failure},
		{live, adapter.ErrUnknownOutcome, breaker.Failure},
		{live, context.DeadlineExceeded, breaker.Failure},
		{live, fmt.Errorf("wrapped: %w", down), breaker.Failure},
		{live, &adapter.Error{Code: adapter.Internal, Temporary: true}, breaker.Failure},
		{live, &adapter.Error{Code: adapter.Internal}, breaker.Success},
		{live, errors.New("anything"), breaker.Success},
		{live, business, breaker.Success},
		{live, adapter.ErrPermissionDenied, breaker.Success},
		{live, adapter.ErrNotFound, breaker.Success},
		{live, adapter.ErrConflict, breaker.Success},
		{live, adapter.ErrAlreadyExists, breaker.Success},
		{live, adapter.ErrPreconditionFailed, breaker.Success},
		{live, adapter.ErrUnsupported, breaker.Success},
		{live, adapter.ErrCanceled, breaker.Neutral},
		{live, breaker.Silent(down), breaker.Neutral},
		{live, context.Canceled, breaker.Neutral},
		{gone, down, breaker.Neutral},
		{gone, adapter.ErrTimeout, breaker.Neutral},
		{gone, business, breaker.Success},
		{live, adapter.ErrRateLimited, breaker.Pacing},
		{live, adapter.ErrUnauthenticated, breaker.CredentialsRefused},
	} {
		assert.Equal(t, c.want, breaker.ClassOf(c.ctx, c.err), "%v", c.err)
	}
}

func TestOpensAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		var changes []breaker.Change
		b := breaker.New("odoo-prod", breaker.Settings{OnChange: func(c breaker.Change) { changes = append(changes, c) }})
		start := time.Now()

		for i := range breaker.DefaultFailures {
			assert.Equal(t, breaker.Closed, b.Snapshot().State)
			require.ErrorIs(t, b.Do(ctx, with(down)), down, i)
		}
		s := b.Snapshot()
		assert.Equal(t, breaker.Open, s.State)
		assert.Equal(t, 5, s.FailureCount)
		assert.Equal(t, start.UTC(), *s.LastFailureTime)
		assert.Equal(t, start.Add(time.Minute).UTC(), *s.RetryAt)

		time.Sleep(20*time.Second + 300*time.Millisecond)
		called := false
		err := b.Do(ctx, func(context.Context) error { called = true; return nil })
		assert.False(t, called, "an open breaker makes no call")
		var e *adapter.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, adapter.Unavailable, e.Code)
		assert.True(t, e.NothingSent)
		assert.True(t, e.Temporary)
		assert.Equal(t, 40*time.Second, e.RetryAfter, "what is left, in whole seconds")
		assert.Equal(t, `system "odoo-prod" did not answer 5 times in a row and is left alone; try again in 40 s`, e.Message)
		assert.True(t, breaker.Rejection(err))
		assert.False(t, breaker.Rejection(down))

		// One call is let through, the others are answered meanwhile.
		time.Sleep(40 * time.Second)
		assert.Equal(t, breaker.HalfOpen, b.Snapshot().State)
		probing, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			assert.ErrorIs(t, b.Do(ctx, func(context.Context) error { close(probing); <-release; return down }), down)
		})
		<-probing
		err = b.Do(ctx, with(nil))
		assert.True(t, breaker.Rejection(err))
		assert.ErrorIs(t, err, adapter.ErrUnavailable)
		close(release)
		wg.Wait()
		assert.Equal(t, breaker.Open, b.Snapshot().State, "the probe failed")
		assert.Equal(t, 6, b.Snapshot().FailureCount)

		// A refusal in good order shows that the system is well again.
		time.Sleep(61 * time.Second)
		require.ErrorIs(t, b.Do(ctx, with(business)), business)
		s = b.Snapshot()
		assert.Equal(t, breaker.Closed, s.State)
		assert.Zero(t, s.FailureCount)
		assert.Nil(t, s.RetryAt)
		assert.NotNil(t, s.LastFailureTime)

		var path []breaker.State
		for _, c := range changes {
			assert.Equal(t, "odoo-prod", c.Name)
			path = append(path, c.To)
		}
		assert.Equal(t, []breaker.State{breaker.Open, breaker.HalfOpen, breaker.Open, breaker.HalfOpen, breaker.Closed}, path)
	})
}

func TestOnlyFailuresInARowOpen(t *testing.T) {
	b := breaker.New("s", breaker.Settings{Failures: 3})
	ctx := t.Context()
	for range 10 {
		for _, err := range []error{down, down, business, context.Canceled} {
			require.ErrorIs(t, b.Do(ctx, with(err)), err)
		}
	}
	assert.Equal(t, breaker.Closed, b.Snapshot().State)
	// What says nothing neither adds to a row nor breaks it.
	for _, err := range []error{down, context.Canceled, down, adapter.ErrRateLimited, down} {
		require.ErrorIs(t, b.Do(ctx, with(err)), err)
	}
	assert.Equal(t, breaker.Open, b.Snapshot().State)
}

func TestACallerWhoLeavesTheProbeLeavesItToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New("s", breaker.Settings{Failures: 1, Cooldown: time.Second})
		require.Error(t, b.Do(t.Context(), with(down)))
		time.Sleep(2 * time.Second)
		require.ErrorIs(t, b.Do(t.Context(), with(context.Canceled)), context.Canceled)
		assert.Equal(t, breaker.HalfOpen, b.Snapshot().State)
		require.NoError(t, b.Do(t.Context(), with(nil)))
		assert.Equal(t, breaker.Closed, b.Snapshot().State)
	})
}

func TestRefusedCredentialsAreNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		b := breaker.New("odoo", breaker.Settings{})
		refused := &adapter.Error{Code: adapter.Unauthenticated, Message: "wrong password"}
		calls := 0
		for range 50 {
			err := b.Do(ctx, func(context.Context) error { calls++; return refused })
			require.ErrorIs(t, err, adapter.ErrUnauthenticated)
		}
		assert.Equal(t, 1, calls)
		s := b.Snapshot()
		assert.Equal(t, breaker.Closed, s.State, "the system itself is well")
		assert.True(t, s.CredentialsRefused)
		assert.NotNil(t, s.RetryAt)
		var e *adapter.Error
		require.ErrorAs(t, b.Do(ctx, with(nil)), &e)
		assert.Equal(t, `system "odoo" refused the credentials it is configured with; they are not tried again for 60 s; correct its connection settings`, e.Message)
		assert.True(t, e.NothingSent)

		time.Sleep(time.Minute)
		require.NoError(t, b.Do(ctx, with(nil)))
		s = b.Snapshot()
		assert.False(t, s.CredentialsRefused)
		assert.Nil(t, s.RetryAt)
	})
}

func TestPacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		b := breaker.New("odoo", breaker.Settings{Failures: 1})
		slow := &adapter.Error{Code: adapter.RateLimited, Message: "slow down", Temporary: true, RetryAfter: 7 * time.Second}
		require.ErrorIs(t, b.Do(ctx, with(slow)), slow)
		assert.True(t, b.Snapshot().Paced)
		assert.Equal(t, breaker.Closed, b.Snapshot().State)
		err := b.Do(ctx, with(nil))
		require.ErrorIs(t, err, adapter.ErrRateLimited)
		assert.Equal(t, 7*time.Second, adapter.RetryAfter(err))
		assert.True(t, breaker.Rejection(err))
		time.Sleep(7 * time.Second)
		require.NoError(t, b.Do(ctx, with(nil)))

		// A system can't silence us for ever.
		require.Error(t, b.Do(ctx, with(&adapter.Error{Code: adapter.RateLimited, RetryAfter: 1000 * time.Hour})))
		time.Sleep(5 * time.Minute)
		require.NoError(t, b.Do(ctx, with(nil)))
	})
}

func TestPanicsGoThroughAndSayNothing(t *testing.T) {
	b := breaker.New("s", breaker.Settings{Failures: 1})
	assert.PanicsWithValue(t, "ours", func() { _ = b.Do(t.Context(), func(context.Context) error { panic("ours") }) })
	assert.Equal(t, breaker.Closed, b.Snapshot().State)
	assert.NoError(t, b.Do(t.Context(), with(nil)))
}

func TestSnapshotHasTheDocumentedShape(t *testing.T) {
	b := breaker.New("s", breaker.Settings{})
	got, err := json.Marshal(b.Snapshot())
	require.NoError(t, err)
	assert.JSONEq(t, `{"state":"closed","failure_count":0,"last_failure_time":null,"failure_threshold":5,"recovery_timeout":60,"retry_at":null}`, string(got))
}

// Against a plain model: failures in a row since the last success open it,
// and nothing is called while it is open.
func TestAgainstAModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ends := rapid.SliceOfN(rapid.SampledFrom([]error{nil, down, business, context.Canceled}), 1, 60).Draw(rt, "ends")
		pauses := rapid.SliceOfN(rapid.IntRange(0, 40), len(ends), len(ends)).Draw(rt, "pauses")
		synctest.Test(t, func(t *testing.T) {
			b := breaker.New("s", breaker.Settings{Failures: 3, Cooldown: 30 * time.Second})
			row, openUntil, probing := 0, time.Time{}, false
			for i, end := range ends {
				time.Sleep(time.Duration(pauses[i])*time.Second + time.Millisecond)
				open := time.Now().Before(openUntil)
				if !open && !openUntil.IsZero() {
					probing = true
				}
				called := false
				_ = b.Do(context.Background(), func(context.Context) error { called = true; return end })
				if called == open {
					rt.Fatalf("step %d: called %v while open %v", i, called, open)
				}
				if !called {
					continue
				}
				switch {
				case errors.Is(end, down):
					if row++; row >= 3 || probing {
						openUntil, probing = time.Now().Add(30*time.Second), false
					}
				case end == nil, errors.Is(end, business):
					row, openUntil, probing = 0, time.Time{}, false
				}
			}
		})
	})
}

func BenchmarkDo(b *testing.B) {
	br := breaker.New("s", breaker.Settings{})
	b.ReportAllocs()
	for b.Loop() {
		_ = br.Do(b.Context(), with(nil))
	}
}
