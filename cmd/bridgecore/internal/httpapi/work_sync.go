package httpapi

import (
	"context"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/task"
	"github.com/bridgecore/bridgecore/recordsync"
)

// syncExecutor synchronises in the background. What was written and which
// record is which is kept by the links, so that a step which was broken off is
// done again without harm.
type syncExecutor struct{ api *API }

// Step implements task.Executor.
func (x syncExecutor) Step(ctx context.Context, r *task.Run) (bool, error) {
	var request syncRequest
	var at recordsync.Progress
	var sums recordsync.Sums
	for _, err := range []error{r.Parameters(&request), r.Cursor(&at), r.Sum(&sums)} {
		if err != nil {
			return false, err
		}
	}
	if at.Phase == recordsync.PhaseDone {
		return true, nil
	}
	ctx, recorded, err := x.api.working(ctx, r, kindSync)
	if err != nil {
		return false, err
	}
	pair, err := x.api.syncPair(ctx, &request)
	if err != nil {
		return false, err
	}
	pair.Holder = r.ID
	session, err := recordsync.Open(ctx, pair)
	if err != nil {
		return false, err
	}
	outcomes, err := session.Step(ctx, &at)
	if recordErr := recorded(err); err == nil {
		err = recordErr
	}
	if err != nil {
		return false, err
	}
	for i := range outcomes {
		sums.Add(&outcomes[i])
	}
	done := int64(sums.Total)
	step := task.Step{
		Cursor: at, Done: done, Total: done, Result: sums,
		Message: i18n.Text("progress_sync", "Phase", i18n.Text(i18n.PhaseKey+string(at.Phase)), "Looked", i18n.Count("progress_looked", sums.Total),
			"Written", i18n.Count("progress_written", sums.Wrote()), "Refused", i18n.Count("progress_refused", sums.Errors+sums.Reverse.Errors)),
	}
	if len(outcomes) > 0 {
		step.Part = outcomes
	}
	over := at.Phase == recordsync.PhaseDone
	if err := r.Save(ctx, step); err != nil {
		return false, err
	}
	if over {
		// Without it the end of the operation frees the pair.
		_ = session.Release(ctx)
	}
	return over, nil
}

// syncOutput is what became of every record.
type syncOutput struct {
	Success bool `json:"success"`
	DryRun  bool `json:"dry_run,omitempty"`
	recordsync.Sums
	Records []recordsync.Outcome `json:"records"`
}

// Result implements task.Executor.
func (syncExecutor) Result(op store.Operation, parts []string) (task.Result, error) {
	var request syncRequest
	if err := adapter.DecodeJSON([]byte(op.Parameters), &request); err != nil {
		return task.Result{}, err
	}
	out := syncOutput{DryRun: request.DryRun, Records: []recordsync.Outcome{}}
	for _, text := range parts {
		var outcomes []recordsync.Outcome
		if err := adapter.DecodeJSON([]byte(text), &outcomes); err != nil {
			return task.Result{}, err
		}
		out.Records = append(out.Records, outcomes...)
	}
	out.Records = recordsync.Settled(out.Records)
	for i := range out.Records {
		out.Add(&out.Records[i])
	}
	out.Success = op.State == store.Succeeded && out.Errors+out.Reverse.Errors == 0
	return jsonResult(op, out), nil
}
