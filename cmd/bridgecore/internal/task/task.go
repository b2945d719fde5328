// Package task does work that outlives the request that asked for it.
//
// An operation is a row of the store's table: what is wanted, how far it got,
// and what became of it. It is done in short slices by one worker at a time,
// which holds the operation's lease. River, over the same database, wakes the
// workers, spaces retries and runs what is periodic; it knows nothing that a
// worker could not find out from the table, so that a lost or a doubled wake-up
// does no harm.
//
// A kind of operation is an [Executor]. Its Step does a piece that takes
// seconds at most and makes it durable with [Run.Save]: whenever the process is
// killed, the next worker goes on from the last Save. To add a kind, such as an
// export of many records:
//
//	type export struct{ systemFor func(...) (*bridge.System, error) }
//
//	func (x export) Step(ctx context.Context, r *task.Run) (done bool, err error) {
//		var wanted exportRequest                    // what POST /files/export was sent
//		if err := r.Parameters(&wanted); err != nil {
//			return false, err
//		}
//		var at exportCursor                         // where the last step stopped
//		if err := r.Cursor(&at); err != nil {
//			return false, err
//		}
//		sys, err := x.systemFor(ctx, r.User(), wanted.SystemID)
//		...                                         // read the next page after at.Page
//		return at.Page == "", r.Save(ctx, task.Step{Cursor: at, Done: n, Total: total, Part: rows})
//	}
//
//	func (x export) Result(op store.Operation, parts []string) (task.Result, error) {
//		...                                         // lay the parts together as a file
//	}
//
//	engine.Handle("export", export{b})
//
// and the endpoint, for a request with "async": true, calls [Engine.Submit].
package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/bits"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// Executor does the operations of one kind.
type Executor interface {
	// Step does the next piece, of a few seconds at most, and saves how far it
	// got. It is called again until it is done. An error that it returns says
	// that the piece may be done once more: temporary ones are, later, and every
	// other one ends the operation as failed. What became of single items
	// belongs into the result instead.
	//
	// A step may find that the one before it was broken off at any point after
	// its last Save.
	Step(ctx context.Context, r *Run) (done bool, err error)
	// Result lays the parts that the steps saved together, for a download.
	Result(op store.Operation, parts []string) (Result, error)
}

// Result is what an operation yields, as a file.
type Result struct {
	ContentType string
	Filename    string
	Body        []byte
	// File is what is too large to be a Body, with a strong Tag and the time at
	// which it was made. Whoever gets it closes it.
	File io.ReadSeekCloser
	Tag  string
	At   time.Time
}

// Publisher hears of changes, in the process that makes them. It must not
// block.
type Publisher interface {
	// OperationChanged has the operation as it is now, without its parameters.
	OperationChanged(ctx context.Context, op store.Operation)
}

// Config makes an Engine. Store is required.
type Config struct {
	Store *store.Store
	// DSN is that of the store, for a pool of River's own; only of PostgreSQL.
	DSN     string
	Workers int // slices at the same time in this process; 0 is 4
	// Retention is how long a finished operation is kept; 0 is 72 hours.
	Retention time.Duration
	// Slice is how long a worker stays with one operation before another may
	// have its turn; 0 is 5 seconds.
	Slice time.Duration
	// Lease is how long after its last sign of life a worker counts as dead; 0
	// is 10 seconds.
	Lease time.Duration
	// MaxAttempts is how often in a row a temporary failure is tried again, and
	// so is what the worker died of; 0 is 10.
	MaxAttempts int
	// Backoff is the wait before the first repetition, doubled for each
	// further one up to a minute; 0 is a second.
	Backoff   time.Duration
	Periodic  []Periodic
	Publisher Publisher // nil for none
	Log       *slog.Logger
	// Explain writes an error as clients see errors; nil writes its code and
	// message.
	Explain func(err error, requestID string) string
}

// How a running operation is watched, and what a cancelled one may still
// finish.
const (
	watch        = 250 * time.Millisecond
	grace        = 400 * time.Millisecond
	sweep        = 2 * time.Second
	overdue      = 3 * time.Second
	sign         = 5 * time.Second // between signs of life
	longestPause = time.Minute
	wrong        = time.Second // a clock that differs by more from the database's
)

// Engine starts operations and, once Start was called, does them.
type Engine struct {
	Config
	executors map[string]Executor
	queue     queue
	worker    string // this process
	began     time.Time
	stopping  chan struct{}
	stop      func()
	sweeper   sync.WaitGroup
}

// New makes an engine and River's tables. It does nothing yet.
func New(ctx context.Context, c Config) (*Engine, error) {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Workers = or(c.Workers, 4)
	c.Retention = or(c.Retention, 72*time.Hour)
	c.Slice = or(c.Slice, 5*time.Second)
	c.Lease = or(c.Lease, 10*time.Second)
	c.MaxAttempts = or(c.MaxAttempts, 10)
	c.Backoff = or(c.Backoff, time.Second)
	e := &Engine{Config: c, executors: map[string]Executor{}, worker: uuid.NewString(), stopping: make(chan struct{})}
	e.stop = sync.OnceFunc(func() { close(e.stopping) })
	var err error
	e.queue, err = openQueue(ctx, e)
	return e, err
}

func or[T int | time.Duration](v, fallback T) T {
	if v == 0 {
		return fallback
	}
	return v
}

// Handle sets who does the operations of a kind. Call it before Start.
func (e *Engine) Handle(kind string, x Executor) { e.executors[kind] = x }

// Submit starts an operation: TenantID, UserID, Username, Kind and Parameters
// are required, Total is worth giving. It fills in ID
// where there is none.
func (e *Engine) Submit(ctx context.Context, op *store.Operation) error {
	if e.executors[op.Kind] == nil {
		return adapter.Errorf(adapter.Unsupported, "there are no operations of kind %q", op.Kind)
	}
	if op.ID == "" {
		op.ID = NewID()
	}
	if err := e.Store.CreateOperation(ctx, op); err != nil {
		return err
	}
	e.changed(ctx, op.ID)
	return nil
}

// NewID returns an id for an operation that is yet to be submitted.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Cancel ends an operation: at once where nobody works on it, otherwise within
// a second.
func (e *Engine) Cancel(ctx context.Context, id string) error {
	if err := e.Store.CancelOperation(ctx, id, e.Retention); err != nil {
		return err
	}
	e.changed(ctx, id)
	return nil
}

// Retry lets an operation that failed or was cancelled go on from where it
// stopped.
func (e *Engine) Retry(ctx context.Context, id string) error {
	if err := e.Store.RetryOperation(ctx, id); err != nil {
		return err
	}
	e.changed(ctx, id)
	return nil
}

// Result lays an operation's result together.
func (e *Engine) Result(ctx context.Context, op store.Operation) (Result, error) {
	x := e.executors[op.Kind]
	if x == nil {
		return Result{}, adapter.Errorf(adapter.Unsupported, "there are no operations of kind %q any more", op.Kind)
	}
	parts, err := e.Store.OperationParts(ctx, op.ID)
	if err != nil {
		return Result{}, err
	}
	return x.Result(op, parts)
}

// changed tells the publisher and wakes a worker where there is something to
// do. Failures are no harm: the sweep finds what nobody was woken for.
func (e *Engine) changed(ctx context.Context, id string) {
	op, err := e.Store.Operation(ctx, id)
	if err != nil {
		return
	}
	e.publish(ctx, &op)
	if !op.State.Final() && op.Worker == "" {
		e.wake(ctx, &op)
	}
}

func (e *Engine) wake(ctx context.Context, op *store.Operation) { e.wakeAt(ctx, op, time.Time{}) }

func (e *Engine) wakeAt(ctx context.Context, op *store.Operation, at time.Time) {
	if err := e.queue.wake(ctx, wakeArgs{op.ID, op.Revision, waits(time.Since(op.UpdatedAt))}, at); err != nil && ctx.Err() == nil {
		e.Log.Warn("could not wake a worker for an operation; the next sweep will", "operation", op.ID, "error", err)
	}
}

// waits counts the wake-ups that an operation may have had since it changed:
// more of them at first, then one a minute, so that none that was lost costs
// more than as long again, and a long queue is not flooded.
func waits(since time.Duration) int64 {
	since = max(0, since)
	return int64(bits.Len64(uint64(since/overdue)) + int(since/time.Minute)) //nolint:gosec // not negative
}

func (e *Engine) publish(ctx context.Context, op *store.Operation) {
	if e.Publisher == nil {
		return
	}
	clone := *op
	clone.Parameters, clone.Cursor = "", ""
	e.Publisher.OperationChanged(ctx, clone)
}

// Start begins to work, until Stop.
func (e *Engine) Start(ctx context.Context) error {
	if e.Store.Driver() == "sqlite" {
		// One process by construction: whoever held a lease is gone.
		if err := errors.Join(e.Store.FreeOperations(ctx), freeJobs(ctx, e.Store)); err != nil {
			return err
		}
	}
	// Its context does not end with ctx: Stop lets slices under way save.
	if err := e.queue.start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the workers: %w", err)
	}
	e.began = time.Now()
	e.sweeper.Go(func() { e.sweep(context.WithoutCancel(ctx)) })
	e.sweeper.Go(func() { e.live(context.WithoutCancel(ctx)) })
	return nil
}

// Stop takes no further work, lets the pieces under way end and hands the
// operations back. After ctx it breaks them off.
func (e *Engine) Stop(ctx context.Context) error {
	e.stop()
	e.sweeper.Wait()
	return e.queue.stop(ctx)
}

// Close frees what New opened.
func (e *Engine) Close() {
	e.stop()
	e.sweeper.Wait()
	e.queue.close()
}

// sweep finds operations that should be worked on and that nobody has, now and
// then.
func (e *Engine) sweep(ctx context.Context) {
	tick := time.NewTicker(sweep)
	defer tick.Stop()
	late := time.Duration(0) // at the start nobody has been woken yet
	for {
		ids, err := e.Store.DueOperations(ctx, late)
		if err != nil {
			e.Log.Warn("could not look for operations that wait", "error", err)
		}
		for _, id := range ids {
			if op, err := e.Store.Operation(ctx, id); err == nil {
				e.wake(ctx, &op)
			}
		}
		late = overdue
		select {
		case <-tick.C:
		case <-e.stopping:
			return
		}
	}
}

// live gives signs of life until the engine stops.
func (e *Engine) live(ctx context.Context) {
	tick := time.NewTicker(sign)
	defer tick.Stop()
	host, _ := os.Hostname() // "" where it has none
	for {
		err := e.Store.SeeWorker(ctx, store.Worker{ID: e.worker, Host: host, Process: int64(os.Getpid()), Slots: int64(e.Workers), StartedAt: e.began})
		if err != nil {
			e.Log.Warn("could not give a sign of life", "error", err)
		}
		select {
		case <-tick.C:
		case <-e.stopping:
			last, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			if err := e.Store.ForgetWorker(last, e.worker, 20*sign); err != nil {
				e.Log.Warn("could not take this worker out of the list of those that live", "error", err)
			}
			return
		}
	}
}

// Alive are the workers that gave a sign of life lately.
func (e *Engine) Alive(ctx context.Context) ([]store.Worker, error) {
	return e.Store.Workers(ctx, 3*sign)
}

// errCancelled is the cause of the end of a cancelled operation's context.
var errCancelled = errors.New("the operation was cancelled")

// next is how an operation goes on after a slice.
type next struct {
	again bool // false: it does not, or not here
	pause time.Duration
	apart bool // this machine's clock is not to be trusted with the pause
}

// slice does an operation for a while.
func (e *Engine) slice(ctx context.Context, id string) (next, error) {
	op, ours, err := e.Store.ClaimOperation(ctx, id, e.worker+"/"+uuid.NewString()[:8], e.Lease)
	switch {
	case err != nil:
		return next{}, err
	case !ours:
		return e.early(ctx, id)
	}
	r := &Run{Operation: op, engine: e, ahead: e.Store.Clock().Sub(op.UpdatedAt)}
	e.publish(ctx, &r.Operation)
	done, err := e.guarded(ctx, r)
	if errors.Is(err, store.ErrLeaseLost) {
		return next{}, nil // another worker goes on
	}
	pause, again := e.settle(ctx, r, done, err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := e.Store.ReleaseOperation(ctx, &r.Operation); err != nil {
		if errors.Is(err, store.ErrLeaseLost) {
			return next{}, nil
		}
		return next{}, err
	}
	r.Worker = ""
	e.publish(ctx, &r.Operation)
	return next{again, pause, r.ahead.Abs() > wrong}, nil
}

// early says how an operation that can't be had goes on: one that nobody holds
// is not due yet, perhaps because the sweep has just given it a new time, and
// there may be no other wake-up for it than this one.
func (e *Engine) early(ctx context.Context, id string) (next, error) {
	op, err := e.Store.Operation(ctx, id)
	if err != nil || op.State.Final() || op.Worker != "" {
		return next{}, err // there is nothing to do, or another worker does it
	}
	now, err := e.Store.Now(ctx)
	if err != nil || e.Store.Clock().Sub(now).Abs() > wrong {
		return next{}, err // the sweep goes by the database's clock
	}
	return next{again: true, pause: max(0, op.NextAt.Sub(now))}, nil
}

// guarded takes steps until the slice is over, under the eyes of a watcher.
func (e *Engine) guarded(ctx context.Context, r *Run) (done bool, err error) {
	if r.Cancel {
		r.cancelled = true
		return false, errCancelled
	}
	if most := int64(2*e.MaxAttempts + 10); r.Claims > most {
		return false, &adapter.Error{Code: adapter.Internal, Message: fmt.Sprintf("the operation was taken up %d times without getting any further; it is given up", most)}
	}
	if most := int64(e.MaxAttempts); r.Crashes > most {
		return false, &adapter.Error{
			Code:    adapter.Internal,
			Message: fmt.Sprintf("the process that worked on the operation ended in the midst of it %d times, without getting any further; it is given up. Find out what ends the process, then retry: it goes on from where it stopped", r.Crashes),
		}
	}
	if r.user, err = e.starter(ctx, &r.Operation); err != nil {
		return false, err
	}
	x := e.executors[r.Kind]
	if x == nil {
		return false, adapter.Errorf(adapter.Unsupported, "there are no operations of kind %q", r.Kind)
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	watched := make(chan struct{})
	id, worker := r.ID, r.Worker // the step changes the rest of r
	go func() {
		defer close(watched)
		e.watch(ctx, r, id, worker, end)
	}()
	defer func() {
		end(nil)
		<-watched
		if cause := recover(); cause != nil {
			e.Log.Error("an operation's step panicked", "operation", r.ID, "kind", r.Kind, "panic", cause, "stack", string(debug.Stack()))
			done, err = false, errors.New("panic")
		}
	}()
	for until := time.Now().Add(e.Slice); ; {
		if done, err = x.Step(ctx, r); done || err != nil {
			if cause := context.Cause(ctx); cause != nil && errors.Is(cause, store.ErrLeaseLost) {
				err = cause
			}
			return done, err
		}
		switch {
		case r.wantsEnd():
			return false, errCancelled
		case e.ending(), ctx.Err() != nil, time.Now().After(until):
			return false, nil
		}
	}
}

// starter is the user who started an operation, as he is now.
func (e *Engine) starter(ctx context.Context, op *store.Operation) (store.User, error) {
	u, err := e.Store.User(ctx, op.UserID)
	if adapter.CodeOf(err) == adapter.NotFound || err == nil && (!u.IsActive || u.TenantID != op.TenantID) {
		return u, adapter.Errorf(adapter.PermissionDenied, "the user who started the operation may no longer log in")
	}
	return u, err
}

// watch prolongs the lease, and ends the context when the operation is to be
// cancelled or is no longer ours.
func (e *Engine) watch(ctx context.Context, r *Run, id, worker string, end func(error)) {
	tick := time.NewTicker(watch)
	defer tick.Stop()
	alive := time.Now()
	held := &store.Operation{ID: id, Worker: worker}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		cancel, err := e.Store.KeepOperation(ctx, held, e.Lease)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, store.ErrLeaseLost), err != nil && time.Since(alive) > e.Lease*2/3:
			end(store.ErrLeaseLost)
			return
		case err != nil:
			continue
		}
		alive = time.Now()
		if cancel && !r.wantsEnd() {
			r.wantEnd()
			// What is being written may come to its end, but not for long.
			time.AfterFunc(grace, func() { end(errCancelled) })
		}
	}
}

func (e *Engine) ending() bool {
	select {
	case <-e.stopping:
		return true
	default:
		return false
	}
}

// settle says what becomes of the operation after a slice.
func (e *Engine) settle(ctx context.Context, r *Run, done bool, err error) (pause time.Duration, again bool) {
	op := &r.Operation
	now := r.Now()
	op.NextAt = now
	finish := func(state store.OperationState) {
		expires := now.Add(e.Retention)
		op.State, op.FinishedAt, op.ExpiresAt = state, &now, &expires
	}
	switch {
	case done && err == nil:
		op.Error = ""
		finish(store.Succeeded)
	case r.wantsEnd():
		op.Error = ""
		finish(store.Cancelled)
	case err == nil:
		op.Error = ""
		return 0, true // the state stays: the next slice follows
	case ctx.Err() != nil || e.ending() && adapter.CodeOf(err) == adapter.Canceled:
		return 0, true // this process ends; another goes on
	default:
		op.Attempts++
		op.Error = e.explain(err, op.RequestID)
		if !temporary(err) || op.Attempts > int64(e.MaxAttempts) {
			e.Log.Warn("an operation failed", "operation", op.ID, "kind", op.Kind, "attempts", op.Attempts, "error", err)
			finish(store.Failed)
			return 0, false
		}
		pause = e.pause(op.Attempts, err)
		op.State, op.NextAt = store.Queued, now.Add(pause)
		return pause, true
	}
	return 0, false
}

// temporary reports whether a step that failed may go better later. Failures
// that are not a system's, such as of the server's own database, may.
func temporary(err error) bool {
	if e, ok := errors.AsType[*adapter.Error](err); ok {
		return e.Temporary || e.Code == adapter.RateLimited
	}
	return true
}

// pause is how long to wait before a repetition: twice as long each time, as
// long as the system asks at least, and not the same for all.
func (e *Engine) pause(attempts int64, err error) time.Duration {
	d := min(e.Backoff<<min(attempts-1, 10), longestPause)
	d += rand.N(d/4 + 1)
	return max(d, adapter.RetryAfter(err))
}

func (e *Engine) explain(err error, requestID string) string {
	if e.Explain != nil {
		return e.Explain(err, requestID)
	}
	message := "something went wrong in the server"
	if known, ok := errors.AsType[*adapter.Error](err); ok {
		message = known.Message
	}
	b, _ := json.Marshal(map[string]any{"code": adapter.CodeOf(err), "message": message}) // texts
	return string(b)
}

// Run is an operation in the hands of an executor.
type Run struct {
	store.Operation
	engine *Engine
	user   store.User
	ahead  time.Duration // how far this machine's clock is before the database's

	mu        sync.Mutex
	cancelled bool
}

// Step is what one step of an operation yields.
type Step struct {
	Cursor      any // where to go on, as JSON
	Done, Total int64
	Message     i18n.Message // how it goes, for people; the zero value leaves it as it is
	Result      any          // the sum so far, as JSON; nil leaves it as it is
	Part        any          // a piece of the result to add, as JSON; nil for none
}

// Parameters decodes what was asked for.
func (r *Run) Parameters(v any) error { return decode(r.Operation.Parameters, v) }

// Cursor decodes the cursor of the last Save; before the first one it leaves v
// as it is.
func (r *Run) Cursor(v any) error { return decode(r.Operation.Cursor, v) }

// Sum decodes the result of the last Save.
func (r *Run) Sum(v any) error { return decode(r.Result, v) }

func decode(text string, v any) error {
	if text == "" {
		return nil
	}
	if err := adapter.DecodeJSON([]byte(text), v); err != nil {
		return &adapter.Error{Code: adapter.Internal, Message: "what was kept of the operation can't be read", Err: err}
	}
	return nil
}

// Now is the time by the database's clock, which a step that keeps times in
// its cursor must go by: the next one may run on another machine.
func (r *Run) Now() time.Time {
	return r.engine.Store.Clock().Add(-r.ahead).Truncate(time.Microsecond)
}

// Parts are the parts that the steps saved, the first first.
func (r *Run) Parts(ctx context.Context) ([]string, error) {
	return r.engine.Store.OperationParts(ctx, r.ID)
}

// User is who started the operation, as he is at the beginning of the slice.
func (r *Run) User() store.User { return r.user }

// Save makes a step durable, all of it or nothing, even if ctx has ended. It
// fails where another worker has the operation: then return its error.
func (r *Run) Save(ctx context.Context, s Step) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	op := r.Operation
	if s.Done > op.Done {
		op.Attempts, op.Claims, op.Crashes = 0, 0, 0
	}
	op.Done, op.Total = s.Done, s.Total
	if !s.Message.Zero() {
		op.Message = s.Message.Kept()
	}
	var part string
	for _, x := range []struct {
		from any
		to   *string
	}{{s.Cursor, &op.Cursor}, {s.Result, &op.Result}, {s.Part, &part}} {
		if x.from == nil {
			continue
		}
		b, err := json.Marshal(x.from)
		if err != nil {
			return fmt.Errorf("save a step: %w", err)
		}
		*x.to = string(b)
	}
	if err := r.engine.Store.SaveOperation(ctx, &op, part); err != nil {
		return err
	}
	r.Operation = op
	r.engine.publish(ctx, &r.Operation)
	return nil
}

// Ending reports whether the operation is to be cancelled: begin nothing more.
func (r *Run) Ending() bool { return r.wantsEnd() }

func (r *Run) wantEnd() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancelled = true
}

func (r *Run) wantsEnd() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cancelled
}
