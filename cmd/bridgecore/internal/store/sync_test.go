package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
	"github.com/bridgecore/bridgecore/recordsync"
)

// The links of the store are those of memory, but durable and a tenant's own.
func TestSyncLinks(t *testing.T) {
	s := storetest.Open(t)
	ctx := t.Context()
	tenant, err := s.EnsureTenant(ctx, "acme")
	require.NoError(t, err)
	refs := make([]int64, 2)
	for i, id := range []string{"a", "b"} {
		sys := store.System{TenantID: tenant.ID, SystemID: id, Kind: "odoo", Name: id}
		require.NoError(t, s.CreateSystem(ctx, &sys))
		refs[i] = sys.ID
	}
	links := s.SyncLinks(store.SyncPair{TenantID: tenant.ID, SourceRef: refs[0], TargetRef: refs[1], Words: "own"})
	foreign := s.SyncLinks(store.SyncPair{TenantID: tenant.ID + 1, SourceRef: refs[0], TargetRef: refs[1], Words: "own"})

	one := &recordsync.Link{Model: "m", Late: true}
	one.IDs[recordsync.Source], one.IDs[recordsync.Target] = adapter.IntID(5), adapter.StringID("5")
	half := &recordsync.Link{Model: "m", Conflict: &recordsync.Conflict{Kind: recordsync.Ambiguous}}
	half.IDs[recordsync.Source] = adapter.IntID(6)
	state := recordsync.State{Shape: "x", Cursors: [2]string{"c", ""}}
	require.NoError(t, links.Save(ctx, "m", []*recordsync.Link{one, half}, &state))
	require.NotZero(t, one.ID)
	require.NotEqual(t, one.ID, half.ID)

	got, err := links.Find(ctx, "m", recordsync.Target, []adapter.ID{adapter.StringID("5"), adapter.IntID(6)})
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Equal(t, one.IDs, got[0].IDs)
	for kind, want := range map[recordsync.WantKind]int{recordsync.WantAll: 2, recordsync.WantLate: 1, recordsync.WantConflicts: 1, recordsync.WantPending: 0, recordsync.WantRefused: 0} {
		got, err := links.Select(ctx, "m", recordsync.Want{Kind: kind})
		require.NoError(t, err)
		assert.Len(t, got, want, kind)
		got, err = foreign.Select(ctx, "m", recordsync.Want{Kind: kind})
		require.NoError(t, err)
		assert.Empty(t, got, "another tenant's")
	}
	kept, err := links.State(ctx, "m")
	require.NoError(t, err)
	assert.Equal(t, state, kept)

	double := &recordsync.Link{Model: "m"}
	double.IDs[recordsync.Source] = adapter.IntID(5)
	require.ErrorIs(t, links.Save(ctx, "m", []*recordsync.Link{double}, nil), adapter.ErrConflict)
	one.Dropped = true
	require.NoError(t, links.Save(ctx, "m", []*recordsync.Link{one, double}, nil))

	require.NoError(t, links.Lease(ctx, "m", "me", time.Minute))
	require.ErrorIs(t, links.Lease(ctx, "m", "you", time.Minute), adapter.ErrConflict)
	require.NoError(t, links.Lease(ctx, "m", "me", time.Minute))
	require.NoError(t, links.Lease(ctx, "m", "me", 0))
	require.NoError(t, links.Lease(ctx, "m", "you", time.Minute))
}
