package sap

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
)

// plan is a query as it goes to the service.
type plan struct {
	m      *model
	sel    *selection
	filter filterPlan
	source adapter.Filter // normalized
	order  []orderKey
	byID   int8 // 1 and -1 when the records come by key, and pages go on from the last one
	sum    string
	plain  bool

	limit, offset int
	start         position
	chunks        []expr // the filter in parts, where it is too long for one request
}

type orderKey struct {
	path string // "to_Customer/Name"
	prop *edmx.Property
	desc bool
}

// position is a place in the answers to a query.
type position struct {
	chunk int
	skip  int // answers of the chunk before it
	after key // the record before it
}

// row is a record with the place behind it.
type row struct {
	record adapter.Record
	behind position
	raw    map[string]any
}

// Query implements [adapter.Adapter]. A limit of 0, and one above
// [MaxPageSize], is cut to the page size, with Truncated and Next as for any
// other limit. Records come by their keys unless the query says otherwise.
func (c *Client) Query(ctx context.Context, q adapter.Query) (adapter.Page, error) {
	p, err := c.plan(ctx, q)
	if err != nil {
		return adapter.Page{}, err
	}
	if p.merges() {
		return p.merged(ctx)
	}
	var out adapter.Page
	var last position
	skip := p.localOffset()
	for r, err := range p.scan(ctx, p.limit+1+skip) {
		if err != nil {
			return adapter.Page{}, err
		}
		if skip > 0 {
			skip--
			continue
		}
		if len(out.Records) == p.limit {
			out.Truncated, out.Next = true, p.cursor(last)
			break
		}
		out.Records = append(out.Records, r.record)
		last = r.behind
	}
	return out, nil
}

// plan prepares a query.
func (c *Client) plan(ctx context.Context, q adapter.Query) (*plan, error) {
	m, err := c.model(ctx, q.Model)
	if err != nil {
		return nil, err
	}
	if err := m.addressable("read"); err != nil {
		return nil, err
	}
	switch {
	case q.Limit < 0:
		return nil, m.wrong("limit", "limit is negative")
	case q.Offset < 0:
		return nil, m.wrong("offset", "offset is negative")
	case q.Offset > math.MaxInt32:
		return nil, m.wrong("offset", "offset is greater than any table")
	case q.Offset > 0 && q.Cursor != "":
		return nil, m.wrong("offset", "offset and cursor can't be used together")
	case m.set.NoRead:
		return nil, m.unsupported("model", "SAP does not list %s by itself, only through the record it belongs to", m.name)
	}
	p := &plan{m: m, limit: q.Limit, offset: q.Offset, plain: q.Plain}
	if p.limit == 0 {
		p.limit = c.config.PageSize
	}
	p.limit = min(p.limit, MaxPageSize)
	if p.sel, err = m.selectFields(q.Fields); err != nil {
		return nil, err
	}
	if err := p.orderBy(q.Order); err != nil {
		return nil, err
	}
	if err := p.filterBy(ctx, q.Filter); err != nil {
		return nil, err
	}
	p.sum = p.fingerprint()
	if q.Cursor != "" {
		if err := p.resume(q.Cursor); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// orderBy plans the order. Records that are equal otherwise come by key, so
// that each page has the same order.
func (p *plan) orderBy(orders []adapter.Order) error {
	keys := p.m.keysSortable()
	if len(orders) == 0 || orders[0].Field == idField {
		if !keys {
			if len(orders) > 0 {
				return p.m.wrong(idField, "SAP does not sort %s by its key", p.m.name)
			}
			return nil
		}
		p.byID = 1
		desc := len(orders) > 0 && orders[0].Desc
		if desc {
			p.byID = -1
		}
		// Nothing can follow the key.
		p.orderByKey("", p.m, desc)
		return nil
	}
	for _, o := range orders {
		if err := p.orderByField(o); err != nil {
			return err
		}
	}
	if keys {
		p.orderByKey("", p.m, false)
	}
	return nil
}

func (p *plan) orderByKey(prefix string, m *model, desc bool) {
	for _, prop := range m.keyProps() {
		path := prefix + prop.Name
		if !slices.ContainsFunc(p.order, func(k orderKey) bool { return k.path == path }) {
			p.order = append(p.order, orderKey{path: path, prop: prop, desc: desc})
		}
	}
}

func (p *plan) orderByField(o adapter.Order) error {
	at, prefix := p.m, ""
	name := o.Field
	for {
		head, rest, dotted := strings.Cut(name, ".")
		nav := at.typ.Nav(head)
		if nav == nil {
			break
		}
		next := at.follow(nav)
		if nav.Many || !dotted || next == nil {
			return p.m.wrong(o.Field, "records can't be sorted by %s; name a field of a single related record", quote(o.Field))
		}
		at, prefix, name = next, prefix+nav.Name+"/", rest
	}
	if name == idField && !at.idIsProperty() {
		p.orderByKey(prefix, at, o.Desc)
		return nil
	}
	prop := at.typ.Prop(name)
	switch {
	case prop == nil:
		return at.unknown(o.Field, name)
	case !at.sortable(prop):
		return p.m.wrong(o.Field, "SAP does not sort by %s: its metadata say so", quote(o.Field))
	}
	p.order = append(p.order, orderKey{path: prefix + name, prop: prop, desc: o.Desc})
	return nil
}

func (p *plan) orderText() string {
	parts := make([]string, len(p.order))
	for i, o := range p.order {
		parts[i] = o.path
		if o.desc {
			parts[i] += " desc"
		}
	}
	return strings.Join(parts, ",")
}

// filterBy plans the filter, in parts if it is too long for one request.
func (p *plan) filterBy(ctx context.Context, f adapter.Filter) error {
	var err error
	if p.filter, err = p.m.planFilter(ctx, f); err != nil {
		return err
	}
	p.source = adapter.Normalize(f)
	for _, path := range p.filter.needs {
		// What the answers must be held against has to be among them.
		if err := p.sel.need(path); err != nil {
			return err
		}
	}
	p.chunks = []expr{p.filter.expr}
	if room := p.room(); len(escapeQuery(p.filter.text)) > room {
		parts, err := p.m.splitFilter(ctx, p.source, room)
		if err != nil {
			return err
		}
		if parts != nil {
			p.chunks = parts
		}
	}
	return nil
}

// need reads a field besides those that were asked for.
func (s *selection) need(path string) error {
	if s.all {
		if name, _, _ := strings.Cut(path, "."); s.m.typ.Nav(name) == nil {
			return nil
		}
	}
	return s.add(path, path, 0)
}

// room is how long a filter may be in an address.
func (p *plan) room() int {
	rest := len(p.m.service.path) + len(p.m.root()) + len(p.query(everything, 0, 0)) + keysetRoom
	return max(p.m.service.client.config.MaxURL-rest, 200)
}

// keysetRoom is what the rest of a request may add to its address.
const keysetRoom = 300

// query is the encoded query of one request.
func (p *plan) query(filter expr, top, skip int) string {
	options := p.sel.options()
	if !filter.constant() {
		options = append(options, "$filter="+escapeQuery(filter.text))
	}
	if len(p.order) > 0 {
		options = append(options, "$orderby="+escapeQuery(p.orderText()))
	}
	if top > 0 && !p.m.set.NoPage {
		options = append(options, "$top="+strconv.Itoa(top))
		if skip > 0 {
			options = append(options, "$skip="+strconv.Itoa(skip))
		}
	}
	return strings.Join(options, "&")
}

// merges reports whether the answers to the parts of a filter must be brought
// into one order.
func (p *plan) merges() bool { return len(p.chunks) > 1 && p.byID == 0 }

// localOffset is how many records are left out here rather than by the
// service.
func (p *plan) localOffset() int {
	if p.filter.residual != nil || len(p.chunks) > 1 || p.m.set.NoPage {
		return p.offset
	}
	return 0
}

// scan reads the records from the plan's start on, in requests of at most
// size records.
func (p *plan) scan(ctx context.Context, size int) iter.Seq2[row, error] {
	if p.filter.residual != nil {
		size = max(size, p.m.service.client.config.PageSize)
	}
	size = min(size, MaxPageSize+1)
	return func(yield func(row, error) bool) {
		if p.filter.never {
			return
		}
		for chunk := p.start.chunk; chunk < len(p.chunks); chunk++ {
			at := position{chunk: chunk}
			if chunk == p.start.chunk {
				at = p.start
				if p.localOffset() == 0 {
					at.skip += p.offset
				}
			}
			if !p.scanChunk(ctx, at, size, yield) {
				return
			}
		}
	}
}

// scanChunk reads the records of one part of the filter. It returns false when
// nobody wants more.
func (p *plan) scanChunk(ctx context.Context, at position, size int, yield func(row, error) bool) bool {
	discard := 0
	if p.m.set.NoPage && p.byID == 0 {
		discard, at.skip = at.skip, 0
	}
	for {
		if err := p.m.service.client.ready(ctx, p.m.name); err != nil {
			yield(row{}, err)
			return false
		}
		filter, skip := p.chunks[at.chunk], at.skip
		if p.byID != 0 && at.after != nil {
			more, err := p.m.behind(at.after, p.byID < 0)
			if err != nil {
				yield(row{}, err)
				return false
			}
			filter, skip = and(filter, more), 0
		}
		got := 0
		resp, err := p.m.get(ctx, p.m.root(), p.query(filter, size, skip))
		if err != nil {
			yield(row{}, err)
			return false
		}
		page, err := p.m.feed(resp.Body)
		for {
			if err != nil {
				yield(row{}, err)
				return false
			}
			got += len(page.rows)
			known := min(discard, len(page.rows))
			discard -= known
			at.skip += known
			if !p.hand(ctx, page.rows[known:], &at, yield) {
				return false
			}
			// A service may answer fewer than it was asked for, and link to
			// the rest.
			if page.next == "" || got >= size && !p.m.set.NoPage {
				break
			}
			page, err = p.m.next(ctx, page.next)
		}
		if got < size || p.m.set.NoPage {
			return true
		}
	}
}

// hand yields the rows of one answer.
func (p *plan) hand(ctx context.Context, rows []map[string]any, at *position, yield func(row, error) bool) bool {
	for _, raw := range rows {
		at.skip++
		record, err := p.sel.record(ctx, raw, p.plain && p.filter.residual == nil)
		if err != nil {
			yield(row{}, err)
			return false
		}
		if p.byID != 0 {
			if at.after, err = p.keyOf(raw); err != nil {
				yield(row{}, err)
				return false
			}
		}
		if p.filter.residual != nil {
			ok, err := p.filter.residual.Match(record)
			if err != nil {
				yield(row{}, err)
				return false
			}
			if !ok {
				continue
			}
			if p.plain {
				if record, err = p.sel.record(ctx, raw, true); err != nil {
					yield(row{}, err)
					return false
				}
			}
		}
		if !yield(row{record: record, behind: *at, raw: raw}, nil) {
			return false
		}
	}
	return true
}

func (p *plan) keyOf(raw map[string]any) (key, error) {
	d := decoder{meta: p.m.meta.Metadata}
	values := map[string]any{}
	for _, prop := range p.m.keyProps() {
		values[prop.Name] = d.value(prop, raw[prop.Name])
	}
	k, ok := p.m.keyOf(values)
	if !ok {
		return nil, p.m.unreadable(errors.New("a record without its key"))
	}
	return k, nil
}

// behind is the condition for the records after one, in the order of the keys.
func (m *model) behind(k key, desc bool) (expr, error) {
	op := "gt"
	if desc {
		op = "lt"
	}
	props := m.keyProps()
	var alternatives []expr
	for i := range props {
		var parts []expr
		for j := range i + 1 {
			s, err := m.literal(props[j], k[j])
			if err != nil {
				return expr{}, m.unreadable(err)
			}
			word := "eq"
			if j == i {
				word = op
			}
			parts = append(parts, atom("%s %s %s", props[j].Name, word, s))
		}
		alternatives = append(alternatives, and(parts...))
	}
	return or(alternatives...), nil
}

// merged answers a query whose filter is in parts and whose order is not that
// of the keys: the first records of each part, put in order here.
func (p *plan) merged(ctx context.Context) (adapter.Page, error) {
	offset := p.offset + p.start.skip
	want := offset + p.limit + 1
	rows, err := p.gather(ctx, want)
	if err != nil {
		return adapter.Page{}, err
	}
	var out adapter.Page
	for i, r := range rows[min(offset, len(rows)):] {
		if i == p.limit {
			out.Truncated, out.Next = true, p.cursor(position{skip: offset + p.limit})
			break
		}
		out.Records = append(out.Records, r.record)
	}
	return out, nil
}

// gather reads the first records of each part, in order. most 0 reads all.
func (p *plan) gather(ctx context.Context, most int) ([]row, error) {
	var rows []row
	for chunk := range p.chunks {
		one := *p
		one.start, one.offset = position{chunk: chunk}, 0
		one.chunks = p.chunks[:chunk+1]
		size := min(most, MaxPageSize)
		if size == 0 {
			size = p.m.service.client.config.PageSize
		}
		n := 0
		for r, err := range one.scan(ctx, size) {
			if err != nil {
				return nil, err
			}
			rows = append(rows, r)
			if n++; n == most {
				break
			}
		}
	}
	d := decoder{meta: p.m.meta.Metadata}
	slices.SortStableFunc(rows, func(a, b row) int {
		for _, o := range p.order {
			c := compareValues(d.value(o.prop, at(a.raw, o.path)), d.value(o.prop, at(b.raw, o.path)))
			if o.desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	return rows, nil
}

// at reads a value by its path.
func at(raw map[string]any, path string) any {
	for {
		head, rest, more := strings.Cut(path, "/")
		if !more {
			return raw[head]
		}
		raw, _ = raw[head].(map[string]any)
		path = rest
	}
}

// compareValues compares decoded values: nothing before anything, numbers by
// size, the rest as texts.
func compareValues(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	x, xok := a.(json.Number)
	y, yok := b.(json.Number)
	if xok && yok {
		m, _ := parseNumber(string(x))
		n, _ := parseNumber(string(y))
		return m.rat().Cmp(n.rat())
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

// fingerprint tells queries apart, so that a cursor is not used with another
// one.
func (p *plan) fingerprint() string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.m.name + "\x00" + p.orderText() + "\x00" + strconv.Itoa(len(p.chunks)) + "\x00"))
	if b, err := json.Marshal(adapter.FormatDomain(p.source)); err == nil {
		_, _ = h.Write(b)
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// cursor is a position as callers keep it.
type cursor struct {
	Sum   string   `json:"s"`
	Chunk int      `json:"c,omitempty"`
	Skip  int      `json:"n,omitempty"`
	Key   []string `json:"k,omitempty"`
}

func (p *plan) cursor(at position) string {
	c := cursor{Sum: p.sum, Chunk: at.chunk, Skip: at.skip}
	if p.byID != 0 {
		c.Skip = 0
		for _, v := range at.after {
			s, _ := textOf(v)
			if b, ok := v.(bool); ok {
				s = strconv.FormatBool(b)
			}
			c.Key = append(c.Key, s)
		}
	}
	b, _ := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(b)
}

// resume continues where a cursor says.
func (p *plan) resume(text string) error {
	bad := &adapter.Error{Code: adapter.InvalidArgument, Model: p.m.name, Field: "cursor", Message: "cursor is not one that this query gave; start again without it"}
	const most = 4096
	b, err := base64.RawURLEncoding.DecodeString(text)
	var c cursor
	if err != nil || len(b) > most || json.Unmarshal(b, &c) != nil {
		return bad
	}
	keys := p.m.keyProps()
	switch {
	case c.Sum != p.sum, c.Chunk < 0, c.Chunk >= len(p.chunks), c.Skip < 0, c.Skip > math.MaxInt32:
		return bad
	case p.byID != 0 && len(c.Key) != len(keys), p.byID == 0 && (len(c.Key) != 0 || c.Skip == 0):
		return bad
	}
	p.start = position{chunk: c.Chunk, skip: c.Skip}
	for i, s := range c.Key {
		if _, err := p.m.literal(keys[i], s); err != nil {
			return bad
		}
		p.start.after = append(p.start.after, s)
	}
	return nil
}

// splitFilter renders a filter in parts, each short enough for an address: a
// conjunction with a list of values becomes the same with fewer values each.
// A record has one of the values at most, so that it is in one part alone. It
// returns nil where there is no such list.
func (m *model) splitFilter(ctx context.Context, f adapter.Filter, room int) ([]expr, error) {
	parts, ok := f.(adapter.And)
	if !ok {
		parts = adapter.And{f}
	}
	longest, size := -1, 1
	for i, part := range parts {
		c, ok := part.(adapter.Cond)
		list, isList := c.Value.([]any)
		if ok && isList && c.Op == adapter.In && len(list) > size && !m.throughMany(c.Field) {
			longest, size = i, len(list)
		}
	}
	if longest < 0 {
		return nil, nil
	}
	c := parts[longest].(adapter.Cond)
	list := m.unique(c.Field, c.Value.([]any))
	var out []expr
	// Values are of about the same length. Where the guess was too high, the
	// part is halved.
	var add func(list []any) error
	add = func(list []any) error {
		own := slices.Clone(parts)
		own[longest] = adapter.Cond{Field: c.Field, Op: adapter.In, Value: list}
		plan, err := m.planFilter(ctx, own)
		if err != nil {
			return err
		}
		if len(escapeQuery(plan.text)) > room && len(list) > 1 {
			middle := len(list) / 2
			if err := add(list[:middle]); err != nil {
				return err
			}
			return add(list[middle:])
		}
		if !plan.never {
			out = append(out, plan.expr)
		}
		return nil
	}
	const guess = 40
	for chunk := range slices.Chunk(list, max(room/guess, 1)) {
		if err := add(chunk); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// throughMany reports whether a path leads through a list of records.
func (m *model) throughMany(path string) bool {
	for {
		head, rest, dotted := strings.Cut(path, ".")
		nav := m.typ.Nav(head)
		switch {
		case nav == nil:
			return false
		case nav.Many:
			return true
		case !dotted:
			return false
		}
		if m = m.follow(nav); m == nil {
			return false
		}
		path = rest
	}
}

// propertyAt returns the property that a path leads to, and its model. That of
// an id is a single key; of one that is made of several it is nil.
func (m *model) propertyAt(path string) (*model, *edmx.Property) {
	for {
		head, rest, dotted := strings.Cut(path, ".")
		nav := m.typ.Nav(head)
		if nav != nil {
			if m = m.follow(nav); m == nil {
				return nil, nil
			}
			if path = rest; !dotted {
				path = idField
			}
			continue
		}
		if props := m.keyProps(); head == idField && len(props) == 1 {
			return m, props[0]
		}
		return m, m.typ.Prop(head)
	}
}

// unique drops the values that are the same in the service, however they are
// written, and sorts the rest, so that records come by key even over several
// requests.
func (m *model) unique(path string, list []any) []any {
	owner, p := m.propertyAt(path)
	type value struct {
		literal string
		v       any
	}
	seen := make(map[string]bool, len(list))
	out := make([]value, 0, len(list))
	unset := false
	for _, v := range list {
		s, _ := textOf(v)
		if p != nil {
			l := leaf{c: adapter.Cond{Field: path}, p: p, at: place{m: owner}}
			if unset = unset || l.zero(v); l.zero(v) {
				continue
			}
			if literal, err := l.literal(v); err == nil {
				s = literal
			}
		}
		switch {
		case adapter.IsEmpty(v):
			unset = true
		case !seen[s]:
			seen[s] = true
			out = append(out, value{s, v})
		}
	}
	slices.SortStableFunc(out, func(a, b value) int { return strings.Compare(a.literal, b.literal) })
	values := make([]any, len(out), len(out)+1)
	for i, one := range out {
		values[i] = one.v
	}
	if unset {
		values = append(values, nil)
	}
	return values
}
