package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
)

// An operation that waits after a failure is nobody's before its time, whatever
// wakes a worker.
func TestAnOperationIsNotHadBeforeItIsDue(t *testing.T) {
	s := storetest.Open(t)
	ctx := t.Context()
	require.NoError(t, s.CreateOperation(ctx, &store.Operation{ID: "one", TenantID: 1, UserID: 1, Username: "clerk", Kind: "batch"}))
	op, ours, err := s.ClaimOperation(ctx, "one", "first", time.Hour)
	require.NoError(t, err)
	require.True(t, ours)
	_, ours, err = s.ClaimOperation(ctx, "one", "second", time.Hour)
	require.NoError(t, err)
	assert.False(t, ours, "somebody has it")
	op.State, op.NextAt = store.Queued, op.UpdatedAt.Add(time.Hour)
	require.NoError(t, s.ReleaseOperation(ctx, &op))
	_, ours, err = s.ClaimOperation(ctx, "one", "second", time.Hour)
	require.NoError(t, err)
	assert.False(t, ours, "it is not due")
	ids, err := s.DueOperations(ctx, 0)
	require.NoError(t, err)
	assert.Empty(t, ids)
	require.NoError(t, s.CancelOperation(ctx, "one", time.Hour))
	require.NoError(t, s.RetryOperation(ctx, "one"))
	_, ours, err = s.ClaimOperation(ctx, "one", "second", time.Hour)
	require.NoError(t, err)
	assert.True(t, ours, "a retry makes it due")
}
