package bridge

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// answers are the methods whose answers speak of fields. All others answer
// ids, names, counts or what the system alone knows.
var answers = map[string]func(*translation, json.RawMessage) (json.RawMessage, error){
	"search_read":          (*translation).list,
	"read":                 (*translation).list,
	"web_read":             (*translation).list,
	"web_save":             (*translation).list,
	"web_search_read":      (*translation).page,
	"fields_get":           (*translation).description,
	"read_group":           (*translation).grouped,
	"formatted_read_group": (*translation).grouped,
	"default_get":          (*translation).defaults,
	"onchange":             (*translation).form,
}

func (t *translation) answer(raw json.RawMessage) (json.RawMessage, error) {
	translate := answers[t.method]
	if translate == nil {
		return raw, nil
	}
	return translate(t, raw)
}

// unread is an answer of another form than the method gives. It is not handed
// on: it might speak of fields in the system's words.
func (t *translation) unread(err error) error {
	return &adapter.Error{Code: adapter.Internal, Model: t.model, Message: "the answer to " + t.method + " has an unexpected form and can't be translated", Err: err}
}

func (t *translation) list(raw json.RawMessage) (json.RawMessage, error) {
	var records []adapter.Record
	if err := adapter.DecodeJSON(raw, &records); err != nil {
		return nil, t.unread(err)
	}
	records, err := t.read(records)
	if err != nil {
		return nil, err
	}
	return encodeRecords(records, t.asking.fields)
}

func (t *translation) page(raw json.RawMessage) (json.RawMessage, error) {
	var page struct {
		Length  json.RawMessage  `json:"length"`
		Records []adapter.Record `json:"records"`
	}
	if err := adapter.DecodeJSON(raw, &page); err != nil {
		return nil, t.unread(err)
	}
	records, err := t.read(page.Records)
	if err != nil {
		return nil, err
	}
	list, err := encodeRecords(records, t.asking.fields)
	if err != nil {
		return nil, err
	}
	return encodeJSON(map[string]json.RawMessage{"length": page.Length, "records": list})
}

// read translates records that were asked for by fields or specification.
func (t *translation) read(records []adapter.Record) ([]adapter.Record, error) {
	if t.spec != nil {
		return t.specified(t.ctx, records, t.spec)
	}
	return t.records(t.ctx, records, t.asking)
}

// specified translates records with those nested in them.
func (v *view) specified(ctx context.Context, records []adapter.Record, spec *specification) ([]adapter.Record, error) {
	for field, below := range spec.below {
		used, other := spec.used[field], spec.views[field]
		for i, r := range records {
			var nested []adapter.Record
			list, isList := r[used].([]any)
			if one, ok := r[used].(map[string]any); ok {
				list = []any{one}
			}
			for _, item := range list {
				if object, ok := item.(map[string]any); ok {
					nested = append(nested, object)
				}
			}
			if len(nested) == 0 || len(nested) != len(list) {
				continue
			}
			got, err := other.specified(ctx, nested, below)
			if err != nil {
				return nil, err
			}
			r = maps.Clone(r)
			if isList {
				fresh := make([]any, len(got))
				for j := range got {
					fresh[j] = map[string]any(got[j])
				}
				r[used] = fresh
			} else {
				r[used] = map[string]any(got[0])
			}
			records[i] = r
		}
	}
	// Specifications ask for many-to-one values as ids, or as objects.
	return v.records(ctx, records, asking{fields: spec.fields, lost: spec.lost, bare: true})
}

func (t *translation) description(raw json.RawMessage) (json.RawMessage, error) {
	var own map[string]map[string]any
	if err := adapter.DecodeJSON(raw, &own); err != nil {
		return nil, t.unread(err)
	}
	out, err := t.describe(t.ctx, own, t.asking.fields)
	if err != nil {
		return nil, err
	}
	return encodeJSON(out)
}

func (t *translation) defaults(raw json.RawMessage) (json.RawMessage, error) {
	var values adapter.Record
	if err := adapter.DecodeJSON(raw, &values); err != nil {
		return nil, t.unread(err)
	}
	// Defaults are values to write: no names, and what has none is left out.
	out, err := t.changes(t.ctx, values)
	if err != nil {
		return nil, err
	}
	if t.asking.fields != nil {
		maps.DeleteFunc(out, func(name string, _ any) bool { return !slices.Contains(t.asking.fields, name) })
	}
	return encodeJSON(out)
}

// changes translates values as they are written, from the system's words.
func (v *view) changes(ctx context.Context, values adapter.Record) (adapter.Record, error) {
	// Commands stand under the system's names, which only the field itself,
	// once translated, leads to the caller's relation.
	out, err := v.record(ctx, values, asking{bare: true})
	if err != nil {
		return nil, err
	}
	return v.commands(ctx, out, func(o *view, r adapter.Record) (adapter.Record, error) { return o.changes(ctx, r) })
}

func (t *translation) form(raw json.RawMessage) (json.RawMessage, error) {
	var answer map[string]any
	if err := adapter.DecodeJSON(raw, &answer); err != nil {
		return nil, t.unread(err)
	}
	if values, ok := answer["value"].(map[string]any); ok {
		out, err := t.changes(t.ctx, values)
		if err != nil {
			return nil, err
		}
		if t.asking.fields != nil {
			maps.DeleteFunc(out, func(name string, _ any) bool { return name != "id" && !slices.Contains(t.asking.fields, name) })
		}
		answer["value"] = out
	}
	if domains, ok := answer["domain"].(map[string]any); ok && len(domains) > 0 {
		// Domains for fields were dropped in 14.0, and only ever advice.
		delete(answer, "domain")
		t.untranslated("domain")
	}
	return encodeJSON(answer)
}

func (t *translation) untranslated(member string) {
	adapter.Warn(t.ctx, adapter.Warning{
		Code: adapter.WarnUntranslated, Model: t.model, Field: member,
		Message: "the answer's " + member + " has no counterpart in version " + t.pin.version + " and was left out",
	})
}

// grouped translates groups: their keys, their values, and the domains that
// lead to their records.
func (t *translation) grouped(raw json.RawMessage) (json.RawMessage, error) {
	var groups []map[string]any
	if err := adapter.DecodeJSON(raw, &groups); err != nil {
		return nil, t.unread(err)
	}
	names := map[string]string{}
	for _, p := range slices.Concat(t.sums, t.groups) {
		names[p.used] = p.asked
		// Odoo counts a group's records under the field's name.
		used, _, _ := strings.Cut(p.used, ":")
		asked, _, _ := strings.Cut(p.asked, ":")
		names[used+"_count"] = asked + "_count"
	}
	for i, g := range groups {
		out := make(map[string]any, len(g))
		for key, value := range g {
			switch name, ours := names[key]; {
			case key == "__domain", key == "__extra_domain":
				f, err := t.domainDown(value)
				if err != nil {
					t.untranslated(key)
					continue
				}
				out[key] = f
			case key == "__range":
				out[key] = renamed(value, names)
			case key == "__context":
				if c, ok := value.(map[string]any); ok {
					c = maps.Clone(c)
					if rest, ok := c["group_by"].([]any); ok {
						c["group_by"] = renamedList(rest, names)
					}
					value = c
				}
				out[key] = value
			case ours:
				var err error
				if out[name], err = t.groupValue(key, name, value); err != nil {
					return nil, err
				}
			case strings.HasPrefix(key, "__"), strings.HasSuffix(key, "_count"):
				out[key] = value
			case len(t.sums) == 0:
				// Without a list of fields read_group sums up what it can.
				r, err := t.record(t.ctx, adapter.Record{key: value}, asking{bare: true})
				if err != nil {
					return nil, err
				}
				maps.Copy(out, r)
			}
		}
		groups[i] = out
	}
	return encodeJSON(groups)
}

// groupValue translates the value that a group has in common, or a sum.
func (t *translation) groupValue(used, name string, value any) (any, error) {
	field, special, timed := strings.Cut(used, ":")
	asked, _, _ := strings.Cut(name, ":")
	if strings.HasSuffix(used, "_count") || timed && slices.Contains([]string{"count", "count_distinct", "array_agg", "hour", "day", "week", "month", "quarter", "year"}, special) {
		return value, nil // a count, or a period's name
	}
	// Groups by many-to-one and many-to-many alike have the pair of a record.
	if _, pair := value.([]any); pair {
		return value, nil
	}
	r, err := t.record(t.ctx, adapter.Record{field: value}, asking{fields: []string{asked}, bare: true})
	if err != nil {
		return nil, err
	}
	if v, ok := r[asked]; ok {
		return v, nil
	}
	return value, nil
}

// domainDown translates a domain of the system's.
func (t *translation) domainDown(v any) (json.RawMessage, error) {
	f, err := adapter.ParseDomain(v)
	if err != nil {
		return nil, err
	}
	back, err := t.lensed.lens(t.lens.Model(), t.server, t.pin.version)
	if err != nil {
		return nil, err
	}
	if f, _, err = back.Filter(f); err != nil {
		return nil, err
	}
	return adapter.AppendDomainJSON(nil, f), nil
}

func renamed(v any, names map[string]string) any {
	object, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := make(map[string]any, len(object))
	for key, value := range object {
		if name, ok := names[key]; ok {
			key = name
		}
		out[key] = value
	}
	return out
}

func renamedList(list []any, names map[string]string) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
		if text, ok := v.(string); ok && names[text] != "" {
			out[i] = names[text]
		}
	}
	return out
}
