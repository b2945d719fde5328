package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
)

// store is a table in memory that counts what is read of it and answers calls
// through what every adapter can.
type store struct {
	*fake
	refuse map[string]error // by model
}

func (s *store) Read(ctx context.Context, model string, ids []adapter.ID, fields []string) ([]adapter.Record, error) {
	if err := s.refuse[model]; err != nil {
		return nil, err
	}
	return s.fake.Read(ctx, model, ids, fields)
}

func stocked(t *testing.T) *store {
	t.Helper()
	f := newFake()
	make := func(model string, rows ...adapter.Record) {
		_, err := f.CreateMany(t.Context(), model, rows)
		require.NoError(t, err)
	}
	make("res.country", adapter.Record{"name": "Morocco", "code": "MA"}, adapter.Record{"name": "France", "code": "FR"})
	make("res.partner",
		adapter.Record{"name": "Azure", "email": "azure@example.com", "phone": "1", "country_id": 1},
		adapter.Record{"name": "Deco", "email": "deco@example.com", "country_id": 2},
		adapter.Record{"name": "Nowhere"})
	make("sale.order",
		adapter.Record{"name": "S1", "partner_id": 1, "amount_total": 10},
		adapter.Record{"name": "S2", "partner_id": 2},
		adapter.Record{"name": "S3", "partner_id": 1},
		adapter.Record{"name": "S4"},
		adapter.Record{"name": "S5", "partner_id": 3})
	make("sale.order.line",
		adapter.Record{"name": "chair", "order_id": 1, "qty": 1}, adapter.Record{"name": "desk", "order_id": 1, "qty": 2},
		adapter.Record{"name": "lamp", "order_id": 2, "qty": 3})
	make("odd.model", adapter.Record{"name": "O1", "partner_id": 1})
	s := &store{fake: f, refuse: map[string]error{}}
	// Answer calls the way a system without this ability would be reached.
	f.answer = func(ctx context.Context, c adapter.Call) (string, error) {
		b, err := invoke(ctx, f.Adapter, c)
		return string(b), err
	}
	return s
}

func TestExpansion(t *testing.T) {
	for _, c := range []struct {
		name, op, body, want string
		reads                []string
	}{
		{
			"dotted", "search_read", `{"model":"sale.order","fields":["name","partner_id.email"],"order":"id","limit":4}`,
			`[{"id":1,"name":"S1","partner_id.email":"azure@example.com"},{"id":2,"name":"S2","partner_id.email":"deco@example.com"},{"id":3,"name":"S3","partner_id.email":"azure@example.com"},{"id":4,"name":"S4","partner_id.email":false}]`,
			[]string{"res.partner 2 email"},
		},
		{
			"with the relation itself", "search_read", `{"model":"sale.order","fields":["partner_id","partner_id.phone"],"domain":[["id","in",[1,4,5]]],"order":"id"}`,
			`[{"id":1,"partner_id":[1,"Azure"],"partner_id.phone":"1"},{"id":4,"partner_id":null,"partner_id.phone":false},{"id":5,"partner_id":[3,"Nowhere"],"partner_id.phone":null}]`,
			[]string{"res.partner 2 phone"},
		},
		{
			"two relations deep", "search_read", `{"model":"sale.order","fields":["partner_id.country_id.code","partner_id.name"],"order":"id","limit":4}`,
			`[{"id":1,"partner_id.country_id.code":"MA","partner_id.name":"Azure"},{"id":2,"partner_id.country_id.code":"FR","partner_id.name":"Deco"},{"id":3,"partner_id.country_id.code":"MA","partner_id.name":"Azure"},{"id":4,"partner_id.country_id.code":false,"partner_id.name":false}]`,
			[]string{"res.partner 2 country_id,name", "res.country 2 code"},
		},
		{
			"to many", "search_read", `{"model":"sale.order","fields":["order_line.name"],"order":"id","limit":3}`,
			`[{"id":1,"order_line.name":["chair","desk"]},{"id":2,"order_line.name":["lamp"]},{"id":3,"order_line.name":[]}]`,
			[]string{"sale.order.line 3 name"},
		},
		{
			"nested", "search_read", `{"model":"sale.order","fields":["name","partner_id.email","partner_id.country_id.code"],"expand":"nested","domain":[["id","in",[1,4]]],"order":"id"}`,
			`[{"id":1,"name":"S1","partner_id":{"country_id":{"code":"MA","display_name":"Morocco","id":1},"display_name":"Azure","email":"azure@example.com","id":1}},{"id":4,"name":"S4","partner_id":null}]`,
			[]string{"res.partner 1 email,country_id", "res.country 1 code"},
		},
		{
			"nested to many", "read", `{"model":"sale.order","ids":[1],"fields":["order_line.name","order_line.qty"],"expand":"nested"}`,
			`[{"id":1,"order_line":[{"id":1,"name":"chair","qty":1},{"id":2,"name":"desk","qty":2}]}]`,
			[]string{"sale.order.line 2 name,qty"},
		},
		{
			"nothing to follow", "search_read", `{"model":"sale.order","fields":["partner_id.email"],"domain":[["id","=",4]]}`,
			`[{"id":4,"partner_id.email":false}]`, nil,
		},
		{
			"twice the same", "search_read", `{"model":"sale.order","fields":["partner_id.email","partner_id.email","name","name"],"domain":[["id","=",1]]}`,
			`[{"id":1,"partner_id.email":"azure@example.com","name":"S1"}]`, []string{"res.partner 1 email"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stocked(t)
			r := build(t, nil, on(s))
			for i := range 2 {
				a, err := r.run(t, c.op, c.body)
				require.NoError(t, err)
				assert.Equal(t, c.want, string(a.Result)) //nolint:testifylint // the order of the members is part of it
				assert.True(t, a.Optimized)
				assert.Equal(t, i == 1, a.Cached)
			}
			assert.Equal(t, c.reads, s.reads, "one batched read for each relation, and none from the cache")
		})
	}
}

// The documented example of a rewritten query.
func TestThePartnerIsFetchedAlong(t *testing.T) {
	const body = `{"model":"sale.order","fields":["id","name","partner_id"],"limit":10}`
	s := stocked(t)
	r := build(t, nil, on(s))
	a, err := r.run(t, "search_read", body)
	require.NoError(t, err)
	assert.True(t, a.Optimized)
	records, err := a.Records()
	require.NoError(t, err)
	require.Len(t, records, 5)
	assert.Equal(t, adapter.Record{
		"id": json.Number("1"), "name": "S1", "partner_id": []any{json.Number("1"), "Azure"},
		"partner_id.name": "Azure", "partner_id.email": "azure@example.com", "partner_id.phone": "1",
	}, records[0])
	assert.True(t, strings.HasPrefix(string(a.Result), `[{"id":1,"name":"S1","partner_id":[1,"Azure"],"partner_id.name":`), "in the documented order")
	assert.Equal(t, []string{"res.partner 3 name,email,phone"}, s.reads)

	t.Run("not when told not to", func(t *testing.T) {
		for _, c := range [][2]string{
			{"search_read", `{"model":"sale.order","fields":["id","name","partner_id"],"limit":10,"optimize":false}`},
			{"call_kw", `{"model":"sale.order","method":"search_read","kwargs":{"fields":["id","name","partner_id"],"limit":10}}`},
			{"read", `{"model":"sale.order","ids":[1],"fields":["partner_id"]}`},
			{"search_read", `{"model":"sale.order","limit":10}`},
		} {
			a, err := r.run(t, c[0], c[1])
			require.NoError(t, err)
			assert.False(t, a.Optimized, "%v", c)
			assert.NotContains(t, string(a.Result), "partner_id.", "%v", c)
		}
		quiet := build(t, func(c *Config) { c.NoAutoExpand = true }, on(stocked(t)))
		a, err := quiet.run(t, "search_read", body)
		require.NoError(t, err)
		assert.False(t, a.Optimized)
	})
	t.Run("not where partner_id leads elsewhere", func(t *testing.T) {
		a, err := r.run(t, "search_read", `{"model":"odd.model","fields":["name","partner_id"]}`)
		require.NoError(t, err)
		assert.False(t, a.Optimized)
		assert.Equal(t, `[{"id":1,"name":"O1","partner_id":[1,"Morocco"]}]`, string(a.Result)) //nolint:testifylint // the order of the members is part of it
	})
	t.Run("it breaks nothing", func(t *testing.T) {
		for _, refusal := range []error{
			&adapter.Error{Code: adapter.PermissionDenied, Message: "no"},
			&adapter.Error{Code: adapter.InvalidArgument, Message: "Invalid field 'phone'"},
			&adapter.Error{Code: adapter.Unavailable, Message: "reset"},
			errors.New("anything"),
		} {
			s := stocked(t)
			s.refuse["res.partner"] = refusal
			r := build(t, nil, on(s))
			a, err := r.run(t, "search_read", body)
			require.NoError(t, err)
			assert.False(t, a.Optimized)
			assert.Contains(t, string(a.Result), `"partner_id":[1,"Azure"]`)
			assert.NotContains(t, string(a.Result), "partner_id.")
			// Where it is not refused for good, it is tried again.
			s.refuse = map[string]error{}
			a, err = r.run(t, "search_read", body)
			require.NoError(t, err)
			assert.Equal(t, adapter.CodeOf(refusal) != adapter.PermissionDenied, a.Optimized, "%v", refusal)
		}
		s := stocked(t)
		s.refuse["res.partner"] = &adapter.Error{Code: adapter.PermissionDenied, Message: "no partners for you"}
		_, err := build(t, nil, on(s)).run(t, "search_read", `{"model":"sale.order","fields":["partner_id.name"]}`)
		assert.Equal(t, adapter.PermissionDenied, code(t, err), "what was asked for is refused aloud")
	})
	t.Run("a changed partner changes the answer", func(t *testing.T) {
		require.NoError(t, r.sys(t).Update(t.Context(), "res.partner", []adapter.ID{adapter.IntID(1)}, adapter.Record{"email": "new@example.com"}))
		a, err := r.run(t, "search_read", body)
		require.NoError(t, err)
		assert.False(t, a.Cached)
		assert.Contains(t, string(a.Result), "new@example.com")
	})
}

func TestAChangeOfARelatedModelChangesWhatWasExpanded(t *testing.T) {
	s := stocked(t)
	r := build(t, nil, on(s))
	const body = `{"model":"sale.order","fields":["partner_id.country_id.code"],"domain":[["id","=",1]]}`
	_, err := r.run(t, "search_read", body)
	require.NoError(t, err)
	require.NoError(t, r.sys(t).Update(t.Context(), "res.country", []adapter.ID{adapter.IntID(1)}, adapter.Record{"code": "XX"}))
	a, err := r.run(t, "search_read", body)
	require.NoError(t, err)
	assert.False(t, a.Cached)
	assert.Contains(t, string(a.Result), "XX")
}

func TestReadCRUD(t *testing.T) {
	s := stocked(t)
	r := build(t, nil, on(s))
	sys := r.sys(t)
	read := func(q Reading) Answer {
		a, err := sys.Read(t.Context(), q)
		require.NoError(t, err)
		return a
	}
	order := []adapter.Order{{Field: "id"}}
	q := Reading{Query: adapter.Query{Model: "res.partner", Fields: []string{"name", "email"}, Order: order, Limit: 2}}
	a := read(q)
	assert.Equal(t, `[{"id":1,"name":"Azure","email":"azure@example.com"},{"id":2,"name":"Deco","email":"deco@example.com"}]`, string(a.Result)) //nolint:testifylint // the order of the members is part of it
	assert.False(t, a.Truncated, "the caller's own limit is no cut")
	assert.NotEmpty(t, a.NextCursor)
	assert.True(t, read(q).Cached)
	q.Cursor = a.NextCursor
	assert.Equal(t, `[{"id":3,"name":"Nowhere","email":null}]`, string(read(q).Result)) //nolint:testifylint // the order of the members is part of it

	byDomain := Reading{Query: adapter.Query{Model: "res.partner", Fields: []string{"name"}}, Domain: json.RawMessage(`[["name","=","Deco"]]`)}
	assert.Equal(t, `[{"id":2,"name":"Deco"}]`, string(read(byDomain).Result)) //nolint:testifylint // the order of the members is part of it
	byFilter := Reading{Query: adapter.Query{Model: "res.partner", Fields: []string{"name"}, Filter: adapter.And{adapter.Cond{Field: "name", Op: adapter.Equal, Value: "Deco"}}}}
	assert.Equal(t, `[{"id":2,"name":"Deco"}]`, string(read(byFilter).Result)) //nolint:testifylint // the order of the members is part of it

	a = read(Reading{Query: adapter.Query{Model: "sale.order", Fields: []string{"partner_id.name"}, Order: order, Limit: 1}})
	assert.Equal(t, `[{"id":1,"partner_id.name":"Azure"}]`, string(a.Result)) //nolint:testifylint // the order of the members is part of it
	assert.True(t, a.Optimized)
	a = read(Reading{Query: adapter.Query{Model: "sale.order", Fields: []string{"partner_id.name"}, Filter: adapter.Cond{Field: "id", Op: adapter.Equal, Value: 4}, Plain: true}})
	assert.Equal(t, `[{"id":4,"partner_id.name":null}]`, string(a.Result)) //nolint:testifylint // the order of the members is part of it

	for _, bad := range []Reading{
		{},
		{Query: adapter.Query{Model: "res.partner", Limit: -1}},
		{Query: adapter.Query{Model: "res.partner", Offset: -1}},
		{Query: adapter.Query{Model: "res.partner", Offset: 1, Cursor: "x"}},
		{Query: adapter.Query{Model: "res.partner", Filter: adapter.Always(true)}, Domain: json.RawMessage(`[]`)},
		{Query: adapter.Query{Model: "res.partner"}, Domain: json.RawMessage(`[1]`)},
		{Query: adapter.Query{Model: "res.partner", Fields: []string{"nonsense"}}},
		{Query: adapter.Query{Model: "res.partner"}, Expand: "odd"},
	} {
		_, err := sys.Read(t.Context(), bad)
		assert.Equal(t, adapter.InvalidArgument, code(t, err), "%+v", bad)
	}
}

func TestWriteCRUD(t *testing.T) {
	r := build(t, nil, on(memory.New(shop()...)))
	sys := r.sys(t)
	names := func() string {
		a, err := sys.Read(t.Context(), Reading{Query: adapter.Query{Model: "res.partner", Fields: []string{"name"}, Order: []adapter.Order{{Field: "id"}}}})
		require.NoError(t, err)
		return string(a.Result)
	}
	assert.Equal(t, `[]`, names())
	values := adapter.Record{"name": "Ahmed", "email": "ahmed@example.com"}
	made, err := sys.Create(t.Context(), "res.partner", values)
	require.NoError(t, err)
	assert.Equal(t, adapter.Record{"id": adapter.IntID(1), "name": "Ahmed", "email": "ahmed@example.com"}, made)
	assert.NotContains(t, values, "id", "the caller's own map is left alone")
	b, err := json.Marshal(made)
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":1,"name":"Ahmed","email":"ahmed@example.com"}`, string(b))
	assert.Equal(t, `[{"id":1,"name":"Ahmed"}]`, names()) //nolint:testifylint // the order of the members is part of it
	ids, err := sys.CreateMany(t.Context(), "res.partner", []adapter.Record{{"name": "b"}, {"name": "c"}})
	require.NoError(t, err)
	assert.Equal(t, []adapter.ID{adapter.IntID(2), adapter.IntID(3)}, ids)
	require.NoError(t, sys.Update(t.Context(), "res.partner", ids, adapter.Record{"name": "d"}))
	require.NoError(t, sys.Delete(t.Context(), "res.partner", ids[:1]))
	assert.Equal(t, `[{"id":1,"name":"Ahmed"},{"id":3,"name":"d"}]`, names()) //nolint:testifylint // the order of the members is part of it
	assert.Equal(t, adapter.NotFound, code(t, sys.Delete(t.Context(), "res.partner", ids[:1])))
	assert.Equal(t, adapter.NotFound, code(t, sys.Update(t.Context(), "res.partner", ids[:1], adapter.Record{"name": "x"})))
	_, err = sys.Create(t.Context(), "res.partner", adapter.Record{"nonsense": 1})
	assert.Equal(t, adapter.InvalidArgument, code(t, err))
	_, err = sys.Create(t.Context(), "", nil)
	assert.Equal(t, adapter.InvalidArgument, code(t, err))
}

func TestFields(t *testing.T) {
	s := stocked(t)
	r := build(t, nil, on(s))
	for i := range 2 {
		a, err := r.sys(t).Fields(t.Context(), "sale.order")
		require.NoError(t, err)
		assert.Equal(t, i == 1, a.Cached)
		var d adapter.Schema
		require.NoError(t, json.Unmarshal(a.Result, &d))
		assert.Equal(t, "res.partner", d.Fields["partner_id"].Relation)
	}
	_, err := r.sys(t).Fields(t.Context(), "no.model")
	assert.Equal(t, adapter.NotFound, code(t, err))
}

// A limit of ours that leaves something out is said, with a way to go on;
// a limit of the caller's is not ours to speak of.
func TestLimitsSayWhenTheyCut(t *testing.T) {
	f := newFake()
	total := 1000
	f.answer = func(_ context.Context, c adapter.Call) (string, error) {
		limit, _ := c.Kwargs["limit"].(int)
		offset, _ := c.Kwargs["offset"].(int)
		if ids, ok := c.Kwargs["ids"].([]any); ok {
			b, _ := json.Marshal(ids)
			return string(b), nil
		}
		last := total
		if limit > 0 {
			last = min(total, offset+limit)
		}
		var b strings.Builder
		for i := offset; i < last; i++ {
			fmt.Fprintf(&b, `,{"id":%d,"t":"],\"[{"}`, i+1)
		}
		list := "[" + strings.TrimPrefix(b.String(), ",") + "]"
		if c.Method == "web_search_read" {
			return fmt.Sprintf(`{"length":%d,"records":%s}`, total, list), nil
		}
		return list, nil
	}
	r := build(t, nil, on(f))
	many := func(n int) string {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = strconv.Itoa(i + 1)
		}
		return strings.Join(ids, ",")
	}
	for _, c := range []struct {
		op, body         string
		total, got, says int // records there are, records given, limit said
	}{
		{"search_read", `{"model":"m"}`, 1000, 200, 200},
		{"search_read", `{"model":"m","limit":0}`, 1000, 200, 200},
		{"search_read", `{"model":"m","limit":1000000000}`, 1000, 200, 200},
		{"search_read", `{"model":"m","limit":201}`, 1000, 200, 200},
		{"search_read", `{"model":"m","limit":200}`, 1000, 200, 0},
		{"search_read", `{"model":"m","limit":10}`, 1000, 10, 0},
		{"search_read", `{"model":"m"}`, 200, 200, 0},
		{"search_read", `{"model":"m"}`, 201, 200, 200},
		{"search_read", `{"model":"m"}`, 0, 0, 0},
		{"search_read", `{"model":"m","offset":900}`, 1000, 100, 0},
		{"search", `{"model":"m"}`, 1000, 500, 500},
		{"name_search", `{"model":"m","limit":100}`, 1000, 50, 50},
		{"name_search", `{"model":"m","limit":50}`, 1000, 50, 0},
		{"web_search_read", `{"model":"m","specification":{}}`, 1000, 200, 200},
		{"web_search_read", `{"model":"m","specification":{},"limit":5000}`, 200, 200, 0},
		{"web_search_read", `{"model":"m","specification":{},"limit":20}`, 1000, 20, 0},
		{"read", `{"model":"m","ids":[` + many(150) + `]}`, 0, 100, 100},
		{"read", `{"model":"m","ids":[` + many(100) + `]}`, 0, 100, 0},
		{"web_read", `{"model":"m","specification":{},"ids":[` + many(101) + `]}`, 0, 100, 100},
		{"call_kw", `{"model":"m","method":"search_read","kwargs":{"domain":[],"limit":1000}}`, 1000, 200, 200},
		{"read_group", `{"model":"m","groupby":["a"]}`, 1000, 1000, 0},
	} {
		total = c.total
		r.sys(t).ClearCache(t.Context(), "")
		for range 2 {
			a, err := r.run(t, c.op, c.body)
			require.NoError(t, err)
			var list []json.RawMessage
			body := a.Result
			if c.op == "web_search_read" {
				var page struct{ Records json.RawMessage }
				require.NoError(t, json.Unmarshal(body, &page))
				body = page.Records
			}
			require.NoError(t, json.Unmarshal(body, &list), "%s", body)
			assert.Len(t, list, c.got, "%s %s of %d", c.op, c.body[:min(60, len(c.body))], c.total)
			assert.Equal(t, c.says, a.Limit, "%s %.60s", c.op, c.body)
			assert.Equal(t, c.says > 0, a.Truncated, "%s %.60s", c.op, c.body)
			assert.Equal(t, c.says > 0 && c.op != "name_search", a.NextCursor != "", "%s %.60s", c.op, c.body)
		}
	}

	total = 950
	r.sys(t).ClearCache(t.Context(), "")
	next, seen := "", 0
	for range 10 {
		a, err := r.sys(t).Operation(t.Context(), "search_read", OperationRequest{Model: "m", Cursor: next})
		require.NoError(t, err)
		records, err := a.Records()
		require.NoError(t, err)
		for _, rec := range records {
			seen++
			require.EqualValues(t, seen, rec.Int("id"), "nothing twice, nothing left out")
		}
		if next = a.NextCursor; next == "" {
			break
		}
	}
	assert.Equal(t, 950, seen)

	a, err := r.run(t, "read", `{"model":"m","ids":[`+many(150)+`]}`)
	require.NoError(t, err)
	a, err = r.run(t, "read", `{"model":"m","cursor":"`+a.NextCursor+`","ids":[`+many(150)+`]}`)
	require.NoError(t, err)
	assert.Equal(t, "[101,", string(a.Result[:5]))
	assert.False(t, a.Truncated)
}

func TestReadLimits(t *testing.T) {
	m := memory.New(shop()...)
	rows := make([]adapter.Record, 1200)
	for i := range rows {
		rows[i] = adapter.Record{"name": strconv.Itoa(i)}
	}
	_, err := m.CreateMany(t.Context(), "res.partner", rows)
	require.NoError(t, err)
	r := build(t, nil, on(m))
	for _, c := range [][3]int{{0, 80, 80}, {5000, 1000, 1000}, {1000, 1000, 0}, {7, 7, 0}} {
		a, err := r.sys(t).Read(t.Context(), Reading{Query: adapter.Query{Model: "res.partner", Fields: []string{"name"}, Limit: c[0]}})
		require.NoError(t, err)
		records, err := a.Records()
		require.NoError(t, err)
		assert.Len(t, records, c[1])
		assert.Equal(t, c[2], a.Limit)
		assert.Equal(t, c[2] > 0, a.Truncated)
		assert.NotEmpty(t, a.NextCursor)
	}
}

// Conditions on indexed fields go first where that is safe, and nothing else
// of a domain is touched.
func TestReordering(t *testing.T) {
	for _, c := range []struct{ domain, sent string }{
		{`[["name","ilike","test"],["id",">",100]]`, `[["id",">",100],["name","ilike","test"]]`},
		{`["&",["name","ilike","test"],["id",">",100]]`, `[["id",">",100],["name","ilike","test"]]`},
		{`[["id",">",100],["name","ilike","test"]]`, ``},
		{`["|",["name","ilike","test"],["id",">",100]]`, ``},
		{`["|",["name","=","x"],["id","=",2],["id","=",3]]`, ``},
		{`["!",["name","=","x"],["id","=",3]]`, ``},
		{`[["name",  "=", "x"]]`, ``},
		{`[]`, ``},
	} {
		f := newFake()
		r := build(t, nil, on(f))
		a, err := r.run(t, "search", `{"model":"m","domain":`+c.domain+`}`)
		require.NoError(t, err)
		sent, _ := f.made()[0].Kwargs["domain"].(json.RawMessage)
		if c.sent == "" {
			assert.Equal(t, c.domain, string(sent), "in its own form")
			assert.False(t, a.Optimized)
			continue
		}
		assert.JSONEq(t, c.sent, string(sent), c.domain)
		assert.True(t, a.Optimized)
		f.calls = nil
		a, err = r.run(t, "search", `{"model":"m","optimize":false,"domain":`+c.domain+`}`)
		require.NoError(t, err)
		assert.False(t, a.Optimized)
		assert.Equal(t, c.domain, string(f.made()[0].Kwargs["domain"].(json.RawMessage)))
	}
}

// Whatever a domain says, what is sent matches the same records.
func TestReorderingKeepsTheMeaning(t *testing.T) {
	leaf := rapid.Custom(func(rt *rapid.T) []any {
		field := rapid.SampledFrom([]string{"id", "name", "active", "state"}).Draw(rt, "field")
		return []any{field, rapid.SampledFrom([]string{"=", "!="}).Draw(rt, "op"), rapid.IntRange(0, 2).Draw(rt, "value")}
	})
	rapid.Check(t, func(rt *rapid.T) {
		var domain []any
		var term func(depth int)
		term = func(depth int) {
			switch n := rapid.IntRange(0, 5).Draw(rt, "kind"); {
			case depth > 0 && n == 0:
				domain = append(domain, "!")
				term(depth - 1)
			case depth > 0 && n <= 2:
				domain = append(domain, []string{"&", "|"}[n-1])
				term(depth - 1)
				term(depth - 1)
			default:
				domain = append(domain, leaf.Draw(rt, "leaf"))
			}
		}
		for range rapid.IntRange(0, 4).Draw(rt, "terms") {
			term(2)
		}
		asked, err := json.Marshal(domain)
		require.NoError(t, err)
		if domain == nil {
			asked = []byte("[]")
		}
		f := newFake()
		r := build(t, nil, on(f))
		_, err = r.sys(t).Operation(t.Context(), "search", OperationRequest{Model: "m", Domain: asked})
		require.NoError(t, err)
		sent := f.made()[0].Kwargs["domain"].(json.RawMessage)
		_ = r.Close()
		_ = r.cache.Close()
		one, err := adapter.ParseDomainJSON(asked)
		require.NoError(t, err)
		two, err := adapter.ParseDomainJSON(sent)
		require.NoError(t, err)
		for id := range 3 {
			for name := range 3 {
				for active := range 2 {
					rec := adapter.Record{"id": id, "name": name, "active": active, "state": 1}
					a, err := adapter.Match(one, rec, adapter.MatchOptions{})
					require.NoError(t, err)
					b, err := adapter.Match(two, rec, adapter.MatchOptions{})
					require.NoError(t, err)
					if a != b {
						rt.Fatalf("%s was sent as %s, which differs on %v", asked, sent, rec)
					}
				}
			}
		}
	})
}

func FuzzCutList(f *testing.F) {
	for _, s := range []string{`[1,2,3]`, `[]`, ` [ {"a":[1,2]} , "],[" , [3,4]]`, `{"a":1}`, `"x,y"`, `false`, `[1,2`, `["\\",",\"",1]`} {
		f.Add(s, 2)
	}
	f.Fuzz(func(t *testing.T, s string, n int) {
		if n < 1 || n > 1000 {
			return
		}
		out, cut, err := cutList(json.RawMessage(s), n)
		if !json.Valid([]byte(s)) {
			return // no panic is all that is asked
		}
		require.NoError(t, err)
		var all, some []json.RawMessage
		if json.Unmarshal([]byte(s), &all) != nil || all == nil {
			assert.Equal(t, s, string(out))
			assert.False(t, cut)
			return
		}
		require.NoError(t, json.Unmarshal(out, &some), "%q cut to %q", s, out)
		assert.Equal(t, len(all) > n, cut)
		require.Len(t, some, min(n, len(all)))
		for i := range some {
			assert.Equal(t, string(all[i]), string(some[i]))
		}
	})
}
