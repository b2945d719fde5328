package adapter

import (
	"context"
	"errors"
)

// EachCreator creates many records, each on its own account.
type EachCreator interface {
	// CreateEach creates the records; one that is refused does not hinder the
	// others. It returns the ids in the order of the values, and where some
	// failed, the zero ID in their places and a [*PartialError].
	CreateEach(ctx context.Context, model string, values []Record) ([]ID, error)
}

// eachChunk is how many records CreateEach sends to a [BatchCreator] at once.
const eachChunk = 100

// CreateEach creates the records, each on its own account: one that is refused
// does not hinder the others. It returns the ids in the order of the values;
// where some failed, their ids are zero and the error is a [*PartialError] that
// has the reason for each.
//
// A system that creates many at once, all or none, gets them in chunks; a chunk
// that is refused is halved until the bad records stand alone. What was not
// tried, since the caller left or the system went away, fails with that error.
func CreateEach(ctx context.Context, a Adapter, model string, values []Record) ([]ID, error) {
	if len(values) == 0 {
		return nil, nil
	}
	if c, ok := a.(EachCreator); ok {
		return c.CreateEach(ctx, model, values)
	}
	e := each{ids: make([]ID, len(values)), failed: map[int]error{}, values: values}
	most := 1
	e.create = func(values []Record) ([]ID, error) {
		id, err := a.Create(ctx, model, values[0])
		return []ID{id}, err
	}
	if c, ok := a.(BatchCreator); ok {
		most = eachChunk
		one := e.create
		e.create = func(values []Record) ([]ID, error) {
			if len(values) == 1 {
				return one(values) // whose errors don't say which record they are about
			}
			return c.CreateMany(ctx, model, values)
		}
	}
	for from := 0; from < len(values); from += most {
		e.run(from, min(from+most, len(values)))
	}
	if len(e.failed) > 0 {
		return e.ids, &PartialError{Done: e.ids, Failed: e.failed}
	}
	return e.ids, nil
}

// each is one CreateEach under way.
type each struct {
	create func([]Record) ([]ID, error)
	values []Record
	ids    []ID
	failed map[int]error
	stop   error // why nothing more is tried
}

// run creates values[from:to], all at once if they are all good.
func (e *each) run(from, to int) {
	if e.stop != nil {
		for i := from; i < to; i++ {
			e.failed[i] = notTried(e.stop)
		}
		return
	}
	ids, err := e.create(e.values[from:to])
	switch {
	case err == nil:
		copy(e.ids[from:to], ids)
	case refused(err) && to-from > 1:
		middle := (from + to) / 2
		e.run(from, middle)
		e.run(middle, to)
	default:
		if !refused(err) {
			e.stop = err
		}
		for i := from; i < to; i++ {
			e.failed[i] = err
		}
	}
}

// refused reports whether the system said no to what was sent, so that the
// same call with fewer records may go well.
func refused(err error) bool {
	switch CodeOf(err) {
	case InvalidArgument, PermissionDenied, NotFound, Conflict, AlreadyExists, PreconditionFailed, Unsupported:
		return true
	case Internal:
		// A server that failed on a batch answered; it undid the batch.
		e, ok := errors.AsType[*Error](err)
		return ok && e.Native != ""
	}
	return false
}

// notTried is the error of a record whose turn did not come.
func notTried(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	code := e.Code
	if code == UnknownOutcome {
		code = Unavailable // what happened to others is unknown, this one was not sent
	}
	return &Error{Code: code, Model: e.Model, Message: "not tried, because an earlier record failed: " + e.Message, Temporary: true, NothingSent: true, RetryAfter: e.RetryAfter, Err: err}
}
