package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/task"
)

// batchChunk is how many operations of a batch are done between two saves: few
// enough to take a second or so, and to have few of unknown outcome when a
// process is killed.
const batchChunk = 25

// mostDoubts is how often what was sent and not answered is looked for and sent
// again before its outcome is given up as unknown.
const mostDoubts = 3

// batchParameters are what a batch in the background is made of.
type batchParameters struct {
	Body    json.RawMessage `json:"body"`              // of the request
	Version string          `json:"version,omitempty"` // in whose words it is
}

// batchCursor is where a batch in the background stands.
type batchCursor struct {
	Next int   `json:"next"`           // the first that was not tried
	Open []int `json:"open,omitempty"` // before it, those without an outcome
	// Sent are those of Open that a step was about to do. A step that finds any
	// was broken off.
	Sent  bool               `json:"sent,omitempty"`
	Marks []bridge.BatchMark `json:"marks,omitempty"`
	At    time.Time          `json:"at,omitzero"`
	// Again are those of Open that may have been done before.
	Again []int `json:"again,omitempty"`
	// Unsent are those of Open that were not sent, though others were.
	Unsent []int `json:"unsent,omitempty"`
	// Doubts is how often some of Open were sent and not answered.
	Doubts int `json:"doubts,omitempty"`
	// Stopped says that stop_on_error took effect.
	Stopped bool `json:"stopped,omitempty"`
}

// batchSum is the result of an operation without its items.
type batchSum struct {
	Total      int `json:"total"`
	Successful int `json:"successful"`
	Failed     int `json:"failed"`
	Skipped    int `json:"skipped,omitempty"`
}

// batchPart is the outcome of some operations.
type batchPart struct {
	At    int         `json:"at"`
	Value batchResult `json:"value"`
}

func (a *API) startBatch(c *echo.Context, b *batchPlan, body []byte) error {
	ctx := c.Request().Context()
	started, err := a.start(ctx, kindBatch, b.request.SystemID, batchParameters{body, b.version}, len(b.request.Operations))
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Del(versionHeader)
	h.Set("Location", started.StatusURL)
	c.Response().Header()["Content-Type"] = jsonType
	c.Response().WriteHeader(http.StatusAccepted)
	return json.NewEncoder(c.Response()).Encode(started)
}

// batchExecutor does batches in the background.
type batchExecutor struct{ api *API }

// batchStep is one step of a batch.
type batchStep struct {
	*task.Run
	plan   batchPlan
	record func(error) error // makes the audit entry of the step durable
	cursor batchCursor
	sum    batchSum
}

// Step implements task.Executor. Before anything is sent it notes what is about
// to be, so that after a kill nothing is done twice.
func (x batchExecutor) Step(ctx context.Context, r *task.Run) (bool, error) {
	s := &batchStep{Run: r}
	var p batchParameters
	for _, err := range []error{r.Parameters(&p), r.Cursor(&s.cursor), r.Sum(&s.sum)} {
		if err != nil {
			return false, err
		}
	}
	ctx, record, err := x.api.working(ctx, r, kindBatch)
	if err != nil {
		return false, err
	}
	s.record = record
	s.plan = batchPlan{
		open:    func(id string) (*bridge.System, error) { return x.api.system(ctx, id) },
		version: p.Version, header: http.Header{}, requestID: r.RequestID,
	}
	if err := s.plan.decode(p.Body); err != nil {
		return false, err
	}
	err = s.step(ctx, x.api.Settle)
	return s.over() && err == nil, err
}

func (s *batchStep) over() bool {
	return len(s.cursor.Open) == 0 && s.cursor.Next >= len(s.plan.request.Operations)
}

func (s *batchStep) step(ctx context.Context, settle time.Duration) error {
	if s.cursor.Sent {
		return s.settle(ctx, settle)
	}
	total := len(s.plan.request.Operations)
	if len(s.cursor.Open) == 0 {
		end := min(s.cursor.Next+batchChunk, total)
		for i := s.cursor.Next; i < end; i++ {
			s.cursor.Open = append(s.cursor.Open, i)
		}
		s.cursor.Next = end
	}
	if len(s.cursor.Open) == 0 {
		return nil
	}
	if s.cursor.Stopped {
		return s.keep(ctx, s.skipped())
	}
	planned, items, err := s.plan.plan(s.cursor.Open)
	if err != nil {
		return s.refused(ctx, err)
	}
	if s.cursor.Marks, err = bridge.MarkBatch(ctx, items); err != nil {
		return err
	}
	s.cursor.Sent, s.cursor.At = true, s.Now()
	if err := s.save(ctx, nil); err != nil {
		return err
	}
	results := bridge.Batch(ctx, items, s.plan.request.StopOnError)
	return s.take(ctx, planned, results)
}

// take keeps the outcomes. What was not sent because the system is away stays
// open, and the error says so; what the end of the process or of the operation
// broke off before it was sent does too. So does what was sent and not answered:
// when the system can no longer be at it, it is settled as after a kill.
func (s *batchStep) take(ctx context.Context, planned []plannedOperation, results []bridge.BatchResult) error {
	var parts []batchPart
	var open []int
	var again error
	unanswered := false
	var waiting []int // those that may be done again, and marks of them
	var marks []bridge.BatchMark
	var items []bridge.BatchItem
	made := map[madeIn][]adapter.ID{}
	for i := range results {
		r, at := &results[i], s.cursor.Open[i]
		s.repeated(&planned[i], at, r)
		lost := s.unanswered(&planned[i], r)
		switch {
		case lost:
			unanswered = true
		case r.Err != nil && adapter.Retryable(r.Err, changes(&planned[i])):
			again = r.Err
			open = append(open, at)
		case ctx.Err() != nil && (r.Skipped || unsent(r.Err) || r.Err != nil && !changes(&planned[i])),
			// After one that is tried again nothing was done yet.
			again != nil && r.Skipped:
			open = append(open, at)
		default:
			s.cursor.Stopped = s.cursor.Stopped || r.Err != nil && s.plan.request.StopOnError
			parts = append(parts, batchPart{at, s.plan.item(&planned[i], r)})
			if place := (madeIn{planned[i].item.System, planned[i].item.Model}); !r.ID.IsZero() {
				made[place] = append(made[place], r.ID)
			}
			continue
		}
		waiting, marks, items = append(waiting, at), append(marks, s.cursor.Marks[i]), append(items, *planned[i].item)
	}
	s.cursor.Open = waiting
	if !unanswered {
		if err := s.keep(ctx, parts); err != nil {
			return err
		}
		return again
	}
	if err := s.record(nil); err != nil {
		return err
	}
	for i := range marks {
		// What is known to have been made of others is not looked at.
		marks[i].Others = append(slices.Clone(marks[i].Others), made[madeIn{items[i].System, items[i].Model}]...)
	}
	s.cursor.Unsent, s.cursor.Marks, s.cursor.At = open, marks, s.Now()
	s.cursor.Doubts++
	s.count(parts)
	return s.save(ctx, parts)
}

// madeIn is where records were made.
type madeIn struct {
	system *bridge.System
	model  string
}

// unanswered reports whether what became of an operation is worth finding out:
// by the next step, or by the first one after a cancelled operation is retried.
func (s *batchStep) unanswered(p *plannedOperation, r *bridge.BatchResult) bool {
	if p.item.Action == bridge.BatchOperation || s.plan.request.StopOnError || adapter.Retryable(r.Err, changes(p)) {
		return false
	}
	// A proxy that says 503 does not say whether the system had the request.
	away := errors.Is(r.Err, adapter.ErrUnavailable) || errors.Is(r.Err, adapter.ErrTimeout)
	return away || errors.Is(r.Err, adapter.ErrUnknownOutcome) && s.cursor.Doubts < mostDoubts
}

// repeated sees to what was done a second time, since nobody knew that it had
// been: that the record is gone is what was wanted of a deletion, and a record
// that has changed may have been changed by us.
func (s *batchStep) repeated(p *plannedOperation, at int, r *bridge.BatchResult) {
	if r.Err == nil || !slices.Contains(s.cursor.Again, at) {
		return
	}
	switch {
	case p.item.Action == bridge.BatchDelete && errors.Is(r.Err, adapter.ErrNotFound):
		r.Err = nil
	case errors.Is(r.Err, adapter.ErrPreconditionFailed):
		r.Err = &adapter.Error{Code: adapter.UnknownOutcome, Message: "it was tried before the server was stopped, and the record has changed since: by this, or by somebody else", Err: r.Err}
	}
}

func unsent(err error) bool {
	e, ok := errors.AsType[*adapter.Error](err)
	return ok && e.NothingSent
}

// changes reports whether an operation may change something.
func changes(p *plannedOperation) bool { return p.item.Action != bridge.BatchRead }

// settle finds out what became of a step that was broken off.
func (s *batchStep) settle(ctx context.Context, wait time.Duration) error {
	if rest := wait - s.Now().Sub(s.cursor.At); rest > 0 {
		// The system may still be working on what it was sent.
		return stillArriving(rest)
	}
	planned, items, err := s.plan.plan(s.cursor.Open)
	if err != nil {
		return s.refused(ctx, err)
	}
	settled, err := bridge.SettleBatch(ctx, items, s.cursor.Marks)
	if err != nil {
		return err
	}
	var parts []batchPart
	var open []int
	for i := range settled {
		at := s.cursor.Open[i]
		if slices.Contains(s.cursor.Unsent, at) {
			open = append(open, at)
			continue
		}
		if !settled[i].Known {
			open, s.cursor.Again = append(open, at), append(s.cursor.Again, at)
			continue
		}
		if settled[i].Result.Err != nil && s.plan.request.StopOnError {
			s.cursor.Stopped = true
		}
		if id := settled[i].Result.ID; !id.IsZero() {
			// Nobody lived to record it.
			noteChange(ctx, changeNote{System: items[i].System.ID(), Model: items[i].Model, Operation: "create", IDs: []adapter.ID{id}})
		}
		parts = append(parts, batchPart{at, s.plan.item(&planned[i], &settled[i].Result)})
	}
	s.cursor.Open = open
	return s.keep(ctx, parts)
}

// refused is for operations that were good when the batch was started and are
// not any more, as when a system was removed: all of the step fail.
func (s *batchStep) refused(ctx context.Context, err error) error {
	if adapter.Retryable(err, false) || ctx.Err() != nil {
		return err
	}
	var parts []batchPart
	for _, at := range s.cursor.Open {
		parts = append(parts, batchPart{at, batchResult{Error: s.plan.problem(err)}})
	}
	s.cursor.Open, s.cursor.Stopped = nil, s.cursor.Stopped || s.plan.request.StopOnError
	return s.keep(ctx, parts)
}

// skipped are those that stop_on_error keeps from being tried.
func (s *batchStep) skipped() []batchPart {
	parts := make([]batchPart, len(s.cursor.Open))
	for i, at := range s.cursor.Open {
		parts[i] = batchPart{at, batchResult{Skipped: true, Message: bridge.ErrSkipped.Message}}
		var named batchOperation
		if json.Unmarshal(s.plan.request.Operations[at], &named) == nil {
			parts[i].Value.Action, parts[i].Value.Model = named.Action+named.Operation, named.Model
		}
	}
	s.cursor.Open = nil
	return parts
}

// keep saves outcomes, once they are in the audit log: nothing is being sent
// any more.
func (s *batchStep) keep(ctx context.Context, parts []batchPart) error {
	if err := s.record(nil); err != nil {
		return err
	}
	s.cursor.Sent, s.cursor.Marks, s.cursor.Unsent, s.cursor.At = false, nil, nil, time.Time{}
	if len(s.cursor.Open) == 0 {
		s.cursor.Again, s.cursor.Doubts = nil, 0
	}
	s.count(parts)
	return s.save(ctx, parts)
}

// count adds outcomes to the sum.
func (s *batchStep) count(parts []batchPart) {
	var out batchOutput
	for i := range parts {
		out.count(&parts[i].Value)
	}
	s.sum.Total = len(s.plan.request.Operations)
	s.sum.Successful += out.Successful
	s.sum.Failed += out.Failed
	s.sum.Skipped += out.Skipped
}

func (s *batchStep) save(ctx context.Context, parts []batchPart) error {
	done := s.sum.Successful + s.sum.Failed + s.sum.Skipped
	total := len(s.plan.request.Operations)
	step := task.Step{Cursor: s.cursor, Done: int64(done), Total: int64(total), Message: i18n.Text("progress_pair",
		"First", i18n.Count("progress_done", done, "Total", total), "Second", i18n.Count("progress_failed", s.sum.Failed))}
	if s.sum.Total > 0 {
		step.Result = s.sum
	}
	if len(parts) > 0 {
		step.Part = parts
	}
	return s.Save(ctx, step)
}

// Result implements task.Executor: what the request would have answered. What
// was not tried before the operation ended is skipped.
func (batchExecutor) Result(op store.Operation, parts []string) (task.Result, error) {
	var p batchParameters
	if err := json.Unmarshal([]byte(op.Parameters), &p); err != nil {
		return task.Result{}, err
	}
	var b batchPlan
	if err := b.decode(p.Body); err != nil {
		return task.Result{}, err
	}
	var at batchCursor
	if op.Cursor != "" {
		if err := json.Unmarshal([]byte(op.Cursor), &at); err != nil {
			return task.Result{}, err
		}
	}
	n := len(b.request.Operations)
	out := batchOutput{Total: n, Results: make([]batchResult, n)}
	known := make([]bool, n)
	for _, text := range parts {
		var items []batchPart
		if err := adapter.DecodeJSON([]byte(text), &items); err != nil {
			return task.Result{}, err
		}
		for _, item := range items {
			out.Results[item.At], known[item.At] = item.Value, true
		}
	}
	for i := range out.Results {
		item := &out.Results[i]
		if !known[i] || item.Action == "" {
			var named batchOperation
			_ = json.Unmarshal(b.request.Operations[i], &named) // it was decoded when it was started
			item.Action, item.Model = named.Action+named.Operation, named.Model
		}
		if !known[i] {
			if at.Sent && slices.Contains(at.Open, i) && !slices.Contains(at.Unsent, i) {
				item.Error = b.problem(errBrokenOff)
			} else {
				item.Skipped, item.Message = true, "not tried: the operation ended before"
			}
		}
		out.count(item)
	}
	out.Succeeded, out.Success = out.Successful, out.Successful == n
	return jsonResult(op, out), nil
}

// errBrokenOff is the outcome of what was sent when an operation was ended.
var errBrokenOff = adapter.Errorf(adapter.UnknownOutcome, "it was sent when the operation was ended, and no answer came in time: it may have happened; retry the operation to find out")

func jsonResult(op store.Operation, v any) task.Result {
	return task.Result{ContentType: "application/json", Filename: op.Kind + "-" + op.ID + ".json", Body: []byte(jsonText(v))}
}
