package odoo

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/internal/rpc"
)

// table answers search_read on res.partner from n records with the ids 1 to n.
func table(n int64) func(rpc.Call) (any, error) {
	return func(call rpc.Call) (any, error) {
		if call.Method != "search_read" {
			return nil, errors.New("unexpected " + call.Method)
		}
		var after, before int64 = 0, n + 1
		for _, term := range call.Args[0].([]any) {
			leaf, ok := term.([]any)
			if !ok || leaf[0] != "id" {
				continue
			}
			at := leaf[2].(int64)
			switch leaf[1] {
			case ">":
				after = at
			case "<":
				before = at
			}
		}
		limit := int64(call.Kwargs["limit"].(int))
		offset, _ := call.Kwargs["offset"].(int)
		order, _ := call.Kwargs["order"].(string)
		var b strings.Builder
		b.WriteByte('[')
		step, at, end := int64(1), after+1, before
		if strings.HasSuffix(order, "id desc") {
			step, at, end = -1, before-1, after
		}
		at += step * int64(offset)
		for i := int64(0); i < limit && (end-at)*step > 0; i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"id":%d,"name":"P%d"}`, at, at)
			at += step
		}
		b.WriteByte(']')
		return json.RawMessage(b.String()), nil
	}
}

func TestPages(t *testing.T) {
	for _, tc := range []struct {
		name   string
		order  []adapter.Order
		second string // the domain of the second page
		offset any    // its offset
		sent   string // its order
		first  int64  // the id it begins with
	}{
		{"by id", []adapter.Order{{Field: "id"}}, `[["id",">",3],["name","!=",false]]`, nil, "id", 4},
		{"by id, descending", []adapter.Order{{Field: "id", Desc: true}}, `[["id","<",8],["name","!=",false]]`, nil, "id desc", 7},
		{"by id and what can't matter", []adapter.Order{{Field: "id"}, {Field: "name"}}, `[["id",">",3],["name","!=",false]]`, nil, "id", 4},
		{"by name", []adapter.Order{{Field: "name"}}, `[["name","!=",false]]`, 3, "name, id", 4},
		{"by name and id", []adapter.Order{{Field: "name"}, {Field: "id", Desc: true}}, `[["name","!=",false]]`, 3, "name, id desc", 7},
		{"as Odoo pleases", nil, `[["name","!=",false]]`, 3, "", 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, conn := connect(17)
			conn.answer = table(10)
			q := adapter.Query{Model: "res.partner", Fields: []string{"name"}, Order: tc.order, Limit: 3,
				Filter: adapter.Cond{Field: "name", Op: adapter.NotEqual, Value: false}}
			page, err := client.Query(t.Context(), q)
			require.NoError(t, err)
			require.Len(t, page.Records, 3)
			assert.True(t, page.Truncated)
			assert.Equal(t, 4, conn.last(t).Kwargs["limit"], "one more shows whether there are more")

			q.Cursor = page.Next
			page, err = client.Query(t.Context(), q)
			require.NoError(t, err)
			assert.JSONEq(t, "["+tc.second+"]", asJSON(t, conn.last(t).Args))
			assert.Equal(t, tc.offset, conn.last(t).Kwargs["offset"])
			order, _ := conn.last(t).Kwargs["order"].(string)
			assert.Equal(t, tc.sent, order)
			assert.Equal(t, adapter.IntID(tc.first), page.Records[0].ID())
		})
	}
}

func TestLastPage(t *testing.T) {
	client, conn := connect(17)
	conn.answer = table(3)
	page, err := client.Query(t.Context(), adapter.Query{Model: "res.partner", Limit: 3})
	require.NoError(t, err)
	assert.Len(t, page.Records, 3)
	assert.False(t, page.Truncated)
	assert.Empty(t, page.Next)
	assert.NotContains(t, conn.last(t).Kwargs, "fields", "no list of fields means all of them")

	conn.answer = table(0)
	page, err = client.Query(t.Context(), adapter.Query{Model: "res.partner", Fields: []string{}})
	require.NoError(t, err)
	assert.Empty(t, page.Records)
	assert.Equal(t, []string{"id"}, conn.last(t).Kwargs["fields"], "an empty list means none, which Odoo takes for all")
	assert.Equal(t, DefaultPageSize+1, conn.last(t).Kwargs["limit"])
}

func TestBadQueries(t *testing.T) {
	client, conn := connect(17)
	conn.answer = table(10)
	q := adapter.Query{Model: "res.partner", Limit: 2, Order: []adapter.Order{{Field: "id"}}}
	page, err := client.Query(t.Context(), q)
	require.NoError(t, err)
	sent := len(conn.sent())
	forged := base64.RawURLEncoding.EncodeToString([]byte("o-5.0"))
	for _, tc := range []struct {
		name, field string
		change      func(*adapter.Query)
	}{
		{"negative limit", "limit", func(q *adapter.Query) { q.Limit = -1 }},
		{"negative offset", "offset", func(q *adapter.Query) { q.Offset = -1 }},
		{"enormous offset", "offset", func(q *adapter.Query) { q.Offset = 1 << 40 }},
		{"offset and cursor", "offset", func(q *adapter.Query) { q.Cursor, q.Offset = page.Next, 1 }},
		{"cursor of nobody", "cursor", func(q *adapter.Query) { q.Cursor = "zzz" }},
		{"forged cursor", "cursor", func(q *adapter.Query) { q.Cursor = forged }},
		{"cursor of another filter", "cursor", func(q *adapter.Query) {
			q.Cursor, q.Filter = page.Next, adapter.Cond{Field: "name", Op: adapter.Equal, Value: "x"}
		}},
		{"cursor of another order", "cursor", func(q *adapter.Query) {
			q.Cursor, q.Order = page.Next, []adapter.Order{{Field: "name"}}
		}},
		{"cursor of another model", "cursor", func(q *adapter.Query) { q.Cursor, q.Model = page.Next, "res.users" }},
		{"dotted field", "country_id.code", func(q *adapter.Query) { q.Fields = []string{"country_id.code"} }},
		{"unknown field", "namee", func(q *adapter.Query) { q.Fields = []string{"namee"} }},
		{"no model", "model", func(q *adapter.Query) { q.Model = "" }},
		{"model that is a path", "model", func(q *adapter.Query) { q.Model = "../res.partner" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bad := q
			tc.change(&bad)
			_, err := client.Query(t.Context(), bad)
			e := fault(t, err)
			assert.Equal(t, adapter.InvalidArgument, e.Code)
			assert.Equal(t, tc.field, e.Field)
		})
	}
	assert.Len(t, conn.sent(), sent, "nothing of it may be sent")
	_, err = client.Query(t.Context(), adapter.Query{Model: "no.such.model"})
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	assert.Contains(t, err.Error(), "no.such.model")
}

// A stream holds a page at a time, however long it is.
func TestAllStreams(t *testing.T) {
	client, conn := connect(17)
	const rows = 100_000
	conn.answer = table(rows)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var n, peak int64
	for r, err := range adapter.All(t.Context(), client, adapter.Query{Model: "res.partner", Fields: []string{"name"}}) {
		require.NoError(t, err)
		n++
		require.Equal(t, adapter.IntID(n), r.ID(), "each once, in order")
		if n%20_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			peak = max(peak, int64(now.HeapAlloc)-int64(before.HeapAlloc))
		}
	}
	assert.EqualValues(t, rows, n)
	assert.Less(t, peak, int64(16<<20), "bytes held while streaming")
	for _, call := range conn.sent() {
		require.LessOrEqual(t, call.Kwargs["limit"], MaxPageSize+1)
	}
}

func TestLargeLimitComesInPages(t *testing.T) {
	client, conn := connect(17)
	conn.answer = table(3 * MaxPageSize)
	n := 0
	for _, err := range adapter.All(t.Context(), client, adapter.Query{Model: "res.partner", Fields: []string{"name"}, Limit: 2*MaxPageSize + 7}) {
		require.NoError(t, err)
		n++
	}
	assert.Equal(t, 2*MaxPageSize+7, n)
}

func TestPlain(t *testing.T) {
	client, conn := connect(17)
	conn.answer = func(rpc.Call) (any, error) {
		return json.RawMessage(`[{"id":1,"name":"A","phone":false,"active":false,"country_id":false,"category_id":[],"create_date":"2025-03-01 10:00:00","date":"2025-03-01","color":0,"parent_id":[5,"P"],"partner_latitude":10.50}]`), nil
	}
	page, err := client.Query(t.Context(), adapter.Query{Model: "res.partner", Plain: true})
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":1,"name":"A","phone":null,"active":false,"country_id":null,"category_id":[],"create_date":"2025-03-01T10:00:00Z","date":"2025-03-01","color":0,"parent_id":[5,"P"],"partner_latitude":10.50}`, asJSON(t, page.Records[0]))
	assert.Equal(t, json.Number("10.50"), page.Records[0]["partner_latitude"], "as the server wrote it")

	page, err = client.Query(t.Context(), adapter.Query{Model: "res.partner"})
	require.NoError(t, err)
	assert.Equal(t, false, page.Records[0]["phone"])
	assert.Equal(t, "2025-03-01 10:00:00", page.Records[0]["create_date"])
}

func TestReadKeepsOrderAndLeavesOutMissing(t *testing.T) {
	client, conn := connect(17)
	conn.answer = func(call rpc.Call) (any, error) {
		if call.Method == "search" {
			return []int{2, 3}, nil
		}
		return json.RawMessage(`[{"id":3,"name":"c"},{"id":2,"name":"b"}]`), nil
	}
	ids := []adapter.ID{adapter.IntID(3), adapter.IntID(9), adapter.IntID(2), adapter.IntID(1 << 50), adapter.StringID("x"), adapter.IntID(-4)}
	records, err := client.Read(t.Context(), "res.partner", ids, []string{"name"})
	require.NoError(t, err)
	assert.Equal(t, []any{[]int64{3, 9, 2}}, conn.last(t).Args)
	require.Len(t, records, 2)

	// Odoo would echo the ids that are not there.
	records, err = client.Read(t.Context(), "res.partner", ids, []string{"id"})
	require.NoError(t, err)
	assert.Equal(t, "search", conn.last(t).Method)
	assert.Equal(t, `[{"id":3},{"id":2}]`, asJSON(t, records))

	n := len(conn.sent())
	records, err = client.Read(t.Context(), "res.partner", nil, nil)
	assert.NoError(t, err)
	assert.Empty(t, records)
	assert.Len(t, conn.sent(), n)
}

func TestSearchCountAndNames(t *testing.T) {
	client, conn := connect(17)
	conn.answer = func(call rpc.Call) (any, error) {
		switch call.Method {
		case "search":
			return []int{3, 1}, nil
		case "search_count":
			return 42, nil
		}
		return json.RawMessage(`[[3,"Azure"],[1,"Base"]]`), nil
	}
	ids, err := client.SearchIDs(t.Context(), adapter.Query{Model: "res.partner"})
	require.NoError(t, err)
	assert.Equal(t, []adapter.ID{adapter.IntID(3), adapter.IntID(1)}, ids)
	assert.NotContains(t, conn.last(t).Kwargs, "limit", "all ids, or it would be cut in silence")
	_, err = client.SearchIDs(t.Context(), adapter.Query{Model: "res.partner", Limit: 7})
	require.NoError(t, err)
	assert.Equal(t, 7, conn.last(t).Kwargs["limit"])

	n, err := client.Count(t.Context(), "res.partner", nil)
	require.NoError(t, err)
	assert.EqualValues(t, 42, n)

	refs, err := client.NameSearch(t.Context(), "res.partner", "a", adapter.Cond{Field: "active", Op: adapter.Equal, Value: true}, 5)
	require.NoError(t, err)
	assert.Equal(t, []adapter.Ref{{ID: adapter.IntID(3), Name: "Azure"}, {ID: adapter.IntID(1), Name: "Base"}}, refs)
	assert.JSONEq(t, `["a",[["active","=",true]]]`, asJSON(t, conn.last(t).Args), "by position: the name of the second differs between versions")
	_, err = client.NameSearch(t.Context(), "res.partner", "a", nil, -1)
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
}

// FuzzCursor: no cursor makes a query panic or escape its filter.
func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add(base64.RawURLEncoding.EncodeToString([]byte("i3.0")))
	f.Add(base64.RawURLEncoding.EncodeToString([]byte("o99999999999999999999.ffffffffffffffff")))
	f.Add("%%%")
	client, _ := connect(17)
	q := adapter.Query{Model: "res.partner", Limit: 5, Order: []adapter.Order{{Field: "id"}}, Filter: adapter.Cond{Field: "name", Op: adapter.Equal, Value: "x"}}
	f.Fuzz(func(t *testing.T, cursor string) {
		q := q
		q.Cursor = cursor
		p, err := client.plan(t.Context(), "res.partner", q)
		if err != nil {
			require.Equal(t, "cursor", fault(t, err).Field)
			return
		}
		require.Equal(t, []any{"name", "=", "x"}, p.domain[len(p.domain)-1])
	})
}
