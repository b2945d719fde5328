package salesforce

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Query implements [adapter.Adapter]. A limit of 0, and one above
// [MaxPageSize], is cut to the page size, with Truncated and Next as for any
// other limit.
//
// A query without an order, or by Id, pages by id: records that are created or
// deleted meanwhile neither repeat nor hide others, and its cursors never
// expire. Any other order pages by offset, and from the two-thousandth row on
// along the server's own cursor, which Salesforce forgets after some time:
// then the page is ErrPreconditionFailed.
func (c *Client) Query(ctx context.Context, q adapter.Query) (adapter.Page, error) {
	p, at, err := c.plan(ctx, q)
	if err != nil {
		return adapter.Page{}, err
	}
	limit := q.Limit
	if limit == 0 {
		limit = c.config.PageSize
	}
	limit = min(limit, MaxPageSize)
	at.want = limit + 1
	rows, err := c.skipped(ctx, p, at, q.Offset)
	if err != nil {
		return adapter.Page{}, err
	}
	page := adapter.Page{Records: []adapter.Record{}}
	for {
		full := len(page.Records) == limit
		next := ""
		if full {
			next = rows.source.position()
		}
		raw, ok, err := rows.next(ctx)
		switch {
		case err != nil:
			return adapter.Page{}, withModel(err, p.object.Name)
		case !ok:
			return page, nil
		case full:
			page.Truncated, page.Next = true, p.cursor(next)
			return page, nil
		}
		page.Records = append(page.Records, p.selection.shape(raw, q.Plain))
	}
}

// skipped begins to read behind the first rows that match.
func (c *Client) skipped(ctx context.Context, p *plan, at start, offset int) (*rows, error) {
	if offset == 0 {
		return c.rowsFrom(p, at), nil
	}
	if p.matcher == nil {
		// The server counts as we do.
		if parts, _, err := p.parts(); err == nil && len(parts) == 1 {
			at.offset = offset
			return c.rowsFrom(p, at), nil
		}
	}
	at.want = min(at.want+offset, MaxPageSize)
	rows := c.rowsFrom(p, at)
	for range offset {
		if _, ok, err := rows.next(ctx); err != nil || !ok {
			return rows, withModel(err, p.object.Name)
		}
	}
	return rows, nil
}

// plan prepares a query.
func (c *Client) plan(ctx context.Context, q adapter.Query) (*plan, start, error) {
	o, err := c.object(ctx, q.Model)
	if err != nil {
		return nil, start{}, err
	}
	wrong := func(field, message string) (*plan, start, error) {
		return nil, start{}, &adapter.Error{Code: adapter.InvalidArgument, Model: o.Name, Field: field, Message: message, NothingSent: true}
	}
	switch {
	case q.Limit < 0:
		return wrong("limit", "limit is negative")
	case q.Offset < 0:
		return wrong("offset", "offset is negative")
	case q.Offset > 0 && q.Cursor != "":
		return wrong("offset", "offset and cursor can't be used together")
	}
	p := &plan{object: o}
	if p.selection, err = c.selectFields(ctx, o, q.Fields); err != nil {
		return nil, start{}, err
	}
	if err := c.order(ctx, p, q.Order); err != nil {
		return nil, start{}, withModel(err, o.Name)
	}
	if err := c.where(ctx, p, q.Filter); err != nil {
		return nil, start{}, withModel(err, o.Name)
	}
	p.sum = cursorSum(o.Name, p.orderBy(), q.Filter)
	if q.Cursor == "" {
		return p, start{}, nil
	}
	at, ok := p.resume(q.Cursor)
	if !ok {
		return wrong("cursor", "cursor is not one that this query gave; start again without it")
	}
	return p, at, nil
}

// where compiles the filter of a plan, and reads what is needed to hold the
// rest of it against the records.
func (c *Client) where(ctx context.Context, p *plan, f adapter.Filter) error {
	compiled, err := c.filter(ctx, p.object, f)
	if err != nil {
		return err
	}
	p.filter = compiled
	matcher, paths, err := compiled.matcher(ctx, c)
	if err != nil {
		return err
	}
	p.matcher = matcher
	for _, path := range paths {
		if err := c.selectPath(ctx, p.selection, path, false, 0); err != nil {
			return err
		}
	}
	return nil
}

// order prepares the sort keys, of which the id is the last.
func (c *Client) order(ctx context.Context, p *plan, orders []adapter.Order) error {
	if len(orders) == 0 {
		p.byID = 1
		return nil
	}
	for i, o := range orders {
		key, err := c.orderKey(ctx, p.object, o)
		if err != nil {
			return err
		}
		if key.path == "Id" {
			if i == 0 {
				p.byID = 1
				if o.Desc {
					p.byID = -1
				}
				return nil
			}
			p.order = append(p.order, key)
			break
		}
		p.order = append(p.order, key)
		if err := c.selectPath(ctx, p.selection, key.path, false, 0); err != nil {
			return err
		}
	}
	if p.order[len(p.order)-1].path != "Id" {
		p.order = append(p.order, orderKey{path: "Id"})
		p.order[len(p.order)-1].field, _ = p.object.field("Id")
	}
	return nil
}

func (c *Client) orderKey(ctx context.Context, o *object, by adapter.Order) (orderKey, error) {
	prefix := ""
	for path := by.Field; ; {
		name, rest, more := strings.Cut(path, ".")
		f, ok := o.field(name)
		if !ok {
			o, f, ok = c.lookUp(ctx, o, name)
		}
		if !ok {
			if f, ok = o.relations[name]; !ok {
				return orderKey{}, adapter.UnknownField(o.schema, name)
			}
		}
		if !more {
			if !f.Sortable {
				return orderKey{}, badField(o, by.Field, "can't be sorted by, says Salesforce")
			}
			return orderKey{path: prefix + f.Name, field: f, desc: by.Desc}, nil
		}
		if f.Relationship == "" {
			return orderKey{}, badField(o, by.Field, "leads to no other record")
		}
		target, err := c.target(ctx, f)
		if err != nil {
			return orderKey{}, err
		}
		prefix += f.Relationship + "."
		o, path = target, rest
	}
}

// cursorSum tells queries apart, so that a cursor is not used with another one.
func cursorSum(name, order string, f adapter.Filter) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name + "\x00" + order + "\x00"))
	if b, err := json.Marshal(adapter.FormatDomain(f)); err == nil {
		_, _ = h.Write(b)
	}
	return h.Sum64()
}

// cursor wraps a position.
func (p *plan) cursor(position string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s.%x", position, p.sum))
}

// resume reads a cursor.
func (p *plan) resume(cursor string) (start, bool) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) < 2 || len(b) > 400 {
		return start{}, false
	}
	text := string(b)
	dot := strings.LastIndexByte(text, '.')
	if dot < 1 || text[dot+1:] != strconv.FormatUint(p.sum, 16) {
		return start{}, false
	}
	where := text[1:dot]
	switch {
	case text[0] == 'i' && p.byID != 0:
		return start{after: where}, recordID.MatchString(where)
	case text[0] == 'o' && p.byID == 0:
		n, err := strconv.Atoi(where)
		return start{offset: n}, err == nil && n > 0
	case text[0] == 'q' && p.byID == 0:
		parts := strings.Split(where, "|")
		if len(parts) != 3 {
			return start{}, false
		}
		base, err1 := strconv.Atoi(parts[1])
		at, err2 := strconv.Atoi(parts[2])
		url := "/services/data/" + parts[0]
		return start{url: url, base: base, offset: at}, err1 == nil && err2 == nil && base >= 0 && at >= base && nextBatch.MatchString(url)
	}
	return start{}, false
}

// SearchIDs returns the ids of the records that match: as many as the limit
// says, or all of them where it says nothing.
func (c *Client) SearchIDs(ctx context.Context, q adapter.Query) ([]adapter.ID, error) {
	q.Fields = []string{"Id"}
	p, at, err := c.plan(ctx, q)
	if err != nil {
		return nil, err
	}
	at.want = q.Limit
	rows, err := c.skipped(ctx, p, at, q.Offset)
	if err != nil {
		return nil, err
	}
	ids := []adapter.ID{}
	for q.Limit == 0 || len(ids) < q.Limit {
		raw, ok, err := rows.next(ctx)
		if err != nil {
			return nil, withModel(err, p.object.Name)
		}
		if !ok {
			break
		}
		id, _ := raw["Id"].(string)
		ids = append(ids, adapter.StringID(id))
	}
	return ids, nil
}

// Count returns how many records match. Salesforce counts, unless the filter
// has what it can't tell, such as the case of letters: then the records that
// may match are read.
func (c *Client) Count(ctx context.Context, model string, f adapter.Filter) (int64, error) {
	p, _, err := c.plan(ctx, adapter.Query{Model: model, Filter: f, Fields: []string{"Id"}})
	if err != nil {
		return 0, err
	}
	if where := p.filter.where; where.op == opConstant && !where.truth {
		return 0, nil
	}
	parts, disjoint, err := p.parts()
	if err != nil {
		return 0, err
	}
	var n int64
	if p.matcher == nil && disjoint {
		for _, part := range parts {
			result, err := c.query(ctx, p.object, "SELECT COUNT() FROM "+p.object.Name+part.where(), 0)
			if err != nil {
				return 0, err
			}
			n += result.TotalSize
		}
		return n, nil
	}
	rows := c.rows(p)
	for {
		_, ok, err := rows.next(ctx)
		if err != nil || !ok {
			return n, withModel(err, p.object.Name)
		}
		n++
	}
}

// Read returns the records of ids in their order. An id that does not exist is
// left out.
func (c *Client) Read(ctx context.Context, model string, ids []adapter.ID, fields []string) ([]adapter.Record, error) {
	list := make([]any, 0, len(ids))
	for _, id := range ids {
		if text := idText(id); text != "" {
			list = append(list, text)
		}
	}
	q := adapter.Query{Model: model, Fields: fields, Filter: adapter.Cond{Field: "Id", Op: adapter.In, Value: list}}
	p, _, err := c.plan(ctx, q)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]adapter.Record, len(list))
	rows := c.rows(p)
	for {
		raw, ok, err := rows.next(ctx)
		if err != nil {
			return nil, withModel(err, p.object.Name)
		}
		if !ok {
			break
		}
		id, _ := raw["Id"].(string)
		byID[id] = p.selection.shape(raw, false)
	}
	records := make([]adapter.Record, 0, len(byID))
	given := map[string]bool{}
	for _, v := range list {
		id, _ := v.(string)
		r, ok := byID[id]
		switch {
		case !ok:
		case given[id]:
			records = append(records, p.clone(r))
		default:
			given[id] = true
			records = append(records, r)
		}
	}
	return records, nil
}

// clone copies a record for a second place, so that no two share anything.
func (p *plan) clone(r adapter.Record) adapter.Record {
	b, err := json.Marshal(r)
	if err != nil {
		return r
	}
	again, err := adapter.DecodeRecord(b)
	if err != nil {
		return r
	}
	return again
}

// nameSearchMost is how many names NameSearch gives unless told.
const nameSearchMost = 100

// NameSearch finds records by a part of their name, ignoring case. A limit of
// 0 means 100.
func (c *Client) NameSearch(ctx context.Context, model, text string, f adapter.Filter, limit int) ([]adapter.Ref, error) {
	o, err := c.object(ctx, model)
	if err != nil {
		return nil, err
	}
	switch {
	case limit < 0:
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Model: o.Name, Field: "limit", Message: "limit is negative", NothingSent: true}
	case o.nameField == "":
		return nil, &adapter.Error{Code: adapter.Unsupported, Model: o.Name, NothingSent: true, Message: "the records of this object have no name to search by"}
	case limit == 0:
		limit = nameSearchMost
	}
	name := adapter.Filter(adapter.Cond{Field: o.nameField, Op: adapter.ILike, Value: escapeLike(text)})
	if f != nil {
		name = adapter.And{name, f}
	}
	page, err := c.Query(ctx, adapter.Query{Model: model, Filter: name, Fields: []string{o.nameField}, Limit: limit, Order: c.byName(o)})
	if err != nil {
		return nil, err
	}
	refs := make([]adapter.Ref, len(page.Records))
	for i, r := range page.Records {
		refs[i] = adapter.Ref{ID: r.ID(), Name: r.String(o.nameField)}
	}
	return refs, nil
}

func (c *Client) byName(o *object) []adapter.Order {
	if f, ok := o.field(o.nameField); ok && f.Sortable {
		return []adapter.Order{{Field: o.nameField}}
	}
	return nil
}

// escapeLike makes a text a pattern that is found as it is.
func escapeLike(s string) string {
	if !strings.ContainsAny(s, `%_\`) {
		return s
	}
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}
