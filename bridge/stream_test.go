package bridge

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

func fill(t *testing.T, f *fake, partners int) {
	t.Helper()
	country, err := f.Adapter.Create(t.Context(), "res.country", adapter.Record{"name": "Saudi Arabia", "code": "SA"})
	require.NoError(t, err)
	values := make([]adapter.Record, partners)
	for i := range values {
		values[i] = adapter.Record{"name": fmt.Sprintf("P%05d", partners-i), "country_id": country.Value()}
	}
	_, err = f.CreateMany(t.Context(), "res.partner", values)
	require.NoError(t, err)
}

func TestEachReadsEverything(t *testing.T) {
	f := newFake()
	fill(t, f, 2500)
	var asked []adapter.Query
	f.query = func(ctx context.Context, q adapter.Query) (adapter.Page, error) {
		asked = append(asked, q)
		return f.Adapter.Query(ctx, q)
	}
	sys := build(t, nil, on(f)).sys(t)
	collect := func(q adapter.Query) (names []string) {
		t.Helper()
		asked = nil
		for r, err := range sys.Each(t.Context(), q) {
			require.NoError(t, err)
			names = append(names, r.String("name"))
		}
		return names
	}
	names := collect(adapter.Query{Model: "res.partner", Fields: []string{"name"}})
	require.Len(t, names, 2500)
	assert.Equal(t, "P02500", names[0], "by id")
	require.Len(t, asked, 3)
	for _, q := range asked {
		assert.Equal(t, []adapter.Order{{Field: "id"}}, q.Order)
		assert.Equal(t, eachPage, q.Limit, "never more than a page in memory")
	}
	names = collect(adapter.Query{Model: "res.partner", Fields: []string{"name"}, Order: []adapter.Order{{Field: "name"}}, Limit: 1500, Offset: 5})
	require.Len(t, names, 1500)
	assert.Equal(t, "P00006", names[0])
	assert.Equal(t, 500, asked[1].Limit, "the limit bounds the whole")

	for r, err := range sys.Each(t.Context(), adapter.Query{Model: "res.partner", Fields: []string{"name", "country_id.code"}, Limit: 3}) {
		require.NoError(t, err)
		assert.Equal(t, "SA", r["country_id.code"], "fields may lead through relations")
	}
	asked = nil
	for range sys.Each(t.Context(), adapter.Query{Model: "res.partner"}) {
		break
	}
	assert.Len(t, asked, 1, "no page is read ahead")
}

func TestEachStopsAtAnError(t *testing.T) {
	f := newFake()
	fill(t, f, 1500)
	boom := errors.New("boom")
	f.query = func(ctx context.Context, q adapter.Query) (adapter.Page, error) {
		if q.Cursor != "" {
			return adapter.Page{}, boom
		}
		return f.Adapter.Query(ctx, q)
	}
	sys := build(t, func(c *Config) { c.Retries = -1 }, on(f)).sys(t)
	n := 0
	var last error
	for r, err := range sys.Each(t.Context(), adapter.Query{Model: "res.partner"}) {
		if last = err; err == nil {
			n++
			require.NotNil(t, r)
		}
	}
	assert.Equal(t, eachPage, n)
	require.ErrorIs(t, last, boom)

	f.query = func(context.Context, adapter.Query) (adapter.Page, error) {
		return adapter.Page{Records: []adapter.Record{{"id": 1}}, Next: "same"}, nil
	}
	n = 0
	for _, err := range sys.Each(t.Context(), adapter.Query{Model: "res.partner"}) {
		last = err
		if n++; n > 5 {
			break
		}
	}
	assert.Equal(t, adapter.Internal, adapter.CodeOf(last), "a cursor that stands still")

	for _, err := range sys.Each(t.Context(), adapter.Query{Model: "no model!"}) {
		require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	}
	denied := build(t, func(c *Config) { c.Access = Access{} }, on(f)).sys(t)
	for _, err := range denied.Each(t.Context(), adapter.Query{Model: "res.partner"}) {
		require.ErrorIs(t, err, adapter.ErrPermissionDenied)
	}
}

// A long read waits for its turn on a busy system as long as it lives.
func TestEachIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		fill(t, f, 1)
		free := make(chan struct{})
		f.answer = func(ctx context.Context, _ adapter.Call) (string, error) {
			<-free
			return "1", nil
		}
		r := build(t, func(c *Config) { c.MaxConcurrent = 1; c.Retries = -1 }, on(f))
		defer r.cache.Close()
		defer r.Close()
		sys := r.sys(t)
		_, err := sys.nature(t.Context())
		require.NoError(t, err)
		done := make(chan error, 2)
		go func() {
			_, err := sys.Operation(t.Context(), "search_count", OperationRequest{Model: "m"})
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		rows := make(chan int, 1)
		go func() {
			n := 0
			for _, err := range sys.Each(t.Context(), adapter.Query{Model: "res.partner"}) {
				assert.NoError(t, err)
				n++
			}
			rows <- n
		}()
		time.Sleep(5 * DefaultMaxWait)
		close(free)
		assert.Equal(t, 1, <-rows)
		assert.GreaterOrEqual(t, time.Since(start), 5*DefaultMaxWait)
		require.NoError(t, <-done)

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, err := range r.sys(t).Each(ctx, adapter.Query{Model: "res.partner"}) {
			require.ErrorIs(t, err, context.Canceled)
		}
	})
}

func TestNames(t *testing.T) {
	f := newFake()
	fill(t, f, 1200)
	sys := build(t, nil, on(f)).sys(t)
	ids := make([]adapter.ID, 0, 1201)
	for i := range 1201 {
		ids = append(ids, adapter.IntID(int64(i+1)))
	}
	names, err := sys.Names(t.Context(), "res.partner", ids)
	require.NoError(t, err)
	assert.Len(t, names, 1200, "ids without a record are left out")
	assert.Equal(t, "P01200", names[adapter.IntID(1)])
	assert.Len(t, f.reads, 3, "in batches")
}
