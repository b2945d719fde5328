package memory

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// checkEvery is how many rows are looked at between looks at the context.
const checkEvery = 512

// Query implements [adapter.Adapter]. Cursors go by the sort keys of the last
// record, then by id, so that records created or deleted meanwhile neither
// repeat nor hide others.
func (a *Adapter) Query(ctx context.Context, q adapter.Query) (adapter.Page, error) {
	var page adapter.Page
	err := a.reading(ctx, func() error {
		t, err := a.table(q.Model)
		if err != nil {
			return err
		}
		fields, err := readable(t.schema, q.Fields)
		if err != nil {
			return err
		}
		limit := q.Limit
		if limit == 0 {
			limit = PageSize
		}
		rows, keys, more, err := a.find(ctx, t, q, limit)
		if err != nil {
			return err
		}
		page.Records = make([]adapter.Record, len(rows))
		for i, row := range rows {
			page.Records[i] = a.show(t, row, fields, q.Plain)
		}
		if page.Truncated = more; more {
			page.Next = cursor{Query: fingerprint(q), Keys: keys.of(rows[len(rows)-1])}.String()
		}
		return nil
	})
	return page, err
}

// SearchIDs implements [adapter.IDSearcher]. Without a limit it returns all.
func (a *Adapter) SearchIDs(ctx context.Context, q adapter.Query) ([]adapter.ID, error) {
	var ids []adapter.ID
	err := a.reading(ctx, func() error {
		t, err := a.table(q.Model)
		if err != nil {
			return err
		}
		rows, _, _, err := a.find(ctx, t, q, q.Limit)
		for _, row := range rows {
			ids = append(ids, row.ID())
		}
		return err
	})
	return ids, err
}

// Count implements [adapter.Counter].
func (a *Adapter) Count(ctx context.Context, model string, filter adapter.Filter) (int64, error) {
	ids, err := a.SearchIDs(ctx, adapter.Query{Model: model, Filter: filter})
	return int64(len(ids)), err
}

// Read implements [adapter.Reader].
func (a *Adapter) Read(ctx context.Context, model string, ids []adapter.ID, fields []string) ([]adapter.Record, error) {
	var records []adapter.Record
	err := a.reading(ctx, func() error {
		t, err := a.table(model)
		if err != nil {
			return err
		}
		if fields, err = readable(t.schema, fields); err != nil {
			return err
		}
		for _, id := range ids {
			if row, ok := t.rows[id]; ok {
				records = append(records, a.show(t, row, fields, false))
			}
		}
		return nil
	})
	return records, err
}

// NameSearch implements [adapter.NameSearcher]: a part of the display name, in
// any case. Without a limit it returns 100, as Odoo does.
func (a *Adapter) NameSearch(ctx context.Context, model, name string, filter adapter.Filter, limit int) ([]adapter.Ref, error) {
	if limit == 0 {
		limit = 100
	}
	// The name is text to find, not a pattern.
	literal := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(name)
	q := adapter.Query{Model: model, Filter: adapter.And{adapter.Cond{Field: "display_name", Op: adapter.ILike, Value: literal}, filter}}
	var refs []adapter.Ref
	err := a.reading(ctx, func() error {
		t, err := a.table(model)
		if err != nil {
			return err
		}
		rows, _, _, err := a.find(ctx, t, q, limit)
		for _, row := range rows {
			refs = append(refs, adapter.Ref{ID: row.ID(), Name: row.String("display_name")})
		}
		return err
	})
	return refs, err
}

// readable returns the fields to read, all for none.
func readable(schema *adapter.Schema, fields []string) ([]string, error) {
	if fields == nil {
		all := make([]string, 0, len(schema.Fields))
		for name := range schema.Fields {
			all = append(all, name)
		}
		return all, nil
	}
	for _, name := range fields {
		if !schema.Has(name) {
			return nil, adapter.UnknownField(schema, name)
		}
	}
	return fields, nil
}

// find returns the rows that q asks for, at most limit (0 for all), how they
// were ordered, and whether there are more.
func (a *Adapter) find(ctx context.Context, t *table, q adapter.Query, limit int) (rows []adapter.Record, order sortKeys, more bool, err error) {
	fail := func(field, message string) ([]adapter.Record, sortKeys, bool, error) {
		return nil, nil, false, &adapter.Error{Code: adapter.InvalidArgument, Model: q.Model, Field: field, Message: message}
	}
	switch {
	case limit < 0:
		return fail("limit", "limit can't be negative")
	case q.Offset < 0:
		return fail("offset", "offset can't be negative")
	case q.Offset > 0 && q.Cursor != "":
		return fail("offset", "offset does not go with a cursor, which continues by itself")
	}
	schemaOf := func(model string) (*adapter.Schema, error) { return resolver{a}.Schema(model) }
	if err := adapter.Validate(q.Filter, schemaOf, q.Model); err != nil {
		return nil, nil, false, err
	}
	matcher, err := adapter.NewMatcher(q.Filter, adapter.MatchOptions{Model: q.Model, Resolver: resolver{a}})
	if err != nil {
		return nil, nil, false, err
	}
	order, err = a.sortKeys(t, q.Order)
	if err != nil {
		return nil, nil, false, err
	}
	var after []sortValue
	if q.Cursor != "" {
		c, ok := parseCursor(q.Cursor)
		if !ok || c.Query != fingerprint(q) || len(c.Keys) != len(order) {
			return fail("cursor", "the cursor belongs to another query; start again without one")
		}
		after = c.Keys
	}
	for i, id := range t.order {
		if i%checkEvery == 0 {
			if err := adapter.ContextError(ctx); err != nil {
				return nil, nil, false, err
			}
		}
		row := t.rows[id]
		ok, err := matcher.Match(row)
		if err != nil {
			return nil, nil, false, err
		}
		if ok && (after == nil || order.compare(order.of(row), after) > 0) {
			rows = append(rows, row)
		}
	}
	order.sort(rows)
	rows = rows[min(q.Offset, len(rows)):]
	if limit > 0 && len(rows) > limit {
		return rows[:limit], order, true, nil
	}
	return rows, order, false, nil
}

// resolver answers filters from the tables, which the caller has locked.
type resolver struct{ a *Adapter }

// Schema implements [adapter.Resolver].
func (r resolver) Schema(model string) (*adapter.Schema, error) {
	t, err := r.a.table(model)
	if err != nil {
		return nil, err
	}
	return t.schema, nil
}

// Related implements [adapter.Resolver].
func (r resolver) Related(model string, row adapter.Record, name string) ([]adapter.Record, error) {
	t, err := r.a.table(model)
	if err != nil {
		return nil, err
	}
	field := t.schema.Fields[name]
	if computed(field) {
		return r.Read(field.Relation, r.a.inverse(field, row))
	}
	if list, ok := row[name].([]any); ok {
		ids := make([]adapter.ID, 0, len(list))
		for _, item := range list {
			if id, ok := adapter.IDOf(item); ok {
				ids = append(ids, id)
			}
		}
		return r.Read(field.Relation, ids)
	}
	if id, ok := adapter.IDOf(row[name]); ok {
		return r.Read(field.Relation, []adapter.ID{id})
	}
	return nil, nil
}

// Read implements [adapter.Resolver].
func (r resolver) Read(model string, ids []adapter.ID) ([]adapter.Record, error) {
	t, err := r.a.table(model)
	if err != nil {
		return nil, err
	}
	rows := make([]adapter.Record, 0, len(ids))
	for _, id := range ids {
		if row, ok := t.rows[id]; ok {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// ParentField implements [adapter.Resolver].
func (r resolver) ParentField(model string) string {
	const parent = "parent_id"
	if t, ok := r.a.tables[model]; ok {
		if f := t.schema.Fields[parent]; f.Type == adapter.Many2One && f.Relation == model {
			return parent
		}
	}
	return ""
}

// sortKeys are the keys of an order; the last is always the id.
type sortKeys []sortKey

type sortKey struct {
	field   string
	desc    bool
	numeric bool
	related map[adapter.ID]adapter.Record // a many-to-one sorts by display name
}

// sortValue is a row's value of a key: nothing, a number or a text.
type sortValue struct {
	Set    bool   `json:"s,omitempty"`
	Number string `json:"n,omitempty"`
	Text   string `json:"t,omitempty"`
}

func (a *Adapter) sortKeys(t *table, order []adapter.Order) (sortKeys, error) {
	keys := make(sortKeys, 0, len(order)+1)
	for _, o := range order {
		field, ok := t.schema.Fields[o.Field]
		if !ok {
			return nil, adapter.UnknownField(t.schema, o.Field)
		}
		if !field.Sortable {
			return nil, refuse(t.schema, o.Field, "can't be sorted by, being "+string(field.Type))
		}
		key := sortKey{field: o.Field, desc: o.Desc}
		switch field.Type {
		case adapter.Integer, adapter.Float, adapter.Monetary:
			key.numeric = true
		case adapter.Many2One:
			if related, ok := a.tables[field.Relation]; ok {
				key.related = related.rows
			}
		}
		keys = append(keys, key)
		if o.Field == "id" {
			return keys, nil // nothing behind it matters
		}
	}
	return append(keys, sortKey{field: "id", numeric: !t.textIDs}), nil
}

func (k sortKey) of(row adapter.Record) sortValue {
	switch v := row[k.field].(type) {
	case nil:
		return sortValue{}
	case bool:
		return sortValue{Set: true, Text: strconv.FormatBool(v)}
	case json.Number:
		return sortValue{Set: true, Number: string(v)}
	case int64:
		if k.related != nil {
			return sortValue{Set: true, Text: k.related[adapter.IntID(v)].String("display_name")}
		}
		return sortValue{Set: true, Number: strconv.FormatInt(v, 10)}
	case string:
		if k.related != nil {
			return sortValue{Set: true, Text: k.related[adapter.StringID(v)].String("display_name")}
		}
		return sortValue{Set: true, Text: v}
	}
	return sortValue{}
}

func (ks sortKeys) of(row adapter.Record) []sortValue {
	values := make([]sortValue, len(ks))
	for i, k := range ks {
		values[i] = k.of(row)
	}
	return values
}

// compare orders as PostgreSQL does: what is not set comes last, and first in
// a descending order.
func (ks sortKeys) compare(a, b []sortValue) int {
	for i, k := range ks {
		c := a[i].compare(b[i])
		if k.desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func (v sortValue) compare(w sortValue) int {
	switch {
	case v.Set != w.Set:
		if v.Set {
			return -1
		}
		return 1
	case v.Number != "" && w.Number != "":
		return compareNumbers(v.Number, w.Number)
	}
	return cmp.Compare(v.Text, w.Text)
}

func compareNumbers(a, b string) int {
	if m, err := strconv.ParseInt(a, 10, 64); err == nil {
		if n, err := strconv.ParseInt(b, 10, 64); err == nil {
			return cmp.Compare(m, n)
		}
	}
	// More digits than any double has, so that what differs sorts apart.
	x, _, errX := big.ParseFloat(a, 10, 256, big.ToNearestEven)
	y, _, errY := big.ParseFloat(b, 10, 256, big.ToNearestEven)
	if errX != nil || errY != nil {
		return cmp.Compare(a, b)
	}
	return x.Cmp(y)
}

func (ks sortKeys) sort(rows []adapter.Record) {
	if len(ks) == 1 && ks[0].field == "id" && ks[0].numeric && !ks[0].desc {
		return // the order of creation
	}
	type keyed struct {
		keys []sortValue
		row  adapter.Record
	}
	all := make([]keyed, len(rows))
	for i, row := range rows {
		all[i] = keyed{ks.of(row), row}
	}
	slices.SortFunc(all, func(a, b keyed) int { return ks.compare(a.keys, b.keys) })
	for i := range all {
		rows[i] = all[i].row
	}
}

// cursor is where a page ended, and of what query.
type cursor struct {
	Query string      `json:"q"`
	Keys  []sortValue `json:"k"`
}

// String returns the cursor's opaque form.
func (c cursor) String() string {
	b, _ := json.Marshal(c) // of texts alone
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(s string) (cursor, bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return cursor{}, false
	}
	var c cursor
	return c, json.Unmarshal(b, &c) == nil
}

// fingerprint tells queries apart as far as a cursor is concerned.
func fingerprint(q adapter.Query) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(q.Model + "\x00" + adapter.FormatOrder(q.Order) + "\x00"))
	_, _ = h.Write(adapter.AppendDomainJSON(nil, q.Filter))
	return strconv.FormatUint(h.Sum64(), 36)
}
