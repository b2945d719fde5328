package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/task"
	"github.com/bridgecore/bridgecore/migrate"
)

// migrateChunk is how many records a migration in the background carries
// between two saves.
const migrateChunk = 20

type migrateParameters struct {
	SystemID string         `json:"system_id"`
	Request  migrateRequest `json:"request"`
}

// migrateCursor is where a migration in the background stands.
type migrateCursor struct {
	Next int `json:"next"`
	// Sent says that a step was about to carry the records from Next on. Mark is
	// of the target before it.
	Sent    bool              `json:"sent,omitempty"`
	Mark    *bridge.BatchMark `json:"mark,omitempty"`
	At      time.Time         `json:"at,omitzero"`
	Stopped bool              `json:"stopped,omitempty"` // on_error took effect
	// Loose says that a record refers to one that the target did not have then.
	// It may have come with a later step: all are gone through once more.
	Loose bool `json:"loose,omitempty"`
	Again bool `json:"again,omitempty"` // that is under way
}

// migratePart is the outcome of the records from At on.
type migratePart struct {
	At    int           `json:"at"`
	Again bool          `json:"again,omitempty"`
	Value migrateOutput `json:"value"`
}

// migrateSum is the result of an operation without its records.
type migrateSum struct {
	Migrated int `json:"migrated"`
	Refused  int `json:"refused"`
	Created  int `json:"created,omitempty"`
	Updated  int `json:"updated,omitempty"`
}

func (a *API) startMigration(ctx context.Context, in *migrateInput, open func(string) (*bridge.System, error)) (*accepted, error) {
	r := &in.Body
	// What is wrong with the whole is said now.
	trial := *r
	trial.DryRun = true
	if _, err := trial.run(ctx, in.SystemID, r.RecordIDs[:1], open); err != nil {
		return nil, err
	}
	started, err := a.start(ctx, kindMigrate, in.SystemID, migrateParameters{in.SystemID, *r}, len(r.RecordIDs))
	if err != nil {
		return nil, err
	}
	return &accepted{Status: http.StatusAccepted, Location: started.StatusURL, Body: started}, nil
}

// migrateExecutor does migrations in the background.
type migrateExecutor struct{ api *API }

// Step implements task.Executor. Records are written under external ids, so
// that a step which was broken off finds what it wrote.
func (x migrateExecutor) Step(ctx context.Context, r *task.Run) (bool, error) {
	var p migrateParameters
	var at migrateCursor
	var sum migrateSum
	for _, err := range []error{r.Parameters(&p), r.Cursor(&at), r.Sum(&sum)} {
		if err != nil {
			return false, err
		}
	}
	ids := p.Request.RecordIDs
	end := min(at.Next+migrateChunk, len(ids))
	if at.Next == end || at.Stopped {
		return true, nil
	}
	ctx, recorded, err := x.api.working(ctx, r, kindMigrate)
	if err != nil {
		return false, err
	}
	open := func(id string) (*bridge.System, error) { return x.api.system(ctx, id) }
	save := func(part any, done int) error {
		refused := i18n.Count("progress_refused", sum.Refused)
		message := i18n.Text("progress_pair", "First", i18n.Count("progress_done", done, "Total", len(ids)), "Second", refused)
		if at.Again {
			message = i18n.Text("progress_references", "Looked", i18n.Count("progress_looked_of", done, "Total", len(ids)), "Refused", refused)
			done = len(ids)
		}
		return r.Save(ctx, task.Step{Cursor: at, Done: int64(done), Total: int64(len(ids)), Message: message, Result: sum, Part: part})
	}
	writes := p.Request.Target != "" && !p.Request.DryRun
	request := p.Request
	switch {
	case !writes:
	case at.Sent:
		if rest := x.api.Settle - r.Now().Sub(at.At); rest > 0 {
			return false, stillArriving(rest)
		}
		request.resume = at.Mark
	default:
		mark, err := x.mark(ctx, &p, ids[at.Next:end], open)
		if err != nil {
			return false, err
		}
		at.Sent, at.Mark, at.At = true, mark, r.Now()
		if err := save(nil, at.Next); err != nil {
			return false, err
		}
	}
	got, err := request.run(ctx, p.SystemID, ids[at.Next:end], open)
	if err != nil {
		_ = recorded(err) // the error of the step counts
		return false, err
	}
	out := migrationAnswer(&request, got)
	away := slices.ContainsFunc(out.Errors, func(e bridge.MigrationError) bool {
		return e.Code == adapter.Unavailable || e.Code == adapter.RateLimited || e.Code == adapter.Canceled || e.Code == adapter.Timeout
	})
	if away {
		// The records that were written are found by their external ids when the
		// step is done again, or by their values where the system went away
		// between the two.
		_ = recorded(nil)
		return false, &adapter.Error{Code: adapter.Unavailable, Temporary: true, Message: "a system did not answer: " + out.Errors[0].Message}
	}
	part := migratePart{At: at.Next, Again: at.Again, Value: out}
	if !at.Again {
		x.api.countMigrated(p.SystemID, &out, open)
		sum.Migrated += out.Migrated
		sum.Refused += len(out.Errors)
		sum.Created += out.Created
		sum.Updated += out.Updated
	}
	at = migrateCursor{Next: end, Stopped: len(out.Errors) > 0 && request.OnError == migrate.StopOnError, Again: at.Again, Loose: at.Loose || writes && loose(&out)}
	if at.Next == len(ids) && at.Loose && !at.Again && !at.Stopped && len(ids) > migrateChunk {
		at.Next, at.Again = 0, true
	}
	if err := recorded(nil); err != nil {
		return false, err
	}
	return at.Next == len(ids) || at.Stopped, save(part, end)
}

// loose reports whether references were left out for want of a counterpart.
func loose(out *migrateOutput) bool {
	return slices.ContainsFunc(out.LeftOut, func(l bridge.LeftOut) bool { return strings.HasPrefix(l.Reason, bridge.NoCounterpart) })
}

func stillArriving(rest time.Duration) error {
	return &adapter.Error{
		Code: adapter.Unavailable, Temporary: true, RetryAfter: rest,
		Message: "a server was stopped while it was writing; the operation goes on when what it sent can no longer arrive",
	}
}

// mark notes what the target has before records are written to it.
func (x migrateExecutor) mark(ctx context.Context, p *migrateParameters, ids []adapter.ID, open func(string) (*bridge.System, error)) (*bridge.BatchMark, error) {
	trial := p.Request
	trial.DryRun = true
	got, err := trial.run(ctx, p.SystemID, ids[:1], open)
	if err != nil {
		return nil, err
	}
	target, err := open(p.Request.Target)
	if err != nil {
		return nil, err
	}
	marks, err := bridge.MarkBatch(ctx, []bridge.BatchItem{{System: target, Action: bridge.BatchCreate, Model: got.Plan.ToModel()}})
	if err != nil {
		return nil, err
	}
	return &marks[0], nil
}

// Result implements task.Executor: what the request would have answered.
func (migrateExecutor) Result(op store.Operation, parts []string) (task.Result, error) {
	out := migrateOutput{Path: []string{}, Errors: []bridge.MigrationError{}}
	left := map[[2]string]int{}
	all := make([]migratePart, len(parts))
	again := map[int]bool{}
	for i, text := range parts {
		if err := adapter.DecodeJSON([]byte(text), &all[i]); err != nil {
			return task.Result{}, err
		}
		again[all[i].At] = again[all[i].At] || all[i].Again
	}
	for i := range all {
		part := &all[i].Value
		if i == 0 {
			out.Path, out.ToModel, out.DryRun, out.Plan, out.Coverage = part.Path, part.ToModel, part.DryRun, part.Plan, part.Coverage
		}
		// What is new was so the first time, what is missing is so the second.
		if !all[i].Again {
			out.Migrated += part.Migrated
			out.Created += part.Created
			out.Updated += part.Updated
		}
		if again[all[i].At] && !all[i].Again {
			continue
		}
		out.Errors = append(out.Errors, part.Errors...)
		out.Records = append(out.Records, part.Records...)
		for _, w := range part.Warnings {
			if !slices.Contains(out.Warnings, w) {
				out.Warnings = append(out.Warnings, w)
			}
		}
		for _, l := range part.LeftOut {
			left[[2]string{l.Field, l.Reason}] += l.Records
		}
	}
	for key, n := range left {
		out.LeftOut = append(out.LeftOut, bridge.LeftOut{Field: key[0], Reason: key[1], Records: n})
	}
	slices.SortFunc(out.LeftOut, func(a, b bridge.LeftOut) int {
		return strings.Compare(a.Field+"\x00"+a.Reason, b.Field+"\x00"+b.Reason)
	})
	out.Success = op.State == store.Succeeded && len(out.Errors) == 0
	return jsonResult(op, out), nil
}
