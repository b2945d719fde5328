package bridge_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cache"
	"github.com/bridgecore/bridgecore/mapping/standard"
	migrateodoo "github.com/bridgecore/bridgecore/migrate/odoo"
)

func rulesOf(t *testing.T, texts ...string) []bridge.Rule {
	t.Helper()
	rules := []bridge.Rule{}
	for _, text := range texts {
		r, err := bridge.ParseRule(text)
		require.NoError(t, err, text)
		rules = append(rules, r)
	}
	return rules
}

func TestParseRule(t *testing.T) {
	assert.Equal(t, bridge.Rule{Models: []string{"res.*"}, Methods: []string{"*"}}, rulesOf(t, "res.*")[0])
	assert.Equal(t, bridge.Rule{Models: []string{"sale.order"}, Methods: []string{"action_*"}}, rulesOf(t, "sale.order:action_*")[0])
	reads := rulesOf(t, "sale.order:read")[0].Methods
	for _, m := range []string{"read", "search_read", "fields_get", "search_count", "web_read", "has_access"} {
		assert.Contains(t, reads, m)
	}
	for _, m := range reads {
		assert.Equal(t, bridge.Reads, bridge.EffectOf(m, ""), m)
	}
	for _, bad := range []string{"", ":", ":read", "sale.order:", "[", "a b", "sale.order:[", "a:b:c", "res.partner,sale.order", "شريك"} {
		_, err := bridge.ParseRule(bad)
		assert.ErrorIs(t, err, adapter.ErrInvalidArgument, bad)
	}
}

// ask is what a caller may ask of a system.
type ask struct {
	name string
	run  func(context.Context, *bridge.System) error
}

func operation(name, body string) ask {
	return ask{name + " " + body, func(ctx context.Context, s *bridge.System) error {
		var r bridge.OperationRequest
		if err := adapter.DecodeJSON([]byte(body), &r); err != nil {
			return err
		}
		_, err := s.Operation(ctx, name, r)
		return err
	}}
}

func TestACallersRules(t *testing.T) {
	sim := odootest.New(t, "17.0")
	kept := cache.New(cache.NewMemory(0))
	t.Cleanup(func() { _ = kept.Close() })
	b, err := bridge.New(bridge.Config{
		Source: bridge.Static(bridge.SystemConfig{Tenant: "t", ID: "o", Kind: "odoo"}),
		Openers: map[string]bridge.Opener{"odoo": func(ctx context.Context, _ bridge.SystemConfig) (adapter.Adapter, error) {
			return odoo.Dial(ctx, odoo.Config{URL: sim.URL, Database: sim.Database, Username: sim.Username, Password: sim.Password})
		}},
		Mappings: standard.Set(), Cache: kept,
		Lenses: map[string]bridge.Lens{"odoo": {Pack: migrateodoo.Community()}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.Close() })

	create := ask{"create", func(ctx context.Context, s *bridge.System) error {
		_, err := s.Create(ctx, "res.partner", adapter.Record{"name": "x"})
		return err
	}}
	orders := ask{"read orders", func(ctx context.Context, s *bridge.System) error {
		_, err := s.Read(ctx, bridge.Reading{Query: adapter.Query{Model: "sale.order", Fields: []string{"name"}}})
		return err
	}}
	along := ask{"read along", func(ctx context.Context, s *bridge.System) error {
		_, err := s.Read(ctx, bridge.Reading{Query: adapter.Query{Model: "sale.order", Fields: []string{"partner_id.email"}}})
		return err
	}}
	nested := operation("web_read", `{"model":"sale.order","ids":[1],"specification":{"name":{},"partner_id":{"fields":{"email":{}}}}}`)
	loose := operation("call_kw", `{"model":"sale.order","method":"web_read","args":[[1]],"kwargs":{"specification":{"partner_id":{"fields":{"email":{}}}},"strange":1}}`)
	called := operation("call_kw", `{"model":"sale.order","method":"web_read","args":[[1],{"partner_id":{"fields":{"email":{}}}}]}`)
	filters := []ask{
		operation("search_read", `{"model":"sale.order","domain":[["partner_id.email","ilike","a"]],"fields":["name"]}`),
		operation("search_count", `{"model":"sale.order","domain":["!","|",["name","=","x"],["partner_id.country_id.code","=","SA"]]}`),
		operation("search_count", `{"model":"sale.order","domain":[["partner_id","any",[["email","ilike","a"]]]]}`),
		operation("call_kw", `{"model":"sale.order","method":"search","args":[[["partner_id.email","ilike","a"]]]}`),
		operation("read_group", `{"model":"sale.order","domain":[],"fields":["amount_total"],"groupby":["partner_id.country_id"]}`),
		operation("search", `{"model":"sale.order","order":"name, partner_id.email desc"}`),
		{"read by filter", func(ctx context.Context, s *bridge.System) error {
			_, err := s.Read(ctx, bridge.Reading{Query: adapter.Query{Model: "sale.order", Fields: []string{"name"}, Filter: adapter.Cond{Field: "partner_id.email", Op: adapter.ILike, Value: "a"}}})
			return err
		}},
		{"count", func(ctx context.Context, s *bridge.System) error {
			_, err := s.Count(ctx, "sale.order", adapter.Cond{Field: "partner_id.email", Op: adapter.ILike, Value: "a"})
			return err
		}},
		{"read by domain", func(ctx context.Context, s *bridge.System) error {
			_, err := s.Read(ctx, bridge.Reading{Query: adapter.Query{Model: "sale.order", Fields: []string{"name"}}, Domain: []byte(`[["partner_id.email","ilike","a"]]`)})
			return err
		}},
	}
	confirm := operation("call_kw", `{"model":"sale.order","method":"action_confirm","args":[[1]]}`)
	writes := operation("call_kw", `{"model":"res.partner","method":"write","args":[[1],{"ref":"x"}]}`)

	for _, f := range filters {
		sys, err := b.System(t.Context(), bridge.Caller{Tenant: "t", User: "u", Rules: rulesOf(t, "sale.order")}, "o")
		require.NoError(t, err)
		assert.ErrorIs(t, f.run(t.Context(), sys), adapter.ErrPermissionDenied, f.name)
		sys, err = b.System(t.Context(), bridge.Caller{Tenant: "t", User: "u", Rules: rulesOf(t, "sale.order:read", "res.*:read")}, "o")
		require.NoError(t, err)
		assert.NotErrorIs(t, f.run(t.Context(), sys), adapter.ErrPermissionDenied, f.name)
	}
	for name, tc := range map[string]struct {
		caller  bridge.Caller
		allowed []ask
		denied  []ask
	}{
		"everything":  {bridge.Caller{}, []ask{create, orders, along, nested, called, writes}, nil},
		"nothing":     {bridge.Caller{Rules: []bridge.Rule{}}, nil, []ask{create, orders, along, nested, writes}},
		"reading":     {bridge.Caller{ReadOnly: true}, []ask{orders, along, nested, called}, []ask{create, writes, confirm, operation("name_create", `{"model":"res.partner","name":"x"}`)}},
		"one model":   {bridge.Caller{Rules: rulesOf(t, "sale.order")}, []ask{orders}, []ask{create, along, nested, called, loose, writes}},
		"one method":  {bridge.Caller{Rules: rulesOf(t, "sale.order:action_confirm")}, nil, []ask{orders, create}},
		"its reads":   {bridge.Caller{Rules: rulesOf(t, "sale.order:read", "res.*:read")}, []ask{orders, along, nested, called}, []ask{create, confirm, loose}},
		"both bounds": {bridge.Caller{ReadOnly: true, Rules: rulesOf(t, "res.*")}, []ask{operation("search_read", `{"model":"res.partner","limit":1}`)}, []ask{create, orders}},
	} {
		t.Run(name, func(t *testing.T) {
			caller := tc.caller
			caller.Tenant, caller.User = "t", "u"
			sys, err := b.System(t.Context(), caller, "o")
			require.NoError(t, err)
			for _, a := range tc.allowed {
				assert.NoError(t, a.run(t.Context(), sys), a.name)
			}
			for _, a := range tc.denied {
				err := a.run(t.Context(), sys)
				assert.ErrorIs(t, err, adapter.ErrPermissionDenied, a.name)
				if err != nil {
					assert.Contains(t, err.Error(), "admin", "it says who can change it")
				}
			}
		})
	}

	// Nor by a way through universal words: a country is another model in Odoo.
	universal := func(texts ...string) (*bridge.System, error) {
		sys, err := b.System(t.Context(), bridge.Caller{Tenant: "t", User: "u", Rules: rulesOf(t, texts...)}, "o")
		require.NoError(t, err)
		return sys.Universal(bridge.UniversalOptions{})
	}
	bySA := bridge.Reading{Query: adapter.Query{Model: "contact", Fields: []string{"name"}}, Domain: []byte(`[["country","=","SA"]]`)}
	for want, rules := range map[bool][]string{true: {"res.*"}, false: {"res.partner"}} {
		sys, err := universal(rules...)
		require.NoError(t, err)
		_, err = sys.Read(t.Context(), bySA)
		assert.Equal(t, want, err == nil, err)
		_, err = sys.Count(t.Context(), "contact", adapter.Cond{Field: "country", Op: adapter.Equal, Value: "SA"})
		assert.Equal(t, want, err == nil, err)
	}

	// Speaking another version widens nothing.
	caller := bridge.Caller{Tenant: "t", User: "u", Rules: rulesOf(t, "account.move")}
	sys, err := b.System(t.Context(), caller, "o")
	require.NoError(t, err)
	old, err := sys.As("13.0")
	require.NoError(t, err)
	_, err = old.Operation(t.Context(), "search_count", bridge.OperationRequest{Model: "res.partner"})
	assert.ErrorIs(t, err, adapter.ErrPermissionDenied)

	stats := b.TenantStats("t")
	assert.Positive(t, stats.TotalRequests)
	assert.Equal(t, stats.TotalRequests, stats.SuccessfulRequests+stats.FailedRequests)
	b.Forget("t", "o")
	assert.Equal(t, stats.TotalRequests, b.TenantStats("t").TotalRequests, "they outlive a connection")
	assert.Zero(t, b.TenantStats("another").TotalRequests)

	health := b.Health(t.Context(), caller, []string{"o", "missing"})
	assert.True(t, health[0].Healthy)
	assert.Equal(t, adapter.NotFound, health[1].Code)
}
