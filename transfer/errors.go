package transfer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

func wrong(field, format string, args ...any) error {
	e := adapter.Errorf(adapter.InvalidArgument, format, args...)
	e.Field = field
	return e
}

// UnmatchedError says that records refer to others that the target does not
// have. It unwraps to an [*adapter.Error].
type UnmatchedError struct{ References []Unmatched }

// Error names the references.
func (e *UnmatchedError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the error with its code.
func (e *UnmatchedError) Unwrap() error {
	const most = 5
	var what []string
	for i, u := range e.References {
		if i == most {
			what = append(what, fmt.Sprintf("and %d more models", len(e.References)-most))
			break
		}
		what = append(what, u.String())
	}
	err := wrong("models", "the target has no counterpart of what the records refer to: %s; add the models to the list, map the records, or leave the references out", strings.Join(what, "; "))
	return err
}

// noModel says which side lacks a model. Other failures stay as they are.
func noModel(err error, format string, args ...any) error {
	if adapter.CodeOf(err) != adapter.NotFound {
		return err
	}
	e := adapter.Errorf(adapter.NotFound, format, args...)
	e.Field = "models"
	return e
}

// plain is one error of several.
func plain(err error) error {
	if e, ok := errors.AsType[*adapter.Error](err); ok {
		return e
	}
	return err
}

// hushed lets a model that can't be looked at be one without counterparts.
func hushed(err error) error {
	if stops(err) {
		return err
	}
	return nil
}

// stops reports whether a failure is about more than one record.
func stops(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	switch adapter.CodeOf(err) {
	case adapter.Unavailable, adapter.Timeout, adapter.Canceled, adapter.UnknownOutcome, adapter.RateLimited, adapter.Unauthenticated, adapter.Conflict:
		return true
	}
	return adapter.Retryable(err, true)
}

func message(err error) string {
	if e, ok := errors.AsType[*adapter.Error](err); ok {
		return e.Message
	}
	return err.Error()
}
