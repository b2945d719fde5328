package bridge

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
)

// counting counts the calls that create.
type counting struct {
	*memory.Adapter
	single, many, largest atomic.Int64
	fail                  func(values []adapter.Record) error
}

func (c *counting) Create(ctx context.Context, model string, values adapter.Record) (adapter.ID, error) {
	c.single.Add(1)
	if c.fail != nil {
		if err := c.fail([]adapter.Record{values}); err != nil {
			return adapter.ID{}, err
		}
	}
	return c.Adapter.Create(ctx, model, values)
}

func (c *counting) CreateMany(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	c.many.Add(1)
	c.largest.Store(max(c.largest.Load(), int64(len(values))))
	if c.fail != nil {
		if err := c.fail(values); err != nil {
			return nil, err
		}
	}
	return c.Adapter.CreateMany(ctx, model, values)
}

// CreateEach goes by CreateMany, as on Odoo.
func (c *counting) CreateEach(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	return adapter.CreateEach(ctx, struct {
		adapter.Adapter
		adapter.BatchCreator
	}{c.Adapter, c}, model, values)
}

func batchRig(t *testing.T) (*counting, *System) {
	t.Helper()
	c := &counting{Adapter: memory.New(shop()...)}
	r := build(t, nil, SystemConfig{Tenant: "t", ID: "a", Kind: "fake", Connection: adapter.Adapter(c)})
	sys, err := r.System(t.Context(), Caller{Tenant: "t", User: "u"}, "a")
	require.NoError(t, err)
	return c, sys
}

func creation(sys *System, name string) BatchItem {
	values := adapter.Record{"name": name}
	if name == "bad" {
		values = adapter.Record{"no_such_field": 1}
	}
	return BatchItem{System: sys, Action: BatchCreate, Model: "res.partner", Values: values}
}

func reading(sys *System, name string) BatchItem {
	return BatchItem{System: sys, Action: BatchRead, Model: "res.partner", Reading: Reading{Query: adapter.Query{Fields: []string{"name"}, Filter: adapter.Cond{Field: "name", Op: adapter.Equal, Value: name}}}}
}

func TestBatchKeepsItsOrder(t *testing.T) {
	c, sys := batchRig(t)
	items := []BatchItem{creation(sys, "a"), creation(sys, "b"), creation(sys, "c"), reading(sys, "b"), reading(sys, "nobody")}
	results := Batch(t.Context(), items, false)
	require.Len(t, results, 5)
	for i := range 3 {
		require.NoError(t, results[i].Err)
		assert.Equal(t, adapter.IntID(int64(i+1)), results[i].ID)
	}
	assert.JSONEq(t, `[{"id":2,"name":"b"}]`, string(results[3].Answer.Result), "a read sees what was created before it")
	assert.JSONEq(t, `[]`, string(results[4].Answer.Result))
	assert.EqualValues(t, 1, c.many.Load(), "three creations, one call")
	assert.Zero(t, c.single.Load())

	id := results[0].ID
	results = Batch(t.Context(), []BatchItem{
		{System: sys, Action: BatchUpdate, Model: "res.partner", IDs: []adapter.ID{id}, Values: adapter.Record{"name": "changed"}},
		reading(sys, "changed"),
		{System: sys, Action: BatchDelete, Model: "res.partner", IDs: []adapter.ID{id}},
		reading(sys, "changed"),
		{System: sys, Action: BatchOperation, Operation: "search_count", Model: "res.partner", Request: OperationRequest{}},
		{System: sys, Action: "explode", Model: "res.partner"},
	}, false)
	for _, r := range results[:5] {
		require.NoError(t, r.Err)
	}
	assert.JSONEq(t, `[{"id":1,"name":"changed"}]`, string(results[1].Answer.Result))
	assert.JSONEq(t, `[]`, string(results[3].Answer.Result))
	assert.Equal(t, `2`, string(results[4].Answer.Result))
	assert.ErrorIs(t, results[5].Err, adapter.ErrInvalidArgument)
}

func TestBatchBlamesTheBadOne(t *testing.T) {
	c, sys := batchRig(t)
	var items []BatchItem
	for i := range 50 {
		items = append(items, creation(sys, fmt.Sprint("n", i)))
	}
	items[0], items[17], items[49] = creation(sys, "bad"), creation(sys, "bad"), creation(sys, "bad")
	results := Batch(t.Context(), items, false)
	for i, r := range results {
		if i == 0 || i == 17 || i == 49 {
			assert.ErrorIs(t, r.Err, adapter.ErrInvalidArgument, "item %d", i)
			assert.True(t, r.ID.IsZero())
			continue
		}
		require.NoError(t, r.Err, "item %d", i)
		assert.False(t, r.ID.IsZero())
	}
	n, err := adapter.Count(t.Context(), c.Adapter, "res.partner", nil)
	require.NoError(t, err)
	assert.EqualValues(t, 47, n)
}

func TestBatchStopsOnError(t *testing.T) {
	c, sys := batchRig(t)
	items := []BatchItem{creation(sys, "a"), creation(sys, "b"), creation(sys, "bad"), creation(sys, "d"), reading(sys, "a")}
	results := Batch(t.Context(), items, true)
	require.NoError(t, results[0].Err)
	require.NoError(t, results[1].Err)
	assert.ErrorIs(t, results[2].Err, adapter.ErrInvalidArgument)
	assert.False(t, results[2].Skipped)
	for _, r := range results[3:] {
		assert.True(t, r.Skipped)
		assert.Equal(t, ErrSkipped, r.Err)
	}
	n, err := adapter.Count(t.Context(), c.Adapter, "res.partner", nil)
	require.NoError(t, err)
	assert.EqualValues(t, 2, n, "nothing after the bad one was made")

	c.largest.Store(0)
	results = Batch(t.Context(), []BatchItem{creation(sys, "x"), creation(sys, "y")}, true)
	assert.NoError(t, results[1].Err)
	assert.EqualValues(t, 2, c.largest.Load(), "good ones go out together here too")

	// Of reads that ran at the same time nothing is taken back.
	bad := reading(sys, "a")
	bad.Reading.Fields = []string{"no_such_field"}
	results = Batch(t.Context(), []BatchItem{bad, reading(sys, "a"), creation(sys, "z")}, true)
	assert.Error(t, results[0].Err)
	assert.NoError(t, results[1].Err)
	assert.True(t, results[2].Skipped)
}

// What may have been made is not made again.
func TestBatchWithAnUnknownOutcome(t *testing.T) {
	for _, stop := range []bool{false, true} {
		c, sys := batchRig(t)
		c.fail = func([]adapter.Record) error {
			return &adapter.Error{Code: adapter.UnknownOutcome, Message: "no answer"}
		}
		results := Batch(t.Context(), []BatchItem{creation(sys, "a"), creation(sys, "b"), reading(sys, "a")}, stop)
		for _, r := range results[:2] {
			assert.ErrorIs(t, r.Err, adapter.ErrUnknownOutcome)
		}
		assert.EqualValues(t, 1, c.many.Load()+c.single.Load(), "one call, not repeated")
		assert.Equal(t, stop, results[2].Skipped)
	}
}

func TestBatchOfACallerWhoLeft(t *testing.T) {
	_, sys := batchRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, r := range Batch(ctx, []BatchItem{creation(sys, "a"), reading(sys, "a")}, false) {
		assert.True(t, r.Skipped)
		assert.ErrorIs(t, r.Err, adapter.ErrCanceled)
	}
}

func TestBatchAcrossSystems(t *testing.T) {
	one, sys := batchRig(t)
	two, other := batchRig(t)
	results := Batch(t.Context(), []BatchItem{creation(sys, "a"), creation(other, "b"), creation(sys, "c")}, false)
	for _, r := range results {
		assert.NoError(t, r.Err)
	}
	for c, want := range map[*counting]int64{one: 2, two: 1} {
		n, err := adapter.Count(t.Context(), c.Adapter, "res.partner", nil)
		require.NoError(t, err)
		assert.Equal(t, want, n)
	}
	assert.Empty(t, Batch(t.Context(), nil, true))
	assert.ErrorIs(t, ErrSkipped, adapter.ErrCanceled)
}
