package sap_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// onEach runs a test on the samples of the simulator in both versions, and of a
// foreign server where one is given.
func onEach(t *testing.T, test func(t *testing.T, client *sap.Client, service string)) {
	t.Helper()
	srv := saptest.New(t)
	for _, service := range []string{"ZSAMPLE_SRV", "zsample"} {
		t.Run(service, func(t *testing.T) { test(t, dial(t, simulated(srv)), service) })
	}
	if os.Getenv("BRIDGECORE_ODATA_URL") == "" {
		return
	}
	for version, c := range foreign(t) {
		t.Run("foreign "+version, func(t *testing.T) { test(t, dial(t, c), "probe") })
	}
}

// mark makes the names of a test's records its own.
func mark(t *testing.T) string {
	t.Helper()
	return strconv.FormatInt(time.Now().UnixNano(), 10)
}

func TestDeepInsertAndNestedReads(t *testing.T) {
	onEach(t, func(t *testing.T, client *sap.Client, service string) {
		t.Helper()
		ctx, model, name := t.Context(), service+".Samples", mark(t)
		parent, err := client.Create(ctx, model, adapter.Record{"Name": name + " parent", "Code": "P"})
		require.NoError(t, err)
		id, err := client.Create(ctx, model, adapter.Record{
			"Name": name + " child", "Parent": map[string]any{"id": parent.Value()},
			"Lines": []any{
				map[string]any{"LineNo": 10, "Text": "it's one", "Quantity": "1.500"},
				map[string]any{"LineNo": 20, "Text": "two", "Quantity": 2},
			},
		})
		require.NoError(t, err)

		page, err := client.Query(ctx, adapter.Query{
			Model: model, Filter: adapter.Cond{Field: "id", Op: adapter.Equal, Value: id.Value()},
			Fields: []string{"Name", "Parent.Name", "Parent.Code", "Lines.Quantity", "Lines.Text", "Lines.LineNo", "Lines.Sample.Name"},
		})
		require.NoError(t, err)
		require.Len(t, page.Records, 1)
		r := page.Records[0]
		assert.Equal(t, name+" parent", r["Parent"].(map[string]any)["Name"])
		assert.Equal(t, "P", r["Parent"].(map[string]any)["Code"])
		lines := r["Lines"].([]any)
		require.Len(t, lines, 2)
		byNo := map[int64]adapter.Record{}
		for _, line := range lines {
			one := adapter.Record(line.(map[string]any))
			byNo[one.Int("LineNo")] = one
		}
		assert.Equal(t, "it's one", byNo[10].String("Text"))
		assert.InDelta(t, 1.5, byNo[10].Float("Quantity"), 0)
		assert.Equal(t, name+" child", byNo[20]["Sample"].(map[string]any)["Name"])
		assert.Contains(t, byNo[10].ID().String(), "LineNo=10")

		// A composite key leads to its record again.
		line, err := client.Read(ctx, service+".Lines", []adapter.ID{byNo[10].ID(), byNo[20].ID()}, []string{"Text"})
		require.NoError(t, err)
		require.Len(t, line, 2)
		assert.Equal(t, byNo[10].ID(), line[0].ID())
		require.NoError(t, client.Update(ctx, service+".Lines", []adapter.ID{byNo[10].ID()}, adapter.Record{"Text": "changed / ' %"}))
		found, err := client.Query(ctx, adapter.Query{Model: service + ".Lines", Filter: adapter.Cond{Field: "id", Op: adapter.In, Value: []any{byNo[10].ID().Value()}}})
		require.NoError(t, err)
		require.Len(t, found.Records, 1)
		assert.Equal(t, "changed / ' %", found.Records[0]["Text"])

		search := func(f adapter.Filter) []adapter.ID {
			t.Helper()
			ids, err := client.SearchIDs(ctx, adapter.Query{Model: model, Filter: adapter.And{adapter.Cond{Field: "Name", Op: adapter.Like, Value: name}, f}})
			require.NoError(t, err)
			return ids
		}
		assert.Equal(t, []adapter.ID{id}, search(adapter.Cond{Field: "Parent.Code", Op: adapter.Equal, Value: "P"}))
		assert.Equal(t, []adapter.ID{id}, search(adapter.Cond{Field: "Parent", Op: adapter.Equal, Value: parent.Value()}))
		assert.Equal(t, []adapter.ID{parent}, search(adapter.Cond{Field: "Parent", Op: adapter.Equal, Value: false}))
		assert.Equal(t, []adapter.ID{parent}, search(adapter.Not{Part: adapter.Cond{Field: "Parent.Code", Op: adapter.Equal, Value: "P"}}))
		assert.NotContains(t, search(adapter.Cond{Field: "Parent.Code", Op: adapter.NotEqual, Value: "P"}), id)

		two := adapter.Cond{Field: "Lines.Text", Op: adapter.Equal, Value: "two"}
		schema, err := client.Schema(ctx, model)
		require.NoError(t, err)
		if !schema.Fields["Lines"].Searchable {
			_, err := client.SearchIDs(ctx, adapter.Query{Model: model, Filter: two})
			assert.ErrorIs(t, err, adapter.ErrUnsupported)
			assert.ErrorContains(t, err, "Lines")
		} else {
			assert.Equal(t, []adapter.ID{id}, search(two))
			assert.Equal(t, []adapter.ID{parent}, search(adapter.Cond{Field: "Lines", Op: adapter.NotAny, Value: adapter.Cond{Field: "Text", Op: adapter.Equal, Value: "two"}}))
			assert.Equal(t, []adapter.ID{parent}, search(adapter.Cond{Field: "Lines", Op: adapter.Equal, Value: false}))
		}

		err = client.Update(ctx, model, []adapter.ID{id}, adapter.Record{"Lines": []any{map[string]any{"Text": "no"}}})
		assert.ErrorIs(t, err, adapter.ErrUnsupported)
		assert.ErrorContains(t, err, service+".Lines")

		// All or none: a bad line leaves no record behind.
		_, err = client.Create(ctx, model, adapter.Record{"Name": name + " never", "Lines": []any{
			map[string]any{"LineNo": 1, "Text": "good"}, map[string]any{"LineNo": 1, "Text": "the same"},
		}})
		require.Error(t, err)
		n, err := client.Count(ctx, model, adapter.Cond{Field: "Name", Op: adapter.Equal, Value: name + " never"})
		require.NoError(t, err)
		assert.Zero(t, n)
	})
}

func TestPartialCreation(t *testing.T) {
	onEach(t, func(t *testing.T, client *sap.Client, service string) {
		t.Helper()
		ctx, model, name := t.Context(), service+".Samples", mark(t)
		values := make([]adapter.Record, 250)
		for i := range values {
			values[i] = adapter.Record{"Name": fmt.Sprintf("%s %03d", name, i), "Count": i}
		}
		bad := []int{7, 100, 249}
		delete(values[7], "Name")                         // refused by the service
		values[100]["Name"] = nil                         // refused by the service
		values[249]["Code"] = strings.Repeat("long ", 20) // known beforehand
		ids, err := client.CreateEach(ctx, model, values)
		var partial *adapter.PartialError
		require.ErrorAs(t, err, &partial)
		require.Len(t, ids, 250)
		assert.Len(t, partial.Failed, 3)
		for _, i := range bad {
			assert.True(t, ids[i].IsZero())
			assert.ErrorIs(t, partial.Failed[i], adapter.ErrInvalidArgument, "%d: %v", i, partial.Failed[i])
		}
		records, err := client.Read(ctx, model, ids, []string{"Name", "Count"})
		require.NoError(t, err)
		require.Len(t, records, 247)
		at := 0
		for i, id := range ids {
			if id.IsZero() {
				continue
			}
			assert.Equal(t, id, records[at].ID())
			assert.Equal(t, values[i]["Name"], records[at]["Name"])
			at++
		}

		// All or none.
		_, err = client.CreateMany(ctx, model, []adapter.Record{{"Name": name + " all 0"}, {"Count": 1}, {"Name": name + " all 2"}})
		assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
		n, err := client.Count(ctx, model, adapter.Cond{Field: "Name", Op: adapter.Like, Value: name + " all"})
		require.NoError(t, err)
		assert.Zero(t, n)
	})
}

func TestManyIDs(t *testing.T) {
	if testing.Short() {
		t.Skip("10,000 ids")
	}
	onEach(t, func(t *testing.T, client *sap.Client, service string) {
		t.Helper()
		ctx, model, name := t.Context(), service+".Samples", mark(t)
		values := make([]adapter.Record, 60)
		for i := range values {
			values[i] = adapter.Record{"Name": fmt.Sprintf("%s %03d", name, i), "Count": (i * 7) % 60}
		}
		made, err := client.CreateMany(ctx, model, values)
		require.NoError(t, err)
		list := make([]any, 0, 10_000)
		for i := range 10_000 - len(made) {
			list = append(list, fmt.Sprintf("NO%08d", i))
		}
		for i, id := range made {
			at := i * 150
			list = append(list[:at], append([]any{id.Value()}, list[at:]...)...)
		}
		in := adapter.Cond{Field: "id", Op: adapter.In, Value: list}
		n, err := client.Count(ctx, model, in)
		require.NoError(t, err)
		assert.Equal(t, int64(60), n)
		ids, err := client.SearchIDs(ctx, adapter.Query{Model: model, Filter: in})
		require.NoError(t, err)
		assert.ElementsMatch(t, made, ids)
		for _, order := range [][]adapter.Order{nil, {{Field: "Count", Desc: true}}} {
			var got []adapter.ID
			var counts []int64
			q := adapter.Query{Model: model, Filter: in, Fields: []string{"Count"}, Order: order, Limit: 25}
			for {
				page, err := client.Query(ctx, q)
				require.NoError(t, err)
				for _, r := range page.Records {
					got = append(got, r.ID())
					counts = append(counts, r.Int("Count"))
				}
				if q.Cursor = page.Next; page.Next == "" {
					break
				}
			}
			assert.ElementsMatch(t, made, got)
			if order != nil {
				assert.IsDecreasing(t, counts)
			}
		}
		page, err := client.Query(ctx, adapter.Query{Model: model, Filter: in, Offset: 55, Order: []adapter.Order{{Field: "Count"}}, Fields: []string{"Count"}})
		require.NoError(t, err)
		require.Len(t, page.Records, 5)
		assert.Equal(t, int64(55), page.Records[0].Int("Count"))
		// Not the id, and not alone.
		counts := []any{}
		for i := range 5000 {
			counts = append(counts, i+30)
		}
		n, err = client.Count(ctx, model, adapter.And{adapter.Cond{Field: "Name", Op: adapter.Like, Value: name}, adapter.Cond{Field: "Count", Op: adapter.In, Value: counts}})
		require.NoError(t, err)
		assert.Equal(t, int64(30), n)
	})
}

func TestETags(t *testing.T) {
	onEach(t, func(t *testing.T, client *sap.Client, service string) {
		t.Helper()
		ctx, model := t.Context(), service+".Samples"
		if service == "probe" {
			model = "probe.Tagged"
		}
		id, err := client.Create(ctx, model, adapter.Record{"Name": "tagged"})
		require.NoError(t, err)
		tag, err := client.ETag(ctx, model, id)
		require.NoError(t, err)
		require.NotEmpty(t, tag)
		again, err := client.ETag(ctx, model, id)
		require.NoError(t, err)
		assert.Equal(t, tag, again)
		require.NoError(t, client.UpdateIf(ctx, model, id, tag, adapter.Record{"Name": "changed"}))
		err = client.UpdateIf(ctx, model, id, tag, adapter.Record{"Name": "lost"})
		assert.ErrorIs(t, err, adapter.ErrPreconditionFailed)
		assert.ErrorIs(t, client.DeleteIf(ctx, model, id, tag), adapter.ErrPreconditionFailed)
		// Without a tag it goes through.
		require.NoError(t, client.Update(ctx, model, []adapter.ID{id}, adapter.Record{"Name": "anyway"}))
		records, err := client.Read(ctx, model, []adapter.ID{id}, []string{"Name"})
		require.NoError(t, err)
		assert.Equal(t, "anyway", records[0]["Name"])
		tag, err = client.ETag(ctx, model, id)
		require.NoError(t, err)
		require.NoError(t, client.DeleteIf(ctx, model, id, tag))
		err = client.UpdateIf(ctx, model, id, tag, adapter.Record{"Name": "gone"})
		assert.ErrorIs(t, err, adapter.ErrNotFound)
		_, err = client.ETag(ctx, model, id)
		assert.ErrorIs(t, err, adapter.ErrNotFound)
		assert.ErrorIs(t, client.UpdateIf(ctx, model, id, "", nil), adapter.ErrInvalidArgument)
	})
}

func TestChanges(t *testing.T) {
	onEach(t, func(t *testing.T, client *sap.Client, service string) {
		t.Helper()
		ctx, model := t.Context(), service+".Samples"
		before, err := client.Create(ctx, model, adapter.Record{"Name": "before"})
		require.NoError(t, err)
		start, err := client.Changes(ctx, adapter.ChangeQuery{Model: model})
		require.NoError(t, err)
		assert.Empty(t, start.Changes)
		require.NotEmpty(t, start.Next)

		var made []adapter.ID
		for i := range 7 {
			id, err := client.Create(ctx, model, adapter.Record{"Name": fmt.Sprint("after ", i)})
			require.NoError(t, err)
			made = append(made, id)
		}
		require.NoError(t, client.Update(ctx, model, []adapter.ID{before}, adapter.Record{"Name": "changed"}))
		cursor, names, rounds := start.Next, map[adapter.ID]string{}, 0
		for {
			page, err := client.Changes(ctx, adapter.ChangeQuery{Model: model, Fields: []string{"Name"}, Cursor: cursor, Limit: 3})
			require.NoError(t, err)
			for _, c := range page.Changes {
				assert.False(t, c.Deleted)
				names[c.ID] = c.Record.String("Name")
			}
			assert.NotEmpty(t, page.Next)
			cursor = page.Next
			if rounds++; !page.More || rounds > 20 {
				break
			}
		}
		for i, id := range made {
			assert.Equal(t, fmt.Sprint("after ", i), names[id])
		}
		assert.Equal(t, "changed", names[before])
		_, err = client.Changes(ctx, adapter.ChangeQuery{Model: model, Cursor: "garbage"})
		assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
		_, err = client.Changes(ctx, adapter.ChangeQuery{Model: service + ".Lines"})
		assert.ErrorIs(t, err, adapter.ErrUnsupported)
	})
}

func TestCalls(t *testing.T) {
	srv := saptest.New(t)
	for _, service := range []string{"ZSAMPLE_SRV", "zsample"} {
		require.NoError(t, srv.Handle(service, "Echo", func(c *saptest.Call) (any, error) {
			return map[string]any{"Text": c.Params["Text"], "Number": c.Params["Number"], "Amount": c.Params["Amount"], "Day": c.Params["Day"]}, nil
		}))
		require.NoError(t, srv.Handle(service, "Rename", func(c *saptest.Call) (any, error) {
			row := c.Row
			if row == nil {
				row = c.Find(service+".Samples", c.Params["SampleID"])
			}
			if row == nil {
				return nil, &saptest.Error{Status: 404, Code: "X/404", Message: "no such sample"}
			}
			return row, row.Set("Name", c.Params["Name"])
		}))
	}
	client := dial(t, simulated(srv))
	for _, service := range []string{"ZSAMPLE_SRV", "zsample"} {
		t.Run(service, func(t *testing.T) {
			ctx, model := t.Context(), service+".Samples"
			id, err := client.Create(ctx, model, adapter.Record{"Name": "before"})
			require.NoError(t, err)
			_, err = client.Call(ctx, adapter.Call{Model: model, Method: "Rename", Args: []any{id}, Kwargs: map[string]any{"Name": "it's & after"}})
			require.NoError(t, err)
			records, err := client.Read(ctx, model, []adapter.ID{id}, []string{"Name"})
			require.NoError(t, err)
			assert.Equal(t, "it's & after", records[0]["Name"])

			answer, err := client.Call(ctx, adapter.Call{Model: service, Method: "Echo", Kwargs: map[string]any{"Text": "a/b 'c' & 100%", "Number": 5, "Amount": "1.50", "Day": "2025-03-14"}})
			require.NoError(t, err)
			assert.Contains(t, string(answer), "a/b 'c' & 100%")
			assert.Contains(t, string(answer), "1.50")
			_, err = client.Call(ctx, adapter.Call{Model: model, Method: "Rename", Args: []any{"NOT-THERE"}, Kwargs: map[string]any{"Name": "x"}})
			assert.Error(t, err)
		})
	}
}

func TestForeignCalls(t *testing.T) {
	for version, c := range foreign(t) {
		t.Run(version, func(t *testing.T) {
			client, ctx := dial(t, c), t.Context()
			id, err := client.Create(ctx, "Samples", adapter.Record{"Name": "before"})
			require.NoError(t, err)
			method := "rename"
			if version == sap.V2 {
				method = "Samples_rename"
			}
			_, err = client.Call(ctx, adapter.Call{Model: "Samples", Method: method, Args: []any{id}, Kwargs: map[string]any{"newName": "it's & after"}})
			require.NoError(t, err)
			records, err := client.Read(ctx, "Samples", []adapter.ID{id}, []string{"Name"})
			require.NoError(t, err)
			assert.Equal(t, "it's & after", records[0]["Name"])
			answer, err := client.Call(ctx, adapter.Call{Model: "probe", Method: "echo", Kwargs: map[string]any{"text": "a/b 'c'", "amount": "1.50", "day": "2025-03-14"}})
			require.NoError(t, err)
			assert.Contains(t, string(answer), "a/b 'c'")
		})
	}
}
