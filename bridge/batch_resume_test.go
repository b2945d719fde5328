package bridge

import (
	"context"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
)

// resumeRig is a system of a kind that numbers its records, which memory does.
func resumeRig(t *testing.T) (*memory.Adapter, *System) {
	t.Helper()
	m := memory.New(shop()...)
	r := build(t, func(c *Config) {
		c.Openers = map[string]Opener{"odoo": func(context.Context, SystemConfig) (adapter.Adapter, error) { return m, nil }}
	}, SystemConfig{Tenant: "t", ID: "a", Kind: "odoo", Connection: adapter.Adapter(m)})
	sys, err := r.System(t.Context(), Caller{Tenant: "t", User: "u"}, "a")
	require.NoError(t, err)
	return m, sys
}

func TestABatchThatWasBrokenOffIsSettled(t *testing.T) {
	m, sys := resumeRig(t)
	ctx := t.Context()
	_, err := m.Create(ctx, "res.partner", adapter.Record{"name": "twin"})
	require.NoError(t, err, "one that was there before")
	items := []BatchItem{creation(sys, "a"), creation(sys, "twin"), creation(sys, "twin"), creation(sys, "twin"), creation(sys, "b"), creation(sys, "bad"), reading(sys, "a")}
	marks, err := MarkBatch(ctx, items)
	require.NoError(t, err)

	// Two twins and b were made before the end.
	var made []adapter.ID
	for _, name := range []string{"twin", "twin", "b"} {
		id, err := m.Create(ctx, "res.partner", adapter.Record{"name": name})
		require.NoError(t, err)
		made = append(made, id)
	}
	settled, err := SettleBatch(ctx, items, marks)
	require.NoError(t, err)
	for i, want := range []adapter.ID{{}, made[0], made[1], {}, made[2], {}, {}} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			assert.Equal(t, !want.IsZero(), settled[i].Known)
			assert.Equal(t, want, settled[i].Result.ID)
			assert.NoError(t, settled[i].Result.Err)
		})
	}
}

func TestWhatCannotBeSettledIsNotDoneTwice(t *testing.T) {
	_, sys := resumeRig(t)
	ctx := t.Context()
	doubtful := []BatchItem{
		{System: sys, Action: BatchCreate, Model: "res.partner", Values: adapter.Record{}}, // nothing to tell it by
		{System: sys, Action: BatchOperation, Operation: "call_kw", Model: "res.partner"},
		{System: sys, Action: BatchOperation, Operation: "create", Model: "res.partner"},
		{System: sys, Action: BatchUpdate, Model: "res.partner", IDs: []adapter.ID{adapter.IntID(1)}, Values: adapter.Record{"child_ids": []any{[]any{0, 0, map[string]any{}}}}},
	}
	free := []BatchItem{
		reading(sys, "a"),
		{System: sys, Action: BatchDelete, Model: "res.partner", IDs: []adapter.ID{adapter.IntID(1)}},
		{System: sys, Action: BatchUpdate, Model: "res.partner", IDs: []adapter.ID{adapter.IntID(1)}, Values: adapter.Record{"name": "x"}},
		{System: sys, Action: BatchOperation, Operation: "search_count", Model: "res.partner"},
	}
	items := append(append([]BatchItem{}, doubtful...), free...)
	marks, err := MarkBatch(ctx, items)
	require.NoError(t, err)
	settled, err := SettleBatch(ctx, items, marks)
	require.NoError(t, err)
	for i, s := range settled {
		assert.Equal(t, i < len(doubtful), s.Known, "item %d", i)
		if s.Known {
			assert.ErrorIs(t, s.Result.Err, adapter.ErrUnknownOutcome)
		}
	}

	// Nor is a creation on a system that does not number its records.
	_, other := batchRig(t)
	settled, err = SettleBatch(ctx, []BatchItem{creation(other, "a")}, []BatchMark{{}})
	require.NoError(t, err)
	assert.ErrorIs(t, settled[0].Result.Err, adapter.ErrUnknownOutcome)
}

// What was made is told from what was there, what others made and what somebody
// changed meanwhile, on systems that number their records and on others.
func TestSettlingByValues(t *testing.T) {
	for _, kind := range []string{"odoo", "fake"} {
		t.Run(kind, func(t *testing.T) {
			type there struct{ name, email string }
			for name, tc := range map[string]struct {
				before  []there
				items   []there
				made    []there // before the end, or by others meanwhile
				found   int     // of the items
				again   int     // of them: they were surely not made
				unknown int
			}{
				"nothing was made":       {nil, []there{{"a", ""}, {"b", ""}}, nil, 0, 2, 0},
				"all was made":           {nil, []there{{"a", "x"}, {"b", "y"}}, []there{{"a", "x"}, {"b", "y"}}, 2, 0, 0},
				"identical items":        {nil, []there{{"a", "x"}, {"a", "x"}, {"a", "x"}}, []there{{"a", "x"}, {"a", "x"}}, 2, 1, 0},
				"identical ones before":  {[]there{{"a", "x"}, {"a", "x"}}, []there{{"a", "x"}, {"a", "x"}}, []there{{"a", "x"}}, 1, 1, 0},
				"tidied by the system":   {nil, []there{{" a  b ", ""}}, []there{{"a b", ""}}, 1, 0, 0},
				"changed meanwhile":      {nil, []there{{"a", "x"}, {"b", "y"}}, []there{{"a", "other"}, {"b", "y"}}, 1, 0, 1},
				"made by others as well": {nil, []there{{"a", "x"}, {"b", "x"}}, []there{{"a", "z"}}, 0, 1, 1},
				"made by others alone":   {nil, []there{{"a", "x"}}, []there{{"c", "z"}}, 0, 1, 0},
			} {
				t.Run(name, func(t *testing.T) {
					m := memory.New(shop()...)
					r := build(t, func(c *Config) {
						c.Openers = map[string]Opener{kind: func(context.Context, SystemConfig) (adapter.Adapter, error) { return m, nil }}
					}, SystemConfig{Tenant: "t", ID: "a", Kind: kind, Connection: adapter.Adapter(m)})
					sys, err := r.System(t.Context(), Caller{Tenant: "t", User: "u"}, "a")
					require.NoError(t, err)
					ctx := t.Context()
					record := func(r there) adapter.Record { return adapter.Record{"name": r.name, "email": r.email} }
					for _, r := range tc.before {
						_, err := m.Create(ctx, "res.partner", record(r))
						require.NoError(t, err)
					}
					var items []BatchItem
					for _, r := range tc.items {
						items = append(items, BatchItem{System: sys, Action: BatchCreate, Model: "res.partner", Values: record(r)})
					}
					marks, err := MarkBatch(ctx, items)
					require.NoError(t, err)
					for _, r := range tc.made {
						_, err := m.Create(ctx, "res.partner", record(r))
						require.NoError(t, err)
					}
					settled, err := SettleBatch(ctx, items, marks)
					require.NoError(t, err)
					found, again, unknown := map[adapter.ID]bool{}, 0, 0
					for _, s := range settled {
						switch {
						case !s.Known:
							again++
						case s.Result.Err != nil:
							assert.ErrorIs(t, s.Result.Err, adapter.ErrUnknownOutcome)
							unknown++
						default:
							found[s.Result.ID] = true
						}
					}
					assert.Len(t, found, tc.found, "found, each once")
					assert.Equal(t, tc.again, again, "to be done again")
					assert.Equal(t, tc.unknown, unknown, "in doubt")
				})
			}
		})
	}
}
