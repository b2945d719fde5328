package adapter_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

var sentinels = map[adapter.Code]error{
	adapter.InvalidArgument: adapter.ErrInvalidArgument, adapter.Unauthenticated: adapter.ErrUnauthenticated,
	adapter.PermissionDenied: adapter.ErrPermissionDenied, adapter.NotFound: adapter.ErrNotFound, adapter.Conflict: adapter.ErrConflict,
	adapter.AlreadyExists: adapter.ErrAlreadyExists, adapter.PreconditionFailed: adapter.ErrPreconditionFailed,
	adapter.RateLimited: adapter.ErrRateLimited, adapter.Unavailable: adapter.ErrUnavailable, adapter.Timeout: adapter.ErrTimeout,
	adapter.Canceled: adapter.ErrCanceled, adapter.Unsupported: adapter.ErrUnsupported, adapter.UnknownOutcome: adapter.ErrUnknownOutcome,
	adapter.Internal: adapter.ErrInternal,
}

func TestErrorsAreTheirSentinels(t *testing.T) {
	for code := range sentinels {
		err := fmt.Errorf("while reading: %w", adapter.Errorf(code, "because of %d", 5))
		for other, sentinel := range sentinels {
			assert.Equal(t, code == other, errors.Is(err, sentinel), "%s is %s", code, other)
		}
		assert.Equal(t, code, adapter.CodeOf(err))
		assert.Equal(t, code, adapter.CodeOf(sentinels[code]))
		assert.Contains(t, err.Error(), "because of 5")
	}
}

func TestCodeOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want adapter.Code
	}{
		{nil, ""},
		{io.EOF, adapter.Internal},
		{context.Canceled, adapter.Canceled},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), adapter.Timeout},
		{&adapter.Error{Code: adapter.Conflict, Err: context.Canceled}, adapter.Conflict},
		{errors.Join(io.EOF, adapter.ErrNotFound), adapter.NotFound},
	} {
		assert.Equal(t, test.want, adapter.CodeOf(test.err), "%v", test.err)
	}
}

func TestErrorKeepsTheNativeErrorToItself(t *testing.T) {
	native := errors.New("password=secret at 10.0.0.1")
	err := &adapter.Error{Code: adapter.Unavailable, Model: "res.partner", Message: "the system can't be reached", Err: native}
	assert.Equal(t, "unavailable on res.partner: the system can't be reached", err.Error())
	assert.ErrorIs(t, err, native)
}

func TestContextError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, adapter.ContextError(ctx))
	cancel()
	err := adapter.ContextError(ctx)
	assert.ErrorIs(t, err, adapter.ErrCanceled)
	assert.ErrorIs(t, err, context.Canceled)
	late, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	err = adapter.ContextError(late)
	assert.ErrorIs(t, err, adapter.ErrTimeout)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestRetryable(t *testing.T) {
	for _, test := range []struct {
		err            error
		reads, changes bool
	}{
		{nil, false, false},
		{io.EOF, false, false},
		{&adapter.Error{Code: adapter.Unavailable}, false, false},
		{&adapter.Error{Code: adapter.Unavailable, Temporary: true}, true, false},
		{&adapter.Error{Code: adapter.Unavailable, Temporary: true, NothingSent: true}, true, true},
		{&adapter.Error{Code: adapter.RateLimited, Temporary: true}, true, true},
		{&adapter.Error{Code: adapter.UnknownOutcome, Temporary: true}, false, false},
		{&adapter.Error{Code: adapter.Unauthenticated, NothingSent: true}, false, false},
		{fmt.Errorf("x: %w", &adapter.Error{Code: adapter.Timeout, Temporary: true}), true, false},
	} {
		assert.Equal(t, test.reads, adapter.Retryable(test.err, false), "reading: %+v", test.err)
		assert.Equal(t, test.changes, adapter.Retryable(test.err, true), "changing: %+v", test.err)
	}
	assert.Equal(t, 3*time.Second, adapter.RetryAfter(fmt.Errorf("x: %w", &adapter.Error{RetryAfter: 3 * time.Second})))
	assert.Zero(t, adapter.RetryAfter(io.EOF))
}

func TestPartialError(t *testing.T) {
	denied := adapter.Errorf(adapter.PermissionDenied, "no")
	err := &adapter.PartialError{Done: []adapter.ID{adapter.IntID(1), {}, adapter.IntID(3)}, Failed: map[int]error{1: denied}}
	assert.Equal(t, "1 of 3 items failed; item 1: permission_denied: no", err.Error())
	assert.ErrorIs(t, err, adapter.ErrPermissionDenied)
	assert.Equal(t, []error{denied}, err.Unwrap())
	assert.Equal(t, "0 of 0 items failed", (&adapter.PartialError{}).Error())
}

func TestWarnings(t *testing.T) {
	adapter.Warn(t.Context(), adapter.Warning{Code: adapter.WarnFieldDropped}) // nobody listens
	ctx, warnings := adapter.WithWarnings(t.Context())
	assert.Empty(t, warnings.List())
	first := adapter.Warning{Code: adapter.WarnFieldDropped, Field: "mobile"}
	second := adapter.Warning{Code: adapter.WarnFieldReplaced, Field: "tax_id", Used: "tax_ids"}
	done := make(chan struct{})
	for range 4 {
		go func() {
			adapter.Warn(ctx, first)
			done <- struct{}{}
		}()
	}
	for range 4 {
		<-done
	}
	adapter.Warn(ctx, second)
	list := warnings.List()
	assert.Equal(t, []adapter.Warning{first, second}, list)
	list[0].Field = "changed"
	assert.Equal(t, "mobile", warnings.List()[0].Field)
}

func TestScope(t *testing.T) {
	assert.Zero(t, adapter.ScopeFrom(t.Context()))
	s := adapter.Scope{Language: "ar_001", Companies: []int64{1}}
	assert.Equal(t, s, adapter.ScopeFrom(adapter.WithScope(t.Context(), s)))
}

func ExampleErrorf() {
	err := fmt.Errorf("sync: %w", adapter.Errorf(adapter.NotFound, "there is no partner %d", 5))
	fmt.Println(err)
	fmt.Println(errors.Is(err, adapter.ErrNotFound), adapter.CodeOf(err))
	// Output:
	// sync: not_found: there is no partner 5
	// true not_found
}
