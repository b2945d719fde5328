package salesforce_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
)

// streamed reads all, and holds the records against each other: each number
// once, in order.
func streamed(t *testing.T, client *salesforce.Client, q adapter.Query, first, n int) {
	t.Helper()
	next := first
	for r, err := range client.Stream(t.Context(), q) {
		require.NoError(t, err)
		if r.Int("Count__c") != int64(next) {
			require.EqualValues(t, next, r.Int("Count__c"))
		}
		next++
	}
	assert.Equal(t, n, next-first)
}

// TestStream reads 100,000 records along both ways, in constant memory.
func TestStream(t *testing.T) {
	if testing.Short() {
		t.Skip("many records")
	}
	const n = many
	srv, bulk := seeded(t, n, nil)
	config := simulated(srv)
	config.BulkThreshold = -1
	rest := dial(t, config)
	q := adapter.Query{Model: "Sample__c", Fields: []string{"Name", "Count__c", "Flag__c", "Moment__c", "Parent__r.Name"}}
	for name, client := range map[string]*salesforce.Client{"query more": rest, "bulk": bulk} {
		t.Run(name, func(t *testing.T) {
			srv.ResetCounters()
			var before, now runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			most, next := uint64(0), 0
			for r, err := range client.Stream(t.Context(), q) {
				require.NoError(t, err)
				if r.Int("Count__c") != int64(next) || r.Bool("Flag__c") != (next%2 == 0) || r["Moment__c"] != nil || r["Parent__r"] != nil {
					require.Fail(t, "the wrong record", "%d: %v", next, r)
				}
				if next++; next%5000 == 0 {
					runtime.GC()
					runtime.ReadMemStats(&now)
					most = max(most, now.HeapAlloc)
				}
			}
			require.Equal(t, n, next)
			// The simulated organization, in the same process, holds its own.
			assert.Less(t, int64(most)-int64(before.HeapAlloc), int64(48<<20), "memory grows with the records")
			if client == bulk {
				assert.Equal(t, 1, srv.Requests()["POST /jobs/query"])
				assert.Equal(t, 1, srv.Requests()["GET /query"], "the first batch tells how many there are")
			} else {
				assert.Zero(t, srv.Requests()["POST /jobs/query"])
				assert.Equal(t, n/2000-1, srv.Requests()["GET /query/{locator}"])
			}
		})
	}
}

func TestStreamChoosesItsWay(t *testing.T) {
	srv, client := seeded(t, 5000, func(c *salesforce.Config) { c.BulkThreshold = 3000 })
	jobs := func(q adapter.Query, first, n int) int {
		t.Helper()
		srv.ResetCounters()
		q.Model, q.Fields = "Sample__c", append(q.Fields, "Count__c")
		streamed(t, client, q, first, n)
		return srv.Requests()["POST /jobs/query"]
	}
	assert.Equal(t, 1, jobs(adapter.Query{}, 0, 5000))
	assert.Equal(t, 1, jobs(adapter.Query{Order: []adapter.Order{{Field: "Id"}}}, 0, 5000))
	assert.Equal(t, 0, jobs(adapter.Query{Order: []adapter.Order{{Field: "Count__c"}}}, 0, 5000), "an order of its own")
	assert.Equal(t, 0, jobs(adapter.Query{Fields: []string{"Children__r.Name"}}, 0, 5000), "a relation to many")
	assert.Equal(t, 0, jobs(adapter.Query{Limit: 10}, 0, 10))
	assert.Equal(t, 0, jobs(adapter.Query{Limit: 2500}, 0, 2500), "few are wanted")
	assert.Equal(t, 1, jobs(adapter.Query{Limit: 4000}, 0, 4000))
	assert.Equal(t, 0, jobs(adapter.Query{Filter: adapter.Cond{Field: "Count__c", Op: ">=", Value: 4000}}, 4000, 1000), "few match")
	assert.Equal(t, 1, jobs(adapter.Query{Filter: adapter.And{
		adapter.Cond{Field: "Name", Op: adapter.Like, Value: "Sample"}, adapter.Cond{Field: "Count__c", Op: ">=", Value: 1000},
	}}, 1000, 4000), "what Salesforce can't tell is taken out here too")
}

// TestStreamOutlivesItsToken has the access token end again and again.
func TestStreamOutlivesItsToken(t *testing.T) {
	srv, client := seeded(t, 9000, nil)
	_, err := client.Schema(t.Context(), "Sample__c")
	require.NoError(t, err)
	next := 0
	for r, err := range client.Stream(t.Context(), adapter.Query{Model: "Sample__c", Fields: []string{"Count__c"}}) {
		require.NoError(t, err)
		require.EqualValues(t, next, r.Int("Count__c"))
		if next++; next%1500 == 0 {
			srv.ExpireTokens()
		}
	}
	assert.Equal(t, 9000, next)

	srv, client = seeded(t, 9000, func(c *salesforce.Config) { c.BulkThreshold = 5000 })
	_, err = client.Schema(t.Context(), "Sample__c")
	require.NoError(t, err)
	srv.ExpireTokensAfter(2)
	streamed(t, client, adapter.Query{Model: "Sample__c", Fields: []string{"Count__c"}}, 0, 9000)
}

// TestStreamGoesOnByID has Salesforce forget its cursor.
func TestStreamGoesOnByID(t *testing.T) {
	srv, client := seeded(t, 9000, nil)
	srv.SetFault(salesforcetest.Fault{Path: "/query/", Times: 1, Skip: 1, ErrorCode: "INVALID_QUERY_LOCATOR", Message: "invalid query locator"})
	streamed(t, client, adapter.Query{Model: "Sample__c", Fields: []string{"Count__c"}}, 0, 9000)
}

func TestStreamEnds(t *testing.T) {
	srv, client := seeded(t, 6000, func(c *salesforce.Config) { c.BulkThreshold = 3000 })
	q := adapter.Query{Model: "Sample__c", Fields: []string{"Count__c"}}
	for _, leave := range []int{1, 2000, 2001, 5000} {
		n := 0
		for _, err := range client.Stream(t.Context(), q) {
			require.NoError(t, err)
			if n++; n == leave {
				break
			}
		}
		assert.Equal(t, leave, n)
	}
	// A caller that leaves while the job runs gets its own error, once, and the
	// job is aborted.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n, failed := 0, 0
	for _, err := range client.Stream(ctx, q) {
		if err != nil {
			failed++
			assert.ErrorIs(t, err, adapter.ErrCanceled)
			continue
		}
		if n++; n == 2000 {
			cancel()
		}
	}
	assert.Equal(t, 1, failed)

	srv.SetFault(salesforcetest.Fault{Path: "/jobs/query", Method: http.MethodGet, ErrorCode: "SERVER_UNAVAILABLE", Status: 503})
	failed = 0
	for _, err := range client.Stream(t.Context(), q) {
		if err != nil {
			failed++
			assert.ErrorIs(t, err, adapter.ErrUnavailable)
		}
	}
	assert.Equal(t, 1, failed)
	for _, bad := range []adapter.Query{{Model: "Sample__c", Offset: 1}, {Model: "Sample__c", Cursor: "x"}, {Model: "Sample__c", Limit: -1}} {
		for _, err := range client.Stream(t.Context(), bad) {
			require.ErrorIs(t, err, adapter.ErrInvalidArgument)
		}
	}
}

// TestBulkValues reads the same values by both ways.
func TestBulkValues(t *testing.T) {
	srv, rest := seeded(t, 0, func(c *salesforce.Config) { c.BulkThreshold = -1 })
	_, err := srv.Seed("Sample__c", 2100, func(i int) map[string]any { return map[string]any{"Name": fmt.Sprint("pad ", i)} })
	require.NoError(t, err)
	// The first batch is of those, so that the bulk job has these.
	var last string
	for i, s := range append(hostile, "crlf\r\nin text", `"quoted", and comma`, "#N/A") {
		values := map[string]any{"Name": fmt.Sprint("n", i), "Note__c": s, "Code__c": fmt.Sprint("c", i), "Flag__c": i%2 == 0}
		if i%3 == 0 {
			values["Count__c"], values["Ratio__c"], values["Day__c"], values["Moment__c"] = i, float64(i)/4, "2025-01-02", "2025-01-02T03:04:05Z"
		}
		if i%4 == 1 {
			values["Parent__c"] = last
		}
		id, err := srv.Create("Sample__c", values)
		require.NoError(t, err)
		last = id
	}
	config := simulated(srv)
	config.BulkThreshold = 100
	bulk := dial(t, config)
	q := adapter.Query{
		Model: "Sample__c", Plain: true,
		Fields: []string{"Name", "Note__c", "Code__c", "Flag__c", "Count__c", "Ratio__c", "Day__c", "Moment__c", "Parent__c", "Parent__r.Name", "Parent__r.Flag__c", "Parent__r.Parent__r.Count__c"},
	}
	collect := func(client *salesforce.Client) []adapter.Record {
		var out []adapter.Record
		for r, err := range client.Stream(t.Context(), q) {
			require.NoError(t, err)
			out = append(out, r)
		}
		return out
	}
	srv.ResetCounters()
	want := collect(rest)
	assert.Zero(t, srv.Requests()["POST /jobs/query"])
	got := collect(bulk)
	assert.Equal(t, 1, srv.Requests()["POST /jobs/query"])
	require.Equal(t, len(want), len(got)) //nolint:testifylint // the records would fill the screen
	for i := range want {
		if !assert.Equal(t, want[i], got[i]) {
			break
		}
	}
}

// TestObjectsWithoutBulk goes on by the REST API where Salesforce takes no job.
func TestObjectsWithoutBulk(t *testing.T) {
	srv, client := seeded(t, 6000, func(c *salesforce.Config) { c.BulkThreshold = 100 })
	srv.SetFault(salesforcetest.Fault{Path: "/jobs/", Method: http.MethodPost, ErrorCode: "INVALIDENTITY", Message: "Entity 'Sample__c' is not supported by the Bulk API."})
	streamed(t, client, adapter.Query{Model: "Sample__c", Fields: []string{"Count__c"}}, 0, 6000)
	values := make([]adapter.Record, 300)
	for i := range values {
		values[i] = adapter.Record{"Name": "x"}
	}
	ids, err := client.CreateEach(t.Context(), "Sample__c", values)
	require.NoError(t, err)
	assert.Len(t, ids, 300)
	assert.Equal(t, 6300, srv.Count("Sample__c"))
	assert.Equal(t, 2, srv.Requests()["POST /composite/sobjects"])
}
