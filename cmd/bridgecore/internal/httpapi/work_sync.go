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
	over := at.Phase == recordsync.PhaseDone
	if over { // on the way a record counts as often as it is looked at
		parts, err := r.Parts(ctx)
		if err != nil {
			return false, err
		}
		if _, sums, err = settled(parts, outcomes); err != nil {
			return false, err
		}
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
	records, sums, err := settled(parts, nil)
	if err != nil {
		return task.Result{}, err
	}
	out := syncOutput{DryRun: request.DryRun, Sums: sums, Records: records}
	out.Success = op.State == store.Succeeded && out.Errors+out.Reverse.Errors == 0
	return jsonResult(op, out), nil
}

// settled is what became of every record in the end, and how often: by the
// parts that were saved, and those that follow.
func settled(parts []string, last []recordsync.Outcome) ([]recordsync.Outcome, recordsync.Sums, error) {
	all := []recordsync.Outcome{}
	var sums recordsync.Sums
	for _, text := range parts {
		var outcomes []recordsync.Outcome
		if err := adapter.DecodeJSON([]byte(text), &outcomes); err != nil {
			return nil, sums, err
		}
		all = append(all, outcomes...)
	}
	all = recordsync.Settled(append(all, last...))
	for i := range all {
		sums.Add(&all[i])
	}
	return all, sums, nil
}
