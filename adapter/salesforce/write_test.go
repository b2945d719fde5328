package salesforce_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
)

// badAmong makes n records of which three are bad: by a field that is not
// there, by a missing value, and by a rule of the organization's own.
func badAmong(srv *salesforcetest.Server, n int) ([]adapter.Record, map[int]string) {
	srv.SetRecordFault(salesforcetest.RecordFault{Object: "Sample__c", Contains: "forbidden", Message: "That name is taken, says the rule", Fields: []string{"Name"}})
	values := make([]adapter.Record, n)
	for i := range values {
		values[i] = adapter.Record{"Name": fmt.Sprintf("each %d", i%50), "Count__c": i, "Flag__c": true, "Note__c": "with, a \"comma\"\nand lines", "Day__c": time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)}
	}
	values[3] = adapter.Record{"Name": "x", "Count__c": 3, "no_such_field": 1}
	delete(values[120], "Name")
	values[n-1]["Name"] = "forbidden"
	return values, map[int]string{3: "no_such_field", 120: "Name", n - 1: "says the rule"}
}

// checkEach holds the outcome of a CreateEach against what is there.
func checkEach(t *testing.T, client *salesforce.Client, ids []adapter.ID, err error, values []adapter.Record, bad map[int]string) {
	t.Helper()
	var partial *adapter.PartialError
	require.ErrorAs(t, err, &partial)
	require.Len(t, partial.Failed, len(bad), "%v", err)
	assert.Equal(t, ids, partial.Done)
	for i, want := range bad {
		assert.ErrorIs(t, partial.Failed[i], adapter.ErrInvalidArgument)
		e, ok := errors.AsType[*adapter.Error](partial.Failed[i])
		require.True(t, ok)
		assert.Contains(t, e.Field+" "+e.Message, want, "record %d", i)
		assert.True(t, ids[i].IsZero())
	}
	var good []adapter.ID
	var places []int
	for i, id := range ids {
		if !id.IsZero() {
			good, places = append(good, id), append(places, i)
		}
	}
	require.Len(t, good, len(values)-len(bad))
	records, err := client.Read(t.Context(), "Sample__c", good, []string{"Name", "Count__c", "Note__c", "Day__c"})
	require.NoError(t, err)
	require.Len(t, records, len(good))
	for n, r := range records {
		if want := values[places[n]]; r.Int("Count__c") != int64(places[n]) || r["Name"] != want["Name"] || r["Note__c"] != want["Note__c"] || r["Day__c"] != "2025-01-02" {
			require.Fail(t, "the id of another record", "record %d: %v", places[n], r)
		}
	}
}

func TestCreateEach(t *testing.T) {
	for name, threshold := range map[string]int{"collections": -1, "bulk": 200} {
		t.Run(name, func(t *testing.T) {
			srv, client := seeded(t, 0, func(c *salesforce.Config) { c.BulkThreshold = threshold })
			values, bad := badAmong(srv, 250)
			srv.ResetCounters()
			ids, err := client.CreateEach(t.Context(), "Sample__c", values)
			checkEach(t, client, ids, err, values, bad)
			if threshold < 0 {
				assert.Equal(t, 2, srv.Requests()["POST /composite/sobjects"])
			} else {
				assert.Equal(t, 1, srv.Requests()["POST /jobs/ingest"])
				assert.Zero(t, srv.Requests()["POST /composite/sobjects"])
			}
		})
	}
}

// TestCreateEachInBulk has rows that are equal, nested and not for a table.
func TestCreateEachInBulk(t *testing.T) {
	srv, client := seeded(t, 0, func(c *salesforce.Config) { c.BulkThreshold = 10 })
	var values []adapter.Record
	for range 15 {
		values = append(values, adapter.Record{"Name": "the same", "Code__c": nil})
	}
	values = append(values,
		adapter.Record{"Name": "#N/A", "Code__c": "#N/A"},
		adapter.Record{"Name": "lines of Windows", "Note__c": "one\r\ntwo"},
		adapter.Record{"Name": "with lines", "Children__r": []any{map[string]any{"Name": "line 1"}, map[string]any{"Name": "line 2"}}},
	)
	ids, err := client.CreateEach(t.Context(), "Sample__c", values)
	require.NoError(t, err)
	seen := map[adapter.ID]bool{}
	for _, id := range ids {
		assert.False(t, id.IsZero())
		assert.False(t, seen[id])
		seen[id] = true
	}
	records, err := client.Read(t.Context(), "Sample__c", ids, []string{"Name", "Code__c", "Note__c", "Children__r.Name"})
	require.NoError(t, err)
	assert.Equal(t, "#N/A", records[15]["Code__c"], "a text that would mean nothing in a table")
	assert.Equal(t, "one\r\ntwo", records[16]["Note__c"])
	assert.Len(t, records[17]["Children__r"], 2)
	assert.Equal(t, 1, srv.Requests()["POST /jobs/ingest"])
}

// TestBulkJobsThatFail learns what became of the records, or says that it did
// not.
func TestBulkJobsThatFail(t *testing.T) {
	records := func(n int) []adapter.Record {
		var values []adapter.Record
		for i := range n {
			values = append(values, adapter.Record{"Name": fmt.Sprint("r", i)})
		}
		return values
	}
	for name, test := range map[string]struct {
		fault   salesforcetest.Fault
		code    adapter.Code
		created bool
		nothing bool
	}{
		"the job can't be made":     {salesforcetest.Fault{Method: "POST", Path: "/jobs/ingest", Status: 503}, adapter.Unavailable, false, true},
		"the upload is cut":         {salesforcetest.Fault{Method: "PUT", Path: "/jobs/ingest", Reset: true}, adapter.Unavailable, false, true},
		"the start is refused":      {salesforcetest.Fault{Method: "PATCH", Path: "/jobs/ingest", Times: 1, ErrorCode: "INVALIDJOBSTATE", Message: "no"}, adapter.InvalidArgument, false, false},
		"the start gets no answer":  {salesforcetest.Fault{Method: "PATCH", Path: "/jobs/ingest", Times: 1, Reset: true, AfterCall: true}, "", true, false},
		"the start never arrives":   {salesforcetest.Fault{Method: "PATCH", Path: "/jobs/ingest", Times: 1, Reset: true}, adapter.Unavailable, false, true},
		"the state can't be asked":  {salesforcetest.Fault{Method: "GET", Path: "/jobs/ingest", Status: 503}, adapter.UnknownOutcome, true, false},
		"the results can't be read": {salesforcetest.Fault{Method: "GET", Path: "/jobs/ingest/{id}/successfulResults", Cut: true}, adapter.UnknownOutcome, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			srv, client := seeded(t, 0, func(c *salesforce.Config) { c.BulkThreshold = 5; c.BulkTimeout = 2 * time.Second })
			srv.SetFault(test.fault)
			ids, err := client.CreateEach(t.Context(), "Sample__c", records(20))
			srv.SetFault()
			if test.code == "" {
				require.NoError(t, err)
				assert.Equal(t, 20, srv.Count("Sample__c"))
				return
			}
			var partial *adapter.PartialError
			require.ErrorAs(t, err, &partial)
			assert.Len(t, ids, 20)
			require.NotEmpty(t, partial.Failed)
			for _, err := range partial.Failed {
				require.Equal(t, test.code, adapter.CodeOf(err), "%v", err)
				e, _ := errors.AsType[*adapter.Error](err)
				assert.Equal(t, test.nothing, e.NothingSent, "%v", err)
			}
			if !test.created {
				assert.Zero(t, srv.Count("Sample__c"))
			}
		})
	}
}

func TestCreateMany(t *testing.T) {
	srv, client := seeded(t, 0, nil)
	many := func(n int) []adapter.Record {
		values := make([]adapter.Record, n)
		for i := range values {
			values[i] = adapter.Record{"Name": fmt.Sprint("many ", i), "Count__c": i}
		}
		return values
	}
	for _, n := range []int{1, 2, 200, 201, 1000} {
		ids, err := client.CreateMany(t.Context(), "Sample__c", many(n))
		require.NoError(t, err)
		records, err := client.Read(t.Context(), "Sample__c", ids, []string{"Count__c"})
		require.NoError(t, err)
		require.Len(t, records, n)
		for i, r := range records {
			require.EqualValues(t, i, r.Int("Count__c"))
		}
	}
	before := srv.Count("Sample__c")
	srv.SetRecordFault(salesforcetest.RecordFault{Object: "Sample__c", Contains: "bad", Message: "the rule says no"})
	for _, n := range []int{5, 150, 350, 1000} {
		values := many(n)
		values[n/2]["Name"] = "bad"
		_, err := client.CreateMany(t.Context(), "Sample__c", values)
		require.ErrorIs(t, err, adapter.ErrInvalidArgument)
		assert.ErrorContains(t, err, "the rule says no")
		assert.Equal(t, before, srv.Count("Sample__c"), "all or none")
	}
	_, err := client.CreateMany(t.Context(), "Sample__c", many(1001))
	require.ErrorIs(t, err, adapter.ErrUnsupported)
	assert.ErrorContains(t, err, "1000")
	assert.Equal(t, before, srv.Count("Sample__c"))
}

func TestNestedCreate(t *testing.T) {
	srv, client := seeded(t, 0, nil)
	ctx := t.Context()
	lines := func(n int) []any {
		var list []any
		for i := range n {
			list = append(list, map[string]any{"Name": fmt.Sprint("line ", i), "Count__c": i})
		}
		return list
	}
	id, err := client.Create(ctx, "Sample__c", adapter.Record{
		"Name": "head", "Parent__r": map[string]any{"Name": "above", "External_Id__c": "A-1"},
		"Children__r": []adapter.Record{{"Name": "line", "Children__r": lines(2)}},
	})
	require.NoError(t, err)
	read, err := client.Read(ctx, "Sample__c", []adapter.ID{id}, []string{"Parent__r.Name", "Children__r.Name"})
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"Name": "above"}, read[0]["Parent__r"])
	assert.Equal(t, []any{map[string]any{"Name": "line"}}, read[0]["Children__r"])
	assert.Equal(t, 5, srv.Count("Sample__c"))

	// A reference by an external id.
	id, err = client.Create(ctx, "Sample__c", adapter.Record{"Name": "second", "Parent__r": map[string]any{"External_Id__c": "A-1"}})
	require.NoError(t, err)
	read, err = client.Read(ctx, "Sample__c", []adapter.ID{id}, []string{"Parent__r.Name"})
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"Name": "above"}, read[0]["Parent__r"])

	before := srv.Count("Sample__c")
	srv.SetRecordFault(salesforcetest.RecordFault{Object: "Sample__c", Contains: "bad", Message: "the rule says no"})
	for name, test := range map[string]struct {
		values adapter.Record
		code   adapter.Code
		names  string
	}{
		"a bad line":         {adapter.Record{"Name": "h", "Children__r": []any{map[string]any{"Name": "good"}, map[string]any{"Name": "bad"}}}, adapter.InvalidArgument, "the rule says no"},
		"an unknown field":   {adapter.Record{"Name": "h", "Children__r": []any{map[string]any{"Name": "x", "Nope": 1}}}, adapter.InvalidArgument, "Children__r[0].Nope"},
		"no list":            {adapter.Record{"Name": "h", "Children__r": "x"}, adapter.InvalidArgument, "Children__r"},
		"a list of no lines": {adapter.Record{"Name": "h", "Children__r": []any{7}}, adapter.InvalidArgument, "Children__r"},
		"too many lines":     {adapter.Record{"Name": "h", "Children__r": lines(500)}, adapter.Unsupported, "500"},
		"a reference within": {adapter.Record{"Name": "@{r1.id}", "Children__r": lines(1)}, adapter.Unsupported, "Name"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.Create(ctx, "Sample__c", test.values)
			e, ok := errors.AsType[*adapter.Error](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, test.code, e.Code, "%v", err)
			assert.Contains(t, e.Field+" "+e.Message, test.names)
			assert.Equal(t, before, srv.Count("Sample__c"), "all or none")
		})
	}
	err = client.Update(ctx, "Sample__c", []adapter.ID{id}, adapter.Record{"Children__r": lines(1)})
	require.ErrorIs(t, err, adapter.ErrUnsupported)
	_, err = client.Create(ctx, "Sample__c", adapter.Record{"Name": "@{r1.id}"})
	require.NoError(t, err, "alone it is a text like any other")
	ids, err := client.CreateMany(ctx, "Sample__c", []adapter.Record{{"Name": "one", "Children__r": lines(3)}, {"Name": "two"}, {"Name": "three", "Children__r": lines(400)}})
	require.NoError(t, err)
	assert.Len(t, ids, 3)
	n, err := client.Count(ctx, "Sample__c", adapter.Cond{Field: "Parent__c", Op: "=", Value: ids[2]})
	require.NoError(t, err)
	assert.EqualValues(t, 400, n)
}

func TestUpdateAndDeleteMany(t *testing.T) {
	srv, client := seeded(t, 2500, nil)
	ctx := t.Context()
	ids, err := client.SearchIDs(ctx, adapter.Query{Model: "Sample__c"})
	require.NoError(t, err)
	count := func(code string) int64 {
		t.Helper()
		n, err := client.Count(ctx, "Sample__c", adapter.Cond{Field: "Code__c", Op: "=", Value: code})
		require.NoError(t, err)
		return n
	}
	for _, n := range []int{2, 200, 201, 1000, 2500} {
		code := fmt.Sprint("u", n)
		require.NoError(t, client.Update(ctx, "Sample__c", ids[:n], adapter.Record{"Code__c": code}))
		assert.EqualValues(t, n, count(code))
	}
	require.NoError(t, client.Update(ctx, "Sample__c", []adapter.ID{ids[0], ids[0], adapter.StringID(ids[0].String()[:15])}, adapter.Record{"Code__c": "twice"}))
	assert.EqualValues(t, 1, count("twice"))

	// One that is locked undoes its thousand; those before it stay.
	srv.LockRecord(ids[1500].String(), 100)
	err = client.Update(ctx, "Sample__c", ids, adapter.Record{"Code__c": "partly"})
	var partial *adapter.PartialError
	require.ErrorAs(t, err, &partial)
	assert.EqualValues(t, 1000, count("partly"))
	assert.Equal(t, ids[999], partial.Done[999])
	assert.ErrorIs(t, partial.Failed[1000], adapter.ErrConflict)
	assert.Len(t, partial.Failed, 1500)
	err = client.Update(ctx, "Sample__c", ids[1400:1700], adapter.Record{"Code__c": "none"})
	require.ErrorIs(t, err, adapter.ErrConflict)
	assert.Zero(t, count("none"), "all or none")
	srv.LockRecord(ids[1500].String(), 0)

	other, err := client.Create(ctx, "Account", adapter.Record{"Name": "not a sample"})
	require.NoError(t, err)
	for _, wrong := range []adapter.ID{other, adapter.IntID(7), adapter.StringID("x"), adapter.StringID("a00' OR Id !=")} {
		require.ErrorIs(t, client.Delete(ctx, "Sample__c", []adapter.ID{ids[0], wrong}), adapter.ErrNotFound)
		require.ErrorIs(t, client.Delete(ctx, "Sample__c", []adapter.ID{wrong}), adapter.ErrNotFound)
		require.ErrorIs(t, client.Update(ctx, "Sample__c", []adapter.ID{wrong}, adapter.Record{"Name": "x"}), adapter.ErrNotFound)
	}
	assert.Equal(t, 2500, srv.Count("Sample__c"))
	require.NoError(t, client.Delete(ctx, "Sample__c", ids[:3]))
	require.ErrorIs(t, client.Delete(ctx, "Sample__c", ids[:10]), adapter.ErrNotFound)
	assert.Equal(t, 2497, srv.Count("Sample__c"), "all or none")
	require.NoError(t, client.Delete(ctx, "Sample__c", ids[3:]))
	assert.Zero(t, srv.Count("Sample__c"))
}

func TestValuesAreConverted(t *testing.T) {
	_, client := seeded(t, 0, nil)
	ctx := t.Context()
	parent, err := client.Create(ctx, "Sample__c", adapter.Record{"Name": "parent"})
	require.NoError(t, err)
	id, err := client.Create(ctx, "Sample__c", adapter.Record{"Name": "x"})
	require.NoError(t, err)
	for _, test := range []struct {
		field string
		value any
		want  any
	}{
		{"Parent__c", parent, parent.String()},
		{"Parent__c", nil, nil},
		{"Parent__c", adapter.Ref{ID: parent}, parent.String()},
		{"Parent__c", []any{parent.String(), "parent"}, parent.String()},
		{"Parent__c", parent.String()[:15], parent.String()},
		{"Parent__c", map[string]any{"id": parent.String()}, parent.String()},
		{"Parent__c", false, nil},
		{"Count__c", "12", json.Number("12")},
		{"Count__c", json.Number("13"), json.Number("13")},
		{"Count__c", int32(14), json.Number("14")},
		{"Count__c", false, nil},
		{"Ratio__c", 1.5, json.Number("1.5")},
		{"Flag__c", "true", true},
		{"Flag__c", nil, false},
		{"Flag__c", 1, true},
		{"Day__c", "2025-03-14T23:30:00-08:00", "2025-03-14"},
		{"Day__c", time.Date(2025, 3, 15, 0, 0, 0, 0, time.UTC), "2025-03-15"},
		{"Day__c", "", nil},
		{"Moment__c", "2025-03-14T23:30:00-08:00", "2025-03-15 07:30:00"},
		{"Moment__c", "2025-03-14", "2025-03-14 00:00:00"},
		{"Tags__c", []any{"red", "blue"}, "red;blue"},
		{"Tags__c", []string{"green"}, "green"},
		{"Tags__c", []any{}, nil},
		{"Code__c", 7, "7"},
		{"Code__c", json.Number("7.50"), "7.50"},
	} {
		require.NoError(t, client.Update(ctx, "Sample__c", []adapter.ID{id}, adapter.Record{test.field: test.value}), "%s = %v", test.field, test.value)
		records, err := client.Read(ctx, "Sample__c", []adapter.ID{id}, []string{test.field})
		require.NoError(t, err)
		assert.Equal(t, test.want, records[0][test.field], "%s = %#v", test.field, test.value)
	}
	for _, test := range []struct {
		field string
		value any
	}{
		{"Count__c", "many"}, {"Count__c", true}, {"Count__c", []any{1}}, {"Count__c", math.NaN()}, {"Ratio__c", math.Inf(1)},
		{"Day__c", "soon"}, {"Day__c", 7}, {"Moment__c", "2025-13-01"}, {"Flag__c", "perhaps"}, {"Name", "\xff"},
		{"Parent__c", map[string]any{"Name": "x"}}, {"Parent__c", 7}, {"Tags__c", []any{"a;b"}}, {"Tags__c", []any{7}}, {"Name", []any{"x"}},
		{"CreatedDate", "2025-01-01"}, {"Id", "a00000000000001AAA"}, {"Number__c", "x"}, {"Children", 1},
	} {
		err := client.Update(ctx, "Sample__c", []adapter.ID{id}, adapter.Record{test.field: test.value})
		e, ok := errors.AsType[*adapter.Error](err)
		require.True(t, ok, "%s = %v: %v", test.field, test.value, err)
		assert.Equal(t, adapter.InvalidArgument, e.Code)
		assert.Equal(t, test.field, e.Field)
	}
}

func TestConditional(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	srv, err := salesforcetest.Start(salesforcetest.Config{Now: func() time.Time { return now }})
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	client := dial(t, simulated(srv))
	ctx := t.Context()
	id, err := client.Create(ctx, "Account", adapter.Record{"Name": "x"})
	require.NoError(t, err)
	tag, err := client.ETag(ctx, "Account", id)
	require.NoError(t, err)
	now = now.Add(2 * time.Second)
	require.NoError(t, client.UpdateIf(ctx, "Account", id, tag, adapter.Record{"Name": "y"}))
	require.ErrorIs(t, client.UpdateIf(ctx, "Account", id, tag, adapter.Record{"Name": "z"}), adapter.ErrPreconditionFailed)
	require.ErrorIs(t, client.DeleteIf(ctx, "Account", id, tag), adapter.ErrPreconditionFailed)
	tag, err = client.ETag(ctx, "Account", id)
	require.NoError(t, err)

	// What changes between the look and the change is Salesforce's to see.
	now = now.Add(2 * time.Second)
	srv.SetFault(salesforcetest.Fault{Path: "/sobjects/Account", Method: http.MethodGet, Times: 1,
		Body: `{"attributes":{"type":"Account"},"SystemModstamp":"` + strings.Replace(tag, "Z", ".000+0000", 1) + `"}`, ContentType: "application/json"})
	require.NoError(t, srv.Update("Account", id.String(), map[string]any{"Name": "in between"}))
	require.ErrorIs(t, client.UpdateIf(ctx, "Account", id, tag, adapter.Record{"Name": "late"}), adapter.ErrPreconditionFailed)
	srv.SetFault(salesforcetest.Fault{Path: "/sobjects/Account", Method: http.MethodGet, Times: 1,
		Body: `{"attributes":{"type":"Account"},"SystemModstamp":"` + strings.Replace(tag, "Z", ".000+0000", 1) + `"}`, ContentType: "application/json"})
	require.ErrorIs(t, client.DeleteIf(ctx, "Account", id, tag), adapter.ErrPreconditionFailed)
	records, err := client.Read(ctx, "Account", []adapter.ID{id}, []string{"Name"})
	require.NoError(t, err)
	assert.Equal(t, "in between", records[0]["Name"])

	require.ErrorIs(t, client.UpdateIf(ctx, "Account", id, "2099-01-01T00:00:00Z", adapter.Record{"Name": "z"}), adapter.ErrPreconditionFailed, "a tag of the future")
	for _, bad := range []string{"", "x", "2026-05-01", `"W/5"`} {
		require.ErrorIs(t, client.UpdateIf(ctx, "Account", id, bad, adapter.Record{"Name": "z"}), adapter.ErrInvalidArgument)
	}
	tag, err = client.ETag(ctx, "Account", id)
	require.NoError(t, err)
	require.NoError(t, client.DeleteIf(ctx, "Account", id, tag))
	require.ErrorIs(t, client.DeleteIf(ctx, "Account", id, tag), adapter.ErrNotFound)
	_, err = client.ETag(ctx, "Account", id)
	require.ErrorIs(t, err, adapter.ErrNotFound)
}

func TestUpsert(t *testing.T) {
	srv, client := seeded(t, 0, nil)
	ctx := t.Context()
	key := "K/1 ü?#'"
	id, created, err := client.Upsert(ctx, "Sample__c", "External_Id__c", key, adapter.Record{"Name": "first"})
	require.NoError(t, err)
	assert.True(t, created)
	again, created, err := client.Upsert(ctx, "Sample__c", "External_Id__c", key, adapter.Record{"Name": "second", "External_Id__c": key})
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, id, again)
	records, err := client.Read(ctx, "Sample__c", []adapter.ID{id}, []string{"Name", "External_Id__c"})
	require.NoError(t, err)
	assert.Equal(t, adapter.Record{"Id": id.String(), "Name": "second", "External_Id__c": key}, records[0])
	for _, bad := range []struct {
		key, value string
		values     adapter.Record
	}{
		{"Code__c", "x", adapter.Record{"Name": "x"}}, {"Nope", "x", adapter.Record{"Name": "x"}}, {"External_Id__c", "", adapter.Record{"Name": "x"}},
		{"External_Id__c", "x", adapter.Record{"Name": "x", "External_Id__c": "y"}}, {"External_Id__c", "x", adapter.Record{"Nope": 1}}, {"Id", "x", adapter.Record{"Name": "x"}},
	} {
		_, _, err := client.Upsert(ctx, "Sample__c", bad.key, bad.value, bad.values)
		require.ErrorIs(t, err, adapter.ErrInvalidArgument, "%v", bad)
	}
	assert.Equal(t, 1, srv.Count("Sample__c"))

	several := newFake(t, map[string]http.HandlerFunc{
		"PATCH /services/data/v62.0/sobjects/Thing__c/Key__c/many": status(300, `["/services/data/v62.0/sobjects/Thing__c/a010000000000001AA"]`),
		"PATCH /services/data/v62.0/sobjects/Thing__c/Key__c/old":  status(204, ``),
		"GET /services/data/v62.0/sobjects/Thing__c/Key__c/old":    text(`{"Id":"a01000000000001"}`),
	})
	old := dial(t, several.config())
	_, _, err = old.Upsert(ctx, "Thing__c", "Key__c", "many", nil)
	require.ErrorIs(t, err, adapter.ErrConflict)
	id, created, err = old.Upsert(ctx, "Thing__c", "Key__c", "old", nil)
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, "a01000000000001AAA", id.String())
}

func TestChanges(t *testing.T) {
	srv, client := seeded(t, 3, nil)
	ctx := t.Context()
	ask := func(cursor string, limit int) adapter.ChangePage {
		t.Helper()
		page, err := client.Changes(ctx, adapter.ChangeQuery{Model: "Sample__c", Fields: []string{"Name"}, Cursor: cursor, Limit: limit})
		require.NoError(t, err)
		require.NotEmpty(t, page.Next)
		return page
	}
	begin := ask("", 0)
	assert.Empty(t, begin.Changes)
	ids, err := client.CreateMany(ctx, "Sample__c", []adapter.Record{{"Name": "a"}, {"Name": "b"}, {"Name": "c"}, {"Name": "d"}})
	require.NoError(t, err)
	require.NoError(t, client.Delete(ctx, "Sample__c", ids[3:]))
	require.NoError(t, client.Update(ctx, "Sample__c", ids[:1], adapter.Record{"Name": "a again"}))

	for _, limit := range []int{0, 1, 2} {
		seen := map[adapter.ID]adapter.Change{}
		cursor := begin.Next
		for range 20 {
			page := ask(cursor, limit)
			if limit > 0 {
				assert.LessOrEqual(t, len(page.Changes), limit)
			}
			for _, ch := range page.Changes {
				seen[ch.ID] = ch
			}
			cursor = page.Next
			if !page.More {
				break
			}
		}
		for i, name := range []string{"a again", "b", "c"} {
			require.Contains(t, seen, ids[i])
			assert.Equal(t, name, seen[ids[i]].Record["Name"])
			assert.False(t, seen[ids[i]].Deleted)
		}
		require.Contains(t, seen, ids[3])
		assert.True(t, seen[ids[3]].Deleted)
		assert.Nil(t, seen[ids[3]].Record)
	}
	// What was told is not told again, unless it changed once more, be it within
	// the same second.
	all := ask(begin.Next, 0)
	assert.Len(t, all.Changes, 7, "the three that were there are young enough to come along")
	assert.Empty(t, ask(all.Next, 0).Changes)
	require.NoError(t, client.Update(ctx, "Sample__c", ids[1:2], adapter.Record{"Name": "b again"}))
	more := ask(all.Next, 0)
	require.Len(t, more.Changes, 1)
	assert.Equal(t, "b again", more.Changes[0].Record["Name"])
	assert.Empty(t, ask(more.Next, 0).Changes)
	for _, bad := range []string{"x", "AAAA", begin.Next + "x"} {
		_, err := client.Changes(ctx, adapter.ChangeQuery{Model: "Sample__c", Cursor: bad})
		require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	}
	_, err = client.Changes(ctx, adapter.ChangeQuery{Model: "Account", Cursor: begin.Next})
	require.ErrorIs(t, err, adapter.ErrInvalidArgument, "a cursor of another model")
	_, err = client.Changes(ctx, adapter.ChangeQuery{Model: "Sample__c", Fields: []string{"Nope"}})
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)

	srv.SetFault(salesforcetest.Fault{Path: "/sobjects/Sample__c/updated", ErrorCode: "INVALID_REPLICATION_DATE", Message: "startDate before org replication enabled date"})
	_, err = client.Changes(ctx, adapter.ChangeQuery{Model: "Sample__c", Cursor: begin.Next})
	require.ErrorIs(t, err, adapter.ErrPreconditionFailed)
}

func TestChangesThatAreForgotten(t *testing.T) {
	old := salesforce.ChangeCursor("Thing__c", time.Now().AddDate(0, 0, -16))
	recent := salesforce.ChangeCursor("Thing__c", time.Now().AddDate(0, 0, -3))
	f := newFake(t, map[string]http.HandlerFunc{
		"GET /services/data/v62.0/sobjects/Thing__c/updated": text(`{"ids":[],"latestDateCovered":"2099-01-01T00:00:00.000+0000"}`),
		"GET /services/data/v62.0/sobjects/Thing__c/deleted": text(`{"deletedRecords":[],"earliestDateAvailable":"` + time.Now().AddDate(0, 0, -2).UTC().Format("2006-01-02T15:04:05.000-0700") + `","latestDateCovered":"2099-01-01T00:00:00.000+0000"}`),
	})
	client := dial(t, f.config())
	_, err := client.Changes(t.Context(), adapter.ChangeQuery{Model: "Thing__c", Cursor: old})
	require.ErrorIs(t, err, adapter.ErrPreconditionFailed)
	assert.Zero(t, f.count("GET /services/data/v62.0/sobjects/Thing__c/updated"))
	_, err = client.Changes(t.Context(), adapter.ChangeQuery{Model: "Thing__c", Cursor: recent})
	require.ErrorIs(t, err, adapter.ErrPreconditionFailed, "deletions were forgotten")
}

func TestFiles(t *testing.T) {
	srv, client := seeded(t, 1, func(c *salesforce.Config) { c.MaxAttachment = 1 << 20 })
	ctx := t.Context()
	ids, err := client.SearchIDs(ctx, adapter.Query{Model: "Sample__c"})
	require.NoError(t, err)
	file := adapter.Attachment{Name: "note.pdf", Model: "Sample__c", RecordID: ids[0]}
	content := strings.Repeat("\x00--boundary\r\n", 5000)
	sized := file
	sized.Size = int64(len(content))
	for name, f := range map[string]adapter.Attachment{"in chunks": file, "of a size": sized} {
		made, err := client.Attach(ctx, f, iotest.OneByteReader(strings.NewReader(content)))
		require.NoError(t, err, name)
		assert.Equal(t, "application/pdf", made.MIMEType)
		assert.EqualValues(t, len(content), made.Size)
		info, body, err := client.OpenAttachment(ctx, made.ID)
		require.NoError(t, err)
		got, err := io.ReadAll(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		assert.Equal(t, content, string(got))
		assert.Equal(t, "note.pdf", info.Name)
	}
	list, err := client.Attachments(ctx, "Sample__c", ids[0])
	require.NoError(t, err)
	assert.Len(t, list, 2)

	files := srv.Count("ContentVersion")
	for name, test := range map[string]struct {
		file    adapter.Attachment
		content io.Reader
		code    adapter.Code
	}{
		"too large":            {file, io.LimitReader(zeros{}, 2<<20), adapter.InvalidArgument},
		"announced too large":  {adapter.Attachment{Name: "x", Model: "Sample__c", RecordID: ids[0], Size: 2 << 20}, zeros{}, adapter.InvalidArgument},
		"shorter than it says": {sized, strings.NewReader("x"), adapter.InvalidArgument},
		"longer than it says":  {sized, strings.NewReader(content + "x"), adapter.InvalidArgument},
		"unreadable":           {file, iotest.ErrReader(errors.New("disk on fire")), adapter.InvalidArgument},
		"without a name":       {adapter.Attachment{Model: "Sample__c", RecordID: ids[0]}, strings.NewReader("x"), adapter.InvalidArgument},
		"of no record":         {adapter.Attachment{Name: "x", Model: "Sample__c"}, strings.NewReader("x"), adapter.NotFound},
	} {
		_, err := client.Attach(ctx, test.file, test.content)
		require.Equal(t, test.code, adapter.CodeOf(err), "%s: %v", name, err)
	}
	assert.Equal(t, files, srv.Count("ContentVersion"), "nothing of it was kept")

	// The session ends: what can be rewound is sent again.
	srv.ExpireTokens()
	_, err = client.Attach(ctx, file, strings.NewReader("again"))
	require.NoError(t, err)
	srv.ExpireTokens()
	_, err = client.Attach(ctx, file, io.MultiReader(strings.NewReader("once")))
	require.ErrorIs(t, err, adapter.ErrUnavailable)
	assert.True(t, adapter.Retryable(err, true))

	for _, missing := range []string{"069000000000000AAA", "x", "001000000000000AAA", ""} {
		_, _, err := client.OpenAttachment(ctx, adapter.StringID(missing))
		require.ErrorIs(t, err, adapter.ErrNotFound, missing)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestCall(t *testing.T) {
	srv := salesforcetest.New(t)
	srv.HandleApex("/echo", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, `{"method":%q,"query":%q,"body":%q}`, r.Method, r.URL.RawQuery, b)
	}))
	client := dial(t, simulated(srv))
	call := func(c adapter.Call) string {
		t.Helper()
		answer, err := client.Call(t.Context(), c)
		require.NoError(t, err, "%v", c)
		return string(answer)
	}
	assert.Contains(t, call(adapter.Call{Method: "limits"}), "DailyApiRequests")
	assert.Contains(t, call(adapter.Call{Method: "GET /limits"}), "DailyApiRequests")
	assert.Contains(t, call(adapter.Call{Model: "Account", Method: "describe"}), `"Name"`)
	assert.JSONEq(t, `{"method":"POST","query":"","body":"{\"a\":1}"}`, call(adapter.Call{Method: "apexrest/echo", Kwargs: map[string]any{"a": 1}}))
	assert.JSONEq(t, `{"method":"PATCH","query":"","body":"[1,2]"}`, call(adapter.Call{Method: "PATCH /services/apexrest/echo", Args: []any{[]int{1, 2}}}))
	assert.JSONEq(t, `{"method":"GET","query":"a=x+y\u0026b=2","body":""}`, call(adapter.Call{Method: "GET /services/apexrest/echo", Kwargs: map[string]any{"a": "x y", "b": 2}}))
	for _, bad := range []struct {
		call adapter.Call
		code adapter.Code
	}{
		{adapter.Call{Method: "GET /services/oauth2/userinfo"}, adapter.PermissionDenied},
		{adapter.Call{Method: "GET /services/data/../oauth2/token"}, adapter.InvalidArgument},
		{adapter.Call{Method: "GET https://elsewhere.example/"}, adapter.InvalidArgument},
		{adapter.Call{Method: "GET //elsewhere.example/"}, adapter.InvalidArgument},
		{adapter.Call{Method: "CONNECT /limits"}, adapter.InvalidArgument},
		{adapter.Call{Method: "query?q=SELECT"}, adapter.InvalidArgument},
		{adapter.Call{Method: ""}, adapter.InvalidArgument},
		{adapter.Call{Method: "limits", Args: []any{1}}, adapter.InvalidArgument},
		{adapter.Call{Method: "POST /x", Args: []any{1, 2}}, adapter.InvalidArgument},
		{adapter.Call{Method: "apexrest/nothing"}, adapter.NotFound},
		{adapter.Call{Model: "no.such.model", Method: "describe"}, adapter.NotFound},
		{adapter.Call{Model: "Account", Method: "no_such_method"}, adapter.NotFound},
	} {
		_, err := client.Call(t.Context(), bad.call)
		require.Equal(t, bad.code, adapter.CodeOf(err), "%v: %v", bad.call, err)
	}
	f := newFake(t, map[string]http.HandlerFunc{"GET /services/data/v62.0/plain": text("no JSON \xff"), "GET /services/data/v62.0/empty": text(" ")})
	plain := dial(t, f.config())
	answer, err := plain.Call(t.Context(), adapter.Call{Method: "plain"})
	require.NoError(t, err)
	assert.Equal(t, "\"no JSON \uFFFD\"", string(answer))
	answer, err = plain.Call(t.Context(), adapter.Call{Method: "empty"})
	require.NoError(t, err)
	assert.Equal(t, "null", string(answer))
}
