package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/mapping"
)

const universalModels = `
universal: contact
fields:
  name: {type: char, required: true}
  email: char
  country: char
  vip: boolean
  created: datetime
---
universal: order
fields:
  reference: char
  partner_id: {type: ref, relation: contact}
  partner_name: {type: char, readonly: true}
  partner_country: {type: char, readonly: true}
  state: {type: selection, values: [draft, confirmed]}
  lines: {type: lines, relation: order_line}
---
universal: order_line
fields:
  text: char
  quantity: float
  product_id: {type: ref, relation: contact}
  product_name: {type: char, readonly: true}
`

const odooMappings = `
mapping: contact
system: odoo
model: res.partner
fields:
  name: name
  email: email
  country: {path: country_id.code, lookup: {model: res.country, by: code}}
  vip: {unsupported: Odoo has no such flag}
  created: create_date
---
mapping: order
system: odoo
model: sale.order
fields:
  reference: client_order_ref
  partner_id: partner_id
  partner_name: {path: partner_id.name, read_only: true}
  partner_country: {path: partner_id.country_id.code, read_only: true}
  state: {path: state, values: {draft: [draft, sent], confirmed: [sale, done]}}
  lines: {path: order_line, lines: order_line, as: commands}
---
mapping: order_line
system: odoo
model: sale.order.line
fields:
  text: name
  quantity: product_uom_qty
  product_id: product_id
  product_name: {path: product_id.name, read_only: true}
`

const crmMappings = `
mapping: contact
system: crm
model: Account
fields:
  name: Name
  email: "Emails[].Address"
  country: {path: CountryCode}
  vip: Vip
  created: {path: CreatedAt, as: datetime}
---
mapping: order
system: crm
model: Order
where: [[Kind, "=", "sale"]]
set: {Kind: sale}
fields:
  reference: Reference
  partner_id: Account
  partner_name: {path: Account.Name, read_only: true}
  partner_country: {path: Account.CountryCode, read_only: true}
  state: {path: Status, values: {draft: Draft, confirmed: Active}}
  lines: {path: Items, lines: order_line}
---
mapping: order_line
system: crm
model: Item
fields:
  text: Text
  quantity: Quantity
  product_id: Product
  product_name: {path: Product.Name, read_only: true}
`

func universalSet(tb testing.TB, more ...string) *mapping.Set {
	tb.Helper()
	set, err := mapping.Parse("test.yaml", []byte(strings.Join(append([]string{universalModels, odooMappings, crmMappings}, more...), "\n---\n")))
	require.NoError(tb, err)
	return set
}

func crmSchemas() []adapter.Schema {
	id := adapter.Field{Type: adapter.Char}
	field := func(t adapter.FieldType) adapter.Field { return adapter.Field{Type: t} }
	return []adapter.Schema{
		{Model: "Account", Fields: map[string]adapter.Field{
			"id": id, "Name": {Type: adapter.Char, Required: true}, "CountryCode": field(adapter.Char), "Vip": field(adapter.Boolean), "CreatedAt": field(adapter.DateTime),
			"Emails": {Type: adapter.One2Many, Relation: "Email", Inverse: "Account"},
		}},
		{Model: "Email", Fields: map[string]adapter.Field{"id": id, "Address": field(adapter.Char), "Account": {Type: adapter.Many2One, Relation: "Account"}}},
		{Model: "Order", Fields: map[string]adapter.Field{
			"id": id, "Kind": field(adapter.Char), "Reference": field(adapter.Char), "Status": field(adapter.Char), "Account": {Type: adapter.Many2One, Relation: "Account"},
			"Items": {Type: adapter.One2Many, Relation: "Item", Inverse: "Order"},
		}},
		{Model: "Item", Fields: map[string]adapter.Field{
			"id": id, "Text": field(adapter.Char), "Quantity": field(adapter.Float), "Order": {Type: adapter.Many2One, Relation: "Order"}, "Product": {Type: adapter.Many2One, Relation: "Account"},
		}},
	}
}

// universalRig is a bridge with an Odoo, "main", and a system that nests, "crm".
type universalRig struct {
	*rig
	odoo *odootest.Server
	crm  *memory.Nested
}

func universally(tb testing.TB, change func(*Config), more ...string) *universalRig {
	tb.Helper()
	u := &universalRig{odoo: odootest.New(tb, "17.0"), crm: memory.NewNested(crmSchemas()...)}
	main := SystemConfig{Tenant: "acme", ID: "main", Kind: "odoo", Revision: "1"}
	crm := SystemConfig{Tenant: "acme", ID: "crm", Kind: "crm", Revision: "1"}
	u.rig = build(tb, func(c *Config) {
		c.Mappings = universalSet(tb, more...)
		c.Openers["odoo"] = func(ctx context.Context, _ SystemConfig) (adapter.Adapter, error) {
			return odoo.Dial(ctx, odoo.Config{URL: u.odoo.URL, Database: u.odoo.Database, Username: u.odoo.Username, Password: u.odoo.Password})
		}
		c.Openers["crm"] = func(context.Context, SystemConfig) (adapter.Adapter, error) { return u.crm, nil }
		if change != nil {
			change(c)
		}
	}, main, crm)
	return u
}

func (u *universalRig) of(tb testing.TB, id string, roles ...string) *System {
	tb.Helper()
	s, err := u.System(tb.Context(), Caller{Tenant: "acme", User: "sara", Roles: roles}, id)
	require.NoError(tb, err)
	s, err = s.Universal(UniversalOptions{})
	require.NoError(tb, err)
	return s
}

var both = []string{"main", "crm"}

func read(tb testing.TB, s *System, model string, fields []string, domain string) []adapter.Record {
	tb.Helper()
	a, err := s.Read(tb.Context(), Reading{Query: adapter.Query{Model: model, Fields: fields}, Domain: json.RawMessage(domain)})
	require.NoError(tb, err)
	records, err := a.Records()
	require.NoError(tb, err)
	return records
}

func create(tb testing.TB, s *System, model string, values adapter.Record) adapter.ID {
	tb.Helper()
	made, err := s.Create(tb.Context(), model, values)
	require.NoError(tb, err)
	require.False(tb, made.ID().IsZero())
	return made.ID()
}

// scene makes a contact, a product (which is any record with a name that lines
// may refer to) and an order with two lines.
type scene struct{ contact, product, order adapter.ID }

func (u *universalRig) scene(tb testing.TB, system string) scene {
	tb.Helper()
	s := u.of(tb, system)
	var sc scene
	sc.contact = create(tb, s, "contact", adapter.Record{"name": "Azure", "email": "a@example.com", "country": "US"})
	if system == "main" {
		native, err := u.System(tb.Context(), sara, "main")
		require.NoError(tb, err)
		made, err := native.Create(tb.Context(), "product.product", adapter.Record{"name": "Desk", "list_price": 10})
		require.NoError(tb, err)
		sc.product = made.ID()
	} else {
		sc.product = create(tb, s, "contact", adapter.Record{"name": "Desk"})
	}
	sc.order = create(tb, s, "order", adapter.Record{
		"reference": "R1", "partner_id": sc.contact.Value(), "state": "draft",
		"lines": []any{
			map[string]any{"text": "first", "quantity": 2, "product_id": sc.product.Value()},
			map[string]any{"text": "second", "quantity": 3, "product_id": sc.product.Value()},
		},
	})
	return sc
}

// plainly takes the ids out of records, which differ between systems.
func withoutIDs(v any) any {
	switch v := v.(type) {
	case []adapter.Record:
		out := make([]any, len(v))
		for i := range v {
			out[i] = withoutIDs(map[string]any(v[i]))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for name, x := range v {
			switch name {
			case "id", "partner_id", "product_id", "created":
			default:
				out[name] = withoutIDs(x)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = withoutIDs(v[i])
		}
		return out
	case json.Number:
		f, _ := v.Float64()
		return f
	}
	return v
}

// The same calls, and the same answers but for ids.
func TestUniversalSystemsAnswerAlike(t *testing.T) {
	u := universally(t, nil)
	answers := map[string]string{}
	for _, id := range both {
		s, sc := u.of(t, id), u.scene(t, id)
		orders := read(t, s, "order", nil, fmt.Sprintf(`[["partner_name","=","Azure"],["state","=","draft"],["partner_id","=",%s]]`, quoteID(sc.contact)))
		require.Len(t, orders, 1, id)
		assert.Equal(t, sc.order, orders[0].ID())
		assert.Equal(t, sc.contact, idOf(orders[0]["partner_id"]), "a reference is the bare id")
		contacts := read(t, s, "contact", []string{"name", "email", "country"}, `[["name","in",["Azure"]]]`)
		require.NotEmpty(t, contacts)
		b, err := json.Marshal([]any{withoutIDs(orders), withoutIDs(contacts[len(contacts)-1:])})
		require.NoError(t, err)
		answers[id] = string(b)
	}
	assert.JSONEq(t, answers["main"], answers["crm"])
	assert.Contains(t, answers["main"], `"partner_country":"US"`)
	assert.Contains(t, answers["main"], `"product_name":"Desk"`)
}

func idOf(v any) adapter.ID { id, _ := adapter.IDOf(v); return id }

func quoteID(id adapter.ID) string { b, _ := json.Marshal(id); return string(b) }

func TestUniversalUpdatesOfLines(t *testing.T) {
	u := universally(t, nil)
	for _, id := range both {
		t.Run(id, func(t *testing.T) {
			s, sc := u.of(t, id), u.scene(t, id)
			lines := func() string {
				r := read(t, s, "order", []string{"reference", "state", "lines"}, fmt.Sprintf(`[["id","=",%s]]`, quoteID(sc.order)))
				require.Len(t, r, 1)
				var out []string
				for _, l := range r[0]["lines"].([]any) {
					line := adapter.Record(l.(map[string]any))
					out = append(out, fmt.Sprintf("%s %g", line.String("text"), line.Float("quantity")))
				}
				return r[0].String("reference") + " " + strings.Join(out, ", ")
			}
			require.Equal(t, "R1 first 2, second 3", lines())
			r := read(t, s, "order", []string{"lines"}, fmt.Sprintf(`[["id","=",%s]]`, quoteID(sc.order)))
			list := r[0]["lines"].([]any)
			first, second := adapter.Record(list[0].(map[string]any)).ID(), adapter.Record(list[1].(map[string]any)).ID()
			err := s.Update(t.Context(), "order", []adapter.ID{sc.order}, adapter.Record{
				"reference": "R2",
				"lines": []any{
					map[string]any{"id": first.Value(), "quantity": 7},
					map[string]any{"id": second.Value(), "_delete": true},
					map[string]any{"text": "third", "quantity": 1, "product_id": sc.product.Value()},
				},
			})
			require.NoError(t, err)
			assert.Equal(t, "R2 first 7, third 1", lines())
		})
	}
}

// A native write is seen by the universal vocabulary at once, and the other way
// round, through every model that an answer was made of.
func TestUniversalAnswersAreFresh(t *testing.T) {
	u := universally(t, nil)
	natives := map[string]struct{ contact, line string }{"main": {"res.partner", "sale.order.line"}, "crm": {"Account", "Item"}}
	for _, id := range both {
		t.Run(id, func(t *testing.T) {
			s, sc := u.of(t, id), u.scene(t, id)
			native, err := u.System(t.Context(), sara, id)
			require.NoError(t, err)
			ask := func() (Answer, adapter.Record) {
				a, err := s.Read(t.Context(), Reading{Query: adapter.Query{Model: "order", Fields: []string{"partner_name", "lines"}}, Domain: json.RawMessage(fmt.Sprintf(`[["id","=",%s]]`, quoteID(sc.order)))})
				require.NoError(t, err)
				records, err := a.Records()
				require.NoError(t, err)
				require.Len(t, records, 1)
				return a, records[0]
			}
			ask()
			a, _ := ask()
			assert.True(t, a.Cached)

			name := map[string]string{"main": "name", "crm": "Name"}[id]
			require.NoError(t, native.Update(t.Context(), natives[id].contact, []adapter.ID{sc.contact}, adapter.Record{name: "Renamed"}))
			a, r := ask()
			assert.False(t, a.Cached)
			assert.Equal(t, "Renamed", r.String("partner_name"))

			line := adapter.Record(r["lines"].([]any)[0].(map[string]any)).ID()
			text := map[string]string{"main": "name", "crm": "Text"}[id]
			require.NoError(t, native.Update(t.Context(), natives[id].line, []adapter.ID{line}, adapter.Record{text: "rewritten"}))
			_, r = ask()
			assert.Contains(t, fmt.Sprint(r["lines"]), "rewritten")

			// A universal change is seen natively.
			q := Reading{Query: adapter.Query{Model: natives[id].contact, Fields: []string{name}, Filter: adapter.Cond{Field: "id", Op: adapter.Equal, Value: sc.contact.Value()}}}
			_, err = native.Read(t.Context(), q)
			require.NoError(t, err)
			require.NoError(t, s.Update(t.Context(), "contact", []adapter.ID{sc.contact}, adapter.Record{"name": "Again"}))
			b, err := native.Read(t.Context(), q)
			require.NoError(t, err)
			assert.Contains(t, string(b.Result), "Again")
		})
	}
}

func TestUniversalCreateEach(t *testing.T) {
	u := universally(t, nil)
	for _, id := range both {
		t.Run(id, func(t *testing.T) {
			s := u.of(t, id)
			values := make([]adapter.Record, 250)
			for i := range values {
				values[i] = adapter.Record{"name": fmt.Sprintf("each %d", i), "country": "US"}
			}
			values[5] = adapter.Record{"name": nil}                              // refused by the system
			values[77] = adapter.Record{"name": "x", "created": "no time"}       // refused by the mapping
			values[249] = adapter.Record{"name": "x", "email": map[string]any{}} // refused by either
			ids, err := s.CreateEach(t.Context(), "contact", values)
			var partial *adapter.PartialError
			require.ErrorAs(t, err, &partial)
			require.Len(t, ids, 250)
			for i, made := range ids {
				bad := i == 5 || i == 77 || i == 249
				assert.Equal(t, bad, made.IsZero(), "%d: %v", i, partial.Failed[i])
				if bad {
					assert.Equal(t, adapter.InvalidArgument, code(t, partial.Failed[i]), i)
				}
			}
			assert.Len(t, partial.Failed, 3)
			n, err := s.Count(t.Context(), "contact", adapter.Cond{Field: "name", Op: adapter.Like, Value: "each "})
			require.NoError(t, err)
			assert.EqualValues(t, 247, n)
		})
	}
}
