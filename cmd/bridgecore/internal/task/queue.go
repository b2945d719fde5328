package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// The queues: what is periodic does not wait behind operations.
const (
	operationQueue = "operations"
	periodicQueue  = "periodic"
)

// queue is River over one of the databases.
type queue interface {
	// wake has a worker take it up at a time, now if that is zero.
	wake(ctx context.Context, args wakeArgs, at time.Time) error
	start(ctx context.Context) error
	stop(ctx context.Context) error
	periodic(ctx context.Context) (map[string]*rivertype.JobRow, error)
	close()
}

// wakeArgs ask for a slice of an operation. There is one job for the same
// arguments, even after it ended. The revision tells a wake-up from an earlier
// one whose worker died in the midst of the slice, waits from one whose worker
// died before it began.
type wakeArgs struct {
	ID       string `json:"id"`
	Revision int64  `json:"revision"`
	Waits    int64  `json:"waits"`
}

// Kind names the jobs.
func (wakeArgs) Kind() string { return "operation" }

type waker struct {
	river.WorkerDefaults[wakeArgs]
	engine *Engine
}

// Work does a slice.
func (w *waker) Work(ctx context.Context, job *river.Job[wakeArgs]) error {
	next, err := w.engine.slice(ctx, job.Args.ID)
	switch {
	case err != nil || !next.again:
		return err
	case !next.apart:
		return river.JobSnooze(next.pause)
	}
	// River would count the pause from this machine's time.
	op, err := w.engine.Store.Operation(ctx, job.Args.ID)
	if err != nil {
		return err
	}
	var at time.Time
	if next.pause > 0 {
		at = op.NextAt
	}
	w.engine.wakeAt(ctx, &op, at)
	return nil
}

// jobs is the queue, for the transactions of either driver.
type jobs[Tx any] struct {
	client *river.Client[Tx]
	free   func()
}

func openQueue(ctx context.Context, e *Engine) (queue, error) {
	if e.Store.Driver() == "sqlite" {
		return openJobs(ctx, e, riversqlite.New(e.Store.SQL()), func() {})
	}
	config, err := pgxpool.ParseConfig(e.DSN)
	if err != nil {
		return nil, errors.New("open the PostgreSQL database for the workers: bad DATABASE_URL")
	}
	config.MaxConns = int32(min(e.Workers, 100)) + 6 //nolint:gosec // at most 106
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to the PostgreSQL database for the workers: %w", err)
	}
	return openJobs[pgx.Tx](ctx, e, riverpgxv5.New(pool), pool.Close)
}

func openJobs[Tx any](ctx context.Context, e *Engine, driver riverdriver.Driver[Tx], free func()) (queue, error) {
	log := slog.New(quiet{e.Log.Handler()})
	if err := locked(ctx, e, func() error {
		migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: log})
		if err != nil {
			return err
		}
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	}); err != nil {
		free()
		return nil, fmt.Errorf("make the tables of the workers: %w", err)
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &waker{engine: e})
	river.AddWorker(workers, &clerk{engine: e})
	client, err := river.NewClient(driver, &river.Config{
		Logger: log, Workers: workers, PeriodicJobs: e.periodicJobs(),
		Queues:            map[string]river.QueueConfig{operationQueue: {MaxWorkers: e.Workers}, periodicQueue: {MaxWorkers: 2}},
		FetchPollInterval: 500 * time.Millisecond,
		// A slice is short, but for the making of a large file. A job that runs
		// longer than this lost its process, which the sweep has noticed long
		// before.
		JobTimeout: 10 * time.Minute, RescueStuckJobsAfter: 15 * time.Minute,
		CompletedJobRetentionPeriod: 26 * time.Hour, // longer than the longest period
	})
	if err != nil {
		free()
		return nil, err
	}
	return &jobs[Tx]{client, free}, nil
}

// locked runs under the lock that the store's own migrations take, so that
// several servers may start at once.
func locked(ctx context.Context, e *Engine, run func() error) (err error) {
	if e.Store.Driver() == "sqlite" {
		return run()
	}
	locker, err := store.Locker()
	if err != nil {
		return err
	}
	conn, err := e.Store.SQL().Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := locker.SessionLock(ctx, conn); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, locker.SessionUnlock(context.WithoutCancel(ctx), conn)) }()
	return run()
}

// freeJobs lets the jobs that a process which is gone was at be done again. It
// is for a database with one process; elsewhere River finds them in time.
func freeJobs(ctx context.Context, s *store.Store) error {
	_, err := s.SQL().ExecContext(ctx, "UPDATE river_job SET state = 'available' WHERE state = 'running'")
	return err
}

func (j *jobs[Tx]) wake(ctx context.Context, args wakeArgs, at time.Time) error {
	_, err := j.client.Insert(ctx, args, &river.InsertOpts{ScheduledAt: at, Queue: operationQueue, MaxAttempts: 5, UniqueOpts: river.UniqueOpts{ByArgs: true}})
	return err
}

func (j *jobs[Tx]) start(ctx context.Context) error { return j.client.Start(ctx) }

func (j *jobs[Tx]) stop(ctx context.Context) error {
	err := j.client.Stop(ctx)
	if err == nil || ctx.Err() == nil {
		return err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return j.client.StopAndCancel(last)
}

// periodic are the last jobs of what is periodic, by its names.
func (j *jobs[Tx]) periodic(ctx context.Context) (map[string]*rivertype.JobRow, error) {
	found, err := j.client.JobList(ctx, river.NewJobListParams().Kinds(periodicArgs{}.Kind()).
		OrderBy(river.JobListOrderByID, river.SortOrderDesc).First(1000))
	if err != nil {
		return nil, err
	}
	last := map[string]*rivertype.JobRow{}
	for _, job := range found.Jobs {
		var args periodicArgs
		if err := json.Unmarshal(job.EncodedArgs, &args); err == nil && last[args.Name] == nil {
			last[args.Name] = job
		}
	}
	return last, nil
}

func (j *jobs[Tx]) close() { j.free() }

// quiet leaves River's everyday reports out of the log.
type quiet struct{ slog.Handler }

// Enabled lets warnings and errors through, but not that the end of the process
// broke something off.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && ctx.Err() == nil && q.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }
