package odoo

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/bridgecore/bridgecore/adapter"
)

// node is a specification of web_read, held against a model: what to read of
// its records, and of theirs.
type node struct {
	model  string
	fields []nodeField // in the order of their names
}

type nodeField struct {
	asked string        // the name in the answer
	name  string        // the name on the server
	field adapter.Field // type and relation
	// sub says what to read of the related records; nil reads only their ids.
	sub     *node
	limit   int64 // of an x2many; 0 for none
	order   string
	context any
	bare    bool // the caller wrote {} for it
}

// specificationDepth bounds the nesting of a specification.
const specificationDepth = 10

// specification holds a specification against the schemas: fields are replaced
// or left out as anywhere.
func (c *Client) specification(ctx context.Context, name string, v any, depth int) (*node, error) {
	wrong := func(format string, args ...any) error {
		return &adapter.Error{Code: adapter.InvalidArgument, Model: name, Field: "specification", Message: "specification: " + fmt.Sprintf(format, args...)}
	}
	if depth > specificationDepth {
		return nil, wrong("is nested more than %d deep", specificationDepth)
	}
	p, err := plainValue(v)
	spec, ok := p.(map[string]any)
	if err != nil || !ok && p != nil {
		return nil, wrong("must be an object such as {\"name\": {}, \"partner_id\": {\"fields\": {}}}, not %s", kindOf(v))
	}
	n := &node{model: name}
	for _, asked := range slices.Sorted(maps.Keys(spec)) {
		if err := plainName(name, asked); err != nil {
			return nil, err
		}
		r, err := c.resolve(ctx, name, asked)
		if err != nil {
			return nil, err
		}
		switch r.how {
		case renamed:
			c.warnReplaced(ctx, name, asked, r.name)
		case absent:
			c.warnDropped(ctx, name, asked)
			continue
		case unknown:
			return nil, c.noField(ctx, name, asked)
		}
		p, err := plainValue(spec[asked])
		part, ok := p.(map[string]any)
		if err != nil || !ok {
			return nil, wrong("the entry of '%s' must be an object, {} if there is nothing to say", clip(asked))
		}
		f := nodeField{asked: asked, name: r.name, field: r.field, context: part["context"], bare: len(part) == 0}
		f.order, _ = part["order"].(string)
		if limit, ok := integer(part["limit"]); ok {
			f.limit = limit
		}
		if inner, ok := part["fields"]; ok {
			if !r.field.Type.Relational() && r.field.Type != adapter.Reference {
				return nil, wrong("'%s' is no relation and has no fields", clip(asked))
			}
			if r.field.Relation != "" {
				if f.sub, err = c.specification(ctx, r.field.Relation, inner, depth+1); err != nil {
					return nil, err
				}
			} else if c.version.Major < 17 {
				return nil, c.needs(17, "reading the fields of the record behind '"+clip(asked)+"'", asked)
			}
		}
		n.fields = append(n.fields, f)
	}
	return n, nil
}

// renames reports whether any name in the tree differs on the server.
func (n *node) renames() bool {
	return slices.ContainsFunc(n.fields, func(f nodeField) bool {
		return f.name != f.asked || f.sub != nil && f.sub.renames()
	})
}

// native is the specification as the server takes it; original is what the
// caller wrote.
func (n *node) native(original any) map[string]any {
	from, _ := plainValue(original)
	spec, _ := from.(map[string]any)
	out := make(map[string]any, len(n.fields))
	for _, f := range n.fields {
		p, _ := plainValue(spec[f.asked])
		part, _ := p.(map[string]any)
		if f.sub == nil {
			out[f.name] = part
			continue
		}
		changed := maps.Clone(part)
		changed["fields"] = f.sub.native(part["fields"])
		out[f.name] = changed
	}
	return out
}

// answer gives records that came by the server's names those of the caller.
func (n *node) answer(records []any) {
	for _, item := range records {
		r, ok := item.(map[string]any)
		if !ok {
			continue
		}
		named := make(map[string]any, len(r))
		if id, ok := r["id"]; ok {
			named["id"] = id
		}
		for _, f := range n.fields {
			v, ok := r[f.name]
			if !ok {
				continue
			}
			named[f.asked] = v
			if f.sub == nil {
				continue
			}
			switch v := v.(type) {
			case map[string]any:
				f.sub.answer([]any{v})
			case []any:
				f.sub.answer(v)
			}
		}
		clear(r)
		maps.Copy(r, named)
	}
}

// read reads records as web_read does, for versions that have none: related
// ones with one further call for each field. The ids that exist come in their
// order.
func (n *node) read(ctx context.Context, b *call, ids []int64) ([]any, error) {
	if len(ids) == 0 {
		return []any{}, nil
	}
	if len(n.fields) == 0 || len(n.fields) == 1 && n.fields[0].name == "id" {
		out := make([]any, len(ids))
		for i, id := range ids {
			out[i] = map[string]any{"id": id}
		}
		return out, nil
	}
	var records []adapter.Record
	err := b.client.fetch(ctx, &records, n.model, "read", []any{ids}, b.kwargs(map[string]any{"fields": n.names()}))
	if err != nil {
		return nil, err
	}
	return n.expand(ctx, b, records)
}

// names are the fields to read, at least one.
func (n *node) names() []string {
	names := make([]string, 0, len(n.fields))
	for _, f := range n.fields {
		if !slices.Contains(names, f.name) {
			names = append(names, f.name)
		}
	}
	if len(names) == 0 {
		return []string{"id"}
	}
	return names
}

// expand turns records as read answers them into those of web_read.
func (n *node) expand(ctx context.Context, b *call, records []adapter.Record) ([]any, error) {
	out := make([]any, len(records))
	rows := make([]map[string]any, len(records))
	for i, r := range records {
		rows[i] = map[string]any{"id": r["id"]}
		out[i] = rows[i]
	}
	for _, f := range n.fields {
		var err error
		switch {
		case f.name == "id":
		case f.field.Type == adapter.Many2One:
			err = f.toOne(ctx, b, records, rows)
		case f.field.Type.Relational() && !f.bare:
			err = f.toMany(ctx, b, records, rows)
		default:
			for i, r := range records {
				rows[i][f.asked] = r[f.name]
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// in is the call in whose context the related records are read.
func (f *nodeField) in(b *call) (*call, error) {
	if f.context == nil {
		return b, nil
	}
	own, err := mergeContext(adapter.Scope{}, f.context)
	if err != nil {
		return nil, err
	}
	named, err := b.within(nil, own)
	if err != nil {
		return nil, err
	}
	inner := *b
	inner.own = named["context"]
	return &inner, nil
}

// toOne fills in a many-to-one. Its display name came with the id, even where
// the user may not read the related record.
func (f *nodeField) toOne(ctx context.Context, b *call, records []adapter.Record, rows []map[string]any) error {
	var ids []int64
	for i, r := range records {
		ref, ok := r.Ref(f.name)
		n, _ := ref.ID.Int()
		switch {
		case !ok:
			rows[i][f.asked] = false
		case f.sub == nil:
			rows[i][f.asked] = n
		case !slices.Contains(ids, n):
			ids = append(ids, n)
		}
	}
	if f.sub == nil || len(ids) == 0 {
		return nil
	}
	rest := &node{model: f.sub.model}
	shown := false
	for _, inner := range f.sub.fields {
		if inner.name == "display_name" {
			shown = true
			continue
		}
		rest.fields = append(rest.fields, inner)
	}
	inner, err := f.in(b)
	if err != nil {
		return err
	}
	related, err := rest.byID(ctx, inner, ids)
	if err != nil {
		return err
	}
	for i, r := range records {
		ref, ok := r.Ref(f.name)
		if !ok {
			continue
		}
		n, _ := ref.ID.Int()
		value, ok := related[n]
		if !ok {
			value = map[string]any{"id": n}
		}
		value = maps.Clone(value)
		if shown {
			value["display_name"] = ref.Name
		}
		rows[i][f.asked] = value
	}
	return nil
}

// toMany fills in a one-to-many or many-to-many. Records beyond the limit come
// with their id alone.
func (f *nodeField) toMany(ctx context.Context, b *call, records []adapter.Record, rows []map[string]any) error {
	inner, err := f.in(b)
	if err != nil {
		return err
	}
	lists := make([][]int64, len(records))
	var every []int64
	seen := map[int64]bool{}
	for i, r := range records {
		lists[i] = existingIDs(r.IDs(f.name))
		for _, id := range lists[i] {
			if !seen[id] {
				seen[id] = true
				every = append(every, id)
			}
		}
	}
	if f.order != "" && len(every) > 0 {
		var sorted []int64
		err := inner.client.fetch(ctx, &sorted, f.field.Relation, "search", []any{[]any{[]any{"id", "in", every}}},
			inner.kwargs(map[string]any{"order": f.order}))
		if err != nil {
			return err
		}
		place := make(map[int64]int, len(sorted))
		for i, id := range sorted {
			place[id] = i
		}
		for i := range lists {
			lists[i] = slices.DeleteFunc(lists[i], func(id int64) bool { _, ok := place[id]; return !ok })
			slices.SortFunc(lists[i], func(a, b int64) int { return place[a] - place[b] })
		}
	}
	if f.sub == nil {
		for i := range rows {
			rows[i][f.asked] = append([]int64{}, lists[i]...)
		}
		return nil
	}
	wanted := every
	if f.limit > 0 {
		wanted = nil
		clear(seen)
		for _, list := range lists {
			for _, id := range list[:min(int(f.limit), len(list))] {
				if !seen[id] {
					seen[id] = true
					wanted = append(wanted, id)
				}
			}
		}
	}
	related, err := f.sub.byID(ctx, inner, wanted)
	if err != nil {
		return err
	}
	for i, list := range lists {
		items := make([]any, len(list))
		for j, id := range list {
			if value, ok := related[id]; ok {
				items[j] = value
			} else {
				items[j] = map[string]any{"id": id}
			}
		}
		rows[i][f.asked] = items
	}
	return nil
}

func (n *node) byID(ctx context.Context, b *call, ids []int64) (map[int64]map[string]any, error) {
	records, err := n.read(ctx, b, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]map[string]any, len(records))
	for _, item := range records {
		if r, ok := item.(map[string]any); ok {
			if id, ok := integer(r["id"]); ok {
				byID[id] = r
			}
		}
	}
	return byID, nil
}

// webReadOld is web_read before 17.0.
func webReadOld(ctx context.Context, b *call) (json.RawMessage, error) {
	n, err := b.client.specification(ctx, b.model, b.args["specification"], 0)
	if err != nil {
		return nil, err
	}
	records, err := n.read(ctx, b, b.ids())
	if err != nil {
		return nil, err
	}
	return encode(records)
}

func webReadNew(ctx context.Context, b *call) (json.RawMessage, error) {
	return b.specified(ctx)
}

func webSaveNew(ctx context.Context, b *call) (json.RawMessage, error) {
	raw, err := b.specified(ctx)
	if ids := b.ids(); len(ids) > 0 {
		err = b.client.orMissing(ctx, b.model, ids, err)
	}
	return raw, err
}

// specified runs a call that takes a specification and answers by the names
// that the caller used.
func (b *call) specified(ctx context.Context) (json.RawMessage, error) {
	original := b.args["specification"]
	n, err := b.client.specification(ctx, b.model, original, 0)
	if err != nil {
		return nil, err
	}
	b.args["specification"] = n.native(original)
	raw, err := b.run(ctx)
	if err != nil || !n.renames() {
		return raw, err
	}
	var v any
	if err := b.client.decode(raw, &v, b.model, b.method); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case []any:
		n.answer(v)
	case map[string]any:
		records, _ := v["records"].([]any)
		n.answer(records)
	}
	return encode(v)
}

// webSaveOld is web_save before 17.0: the change, then a read. A read that
// fails does not undo the change.
func webSaveOld(ctx context.Context, b *call) (json.RawMessage, error) {
	n, err := b.client.specification(ctx, b.model, b.args["specification"], 0)
	if err != nil {
		return nil, err
	}
	ids := b.ids()
	if len(ids) == 0 {
		raw, err := b.client.invoke(ctx, b.model, "create", []any{b.args["values"]}, b.kwargs(nil))
		if err != nil {
			return nil, err
		}
		created, err := b.client.createdIDs(raw, b.model, 1)
		if err != nil {
			return nil, err
		}
		ids = existingIDs(created)
	} else {
		_, err := b.client.invoke(ctx, b.model, "write", []any{ids, b.args["values"]}, b.kwargs(nil))
		if err != nil {
			return nil, b.client.orMissing(ctx, b.model, ids, err)
		}
	}
	if next, ok := integer(b.args["next_id"]); ok && next > 0 {
		ids = []int64{next}
	}
	named, err := b.within(nil, map[string]any{"bin_size": true})
	if err != nil {
		return nil, err
	}
	after := *b
	after.own = named["context"]
	records, err := n.read(ctx, &after, ids)
	if err != nil {
		return nil, &adapter.Error{
			Code: adapter.UnknownOutcome, Model: b.model, Err: err,
			Message: "record " + strconv.FormatInt(ids[0], 10) + " was saved, but could not be read back",
		}
	}
	return encode(records)
}

// webSearchReadOld is web_search_read before 17.0: it took fields, and answers
// a specification only through further reads.
func webSearchReadOld(ctx context.Context, b *call) (json.RawMessage, error) {
	if !b.has("specification") {
		return webSearchReadFields(ctx, b)
	}
	n, err := b.client.specification(ctx, b.model, b.take("specification"), 0)
	if err != nil {
		return nil, err
	}
	return b.searchRead(ctx, n.names(), func(records []adapter.Record) (any, error) {
		return n.expand(ctx, b, records)
	})
}

// webSearchReadNew is web_search_read from 17.0 on, which takes
// a specification and not fields.
func webSearchReadNew(ctx context.Context, b *call) (json.RawMessage, error) {
	if b.has("fields") {
		return webSearchReadFields(ctx, b)
	}
	if !b.has("specification") {
		b.args["specification"] = map[string]any{}
	}
	return b.specified(ctx)
}

// webSearchReadFields answers web_search_read with a list of fields, in the
// form that read has.
func webSearchReadFields(ctx context.Context, b *call) (json.RawMessage, error) {
	s, err := b.selectFields(ctx)
	if err != nil {
		return nil, err
	}
	delete(b.args, "fields")
	return b.searchRead(ctx, s.fields, func(records []adapter.Record) (any, error) {
		s.shape(ctx, b.model, records, false)
		return records, nil
	})
}

// searchRead reads a page and tells how many records there are in all, as
// web_search_read does.
func (b *call) searchRead(ctx context.Context, fields []string, finish func([]adapter.Record) (any, error)) (json.RawMessage, error) {
	limit, err := b.number("limit")
	if err != nil {
		return nil, err
	}
	offset, err := b.number("offset")
	if err != nil {
		return nil, err
	}
	most, err := b.number("count_limit")
	if err != nil {
		return nil, err
	}
	named := map[string]any{}
	for _, param := range []string{"offset", "limit", "order"} {
		if v := b.args[param]; v != nil && v != false {
			named[param] = v
		}
	}
	if fields != nil {
		named["fields"] = fields
	}
	var records []adapter.Record
	if err := b.ask(ctx, &records, "search_read", []any{b.args["domain"]}, named); err != nil {
		return nil, err
	}
	length := int64(len(records))
	if length > 0 {
		length += offset
	}
	if limit > 0 && int64(len(records)) == limit && (most == 0 || most > length) {
		count := b.like("search_count", map[string]any{"domain": b.args["domain"]})
		if most > 0 {
			count.args["limit"] = most
		}
		raw, err := b.client.callKnown(ctx, count)
		if err != nil {
			return nil, err
		}
		if err := b.client.decode(raw, &length, b.model, "search_count"); err != nil {
			return nil, err
		}
	}
	if records == nil {
		records = []adapter.Record{}
	}
	finished, err := finish(records)
	if err != nil {
		return nil, err
	}
	return encode(map[string]any{"length": length, "records": finished})
}
