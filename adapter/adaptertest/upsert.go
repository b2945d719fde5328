package adaptertest

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

// upserter skips the test where there is no key to write by.
func (s *suite) upserter(t *testing.T) {
	t.Helper()
	if _, ok := s.Adapter.(adapter.Upserter); !ok {
		_, _, err := adapter.Upsert(t.Context(), s.Adapter, s.Model, s.Text, "x", nil)
		requireCode(t, adapter.Unsupported, err, "Upsert")
		t.Skip("the adapter is no Upserter")
	}
	if s.Upsert == nil {
		t.Skip("the harness names no key to upsert by")
	}
}

func testUpsert(t *testing.T, s *suite) {
	t.Helper()
	s.upserter(t)
	ctx := t.Context()
	key, value := s.Upsert("a")
	id, created, err := adapter.Upsert(ctx, s.Adapter, s.Model, key, value, s.values("first"))
	require.NoError(t, err)
	s.made = append(s.made, id)
	assert.True(t, created, "there was none")
	assert.Equal(t, s.name("first"), s.get(t, id).String(s.Text))

	values := adapter.Record{s.Text: s.name("second")}
	again, created, err := adapter.Upsert(ctx, s.Adapter, s.Model, key, value, values)
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, id, again, "the same record")
	assert.Equal(t, s.name("second"), s.get(t, id).String(s.Text))
	assert.Equal(t, adapter.Record{s.Text: s.name("second")}, values, "the caller's map is left alone")

	same, created, err := adapter.Upsert(ctx, s.Adapter, s.Model, key, value, nil)
	require.NoError(t, err, "nothing to change is no fault")
	assert.False(t, created)
	assert.Equal(t, id, same)

	_, second := s.Upsert("b")
	other, created, err := adapter.Upsert(ctx, s.Adapter, s.Model, key, second, s.values("other"))
	require.NoError(t, err)
	s.made = append(s.made, other)
	assert.True(t, created)
	assert.NotEqual(t, id, other)

	_, third := s.Upsert("c")
	for name, bad := range map[string]struct {
		key, value string
		values     adapter.Record
	}{
		"a field that is not unique": {s.Text, s.name("second"), s.values("x")},
		"an unknown key":             {"no_such_field", "x", s.values("x")},
		"no key":                     {"", "x", s.values("x")},
		"no value":                   {key, "", s.values("x")},
		"an unknown field":           {key, third, s.values("x", adapter.Record{"no_such_field": 1})},
	} {
		_, _, err := adapter.Upsert(ctx, s.Adapter, s.Model, bad.key, bad.value, bad.values)
		requireCode(t, adapter.InvalidArgument, err, name)
	}
	n, err := adapter.Count(ctx, s.Adapter, s.Model, adapter.Cond{Field: s.Text, Op: adapter.Equal, Value: s.name("x")})
	require.NoError(t, err)
	assert.Zero(t, n, "what was refused made nothing")
	made, created, err := adapter.Upsert(ctx, s.Adapter, s.Model, key, third, s.values("third"))
	require.NoError(t, err, "what was refused leaves the key free")
	s.made = append(s.made, made)
	assert.True(t, created)

	require.NoError(t, s.Adapter.Delete(ctx, s.Model, []adapter.ID{id}))
	fresh, created, err := adapter.Upsert(ctx, s.Adapter, s.Model, key, value, s.values("anew"))
	require.NoError(t, err)
	s.made = append(s.made, fresh)
	assert.True(t, created, "the record was deleted")
}

// Of many calls at once one makes the record; the others change it, or are told
// to try again.
func testUpsertRace(t *testing.T, s *suite) {
	t.Helper()
	s.upserter(t)
	key, value := s.Upsert("raced")
	const calls = 8
	ids := make([]adapter.ID, calls)
	var made [calls]bool
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() {
			for range 10_000 {
				id, created, err := adapter.Upsert(t.Context(), s.Adapter, s.Model, key, value, s.values("raced"))
				e, ok := errors.AsType[*adapter.Error](err)
				if ok && e.Code == adapter.Conflict && e.Temporary {
					continue
				}
				if assert.NoError(t, err) {
					ids[i], made[i] = id, created
				}
				return
			}
			assert.Fail(t, "the key stays taken")
		})
	}
	wg.Wait()
	n := 0
	for i := range calls {
		assert.Equal(t, ids[0], ids[i])
		if made[i] {
			n++
		}
	}
	s.made = append(s.made, ids[0])
	assert.Equal(t, 1, n, "one call made the record")
	found, err := adapter.SearchIDs(t.Context(), s.Adapter, adapter.Query{Model: s.Model, Filter: adapter.Cond{Field: s.Text, Op: adapter.Equal, Value: s.name("raced")}})
	require.NoError(t, err)
	assert.Len(t, found, 1)
}
