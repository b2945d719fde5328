package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
)

func TestKeepIsByTenantAndSystem(t *testing.T) {
	keep, ctx := storetest.Open(t).Keep(), t.Context()
	ours := bridge.SystemConfig{Tenant: "1", ID: "main"}
	require.NoError(t, keep.Put(ctx, ours, "a", []byte{0, 1, 2}))
	require.NoError(t, keep.Put(ctx, ours, "a", []byte{0, 1, 2}), "twice is once")
	got, err := keep.Get(ctx, ours, "a")
	require.NoError(t, err)
	assert.Equal(t, []byte{0, 1, 2}, got)
	for _, other := range []bridge.SystemConfig{{Tenant: "2", ID: "main"}, {Tenant: "1", ID: "other"}} {
		_, err := keep.Get(ctx, other, "a")
		assert.ErrorIs(t, err, adapter.ErrNotFound)
	}
	_, err = keep.Get(ctx, ours, "b")
	assert.ErrorIs(t, err, adapter.ErrNotFound)
}

// Operations with their results and idempotency keys go when their time is over,
// and not before.
func TestWhatIsOverIsPurged(t *testing.T) {
	s, ctx := storetest.Open(t), t.Context()
	tenant, err := s.EnsureTenant(ctx, "acme")
	require.NoError(t, err)
	user := store.User{TenantID: tenant.ID, Username: "clerk", Role: store.Plain, IsActive: true}
	require.NoError(t, s.CreateUser(ctx, &user))
	var answers []store.KeptAnswer
	for id, life := range map[string]time.Duration{"over": -time.Minute, "kept": time.Hour, "running": 0} {
		op := store.Operation{ID: id, TenantID: tenant.ID, UserID: user.ID, Kind: "batch", Parameters: "{}"}
		require.NoError(t, s.CreateOperation(ctx, &op))
		held, ours, err := s.ClaimOperation(ctx, id, "worker", time.Minute)
		require.NoError(t, err)
		require.True(t, ours)
		require.NoError(t, s.SaveOperation(ctx, &held, `"a part"`))
		if life != 0 {
			at := time.Now().Add(life)
			held.State, held.FinishedAt, held.ExpiresAt = store.Succeeded, &at, &at
			require.NoError(t, s.ReleaseOperation(ctx, &held))
			_, ours, err = s.ClaimKey(ctx, store.KeptAnswer{UserID: user.ID, Key: id}, time.Hour)
			require.NoError(t, err)
			require.True(t, ours)
			answers = append(answers, store.KeptAnswer{UserID: user.ID, Key: id, ExpiresAt: at})
		}
	}
	for _, a := range answers { // a claim would purge those that are over
		require.NoError(t, s.KeepAnswer(ctx, a))
	}
	n, err := s.PurgeExpired(ctx)
	require.NoError(t, err)
	assert.EqualValues(t, 2, n, "an operation and a key")
	for id, there := range map[string]bool{"over": false, "kept": true, "running": true} {
		_, err := s.Operation(ctx, id)
		parts, partsErr := s.OperationParts(ctx, id)
		require.NoError(t, partsErr)
		assert.Equal(t, there, err == nil, id)
		assert.Equal(t, there, len(parts) == 1, "the result of "+id)
		if id != "running" {
			_, err = s.AnswerKept(ctx, user.ID, id)
			assert.Equal(t, there, err == nil, "the key "+id)
		}
	}
	n, err = s.PurgeExpired(ctx)
	require.NoError(t, err)
	assert.Zero(t, n)
}
