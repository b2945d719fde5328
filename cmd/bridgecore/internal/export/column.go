package export

import (
	"cmp"
	"context"
	"encoding/json"
	"html"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/report"
)

// column is a column of a table and where its values come from.
type column struct {
	report.Column

	field    adapter.Field
	relation string            // the model whose names stand in the cells
	unit     string            // the field that holds the unit of the numbers
	options  map[string]string // labels of a selection
}

// builder makes columns.
type builder struct {
	sys     *bridge.System
	words   *i18n.Words
	schemas map[string]*adapter.Schema
}

func (b *builder) describe(ctx context.Context, model string) (*adapter.Schema, error) {
	if s := b.schemas[model]; s != nil {
		return s, nil
	}
	s, err := b.sys.Describe(ctx, model)
	if err == nil {
		b.schemas[model] = s
	}
	return s, err
}

// title is what a model is called.
func (b *builder) title(ctx context.Context, s *adapter.Schema) string {
	switch {
	case b.sys.IsUniversal():
		return spelled(s.Model)
	case s.Label != "" || b.sys.Kind() != "odoo" || b.sys.PinnedVersion() != "":
		return cmp.Or(s.Label, s.Model)
	}
	// Odoo's description of fields does not say it. Whom it does not tell sees
	// the technical name.
	a, err := b.sys.Read(ctx, bridge.Reading{Query: adapter.Query{
		Model: "ir.model", Filter: adapter.Cond{Field: "model", Op: adapter.Equal, Value: s.Model}, Fields: []string{"name"},
	}})
	if err != nil {
		return s.Model
	}
	records, err := a.Records()
	if err != nil || len(records) == 0 {
		return s.Model
	}
	return cmp.Or(records[0].String("name"), s.Model)
}

// label is what a field is called. Universal fields have no labels of their
// own.
func (b *builder) label(name string, f *adapter.Field) string {
	label := f.Label
	if label == name && b.sys.IsUniversal() {
		if label = ""; b.words.Has(name) {
			label = b.words.T(name)
		}
	}
	if short, cut := strings.CutSuffix(label, " ID"); cut && f.Type.Relational() && short != "" {
		label = short // what stands in the cells is the name
	}
	return cmp.Or(label, spelled(name))
}

func (b *builder) columns(ctx context.Context, model string, fields []string) ([]column, error) {
	columns := make([]column, 0, len(fields))
	for _, path := range fields {
		if slices.ContainsFunc(columns, func(c column) bool { return c.Name == path }) {
			continue
		}
		c, err := b.column(ctx, model, path)
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// column describes the field at the end of a path. One that the model has not
// is a text under its own name: whether it is an error is for the system to say.
func (b *builder) column(ctx context.Context, model, path string) (column, error) {
	var labels []string
	before := ""
	for rest := path; ; {
		name, after, deeper := strings.Cut(rest, ".")
		s, err := b.describe(ctx, model)
		if err != nil {
			return column{}, err
		}
		f, known := s.Fields[name]
		if !known {
			return column{Column: report.Column{Name: path, Label: strings.Join(append(labels, rest), " / ")}}, nil
		}
		labels = append(labels, b.label(name, &f))
		if !deeper || f.Relation == "" {
			c := columnOf(s, name, f)
			c.Name, c.Label = path, strings.Join(labels, " / ")
			if c.unit != "" {
				c.unit = before + c.unit
			}
			if f.Type == adapter.Binary {
				return c, &adapter.Error{Code: adapter.InvalidArgument, Model: model, Field: path, Message: "field \"" + path + "\" holds files or pictures, which a table can't show; leave it out"}
			}
			return c, nil
		}
		before += name + "."
		model, rest = f.Relation, after
	}
}

// spelled makes a label of a field's name.
func spelled(name string) string {
	words := strings.ReplaceAll(strings.TrimSuffix(name, "_id"), "_", " ")
	if words == "" {
		return name
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// kinds are how the types of fields are written.
var kinds = map[adapter.FieldType]report.Kind{
	adapter.Integer: report.Integer, adapter.Float: report.Number, adapter.Monetary: report.Money,
	adapter.Date: report.Date, adapter.DateTime: report.DateTime, adapter.Boolean: report.Bool,
}

// currencies are the fields that hold the currency of a record's amounts, the
// first that there is. Odoo keeps amounts of the company's currency under
// names that end in one of companyAmounts, and has companyCurrency for them.
var (
	currencies      = []string{"currency_id", "currency", "company_currency_id", "CurrencyIsoCode", "TransactionCurrency", "Currency", "DocumentCurrency"}
	companyCurrency = "company_currency_id"
	companyAmounts  = regexp.MustCompile(`^(debit|credit|balance)$|^amount_.*_signed$`)
	inCurrency      = regexp.MustCompile(`_in_currency_signed$`)
)

// quantities are numbers of pieces, and units the fields that hold their unit.
var (
	quantities = regexp.MustCompile(`(^|_)(qty|quantity)(_|$)|^virtual_available$|Quantity$`)
	units      = []string{"product_uom_id", "product_uom", "uom_id", "unit", "RequestedQuantityUnit", "OrderQuantityUnit", "BaseUnit"}
)

const digits = 2

func columnOf(s *adapter.Schema, name string, f adapter.Field) column {
	c := column{field: f, Column: report.Column{Kind: kinds[f.Type]}}
	switch {
	case name == "id":
		c.Kind = report.Text // a number to tell apart, not to reckon with
	case f.Type == adapter.Monetary:
		c.Digits, c.Total, c.unit = digits, true, firstOf(s, currencies)
		if companyAmounts.MatchString(name) && !inCurrency.MatchString(name) && s.Has(companyCurrency) {
			c.unit = companyCurrency
		}
	case f.Type == adapter.Float:
		c.Digits = digits
		if quantities.MatchString(name) {
			c.Total, c.unit = true, firstOf(s, units)
		}
	case f.Type.Relational():
		c.relation = f.Relation
	case f.Type == adapter.Selection:
		c.options = map[string]string{}
		for _, o := range f.Selection {
			c.options[o.Value] = o.Label
		}
	}
	return c
}

func firstOf(s *adapter.Schema, names []string) string {
	for _, name := range names {
		if s.Has(name) {
			return name
		}
	}
	return ""
}

// value is the column's cell in the row of a record.
func (c *column) value(r adapter.Record, n *names) any {
	v := c.cell(r[c.Name], n)
	if number, ok := v.(json.Number); ok && c.unit != "" {
		return report.Quantity{Number: number, Unit: unitOf(r[c.unit])}
	}
	return v
}

// unitOf is the name of a currency or a unit of measure.
func unitOf(v any) string {
	if ref, ok := adapter.RefOf(v); ok && ref.Name != "" {
		return ref.Name
	}
	return adapter.Record{"": v}.String("")
}

// cell is a value of the field as a table has it.
func (c *column) cell(v any, n *names) any {
	if v == nil || v == false && c.field.Type != adapter.Boolean {
		return nil
	}
	if c.field.Type.Relational() {
		return c.related(v, n)
	}
	if list, ok := v.([]any); ok && !isPair(list) {
		cells := make([]any, 0, len(list))
		for _, item := range list {
			if cell := c.cell(item, n); cell != nil {
				cells = append(cells, cell)
			}
		}
		return cells
	}
	switch c.field.Type {
	case adapter.Integer, adapter.Float, adapter.Monetary:
		return number(v)
	case adapter.Boolean:
		if b, ok := v.(bool); ok {
			return b
		}
	case adapter.Selection:
		if key, ok := v.(string); ok {
			return cmp.Or(c.options[key], key)
		}
	case adapter.HTML:
		if text, ok := v.(string); ok {
			return plainText(text)
		}
	}
	switch v := v.(type) {
	case string, json.Number, bool:
		return v
	}
	return adapter.Record{"": v}.String("")
}

func (c *column) related(v any, n *names) any {
	all := refs(v)
	if c.field.Type == adapter.Many2One && len(all) == 1 {
		return n.of(c.relation, all[0])
	}
	if len(all) == 0 {
		if s := (adapter.Record{"": v}).String(""); s != "" && s != "[]" {
			return s
		}
		return nil
	}
	cells := make([]any, len(all))
	for i, ref := range all {
		cells[i] = n.of(c.relation, ref)
	}
	return cells
}

// number is a number, also where the system writes it as a text, as SAP does
// with decimals. What is none stays as it is.
func number(v any) any {
	switch v := v.(type) {
	case json.Number:
		return v
	case string:
		if _, ok := new(big.Rat).SetString(v); ok && !strings.Contains(v, "/") {
			return json.Number(v)
		}
		return v
	case int, int64, float64:
		if b, err := json.Marshal(v); err == nil {
			return json.Number(b)
		}
	}
	return adapter.Record{"": v}.String("")
}

var (
	breaks = regexp.MustCompile(`(?i)<(br|/p|/div|/li|/tr|/h[1-6])\b[^>]*>`)
	hidden = regexp.MustCompile(`(?is)<(script|style)\b.*?</(script|style)>|<!--.*?-->`)
	tags   = regexp.MustCompile(`<[^>]*>`)
	gaps   = regexp.MustCompile(`\s*\n\s*`)
)

// plainText is what people see of HTML.
func plainText(s string) string {
	s = tags.ReplaceAllString(breaks.ReplaceAllString(hidden.ReplaceAllString(s, ""), "\n"), "")
	return strings.TrimSpace(gaps.ReplaceAllString(html.UnescapeString(s), "\n"))
}
