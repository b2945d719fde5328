package odoo_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
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

// between calls a function, once, when a request with a text is about to go out,
// or with after when its answer has come: what others do at that moment.
type between struct {
	http.RoundTripper

	text  string
	after bool
	do    func()
}

func (b *between) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.do == nil || r.Body == nil {
		return b.RoundTripper.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	do := b.do
	if !bytes.Contains(body, []byte(b.text)) {
		return b.RoundTripper.RoundTrip(r)
	}
	b.do = nil
	if !b.after {
		do()
	}
	res, err := b.RoundTripper.RoundTrip(r)
	if b.after {
		do()
	}
	return res, err
}

// interrupted is reserving with a client that others get between.
func interrupted(t *testing.T, text string, do func(r *reserving)) (*reserving, *between) {
	t.Helper()
	r := newReserving(t)
	b := &between{text: text}
	r.client = dial(t, odoo.Config{URL: r.URL, Database: r.Database, Username: r.Username, Password: r.Password, WrapTransport: func(next http.RoundTripper) http.RoundTripper {
		b.RoundTripper = next
		return b
	}})
	b.do = func() { do(r) }
	return r, b
}

// reserve is what a call leaves that broke off before its record was made.
func (r *reserving) reserve(t *testing.T, model string, record int64) int64 {
	t.Helper()
	id, err := r.Create("ir.model.data", map[string]any{"module": "app", "name": "one", "model": model, "res_id": record})
	require.NoError(t, err)
	return id
}

func (r *reserving) call(t *testing.T, model, method string, args ...any) any {
	t.Helper()
	got, err := r.Call(model, method, args...)
	require.NoError(t, err)
	return got
}

func TestExternalIDsThatAreNone(t *testing.T) {
	r := newReserving(t)
	for _, value := range []string{"", ".", "app", "app.", ".one", "app.o ne", "a pp.one", "app.one\n", "app.\tone"} {
		_, _, err := r.client.Upsert(t.Context(), "res.partner", "external_id", value, adapter.Record{"name": "None"})
		require.ErrorIs(t, err, adapter.ErrInvalidArgument, "%q", value)
	}
	assert.Empty(t, r.named(t, "None"))
	values := adapter.Record{"name": "Said twice", "external_id": "app.one"}
	id, _, err := r.upsert(t, values)
	require.NoError(t, err, "that it stands among the values as well is no fault")
	assert.Equal(t, []adapter.ID{id}, r.named(t, "Said twice"))
	assert.Contains(t, values, "external_id", "the caller's map is left alone")
}

// What others do in the midst of an upsert leads to no second record, and to no
// change of one that is not meant.
func TestUpsertsThatOthersGetBetween(t *testing.T) {
	values := adapter.Record{"name": "Between", "color": 4}
	t.Run("another model takes the name first", func(t *testing.T) {
		r, _ := interrupted(t, `"module":"app"`, func(r *reserving) { r.reserve(t, "res.country", 1) })
		before := r.call(t, "res.partner", "read", []int64{1}, []string{"name"})
		_, _, err := r.upsert(t, values)
		busy(t, err, time.Second)
		_, _, err = r.upsert(t, values)
		require.ErrorIs(t, err, adapter.ErrConflict)
		assert.Equal(t, before, r.call(t, "res.partner", "read", []int64{1}, []string{"name"}))
		assert.Empty(t, r.named(t, "Between"))
	})
	t.Run("the caller goes away once the name is reserved", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r, b := interrupted(t, `"module":"app"`, func(*reserving) { cancel() })
		b.after = true
		_, _, err := r.client.Upsert(ctx, "res.partner", "external_id", "app.one", values)
		require.Error(t, err)
		_, created, err := r.upsert(t, values)
		require.NoError(t, err, "the name is free at once")
		assert.True(t, created)
	})
	for name, tc := range map[string]struct {
		text    string
		do      func(t *testing.T, r *reserving, note int64)
		created bool
		records int
	}{
		"who had the name notes its record": {`"noupdate":true`, func(t *testing.T, r *reserving, note int64) {
			t.Helper()
			id, err := r.Create("res.partner", map[string]any{"name": "Of the other"})
			require.NoError(t, err)
			r.call(t, "ir.model.data", "write", []int64{note}, map[string]any{"res_id": id})
		}, false, 1},
		"another gives the name up after the look": {`"create_date","write_date"`, func(t *testing.T, r *reserving, note int64) {
			t.Helper()
			r.call(t, "ir.model.data", "unlink", []int64{note})
		}, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var note int64
			r, b := interrupted(t, tc.text, func(r *reserving) { tc.do(t, r, note) })
			do := b.do
			b.do = nil
			note = r.reserve(t, "res.partner", 0)
			r.pass(150 * time.Second)
			b.do = do
			_, _, err := r.upsert(t, values)
			busy(t, err, time.Second)
			assert.Empty(t, r.named(t, "Between"))
			_, created, err := r.upsert(t, values)
			require.NoError(t, err)
			assert.Equal(t, tc.created, created)
			assert.Len(t, r.named(t, "Between"), tc.records)
		})
	}
	t.Run("another gives the name up at the same time", func(t *testing.T) {
		var note int64
		r, b := interrupted(t, `"unlink"`, func(r *reserving) { r.call(t, "ir.model.data", "unlink", []int64{note}) })
		do := b.do
		b.do = nil
		note = r.reserve(t, "res.partner", 0)
		r.pass(150 * time.Second)
		b.do = do
		_, created, err := r.upsert(t, values)
		require.NoError(t, err)
		assert.True(t, created)
		assert.Len(t, r.named(t, "Between"), 1)
	})
	t.Run("somebody makes the user", func(t *testing.T) {
		r, _ := interrupted(t, `"create"`, func(r *reserving) {
			_, err := r.Create("res.users", map[string]any{"login": "raced@example.com", "name": "First"})
			require.NoError(t, err)
		})
		_, created, err := r.client.Upsert(t.Context(), "res.users", "login", "raced@example.com", adapter.Record{"name": "Second"})
		require.NoError(t, err)
		assert.False(t, created)
		assert.Len(t, r.named(t, "Second"), 1)
		assert.Empty(t, r.named(t, "First"))
	})
}

// A record whose answer got lost is looked for at once where its key is unique.
func TestUpsertsWhoseAnswerGotLost(t *testing.T) {
	r := newReserving(t)
	r.SetFault(odootest.Fault{Contains: `"lost@example.com","name"`, Reset: true, AfterCall: true, Times: 1})
	upsert := func() adapter.ID {
		id, created, err := r.client.Upsert(t.Context(), "res.users", "login", "lost@example.com", adapter.Record{"name": "Lost"})
		require.NoError(t, err)
		assert.False(t, created)
		return id
	}
	first := upsert()
	assert.Equal(t, first, upsert())
	assert.Len(t, r.named(t, "Lost"), 1)
	r.SetFault(odootest.Fault{Contains: `"login"`, Skip: 1, Reset: true, Times: 1})
	_, _, err := r.client.Upsert(t.Context(), "res.users", "login", "none@example.com", adapter.Record{"name": "None"})
	require.Error(t, err, "nor was it made")
	assert.Empty(t, r.named(t, "None"))
}

func TestUpsertsByWhoMayMakeNoExternalIDs(t *testing.T) {
	r := newReserving(t)
	user := dial(t, odoo.Config{URL: r.URL, Database: r.Database, Username: "demo", Password: "demo"})
	_, _, err := user.Upsert(t.Context(), "res.partner", "external_id", "app.one", adapter.Record{"name": "x"})
	e, ok := errors.AsType[*adapter.Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, adapter.PermissionDenied, e.Code)
	assert.Equal(t, "external_id", e.Field)
	assert.Contains(t, e.Message, "ir.model.data", "it says what the user lacks")
}

// What was made by a call that broke off is taken over with the values of now,
// and left alone where it can't be told.
func TestUpsertsTakeOverWhatTheyCanTell(t *testing.T) {
	broken := func(t *testing.T, model string, values adapter.Record) (*reserving, func(context.Context, adapter.Record) (adapter.ID, bool, error)) {
		t.Helper()
		r := newReserving(t)
		r.reserve(t, model, 0)
		_, err := r.client.Create(t.Context(), model, values)
		require.NoError(t, err)
		r.pass(150 * time.Second)
		return r, func(ctx context.Context, values adapter.Record) (adapter.ID, bool, error) {
			return r.client.Upsert(ctx, model, "external_id", "app.one", values)
		}
	}
	t.Run("other values, and empty ones", func(t *testing.T) {
		r, upsert := broken(t, "res.partner", adapter.Record{"name": "Told", "color": 1})
		scope := adapter.Scope{Values: map[string]any{"mine": 1}}
		id, created, err := upsert(adapter.WithScope(t.Context(), scope), adapter.Record{"name": "Told", "ref": "", "color": 7})
		require.NoError(t, err)
		assert.False(t, created)
		assert.Equal(t, []adapter.ID{id}, r.named(t, "Told"))
		now, err := adapter.Read(t.Context(), r.client, "res.partner", []adapter.ID{id}, []string{"color"})
		require.NoError(t, err)
		assert.Equal(t, int64(7), now[0].Int("color"))
		assert.Equal(t, map[string]any{"mine": 1}, scope.Values, "the caller's map is left alone")
	})
	t.Run("the first of several", func(t *testing.T) {
		r, upsert := broken(t, "res.partner", adapter.Record{"name": "Told"})
		_, err := r.client.Create(t.Context(), "res.partner", adapter.Record{"name": "Told"})
		require.NoError(t, err)
		all := r.named(t, "Told")
		id, _, err := upsert(t.Context(), adapter.Record{"name": "Told"})
		require.NoError(t, err)
		first, _ := id.Int()
		for _, other := range all {
			n, _ := other.Int()
			assert.LessOrEqual(t, first, n)
		}
	})
	t.Run("by a text that has a translation", func(t *testing.T) {
		_, upsert := broken(t, "product.template", adapter.Record{"name": "Told"})
		_, _, err := upsert(t.Context(), adapter.Record{"name": "Told"})
		require.ErrorIs(t, err, adapter.ErrUnknownOutcome)
	})
	t.Run("one of very many", func(t *testing.T) {
		r, upsert := broken(t, "res.partner", adapter.Record{"name": "Told"})
		for range 99 {
			_, err := r.Create("res.partner", map[string]any{"name": "Told"})
			require.NoError(t, err)
		}
		_, _, err := upsert(t.Context(), adapter.Record{"name": "Told"})
		require.ErrorIs(t, err, adapter.ErrUnknownOutcome)
	})
}
