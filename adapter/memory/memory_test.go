package memory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/adaptertest"
	"github.com/bridgecore/bridgecore/adapter/memory"
)

func schemas(idType adapter.FieldType) []adapter.Schema {
	id := adapter.Field{Type: idType}
	return []adapter.Schema{
		{Model: "task", Fields: map[string]adapter.Field{
			"id":         id,
			"name":       {Type: adapter.Char, Required: true},
			"note":       {Type: adapter.Text},
			"rank":       {Type: adapter.Integer},
			"hours":      {Type: adapter.Float},
			"done":       {Type: adapter.Boolean},
			"due":        {Type: adapter.Date},
			"seen":       {Type: adapter.DateTime},
			"project_id": {Type: adapter.Many2One, Relation: "project"},
			"step_ids":   {Type: adapter.One2Many, Relation: "step", Inverse: "task_id"},
			"tag_ids":    {Type: adapter.Many2Many, Relation: "tag"},
			"state":      {Type: adapter.Selection, Selection: []adapter.Option{{Value: "new"}, {Value: "old"}}},
			"code":       {Type: adapter.Char, Size: 4},
			"serial":     {Type: adapter.Char, Native: memory.Unique},
			"image":      {Type: adapter.Binary},
			"extra":      {Type: adapter.JSON},
		}},
		{Model: "project", Fields: map[string]adapter.Field{
			"id": id, "name": {Type: adapter.Char, Required: true}, "code": {Type: adapter.Char}, "parent_id": {Type: adapter.Many2One, Relation: "project"},
		}},
		{Model: "step", Fields: map[string]adapter.Field{
			"id": id, "name": {Type: adapter.Char}, "task_id": {Type: adapter.Many2One, Relation: "task", Required: true},
		}},
		{Model: "tag", Fields: map[string]adapter.Field{"id": id, "name": {Type: adapter.Char}}},
	}
}

func TestConformance(t *testing.T) {
	for name, idType := range map[string]adapter.FieldType{"IntegerIDs": adapter.Integer, "TextIDs": adapter.Char} {
		t.Run(name, func(t *testing.T) {
			adaptertest.Run(t, func(t *testing.T) adaptertest.Harness { t.Helper(); return harness(t, memory.New(schemas(idType)...)) })
		})
	}
	t.Run("Nested", func(t *testing.T) {
		adaptertest.Run(t, func(t *testing.T) adaptertest.Harness {
			t.Helper()
			h := harness(t, memory.NewNested(schemas(adapter.Char)...))
			h.Nest = &adaptertest.Nesting{Up: "project_id", UpText: "name", Lines: "step_ids", LineText: "name"}
			return h
		})
	})
}

func harness(t *testing.T, a adapter.Adapter) adaptertest.Harness {
	t.Helper()
	var targets []adapter.Ref
	for _, name := range []string{"North", "South"} {
		id, err := a.Create(t.Context(), "project", adapter.Record{"name": name})
		require.NoError(t, err)
		targets = append(targets, adapter.Ref{ID: id, Name: name})
	}
	return adaptertest.Harness{
		Adapter: a, Model: "task",
		Text: "name", OptionalText: "note", Integer: "rank", Float: "hours", Boolean: "done", Date: "due", DateTime: "seen",
		Reference: "project_id", Targets: targets,
		Lines: "step_ids", LineModel: "step", LineInverse: "task_id",
		Readonly: "display_name",
		Upsert:   func(name string) (string, string) { return "serial", name },
		Integers: []string{"0", "-1", "9007199254740993", "-9223372036854775808"},
		Decimals: []string{"0", "0.1", "-1.25", "12345678901234567.89", "1e-20"},
	}
}

func newAdapter(t *testing.T) (*memory.Adapter, []adapter.ID) {
	t.Helper()
	a := memory.New(schemas(adapter.Integer)...)
	var projects []adapter.ID
	for _, values := range []adapter.Record{{"name": "Root"}, {"name": "North", "parent_id": 1}, {"name": "South", "parent_id": 1}} {
		id, err := a.Create(t.Context(), "project", values)
		require.NoError(t, err)
		projects = append(projects, id)
	}
	return a, projects
}

func TestValuesAreHeldAgainstTheSchema(t *testing.T) {
	a, _ := newAdapter(t)
	tests := []struct {
		field string
		value any
		says  string
	}{
		{"name", 5, `"name" takes a text`},
		{"name", "", `"name" is required`},
		{"name", nil, `"name" is required`},
		{"name", "\xff", "not UTF-8"},
		{"code", "12345", "at most 4 characters"},
		{"rank", "7", "takes a number"},
		{"rank", 1.5, "takes a whole number"},
		{"rank", json.Number("1e40"), "takes a whole number"},
		{"rank", json.Number("abc"), "takes a number"},
		{"hours", math.NaN(), "takes a number"},
		{"hours", true, "takes a number"},
		{"done", "yes", "takes true or false"},
		{"due", "soon", "takes a date"},
		{"due", 20250314, "takes a date"},
		{"seen", "2025-14-01 00:00:00", "takes a date"},
		{"project_id", 99, `refers to record "99" of project, which does not exist`},
		{"project_id", "x y", "does not exist"},
		{"project_id", 1.5, "takes the id"},
		{"tag_ids", 5, "takes a list of ids"},
		{"tag_ids", []any{5}, "does not exist"},
		{"step_ids", []any{5}, `is computed; write "task_id" of step`},
		{"state", "nwe", "has no option \"nwe\"; use one of new, old"},
		{"image", "***", "takes base64"},
		{"extra", make(chan int), "JSON"},
		{"id", 5, "can't be written"},
		{"display_name", "x", "can't be written"},
		{"naem", "x", `did you mean "name"?`},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s %v", test.field, test.says), func(t *testing.T) {
			_, err := a.Create(t.Context(), "task", adapter.Record{"name": "x", test.field: test.value})
			var e *adapter.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, adapter.InvalidArgument, e.Code)
			assert.Equal(t, test.field, e.Field)
			assert.Equal(t, "task", e.Model)
			assert.Contains(t, e.Message, test.says)
		})
	}
	n, err := a.Count(t.Context(), "task", nil)
	require.NoError(t, err)
	assert.Zero(t, n)
}

func TestValuesReadAsTheyWereWritten(t *testing.T) {
	a, projects := newAdapter(t)
	extra := map[string]any{"a": []any{json.Number("1"), "x"}}
	tag, err := a.Create(t.Context(), "tag", adapter.Record{"name": "blue"})
	require.NoError(t, err)
	id, err := a.Create(t.Context(), "task", adapter.Record{
		"name": "x", "rank": 7.0, "hours": float32(1.5), "due": time.Date(2025, 3, 14, 23, 0, 0, 0, time.UTC), "seen": "2025-03-14",
		"project_id": []any{projects[0], "Root"}, "tag_ids": []any{tag.Value(), tag.Value()}, "state": "new", "image": "AAEC", "extra": extra,
	})
	require.NoError(t, err)
	extra["a"] = "changed behind its back"
	records, err := a.Read(t.Context(), "task", []adapter.ID{id}, nil)
	require.NoError(t, err)
	want := adapter.Record{
		"id": json.Number("1"), "display_name": "x", "name": "x", "note": nil, "serial": nil, "rank": json.Number("7"), "hours": json.Number("1.5"), "done": false,
		"due": "2025-03-14", "seen": "2025-03-14 00:00:00", "project_id": []any{json.Number("1"), "Root"}, "step_ids": []any{},
		"tag_ids": []any{json.Number("1")}, "state": "new", "code": nil, "image": "AAEC", "extra": map[string]any{"a": []any{json.Number("1"), "x"}},
	}
	assert.Equal(t, want, records[0])
	records[0]["extra"].(map[string]any)["a"] = "changed in the copy"
	again, err := a.Read(t.Context(), "task", []adapter.ID{id}, nil)
	require.NoError(t, err)
	assert.Equal(t, want, again[0])
}

func TestRelationsInFiltersAndOrder(t *testing.T) {
	a, projects := newAdapter(t)
	ctx := t.Context()
	for i, project := range []any{projects[2], projects[1], nil, projects[0]} {
		id, err := a.Create(ctx, "task", adapter.Record{"name": fmt.Sprint("t", i), "project_id": project})
		require.NoError(t, err)
		if i%2 == 0 {
			_, err = a.Create(ctx, "step", adapter.Record{"name": fmt.Sprint("s", i), "task_id": id})
			require.NoError(t, err)
		}
	}
	find := func(domain string, order ...adapter.Order) string {
		t.Helper()
		f, err := adapter.ParseDomainJSON([]byte(domain))
		require.NoError(t, err)
		page, err := a.Query(ctx, adapter.Query{Model: "task", Filter: f, Fields: []string{"name"}, Order: order})
		require.NoError(t, err)
		var names []string
		for _, r := range page.Records {
			names = append(names, r.String("name"))
		}
		return strings.Join(names, " ")
	}
	assert.Equal(t, "t0 t1 t3", find(`[["project_id","child_of",1]]`))
	assert.Equal(t, "t1 t3", find(`[["project_id","parent_of",2]]`))
	assert.Equal(t, "t0 t1", find(`[["project_id.parent_id.name","=","Root"]]`))
	assert.Equal(t, "t0 t2", find(`[["step_ids","!=",false]]`))
	assert.Equal(t, "t1 t3", find(`[["step_ids","=",false]]`))
	assert.Equal(t, "t2", find(`[["step_ids.name","=","s2"]]`))
	assert.Equal(t, "t2", find(`[["step_ids","ilike","S2"]]`))
	assert.Equal(t, "t1 t3 t0 t2", find(`[]`, adapter.Order{Field: "project_id"}), "by name, what is not set last")
	assert.Equal(t, "t2 t0 t3 t1", find(`[]`, adapter.Order{Field: "project_id", Desc: true}))
	_, err := a.Query(ctx, adapter.Query{Model: "task", Order: []adapter.Order{{Field: "step_ids"}}})
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
}

func TestDeleteClearsReferencesOrRefuses(t *testing.T) {
	a, projects := newAdapter(t)
	ctx := t.Context()
	task, err := a.Create(ctx, "task", adapter.Record{"name": "x", "project_id": projects[1]})
	require.NoError(t, err)
	_, err = a.Create(ctx, "step", adapter.Record{"task_id": task})
	require.NoError(t, err)

	require.NoError(t, a.Delete(ctx, "project", projects[1:2]))
	records, err := a.Read(ctx, "task", []adapter.ID{task}, []string{"project_id"})
	require.NoError(t, err)
	assert.True(t, records[0].Empty("project_id"))

	err = a.Delete(ctx, "task", []adapter.ID{task})
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	assert.Contains(t, err.Error(), `of step needs it in "task_id"`)
	err = a.Delete(ctx, "project", []adapter.ID{projects[0], adapter.IntID(99)})
	require.ErrorIs(t, err, adapter.ErrNotFound)
	n, err := a.Count(ctx, "project", nil)
	require.NoError(t, err)
	assert.EqualValues(t, 2, n, "all or none")
}

func TestARefusedDeleteChangesNothing(t *testing.T) {
	ctx := t.Context()
	for range 10 { // the tables are visited in no fixed order
		a := memory.New(
			adapter.Schema{Model: "target"},
			adapter.Schema{Model: "loose", Fields: map[string]adapter.Field{"target_id": {Type: adapter.Many2One, Relation: "target"}}},
			adapter.Schema{Model: "strict", Fields: map[string]adapter.Field{"target_id": {Type: adapter.Many2One, Relation: "target", Required: true}}},
		)
		target, err := a.Create(ctx, "target", nil)
		require.NoError(t, err)
		for _, model := range []string{"loose", "strict"} {
			_, err := a.Create(ctx, model, adapter.Record{"target_id": target})
			require.NoError(t, err)
		}
		require.ErrorIs(t, a.Delete(ctx, "target", []adapter.ID{target}), adapter.ErrInvalidArgument)
		n, err := a.Count(ctx, "loose", adapter.Cond{Field: "target_id", Op: adapter.Equal, Value: target})
		require.NoError(t, err)
		assert.EqualValues(t, 1, n)
	}
}

func TestACursorIsOnlyGoodForItsQuery(t *testing.T) {
	a, _ := newAdapter(t)
	q := adapter.Query{Model: "project", Order: []adapter.Order{{Field: "name"}}, Limit: 1}
	page, err := a.Query(t.Context(), q)
	require.NoError(t, err)
	require.NotEmpty(t, page.Next)
	q.Cursor, q.Limit, q.Fields = page.Next, 2, []string{"name"}
	_, err = a.Query(t.Context(), q)
	require.NoError(t, err, "another limit and other fields are the same query")
	for what, change := range map[string]func(*adapter.Query){
		"model":  func(q *adapter.Query) { q.Model = "tag" },
		"filter": func(q *adapter.Query) { q.Filter = adapter.Cond{Field: "name", Op: adapter.NotEqual, Value: "x"} },
		"order":  func(q *adapter.Query) { q.Order = []adapter.Order{{Field: "name", Desc: true}} },
		"offset": func(q *adapter.Query) { q.Offset = 1 },
	} {
		other := q
		change(&other)
		_, err := a.Query(t.Context(), other)
		assert.ErrorIs(t, err, adapter.ErrInvalidArgument, "another %s", what)
	}
}

func TestQueryWithoutALimitSaysWhatItCut(t *testing.T) {
	a, _ := newAdapter(t)
	values := make([]adapter.Record, memory.PageSize+7)
	for i := range values {
		values[i] = adapter.Record{"name": strconv.Itoa(i)}
	}
	_, err := a.CreateMany(t.Context(), "task", values)
	require.NoError(t, err)
	page, err := a.Query(t.Context(), adapter.Query{Model: "task", Fields: []string{}})
	require.NoError(t, err)
	assert.Len(t, page.Records, memory.PageSize)
	assert.True(t, page.Truncated)
	n := 0
	for _, err := range adapter.All(t.Context(), a, adapter.Query{Model: "task", Fields: []string{}}) {
		require.NoError(t, err)
		n++
	}
	assert.Equal(t, len(values), n)
	ids, err := a.SearchIDs(t.Context(), adapter.Query{Model: "task"})
	require.NoError(t, err)
	assert.Len(t, ids, len(values))
}

func TestNameSearchTakesTheNameLiterally(t *testing.T) {
	a, _ := newAdapter(t)
	for _, name := range []string{"100% sure", "100 sure", "a_b", "axb"} {
		_, err := a.Create(t.Context(), "task", adapter.Record{"name": name})
		require.NoError(t, err)
	}
	for name, want := range map[string]int{"0% S": 1, "a_b": 1, "": 4, "sure": 2} {
		refs, err := a.NameSearch(t.Context(), "task", name, nil, 0)
		require.NoError(t, err)
		assert.Len(t, refs, want, name)
	}
}

// TestCursorsLeadThroughEverything pages through random tables by random
// orders, while records come and go.
func TestCursorsLeadThroughEverything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ctx := t.Context()
		a := memory.New(schemas(rapid.SampledFrom([]adapter.FieldType{adapter.Integer, adapter.Char}).Draw(rt, "ids"))...)
		n := rapid.IntRange(0, 12).Draw(rt, "records")
		stays := map[adapter.ID]bool{}
		for i := range n {
			id, err := a.Create(ctx, "task", adapter.Record{
				"name":  rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "name"),
				"rank":  rapid.SampledFrom([]any{nil, 1, 2, 10, json.Number("9007199254740993")}).Draw(rt, "rank"),
				"hours": rapid.SampledFrom([]any{nil, 0.1, -2.5, json.Number("1e30")}).Draw(rt, "hours"),
				"done":  rapid.Bool().Draw(rt, "done"),
			})
			require.NoError(rt, err)
			stays[id] = i%3 != 0
		}
		var order []adapter.Order
		for _, field := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"name", "rank", "hours", "done", "id"}), 0, 3, rapid.ID).Draw(rt, "order") {
			order = append(order, adapter.Order{Field: field, Desc: rapid.Bool().Draw(rt, "desc")})
		}
		q := adapter.Query{Model: "task", Fields: []string{}, Order: order, Limit: rapid.IntRange(1, 4).Draw(rt, "limit")}
		seen := map[adapter.ID]int{}
		for pages := 0; ; pages++ {
			require.Less(rt, pages, 20)
			page, err := a.Query(ctx, q)
			require.NoError(rt, err)
			for _, r := range page.Records {
				seen[r.ID()]++
			}
			if page.Next == "" {
				break
			}
			// What may go goes: before, at and behind the cursor.
			for id, stay := range stays {
				if !stay && rapid.Bool().Draw(rt, "delete") {
					delete(stays, id)
					require.NoError(rt, a.Delete(ctx, "task", []adapter.ID{id}))
				}
			}
			q.Cursor = page.Next
		}
		for id, stay := range stays {
			if stay {
				assert.Equal(rt, 1, seen[id], "record %s", id)
			}
		}
		for id, times := range seen {
			assert.Equal(rt, 1, times, "record %s", id)
		}
	})
}

func Example() {
	ctx := context.Background()
	a := memory.New(adapter.Schema{Model: "partner", Fields: map[string]adapter.Field{
		"name":  {Type: adapter.Char, Required: true},
		"email": {Type: adapter.Char},
	}})
	for _, name := range []string{"Azure Interior", "Deco Addict"} {
		if _, err := a.Create(ctx, "partner", adapter.Record{"name": name}); err != nil {
			fmt.Println(err)
		}
	}
	filter, _ := adapter.ParseDomainJSON([]byte(`[["name", "ilike", "azure"]]`))
	for r, err := range adapter.All(ctx, a, adapter.Query{Model: "partner", Filter: filter, Fields: []string{"name"}}) {
		fmt.Println(r.ID(), r.String("name"), err)
	}
	_, err := a.Create(ctx, "partner", adapter.Record{"naem": "x"})
	fmt.Println(err)
	// Output:
	// 1 Azure Interior <nil>
	// invalid_argument on partner: unknown field "naem" on partner; did you mean "name"?
}

func BenchmarkQuery(b *testing.B) {
	a := memory.New(schemas(adapter.Integer)...)
	values := make([]adapter.Record, 10_000)
	for i := range values {
		values[i] = adapter.Record{"name": fmt.Sprint("task ", i), "rank": i % 100}
	}
	if _, err := a.CreateMany(b.Context(), "task", values); err != nil {
		b.Fatal(err)
	}
	q := adapter.Query{Model: "task", Filter: adapter.And{
		adapter.Cond{Field: "rank", Op: adapter.Greater, Value: 50}, adapter.Cond{Field: "name", Op: adapter.ILike, Value: "99"},
	}, Fields: []string{"name"}, Limit: 80}
	for b.Loop() {
		if _, err := a.Query(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(values)), "ns/record")
}
