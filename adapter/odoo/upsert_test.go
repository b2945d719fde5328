package odoo_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

// reserving is a simulated Odoo whose clock moves when it is told to, and a client.
type reserving struct {
	*odootest.Server
	client *odoo.Client
	now    time.Time
}

func newReserving(t *testing.T) *reserving {
	t.Helper()
	r := &reserving{now: time.Now()}
	r.Server = odootest.NewServer(odootest.Config{Version: "17.0", Now: func() time.Time { return r.now }})
	t.Cleanup(r.Close)
	r.client = dial(t, odoo.Config{URL: r.URL, Database: r.Database, Username: r.Username, Password: r.Password})
	return r
}

func (r *reserving) pass(d time.Duration) { r.now = r.now.Add(d) }

func (r *reserving) upsert(t *testing.T, values adapter.Record) (adapter.ID, bool, error) {
	t.Helper()
	return r.client.Upsert(t.Context(), "res.partner", "external_id", "app.one", values)
}

// named are the partners of a name.
func (r *reserving) named(t *testing.T, name string) []adapter.ID {
	t.Helper()
	ids, err := r.client.SearchIDs(t.Context(), adapter.Query{Model: "res.partner", Filter: adapter.Cond{Field: "name", Op: adapter.Equal, Value: name}})
	require.NoError(t, err)
	return ids
}

// busy checks that a call is told to come again, and when, as one that may be
// repeated by itself.
func busy(t *testing.T, err error, rest time.Duration) {
	t.Helper()
	e, ok := errors.AsType[*adapter.Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, adapter.Conflict, e.Code)
	assert.Equal(t, rest, e.RetryAfter)
	assert.True(t, adapter.Retryable(err, true))
}

// A call that broke off, wherever it did, leaves a name that is settled by a
// later one: not before the system can't be at it any more, and with one record.
func TestUpsertsThatBrokeOff(t *testing.T) {
	values := adapter.Record{"name": "Broken off", "color": 3}
	for name, tc := range map[string]struct {
		fault   odootest.Fault
		made    bool // a later call makes the record
		records int  // that were made by the one that broke off
	}{
		"before the record was made":       {odootest.Fault{Contains: `"name":"Broken off"`, Reset: true, Times: 1}, true, 0},
		"before its answer came":           {odootest.Fault{Contains: `"name":"Broken off"`, Reset: true, AfterCall: true, Times: 1}, false, 1},
		"before the record was noted":      {odootest.Fault{Contains: `"res_id":`, Skip: 1, Reset: true, Times: 1}, false, 1},
		"before the reservation was known": {odootest.Fault{Contains: `"module"`, Skip: 1, Reset: true, AfterCall: true, Times: 1}, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReserving(t)
			r.SetFault(tc.fault)
			_, _, err := r.upsert(t, values)
			require.Error(t, err)
			r.SetFault()
			require.Len(t, r.named(t, "Broken off"), tc.records)
			r.pass(30 * time.Second)
			_, _, err = r.upsert(t, values)
			busy(t, err, 120*time.Second)
			r.pass(119 * time.Second)
			_, _, err = r.upsert(t, values)
			busy(t, err, time.Second)
			assert.Len(t, r.named(t, "Broken off"), tc.records)
			r.pass(time.Second)
			id, created, err := r.upsert(t, values)
			require.NoError(t, err)
			assert.Equal(t, tc.made, created)
			assert.Equal(t, []adapter.ID{id}, r.named(t, "Broken off"), "there is one record")
			again, created, err := r.upsert(t, adapter.Record{"name": "Later"})
			require.NoError(t, err)
			assert.False(t, created)
			assert.Equal(t, id, again)
		})
	}
}

// A record is taken over only if it is surely the one.
func TestUpsertsTakeNoOtherRecord(t *testing.T) {
	values := adapter.Record{"name": "Same"}
	reserve := func(r *reserving) {
		_, err := r.Create("ir.model.data", map[string]any{"module": "app", "name": "one", "model": "res.partner", "res_id": 0})
		require.NoError(t, err)
	}
	t.Run("older, of another name, with an external id", func(t *testing.T) {
		r := newReserving(t)
		older, err := r.client.Create(t.Context(), "res.partner", values)
		require.NoError(t, err)
		r.pass(time.Second)
		reserve(r)
		r.pass(time.Second)
		noted, _, err := r.client.Upsert(t.Context(), "res.partner", "external_id", "app.two", values)
		require.NoError(t, err)
		other, err := r.client.Create(t.Context(), "res.partner", adapter.Record{"name": "Other"})
		require.NoError(t, err)
		r.pass(150 * time.Second)
		id, created, err := r.upsert(t, values)
		require.NoError(t, err)
		assert.True(t, created)
		assert.NotContains(t, []adapter.ID{older, noted, other}, id)
	})
	t.Run("archived", func(t *testing.T) {
		r := newReserving(t)
		reserve(r)
		made, err := r.client.Create(t.Context(), "res.partner", adapter.Record{"name": "Same", "active": false})
		require.NoError(t, err)
		r.pass(150 * time.Second)
		id, created, err := r.upsert(t, values)
		require.NoError(t, err)
		assert.False(t, created)
		assert.Equal(t, made, id)
	})
	t.Run("that nothing tells", func(t *testing.T) {
		r := newReserving(t)
		reserve(r)
		_, err := r.client.Create(t.Context(), "res.partner", adapter.Record{"name": "Same"})
		require.NoError(t, err)
		r.pass(150 * time.Second)
		_, _, err = r.upsert(t, adapter.Record{"color": 3})
		require.ErrorIs(t, err, adapter.ErrUnknownOutcome)
		assert.Len(t, r.named(t, "Same"), 1)
	})
}

// What is refused leaves nothing: no record, and no name that is reserved.
func TestRefusedUpsertsLeaveNothing(t *testing.T) {
	r := newReserving(t)
	for name, values := range map[string]adapter.Record{
		"no such field":  {"name": "Refused", "nope": 1},
		"no such record": {"name": "Refused", "parent_id": 999_999},
	} {
		_, _, err := r.upsert(t, values)
		require.Error(t, err, name)
		n, err := adapter.Count(t.Context(), r.client, "ir.model.data", adapter.Cond{Field: "module", Op: adapter.Equal, Value: "app"})
		require.NoError(t, err)
		assert.Zero(t, n, name)
		assert.Empty(t, r.named(t, "Refused"), name)
	}
	_, created, err := r.upsert(t, adapter.Record{"name": "Right"})
	require.NoError(t, err)
	assert.True(t, created)
	_, _, err = r.upsert(t, adapter.Record{"name": "Refused", "nope": 1})
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	assert.Len(t, r.named(t, "Right"), 1, "the record is as it was")
	_, _, err = r.client.Upsert(t.Context(), "res.country", "external_id", "app.one", adapter.Record{"name": "x"})
	e, ok := errors.AsType[*adapter.Error](err)
	require.True(t, ok)
	assert.Equal(t, adapter.Conflict, e.Code)
	assert.False(t, e.Temporary, "it is another model's for good")
}

// Fields that a constraint keeps unique, of archived records too.
func TestUpsertByAUniqueField(t *testing.T) {
	r := newReserving(t)
	upsert := func(value string, values adapter.Record) (adapter.ID, bool, error) {
		return r.client.Upsert(t.Context(), "res.users", "login", value, values)
	}
	id, created, err := upsert("new@example.com", adapter.Record{"name": "New"})
	require.NoError(t, err)
	assert.True(t, created)
	require.NoError(t, r.client.Update(t.Context(), "res.users", []adapter.ID{id}, adapter.Record{"active": false}))
	again, created, err := upsert("new@example.com", adapter.Record{"name": "Renamed", "login": "new@example.com"})
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, id, again)
	for value, values := range map[string]adapter.Record{"": {"name": "x"}, "new@example.com": {"login": "other@example.com"}} {
		_, _, err := upsert(value, values)
		require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	}
}
