package odoo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// adaptation says how a method works on the versions that lack it or do it in
// another way. A until of 0 means every later version.
type adaptation struct {
	method       string
	since, until int
	run          func(ctx context.Context, b *call) (json.RawMessage, error)
}

// adaptations is filled by init, since its functions lead back to it.
var adaptations []adaptation

func init() {
	adaptations = []adaptation{
		// Fields by their counterparts.
		{"search_read", 13, 14, searchReadLoad}, // the parameter load came with 15.0
		{"search_read", 15, 0, readRecords},
		{"read", 13, 0, readRecords},

		{"create", 13, 0, createUnwrapped}, // JSON-2 answers a list for one record too
		{"write", 13, 0, writeRecords},
		{"unlink", 13, 0, unlinkRecords}, // answers true for most missing records
		{"copy", 13, 17, copyOne},        // one record only, answers its id
		{"copy", 18, 0, answerUnwrapped}, // answers a list

		{"search", 17, 0, searchCounted},       // lost its parameter count
		{"search_count", 13, 15, countLimited}, // limit came with 16.0
		{"name_get", 18, 0, nameGet},           // gone
		{"exists", 19, 0, existsBySearch},      // private

		{"web_search_read", 13, 16, webSearchReadOld}, // takes fields
		{"web_search_read", 17, 0, webSearchReadNew},  // takes a specification
		{"web_read", 13, 16, webReadOld},
		{"web_read", 17, 0, webReadNew},
		{"web_save", 13, 16, webSaveOld},
		{"web_save", 17, 0, webSaveNew},
		{"formatted_read_group", 13, 18, formattedReadGroup},

		{"has_access", 13, 17, hasAccess},
		{"check_access", 13, 17, checkAccess},
		{"check_access", 19, 0, checkByHasAccess}, // private
		{"has_group", 13, 17, hasGroupOfUser},     // of the connected user alone
		{"has_group", 18, 0, hasGroupOfRecord},    // a method of the user's record

		{"get_view", 13, 15, getViewOld},
		{"get_view", 16, 0, viewTyped},
		{"get_views", 13, 15, getViewsOld},
		{"get_views", 16, 0, getViewsNew},
		{"load_views", 16, 0, loadViewsNew},
		{"fields_view_get", 13, 16, viewTyped},
		{"fields_view_get", 17, 0, fieldsViewGetNew},

		{"message_post", 19, 0, answerUnwrapped}, // answers a list

		{"xmlid_to_res_id", 15, 0, xmlidToID},
		{"xmlid_to_res_model_res_id", 15, 0, xmlidToModelID},
		{"get_object_reference", 15, 0, objectReference},
	}
}

func adaptationFor(method string, major int) func(context.Context, *call) (json.RawMessage, error) {
	for _, a := range adaptations {
		if a.method == method && a.since <= major && (a.until == 0 || major <= a.until) {
			return a.run
		}
	}
	return nil
}

// readRecords runs read and search_read with the fields that the version has
// and answers by the names that were asked for.
func readRecords(ctx context.Context, b *call) (json.RawMessage, error) {
	s, err := b.selectFields(ctx)
	if err != nil {
		return nil, err
	}
	raw, err := b.run(ctx)
	if err != nil || s.idle() {
		return raw, err
	}
	var records []adapter.Record
	if err := b.client.decode(raw, &records, b.model, b.method); err != nil {
		return nil, err
	}
	s.shape(ctx, b.model, records, false)
	return encode(records)
}

func (b *call) selectFields(ctx context.Context) (selection, error) {
	names, err := b.fieldList("fields")
	if err != nil {
		return selection{}, err
	}
	s, err := b.client.selectFields(ctx, b.model, names)
	if err != nil {
		return selection{}, err
	}
	delete(b.args, "fields")
	if s.fields != nil {
		b.args["fields"] = s.fields
	}
	return s, nil
}

// searchReadLoad does the work of search_read's parameter load in two calls.
func searchReadLoad(ctx context.Context, b *call) (json.RawMessage, error) {
	load, given := b.args["load"]
	delete(b.args, "load")
	if !given || load == "_classic_read" {
		return readRecords(ctx, b)
	}
	named := map[string]any{}
	for _, param := range []string{"offset", "limit", "order"} {
		if v, ok := b.args[param]; ok {
			named[param] = v
		}
	}
	var ids []int64
	if err := b.ask(ctx, &ids, "search", []any{b.args["domain"]}, named); err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return json.RawMessage("[]"), nil
	}
	read := b.like("read", map[string]any{"ids": ids, "load": load})
	if fields, ok := b.args["fields"]; ok {
		read.args["fields"] = fields
	}
	return readRecords(ctx, read)
}

// like is a call of another method on the same model and in the same context.
func (b *call) like(method string, args map[string]any) *call {
	other := &call{client: b.client, model: b.model, method: method, sig: signatures[method], args: args, own: b.own}
	for _, param := range strings.Fields(other.sig.params) {
		first, _, _ := strings.Cut(param, "|")
		other.params = append(other.params, first)
	}
	return other
}

// unwrapped is the only element of a list, and anything else as it is.
func unwrapped(raw json.RawMessage) json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil && len(list) == 1 {
		return list[0]
	}
	return raw
}

func createUnwrapped(ctx context.Context, b *call) (json.RawMessage, error) {
	_, one := b.args["values"].(map[string]any)
	raw, err := b.run(ctx)
	if err == nil && one {
		raw = unwrapped(raw)
	}
	return raw, err
}

func writeRecords(ctx context.Context, b *call) (json.RawMessage, error) {
	raw, err := b.run(ctx)
	return raw, b.client.orMissing(ctx, b.model, b.ids(), err)
}

func unlinkRecords(ctx context.Context, b *call) (json.RawMessage, error) {
	ids := b.ids()
	if len(ids) > 0 {
		if err := b.client.allExist(ctx, b.model, ids); err != nil {
			return nil, err
		}
	}
	raw, err := b.run(ctx)
	return raw, b.client.orMissing(ctx, b.model, ids, err)
}

func copyOne(ctx context.Context, b *call) (json.RawMessage, error) {
	if !b.single {
		return nil, b.client.needs(18, "copying several records in one call", "ids")
	}
	return b.run(ctx)
}

// answerUnwrapped answers for one record as versions before did: not in a list.
func answerUnwrapped(ctx context.Context, b *call) (json.RawMessage, error) {
	raw, err := b.run(ctx)
	return unwrapped(raw), err
}

func searchCounted(ctx context.Context, b *call) (json.RawMessage, error) {
	counted := b.flag("count")
	delete(b.args, "count")
	if !counted {
		return b.run(ctx)
	}
	return b.like("search_count", map[string]any{"domain": b.args["domain"]}).run(ctx)
}

func countLimited(ctx context.Context, b *call) (json.RawMessage, error) {
	limit, err := b.number("limit")
	if err != nil {
		return nil, err
	}
	delete(b.args, "limit")
	raw, err := b.run(ctx)
	if err != nil || limit == 0 {
		return raw, err
	}
	var n int64
	if err := b.client.decode(raw, &n, b.model, b.method); err != nil {
		return nil, err
	}
	return encode(min(n, limit))
}

func nameGet(ctx context.Context, b *call) (json.RawMessage, error) {
	var records []adapter.Record
	err := b.ask(ctx, &records, "read", []any{b.args["ids"]}, map[string]any{"fields": []string{"display_name"}})
	if err != nil {
		return nil, err
	}
	pairs := make([]any, len(records))
	for i, r := range records {
		pairs[i] = []any{r["id"], r["display_name"]}
	}
	return encode(pairs)
}

// existsBySearch finds which records exist as far as the user may see them:
// 19.0 keeps the rest to itself.
func existsBySearch(ctx context.Context, b *call) (json.RawMessage, error) {
	ids := b.ids()
	out := make([]int64, 0, len(ids))
	if len(ids) > 0 {
		there, err := b.client.existing(ctx, b.model, ids)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			if there[id] && !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	return encode(out)
}

func hasAccess(ctx context.Context, b *call) (json.RawMessage, error) {
	_, err := checkAccess(ctx, b)
	switch {
	case errors.Is(err, adapter.ErrPermissionDenied):
		return json.RawMessage("false"), nil
	case err != nil:
		return nil, err
	}
	return json.RawMessage("true"), nil
}

func checkAccess(ctx context.Context, b *call) (json.RawMessage, error) {
	operation := b.args["operation"]
	var granted any
	if err := b.ask(ctx, &granted, "check_access_rights", []any{operation}, nil); err != nil {
		return nil, err
	}
	if ids := b.ids(); len(ids) > 0 {
		var nothing any
		if err := b.ask(ctx, &nothing, "check_access_rule", []any{ids, operation}, nil); err != nil {
			return nil, err
		}
	}
	return json.RawMessage("null"), nil
}

// checkByHasAccess is check_access where only has_access may be called.
func checkByHasAccess(ctx context.Context, b *call) (json.RawMessage, error) {
	var granted bool
	if err := b.ask(ctx, &granted, "has_access", []any{b.args["ids"], b.args["operation"]}, nil); err != nil {
		return nil, err
	}
	if !granted {
		return nil, &adapter.Error{
			Code: adapter.PermissionDenied, Model: b.model,
			Message: fmt.Sprintf("the connected user may not %v these records", b.args["operation"]),
		}
	}
	return json.RawMessage("null"), nil
}

func hasGroupOfUser(ctx context.Context, b *call) (json.RawMessage, error) {
	me, _ := b.client.info.UserID.Int()
	if ids := b.ids(); len(ids) > 1 || len(ids) == 1 && ids[0] != me {
		return nil, b.client.needs(18, "asking for the groups of another user", "ids")
	}
	return b.client.invoke(ctx, b.model, b.method, []any{b.args["group_ext_id"]}, b.kwargs(nil))
}

func hasGroupOfRecord(ctx context.Context, b *call) (json.RawMessage, error) {
	ids := b.args["ids"]
	if ids == nil {
		ids = []any{b.client.info.UserID}
	}
	return b.client.invoke(ctx, b.model, b.method, []any{ids, b.args["group_ext_id"]}, b.kwargs(nil))
}

// xmlid returns the model and id behind an external id, which every user may
// ask from 15.0 on, and whether there is one.
func (b *call) xmlid(ctx context.Context) (found []any, ok bool, err error) {
	full, _ := b.args["xmlid"].(string)
	module, name, dotted := strings.Cut(full, ".")
	if !dotted || module == "" || name == "" {
		return nil, false, &adapter.Error{
			Code: adapter.InvalidArgument, Model: b.model, Field: "xmlid",
			Message: "an external id reads like \"base.main_company\", not " + quote(full),
		}
	}
	err = b.ask(ctx, &found, "check_object_reference", []any{module, name}, nil)
	if err == nil && len(found) == 2 {
		return found, true, nil
	}
	switch adapter.CodeOf(err) {
	case adapter.InvalidArgument, adapter.NotFound, "":
		// Odoo's ValueError for one that is not there.
		if b.flag("raise_if_not_found") {
			return nil, false, &adapter.Error{
				Code: adapter.NotFound, Model: b.model, Field: "xmlid", Err: err,
				Message: "there is no external id " + quote(full),
			}
		}
		return []any{false, false}, false, nil
	}
	return nil, false, err
}

func xmlidToID(ctx context.Context, b *call) (json.RawMessage, error) {
	found, _, err := b.xmlid(ctx)
	if err != nil {
		return nil, err
	}
	return encode(found[1])
}

func xmlidToModelID(ctx context.Context, b *call) (json.RawMessage, error) {
	found, _, err := b.xmlid(ctx)
	if err != nil {
		return nil, err
	}
	return encode(found)
}

func objectReference(ctx context.Context, b *call) (json.RawMessage, error) {
	return b.client.invoke(ctx, b.model, "check_object_reference", []any{b.args["module"], b.args["xml_id"]}, b.kwargs(nil))
}

// formattedReadGroup does on top of read_group what 19.0 answers by itself.
func formattedReadGroup(ctx context.Context, b *call) (json.RawMessage, error) {
	c := b.client
	groupby, err := b.fieldList("groupby")
	if err != nil {
		return nil, err
	}
	aggregates, err := b.fieldList("aggregates")
	if err != nil {
		return nil, err
	}
	if having, ok := asList(b.args["having"]); ok && len(having) > 0 {
		return nil, c.needs(19, "the argument \"having\" of formatted_read_group", "having")
	}
	// Each aggregate gets a name of its own, so that there may be two of one
	// field.
	specs := []string{}
	alias := map[string]string{}
	for i, spec := range aggregates {
		if spec == "__count" {
			continue
		}
		field, fn, ok := strings.Cut(spec, ":")
		if !ok {
			return nil, &adapter.Error{
				Code: adapter.InvalidArgument, Model: b.model, Field: "aggregates",
				Message: fmt.Sprintf("aggregate %s must name its function, as in \"amount_total:sum\"", quote(spec)),
			}
		}
		alias[spec] = "aggregate_" + strconv.Itoa(i)
		specs = append(specs, alias[spec]+":"+fn+"("+field+")")
	}
	named := map[string]any{"lazy": false}
	for _, param := range []string{"offset", "limit"} {
		if v, ok := b.args[param]; ok && v != nil {
			named[param] = v
		}
	}
	if order, ok := b.args["order"].(string); ok && order != "" {
		var keys []string
		for key := range strings.SplitSeq(order, ",") {
			word, direction, _ := strings.Cut(strings.TrimSpace(key), " ")
			if as, ok := alias[word]; ok {
				word = as
			}
			keys = append(keys, strings.TrimSpace(word+" "+direction))
		}
		named["orderby"] = strings.Join(keys, ", ")
	}
	if len(specs) == 0 {
		// Without any, read_group would add up every number of the model.
		specs = []string{"id:count"}
	}
	if groupby == nil {
		groupby = []string{}
	}
	var rows []adapter.Record
	if err := b.ask(ctx, &rows, "read_group", []any{b.args["domain"], specs, groupby}, named); err != nil {
		return nil, err
	}
	m, err := c.modelOf(ctx, b.model)
	if err != nil {
		return nil, err
	}
	out := make([]adapter.Record, len(rows))
	for i, row := range rows {
		group := adapter.Record{}
		var extra []any
		for _, key := range groupby {
			value, conditions := groupOf(m.Schema, row, key)
			group[key] = value
			extra = append(extra, conditions...)
		}
		for _, spec := range aggregates {
			if spec == "__count" {
				group[spec] = row["__count"]
				continue
			}
			group[spec] = row[alias[spec]]
		}
		group["__extra_domain"] = conjunction(extra)
		out[i] = group
	}
	return encode(out)
}

// groupOf returns the value by which 19.0 names a group, and the conditions
// that its records meet.
func groupOf(s *adapter.Schema, row adapter.Record, key string) (any, []any) {
	field, _, _ := strings.Cut(key, ":")
	value := row[key]
	if value == nil {
		value = false
	}
	t := s.Fields[field].Type
	switch {
	case value == false:
		return value, []any{[]any{field, "=", false}}
	case t == adapter.Date || t == adapter.DateTime:
		from, to := rangeOf(row, field, key)
		if from == nil {
			return value, nil
		}
		return []any{from, value}, []any{[]any{field, ">=", from}, []any{field, "<", to}}
	case t.Relational():
		if ref, ok := adapter.RefOf(value); ok {
			return value, []any{[]any{field, "=", ref.ID.Value()}}
		}
	}
	return value, []any{[]any{field, "=", value}}
}

// rangeOf returns the bounds of a group by date. From 15.0 they are in the
// row; before, only in its domain.
func rangeOf(row adapter.Record, field, key string) (from, to any) {
	ranges, _ := row["__range"].(map[string]any)
	for _, name := range []string{key, field} {
		if r, ok := ranges[name].(map[string]any); ok {
			return r["from"], r["to"]
		}
	}
	domain, _ := row["__domain"].([]any)
	for _, term := range domain {
		leaf, ok := term.([]any)
		if !ok || len(leaf) != 3 || leaf[0] != field {
			continue
		}
		// Those of the group come after those of the caller's own domain.
		switch leaf[1] {
		case ">=":
			from = leaf[2]
		case "<":
			to = leaf[2]
		}
	}
	if to == nil {
		return nil, nil
	}
	return from, to
}

// conjunction is a domain of conditions that all hold, with the operators
// written out.
func conjunction(conditions []any) []any {
	out := make([]any, 0, 2*len(conditions))
	for range len(conditions) - 1 {
		out = append(out, "&")
	}
	return append(out, conditions...)
}
