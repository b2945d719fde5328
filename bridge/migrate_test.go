package bridge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/migrate"
	rules "github.com/bridgecore/bridgecore/migrate/odoo"
)

// twoVersions are a system "old" and a system "new" of two versions, simulated.
func twoVersions(t *testing.T, from, to string, access bridge.Access) (old, new *bridge.System, a, b *odootest.Server) {
	t.Helper()
	a, b = odootest.New(t, from), odootest.New(t, to)
	servers := map[string]*odootest.Server{"old": a, "new": b}
	made, err := bridge.New(bridge.Config{
		Source: bridge.Static(bridge.SystemConfig{Tenant: "t", ID: "old", Kind: "odoo"}, bridge.SystemConfig{Tenant: "t", ID: "new", Kind: "odoo"}),
		Openers: map[string]bridge.Opener{"odoo": func(ctx context.Context, c bridge.SystemConfig) (adapter.Adapter, error) {
			s := servers[c.ID]
			client, err := odoo.Dial(ctx, odoo.Config{URL: s.URL, Database: s.Database, Username: s.Username, Password: s.Password})
			if err != nil {
				return nil, err
			}
			return client, nil
		}},
		Access: access,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = made.Close() })
	caller := bridge.Caller{Tenant: "t", User: "u", Roles: []string{"mover"}}
	old, err = made.System(t.Context(), caller, "old")
	require.NoError(t, err)
	new, err = made.System(t.Context(), caller, "new")
	require.NoError(t, err)
	return old, new, a, b
}

func made(t *testing.T, s *odootest.Server, model string, values map[string]any) adapter.ID {
	t.Helper()
	id, err := s.Create(model, values)
	require.NoError(t, err)
	return adapter.IntID(id)
}

func count(t *testing.T, s *bridge.System, model, domain string) int {
	t.Helper()
	a, err := s.Operation(t.Context(), "search_count", bridge.OperationRequest{Model: model, Domain: json.RawMessage(domain)})
	require.NoError(t, err)
	var n int
	require.NoError(t, json.Unmarshal(a.Result, &n))
	return n
}

func TestMigrateWithoutATargetWritesNothing(t *testing.T) {
	old, _, a, _ := twoVersions(t, "13.0", "19.0", nil)
	id := made(t, a, "res.partner", map[string]any{"name": "Ahmed", "phone": "1", "mobile": "2"})
	a.ResetCounters()
	got, err := old.Migrate(t.Context(), bridge.Migration{Pack: rules.Documented(), Model: "res.partner", To: "19.0", IDs: []adapter.ID{id, id, adapter.IntID(999999)}})
	require.NoError(t, err)
	require.Len(t, got.Records, 1, "asked for twice, given once")
	assert.Equal(t, "1", got.Records[0].Record["phone_primary"])
	assert.Equal(t, "2", got.Records[0].Record["phone_secondary"])
	assert.Equal(t, id, got.Records[0].Source)
	assert.True(t, got.Records[0].ID.IsZero())
	require.Len(t, got.Errors, 1)
	assert.Equal(t, adapter.NotFound, got.Errors[0].Code)
	assert.Equal(t, adapter.IntID(999999), got.Errors[0].RecordID)
	for call := range a.Calls() {
		assert.NotContains(t, call, "create")
		assert.NotContains(t, call, "write")
	}
	assert.Contains(t, fmt.Sprint(got.LeftOut), "image_1920")
}

func TestMigrateIntoASystem(t *testing.T) {
	old, new, a, b := twoVersions(t, "16.0", "19.0", nil)
	company := made(t, a, "res.partner", map[string]any{"name": "Azure", "is_company": true})
	person := made(t, a, "res.partner", map[string]any{"name": "Ann", "mobile": "5", "parent_id": company.Value()})
	m := bridge.Migration{Pack: rules.Community(), Model: "res.partner", IDs: []adapter.ID{person, company}, Target: new}

	m.DryRun = true
	dry, err := old.Migrate(t.Context(), m)
	require.NoError(t, err)
	assert.Len(t, dry.Records, 2)
	assert.Equal(t, 0, count(t, new, "res.partner", `[["name","in",["Azure","Ann"]]]`))

	m.DryRun = false
	first, err := old.Migrate(t.Context(), m)
	require.NoError(t, err)
	require.Empty(t, first.Errors)
	require.Len(t, first.Records, 2)
	ids := map[adapter.ID]adapter.ID{}
	for _, r := range first.Records {
		assert.True(t, r.Created)
		assert.NotContains(t, r.Record, "mobile", "19.0 has none")
		ids[r.Source] = r.ID
	}
	page, err := new.Read(t.Context(), bridge.Reading{Query: adapter.Query{Model: "res.partner", Fields: []string{"name", "parent_id", "phone"}}, Domain: json.RawMessage(`[["name","in",["Azure","Ann"]]]`)})
	require.NoError(t, err)
	records, err := page.Records()
	require.NoError(t, err)
	require.Len(t, records, 2)
	for _, r := range records {
		if r.String("name") == "Ann" {
			parent, ok := r.Ref("parent_id")
			assert.True(t, ok)
			assert.Equal(t, ids[company], parent.ID, "the reference leads to the target's own record, written before it")
		}
	}

	// Again: nothing is written where nothing changed.
	b.ResetCounters()
	_, err = old.Migrate(t.Context(), m)
	require.NoError(t, err)
	for call := range b.Calls() {
		assert.NotRegexp(t, `\b(create|write)$`, call)
	}

	// Again, after a change: nothing new, and the change is there.
	require.NoError(t, old.Update(t.Context(), "res.partner", []adapter.ID{company}, adapter.Record{"name": "Azure Interior", "ref": "A"}))
	second, err := old.Migrate(t.Context(), m)
	require.NoError(t, err)
	require.Empty(t, second.Errors)
	for _, r := range second.Records {
		assert.False(t, r.Created)
		assert.Equal(t, ids[r.Source], r.ID)
	}
	assert.Equal(t, 1, count(t, new, "res.partner", `[["name","=","Azure Interior"],["ref","=","A"]]`))
	assert.Equal(t, 0, count(t, new, "res.partner", `[["name","=","Azure"]]`))
}

func TestMigrateLinesGoAlong(t *testing.T) {
	old, new, a, _ := twoVersions(t, "16.0", "19.0", nil)
	partner := made(t, a, "res.partner", map[string]any{"name": "Buyer"})
	template := made(t, a, "product.template", map[string]any{"name": "Desk"})
	product := made(t, a, "product.product", map[string]any{"product_tmpl_id": template.Value(), "name": "Desk"})
	order := made(t, a, "sale.order", map[string]any{"partner_id": partner.Value()})
	made(t, a, "sale.order.line", map[string]any{"order_id": order.Value(), "name": "A desk", "product_id": product.Value(), "product_uom_qty": 3, "price_unit": 7.5})
	move := func(m bridge.Migration) *bridge.Migrated {
		m.Pack, m.Target = rules.Community(), new
		got, err := old.Migrate(t.Context(), m)
		require.NoError(t, err)
		require.Empty(t, got.Errors)
		return got
	}
	move(bridge.Migration{Model: "res.partner", IDs: []adapter.ID{partner}})
	m := bridge.Migration{Model: "sale.order", IDs: []adapter.ID{order}, Lines: []string{"order_line"}}
	got := move(m)
	lines, ok := got.Records[0].Record["order_line"].([]any)
	require.True(t, ok, "%v", got.Records[0].Record)
	require.Len(t, lines, 1)
	line := lines[0].([]any)[2].(map[string]any)
	assert.Equal(t, "A desk", line["name"])
	assert.NotContains(t, line, "order_id")
	assert.NotContains(t, line, "product_uom", "its name in 16.0")
	assert.Equal(t, []any{[]any{6, 0, []any{}}}, line["tax_ids"], "no taxes is said, lest the target make some up")
	assert.Contains(t, fmt.Sprint(got.LeftOut), "product_id", "a product that is not there is left out, and said")
	assert.Equal(t, 1, count(t, new, "sale.order.line", `[["name","=","A desk"]]`))
	move(m)
	assert.Equal(t, 1, count(t, new, "sale.order.line", `[["name","=","A desk"]]`), "a repeated call leaves lines be")
}

// Records that both systems were delivered with are found by their external
// ids where others refer to them, but are not taken for the migrated ones.
func TestMigrateKnowsDeliveredRecords(t *testing.T) {
	old, new, a, b := twoVersions(t, "16.0", "19.0", nil)
	for _, s := range []*odootest.Server{a, b} {
		twin := made(t, s, "res.partner.category", map[string]any{"name": "Delivered"})
		made(t, s, "ir.model.data", map[string]any{"module": "base", "name": "twin", "model": "res.partner.category", "res_id": twin.Value()})
	}
	twins := func(sys *bridge.System) adapter.ID {
		page, err := sys.Read(t.Context(), bridge.Reading{Query: adapter.Query{Model: "res.partner.category", Fields: []string{"name"}}, Domain: json.RawMessage(`[["name","=","Delivered"]]`)})
		require.NoError(t, err)
		records, err := page.Records()
		require.NoError(t, err)
		require.NotEmpty(t, records)
		return records[0].ID()
	}
	there, here := twins(old), twins(new)
	id := made(t, a, "res.partner", map[string]any{"name": "Ann", "category_id": []any{[]any{6, 0, []any{there.Value()}}}})
	got, err := old.Migrate(t.Context(), bridge.Migration{Pack: rules.Community(), Model: "res.partner", IDs: []adapter.ID{id}, Target: new})
	require.NoError(t, err)
	require.Empty(t, got.Errors)
	assert.Equal(t, []any{[]any{6, 0, []any{here.Value()}}}, got.Records[0].Record["category_id"])

	got, err = old.Migrate(t.Context(), bridge.Migration{Pack: rules.Community(), Model: "res.partner.category", IDs: []adapter.ID{there}, Target: new})
	require.NoError(t, err)
	require.Empty(t, got.Errors)
	assert.True(t, got.Records[0].Created)
	assert.NotEqual(t, here, got.Records[0].ID)
}

func TestMigrateSaysFirstWhatTheTargetWouldRefuse(t *testing.T) {
	old, new, a, b := twoVersions(t, "13.0", "19.0", nil)
	id := made(t, a, "res.partner", map[string]any{"name": "Ahmed", "phone": "1"})
	b.ResetCounters()
	_, err := old.Migrate(t.Context(), bridge.Migration{Pack: rules.Documented(), Model: "res.partner", IDs: []adapter.ID{id}, Target: new})
	var unsuitable *bridge.UnsuitableError
	require.ErrorAs(t, err, &unsuitable)
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	assert.Contains(t, err.Error(), "phone_primary")
	assert.Contains(t, err.Error(), `"community"`)
	for call := range b.Calls() {
		assert.NotContains(t, call, "create")
	}
}

// From 16.0 on the documented rules name no field, but 19.0 lacks some all
// the same.
func TestMigrateStrictly(t *testing.T) {
	old, target, a, _ := twoVersions(t, "16.0", "19.0", nil)
	id := made(t, a, "res.partner", map[string]any{"name": "Ahmed", "mobile": "2"})
	m := bridge.Migration{Pack: rules.Documented(), Model: "res.partner", IDs: []adapter.ID{id}, Target: target, Strict: true}
	before := count(t, target, "res.partner", `[]`)
	_, err := old.Migrate(t.Context(), m)
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	assert.ErrorContains(t, err, "debit_limit")
	assert.ErrorContains(t, err, `take pack "community"`)
	assert.Equal(t, before, count(t, target, "res.partner", `[]`))

	// Fields that are not read are in nobody's way.
	m.Fields = []string{"name"}
	got, err := old.Migrate(t.Context(), m)
	require.NoError(t, err)
	assert.Len(t, got.Records, 1)
	assert.Equal(t, before+1, count(t, target, "res.partner", `[]`))
}

func TestMigrateMistakes(t *testing.T) {
	old, new, a, _ := twoVersions(t, "16.0", "19.0", nil)
	id := made(t, a, "res.partner", map[string]any{"name": "Ahmed"})
	good := bridge.Migration{Pack: rules.Community(), Model: "res.partner", From: "16.0", To: "19.0", IDs: []adapter.ID{id}}
	for name, tc := range map[string]struct {
		change func(*bridge.Migration)
		want   string
	}{
		"no pack":                      {func(m *bridge.Migration) { m.Pack = nil }, "rules"},
		"no ids":                       {func(m *bridge.Migration) { m.IDs = nil }, "record_ids"},
		"too many":                     {func(m *bridge.Migration) { m.IDs = make([]adapter.ID, 1001) }, "1000"},
		"no model":                     {func(m *bridge.Migration) { m.Model = "" }, "model"},
		"unknown version":              {func(m *bridge.Migration) { m.To = "25.0" }, "25.0"},
		"downgrade":                    {func(m *bridge.Migration) { m.From, m.To = "19.0", "16.0" }, "downgrade"},
		"no version to go to":          {func(m *bridge.Migration) { m.To = "" }, "to_version"},
		"unknown field":                {func(m *bridge.Migration) { m.Fields = []string{"fone"} }, "fone"},
		"target of another version":    {func(m *bridge.Migration) { m.Target, m.To = new, "18.0" }, "version 19.0"},
		"source of another version":    {func(m *bridge.Migration) { m.Target, m.From = new, "15.0" }, "version 16.0"},
		"lines of nothing":             {func(m *bridge.Migration) { m.Target, m.Lines = new, []string{"name"} }, "lines"},
		"lines without a target":       {func(m *bridge.Migration) { m.Lines = []string{"child_ids"} }, "target"},
		"what becomes of errors":       {func(m *bridge.Migration) { m.OnError = "explode" }, "on_error"},
		"fields to leave, but nowhere": {func(m *bridge.Migration) { m.LeaveOut = []string{"state"} }, "leave_out"},
	} {
		t.Run(name, func(t *testing.T) {
			m := good
			tc.change(&m)
			_, err := old.Migrate(t.Context(), m)
			require.ErrorIs(t, err, adapter.ErrInvalidArgument)
			assert.Contains(t, err.Error(), tc.want)
		})
	}
	_, err := old.Migrate(t.Context(), bridge.Migration{Pack: rules.Community(), Model: "uom.category", IDs: []adapter.ID{id}, To: "19.0"})
	assert.ErrorIs(t, err, adapter.ErrUnsupported, "a model that is gone")
	wrong := good
	wrong.From = "13.0"
	got, err := old.Migrate(t.Context(), wrong)
	require.NoError(t, err)
	assert.Contains(t, fmt.Sprint(got.Warnings), `system "old" is of version 16.0`)
}

func TestMigrateKeepsToTheCallersRights(t *testing.T) {
	access := bridge.Access{"mover": {{Models: []string{"res.partner"}, Methods: []string{"search_read", "fields_get", "create", "write"}}}}
	old, new, a, b := twoVersions(t, "16.0", "19.0", access)
	id := made(t, a, "res.partner", map[string]any{"name": "Ahmed"})
	m := bridge.Migration{Pack: rules.Community(), Model: "res.partner", IDs: []adapter.ID{id}, Target: new}
	_, err := old.Migrate(t.Context(), m)
	require.ErrorIs(t, err, adapter.ErrPermissionDenied)
	assert.Contains(t, err.Error(), "ir.model.data")
	for call := range b.Calls() {
		assert.NotContains(t, call, "create")
	}
	m.Model = "res.users"
	_, err = old.Migrate(t.Context(), m)
	assert.ErrorIs(t, err, adapter.ErrPermissionDenied)
}

func TestMigrateStopsOrCollects(t *testing.T) {
	old, new, a, _ := twoVersions(t, "16.0", "19.0", nil)
	var ids []adapter.ID
	for i := range 3 {
		ids = append(ids, made(t, a, "res.partner", map[string]any{"name": fmt.Sprintf("P%d", i)}))
	}
	all := append([]adapter.ID{adapter.IntID(999999)}, ids...)
	m := bridge.Migration{Pack: rules.Community(), Model: "res.partner", IDs: all, Target: new, OnError: migrate.StopOnError}
	got, err := old.Migrate(t.Context(), m)
	require.NoError(t, err)
	assert.Len(t, got.Errors, 1)
	assert.Empty(t, got.Records)
	m.OnError = migrate.Collect
	got, err = old.Migrate(t.Context(), m)
	require.NoError(t, err)
	assert.Len(t, got.Errors, 1)
	assert.Len(t, got.Records, 3)
}

func TestCoverageAndDiffOfASystem(t *testing.T) {
	old, new, a, _ := twoVersions(t, "16.0", "19.0", nil)
	id := made(t, a, "res.partner", map[string]any{"name": "Ahmed", "mobile": "5"})
	m := bridge.Migration{Pack: rules.Community(), Model: "res.partner", From: "16.0", To: "19.0", IDs: []adapter.ID{id, adapter.IntID(999999)}}
	_, err := old.Coverage(t.Context(), m, nil)
	require.ErrorIs(t, err, adapter.ErrNotFound, "nobody knows 19.0 here")
	m.Target = new
	c, err := old.Coverage(t.Context(), m, nil)
	require.NoError(t, err)
	assert.Equal(t, "16.0", c.From)
	assert.NotEmpty(t, c.Fields)

	diffs, missing, err := old.Diff(t.Context(), m)
	require.NoError(t, err)
	require.Len(t, diffs, 1)
	assert.Equal(t, []adapter.ID{adapter.IntID(999999)}, missing)
	var fields []string
	for _, f := range diffs[0].Changes {
		fields = append(fields, f.Field)
	}
	assert.Contains(t, fields, "mobile")
}
