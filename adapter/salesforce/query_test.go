package salesforce_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
)

// seeded is an organization with n sample records, their numbers from 0.
func seeded(tb testing.TB, n int, change func(*salesforce.Config)) (*salesforcetest.Server, *salesforce.Client) {
	tb.Helper()
	srv, err := salesforcetest.Start(salesforcetest.Config{NoDemo: true})
	require.NoError(tb, err)
	tb.Cleanup(srv.Close)
	_, err = srv.Seed("Sample__c", n, func(i int) map[string]any {
		return map[string]any{"Name": fmt.Sprintf("Sample %06d", i), "Count__c": i, "Flag__c": i%2 == 0, "Code__c": fmt.Sprintf("C%d", n-i)}
	})
	require.NoError(tb, err)
	config := simulated(srv)
	if change != nil {
		change(&config)
	}
	return srv, dial(tb, config)
}

func numbers(tb testing.TB, records []adapter.Record) []int64 {
	tb.Helper()
	out := make([]int64, len(records))
	for i, r := range records {
		out[i] = r.Int("Count__c")
	}
	return out
}

// TestTenThousandIDs asks for many records by an address that could not hold
// their ids.
func TestTenThousandIDs(t *testing.T) {
	if testing.Short() {
		t.Skip("12,000 records")
	}
	srv, client := seeded(t, 12_000, nil)
	ids, err := client.SearchIDs(t.Context(), adapter.Query{Model: "Sample__c"})
	require.NoError(t, err)
	require.Len(t, ids, 12_000)
	list := make([]any, 0, 10_000)
	for i, id := range ids {
		if i%6 != 0 {
			list = append(list, id.String())
		}
	}
	slices.Reverse(list)
	byID := adapter.Cond{Field: "Id", Op: adapter.In, Value: list}

	srv.ResetCounters()
	n, err := client.Count(t.Context(), "Sample__c", byID)
	require.NoError(t, err)
	assert.EqualValues(t, len(list), n)
	assert.Zero(t, srv.Requests()["POST /composite"], "lists are split, and go in addresses")

	for name, order := range map[string][]adapter.Order{"": nil, "number": {{Field: "Count__c", Desc: true}}, "text": {{Field: "Code__c"}}} {
		var got []adapter.ID
		q := adapter.Query{Model: "Sample__c", Filter: byID, Fields: []string{"Count__c", "Code__c"}, Order: order, Limit: 2000}
		var last string
		for range 10 {
			page, err := client.Query(t.Context(), q)
			require.NoError(t, err)
			for _, r := range page.Records {
				got = append(got, r.ID())
				if name == "text" {
					assert.Less(t, last, r.String("Code__c"))
					last = r.String("Code__c")
				}
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		assert.Len(t, got, len(list), "order by %q", name)
		if name == "number" {
			slices.Reverse(got)
		}
		if name != "text" {
			assert.True(t, slices.IsSortedFunc(got, func(a, b adapter.ID) int { return strings.Compare(a.String(), b.String()) }), "order by %q", name)
		}
	}

	records, err := client.Read(t.Context(), "Sample__c", ids[:10_000], []string{"Count__c"})
	require.NoError(t, err)
	assert.Len(t, records, 10_000)

	// Not one of so many: what Salesforce can't be asked is seen to here.
	n, err = client.Count(t.Context(), "Sample__c", adapter.Cond{Field: "Id", Op: adapter.NotIn, Value: list})
	require.NoError(t, err)
	assert.EqualValues(t, 2000, n)
	// Any of many or something else: no record comes twice.
	n, err = client.Count(t.Context(), "Sample__c", adapter.Or{byID, adapter.Cond{Field: "Flag__c", Op: adapter.Equal, Value: true}})
	require.NoError(t, err)
	assert.EqualValues(t, 12_000, n)
}

// TestLongQueries sends what can't be split in a body.
func TestLongQueries(t *testing.T) {
	srv, client := seeded(t, 10, nil)
	var likes adapter.Or
	for i := range 400 {
		likes = append(likes, adapter.Cond{Field: "Name", Op: adapter.ILike, Value: fmt.Sprintf("sample that is not there %d", i)})
	}
	likes = append(likes, adapter.Cond{Field: "Name", Op: adapter.ILike, Value: "000007"})
	srv.ResetCounters()
	page, err := client.Query(t.Context(), adapter.Query{Model: "Sample__c", Filter: likes, Fields: []string{"Count__c"}})
	require.NoError(t, err)
	assert.Equal(t, []int64{7}, numbers(t, page.Records))
	assert.Equal(t, 1, srv.Requests()["POST /composite"])

	for i := range 3000 {
		likes = append(likes, adapter.Cond{Field: "Name", Op: adapter.ILike, Value: fmt.Sprintf("even more that is not there %d", i)})
	}
	_, err = client.Query(t.Context(), adapter.Query{Model: "Sample__c", Filter: likes})
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	assert.ErrorContains(t, err, "100000")
}

// TestOffsets goes behind the offset that SOQL takes.
func TestOffsets(t *testing.T) {
	if testing.Short() {
		t.Skip("5,000 records")
	}
	_, client := seeded(t, 5000, nil)
	for _, order := range [][]adapter.Order{nil, {{Field: "Count__c"}}, {{Field: "Id", Desc: true}}} {
		for _, offset := range []int{0, 7, 1999, 2000, 2001, 4000, 4998, 5000, 9000} {
			page, err := client.Query(t.Context(), adapter.Query{Model: "Sample__c", Fields: []string{"Count__c"}, Order: order, Offset: offset, Limit: 3})
			require.NoError(t, err)
			var want []int64
			for i := int64(offset); i < min(int64(offset)+3, 5000); i++ {
				if len(order) > 0 && order[0].Desc {
					want = append(want, 4999-i)
				} else {
					want = append(want, i)
				}
			}
			assert.Len(t, page.Records, len(want))
			if len(want) > 0 {
				assert.Equal(t, want, numbers(t, page.Records), "offset %d", offset)
			}
			assert.Equal(t, offset+3 < 5000, page.Truncated, "offset %d", offset)
		}
	}
}

// TestPagesBehindTheOffset leads a cursor through more rows than OFFSET
// reaches, in an order that is not by id.
func TestPagesBehindTheOffset(t *testing.T) {
	srv, client := seeded(t, 7000, nil)
	q := adapter.Query{Model: "Sample__c", Fields: []string{"Count__c"}, Order: []adapter.Order{{Field: "Count__c", Desc: true}}, Limit: 700}
	var got []int64
	for range 20 {
		page, err := client.Query(t.Context(), q)
		require.NoError(t, err)
		got = append(got, numbers(t, page.Records)...)
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	require.Len(t, got, 7000)
	for i, n := range got {
		require.EqualValues(t, 6999-i, n)
	}

	// A cursor is good for its own query alone.
	page, err := client.Query(t.Context(), q)
	require.NoError(t, err)
	other := q
	other.Cursor, other.Order = page.Next, nil
	_, err = client.Query(t.Context(), other)
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)

	other = q
	other.Cursor, other.Filter = page.Next, adapter.Cond{Field: "Count__c", Op: adapter.Less, Value: 7}
	_, err = client.Query(t.Context(), other)
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)

	// One that Salesforce has forgotten says so.
	q.Cursor = ""
	for range 4 {
		page, err := client.Query(t.Context(), q)
		require.NoError(t, err)
		q.Cursor = page.Next
	}
	srv.SetFault(salesforcetest.Fault{Path: "/query/", ErrorCode: "INVALID_QUERY_LOCATOR", Message: "invalid query locator"})
	_, err = client.Query(t.Context(), q)
	require.ErrorIs(t, err, adapter.ErrPreconditionFailed)
}

func TestNestedRecords(t *testing.T) {
	_, client := seeded(t, 0, nil)
	ctx := t.Context()
	account, err := client.Create(ctx, "Account", adapter.Record{"Name": "Azure"})
	require.NoError(t, err)
	contact, err := client.Create(ctx, "Contact", adapter.Record{"LastName": "Interior", "AccountId": account})
	require.NoError(t, err)
	lone, err := client.Create(ctx, "Contact", adapter.Record{"LastName": "Lone"})
	require.NoError(t, err)

	page, err := client.Query(ctx, adapter.Query{Model: "Contact", Fields: []string{"LastName", "AccountId", "Account", "Account.Name", "Account.Owner.Username"}, Order: []adapter.Order{{Field: "LastName"}}})
	require.NoError(t, err)
	require.Len(t, page.Records, 2)
	first, second := page.Records[0], page.Records[1]
	assert.Equal(t, contact, first.ID())
	assert.Equal(t, account.String(), first["AccountId"])
	up, ok := first["Account"].(map[string]any)
	require.True(t, ok, "%#v", first["Account"])
	assert.Equal(t, "Azure", up["Name"])
	assert.NotContains(t, up, "attributes")
	owner, ok := up["Owner"].(map[string]any)
	require.True(t, ok)
	assert.NotEmpty(t, owner["Username"])
	assert.Equal(t, lone, second.ID())
	assert.Nil(t, second["Account"])

	bare, err := client.Read(ctx, "Contact", []adapter.ID{contact}, []string{"Account"})
	require.NoError(t, err)
	ref, ok := bare[0].Ref("Account")
	require.True(t, ok)
	assert.Equal(t, adapter.Ref{ID: account, Name: "Azure"}, ref)

	down, err := client.Read(ctx, "Account", []adapter.ID{account}, []string{"Contacts.LastName", "Contacts.Account.Name"})
	require.NoError(t, err)
	assert.Equal(t, []any{map[string]any{"LastName": "Interior", "Account": map[string]any{"Name": "Azure"}}}, down[0]["Contacts"])
	ids, err := client.Read(ctx, "Account", []adapter.ID{account}, []string{"Contacts"})
	require.NoError(t, err)
	assert.Equal(t, []adapter.ID{contact}, ids[0].IDs("Contacts"))

	for path, wants := range map[string]string{
		"AccountId.Name":            "Account.Name",
		"Account.Contacts.LastName": "a query of their own",
		"LastName.x":                "leads to no other record",
		"Account.Nope":              "Nope",
		"Nope.Name":                 "Nope",
		"Contacts":                  "Contacts",
		"Account.Parent.Parent.Parent.Parent.Parent.Parent.Parent.Name": "more than 5",
	} {
		_, err := client.Query(ctx, adapter.Query{Model: "Contact", Fields: []string{path}})
		require.ErrorIs(t, err, adapter.ErrInvalidArgument, path)
		assert.ErrorContains(t, err, wants)
	}
}

// TestManyLines reads more child records than one answer holds.
func TestManyLines(t *testing.T) {
	srv, client := seeded(t, 0, nil)
	parent, err := srv.Create("Sample__c", map[string]any{"Name": "parent"})
	require.NoError(t, err)
	_, err = srv.Seed("Sample__c", 450, func(i int) map[string]any {
		return map[string]any{"Name": fmt.Sprint("line ", i), "Parent__c": parent}
	})
	require.NoError(t, err)
	records, err := client.Read(t.Context(), "Sample__c", []adapter.ID{adapter.StringID(parent)}, []string{"Children__r.Name"})
	require.NoError(t, err)
	list, ok := records[0]["Children__r"].([]any)
	require.True(t, ok)
	assert.Len(t, list, 450)
}

func TestFiltersThatAreRefused(t *testing.T) {
	f := newFake(t, nil)
	client := dial(t, f.config())
	cond := func(field string, op adapter.Op, value any) adapter.Filter {
		return adapter.Cond{Field: field, Op: op, Value: value}
	}
	deep := cond("Name", "=", "x")
	for range 300 {
		deep = adapter.And{adapter.Or{deep, cond("Name", "=", "y")}, cond("Name", "=", "z")}
	}
	for name, test := range map[string]struct {
		filter adapter.Filter
		names  string
	}{
		"a long text":              {cond("Long__c", "ilike", "x"), "Long__c"},
		"a type of the future":     {cond("New__c", "=", "x"), "New__c"},
		"a pattern on a number":    {cond("Calc__c", "like", "1"), "Calc__c"},
		"a pattern on an id":       {cond("Id", "like", "a01"), "Id"},
		"a word for a number":      {cond("Calc__c", "=", "many"), "Calc__c"},
		"a word for a date":        {cond("SystemModstamp", ">", "yesterday"), "SystemModstamp"},
		"a relative date":          {cond("SystemModstamp", ">", "today -1w"), "SystemModstamp"},
		"a number for a text":      {cond("Name", "<", 7), "Name"},
		"a time that is none":      {cond("Time__c", "=", "noon"), "Time__c"},
		"an id that is none":       {cond("Id", ">", "x'y"), "Id"},
		"a path through a text":    {cond("Name.x", "=", 1), "Name"},
		"any of a text":            {cond("Name", "any", adapter.Always(true)), "Name"},
		"a filter as a value":      {cond("Name", "=", adapter.Filter(adapter.Always(true))), "Name"},
		"a hierarchy of texts":     {cond("Name", "child_of", "x"), "Name"},
		"a hierarchy of several":   {cond("Any__c", "child_of", "a010000000000001AA"), "Any__c"},
		"depth":                    {deep, "deep"},
		"injection by a field":     {cond("Name = '' OR Id", "!=", "x"), "Name = '' OR Id"},
		"a number of hostile size": {cond("Calc__c", "=", "1e999999999"), "Calc__c"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.Query(t.Context(), adapter.Query{Model: "Thing__c", Filter: test.filter})
			e, ok := errors.AsType[*adapter.Error](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, adapter.InvalidArgument, e.Code, "%v", err)
			assert.Contains(t, e.Field+e.Message, test.names)
			assert.True(t, e.NothingSent)
		})
	}
	assert.Zero(t, f.count("GET /services/data/v62.0/query"), "nothing of it was sent")
}

func TestSchema(t *testing.T) {
	srv := salesforcetest.New(t)
	client := dial(t, simulated(srv))
	schema, err := client.Schema(t.Context(), "Contact")
	require.NoError(t, err)
	assert.Equal(t, adapter.Many2One, schema.Fields["AccountId"].Type)
	assert.Equal(t, "Account", schema.Fields["AccountId"].Relation)
	up := schema.Fields["Account"]
	assert.Equal(t, adapter.Field{Type: adapter.Many2One, Native: "relationship", Relation: "Account", Label: up.Label, Readonly: true, Stored: true, Searchable: true}, up)
	account, err := client.Schema(t.Context(), "Account")
	require.NoError(t, err)
	down := account.Fields["Contacts"]
	assert.Equal(t, adapter.One2Many, down.Type)
	assert.Equal(t, "Contact", down.Relation)
	assert.Equal(t, "AccountId", down.Inverse)
	sample, err := client.Schema(t.Context(), "Sample__c")
	require.NoError(t, err)
	assert.True(t, sample.Fields["Name"].Required)
	assert.Equal(t, adapter.Monetary, sample.Fields["Amount__c"].Type)
	assert.False(t, sample.Fields["Note__c"].Searchable)
	assert.NotEmpty(t, sample.Fields["Kind__c"].Selection)

	// A description is read once, and asked for again when a field is missing.
	srv.ResetCounters()
	_, err = client.Schema(t.Context(), "Sample__c")
	require.NoError(t, err)
	assert.Zero(t, srv.TotalRequests())
}

func TestUnusualObjects(t *testing.T) {
	f := newFake(t, nil)
	client := dial(t, f.config())
	schema, err := client.Schema(t.Context(), "Thing__c")
	require.NoError(t, err)
	assert.Equal(t, adapter.Unknown, schema.Fields["New__c"].Type)
	assert.Equal(t, "hologram", schema.Fields["New__c"].Native)
	assert.Equal(t, adapter.Reference, schema.Fields["Any__c"].Type, "one of several objects")
	assert.Empty(t, schema.Fields["Any__c"].Relation)
	assert.NotContains(t, schema.Fields, "Olds__r")
	for _, name := range []string{"", "no.such.model", "x/../y", "a b", "'; --", strings.Repeat("x", 200), "Ünicode"} {
		_, err := client.Schema(t.Context(), name)
		require.ErrorIs(t, err, adapter.ErrNotFound, name)
	}
	assert.Zero(t, f.count("GET /services/data/v62.0/sobjects/x"), "a name that can't be one is not sent")
	_, err = client.Schema(t.Context(), "Nothing__c")
	require.ErrorIs(t, err, adapter.ErrNotFound)
}

func TestNumbersKeepTheirDigits(t *testing.T) {
	f := newFake(t, map[string]http.HandlerFunc{"GET /services/data/v62.0/query": text(
		`{"totalSize":1,"done":true,"records":[{"attributes":{"type":"Thing__c"},"Id":"a010000000000001AA","Calc__c":1.2345678901234567890E+21,"Name":null,"SystemModstamp":"2025-03-14T15:09:26.000+0000"}]}`)})
	client := dial(t, f.config())
	page, err := client.Query(t.Context(), adapter.Query{Model: "Thing__c", Fields: []string{"Calc__c", "Name", "SystemModstamp"}})
	require.NoError(t, err)
	assert.Equal(t, adapter.Record{"Id": "a010000000000001AA", "Calc__c": json.Number("1.2345678901234567890E+21"), "Name": nil, "SystemModstamp": "2025-03-14 15:09:26"}, page.Records[0])
	page, err = client.Query(t.Context(), adapter.Query{Model: "Thing__c", Fields: []string{"SystemModstamp"}, Plain: true})
	require.NoError(t, err)
	assert.Equal(t, "2025-03-14T15:09:26Z", page.Records[0]["SystemModstamp"])
}
