// Package export makes tables for people out of the records of a connected
// system: labels in their language, names in the place of ids, amounts with
// their currency. The records are read as the table is written.
package export

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/report"
)

// Request says what a table is made of.
type Request struct {
	Model  string
	Filter adapter.Filter
	// Fields are the columns, which may lead through relations. nil leaves the
	// choice; Narrow then asks for as few as fit on paper.
	Fields []string
	Narrow bool
	Order  []adapter.Order
	Limit  int // 0 for all records

	Title    string // "" is the model's label
	Subtitle string
	Words    *i18n.Words    // nil is English
	Zone     *time.Location // of date-times; nil is UTC
}

// rowsAtOnce is how many records have their names looked up together.
const rowsAtOnce = 500

// Table describes the model and returns the table, whose rows are read from the
// system when it is written. ctx must live as long.
func Table(ctx context.Context, sys *bridge.System, r Request) (*report.Table, error) {
	d, err := design(ctx, sys, r)
	if err != nil {
		return nil, err
	}
	d.table.Rows = d.rows(ctx)
	return d.table, nil
}

// Page reads the rows of a page of the table, the first one or, with a cursor,
// the one behind that where it is the next of an earlier page. Fields should be
// those of the first page's columns then. next is "" at the end; r.Limit bounds
// the page.
func Page(ctx context.Context, sys *bridge.System, r Request, cursor string) (t *report.Table, rows [][]any, next string, err error) {
	d, err := design(ctx, sys, r)
	if err != nil {
		return nil, nil, "", err
	}
	d.query.Cursor = cursor
	names := &names{sys: d.sys}
	for page, err := range d.sys.Pages(ctx, d.query) {
		if err != nil {
			return nil, nil, "", err
		}
		for chunk := range slices.Chunk(page.Records, rowsAtOnce) {
			rows = append(rows, d.filled(ctx, names, chunk)...)
		}
		next = page.Next
		break
	}
	return d.table, rows, next, nil
}

// Count is how many rows the table has; the limit counts.
func Count(ctx context.Context, sys *bridge.System, r Request) (int64, error) {
	n, err := sys.Count(ctx, r.Model, r.Filter)
	if err == nil && r.Limit > 0 {
		n = min(n, int64(r.Limit))
	}
	return n, err
}

// plan is a table and where its rows come from.
type plan struct {
	sys     *bridge.System
	table   *report.Table // without rows
	columns []column
	query   adapter.Query
}

func design(ctx context.Context, sys *bridge.System, r Request) (*plan, error) {
	if r.Words == nil {
		r.Words = i18n.For()
	}
	sys = speaking(ctx, sys, r.Words)
	b := &builder{sys: sys, words: r.Words, schemas: map[string]*adapter.Schema{}}
	described, err := b.describe(ctx, r.Model)
	if err != nil {
		return nil, err
	}
	if len(r.Fields) == 0 {
		r.Fields = chosen(described, r.Narrow)
	}
	columns, err := b.columns(ctx, r.Model, r.Fields)
	if err != nil {
		return nil, err
	}
	t := &report.Table{
		Title: r.Title, Subtitle: r.Subtitle, BOM: true,
		Locale: report.Locale{Language: r.Words.Language, Zone: r.Zone, Words: words(r.Words)},
	}
	if t.Title == "" {
		t.Title = b.title(ctx, described)
	}
	for i := range columns {
		t.Columns = append(t.Columns, columns[i].Column)
	}
	return &plan{sys, t, columns, adapter.Query{Model: r.Model, Filter: r.Filter, Fields: asked(columns), Order: r.Order, Limit: r.Limit}}, nil
}

// words are those that a table adds of its own.
func words(w *i18n.Words) report.Words {
	return report.Words{Total: w.T("total"), Yes: w.T("yes"), No: w.T("no"), Page: w.T("page", "Page", "%d", "Pages", "%d")}
}

// speaking returns the system for calls in a language, if it has it and none
// was chosen before.
func speaking(ctx context.Context, sys *bridge.System, w *i18n.Words) *bridge.System {
	if sys.Scope().Language != "" {
		return sys
	}
	return sys.InLanguage(ctx, w.Language)
}

// rows reads the records and yields a row for each.
func (d *plan) rows(ctx context.Context) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		names := &names{sys: d.sys}
		chunk := make([]adapter.Record, 0, rowsAtOnce)
		flush := func() bool {
			for _, row := range d.filled(ctx, names, chunk) {
				if !yield(row, nil) {
					return false
				}
			}
			chunk = chunk[:0]
			return true
		}
		for r, err := range d.sys.Each(ctx, d.query) {
			if err != nil {
				yield(nil, err)
				return
			}
			if chunk = append(chunk, r); len(chunk) == cap(chunk) && !flush() {
				return
			}
		}
		flush()
	}
}

// filled are the rows of records.
func (d *plan) filled(ctx context.Context, names *names, records []adapter.Record) [][]any {
	names.learn(ctx, d.columns, records)
	out := make([][]any, len(records))
	for i, r := range records {
		out[i] = make([]any, len(d.columns))
		for j := range d.columns {
			out[i][j] = d.columns[j].value(r, names)
		}
	}
	return out
}

// names are the display names of related records, as far as they were looked up.
type names struct {
	sys   *bridge.System
	known map[string]map[adapter.ID]string // by model
	mute  map[string]bool                  // models whose names can't be read
	count int
}

// mostNames bounds what is remembered.
const mostNames = 50_000

// learn looks up the names that the records refer to and don't bring along.
func (n *names) learn(ctx context.Context, columns []column, records []adapter.Record) {
	if n.count > mostNames {
		n.known, n.count = nil, 0
	}
	wanted := map[string][]adapter.ID{}
	for i := range columns {
		c := &columns[i]
		if c.relation == "" || n.mute[c.relation] {
			continue
		}
		for _, r := range records {
			for _, ref := range refs(r[c.Name]) {
				if _, known := n.known[c.relation][ref.ID]; ref.Name == "" && !known {
					n.put(c.relation, ref.ID, "") // not twice
					wanted[c.relation] = append(wanted[c.relation], ref.ID)
				}
			}
		}
	}
	for model, ids := range wanted {
		found, err := n.sys.Names(ctx, model, ids)
		if err != nil {
			// Not worth the table: the ids stand for themselves.
			adapter.Warn(ctx, adapter.Warning{Code: adapter.WarnFieldDropped, Model: model, Message: "the names of " + model + " could not be read; their ids stand in their place"})
			if n.mute == nil {
				n.mute = map[string]bool{}
			}
			n.mute[model] = true
			continue
		}
		for id, name := range found {
			n.put(model, id, name)
		}
	}
}

func (n *names) put(model string, id adapter.ID, name string) {
	if n.known == nil {
		n.known = map[string]map[adapter.ID]string{}
	}
	if n.known[model] == nil {
		n.known[model] = map[adapter.ID]string{}
	}
	n.known[model][id] = name
	n.count++
}

// of is what people see of a reference.
func (n *names) of(model string, ref adapter.Ref) string {
	if ref.Name != "" {
		return ref.Name
	}
	return cmp.Or(n.known[model][ref.ID], ref.ID.String())
}

// refs are the references in a value: of one record or of many.
func refs(v any) []adapter.Ref {
	if adapter.IsEmpty(v) {
		return nil
	}
	if ref, ok := adapter.RefOf(v); ok {
		if list, isList := v.([]any); !isList || isPair(list) {
			return []adapter.Ref{ref}
		}
	}
	list, ok := v.([]any)
	if !ok {
		return nil
	}
	var out []adapter.Ref
	for _, item := range list {
		out = append(out, refs(item)...)
	}
	return out
}

// isPair tells [5, "Name"] from a list of two references.
func isPair(list []any) bool {
	if len(list) != 2 {
		return false
	}
	if _, nested := list[0].([]any); nested {
		return false
	}
	_, first := adapter.IDOf(list[0])
	switch list[1].(type) {
	case string:
		_, text := list[0].(string)
		return first && !text // two ids that are texts are a list
	case bool:
		return first
	}
	return false
}

// asked are the fields to read: those of the columns and of their units.
func asked(columns []column) []string {
	var fields []string
	add := func(name string) {
		if name != "" && name != "id" && !slices.Contains(fields, name) {
			fields = append(fields, name)
		}
	}
	for i := range columns {
		add(columns[i].Name)
	}
	for i := range columns {
		add(columns[i].unit)
	}
	if fields == nil {
		fields = []string{"id"}
	}
	return fields
}

// chosen are the columns of a table for which nobody chose any: what is stored
// and can be read by people, names first; a narrow one has what is most telling.
func chosen(s *adapter.Schema, narrow bool) []string {
	type ranked struct {
		name string
		rank int
	}
	var list []ranked
	for name, f := range s.Fields {
		if rank := rankOf(name, &f, narrow); rank > 0 && !twofold(s, name) {
			list = append(list, ranked{name, rank})
		}
	}
	slices.SortFunc(list, func(a, b ranked) int {
		if a.rank != b.rank {
			return a.rank - b.rank
		}
		return strings.Compare(a.name, b.name)
	})
	most := len(list)
	if narrow {
		most = min(most, 8)
	}
	fields := make([]string, 0, most)
	for _, r := range list[:most] {
		fields = append(fields, r.name)
	}
	if len(fields) == 0 {
		return []string{"id"}
	}
	return fields
}

// twofold reports whether another field says the same as a relation: in
// Salesforce OwnerId what Owner does, in universal words partner_name what
// partner_id does.
func twofold(s *adapter.Schema, name string) bool {
	stem, isID := strings.CutSuffix(name, "_id")
	return s.Has(name+"Id") || isID && s.Has(stem+"_name")
}

// ranks order the columns that nobody chose.
var ranks = map[adapter.FieldType]int{
	adapter.Char: 5, adapter.Selection: 5, adapter.Many2One: 5, adapter.Date: 5, adapter.DateTime: 6,
	adapter.Monetary: 6, adapter.Float: 7, adapter.Integer: 8, adapter.Boolean: 9, adapter.Text: 9, adapter.HTML: 9,
}

// logged are the fields in which Odoo keeps who did what when.
var logged = []string{"create_uid", "create_date", "write_uid", "write_date"}

func rankOf(name string, f *adapter.Field, narrow bool) int {
	rank := ranks[f.Type]
	switch {
	case name == "id":
		if narrow {
			return 0
		}
		return 1
	case slices.Contains([]string{"name", "Name"}, name):
		return 2
	case rank == 0, !f.Stored, strings.HasPrefix(name, "message_"), strings.HasPrefix(name, "activity_"), name == "display_name":
		return 0
	case slices.Contains(logged, name):
		if narrow {
			return 0
		}
		return 20
	case f.Required:
		return 3
	case narrow && rank > 6:
		return 0
	}
	return rank
}
