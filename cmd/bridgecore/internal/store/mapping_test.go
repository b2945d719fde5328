package store_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
)

// mapped is a system of a new tenant.
func mapped(t *testing.T, s *store.Store, tenant, id string) store.System {
	t.Helper()
	sys := store.System{TenantID: newTenant(t, s, tenant).ID, SystemID: id}
	require.NoError(t, s.CreateSystem(t.Context(), &sys))
	return sys
}

func save(t *testing.T, s *store.Store, sys store.System, model, source string, after int64) (store.Mapping, error) {
	t.Helper()
	m := store.Mapping{TenantID: sys.TenantID, SystemRef: sys.ID, Model: model, Source: source, Deleted: source == "", Author: "admin"}
	err := s.SaveMapping(t.Context(), &m, after)
	return m, err
}

func TestEverySaveOfAMappingIsAVersion(t *testing.T) {
	s, ctx := storetest.Open(t), t.Context()
	sys := mapped(t, s, "acme", "main")
	revision := func() int64 {
		n, err := s.MappingRevision(ctx, sys.TenantID, sys.ID)
		require.NoError(t, err)
		return n
	}
	assert.Zero(t, revision())
	_, err := s.Mapping(ctx, sys.TenantID, sys.ID, "contact")
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	_, err = s.MappingVersions(ctx, sys.TenantID, sys.ID, "contact", 0, 10)
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	_, err = save(t, s, sys, "contact", "", store.AnyVersion)
	assert.ErrorIs(t, err, adapter.ErrNotFound, "there is nothing to delete")
	_, err = save(t, s, sys, "contact", "x", 3)
	assert.ErrorIs(t, err, adapter.ErrPreconditionFailed)

	one, err := save(t, s, sys, "contact", "one ?0 'é'", 0)
	require.NoError(t, err)
	assert.EqualValues(t, 1, one.Version)
	assert.Equal(t, one.ID, revision())
	_, err = save(t, s, sys, "contact", "x", 0)
	assert.ErrorIs(t, err, adapter.ErrPreconditionFailed, "there is one already")
	two, err := save(t, s, sys, "contact", "two", 1)
	require.NoError(t, err)
	assert.EqualValues(t, 2, two.Version)
	assert.Equal(t, two.ID, revision())
	_, err = save(t, s, sys, "contact", "x", 1)
	assert.ErrorIs(t, err, adapter.ErrPreconditionFailed)
	assert.Contains(t, err.Error(), "version 2, not 1")
	other, err := save(t, s, sys, "product", "p", store.AnyVersion)
	require.NoError(t, err)
	assert.EqualValues(t, 1, other.Version)

	list, err := s.Mappings(ctx, sys.TenantID, sys.ID)
	require.NoError(t, err)
	require.Len(t, list, 2)
	assert.Equal(t, []string{"two", "p"}, []string{list[0].Source, list[1].Source})
	old, err := s.MappingVersion(ctx, sys.TenantID, sys.ID, "contact", 1)
	require.NoError(t, err)
	assert.Equal(t, "one ?0 'é'", old.Source)

	// A deletion is a version too, after which one begins anew.
	gone, err := save(t, s, sys, "contact", "", 2)
	require.NoError(t, err)
	assert.Equal(t, gone.ID, revision())
	_, err = s.Mapping(ctx, sys.TenantID, sys.ID, "contact")
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	list, err = s.Mappings(ctx, sys.TenantID, sys.ID)
	require.NoError(t, err)
	assert.Len(t, list, 1)
	_, err = save(t, s, sys, "contact", "x", 3)
	assert.ErrorIs(t, err, adapter.ErrPreconditionFailed)
	four, err := save(t, s, sys, "contact", "four", 0)
	require.NoError(t, err)
	assert.EqualValues(t, 4, four.Version)

	history, err := s.MappingVersions(ctx, sys.TenantID, sys.ID, "contact", 0, 3)
	require.NoError(t, err)
	require.Len(t, history, 3)
	assert.Equal(t, []int64{4, 3, 2}, []int64{history[0].Version, history[1].Version, history[2].Version})
	assert.True(t, history[1].Deleted)
	assert.Empty(t, history[0].Source)
	history, err = s.MappingVersions(ctx, sys.TenantID, sys.ID, "contact", 2, 3)
	require.NoError(t, err)
	assert.Len(t, history, 1)
}

func TestMappingsBelongToASystemOfATenant(t *testing.T) {
	s, ctx := storetest.Open(t), t.Context()
	ours, theirs := mapped(t, s, "acme", "main"), mapped(t, s, "rivals", "main")
	_, err := save(t, s, ours, "contact", "ours", 0)
	require.NoError(t, err)
	_, err = save(t, s, theirs, "contact", "theirs", 0)
	require.NoError(t, err)

	// Another tenant's number does not help.
	_, err = s.Mapping(ctx, theirs.TenantID, ours.ID, "contact")
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	_, err = s.MappingVersion(ctx, theirs.TenantID, ours.ID, "contact", 1)
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	_, err = s.MappingVersions(ctx, theirs.TenantID, ours.ID, "contact", 0, 10)
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	list, err := s.Mappings(ctx, theirs.TenantID, ours.ID)
	require.NoError(t, err)
	assert.Empty(t, list)
	n, err := s.MappingRevision(ctx, theirs.TenantID, ours.ID)
	require.NoError(t, err)
	assert.Zero(t, n)

	// They go with their system.
	require.NoError(t, s.DeleteSystem(ctx, ours.TenantID, "main"))
	_, err = s.Mapping(ctx, ours.TenantID, ours.ID, "contact")
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	got, err := s.Mapping(ctx, theirs.TenantID, theirs.ID, "contact")
	require.NoError(t, err)
	assert.Equal(t, "theirs", got.Source)
}

func TestManySaveOneMappingAtOnce(t *testing.T) {
	s := storetest.Open(t)
	sys := mapped(t, s, "acme", "main")
	const many = 8
	var wg sync.WaitGroup
	first, any := make(chan error, many), make(chan error, many)
	for range many {
		wg.Go(func() {
			_, err := save(t, s, sys, "contact", "first", 0)
			first <- err
		})
		wg.Go(func() {
			_, err := save(t, s, sys, "product", "any", store.AnyVersion)
			any <- err
		})
	}
	wg.Wait()
	saved := 0
	for range many {
		if err := <-first; err == nil {
			saved++
		} else {
			assert.ErrorIs(t, err, adapter.ErrPreconditionFailed)
		}
		assert.NoError(t, <-any)
	}
	assert.Equal(t, 1, saved, "one was the first")
	history, err := s.MappingVersions(t.Context(), sys.TenantID, sys.ID, "product", 0, 100)
	require.NoError(t, err)
	assert.Len(t, history, many)
}
