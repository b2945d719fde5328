package bridge

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
)

// meddler changes a record between the look at its tag and the look at its
// values.
type meddler struct {
	*memory.Adapter
	meddle atomic.Bool
}

func (m *meddler) ETag(ctx context.Context, model string, id adapter.ID) (string, error) {
	tag, err := m.Adapter.ETag(ctx, model, id)
	if m.meddle.Load() {
		err = m.Update(ctx, model, []adapter.ID{id}, adapter.Record{"name": "meddled"})
	}
	return tag, err
}

func TestARecordIsReadWithItsTag(t *testing.T) {
	m := &meddler{Adapter: memory.New(shop()...)}
	s := build(t, nil, on(m)).sys(t)
	made, err := s.Create(t.Context(), "res.partner", adapter.Record{"name": "Azure"})
	require.NoError(t, err)
	id := made.ID()
	one := Reading{Query: adapter.Query{Model: "res.partner", Fields: []string{"name"}}, ID: id, ETag: true}
	a, err := s.Read(t.Context(), one)
	require.NoError(t, err)
	assert.JSONEq(t, `[{"id":1,"name":"Azure"}]`, string(a.Result))
	kept, err := s.Read(t.Context(), one)
	require.NoError(t, err)
	assert.True(t, kept.Cached)
	assert.Equal(t, a.ETag, kept.ETag)
	require.NoError(t, s.UpdateIf(t.Context(), "res.partner", id, kept.ETag, adapter.Record{"name": "Deco"}))

	// Without a tag it is another answer.
	plain := one
	plain.ETag = false
	bare, err := s.Read(t.Context(), plain)
	require.NoError(t, err)
	assert.Empty(t, bare.ETag)

	// Values that are newer than the tag cost a refusal, never a lost change.
	m.meddle.Store(true)
	a, err = s.Read(t.Context(), one)
	require.NoError(t, err)
	m.meddle.Store(false)
	assert.JSONEq(t, `[{"id":1,"name":"meddled"}]`, string(a.Result))
	assert.Equal(t, adapter.PreconditionFailed, code(t, s.UpdateIf(t.Context(), "res.partner", id, a.ETag, adapter.Record{"name": "lost"})))

	missing := one
	missing.ID = adapter.IntID(99)
	a, err = s.Read(t.Context(), missing)
	require.NoError(t, err)
	assert.Equal(t, "[]", string(a.Result))
	assert.Empty(t, a.ETag)

	for _, r := range []Reading{
		{Query: one.Query, ETag: true},
		{Query: one.Query, ID: id, Domain: []byte(`[["id","=",1]]`)},
		{Query: adapter.Query{Model: "res.partner", Offset: 1}, ID: id},
	} {
		_, err := s.Read(t.Context(), r)
		assert.Equal(t, adapter.InvalidArgument, code(t, err))
	}
}

func TestAnyTag(t *testing.T) {
	s := build(t, nil, on(memory.New(shop()...))).sys(t)
	made, err := s.Create(t.Context(), "res.partner", adapter.Record{"name": "Azure"})
	require.NoError(t, err)
	require.NoError(t, s.UpdateIf(t.Context(), "res.partner", made.ID(), AnyTag, adapter.Record{"name": "Deco"}))
	require.NoError(t, s.DeleteIf(t.Context(), "res.partner", made.ID(), AnyTag))
	assert.Equal(t, adapter.PreconditionFailed, code(t, s.UpdateIf(t.Context(), "res.partner", made.ID(), AnyTag, adapter.Record{"name": "x"})))
	assert.Equal(t, adapter.PreconditionFailed, code(t, s.DeleteIf(t.Context(), "res.partner", made.ID(), AnyTag)))
}

func TestABatchOnConditions(t *testing.T) {
	s := build(t, nil, on(memory.New(shop()...))).sys(t)
	made, err := s.Create(t.Context(), "res.partner", adapter.Record{"name": "Azure"})
	require.NoError(t, err)
	tag, err := s.ETag(t.Context(), "res.partner", made.ID())
	require.NoError(t, err)
	item := BatchItem{System: s, Action: BatchUpdate, Model: "res.partner", IDs: []adapter.ID{made.ID()}, Values: adapter.Record{"name": "a"}, IfMatch: tag}
	gone, many := item, item
	gone.Action = BatchDelete
	many.IDs = append(many.IDs, adapter.IntID(2))
	results := Batch(t.Context(), []BatchItem{item, item, gone, many}, false)
	require.NoError(t, results[0].Err)
	assert.Equal(t, adapter.PreconditionFailed, code(t, results[1].Err))
	assert.Equal(t, adapter.PreconditionFailed, code(t, results[2].Err))
	assert.Equal(t, adapter.InvalidArgument, code(t, results[3].Err))
}

// tracer is an observer that is told of calls before they are made.
type tracer struct {
	watcher
	begun []UpstreamEvent
}

type traceKey struct{}

func (w *tracer) Begin(ctx context.Context, e UpstreamEvent) context.Context {
	w.begun = append(w.begun, e)
	return context.WithValue(ctx, traceKey{}, len(w.begun))
}

func (w *tracer) Upstream(ctx context.Context, e UpstreamEvent) {
	if ctx.Value(traceKey{}) == e.Attempt {
		w.watcher.Upstream(ctx, e)
	}
}

// moving fails once for a reason that passes.
type moving struct {
	*memory.Adapter
	seen []any
}

func (f *moving) Query(ctx context.Context, q adapter.Query) (adapter.Page, error) {
	f.seen = append(f.seen, ctx.Value(traceKey{}))
	if len(f.seen) == 1 {
		return adapter.Page{}, &adapter.Error{Code: adapter.Unavailable, Temporary: true, NothingSent: true, Message: "away"}
	}
	return f.Adapter.Query(ctx, q)
}

// Each attempt is begun, made and ended in a context of its own.
func TestCallsAreToldBeforeTheyAreMade(t *testing.T) {
	f, seen := &moving{Adapter: memory.New(shop()...)}, &tracer{}
	s := build(t, func(c *Config) { c.Observer = Observers{&watcher{}, seen} }, on(f)).sys(t)
	partners(t, s)
	assert.Equal(t, []any{1, 2}, f.seen)
	require.Len(t, seen.begun, 2)
	assert.Equal(t, 2, seen.begun[1].Attempt)
	require.Len(t, seen.upstream, 2)
	assert.Equal(t, adapter.Unavailable, code(t, seen.upstream[0].Err))
	assert.NoError(t, seen.upstream[1].Err)
}
