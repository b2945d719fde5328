package bridge

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
)

func partners(t *testing.T, s *System) string {
	t.Helper()
	a, err := s.Read(t.Context(), Reading{Query: adapter.Query{Model: "res.partner", Fields: []string{"name"}, Order: []adapter.Order{{Field: "id"}}}})
	require.NoError(t, err)
	return string(a.Result)
}

func TestChangesOnACondition(t *testing.T) {
	seen := &watcher{}
	r := build(t, func(c *Config) { c.Observer = seen }, on(memory.New(shop()...)))
	s := r.sys(t)
	made, err := s.Create(t.Context(), "res.partner", adapter.Record{"name": "Azure"})
	require.NoError(t, err)
	id := made.ID()
	tag, err := s.ETag(t.Context(), "res.partner", id)
	require.NoError(t, err)
	assert.JSONEq(t, `[{"id":1,"name":"Azure"}]`, partners(t, s))

	require.NoError(t, s.UpdateIf(t.Context(), "res.partner", id, tag, adapter.Record{"name": "Deco"}))
	assert.JSONEq(t, `[{"id":1,"name":"Deco"}]`, partners(t, s), "nothing from before is served")
	assert.Equal(t, adapter.PreconditionFailed, code(t, s.UpdateIf(t.Context(), "res.partner", id, tag, adapter.Record{"name": "lost"})))
	assert.Equal(t, adapter.PreconditionFailed, code(t, s.DeleteIf(t.Context(), "res.partner", id, tag)))
	assert.JSONEq(t, `[{"id":1,"name":"Deco"}]`, partners(t, s))
	tag, err = s.ETag(t.Context(), "res.partner", id)
	require.NoError(t, err)
	require.NoError(t, s.DeleteIf(t.Context(), "res.partner", id, tag))
	assert.JSONEq(t, `[]`, partners(t, s))
	_, err = s.ETag(t.Context(), "res.partner", id)
	assert.Equal(t, adapter.NotFound, code(t, err))

	var told []string
	for _, e := range seen.changes {
		told = append(told, e.Operation)
	}
	assert.Equal(t, []string{"create", "write", "unlink"}, told, "observers are told of what was done, and no more")
}

func TestConditionsNeedRights(t *testing.T) {
	r := build(t, func(c *Config) {
		c.Access = Access{"reader": {{Models: []string{"res.partner"}, Methods: []string{"read", "search_read"}}}}
	}, on(memory.New(shop()...)))
	s, err := r.System(t.Context(), Caller{Tenant: "acme", User: "u", Roles: []string{"reader"}}, "main")
	require.NoError(t, err)
	id := adapter.IntID(1)
	_, err = s.ETag(t.Context(), "res.partner", id)
	assert.Equal(t, adapter.NotFound, code(t, err), "reading is allowed")
	_, err = s.ETag(t.Context(), "sale.order", id)
	assert.Equal(t, adapter.PermissionDenied, code(t, err))
	assert.Equal(t, adapter.PermissionDenied, code(t, s.UpdateIf(t.Context(), "res.partner", id, "1", nil)))
	assert.Equal(t, adapter.PermissionDenied, code(t, s.DeleteIf(t.Context(), "res.partner", id, "1")))
	_, err = s.CreateEach(t.Context(), "res.partner", []adapter.Record{{"name": "x"}})
	assert.Equal(t, adapter.PermissionDenied, code(t, err))
}

func TestConditionsOnASystemThatCannotTell(t *testing.T) {
	r := build(t, nil, on(struct{ adapter.Adapter }{memory.New(shop()...)}))
	_, err := r.sys(t).ETag(t.Context(), "res.partner", adapter.IntID(1))
	assert.Equal(t, adapter.Unsupported, code(t, err))
}

func TestConditionsInTheWordsOfAnotherVersion(t *testing.T) {
	r := pinRig(t, elder{memory.New(pinSchemas()["2"]...)}, true, nil)
	s := as(t, r.sys(t), "1")
	made, err := s.Create(t.Context(), "lot", adapter.Record{"name": "L1", "state": "draft"})
	require.NoError(t, err)
	tag, err := s.ETag(t.Context(), "lot", made.ID())
	require.NoError(t, err)
	require.NoError(t, s.UpdateIf(t.Context(), "lot", made.ID(), tag, adapter.Record{"state": "sent"}))
	assert.Equal(t, adapter.PreconditionFailed, code(t, s.UpdateIf(t.Context(), "lot", made.ID(), tag, adapter.Record{"state": "draft"})))
	assert.Equal(t, adapter.PreconditionFailed, code(t, s.DeleteIf(t.Context(), "lot", made.ID(), tag)))
	tag, err = s.ETag(t.Context(), "lot", made.ID())
	require.NoError(t, err)
	require.NoError(t, s.DeleteIf(t.Context(), "lot", made.ID(), tag))

	// A record that can't be translated fails by itself.
	ids, err := s.CreateEach(t.Context(), "lot", []adapter.Record{{"name": "a"}, {"name": "b", "nonsense": 1}, {"name": "c", "start": "no day"}, {"name": "d"}})
	var partial *adapter.PartialError
	require.ErrorAs(t, err, &partial)
	assert.Equal(t, []bool{false, true, true, false}, []bool{ids[0].IsZero(), ids[1].IsZero(), ids[2].IsZero(), ids[3].IsZero()})
	assert.Len(t, partial.Failed, 2)
}

func TestCreateEach(t *testing.T) {
	seen := &watcher{}
	m := memory.New(shop()...)
	r := build(t, func(c *Config) { c.Observer = seen }, on(m))
	s := r.sys(t)
	assert.JSONEq(t, `[]`, partners(t, s))
	values := make([]adapter.Record, 250)
	for i := range values {
		values[i] = adapter.Record{"name": "n"}
	}
	for _, i := range []int{0, 100, 249} {
		values[i] = adapter.Record{"nme": "n"}
	}
	ids, err := s.CreateEach(t.Context(), "res.partner", values)
	var partial *adapter.PartialError
	require.ErrorAs(t, err, &partial)
	require.Len(t, ids, 250)
	for i, id := range ids {
		bad := i == 0 || i == 100 || i == 249
		assert.Equal(t, bad, id.IsZero(), i)
		if bad {
			assert.Equal(t, adapter.InvalidArgument, code(t, partial.Failed[i]))
		}
	}
	n, err := m.Count(t.Context(), "res.partner", nil)
	require.NoError(t, err)
	assert.EqualValues(t, 247, n)
	assert.NotEqual(t, "[]", partners(t, s), "what was created is seen though some failed")
	require.Len(t, seen.changes, 1)
	assert.Len(t, seen.changes[0].IDs, 247)
	assert.Len(t, seen.changes[0].Values, 247)

	ids, err = s.CreateEach(t.Context(), "res.partner", nil)
	require.NoError(t, err)
	assert.Empty(t, ids)
	_, err = s.CreateEach(t.Context(), "no.model", []adapter.Record{{}})
	assert.ErrorIs(t, err, adapter.ErrNotFound)
}

// halting is a system that goes away in the midst.
type halting struct {
	*memory.Adapter
	err  error
	runs int
}

func (h *halting) CreateEach(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	h.runs++
	id, err := h.Create(ctx, model, values[0])
	if err != nil {
		return nil, err
	}
	ids := []adapter.ID{id, {}}
	return ids, &adapter.PartialError{Done: ids, Failed: map[int]error{1: h.err}}
}

// What failed for a reason that passes is not sent again together with what
// was done, and what may have been done casts doubt.
func TestAPartialFailureIsNotRepeated(t *testing.T) {
	h := &halting{Adapter: memory.New(shop()...), err: &adapter.Error{Code: adapter.Unavailable, Message: "gone", Temporary: true, NothingSent: true}}
	r := build(t, nil, on(h))
	_, err := r.sys(t).CreateEach(t.Context(), "res.partner", []adapter.Record{{"name": "a"}, {"name": "b"}})
	var partial *adapter.PartialError
	require.ErrorAs(t, err, &partial)
	assert.Equal(t, 1, h.runs)
	partners(t, r.sys(t))
	a, err := r.sys(t).Read(t.Context(), Reading{Query: adapter.Query{Model: "res.partner"}})
	require.NoError(t, err)
	assert.False(t, a.Cached)

	h.err = errors.Join(&adapter.Error{Code: adapter.UnknownOutcome, Message: "no answer"})
	_, err = r.sys(t).CreateEach(t.Context(), "res.partner", []adapter.Record{{"name": "a"}, {"name": "b"}})
	require.Error(t, err)
	for range 2 {
		a, err := r.sys(t).Read(t.Context(), Reading{Query: adapter.Query{Model: "res.partner"}})
		require.NoError(t, err)
		assert.False(t, a.Cached, "nothing is kept while it may still change")
	}
}
