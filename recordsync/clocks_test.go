package recordsync_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/recordsync"
)

// ticking is a time that a test moves, by which several systems go, each as far
// from it as its clock is wrong.
type ticking struct {
	began  time.Time
	passed atomic.Int64
}

func (c *ticking) now() time.Time       { return c.began.Add(time.Duration(c.passed.Load())) }
func (c *ticking) pass(d time.Duration) { c.passed.Add(int64(d)) }
func (c *ticking) wrong(by time.Duration) func() time.Time {
	return func() time.Time { return c.now().Add(by) }
}

// simulate is a simulated system of a kind with a clock.
func simulate(t *testing.T, kind string, now func() time.Time) bridge.Opener {
	t.Helper()
	switch kind {
	case "odoo":
		srv := odootest.NewServer(odootest.Config{Version: "17.0", Now: now})
		t.Cleanup(srv.Close)
		return simulated(srv)
	case "sap":
		srv := saptest.NewServer(saptest.Config{Now: now})
		t.Cleanup(srv.Close)
		return func(ctx context.Context, _ bridge.SystemConfig) (adapter.Adapter, error) {
			return sap.Dial(ctx, sap.Config{URL: srv.URL, Username: srv.Username, Password: srv.Password, Client: srv.Client})
		}
	}
	srv := salesforcetest.NewServer(salesforcetest.Config{Now: now, TokenLifetime: 30 * 24 * time.Hour})
	t.Cleanup(srv.Close)
	return func(ctx context.Context, _ bridge.SystemConfig) (adapter.Adapter, error) {
		return salesforce.Dial(ctx, salesforce.Config{URL: srv.URL, ClientID: srv.ClientID, ClientSecret: srv.ClientSecret})
	}
}

// Each kind of system says what time it is there: of records that were on both
// sides already the one that was changed last wins, whatever their clocks say
// and though nothing was written yet that told them.
func TestNewestByTheClocksOfEachKind(t *testing.T) {
	for _, test := range []struct {
		kinds             [2]string
		model, key, field string
		values            []any
	}{
		{[2]string{"odoo", "sap"}, "product", "default_code", "weight", []any{1.5, 2.5, 3.5}},
		{[2]string{"salesforce", "odoo"}, "contact", "ref", "city", []any{"Riyadh", "Jeddah", "Mecca"}},
	} {
		for _, apart := range [][2]time.Duration{{0, 0}, {-5 * time.Hour, 0}, {0, -5 * time.Hour}, {5 * time.Hour, -3 * time.Hour}} {
			for last := range 2 {
				t.Run(fmt.Sprint(test.kinds, apart, recordsync.Side(last)), func(t *testing.T) {
					t.Parallel()
					clock := &ticking{began: time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)}
					p := between(t, test.kinds, [2]bridge.Opener{simulate(t, test.kinds[0], clock.wrong(apart[0])), simulate(t, test.kinds[1], clock.wrong(apart[1]))})
					p.Words, p.Model, p.Match, p.Fields = recordsync.Universal, test.model, []string{test.key}, []string{test.field}
					p.Filter = adapter.Cond{Field: test.key, Op: adapter.Equal, Value: "NEWEST-1"}
					p.Bidirectional, p.Policy, p.Now = true, recordsync.Newest, clock.now
					e := edited(t, p, adapter.Record{"name": "Newest", test.key: "NEWEST-1", test.field: test.values[0]})
					for i := range 2 {
						at := (last + 1 + i) % 2
						clock.pass(time.Minute)
						e.write(t, at, adapter.Record{test.field: test.values[1+at]})
					}
					clock.pass(time.Minute)
					sums, outcomes := run(t, p)
					assert.Equal(t, 1, sums.Wrote(), "%v", outcomes)
					for side := range 2 {
						assert.Equal(t, fmt.Sprint(test.values[1+last]), fmt.Sprint(e.read(t, side, test.field)), "of the %s", recordsync.Side(side))
					}
				})
			}
		}
	}
}

// edit is a record that is on both sides of a pair.
type edit struct {
	model string
	sides [2]*bridge.System
	ids   [2]adapter.ID
}

// edited makes the record on both sides, and lets the pair find out that it is
// the same.
func edited(t *testing.T, p recordsync.Pair, values adapter.Record) *edit {
	t.Helper()
	e := &edit{model: p.Model}
	for i, sys := range []*bridge.System{p.Source, p.Target} {
		u, err := sys.Universal(bridge.UniversalOptions{})
		require.NoError(t, err)
		made, err := u.Create(t.Context(), p.Model, values)
		require.NoError(t, err)
		e.sides[i], e.ids[i] = u, made.ID()
	}
	sums, outcomes := run(t, p)
	require.Zero(t, sums.Wrote(), "nothing is written that told a clock: %v", outcomes)
	return e
}

func (e *edit) write(t *testing.T, side int, values adapter.Record) {
	t.Helper()
	require.NoError(t, e.sides[side].Update(t.Context(), e.model, e.ids[side:side+1], values))
}

func (e *edit) read(t *testing.T, side int, field string) any {
	t.Helper()
	q := adapter.Query{Model: e.model, Fields: []string{field}, Filter: adapter.Cond{Field: "id", Op: adapter.Equal, Value: e.ids[side].Value()}}
	for r, err := range e.sides[side].Each(t.Context(), q) {
		require.NoError(t, err)
		return r[field]
	}
	require.Fail(t, "the record is gone")
	return nil
}

// SAP dates business partners by days. Of a conflict within a day nothing says
// which change came last, so the source wins; that SAP was written tells nothing
// of its clock there.
func TestNewestByDays(t *testing.T) {
	for _, test := range []struct {
		kinds [2]string
		days  int // from the source's change to the target's
		wins  recordsync.Side
	}{
		{[2]string{"odoo", "sap"}, 0, recordsync.Source},
		{[2]string{"odoo", "sap"}, 2, recordsync.Target},
		{[2]string{"odoo", "sap"}, -2, recordsync.Source},
		{[2]string{"sap", "odoo"}, 0, recordsync.Source},
		{[2]string{"sap", "odoo"}, 2, recordsync.Target},
		{[2]string{"sap", "odoo"}, -2, recordsync.Source},
	} {
		for _, hour := range []int{1, 12, 22} {
			t.Run(fmt.Sprint(test.kinds, test.days, " at ", hour), func(t *testing.T) {
				t.Parallel()
				clock := &ticking{began: time.Date(2026, 3, 14, hour, 0, 0, 0, time.UTC)}
				p := between(t, test.kinds, [2]bridge.Opener{simulate(t, test.kinds[0], clock.now), simulate(t, test.kinds[1], clock.now)})
				p.Words, p.Model, p.Match, p.Fields = recordsync.Universal, "contact", []string{"name"}, []string{"name"}
				p.Filter = adapter.Cond{Field: "name", Op: adapter.Like, Value: "Newest"}
				p.Bidirectional, p.Policy, p.Now = true, recordsync.Newest, clock.now
				e := edited(t, p, adapter.Record{"name": "Newest", "is_company": true})
				for i := range 2 { // each side is written
					e.write(t, i, adapter.Record{"name": fmt.Sprint("Newest of ", i)})
					sums, outcomes := run(t, p)
					require.Equal(t, 1, sums.Wrote(), "%v", outcomes)
				}
				clock.pass(27 * time.Hour) // to another hour
				for i := range 2 {
					at := i
					if test.days < 0 {
						at = 1 - i
					}
					e.write(t, at, adapter.Record{"name": fmt.Sprint("Newest at ", recordsync.Side(at))})
					clock.pass(time.Minute + time.Duration(max(test.days, -test.days))*24*time.Hour)
				}
				sums, outcomes := run(t, p)
				assert.Equal(t, 1, sums.Wrote(), "%v", outcomes)
				for side := range 2 {
					assert.Equal(t, fmt.Sprint("Newest at ", test.wins), e.read(t, side, "name"), "of the %s", recordsync.Side(side))
				}
			})
		}
	}
}
