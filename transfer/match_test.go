package transfer_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

// there makes a record of the target.
func (p *pair) there(t *testing.T, model string, values map[string]any) int64 {
	t.Helper()
	id, err := p.target.Create(model, values)
	require.NoError(t, err)
	return id
}

// called gives a record of a side an external id, "module.name".
func called(t *testing.T, s *odootest.Server, model string, id int64, name string) {
	t.Helper()
	module, name, _ := strings.Cut(name, ".")
	_, err := s.Create("ir.model.data", map[string]any{"module": module, "name": name, "model": model, "res_id": id})
	require.NoError(t, err)
}

// What is not carried is recognised in the target; what can't be told for sure
// is left out rather than guessed.
func TestHowRecordsAreRecognised(t *testing.T) {
	type values = map[string]any
	p := bare(t, "16.0", "19.0")
	// Further records with ids that the target's don't have.
	for range 3 {
		p.there(t, "res.partner.category", values{"name": "Unlike"})
		p.there(t, "res.country", values{"name": "Unlike", "code": "?"})
	}
	country := func(s *odootest.Server, name, code string) int64 {
		id, err := s.Create("res.country", values{"name": name, "code": code})
		require.NoError(t, err)
		return id
	}
	narnia, oz := country(p.source, "Narnia", "NN"), country(p.source, "Oz", "ZZ")
	narniaThere, ozThere := country(p.target, "Narnie", "NN"), country(p.target, "Ozland", "ZZ")

	const tag, tags = "res.partner.category", "category_id"
	rows := []struct {
		name, field, model string
		from               values
		called             string   // its external ids in the source
		there              []values // "called" is the external id
		want               int      // which of them is meant; -1 for none
	}{
		{"by its name", tags, tag, values{"name": "By name"}, "", []values{{"name": "Else"}, {"name": "By name"}}, 1},
		{"nobody has its name", tags, tag, values{"name": "Nowhere"}, "", []values{{"name": "Nowhere else"}}, -1},
		{"two have its name", tags, tag, values{"name": "Twice"}, "", []values{{"name": "Twice"}, {"name": "Twice"}}, -1},
		{"it is archived there", "user_id", "res.users", values{"name": "Left", "login": "left"}, "", []values{{"name": "Left", "login": "left", "active": false}}, 0},
		{"two have its name and one is archived", tags, tag, values{"name": "Half gone"}, "", []values{{"name": "Half gone"}, {"name": "Half gone", "active": false}}, -1},
		{"by the external id of a module", tags, tag, values{"name": "Gold"}, "sale.gold", []values{{"name": "Gold"}, {"name": "Or", "called": "sale.gold"}}, 1},
		{"the external id is another module's", tags, tag, values{"name": "Silver"}, "sale.silver", []values{{"name": "Argent", "called": "account.silver"}}, -1},
		{"the external id is another model's", tags, tag, values{"name": "Bronze"}, "sale.bronze", []values{{"name": "Cuivre", "called": "sale.bronze res.partner"}}, -1},
		{"the external id was made by an import", tags, tag, values{"name": "Iron"}, "__import__.iron", []values{{"name": "Fer", "called": "__import__.iron"}}, -1},
		{"of two external ids the one that was there first", tags, tag, values{"name": "Tin"}, "sale.tin crm.tin", []values{{"name": "Etain", "called": "crm.tin"}, {"name": "Zinn", "called": "sale.tin"}}, 0},
		{"by the code of a country", "country_id", "res.country", values{"name": "Utopia", "code": "UU"}, "", []values{{"name": "Utopie", "code": "UU"}}, 0},
		{"by the code of a state in its country", "state_id", "res.country.state", values{"name": "North", "code": "N", "country_id": narnia}, "", []values{{"name": "Elsewhere", "code": "N", "country_id": ozThere}, {"name": "Nord", "code": "N", "country_id": narniaThere}}, 1},
		{"the state is in another country", "state_id", "res.country.state", values{"name": "South", "code": "S", "country_id": oz}, "", []values{{"name": "South", "code": "S", "country_id": narniaThere}}, -1},
		{"by the login of a user", "user_id", "res.users", values{"name": "Ada", "login": "ada"}, "", []values{{"name": "Ada", "login": "somebody"}, {"name": "Countess", "login": "ada"}}, 1},
		{"by the code of an account", "property_account_receivable_id", "account.account", values{"name": "Debtors", "code": "1400", "account_type": "asset_receivable"}, "", []values{{"name": "Debtors", "code": "1401", "account_type": "asset_receivable"}, {"name": "Clients", "code": "1400", "account_type": "asset_receivable"}}, 1},
		// From 17.0 on what the chart of a country brought is account's own.
		{"by the name in the chart of a country", "property_account_receivable_id", "account.account", values{"name": "Trade", "code": "1200", "account_type": "asset_receivable"}, "l10n_de.1_trade", []values{{"name": "Trade", "code": "120000", "account_type": "asset_receivable", "called": "account.1_trade"}}, 0},
		{"the name is not one of a chart", "property_account_receivable_id", "account.account", values{"name": "Loans", "code": "1300", "account_type": "asset_receivable"}, "sale.1_loans", []values{{"name": "Loans", "code": "130000", "account_type": "asset_receivable", "called": "account.1_loans"}}, -1},
		{"the chart's name is not account's there", "property_account_receivable_id", "account.account", values{"name": "Other", "code": "1500", "account_type": "asset_receivable"}, "l10n_de.1_other", []values{{"name": "Other", "code": "150000", "account_type": "asset_receivable", "called": "sale.1_other"}}, -1},
	}
	partners, there := make([]int64, len(rows)), make([][]int64, len(rows))
	for i, row := range rows {
		id := p.make(t, row.model, row.from)
		for name := range strings.FieldsSeq(row.called) {
			called(t, p.source, row.model, id, name)
		}
		for _, x := range row.there {
			name, _ := x["called"].(string)
			delete(x, "called")
			id := p.there(t, row.model, x)
			if name, model, other := strings.Cut(name, " "); name != "" {
				if !other {
					model = row.model
				}
				called(t, p.target, model, id, name)
			}
			there[i] = append(there[i], id)
		}
		refers := values{"name": fmt.Sprint("Partner ", i), row.field: id}
		if row.field == tags {
			refers[tags] = []any{[]any{6, 0, []any{id}}}
		}
		partners[i] = p.make(t, "res.partner", refers)
	}
	// An external id of a record that came from this source says nothing of
	// another model.
	taken := p.make(t, tag, values{"name": "Taken"})
	called(t, p.target, "res.partner", p.there(t, tag, values{"name": "Pris"}), "__bridgecore__."+p.old.ExternalName(tag, adapter.IntID(taken)))
	tagged := p.make(t, "res.partner", values{"name": "Tagged", tags: []any{[]any{6, 0, []any{taken}}}})

	p.twice(t, p.transfer("res.partner"))
	for i, row := range rows {
		got := p.carried(t, "res.partner", "res.partner", partners[i], "", row.field)
		var ids []adapter.ID
		if row.field == tags {
			ids = got.IDs(tags)
		} else if id, ok := adapter.IDOf(got[row.field]); ok {
			ids = append(ids, id)
		}
		if row.want < 0 {
			assert.Empty(t, ids, row.name)
		} else {
			assert.Equal(t, []adapter.ID{adapter.IntID(there[i][row.want])}, ids, row.name)
		}
	}
	assert.Empty(t, p.carried(t, "res.partner", "res.partner", tagged, "", tags).IDs(tags))
}

// A contact is told by the first of its keys that it has a value of.
func TestHowContactsAreRecognised(t *testing.T) {
	type values = map[string]any
	p := bare(t, "16.0", "19.0")
	rows := []struct {
		name  string
		from  values
		there []values
		want  int
	}{
		{"by address and name", values{"name": "Ada Lovelace", "email": "ada@example.com"}, []values{{"name": "Ada Byron", "email": "ada@example.com"}, {"name": " ada LOVELACE", "email": "ada@example.com"}}, 1},
		{"by its tax number", values{"name": "Cedar", "vat": "DE1"}, []values{{"name": "Cedre", "vat": "DE1"}}, 0},
		{"by its reference and name", values{"name": "Oak", "ref": "O-1"}, []values{{"name": "Oak", "ref": "O-2"}, {"name": "Oak", "ref": "O-1"}}, 1},
		{"the address says more than the tax number", values{"name": "Elm", "email": "elm@example.com", "vat": "DE2"}, []values{{"name": "Elm", "email": "elm@example.com"}, {"name": "Orme", "vat": "DE2"}}, 0},
		{"a name alone is not enough", values{"name": "Ash"}, []values{{"name": "Ash"}}, -1},
	}
	orders, there := make([]int64, len(rows)), make([][]int64, len(rows))
	for i, row := range rows {
		for _, x := range row.there {
			there[i] = append(there[i], p.there(t, "res.partner", x))
		}
		orders[i] = p.make(t, "sale.order", values{"partner_id": p.make(t, "res.partner", row.from)})
	}
	tr := p.transfer("sale.order")
	report, err := tr.Run(t.Context())
	require.NoError(t, err)
	got := map[adapter.ID]adapter.ID{}
	for _, r := range of(report, "sale.order").Results {
		got[r.Source] = r.ID
	}
	for i, row := range rows {
		id := got[adapter.IntID(orders[i])]
		if row.want < 0 {
			assert.True(t, id.IsZero(), "%s: an order needs a customer", row.name)
			continue
		}
		records, err := p.new.LiveRead(t.Context(), "sale.order", []adapter.ID{id}, []string{"partner_id"})
		require.NoError(t, err)
		require.Len(t, records, 1, row.name)
		partner, _ := adapter.IDOf(records[0]["partner_id"])
		assert.Equal(t, adapter.IntID(there[i][row.want]), partner, row.name)
	}
}

// Taxes are told by name, kind and amount, in whatever form a transport gives
// numbers. Those of two companies can't be told apart.
func TestHowTaxesAreRecognised(t *testing.T) {
	type values = map[string]any
	for _, over := range []string{odoo.TransportJSONRPC, odoo.TransportXMLRPC} {
		t.Run(over, func(t *testing.T) {
			p := bare(t, "16.0", "19.0")
			p.over = over
			p.connect(t)
			tax := func(name string, amount float64, kind string, more values) values {
				out := values{"name": name, "amount": amount, "type_tax_use": kind, "amount_type": "percent", "company_id": 1}
				maps.Copy(out, more)
				return out
			}
			rows := []struct {
				name  string
				from  values
				there []values
				want  int
			}{
				{"whole", tax("VAT", 20, "sale", nil), []values{tax("VAT", 10, "sale", nil), tax("VAT", 20, "purchase", nil), tax("VAT", 20, "sale", nil)}, 2},
				{"not whole", tax("Eco", 0.5, "sale", nil), []values{tax("Eco", 0.5, "sale", nil)}, 0},
				{"another amount", tax("Duty", 7, "sale", nil), []values{tax("Duty", 7.5, "sale", nil)}, -1},
				{"of two companies", tax("Local", 3, "sale", nil), []values{tax("Local", 3, "sale", nil), tax("Local", 3, "sale", values{"company_id": 2})}, -1},
			}
			products, there := make([]int64, len(rows)), make([][]int64, len(rows))
			for i, row := range rows {
				for _, x := range row.there {
					there[i] = append(there[i], p.there(t, "account.tax", x))
				}
				products[i] = p.make(t, "product.template", values{"name": fmt.Sprint("Product ", i), "taxes_id": []any{[]any{6, 0, []any{p.make(t, "account.tax", row.from)}}}})
			}
			p.twice(t, p.transfer("product.template"))
			for i, row := range rows {
				got := p.carried(t, "product.template", "product.template", products[i], "", "taxes_id").IDs("taxes_id")
				if row.want < 0 {
					assert.Empty(t, got, row.name)
				} else {
					assert.Equal(t, []adapter.ID{adapter.IntID(there[i][row.want])}, got, row.name)
				}
			}
		})
	}
}

// What the target does not have is asked for once, however many refer to it.
func TestWhatIsNotThereIsAskedForOnce(t *testing.T) {
	p := bare(t, "16.0", "19.0")
	tag := p.make(t, "res.partner.category", map[string]any{"name": "Nowhere to be found"})
	for i := range 3 {
		p.make(t, "res.partner", map[string]any{"name": fmt.Sprint("Tagged ", i), "category_id": []any{[]any{6, 0, []any{tag}}}})
	}
	tr := p.transfer("res.partner")
	tr.Page = 1
	p.asked = nil
	_, err := tr.Run(t.Context())
	require.NoError(t, err)
	asked := 0
	for _, call := range p.asked {
		if strings.Contains(call, "Nowhere to be found") {
			asked++
		}
	}
	assert.Equal(t, 1, asked)
}

// Two records of the source may be the one that the target has, for those that
// refer to them. Carried along, each is one of its own: in one they would undo
// each other.
func TestTwinsThatGoAlongStayTwo(t *testing.T) {
	p := bare(t, "16.0", "19.0")
	const tag = "res.partner.category"
	there := p.there(t, tag, map[string]any{"name": "Twin"})
	var tags []int64
	for i, name := range []string{"Twin", "Twin", "Only here"} {
		tags = append(tags, p.make(t, tag, map[string]any{"name": name, "color": i + 1}))
		p.make(t, "res.partner", map[string]any{"name": fmt.Sprint("Tagged ", i), "category_id": []any{[]any{6, 0, []any{tags[i]}}}})
	}
	tr := p.transfer("res.partner")
	tr.Dependencies = true
	p.twice(t, tr)
	found, err := p.new.LiveQuery(t.Context(), adapter.Query{Model: tag, Fields: []string{"color"}, Filter: adapter.Cond{Field: "name", Op: adapter.Equal, Value: "Twin"}, Order: []adapter.Order{{Field: "id"}}})
	require.NoError(t, err)
	require.Len(t, found, 2)
	assert.Equal(t, adapter.IntID(there), found[0].ID())
	assert.InDelta(t, 1, found[0].Float("color"), 0)
	assert.InDelta(t, 2, found[1].Float("color"), 0)
}
