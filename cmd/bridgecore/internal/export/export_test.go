package export

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/report"
)

func num(s string) json.Number { return json.Number(s) }

func TestReferencesInValues(t *testing.T) {
	one := adapter.Ref{ID: adapter.IntID(5), Name: "Five"}
	for _, c := range []struct {
		value any
		want  []adapter.Ref
	}{
		{[]any{num("5"), "Five"}, []adapter.Ref{one}},
		{[]any{num("5"), false}, []adapter.Ref{{ID: adapter.IntID(5)}}},
		{[]any{num("5"), num("6")}, []adapter.Ref{{ID: adapter.IntID(5)}, {ID: adapter.IntID(6)}}},
		{[]any{num("5"), num("6"), num("7")}, []adapter.Ref{{ID: adapter.IntID(5)}, {ID: adapter.IntID(6)}, {ID: adapter.IntID(7)}}},
		{[]any{"001A", "001B"}, []adapter.Ref{{ID: adapter.StringID("001A")}, {ID: adapter.StringID("001B")}}},
		{[]any{[]any{num("5"), "Five"}, []any{num("6"), "Six"}}, []adapter.Ref{one, {ID: adapter.IntID(6), Name: "Six"}}},
		{[]any{num("5")}, []adapter.Ref{{ID: adapter.IntID(5)}}},
		{map[string]any{"id": num("5"), "display_name": "Five"}, []adapter.Ref{one}},
		{"001A", []adapter.Ref{{ID: adapter.StringID("001A")}}},
		{false, nil}, {nil, nil}, {[]any{}, nil}, {"", nil},
	} {
		assert.Equal(t, c.want, refs(c.value), "%v", c.value)
	}
}

func cellOf(t adapter.FieldType, v any, options ...adapter.Option) any {
	s := &adapter.Schema{Fields: map[string]adapter.Field{"f": {Type: t, Selection: options}}}
	c := columnOf(s, "f", s.Fields["f"])
	c.Name = "f"
	return c.value(adapter.Record{"f": v}, &names{})
}

func TestCells(t *testing.T) {
	for _, c := range []struct {
		kind  adapter.FieldType
		value any
		want  any
	}{
		{adapter.Char, false, nil},
		{adapter.Char, "x", "x"},
		{adapter.Boolean, false, false},
		{adapter.Boolean, true, true},
		{adapter.Integer, num("5"), num("5")},
		{adapter.Integer, false, nil},
		{adapter.Float, "1056.000", num("1056.000")},
		{adapter.Float, "1/2", "1/2"},
		{adapter.Float, "n/a", "n/a"},
		{adapter.HTML, "<p>One<br/>two &amp; <b>three</b></p><script>x()</script><style>p{}</style>", "One\ntwo & three"},
		{adapter.Many2Many, []any{num("7"), num("8")}, []any{"7", "8"}},
		{adapter.Many2One, []any{num("7"), "Seven"}, "Seven"},
		{adapter.Char, []any{"a", false, "b"}, []any{"a", "b"}},
		{adapter.JSON, map[string]any{"a": num("1")}, `{"a":1}`},
	} {
		assert.Equal(t, c.want, cellOf(c.kind, c.value), "%s %v", c.kind, c.value)
	}
	draft := adapter.Option{Value: "draft", Label: "Quotation"}
	assert.Equal(t, "Quotation", cellOf(adapter.Selection, "draft", draft))
	assert.Equal(t, "other", cellOf(adapter.Selection, "other", draft), "an option that is not described stays as it is")
}

// Amounts are in the currency that the record says, Odoo's amounts of the
// company in the company's.
func TestUnits(t *testing.T) {
	field := func(t adapter.FieldType) adapter.Field { return adapter.Field{Type: t} }
	s := &adapter.Schema{Fields: map[string]adapter.Field{
		"amount_total": field(adapter.Monetary), "amount_total_signed": field(adapter.Monetary), "amount_total_in_currency_signed": field(adapter.Monetary), "balance": field(adapter.Monetary),
		"currency_id": field(adapter.Many2One), "company_currency_id": field(adapter.Many2One),
		"product_uom_qty": field(adapter.Float), "product_uom": field(adapter.Many2One), "discount": field(adapter.Float),
	}}
	for name, unit := range map[string]string{
		"amount_total": "currency_id", "amount_total_signed": "company_currency_id", "amount_total_in_currency_signed": "currency_id", "balance": "company_currency_id",
		"product_uom_qty": "product_uom", "discount": "",
	} {
		c := columnOf(s, name, s.Fields[name])
		assert.Equal(t, unit, c.unit, name)
		assert.Equal(t, unit != "", c.Total, "%s: what has a unit is summed up", name)
	}
	c := columnOf(s, "amount_total", s.Fields["amount_total"])
	c.Name = "amount_total"
	assert.Equal(t, report.Quantity{Number: "12.5", Unit: "SAR"}, c.value(adapter.Record{"amount_total": num("12.5"), "currency_id": []any{num("2"), "SAR"}}, &names{}))
	assert.Equal(t, report.Quantity{Number: "12.5", Unit: "EUR"}, c.value(adapter.Record{"amount_total": num("12.5"), "currency_id": "EUR"}, &names{}))
	assert.Nil(t, c.value(adapter.Record{"amount_total": false}, &names{}))
}

func TestChosenColumns(t *testing.T) {
	stored := func(t adapter.FieldType) adapter.Field { return adapter.Field{Type: t, Stored: true} }
	s := &adapter.Schema{Fields: map[string]adapter.Field{
		"id": stored(adapter.Integer), "name": stored(adapter.Char), "image": stored(adapter.Binary), "computed": {Type: adapter.Char}, "line_ids": stored(adapter.One2Many),
		"date": {Type: adapter.Date, Stored: true, Required: true}, "OwnerId": stored(adapter.Many2One), "Owner": stored(adapter.Many2One),
		"partner_id": stored(adapter.Many2One), "partner_name": stored(adapter.Char), "active": stored(adapter.Boolean), "create_date": stored(adapter.DateTime), "message_main_id": stored(adapter.Many2One),
	}}
	assert.Equal(t, []string{"id", "name", "date", "OwnerId", "partner_name", "active", "create_date"}, chosen(s, false))
	assert.Equal(t, []string{"name", "date", "OwnerId", "partner_name"}, chosen(s, true))
	assert.Equal(t, []string{"id"}, chosen(&adapter.Schema{}, true))
}

func TestPresetsAreWhole(t *testing.T) {
	assert.Equal(t, []string{"inventory", "partners", "sales"}, Presets())
	for name, p := range presets {
		assert.Equal(t, "report_"+name, p.Title)
		assert.Len(t, p.Kinds, 3, name)
		for kind, b := range p.Kinds {
			assert.NotEmpty(t, b.Model, "%s %s", name, kind)
			assert.GreaterOrEqual(t, len(b.Fields), 5, "%s %s", name, kind)
			_, err := adapter.ParseOrder(b.Order)
			require.NoError(t, err)
		}
	}
}
