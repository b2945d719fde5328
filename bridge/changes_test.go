package bridge

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
	"github.com/bridgecore/bridgecore/mapping/standard"
)

// replica is a copy of a model that is kept by its changes.
type replica struct {
	cursor string
	table  map[adapter.ID]string
}

func (r replica) clone() replica { return replica{r.cursor, maps.Clone(r.table)} }

// pull applies one page of changes.
func (r *replica) pull(t *testing.T, s *System, q ChangesQuery) adapter.ChangePage {
	t.Helper()
	q.Cursor = r.cursor
	page, err := s.Changes(t.Context(), q)
	require.NoError(t, err)
	require.NotEmpty(t, page.Next)
	if q.Limit > 0 {
		require.LessOrEqual(t, len(page.Changes), q.Limit)
	}
	for _, c := range page.Changes {
		if c.Deleted {
			require.Nil(t, c.Record)
			delete(r.table, c.ID)
			continue
		}
		require.Equal(t, c.ID, c.Record.ID())
		r.table[c.ID] = written(t, c.Record)
	}
	r.cursor = page.Next
	return page
}

// follow pulls until there is no more.
func (r *replica) follow(t *testing.T, s *System, q ChangesQuery) (changes int) {
	t.Helper()
	for range 10_000 {
		page := r.pull(t, s, q)
		changes += len(page.Changes)
		if !page.More {
			return changes
		}
	}
	require.Fail(t, "the changes have no end")
	return changes
}

func written(t *testing.T, r adapter.Record) string {
	t.Helper()
	b, err := json.Marshal(r)
	require.NoError(t, err)
	return string(b)
}

// tableOf is what the system has.
func tableOf(t *testing.T, s *System, model string, fields []string) map[adapter.ID]string {
	t.Helper()
	table := map[adapter.ID]string{}
	for r, err := range s.archivedToo().Each(t.Context(), adapter.Query{Model: model, Fields: fields}) {
		require.NoError(t, err)
		table[r.ID()] = written(t, r)
	}
	return table
}

// clocked is a simulated Odoo whose clock moves when it is told to, as does the
// bridge's, and a bridge to it with a small memory for cursors.
type clocked struct {
	*odootest.Server
	rig *rig
	mu  sync.Mutex
	is  time.Time     // the system's clock
	our time.Duration // the bridge's clock, from the system's
}

func newClocked(t *testing.T, version string, skew time.Duration) *clocked {
	t.Helper()
	c := &clocked{is: time.Now(), our: -skew}
	c.Server = odootest.NewServer(odootest.Config{Version: version, Now: c.now})
	t.Cleanup(c.Close)
	c.rig = build(t, func(cfg *Config) {
		cfg.Mappings = standard.Set()
		cfg.Openers["odoo"] = func(ctx context.Context, _ SystemConfig) (adapter.Adapter, error) {
			return odoo.Dial(ctx, odoo.Config{URL: c.URL, Database: c.Database, Username: c.Username, Password: c.Password})
		}
	}, SystemConfig{Tenant: "acme", ID: "main", Kind: "odoo", Revision: "1"})
	c.rig.now = func() time.Time { return c.now().Add(c.our) }
	return c
}

func (c *clocked) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.is
}

func (c *clocked) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.is = now
}

func (c *clocked) pass(d time.Duration) { c.set(c.now().Add(d)) }

func (c *clocked) universal(t *testing.T) *System {
	t.Helper()
	u, err := c.rig.sys(t).Universal(UniversalOptions{})
	require.NoError(t, err)
	return u
}

// call changes something past the bridge.
func (c *clocked) call(t *testing.T, method string, args ...any) {
	t.Helper()
	_, err := c.Call("res.partner", method, args...)
	require.NoError(t, err)
}

// create makes a partner past the bridge.
func (c *clocked) create(t *testing.T, values map[string]any) int64 {
	t.Helper()
	id, err := c.Create("res.partner", values)
	require.NoError(t, err)
	return id
}

// at does something in a transaction that began earlier.
func (c *clocked) at(began time.Time, do func()) {
	now := c.now()
	c.set(began)
	do()
	c.set(now)
}

// A copy that is kept by the changes, broken off and taken up again from any
// cursor there was, is the table at the end: whatever the clocks say, in any
// words, with pages of any size, with transactions that end long after they
// began, and with records that are of a universal model for a while.
func TestChangesAreTheTable(t *testing.T) {
	all := map[string]ChangesQuery{
		"own":     {Model: "res.partner", Fields: []string{"name", "ref", "active", "is_company"}, Initial: true},
		"contact": {Model: "contact", Fields: []string{"name"}, Initial: true},
		"person":  {Model: "person", Fields: []string{"name"}, Initial: true},
	}
	for _, skew := range []time.Duration{0, -time.Hour, 26 * time.Hour} {
		for _, version := range []string{"13.0", "17.0", "19.0"} {
			for name, q := range all {
				t.Run(fmt.Sprintf("%s skew %s %s", version, skew, name), func(t *testing.T) {
					usual := skew == 0 && name == "own" || version == "17.0" && (skew < 0) == (name == "person")
					if !usual && *edits <= 60 {
						t.Skip("SKIPPED: one of many, with more -edits")
					}
					t.Parallel()
					c := newClocked(t, version, skew)
					s := c.rig.sys(t)
					if name != "own" {
						s = c.universal(t)
					}
					changesAreTheTable(t, c, s, q)
				})
			}
		}
	}
}

// How many random edits a model goes through, and which.
var (
	edits = flag.Int("edits", 60, "random edits of a model whose changes are followed")
	seed  = flag.Uint64("seed", 11, "of random edits; 0 takes one at random")
)

// chance is the dice of a test, which says with what they can be thrown again.
func chance(t *testing.T) *rand.Rand {
	t.Helper()
	from := *seed
	if from == 0 {
		from = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again: -seed %d -edits %d", from, *edits)
		}
	})
	return rand.New(rand.NewPCG(from, 13)) //nolint:gosec // a test
}

// held is a transaction that has begun and not ended.
type held struct {
	began  time.Time
	id     int64 // its record, which nobody else can change; 0 makes one
	values map[string]any
}

// longest is how long transactions are held, which changes may be late by.
const longest = odooLag - 5*time.Second

// editing is somebody who makes random changes.
type editing struct {
	*clocked
	random *rand.Rand
	live   []int64
	open   []held
	edits  int
}

// edit makes one.
func (e *editing) edit(t *testing.T) {
	t.Helper()
	e.edits++
	values := map[string]any{"name": fmt.Sprint("Changed ", e.edits), "ref": fmt.Sprint("R", e.edits)}
	for _, flag := range []string{"active", "is_company"} {
		if e.random.IntN(4) == 0 {
			values[flag] = e.random.IntN(2) == 0
		}
	}
	at := 0
	if len(e.live) > 0 {
		at = e.random.IntN(len(e.live))
	}
	switch n := e.random.IntN(12); {
	case n == 0:
		e.open = append(e.open, held{e.now(), 0, values})
	case n < 4 || len(e.live) == 0:
		e.live = append(e.live, e.create(t, values))
	case n == 4:
		e.open = append(e.open, held{e.now(), e.live[at], values})
		e.live = slices.Delete(e.live, at, at+1)
	case n < 10:
		e.call(t, "write", []any{e.live[at]}, values)
	default:
		e.call(t, "unlink", []any{e.live[at]})
		e.live = slices.Delete(e.live, at, at+1)
	}
	if len(e.open) > 0 && e.random.IntN(4) == 0 {
		e.end(t, e.random.IntN(len(e.open)))
	}
}

// end ends a transaction.
func (e *editing) end(t *testing.T, at int) {
	t.Helper()
	h := e.open[at]
	e.open = slices.Delete(e.open, at, at+1)
	e.at(h.began, func() {
		if h.id == 0 {
			h.id = e.create(t, h.values)
		} else {
			e.call(t, "write", []any{h.id}, h.values)
		}
	})
	e.live = append(e.live, h.id)
}

// wait lets time pass; transactions that would last too long end before.
func (e *editing) wait(t *testing.T, d time.Duration) {
	t.Helper()
	for i := len(e.open) - 1; i >= 0; i-- {
		if rest := longest - e.now().Sub(e.open[i].began); rest < d {
			e.pass(max(rest, 0))
			d -= max(rest, 0)
			e.end(t, i)
		}
	}
	e.pass(d)
}

func changesAreTheTable(t *testing.T, c *clocked, s *System, q ChangesQuery) {
	t.Helper()
	random := chance(t)
	e := &editing{clocked: c, random: random}
	r, skew := replica{table: map[adapter.ID]string{}}, c.our
	history := []replica{r.clone()}
	for range *edits {
		e.edit(t)
		e.wait(t, time.Duration(random.IntN(300))*time.Millisecond)
		if random.IntN(10) == 0 {
			e.wait(t, time.Duration(random.IntN(90))*time.Second)
		}
		if random.IntN(40) == 0 {
			e.wait(t, time.Duration(random.IntN(10))*time.Minute)
		}
		for random.IntN(3) == 0 {
			// Another process is at it, whose clock is not the same.
			c.our = skew + time.Duration(random.IntN(100)-50)*time.Second
			q.Limit = 1 + random.IntN(40)
			r.pull(t, s, q)
			if random.IntN(3) == 0 {
				history = append(history, r.clone())
			}
			if random.IntN(20) == 0 {
				r = history[random.IntN(len(history))].clone()
			}
		}
	}
	for len(e.open) > 0 {
		e.end(t, 0)
	}
	want := tableOf(t, s, q.Model, q.Fields)
	random.Shuffle(len(history), func(i, j int) { history[i], history[j] = history[j], history[i] })
	for i, at := range append(history[:min(len(history), *edits/10)], r) {
		// By several at once, each from where another was.
		q.Limit = []int{0, 1, 7, 1000}[i%4]
		at.follow(t, s, q)
		require.Empty(t, differences(want, at.table), "taken up from cursor %d of %d", i, len(history))
		assert.Zero(t, at.follow(t, s, q), "a quiet system has nothing to tell")
	}
	q.Limit = 0
	r.follow(t, s, q)
	e.pass(time.Hour)
	assert.Zero(t, r.follow(t, s, q), "nor later")
	id := e.create(t, map[string]any{"name": "Last", "is_company": false})
	r.follow(t, s, q)
	assert.Contains(t, r.table, adapter.IntID(id))
}

// differences says where a copy is not the table.
func differences(table, copied map[adapter.ID]string) (found []string) {
	for id, is := range table {
		if had, there := copied[id]; !there || had != is {
			found = append(found, fmt.Sprintf("%s is %s, copied as %q", id, is, had))
		}
	}
	for id, had := range copied {
		if _, there := table[id]; !there {
			found = append(found, fmt.Sprintf("%s is gone, copied as %s", id, had))
		}
	}
	return found
}

// followed is a model of a kind of system whose changes are told, in universal
// words and in the system's.
type followed struct {
	kind, universal, own string
	deletes              bool          // records can be deleted
	pause                time.Duration // the longest between edits
}

// Each kind of system, in its own words and in universal ones: by what it tells,
// by the second, and by the day.
func TestChangesOfEachKind(t *testing.T) {
	for _, f := range []followed{
		{"odoo", "contact", "res.partner", true, time.Minute},
		{"sap", "product", "A_Product", false, 5 * time.Minute},
		{"sap", "contact", "A_BusinessPartner", false, 9 * time.Hour},
		{"sap", "sale_order", "A_SalesOrder", true, 5 * time.Minute},
		{"salesforce", "contact", "Account", true, time.Minute},
	} {
		for _, universal := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %s universal %t", f.kind, f.universal, universal), func(t *testing.T) {
				t.Parallel()
				changesOfAKind(t, f, universal)
			})
		}
	}
}

func changesOfAKind(t *testing.T, f followed, universal bool) {
	t.Helper()
	clock := time.Now()
	now := func() time.Time { return clock }
	r, u := simulation(t, f.kind+" 17.0", func(c *Config) {
		switch f.kind {
		case "odoo":
			srv := odootest.NewServer(odootest.Config{Version: "17.0", Now: now})
			t.Cleanup(srv.Close)
			c.Openers[f.kind] = func(ctx context.Context, _ SystemConfig) (adapter.Adapter, error) {
				return odoo.Dial(ctx, odoo.Config{URL: srv.URL, Database: srv.Database, Username: srv.Username, Password: srv.Password})
			}
		case "sap":
			srv := saptest.NewServer(saptest.Config{Now: now})
			t.Cleanup(srv.Close)
			c.Openers[f.kind] = func(ctx context.Context, _ SystemConfig) (adapter.Adapter, error) {
				return sap.Dial(ctx, sap.Config{URL: srv.URL, Username: srv.Username, Password: srv.Password, Client: srv.Client})
			}
		default:
			srv := salesforcetest.NewServer(salesforcetest.Config{Now: now, TokenLifetime: 30 * 24 * time.Hour})
			t.Cleanup(srv.Close)
			c.Openers[f.kind] = func(ctx context.Context, _ SystemConfig) (adapter.Adapter, error) {
				return salesforce.Dial(ctx, salesforce.Config{URL: srv.URL, ClientID: srv.ClientID, ClientSecret: srv.ClientSecret})
			}
		}
	})
	r.now = now
	s, q := r.sys(t), ChangesQuery{Model: f.own, Initial: true}
	if universal {
		s, q = u, ChangesQuery{Model: f.universal, Fields: []string{"name"}, Initial: true}
		if f.universal == "product" {
			q.Fields = append(q.Fields, "weight")
		}
	}
	change := followedChanges(t, f, u)
	random := chance(t)
	copied := replica{table: map[adapter.ID]string{}}
	history := []replica{copied.clone()}
	var made []adapter.ID
	for edit := range *edits {
		switch n := random.IntN(4); {
		case n < 1 || len(made) == 0:
			made = append(made, change(edit, adapter.ID{}))
		case n < 3 || !f.deletes:
			change(edit, made[random.IntN(len(made))])
		default:
			at := random.IntN(len(made))
			require.NoError(t, u.Delete(t.Context(), f.universal, made[at:at+1]))
			made = slices.Delete(made, at, at+1)
		}
		if random.IntN(2) == 0 {
			clock = clock.Add(time.Duration(random.Int64N(int64(f.pause))))
		}
		if random.IntN(3) == 0 {
			q.Limit = 1 + random.IntN(20)
			copied.pull(t, s, q)
			history = append(history, copied.clone())
		}
	}
	want := tableOf(t, s, q.Model, q.Fields)
	random.Shuffle(len(history), func(i, j int) { history[i], history[j] = history[j], history[i] })
	for i, at := range append(history[:min(len(history), *edits/10)], copied) {
		q.Limit = []int{0, 3, 7, 1000}[i%4]
		at.follow(t, s, q)
		require.Empty(t, differences(want, at.table), "taken up again from cursor %d of %d", i, len(history))
		assert.Zero(t, at.follow(t, s, q), "a quiet system has nothing to tell")
	}
	clock = clock.Add(4 * 24 * time.Hour)
	q.Limit = 0
	copied.follow(t, s, q)
	require.Empty(t, differences(want, copied.table))
	clock = clock.Add(4 * 24 * time.Hour)
	assert.Zero(t, copied.follow(t, s, q))
	id := change(1_000_000, adapter.ID{})
	copied.follow(t, s, q)
	assert.Contains(t, copied.table, id)
	change(1_000_001, id)
	copied.follow(t, s, q)
	assert.Equal(t, tableOf(t, s, q.Model, q.Fields)[id], copied.table[id])
}

// followedChanges makes or changes a record, which edit tells from all others.
func followedChanges(t *testing.T, f followed, u *System) func(edit int, id adapter.ID) adapter.ID {
	t.Helper()
	var sc scene
	if f.universal == "sale_order" {
		sc = sale(t, u, "changes")
	}
	return func(edit int, id adapter.ID) adapter.ID {
		t.Helper()
		values := adapter.Record{"name": fmt.Sprint("Edit ", edit)}
		switch f.universal {
		case "product":
			if values = (adapter.Record{"weight": float64(edit)}); id.IsZero() {
				values = adapter.Record{"name": fmt.Sprint("Made ", edit), "default_code": fmt.Sprint("C", edit)} // SAP's name for it; its text is another record's
			}
		case "sale_order":
			if values = (adapter.Record{"customer_reference": fmt.Sprint("Edit ", edit)}); id.IsZero() {
				values["partner_id"] = sc.contact
				values["order_lines"] = []any{map[string]any{"product_id": sc.product, "quantity": 1, "unit_price": 10}}
			}
		}
		if id.IsZero() {
			return create(t, u, f.universal, values)
		}
		require.NoError(t, u.Update(t.Context(), f.universal, []adapter.ID{id}, values))
		return id
	}
}
