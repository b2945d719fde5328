package task_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/task"
)

// bench is a database with a user, and engines over it.
type bench struct {
	t     *testing.T
	where store.Options
	store *store.Store
	user  store.User
	heard *ear
}

// ear hears of operations that have ended.
type ear struct {
	mu    sync.Mutex
	ended map[string]chan store.Operation
}

func (e *ear) of(id string) chan store.Operation {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended[id] == nil {
		e.ended[id] = make(chan store.Operation, 10)
	}
	return e.ended[id]
}

func (e *ear) OperationChanged(_ context.Context, op store.Operation) {
	if op.State.Final() {
		e.of(op.ID) <- op
	}
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, where: storetest.Options(t), heard: &ear{ended: map[string]chan store.Operation{}}}
	var err error
	b.store, err = store.Open(t.Context(), b.where)
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.store.Close() })
	tenant, err := b.store.EnsureTenant(t.Context(), "acme")
	require.NoError(t, err)
	b.user = store.User{TenantID: tenant.ID, Username: "clerk", Role: store.Plain, IsActive: true}
	require.NoError(t, b.store.CreateUser(t.Context(), &b.user))
	return b
}

// engine makes an engine of its own, as another process would.
func (b *bench) engine(change func(*task.Config)) *task.Engine {
	b.t.Helper()
	c := task.Config{Store: b.store, DSN: b.where.DSN, Publisher: b.heard, Backoff: time.Millisecond, MaxAttempts: 3, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	e, err := task.New(b.t.Context(), c)
	require.NoError(b.t, err)
	b.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		assert.NoError(b.t, e.Stop(ctx))
		e.Close()
	})
	return e
}

func (b *bench) submit(e *task.Engine, kind string) string {
	b.t.Helper()
	op := store.Operation{TenantID: b.user.TenantID, UserID: b.user.ID, Username: b.user.Username, Kind: kind, Parameters: "{}", Total: 10}
	require.NoError(b.t, e.Submit(b.t.Context(), &op))
	return op.ID
}

// executor counts to ten, unless step says otherwise.
type executor struct {
	steps atomic.Int64
	step  func(ctx context.Context, n int64) error
}

func (x *executor) Step(ctx context.Context, r *task.Run) (bool, error) {
	n := x.steps.Add(1)
	if x.step != nil {
		if err := x.step(ctx, n); err != nil {
			return false, err
		}
	}
	var at struct{ N int64 }
	if err := r.Cursor(&at); err != nil {
		return false, err
	}
	at.N++
	return at.N == 10, r.Save(ctx, task.Step{Cursor: at, Done: at.N, Total: 10, Part: at.N})
}

func (x *executor) Result(_ store.Operation, parts []string) (task.Result, error) {
	var text []byte
	for _, p := range parts {
		text = append(text, p...)
	}
	return task.Result{ContentType: "text/plain", Body: text}, nil
}

func TestAnOperationIsDoneStepByStep(t *testing.T) {
	b := newBench(t)
	x := &executor{}
	e := b.engine(func(c *task.Config) { c.Slice = time.Nanosecond }) // a slice for each step
	e.Handle("count", x)
	require.NoError(t, e.Start(t.Context()))
	op := <-b.heard.of(b.submit(e, "count"))
	assert.Equal(t, store.Succeeded, op.State)
	assert.EqualValues(t, 10, x.steps.Load())
	assert.Empty(t, op.Parameters, "those are nobody's business")
	got, err := e.Result(t.Context(), op)
	require.NoError(t, err)
	assert.Equal(t, "12345678910", string(got.Body))
	assert.WithinDuration(t, time.Now().Add(72*time.Hour), *op.ExpiresAt, time.Hour)
	err = e.Submit(t.Context(), &store.Operation{Kind: "nothing"})
	assert.ErrorIs(t, err, adapter.ErrUnsupported)
}

// A worker that is woken a little before the operation is due does not give the
// only wake-up away.
func TestAWakeUpThatComesTooEarly(t *testing.T) {
	b := newBench(t)
	e := b.engine(nil)
	e.Handle("count", &executor{})
	id := b.submit(e, "count")
	_, err := b.store.SQL().ExecContext(t.Context(), "UPDATE operations SET next_at = "+map[string]string{
		"sqlite":   "strftime('%Y-%m-%d %H:%M:%f+00:00', 'now', '+1 second')",
		"postgres": "clock_timestamp() + INTERVAL '1 second'",
	}[b.store.Driver()])
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context()))
	assert.Equal(t, store.Succeeded, (<-b.heard.of(id)).State)
	var jobs int
	require.NoError(t, b.store.SQL().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM river_job WHERE kind = 'operation'").Scan(&jobs))
	assert.Equal(t, 1, jobs, "nobody had to wake it again")
}

// Where the worker that was woken died before it began, another one is woken.
func TestAWakeUpThatWasLost(t *testing.T) {
	b := newBench(t)
	e := b.engine(nil)
	e.Handle("count", &executor{})
	id := b.submit(e, "count")
	res, err := b.store.SQL().ExecContext(t.Context(), "UPDATE river_job SET state = 'completed', finalized_at = CURRENT_TIMESTAMP WHERE kind = 'operation'")
	require.NoError(t, err)
	n, err := res.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.NoError(t, e.Start(t.Context()))
	select {
	case op := <-b.heard.of(id):
		assert.Equal(t, store.Succeeded, op.State)
	case <-time.After(30 * time.Second):
		assert.Fail(t, "nobody was woken again")
	}
}

func TestFailuresByTheirKind(t *testing.T) {
	for name, tc := range map[string]struct {
		step  func(context.Context, int64) error
		state store.OperationState
		steps int64
		code  string
	}{
		"permanent":          {func(context.Context, int64) error { return adapter.Errorf(adapter.InvalidArgument, "bad") }, store.Failed, 1, "invalid_argument"},
		"temporary for ever": {func(context.Context, int64) error { return &adapter.Error{Code: adapter.Unavailable, Temporary: true} }, store.Failed, 4, "unavailable"},
		"a panic":            {func(context.Context, int64) error { panic("canary") }, store.Failed, 4, "internal"},
		"temporary, at first": {func(_ context.Context, n int64) error {
			if n%3 == 0 {
				return nil
			}
			return &adapter.Error{Code: adapter.Unavailable, Temporary: true}
		}, store.Succeeded, 30, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			x := &executor{step: tc.step}
			e := b.engine(nil)
			e.Handle("count", x)
			require.NoError(t, e.Start(t.Context()))
			op := <-b.heard.of(b.submit(e, "count"))
			assert.Equal(t, tc.state, op.State)
			assert.Equal(t, tc.steps, x.steps.Load())
			assert.Contains(t, op.Error, tc.code)
			assert.NotContains(t, op.Error, "canary")
			if tc.state == store.Failed && name != "a panic" {
				x.step = nil
				require.NoError(t, e.Retry(t.Context(), op.ID))
				assert.Equal(t, store.Succeeded, (<-b.heard.of(op.ID)).State)
			}
		})
	}
}

// A worker that ends hands its operation back, and another goes on where it
// stopped.
func TestAWorkerEndsAndAnotherGoesOn(t *testing.T) {
	b := newBench(t)
	reached := make(chan struct{})
	first := &executor{step: func(ctx context.Context, n int64) error {
		if n == 4 {
			close(reached)
			<-ctx.Done()
			return context.Cause(ctx)
		}
		return nil
	}}
	e := b.engine(nil)
	e.Handle("count", first)
	require.NoError(t, e.Start(t.Context()))
	id := b.submit(e, "count")
	<-reached
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_ = e.Stop(over) // it is broken off
	op, err := b.store.Operation(t.Context(), id)
	require.NoError(t, err)
	assert.EqualValues(t, 3, op.Done)
	assert.False(t, op.State.Final())
	assert.Empty(t, op.Worker)

	second := &executor{}
	other := b.engine(nil)
	other.Handle("count", second)
	require.NoError(t, other.Start(t.Context()))
	op = <-b.heard.of(id)
	assert.Equal(t, store.Succeeded, op.State)
	assert.EqualValues(t, 7, second.steps.Load())
}

// deadlyDatabase has a process of this test's program do operations that kill it,
// in the database that it names.
const deadlyDatabase = "BRIDGECORE_TEST_DEADLY"

// deaths is how many are tried again.
const deaths = 2

// TestMain is the whole of such a process.
func TestMain(m *testing.M) {
	where := os.Getenv(deadlyDatabase)
	if where == "" {
		os.Exit(m.Run())
	}
	driver, dsn, _ := strings.Cut(where, " ")
	ended := &ear{ended: map[string]chan store.Operation{}}
	err := func() error {
		ctx := context.Background()
		s, err := store.Open(ctx, store.Options{Driver: driver, DSN: dsn, MaxOpen: 5})
		if err != nil {
			return err
		}
		e, err := task.New(ctx, task.Config{Store: s, DSN: dsn, Publisher: ended, MaxAttempts: deaths, Lease: time.Hour, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		e.Handle("count", &poison{})
		if err := e.Start(ctx); err != nil {
			return err
		}
		<-ended.of(os.Getenv(deadlyDatabase + "_OPERATION"))
		return nil
	}()
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

// poison is an executor whose fourth step ends the process.
type poison struct{ executor }

func (x *poison) Step(ctx context.Context, r *task.Run) (bool, error) {
	if r.Done < 3 {
		return x.executor.Step(ctx, r)
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	<-ctx.Done() // the end of the process
	return false, err
}

// An operation that kills the process of each worker that takes it up is given
// up, and can be tried again from where it stopped.
func TestAnOperationThatKillsItsWorkers(t *testing.T) {
	b := newBench(t)
	e, x := b.engine(nil), &executor{}
	e.Handle("count", x)
	id := b.submit(e, "count")
	died := 0
	for {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), deadlyDatabase+"="+b.where.Driver+" "+b.where.DSN, deadlyDatabase+"_OPERATION="+id)
		out, err := cmd.CombinedOutput()
		if err == nil {
			break
		}
		require.Contains(t, err.Error(), "killed", string(out))
		died++
		_, err = b.store.SQL().ExecContext(t.Context(), "UPDATE operations SET lease_until = created_at") // it is over
		require.NoError(t, err)
		require.LessOrEqual(t, died, 3*deaths, "it goes on for ever")
	}
	op, err := b.store.Operation(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, store.Failed, op.State)
	assert.Contains(t, op.Error, "ended in the midst of it 3 times")
	assert.NotNil(t, op.ExpiresAt)
	assert.EqualValues(t, 3, op.Done)
	assert.Equal(t, deaths+1, died)

	require.NoError(t, e.Start(t.Context()))
	require.NoError(t, e.Retry(t.Context(), id))
	assert.Equal(t, store.Succeeded, (<-b.heard.of(id)).State)
	assert.EqualValues(t, 7, x.steps.Load(), "it went on where it stopped")
}

// Whoever lost the lease saves nothing.
func TestALeaseThatWasLost(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	op := store.Operation{ID: "1", TenantID: b.user.TenantID, UserID: b.user.ID, Kind: "count", Parameters: "{}"}
	require.NoError(t, b.store.CreateOperation(ctx, &op))
	mine, ours, err := b.store.ClaimOperation(ctx, "1", "a", -time.Second) // it is over at once
	require.NoError(t, err)
	require.True(t, ours)
	theirs, ours, err := b.store.ClaimOperation(ctx, "1", "b", time.Minute)
	require.NoError(t, err)
	require.True(t, ours)
	_, ours, err = b.store.ClaimOperation(ctx, "1", "c", time.Minute)
	require.NoError(t, err)
	assert.False(t, ours, "it is b's")
	mine.Done, theirs.Done = 1, 2
	assert.ErrorIs(t, b.store.SaveOperation(ctx, &mine, "1"), store.ErrLeaseLost)
	mine.State = store.Failed
	assert.ErrorIs(t, b.store.ReleaseOperation(ctx, &mine), store.ErrLeaseLost)
	_, err = b.store.KeepOperation(ctx, &mine, time.Minute)
	assert.ErrorIs(t, err, store.ErrLeaseLost)
	require.NoError(t, b.store.SaveOperation(ctx, &theirs, "2"))
	got, err := b.store.Operation(ctx, "1")
	require.NoError(t, err)
	assert.EqualValues(t, 2, got.Done)
	parts, err := b.store.OperationParts(ctx, "1")
	require.NoError(t, err)
	assert.Equal(t, []string{"2"}, parts)
}

// Workers on machines whose clocks differ by an hour agree on who has an
// operation: the lease is by the database's clock.
func TestLeasesWithClocksThatAreWrong(t *testing.T) {
	where := storetest.Options(t)
	if where.Driver == "sqlite" {
		t.Skip("over SQLite there is one machine")
	}
	for name, off := range map[string]time.Duration{"fast": time.Hour, "slow": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			ctx := t.Context()
			o := b.where
			o.Clock = func() time.Time { return time.Now().Add(off) }
			wrong, err := store.Open(ctx, o)
			require.NoError(t, err)
			t.Cleanup(func() { _ = wrong.Close() })
			stores := []*store.Store{b.store, wrong}
			for i, holder := range stores {
				other := stores[1-i]
				op := store.Operation{ID: strconv.Itoa(i), TenantID: b.user.TenantID, UserID: b.user.ID, Kind: "count", Parameters: "{}"}
				require.NoError(t, holder.CreateOperation(ctx, &op))
				held, ours, err := other.ClaimOperation(ctx, op.ID, "a", time.Minute)
				require.NoError(t, err)
				require.True(t, ours, "it is due for the other too")
				_, ours, err = holder.ClaimOperation(ctx, op.ID, "b", time.Minute)
				require.NoError(t, err)
				assert.False(t, ours, "it is a's")
				_, err = other.KeepOperation(ctx, &held, time.Minute)
				require.NoError(t, err)
				due, err := holder.DueOperations(ctx, -time.Minute)
				require.NoError(t, err)
				assert.Empty(t, due, "nobody waits")
				_, err = other.KeepOperation(ctx, &held, -time.Second)
				require.NoError(t, err)
				_, ours, err = holder.ClaimOperation(ctx, op.ID, "b", time.Minute)
				require.NoError(t, err)
				assert.True(t, ours, "a gave it up")
				require.NoError(t, b.store.CancelOperation(ctx, op.ID, time.Hour))
			}

			// A worker with the wrong clock does an operation of another's, with
			// failures between, and the steps' times are those of the database.
			x := &executor{step: func(_ context.Context, n int64) error {
				if n == 2 {
					return &adapter.Error{Code: adapter.Unavailable, Temporary: true}
				}
				return nil
			}}
			e := b.engine(func(c *task.Config) { c.Store, c.Slice = wrong, time.Nanosecond })
			e.Handle("count", x)
			require.NoError(t, e.Start(ctx))
			server := b.engine(nil)
			server.Handle("count", &executor{})
			op := <-b.heard.of(b.submit(server, "count"))
			assert.Equal(t, store.Succeeded, op.State)
			assert.WithinDuration(t, time.Now(), *op.FinishedAt, time.Minute)
			assert.WithinDuration(t, time.Now().Add(72*time.Hour), *op.ExpiresAt, time.Minute)
		})
	}
}

// What is periodic runs once in its period, however many engines there are and
// however often they start.
func TestPeriodicWorkRunsOnce(t *testing.T) {
	b := newBench(t)
	engines := 1
	if b.store.Driver() == "postgres" {
		engines = 3
	}
	var runs, failures atomic.Int64
	ran := make(chan struct{}, 100)
	work := []task.Periodic{
		{Name: "daily", Every: 24 * time.Hour, At: 2 * time.Hour, Run: func(context.Context) error {
			runs.Add(1)
			ran <- struct{}{}
			return nil
		}},
		{Name: "failing", Every: 24 * time.Hour, Run: func(context.Context) error { failures.Add(1); return errors.New("no") }},
	}
	for range 2 {
		var all []*task.Engine
		for range engines {
			e := b.engine(func(c *task.Config) { c.Periodic = work })
			x := &executor{}
			e.Handle("count", x)
			require.NoError(t, e.Start(t.Context()))
			all = append(all, e)
		}
		if runs.Load() == 0 {
			<-ran
		}
		// They work: whatever was to be done at the start has been.
		assert.Equal(t, store.Succeeded, (<-b.heard.of(b.submit(all[0], "count"))).State)
		for _, e := range all {
			require.NoError(t, e.Stop(t.Context()))
		}
	}
	assert.EqualValues(t, 1, runs.Load())
	assert.LessOrEqual(t, failures.Load(), int64(3))
}

// Two engines over one database go through several periods: what is periodic is
// done once in each, by one of them.
func TestPeriodicWorkOncePerPeriod(t *testing.T) {
	b := newBench(t)
	engines := 1
	if b.store.Driver() == "postgres" {
		engines = 2
	}
	const every, enough = time.Second, 4
	ran := make(chan struct{}, 100)
	var runs atomic.Int64
	work := []task.Periodic{{Name: "often", Every: every, Run: func(context.Context) error {
		runs.Add(1)
		ran <- struct{}{}
		return nil
	}}}
	began := time.Now().Truncate(every)
	var all []*task.Engine
	for range engines {
		e := b.engine(func(c *task.Config) { c.Periodic = work })
		require.NoError(t, e.Start(t.Context()))
		all = append(all, e)
	}
	for range enough {
		<-ran
	}
	for _, e := range all {
		require.NoError(t, e.Stop(t.Context()))
	}
	periods := int(time.Now().Truncate(every).Sub(began)/every) + 1
	assert.LessOrEqual(t, int(runs.Load()), periods)
	var jobs, keys int
	row := b.store.SQL().QueryRowContext(t.Context(), "SELECT count(*), count(DISTINCT unique_key) FROM river_job WHERE kind = 'periodic' AND state = 'completed'")
	require.NoError(t, row.Scan(&jobs, &keys))
	assert.Equal(t, jobs, keys, "each is of a period of its own")
	assert.EqualValues(t, runs.Load(), jobs, "each was done once")
}

func TestWhenPeriodicWorkIsDue(t *testing.T) {
	at := func(text string) time.Time {
		v, err := time.Parse("2006-01-02 15:04", text)
		require.NoError(t, err)
		return v
	}
	daily := task.Periodic{Every: 24 * time.Hour, At: 2 * time.Hour}
	half := task.Periodic{Every: 30 * time.Minute}
	for _, tc := range []struct {
		p         task.Periodic
		now, next string
	}{
		{daily, "2026-01-31 01:59", "2026-01-31 02:00"},
		{daily, "2026-01-31 02:00", "2026-02-01 02:00"},
		{half, "2026-01-31 23:31", "2026-02-01 00:00"},
		{half, "2026-01-31 12:00", "2026-01-31 12:30"},
	} {
		assert.Equal(t, at(tc.next), tc.p.Next(at(tc.now)))
	}
}
