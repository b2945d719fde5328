package adaptertest

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

// settle lets the system's clock go on, where it tells changes by time alone.
func (s *suite) settle(t *testing.T) {
	t.Helper()
	if s.BetweenChanges != nil {
		s.BetweenChanges(t)
	}
}

func (s *suite) etag(t *testing.T, id adapter.ID) string {
	t.Helper()
	tag, err := adapter.ETag(t.Context(), s.Adapter, s.Model, id)
	require.NoError(t, err, "ETag")
	require.NotEmpty(t, tag, "ETag")
	return tag
}

func testConditional(t *testing.T, s *suite) {
	t.Helper()
	ctx := t.Context()
	values := adapter.Record{s.Text: s.name("changed")}
	if _, ok := s.Adapter.(adapter.Conditional); !ok {
		_, err := adapter.ETag(ctx, s.Adapter, s.Model, s.MissingID)
		requireCode(t, adapter.Unsupported, err, "ETag")
		requireCode(t, adapter.Unsupported, adapter.UpdateIf(ctx, s.Adapter, s.Model, s.MissingID, "x", values), "UpdateIf")
		requireCode(t, adapter.Unsupported, adapter.DeleteIf(ctx, s.Adapter, s.Model, s.MissingID, "x"), "DeleteIf")
		t.Skip("the adapter is not Conditional")
	}
	id, other := s.create(t, "here"), s.create(t, "other")
	first := s.etag(t, id)
	s.get(t, id)
	assert.Equal(t, first, s.etag(t, id), "reading changes nothing")
	s.settle(t)
	require.NoError(t, s.Adapter.Update(ctx, s.Model, []adapter.ID{other}, values))
	assert.Equal(t, first, s.etag(t, id), "another record's change is not this one's")

	require.NoError(t, adapter.UpdateIf(ctx, s.Adapter, s.Model, id, first, values), "UpdateIf of a record that is as it was")
	assert.Equal(t, s.name("changed"), s.get(t, id).String(s.Text))
	second := s.etag(t, id)
	require.NotEqual(t, first, second, "the record has changed")

	stale := adapter.Record{s.Text: s.name("stale")}
	requireCode(t, adapter.PreconditionFailed, adapter.UpdateIf(ctx, s.Adapter, s.Model, id, first, stale), "UpdateIf of a record that has changed")
	requireCode(t, adapter.PreconditionFailed, adapter.DeleteIf(ctx, s.Adapter, s.Model, id, first), "DeleteIf of a record that has changed")
	assert.Equal(t, s.name("changed"), s.get(t, id).String(s.Text), "a refused change changes nothing")
	assert.Equal(t, second, s.etag(t, id))

	requireNames(t, "no_such_field", adapter.UpdateIf(ctx, s.Adapter, s.Model, id, second, adapter.Record{"no_such_field": 1}), "UpdateIf with an unknown field")
	_, err := adapter.ETag(ctx, s.Adapter, s.Model, s.MissingID)
	requireCode(t, adapter.NotFound, err, "ETag of a missing id")
	requireCode(t, adapter.NotFound, adapter.UpdateIf(ctx, s.Adapter, s.Model, s.MissingID, second, values), "UpdateIf of a missing id")

	require.NoError(t, adapter.DeleteIf(ctx, s.Adapter, s.Model, id, second), "DeleteIf of a record that is as it was")
	left, err := adapter.Count(ctx, s.Adapter, s.Model, s.only(id))
	require.NoError(t, err)
	assert.Zero(t, left, "DeleteIf deletes")
	if !s.DeletesMissing {
		requireCode(t, adapter.NotFound, adapter.DeleteIf(ctx, s.Adapter, s.Model, id, second), "DeleteIf of a record that is gone")
	}
}

// testConditionalRace has several write at once what each believes to be
// unchanged: one may.
func testConditionalRace(t *testing.T, s *suite) {
	t.Helper()
	if _, ok := s.Adapter.(adapter.Conditional); !ok {
		t.Skip("the adapter is not Conditional")
	}
	if s.ConditionRaces {
		t.Skip("the system checks and changes in two steps")
	}
	id := s.create(t, "contended")
	tag := s.etag(t, id)
	s.settle(t)
	var wg sync.WaitGroup
	var won atomic.Int32
	for i := range 8 {
		wg.Go(func() {
			err := adapter.UpdateIf(t.Context(), s.Adapter, s.Model, id, tag, adapter.Record{s.Text: s.name("by " + string(rune('a'+i)))})
			switch adapter.CodeOf(err) {
			case "":
				won.Add(1)
			case adapter.PreconditionFailed, adapter.Conflict:
			default:
				assert.NoError(t, err, "UpdateIf at once with others")
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 1, won.Load(), "one of several UpdateIf with the same tag goes well")
}

// testCreateEach makes many records of which some are bad.
func testCreateEach(t *testing.T, s *suite) {
	t.Helper()
	ctx := t.Context()
	const n = 250
	bad := map[int]bool{3: true, 120: true, n - 1: true}
	values := make([]adapter.Record, n)
	for i := range values {
		values[i] = s.values("each")
		if bad[i] {
			values[i] = s.values("bad", adapter.Record{"no_such_field": i})
		}
	}
	// The one in the midst is for the system itself to refuse.
	values[120][s.Text] = nil
	delete(values[120], "no_such_field")

	ids, err := adapter.CreateEach(ctx, s.Adapter, s.Model, values)
	s.made = append(s.made, made(ids)...)
	require.Len(t, ids, n, "an id, or none, for each record")
	var partial *adapter.PartialError
	require.ErrorAs(t, err, &partial)
	assert.Equal(t, ids, partial.Done)
	assert.Len(t, partial.Failed, len(bad))
	seen := map[adapter.ID]bool{}
	for i, id := range ids {
		if bad[i] {
			assert.True(t, id.IsZero(), "record %d was refused", i)
			continue
		}
		assert.False(t, id.IsZero(), "record %d was created: %v", i, partial.Failed[i])
		assert.False(t, seen[id], "record %d has an id of its own", i)
		seen[id] = true
	}
	requireNames(t, "no_such_field", partial.Failed[3], "record 3")
	requireCode(t, adapter.InvalidArgument, partial.Failed[120], "record 120, without a required value")
	requireNames(t, "no_such_field", partial.Failed[n-1], "the last record")
	found, err := adapter.Count(ctx, s.Adapter, s.Model, adapter.Cond{Field: s.Text, Op: adapter.Equal, Value: s.name("each")})
	require.NoError(t, err)
	assert.EqualValues(t, n-len(bad), found, "no record twice, none missing")
	s.requireNone(t, "bad")

	ids, err = adapter.CreateEach(ctx, s.Adapter, s.Model, []adapter.Record{s.values("b"), s.values("a")})
	s.made = append(s.made, made(ids)...)
	require.NoError(t, err, "all good")
	records, err := adapter.Read(ctx, s.Adapter, s.Model, ids, []string{s.Text})
	require.NoError(t, err)
	assert.Equal(t, []string{"b", "a"}, s.names(records), "ids in the order of the values")

	none, err := adapter.CreateEach(ctx, s.Adapter, s.Model, nil)
	require.NoError(t, err)
	assert.Empty(t, none)
}

func made(ids []adapter.ID) []adapter.ID {
	var out []adapter.ID
	for _, id := range ids {
		if !id.IsZero() {
			out = append(out, id)
		}
	}
	return out
}
