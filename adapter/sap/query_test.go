package sap_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap"
)

// many makes n records and returns their ids and a condition for them alone.
func many(t *testing.T, client *sap.Client, model string, n int, values func(i int) adapter.Record) ([]adapter.ID, adapter.Cond) {
	t.Helper()
	name := mark(t)
	list := make([]adapter.Record, n)
	for i := range list {
		list[i] = values(i)
		list[i]["Name"] = fmt.Sprintf("%s %03d", name, i)
	}
	ids, err := client.CreateMany(t.Context(), model, list)
	require.NoError(t, err)
	return ids, adapter.Cond{Field: "Name", Op: adapter.EqLike, Value: name + "%"}
}

// Wildcards, which OData has not, page like anything else.
func TestPagesOfPatterns(t *testing.T) {
	onEach(t, func(t *testing.T, client *sap.Client, service string) {
		t.Helper()
		ctx, model := t.Context(), service+".Samples"
		codes := []string{"axb", "a%b", "ab", "b_a", "aXXb"}
		ids, own := many(t, client, model, 40, func(i int) adapter.Record {
			return adapter.Record{"Code": codes[i%len(codes)], "Count": 100 - i, "Moment": "2025-03-14 15:09:26"}
		})
		var want []adapter.ID
		for i, id := range ids {
			if i%5 != 3 && i%5 != 2 {
				want = append(want, id)
			}
		}
		f := adapter.And{own, adapter.Cond{Field: "Code", Op: adapter.EqLike, Value: "a_%b"}}
		for _, order := range [][]adapter.Order{nil, {{Field: "id", Desc: true}}, {{Field: "Count"}}, {{Field: "Code"}, {Field: "Count", Desc: true}}} {
			var got []adapter.ID
			q := adapter.Query{Model: model, Filter: f, Fields: []string{"Count", "Moment"}, Order: order, Limit: 7, Plain: true}
			for range 10 {
				page, err := client.Query(ctx, q)
				require.NoError(t, err)
				for _, r := range page.Records {
					got = append(got, r.ID())
					assert.Equal(t, "2025-03-14T15:09:26Z", r["Moment"])
				}
				if q.Cursor = page.Next; page.Next == "" {
					break
				}
			}
			assert.ElementsMatch(t, want, got, "%v", order)
			assert.Len(t, slices.Compact(got), len(want))
		}
		page, err := client.Query(ctx, adapter.Query{Model: model, Filter: f, Fields: []string{"id"}, Order: []adapter.Order{{Field: "id"}}, Offset: 20})
		require.NoError(t, err)
		assert.Len(t, page.Records, len(want)-20)
		n, err := client.Count(ctx, model, f)
		require.NoError(t, err)
		assert.Equal(t, int64(len(want)), n)
		found, err := client.SearchIDs(ctx, adapter.Query{Model: model, Filter: adapter.And{own, adapter.Cond{Field: "Code", Op: adapter.NotEqLike, Value: "a_%b"}}})
		require.NoError(t, err)
		assert.Len(t, found, 16)
	})
}

// A filter that is too long for an address and has no list to part goes by a
// batch; one that has is read in parts, also in another order than the keys'.
func TestLongFilters(t *testing.T) {
	onEach(t, func(t *testing.T, client *sap.Client, service string) {
		t.Helper()
		ctx, model := t.Context(), service+".Samples"
		ids, own := many(t, client, model, 12, func(i int) adapter.Record { return adapter.Record{"Count": (i * 5) % 12} })
		var either adapter.Or
		for i := range 150 {
			either = append(either, adapter.And{own, adapter.Cond{Field: "Count", Op: adapter.Equal, Value: i + 6}})
		}
		n, err := client.Count(ctx, model, either)
		require.NoError(t, err)
		assert.Equal(t, int64(6), n)
		found, err := client.SearchIDs(ctx, adapter.Query{Model: model, Filter: either})
		require.NoError(t, err)
		assert.Len(t, found, 6)

		list := []any{}
		for i := range 1000 {
			list = append(list, fmt.Sprintf("NO%05d", i))
		}
		for _, id := range ids {
			list = append(list, id.Value())
		}
		for _, limit := range []int{0, 5} {
			var counts []int64
			for r, err := range client.Stream(ctx, adapter.Query{Model: model, Filter: adapter.Cond{Field: "id", Op: adapter.In, Value: list}, Fields: []string{"Count"}, Order: []adapter.Order{{Field: "Count", Desc: true}}, Limit: limit}) {
				require.NoError(t, err)
				counts = append(counts, r.Int("Count"))
			}
			want := []int64{11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}
			if limit > 0 {
				want = want[:limit]
			}
			assert.Equal(t, want, counts)
		}
		page, err := client.Query(ctx, adapter.Query{Model: model, Filter: adapter.Cond{Field: "id", Op: adapter.In, Value: list}, Order: []adapter.Order{{Field: "Count"}}, Limit: 3})
		require.NoError(t, err)
		other, err := client.Query(ctx, adapter.Query{Model: model, Filter: adapter.Cond{Field: "id", Op: adapter.In, Value: list[1:]}, Order: []adapter.Order{{Field: "Count"}}, Limit: 3, Cursor: page.Next})
		assert.ErrorIs(t, err, adapter.ErrInvalidArgument, "a cursor is good for its own query: %v", other)
	})
}

func TestOrderThroughRelations(t *testing.T) {
	onEach(t, func(t *testing.T, client *sap.Client, service string) {
		t.Helper()
		ctx, model := t.Context(), service+".Samples"
		parents, _ := many(t, client, model, 2, func(i int) adapter.Record { return adapter.Record{"Code": []string{"z", "a"}[i]} })
		ids, own := many(t, client, model, 4, func(i int) adapter.Record {
			return adapter.Record{"Parent": map[string]any{"id": parents[i%2].Value()}}
		})
		found, err := client.SearchIDs(ctx, adapter.Query{Model: model, Filter: own, Order: []adapter.Order{{Field: "Parent.Code"}, {Field: "id", Desc: true}}})
		require.NoError(t, err)
		assert.Equal(t, []adapter.ID{ids[3], ids[1], ids[2], ids[0]}, found)
		for _, field := range []string{"Lines.Text", "Parent", "Nope", "Parent.Nope"} {
			_, err = client.Query(ctx, adapter.Query{Model: model, Order: []adapter.Order{{Field: field}}})
			assert.ErrorIs(t, err, adapter.ErrInvalidArgument, field)
			assert.ErrorContains(t, err, field[strings.LastIndexByte(field, '.')+1:])
		}
		_, err = client.Query(ctx, adapter.Query{Model: model, Fields: []string{"Name.Nope"}})
		assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
	})
}
