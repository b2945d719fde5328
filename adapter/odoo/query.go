package odoo

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// page is a query as it goes to the server.
type page struct {
	selection
	domain []any
	order  string
	offset int
	limit  int    // records of the answer; one more is asked for, to see whether there are more
	byID   int8   // 1 and -1 when the records come by id, and the cursor is the last one
	sum    uint64 // of what a cursor may continue
}

// Query implements [adapter.Adapter]. A limit of 0, and one above
// [MaxPageSize], is cut to the page size, with Truncated and Next as for any
// other limit.
func (c *Client) Query(ctx context.Context, q adapter.Query) (adapter.Page, error) {
	name, err := c.modelName(ctx, q.Model)
	if err != nil {
		return adapter.Page{}, err
	}
	var out adapter.Page
	err = c.settle(ctx, name, func() error {
		out, err = c.queryOnce(ctx, name, q)
		return err
	})
	return out, err
}

func (c *Client) queryOnce(ctx context.Context, name string, q adapter.Query) (adapter.Page, error) {
	p, err := c.plan(ctx, name, q)
	if err != nil {
		return adapter.Page{}, err
	}
	if p.selection, err = c.selectFields(ctx, name, q.Fields); err != nil {
		return adapter.Page{}, err
	}
	kwargs := p.kwargs()
	if p.fields != nil {
		kwargs["fields"] = p.fields
	}
	var records []adapter.Record
	if err := c.fetch(ctx, &records, name, "search_read", []any{p.domain}, kwargs); err != nil {
		return adapter.Page{}, err
	}
	ids := make([]adapter.ID, len(records))
	for i, r := range records {
		ids[i] = r.ID()
	}
	out := adapter.Page{Records: records}
	if len(records) > p.limit {
		out.Records, out.Truncated = records[:p.limit], true
		out.Next = p.next(ids[p.limit-1])
	}
	if err := c.finish(ctx, name, &p.selection, out.Records, q.Plain); err != nil {
		return adapter.Page{}, err
	}
	return out, nil
}

// finish turns what was read into what was asked for.
func (c *Client) finish(ctx context.Context, name string, s *selection, records []adapter.Record, asPlain bool) error {
	if asPlain {
		m, err := c.modelOf(ctx, name)
		if err != nil {
			return err
		}
		plain(m.Schema, records)
	}
	s.shape(ctx, name, records, asPlain)
	return nil
}

// plan prepares a query, all but its fields.
func (c *Client) plan(ctx context.Context, name string, q adapter.Query) (*page, error) {
	wrong := func(field, format string, args ...any) error {
		return &adapter.Error{Code: adapter.InvalidArgument, Model: name, Field: field, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case q.Limit < 0:
		return nil, wrong("limit", "limit is negative")
	case q.Offset < 0:
		return nil, wrong("offset", "offset is negative")
	case q.Offset > math.MaxInt32:
		return nil, wrong("offset", "offset is greater than any table")
	case q.Offset > 0 && q.Cursor != "":
		return nil, wrong("offset", "offset and cursor can't be used together")
	}
	p := &page{limit: q.Limit, offset: q.Offset}
	if p.limit == 0 {
		p.limit = c.config.PageSize
	}
	p.limit = min(p.limit, MaxPageSize)

	order := q.Order
	switch {
	case len(order) > 0 && order[0].Field == "id":
		// Nothing can follow the id.
		order, p.byID = order[:1], 1
		if order[0].Desc {
			p.byID = -1
		}
	case len(order) > 0 && !slices.ContainsFunc(order, func(o adapter.Order) bool { return o.Field == "id" }):
		// Records that are equal otherwise would come in any order, another
		// one on each page.
		order = append(slices.Clone(order), adapter.Order{Field: "id"})
	}
	var err error
	if p.order, err = c.orders(ctx, name, order); err != nil {
		return nil, err
	}
	if p.domain, err = c.domain(ctx, name, q.Filter); err != nil {
		return nil, err
	}
	p.sum = cursorSum(name, p.order, q.Filter)
	if q.Cursor != "" {
		if err := p.resume(q.Cursor); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *page) kwargs() map[string]any {
	kwargs := map[string]any{"limit": p.limit + 1}
	if p.offset > 0 {
		kwargs["offset"] = p.offset
	}
	if p.order != "" {
		kwargs["order"] = p.order
	}
	return kwargs
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

// next is the cursor after a page that ended with the record last.
func (p *page) next(last adapter.ID) string {
	kind, at := "o", strconv.Itoa(p.offset+p.limit)
	if p.byID != 0 {
		kind, at = "i", last.String()
	}
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s%s.%x", kind, at, p.sum))
}

// resume continues where a cursor says.
func (p *page) resume(cursor string) error {
	bad := &adapter.Error{Code: adapter.InvalidArgument, Field: "cursor", Message: "cursor is not one that this query gave; start again without it"}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) < 2 || len(b) > 64 {
		return bad
	}
	where, sum, ok := strings.Cut(string(b[1:]), ".")
	at, err := strconv.ParseInt(where, 10, 32)
	if !ok || err != nil || at <= 0 || sum != strconv.FormatUint(p.sum, 16) {
		return bad
	}
	switch {
	case b[0] == 'i' && p.byID != 0:
		op := ">"
		if p.byID < 0 {
			op = "<"
		}
		// In front of any domain, whose terms it joins by "and".
		p.domain = append([]any{[]any{"id", op, at}}, p.domain...)
	case b[0] == 'o' && p.byID == 0:
		p.offset = int(at)
	default:
		return bad
	}
	return nil
}

// SearchIDs returns the ids of the records that match: as many as the limit
// says, or all of them where it says nothing.
func (c *Client) SearchIDs(ctx context.Context, q adapter.Query) ([]adapter.ID, error) {
	name, err := c.modelName(ctx, q.Model)
	if err != nil {
		return nil, err
	}
	var ids []adapter.ID
	err = c.settle(ctx, name, func() error {
		p, err := c.plan(ctx, name, q)
		if err != nil {
			return err
		}
		kwargs := p.kwargs()
		delete(kwargs, "limit")
		if q.Limit > 0 {
			kwargs["limit"] = q.Limit
		}
		ids = nil
		return c.fetch(ctx, &ids, name, "search", []any{p.domain}, kwargs)
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// Count returns how many records match.
func (c *Client) Count(ctx context.Context, model string, filter adapter.Filter) (int64, error) {
	name, err := c.modelName(ctx, model)
	if err != nil {
		return 0, err
	}
	var n int64
	err = c.settle(ctx, name, func() error {
		domain, err := c.domain(ctx, name, filter)
		if err != nil {
			return err
		}
		return c.fetch(ctx, &n, name, "search_count", []any{domain}, nil)
	})
	return n, err
}

// Read returns the records of ids in their order, archived ones too. An id
// that does not exist is left out.
func (c *Client) Read(ctx context.Context, model string, ids []adapter.ID, fields []string) ([]adapter.Record, error) {
	name, err := c.modelName(ctx, model)
	if err != nil {
		return nil, err
	}
	numbers := existingIDs(ids)
	if len(numbers) == 0 {
		return []adapter.Record{}, nil
	}
	records := make([]adapter.Record, 0, len(numbers))
	err = c.settle(ctx, name, func() error {
		s, err := c.selectFields(ctx, name, fields)
		if err != nil {
			return err
		}
		records = records[:0]
		for chunk := range slices.Chunk(numbers, MaxPageSize) {
			got, err := c.readIDs(ctx, name, chunk, s.fields)
			if err != nil {
				return err
			}
			records = append(records, got...)
		}
		return c.finish(ctx, name, &s, records, false)
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// readIDs reads records. Odoo echoes any id when nothing but the id is asked
// for; a search tells which exist.
func (c *Client) readIDs(ctx context.Context, name string, ids []int64, fields []string) ([]adapter.Record, error) {
	if fields == nil || slices.ContainsFunc(fields, func(f string) bool { return f != "id" }) {
		var kwargs map[string]any
		if fields != nil {
			kwargs = map[string]any{"fields": fields}
		}
		var records []adapter.Record
		err := c.fetch(ctx, &records, name, "read", []any{ids}, kwargs)
		return records, err
	}
	there, err := c.existing(ctx, name, ids)
	if err != nil {
		return nil, err
	}
	var records []adapter.Record
	for _, id := range ids {
		if there[id] {
			records = append(records, adapter.Record{"id": json.Number(strconv.FormatInt(id, 10))})
		}
	}
	return records, nil
}

// existing tells which records there are that the user may see.
func (c *Client) existing(ctx context.Context, name string, ids []int64) (map[int64]bool, error) {
	var found []int64
	err := c.fetch(ctx, &found, name, "search", []any{[]any{[]any{"id", "in", ids}}}, map[string]any{
		"context": map[string]any{"active_test": false},
	})
	if err != nil {
		return nil, err
	}
	there := make(map[int64]bool, len(found))
	for _, id := range found {
		there[id] = true
	}
	return there, nil
}

// existingIDs returns the ids as numbers, without those that no record can
// have.
func existingIDs(ids []adapter.ID) []int64 {
	numbers := make([]int64, 0, len(ids))
	for _, id := range ids {
		if n, ok := id.Int(); ok && n > 0 && n <= maxID {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// nameSearchMost is Odoo's own limit of name_search.
const nameSearchMost = 100

// NameSearch finds records by a part of their display name, ignoring case.
// A limit of 0 means 100.
func (c *Client) NameSearch(ctx context.Context, model, text string, filter adapter.Filter, limit int) ([]adapter.Ref, error) {
	name, err := c.modelName(ctx, model)
	if err != nil {
		return nil, err
	}
	if limit < 0 {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Model: name, Field: "limit", Message: "limit is negative"}
	}
	if limit == 0 {
		limit = nameSearchMost
	}
	var refs []adapter.Ref
	err = c.settle(ctx, name, func() error {
		domain, err := c.domain(ctx, name, filter)
		if err != nil {
			return err
		}
		var pairs []any
		err = c.fetch(ctx, &pairs, name, "name_search", []any{text, domain}, map[string]any{
			"operator": "ilike", "limit": min(limit, MaxPageSize),
		})
		if err != nil {
			return err
		}
		refs = make([]adapter.Ref, 0, len(pairs))
		for _, pair := range pairs {
			if ref, ok := adapter.RefOf(pair); ok {
				refs = append(refs, ref)
			}
		}
		return nil
	})
	return refs, err
}
