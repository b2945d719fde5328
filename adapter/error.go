package adapter

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Code says what kind of failure an error is. The set is closed: a system's
// own failures are sorted into it, and what fits nowhere is Internal.
type Code string

// The codes.
const (
	InvalidArgument    Code = "invalid_argument"    // the call is wrong: unknown field, bad filter, refused by the system's validation
	Unauthenticated    Code = "unauthenticated"     // the system refused our credentials
	PermissionDenied   Code = "permission_denied"   // the connected user may not do that
	NotFound           Code = "not_found"           // no such model, method or record
	Conflict           Code = "conflict"            // somebody else is changing the same thing
	AlreadyExists      Code = "already_exists"      // a unique value is taken
	PreconditionFailed Code = "precondition_failed" // the record is no longer as the caller knew it
	RateLimited        Code = "rate_limited"        // too many calls; see RetryAfter
	Unavailable        Code = "unavailable"         // the system can't be reached or is not itself
	Timeout            Code = "timeout"             // no answer in time to a call that changes nothing
	Canceled           Code = "canceled"            // the caller went away
	Unsupported        Code = "unsupported"         // this system, version or transport can't do it
	UnknownOutcome     Code = "unknown_outcome"     // a change was sent and no answer came: it may have happened
	Internal           Code = "internal"            // anything else
)

// Error is the one error type of systems. Its Message is written for the
// caller of an API: it holds no secret, no traceback and no address; those
// stay in Err, for operators.
type Error struct {
	Code    Code
	Message string
	Model   string // the model it is about, if any
	Field   string // the field or argument that is wrong, if known
	Native  string // the system's own name for it: "odoo.exceptions.AccessError", "2"

	// Temporary says that the same call may succeed later. Whether it may be
	// repeated is Retryable's to say.
	Temporary bool
	// NothingSent says that the call did not reach the system, so that even a
	// change may be sent again.
	NothingSent bool
	// RetryAfter is how long the system asked us to wait; 0 where it did not.
	RetryAfter time.Duration

	Err error // the native error, for errors.As and for logs
}

// Error returns the message with its code, model and field. It does not
// include the native error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Code))
	if e.Model != "" {
		b.WriteString(" on " + e.Model)
	}
	b.WriteString(": ")
	b.WriteString(e.Message)
	return b.String()
}

// Unwrap returns the native error.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrNotFound) ask for the code.
func (e *Error) Is(target error) bool {
	s, ok := target.(sentinel)
	return ok && Code(s) == e.Code
}

type sentinel Code

func (s sentinel) Error() string { return strings.ReplaceAll(string(s), "_", " ") }

// The sentinels of the codes, for errors.Is.
var (
	ErrInvalidArgument    error = sentinel(InvalidArgument)
	ErrUnauthenticated    error = sentinel(Unauthenticated)
	ErrPermissionDenied   error = sentinel(PermissionDenied)
	ErrNotFound           error = sentinel(NotFound)
	ErrConflict           error = sentinel(Conflict)
	ErrAlreadyExists      error = sentinel(AlreadyExists)
	ErrPreconditionFailed error = sentinel(PreconditionFailed)
	ErrRateLimited        error = sentinel(RateLimited)
	ErrUnavailable        error = sentinel(Unavailable)
	ErrTimeout            error = sentinel(Timeout)
	ErrCanceled           error = sentinel(Canceled)
	ErrUnsupported        error = sentinel(Unsupported)
	ErrUnknownOutcome     error = sentinel(UnknownOutcome)
	ErrInternal           error = sentinel(Internal)
)

// Errorf makes an error of the given code. The message is for callers; wrap
// what is for operators in Err.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of any error: that of the [*Error] inside it,
// Canceled or Timeout for the context's own errors, Internal for the rest and
// "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	var s sentinel
	switch {
	case errors.As(err, &s):
		return Code(s)
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	}
	return Internal
}

// ContextError returns nil while the context is alive, and afterwards the error
// for its end: ErrCanceled or ErrTimeout.
func ContextError(ctx context.Context) error {
	switch err := ctx.Err(); {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: Timeout, Message: "the time for the call is over", Temporary: true, Err: err}
	default:
		return &Error{Code: Canceled, Message: "the caller canceled the call", Err: err}
	}
}

// Retryable reports whether the same call may be made again without the
// danger of doing something twice: always when nothing was sent, and for
// temporary failures when the call changes nothing.
func Retryable(err error, changes bool) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	if e.Code == RateLimited || e.NothingSent {
		return e.Temporary
	}
	return e.Temporary && !changes && e.Code != UnknownOutcome
}

// RetryAfter returns how long the system asked to wait, 0 where it did not.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// PartialError says that a call over several items succeeded for some.
type PartialError struct {
	Done   []ID          // ids of what was done, in the order of the items; zero where it failed
	Failed map[int]error // by the item's place, from 0
}

// Error counts the failures and gives the first.
func (e *PartialError) Error() string {
	for i := range e.Done {
		if err := e.Failed[i]; err != nil {
			return fmt.Sprintf("%d of %d items failed; item %d: %v", len(e.Failed), len(e.Done), i, err)
		}
	}
	return fmt.Sprintf("%d of %d items failed", len(e.Failed), len(e.Done))
}

// Unwrap returns the failures, in order.
func (e *PartialError) Unwrap() []error {
	var errs []error
	for i := range e.Done {
		if err := e.Failed[i]; err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func quote(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strconv.Quote(s)
}
