package recordsync_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
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
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/mapping/standard"
	packs "github.com/bridgecore/bridgecore/migrate/odoo"
	"github.com/bridgecore/bridgecore/recordsync"
)

// between makes a pair of two systems.
func between(tb testing.TB, kinds [2]string, open [2]bridge.Opener) recordsync.Pair {
	tb.Helper()
	b, err := bridge.New(bridge.Config{
		Source: bridge.Static(
			bridge.SystemConfig{Tenant: "acme", ID: "a", Kind: kinds[0], Connection: 0},
			bridge.SystemConfig{Tenant: "acme", ID: "b", Kind: kinds[1], Connection: 1},
		),
		Openers: map[string]bridge.Opener{
			kinds[0]: func(ctx context.Context, c bridge.SystemConfig) (adapter.Adapter, error) {
				return open[c.Connection.(int)](ctx, c)
			},
			kinds[1]: func(ctx context.Context, c bridge.SystemConfig) (adapter.Adapter, error) {
				return open[c.Connection.(int)](ctx, c)
			},
		},
		Mappings: standard.Set(), Logger: slog.New(slog.DiscardHandler),
		Lenses: map[string]bridge.Lens{"odoo": {Pack: packs.Community(), Schema: func(version, model string) *adapter.Schema {
			all, _ := packs.Snapshot(version)
			return all[model]
		}}},
	})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = b.Close() })
	p := recordsync.Pair{Links: recordsync.NewMemory(), Settle: -1}
	caller := bridge.Caller{Tenant: "acme", User: "sara"}
	p.Source, err = b.System(tb.Context(), caller, "a")
	require.NoError(tb, err)
	p.Target, err = b.System(tb.Context(), caller, "b")
	require.NoError(tb, err)
	return p
}

func dialed(c odoo.Config) bridge.Opener {
	return func(ctx context.Context, _ bridge.SystemConfig) (adapter.Adapter, error) { return odoo.Dial(ctx, c) }
}

func simulated(s *odootest.Server) bridge.Opener {
	return dialed(odoo.Config{URL: s.URL, Database: s.Database, Username: s.Username, Password: s.Password})
}

func TestOdooVersions(t *testing.T) {
	for _, versions := range [][2]string{{"13.0", "19.0"}, {"19.0", "17.0"}} {
		t.Run(fmt.Sprint(versions), func(t *testing.T) {
			a := odootest.NewServer(odootest.Config{Version: versions[0], NoDemo: true})
			b := odootest.NewServer(odootest.Config{Version: versions[1], NoDemo: true})
			t.Cleanup(a.Close)
			t.Cleanup(b.Close)
			p := between(t, [2]string{"odoo", "odoo"}, [2]bridge.Opener{simulated(a), simulated(b)})
			p.Model, p.Words, p.Version = "res.partner", recordsync.Pinned, versions[0]
			both(t, p, "res.partner", 40)
		})
	}
}

func TestOdooToSalesforce(t *testing.T) {
	a := odootest.NewServer(odootest.Config{Version: "17.0", NoDemo: true})
	b := salesforcetest.NewServer(salesforcetest.Config{})
	t.Cleanup(a.Close)
	t.Cleanup(b.Close)
	p := between(t, [2]string{"odoo", "salesforce"}, [2]bridge.Opener{simulated(a), func(ctx context.Context, _ bridge.SystemConfig) (adapter.Adapter, error) {
		return salesforce.Dial(ctx, salesforce.Config{URL: b.URL, ClientID: b.ClientID, ClientSecret: b.ClientSecret})
	}})
	p.Model, p.Words, p.Fields = "contact", recordsync.Universal, []string{"name", "phone", "website", "parent_id"}
	source, err := p.Source.Universal(bridge.UniversalOptions{})
	require.NoError(t, err)
	values := make([]adapter.Record, 20)
	for i := range values {
		values[i] = adapter.Record{"name": fmt.Sprint("Universal ", i), "is_company": true, "phone": fmt.Sprint("+966 11 ", i)}
	}
	_, err = source.CreateMany(t.Context(), "contact", values)
	require.NoError(t, err)
	p.Filter = adapter.Cond{Field: "name", Op: adapter.Like, Value: "Universal"}
	sums, outcomes := run(t, p)
	assert.Equal(t, 20, sums.Created, "%v", outcomes)
	assert.Zero(t, sums.Errors, "%v", outcomes)
	sums, outcomes = run(t, p)
	assert.Zero(t, sums.Wrote(), "%v", outcomes)
}

// A field of the target keeps the source's ids: whoever lost the links finds by it
// what is there, and nothing is made twice.
func TestExternalIDsInOtherKinds(t *testing.T) {
	org := salesforcetest.NewServer(salesforcetest.Config{})
	t.Cleanup(org.Close)
	s4 := saptest.NewServer(saptest.Config{})
	t.Cleanup(s4.Close)
	for kind, open := range map[string]bridge.Opener{
		"salesforce": func(ctx context.Context, _ bridge.SystemConfig) (adapter.Adapter, error) {
			return salesforce.Dial(ctx, salesforce.Config{URL: org.URL, ClientID: org.ClientID, ClientSecret: org.ClientSecret})
		},
		"sap": func(ctx context.Context, _ bridge.SystemConfig) (adapter.Adapter, error) {
			return sap.Dial(ctx, sap.Config{URL: s4.URL, Username: s4.Username, Password: s4.Password, Client: s4.Client})
		},
	} {
		t.Run(kind, func(t *testing.T) {
			a := odootest.NewServer(odootest.Config{Version: "17.0", NoDemo: true})
			t.Cleanup(a.Close)
			p := between(t, [2]string{"odoo", kind}, [2]bridge.Opener{simulated(a), open})
			p.Model, p.Fields, p.ExternalID = "contact", []string{"name", "phone", "city", "country"}, "ref" // the words are universal by themselves
			p.Filter = adapter.Cond{Field: "name", Op: adapter.Like, Value: "Numbered"}
			source, err := p.Source.Universal(bridge.UniversalOptions{})
			require.NoError(t, err)
			target, err := p.Target.Universal(bridge.UniversalOptions{})
			require.NoError(t, err)
			values := make([]adapter.Record, 8)
			for i := range values {
				values[i] = adapter.Record{"name": fmt.Sprint("Numbered ", i), "is_company": true, "phone": fmt.Sprint("+966 11 ", i), "city": "Riyadh", "country": "SA"}
			}
			ids, err := source.CreateMany(t.Context(), "contact", values)
			require.NoError(t, err)
			sums, outcomes := run(t, p)
			assert.Equal(t, len(ids), sums.Created, "%v", outcomes)
			assert.Zero(t, sums.Errors, "%v", outcomes)
			named := func() map[string]string {
				refs := map[string]string{}
				for r, err := range target.Each(t.Context(), adapter.Query{Model: "contact", Filter: p.Filter, Fields: []string{"name", "ref", "city"}}) {
					require.NoError(t, err)
					assert.NotContains(t, refs, r.String("ref"), "each once")
					refs[r.String("ref")] = r.String("name") + " in " + r.String("city")
				}
				return refs
			}
			there := named()
			require.Len(t, there, len(ids))
			for i, id := range ids {
				assert.Equal(t, fmt.Sprint("Numbered ", i, " in Riyadh"), there[id.String()])
			}
			sums, outcomes = run(t, p)
			assert.Zero(t, sums.Wrote(), "%v", outcomes)

			// One record changes, and the links are lost.
			require.NoError(t, source.Update(t.Context(), "contact", ids[2:3], adapter.Record{"city": "Jeddah"}))
			p.Links = recordsync.NewMemory()
			sums, outcomes = run(t, p)
			assert.Zero(t, sums.Created, "%v", outcomes)
			assert.Equal(t, 1, sums.Updated, "%v", outcomes)
			there[ids[2].String()] = "Numbered 2 in Jeddah"
			assert.Equal(t, there, named())
			sums, outcomes = run(t, p)
			assert.Zero(t, sums.Wrote(), "%v", outcomes)
		})
	}
}

// both makes records with parents in the source, brings them over, changes both
// sides, and looks whether it comes to rest. The records are removed at the end.
func both(t *testing.T, p recordsync.Pair, model string, n int) {
	t.Helper()
	p.Bidirectional = true
	prefix := fmt.Sprintf("recordsync %d ", time.Now().UnixNano())
	p.Filter = adapter.Cond{Field: "name", Op: adapter.Like, Value: prefix}
	partner := model == "res.partner"
	if p.Fields = []string{"name", "default_code", "list_price", "categ_id"}; partner {
		p.Fields = []string{"name", "email", "phone", "street", "parent_id", "country_id"}
	}
	source, err := p.Source.As(p.Version)
	require.NoError(t, err)
	target, err := p.Target.As(p.Version)
	require.NoError(t, err)
	made := func(sys *bridge.System, from, to int, parents []adapter.ID) []adapter.ID {
		values := make([]adapter.Record, 0, to-from)
		for i := from; i < to; i++ {
			v := adapter.Record{"name": fmt.Sprint(prefix, i)}
			if partner {
				v["email"] = fmt.Sprint("r", i, "@example.com")
			} else {
				v["list_price"], v["default_code"] = 1.5*float64(i), fmt.Sprint(prefix, "c", i)
			}
			if len(parents) > 0 {
				v["parent_id"] = parents[i%len(parents)].Value()
			}
			values = append(values, v)
		}
		var ids []adapter.ID
		for part := range slices.Chunk(values, 25) {
			made, err := sys.CreateMany(t.Context(), model, part)
			require.NoError(t, err)
			ids = append(ids, made...)
		}
		return ids
	}
	all := func(sys *bridge.System) (ids []adapter.ID) {
		for r, err := range sys.Each(t.Context(), adapter.Query{Model: model, Filter: p.Filter, Fields: []string{"name"}}) {
			require.NoError(t, err)
			ids = append(ids, r.ID())
		}
		return ids
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		for _, sys := range []*bridge.System{source, target} {
			var ids []adapter.ID
			for r, err := range sys.Each(ctx, adapter.Query{Model: model, Filter: p.Filter, Fields: []string{"name"}, Order: []adapter.Order{{Field: "id", Desc: true}}}) {
				if err == nil {
					ids = append(ids, r.ID())
				}
			}
			assert.NoError(t, sys.Delete(ctx, model, ids))
		}
	})
	parents := made(source, 0, n/4, nil)
	if !partner {
		parents = nil
	}
	ids := made(source, n/4, n, parents)
	began := time.Now()
	sums, outcomes := run(t, p)
	t.Logf("first: %+v in %s", sums, time.Since(began).Round(time.Millisecond))
	require.Equal(t, n, sums.Created, "%v", outcomes)
	require.Zero(t, sums.Errors+sums.Reverse.Created)
	sums, outcomes = run(t, p)
	t.Logf("second: %+v", sums)
	require.Zero(t, sums.Wrote(), "%v", outcomes)

	// Both directions: new records, and the same one changed on both sides.
	made(target, n, n+5, nil)
	changed := adapter.Record{"default_code": prefix + "other"}
	if partner {
		changed = adapter.Record{"phone": "+966 11 1"}
	}
	require.NoError(t, source.Update(t.Context(), model, ids[:1], changed))
	theirs := all(target)
	require.NoError(t, target.Update(t.Context(), model, theirs[len(theirs)-6:len(theirs)-5], adapter.Record{p.Fields[3]: firstOf(partner)}))
	sums, outcomes = run(t, p)
	t.Logf("third: %+v", sums)
	require.Equal(t, 5, sums.Reverse.Created, "%v", outcomes)
	require.GreaterOrEqual(t, sums.Updated, 1, "%v", outcomes)
	sums, outcomes = run(t, p)
	t.Logf("fourth: %+v", sums)
	require.Zero(t, sums.Wrote(), "%v", outcomes)
	require.Len(t, all(source), n+5)
	require.Len(t, all(target), n+5)
}

func firstOf(partner bool) any {
	if partner {
		return "Synced Street 1"
	}
	return 1
}

// TestRealOdoo synchronises two real servers, if the environment names them: an
// URL and a database each, for the user admin.
func TestRealOdoo(t *testing.T) {
	a, b := os.Getenv("BRIDGECORE_SYNC_SOURCE"), os.Getenv("BRIDGECORE_SYNC_TARGET")
	if a == "" || b == "" {
		t.Skip("SKIPPED: no real Odoo. Set BRIDGECORE_SYNC_SOURCE and BRIDGECORE_SYNC_TARGET to the URLs, and _SOURCE_DB and _TARGET_DB.")
	}
	at := func(url, db string) bridge.Opener {
		return dialed(odoo.Config{URL: url, Database: db, Username: "admin", Password: "admin"})
	}
	for _, model := range []string{"res.partner", "product.template"} {
		t.Run(model, func(t *testing.T) {
			p := between(t, [2]string{"odoo", "odoo"}, [2]bridge.Opener{at(a, os.Getenv("BRIDGECORE_SYNC_SOURCE_DB")), at(b, os.Getenv("BRIDGECORE_SYNC_TARGET_DB"))})
			p.Model, p.Words, p.Version = model, recordsync.Pinned, "17.0"
			both(t, p, model, 100)
		})
	}
}
