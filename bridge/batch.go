package bridge

import (
	"context"
	"errors"
	"sync"

	"github.com/bridgecore/bridgecore/adapter"
)

// BatchAction is what one item of a batch does.
type BatchAction string

// The actions of a batch.
const (
	BatchCreate    BatchAction = "create"    // Values
	BatchRead      BatchAction = "read"      // Reading, or IDs with Reading.Fields
	BatchUpdate    BatchAction = "update"    // IDs, Values
	BatchDelete    BatchAction = "delete"    // IDs
	BatchUpsert    BatchAction = "upsert"    // Key, KeyValue, Values; see [System.Upsert]
	BatchOperation BatchAction = "operation" // Operation, Request
)

// BatchItem is one operation of a batch.
type BatchItem struct {
	// System is where it is done, in the caller's scope. Items of one batch may
	// be for several systems.
	System *System
	Action BatchAction
	Model  string
	IDs    []adapter.ID
	Values adapter.Record
	// Key and KeyValue say which record an upsert writes.
	Key, KeyValue string
	// IfMatch is the tag that the record of an update or a deletion must still
	// have, see [System.UpdateIf]; "" for any.
	IfMatch string

	Reading Reading // of a read; Model above counts

	Operation string // see Operations
	Request   OperationRequest
}

// BatchResult is what became of an item.
type BatchResult struct {
	ID       adapter.ID // of a created record, or of one that an upsert wrote
	Created  bool       // an upsert made it
	Answer   Answer     // of a read or an operation
	Err      error
	Skipped  bool // it was not tried: an earlier one failed, or the caller left
	Warnings []adapter.Warning
}

// ErrSkipped is the error of an item that was not tried.
var ErrSkipped = &adapter.Error{Code: adapter.Canceled, Message: "not tried, because an earlier operation failed", NothingSent: true}

// batchReads is how many reads of a batch run at the same time. The bulkhead
// of each system bounds them further.
const batchReads = 8

// Batch runs operations in their order and returns a result for each. An item
// that fails does not hinder the others, unless stopOnError: then nothing after
// it is tried. It is no transaction: what was done stays done.
//
// Consecutive creations on one model of one system go out together, and each
// gets an error of its own; consecutive reads run at the same time. A read sees
// what the items before it changed.
func Batch(ctx context.Context, items []BatchItem, stopOnError bool) []BatchResult {
	b := &batch{items: items, results: make([]BatchResult, len(items)), stop: stopOnError}
	for at := 0; at < len(items); {
		if ctx.Err() != nil {
			b.skip(at, adapter.ContextError(ctx))
			break
		}
		end := b.group(at)
		switch {
		case items[at].Action == BatchCreate && end-at > 1:
			b.creates(ctx, at, end)
		case items[at].Action == BatchRead && end-at > 1:
			b.reads(ctx, at, end)
		default:
			b.run(ctx, at)
		}
		if stopOnError && b.failed(at, end) {
			break
		}
		at = end
	}
	return b.results
}

type batch struct {
	items   []BatchItem
	results []BatchResult
	stop    bool
}

// group is the end of the items from at that can be done together.
func (b *batch) group(at int) int {
	first := &b.items[at]
	end := at + 1
	for end < len(b.items) {
		next := &b.items[end]
		together := next.Action == first.Action &&
			(first.Action == BatchCreate && next.System == first.System && next.Model == first.Model || first.Action == BatchRead)
		if !together {
			break
		}
		end++
	}
	return end
}

// failed skips everything after the first failure from at on, if there is one.
func (b *batch) failed(at, end int) bool {
	for i := at; i < end; i++ {
		if b.results[i].Err != nil {
			b.skip(i+1, ErrSkipped)
			return true
		}
	}
	return false
}

// skip gives what has no result yet the reason for it.
func (b *batch) skip(from int, reason error) {
	for i := from; i < len(b.items); i++ {
		if r := &b.results[i]; r.Err == nil && r.ID.IsZero() && r.Answer.Result == nil {
			r.Err, r.Skipped = reason, true
		}
	}
}

// run does one item.
func (b *batch) run(ctx context.Context, i int) {
	item, r := &b.items[i], &b.results[i]
	ctx, warnings := adapter.WithWarnings(ctx)
	switch item.Action {
	case BatchCreate:
		var made adapter.Record
		if made, r.Err = item.System.Create(ctx, item.Model, item.Values); r.Err == nil {
			r.ID, _ = adapter.IDOf(made["id"])
		}
	case BatchRead:
		reading := item.Reading
		reading.Model = item.Model
		r.Answer, r.Err = item.System.Read(ctx, reading)
	case BatchUpdate:
		if item.IfMatch == "" {
			r.Err = item.System.Update(ctx, item.Model, item.IDs, item.Values)
		} else if r.Err = item.conditional(); r.Err == nil {
			r.Err = item.System.UpdateIf(ctx, item.Model, item.IDs[0], item.IfMatch, item.Values)
		}
	case BatchDelete:
		if item.IfMatch == "" {
			r.Err = item.System.Delete(ctx, item.Model, item.IDs)
		} else if r.Err = item.conditional(); r.Err == nil {
			r.Err = item.System.DeleteIf(ctx, item.Model, item.IDs[0], item.IfMatch)
		}
	case BatchUpsert:
		r.ID, r.Created, r.Err = item.System.Upsert(ctx, item.Model, item.Key, item.KeyValue, item.Values)
	case BatchOperation:
		request := item.Request
		request.Model = item.Model
		r.Answer, r.Err = item.System.Operation(ctx, item.Operation, request)
	default:
		r.Err = wrong("action", "%s is no action of a batch; there are create, read, update, delete, upsert and operation", clip(string(item.Action)))
	}
	r.Warnings = append(warnings.List(), r.Answer.Warnings...)
}

// conditional refuses a condition that is not one record's.
func (item *BatchItem) conditional() error {
	if len(item.IDs) == 1 {
		return nil
	}
	return wrong("if_match", "a condition is one record's: give one id")
}

// reads runs reads at the same time.
func (b *batch) reads(ctx context.Context, at, end int) {
	turns := make(chan struct{}, batchReads)
	var wg sync.WaitGroup
	for i := at; i < end; i++ {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			b.run(ctx, i)
		})
	}
	wg.Wait()
}

// creates makes the records of consecutive items together. Where nothing after
// a failure may be done they are made all at once or, if that is refused, one
// by one up to the first that is bad.
func (b *batch) creates(ctx context.Context, at, end int) {
	first := &b.items[at]
	values := make([]adapter.Record, 0, end-at)
	for i := at; i < end; i++ {
		values = append(values, b.items[i].Values)
	}
	shared, warnings := adapter.WithWarnings(ctx)
	var ids []adapter.ID
	var err error
	if b.stop {
		if !first.System.createsTogether(shared) {
			b.oneByOne(ctx, at, end)
			return
		}
		ids, err = first.System.CreateMany(shared, first.Model, values)
		if err != nil && refusedWhole(err) {
			b.oneByOne(ctx, at, end)
			return
		}
	} else {
		ids, err = first.System.CreateEach(shared, first.Model, values)
	}
	partial, _ := errors.AsType[*adapter.PartialError](err)
	for i := range values {
		r := &b.results[at+i]
		r.Warnings = warnings.List()
		switch {
		case err == nil:
			r.ID = ids[i]
		case partial == nil:
			r.Err = err
		case partial.Failed[i] != nil:
			r.Err = partial.Failed[i]
		default:
			r.ID = partial.Done[i]
		}
	}
}

// oneByOne makes records until one is refused.
func (b *batch) oneByOne(ctx context.Context, at, end int) {
	for i := at; i < end; i++ {
		if b.run(ctx, i); b.results[i].Err != nil {
			b.skip(i+1, ErrSkipped)
			return
		}
	}
}

// refusedWhole reports whether a creation of many, all or none, was refused so
// that none was made.
func refusedWhole(err error) bool {
	if _, some := errors.AsType[*adapter.PartialError](err); some {
		return false
	}
	switch adapter.CodeOf(err) {
	case adapter.InvalidArgument, adapter.PermissionDenied, adapter.NotFound, adapter.Conflict, adapter.AlreadyExists, adapter.Unsupported, adapter.PreconditionFailed:
		return true
	}
	return false
}

// createsTogether reports whether the system creates many records all or none.
func (s *System) createsTogether(ctx context.Context) bool {
	together := false
	err := s.do(s.scoped(ctx, &s.caller.Scope), work{operation: "connect", run: func(_ context.Context, a adapter.Adapter) error {
		_, together = a.(adapter.BatchCreator)
		return nil
	}})
	return err == nil && together
}
