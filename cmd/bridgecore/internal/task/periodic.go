package task

import (
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// Periodic is work that comes round by itself, once in each period however many
// servers there are.
type Periodic struct {
	Name  string        // a word, such as purge-audit
	Every time.Duration // at whole multiples, by the clock in UTC
	// At is how long after the beginning of each period it is due. Something
	// that is done once a day is also done soon after the start of a server on a
	// day on which it was not done yet.
	At  time.Duration
	Run func(ctx context.Context) error
}

// Next implements river.PeriodicSchedule.
func (p Periodic) Next(t time.Time) time.Time {
	next := t.UTC().Truncate(p.Every).Add(p.At)
	for !next.After(t) {
		next = next.Add(p.Every)
	}
	return next
}

// Round is how it stands with something periodic.
type Round struct {
	Name    string
	Every   time.Duration
	State   string    // of the last run: running, succeeded, failed, waiting; "" for none that is known
	LastAt  time.Time // when that began, or is to; zero for none
	Took    time.Duration
	Error   string // why it failed, for operators
	NextAt  time.Time
	Attempt int // of the last run
}

// Rounds tell of everything periodic, in the order of the configuration.
func (e *Engine) Rounds(ctx context.Context) ([]Round, error) {
	last, err := e.queue.periodic(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Round, len(e.Periodic))
	for i, p := range e.Periodic {
		r := Round{Name: p.Name, Every: p.Every, NextAt: p.Next(time.Now())}
		if job := last[p.Name]; job != nil {
			r.tell(job)
		}
		list[i] = r
	}
	return list, nil
}

func (r *Round) tell(job *rivertype.JobRow) {
	r.Attempt, r.LastAt = job.Attempt, job.ScheduledAt
	if job.AttemptedAt != nil {
		r.LastAt = *job.AttemptedAt
	}
	if job.FinalizedAt != nil && job.AttemptedAt != nil {
		r.Took = job.FinalizedAt.Sub(*job.AttemptedAt)
	}
	switch job.State { //nolint:exhaustive // the others wait
	case rivertype.JobStateCompleted:
		r.State = "succeeded"
	case rivertype.JobStateRunning:
		r.State = "running"
	case rivertype.JobStateDiscarded, rivertype.JobStateCancelled, rivertype.JobStateRetryable:
		r.State = "failed"
	default:
		r.State = "waiting"
	}
	if n := len(job.Errors); n > 0 && r.State != "succeeded" {
		r.Error = job.Errors[n-1].Error
	}
}

// periodicArgs ask for one run.
type periodicArgs struct {
	Name string `json:"name"`
}

// Kind names the jobs.
func (periodicArgs) Kind() string { return "periodic" }

func (e *Engine) periodicJobs() []*river.PeriodicJob {
	list := make([]*river.PeriodicJob, len(e.Periodic))
	for i, p := range e.Periodic {
		list[i] = river.NewPeriodicJob(p, func() (river.JobArgs, *river.InsertOpts) {
			return periodicArgs{p.Name}, &river.InsertOpts{
				Queue: periodicQueue, MaxAttempts: 3,
				UniqueOpts: river.UniqueOpts{ByArgs: true, ByPeriod: p.Every},
			}
		}, &river.PeriodicJobOpts{ID: p.Name, RunOnStart: true})
	}
	return list
}

type clerk struct {
	river.WorkerDefaults[periodicArgs]
	engine *Engine
}

// Work does one run.
func (c *clerk) Work(ctx context.Context, job *river.Job[periodicArgs]) error {
	for _, p := range c.engine.Periodic {
		if p.Name == job.Args.Name {
			return p.Run(ctx)
		}
	}
	return nil // of another release
}

// Timeout leaves time to ask many systems.
func (c *clerk) Timeout(*river.Job[periodicArgs]) time.Duration { return 4 * time.Minute }
