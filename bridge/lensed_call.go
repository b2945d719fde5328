package bridge

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// opaque are the methods that are about fields in a way that has no
// counterpart in another version, each with the way out.
var opaque = map[string]string{
	"get_view":                        "views are written for the system's own version",
	"get_views":                       "views are written for the system's own version",
	"load_views":                      "views are written for the system's own version",
	"fields_view_get":                 "views are written for the system's own version",
	"search_fetch":                    "use search_read",
	"web_read_group":                  "use read_group or formatted_read_group",
	"formatted_read_grouping_sets":    "use formatted_read_group",
	"read_progress_bar":               "use read_group or formatted_read_group",
	"search_panel_select_range":       "use read_group or formatted_read_group",
	"search_panel_select_multi_range": "use read_group or formatted_read_group",
	"export_data":                     "use search_read",
	"load":                            "use create and write",
	"get_field_translations":          "read the field in each language",
	"update_field_translations":       "write the field in each language",
}

// slot is an argument of a call, wherever it stands.
type slot struct {
	value any
	set   func(any)
}

// decoded is the argument as plain values.
func (s *slot) decoded() any {
	switch v := s.value.(type) {
	case json.RawMessage:
		var out any
		if adapter.DecodeJSON(v, &out) == nil {
			return out
		}
	case []string:
		out := make([]any, len(v))
		for i, text := range v {
			out[i] = text
		}
		return out
	case adapter.Record:
		return map[string]any(v)
	default:
		return v
	}
	return nil
}

// translation is one call on its way through the lens, and what must be known
// of it when the answer comes back.
type translation struct {
	*view
	ctx    context.Context
	method string
	slots  map[string]*slot // by the parameter's name in operations

	asking asking
	spec   *specification
	groups []pairing // what was grouped by
	sums   []pairing // what was summed up
}

// pairing is the same thing in both vocabularies.
type pairing struct{ asked, used string }

// Call calls a method. The arguments and answers of those in operations are
// translated.
func (l lensedCaller) Call(ctx context.Context, call adapter.Call) (json.RawMessage, error) {
	ctx, v, err := l.view(ctx, call.Model)
	if err != nil {
		return nil, err
	}
	if way, ok := opaque[call.Method]; ok {
		return nil, &adapter.Error{
			Code: adapter.Unsupported, Model: call.Model,
			Message: call.Method + " can't be called as another version (the system is " + l.server + ", the call " + l.pin.version + "): " + way,
		}
	}
	call.Model = v.lens.Model()
	call.Args, call.Kwargs = slices.Clone(call.Args), maps.Clone(call.Kwargs)
	t := &translation{view: v, ctx: ctx, method: call.Method}
	if own, ok := call.Kwargs["context"]; ok {
		values, isObject := (&slot{value: own}).decoded().(map[string]any)
		if isObject {
			if call.Kwargs["context"], err = v.context(ctx, values); err != nil {
				return nil, err
			}
		}
	}
	op := operations[call.Method]
	if op == nil || op.kind == generic {
		t.admit(&call)
		return adapter.Invoke(ctx, l.own, call)
	}
	t.slots = op.slots(&call)
	if err := t.arguments(); err != nil {
		return nil, err
	}
	raw, err := adapter.Invoke(ctx, l.own, call)
	if err != nil {
		return nil, err
	}
	return t.answer(raw)
}

// admit says that a call goes on as it is, if it has arguments that might have
// needed a translation.
func (t *translation) admit(call *adapter.Call) {
	plain := true
	for i, arg := range call.Args {
		_, isID := adapter.IDOf((&slot{value: arg}).decoded())
		list, isList := (&slot{value: arg}).decoded().([]any)
		ids := isList && !slices.ContainsFunc(list, func(v any) bool { _, ok := adapter.IDOf(v); return !ok })
		plain = plain && i == 0 && (isID || ids)
	}
	for name := range call.Kwargs {
		plain = plain && name == "context"
	}
	if !plain {
		adapter.Warn(t.ctx, adapter.Warning{
			Code: adapter.WarnUntranslated, Model: t.model, Used: call.Method,
			Message: "the arguments of " + call.Method + " were passed on as they are: what they mean in version " + t.server + " is not known here",
		})
	}
}

// slots finds the arguments of a call by their parameters.
func (op *operation) slots(call *adapter.Call) map[string]*slot {
	out := map[string]*slot{}
	for i := range call.Args {
		if i < len(op.parsed) {
			out[op.parsed[i].name] = &slot{call.Args[i], func(v any) { call.Args[i] = v }}
		}
	}
	for key, value := range call.Kwargs {
		for i := range op.parsed {
			if slices.Contains(op.parsed[i].names, key) {
				out[op.parsed[i].name] = &slot{value, func(v any) { call.Kwargs[key] = v }}
			}
		}
	}
	// The second of web_search_read was the list of fields before 17.0.
	if s := out["specification"]; s != nil && op.name == "web_search_read" && out["fields"] == nil {
		if _, isList := s.decoded().([]any); isList {
			out["fields"] = s
			delete(out, "specification")
		}
	}
	return out
}

// step translates one argument.
type step struct {
	param string
	run   func(*translation, *slot) error
}

// steps are in an order in which each finds what it needs.
var steps = []step{
	{"domain", (*translation).domain},
	{"groupby", (*translation).groupBy},
	{"aggregates", (*translation).aggregates},
	{"fields", (*translation).fieldList},
	{"specification", (*translation).specify},
	{"allfields", (*translation).described},
	{"order", (*translation).order},
	{"orderby", (*translation).order},
	{"having", (*translation).having},
	{"values", (*translation).written},
	{"default", (*translation).written},
	{"field_name", (*translation).changedFields},
	{"field_onchange", (*translation).formFields},
	{"load", (*translation).load},
}

func (t *translation) arguments() error {
	for _, s := range steps {
		if arg := t.slots[s.param]; arg != nil && arg.value != nil {
			if err := s.run(t, arg); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *translation) domain(s *slot) error {
	v := s.decoded()
	if list, ok := v.([]any); !ok || len(list) == 0 {
		return nil
	}
	f, err := adapter.ParseDomain(v)
	if err != nil {
		return err
	}
	if f, err = t.filter(t.ctx, f); err != nil {
		return err
	}
	s.set(json.RawMessage(adapter.AppendDomainJSON(nil, f)))
	return nil
}

// listed reads an argument that is a list of names, or one name; ok is false
// for anything else, which the system shall judge.
func (s *slot) listed() ([]string, bool) {
	switch v := s.decoded().(type) {
	case string:
		return []string{v}, true
	case []any:
		names := make([]string, len(v))
		for i, item := range v {
			name, ok := item.(string)
			if !ok {
				return nil, false
			}
			names[i] = name
		}
		return names, true
	}
	return nil, false
}

func (t *translation) fieldList(s *slot) error {
	names, ok := s.listed()
	if !ok || len(names) == 0 {
		return nil
	}
	if t.method == "read_group" {
		return t.groupFields(s, names)
	}
	if slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, ".") }) {
		return wrong("fields", "paths such as partner_id.email can't be read as another version by a call with unknown arguments; use search_read or read")
	}
	used, lost, err := t.fields(t.ctx, names)
	if err != nil {
		return err
	}
	t.asking.fields, t.asking.lost = names, lost
	s.set(used)
	return nil
}

// described translates the fields that fields_get is asked for; like Odoo, it
// passes over those that are not there.
func (t *translation) described(s *slot) error {
	names, ok := s.listed()
	if !ok || len(names) == 0 {
		return nil
	}
	used, _, _ := t.lens.Fields(names)
	if len(used) == 0 {
		used = []string{"id"}
	}
	t.asking.fields = names
	s.set(used)
	return nil
}

func (t *translation) load(s *slot) error {
	v := s.decoded()
	t.asking.bare = v == "" || v == false || v == nil
	return nil
}

func (t *translation) written(s *slot) error {
	switch v := s.decoded().(type) {
	case map[string]any:
		out, err := t.values(t.ctx, v)
		if err != nil {
			return err
		}
		s.set(map[string]any(out))
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			r, ok := item.(map[string]any)
			if !ok {
				return nil
			}
			out, err := t.values(t.ctx, r)
			if err != nil {
				return err
			}
			list[i] = map[string]any(out)
		}
		s.set(list)
	}
	return nil
}

// changedFields translates the fields that changed on a form.
func (t *translation) changedFields(s *slot) error {
	names, ok := s.listed()
	if !ok || len(names) == 0 {
		return nil
	}
	used, _, err := t.fields(t.ctx, names)
	if err != nil {
		return err
	}
	s.set(used)
	return nil
}

// formFields translates the fields of a form, as onchange takes them: by name
// or by path, with a flag (before 17.0) or a specification.
func (t *translation) formFields(s *slot) error {
	form, ok := s.decoded().(map[string]any)
	if !ok {
		return nil
	}
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(form)) {
		head, rest, deeper := strings.Cut(name, ".")
		used, _, err := t.fields(t.ctx, []string{head})
		if err != nil {
			return err
		}
		value, at := form[name], []string{""}
		inner, _ := value.(map[string]any)
		below, _ := inner["fields"].(map[string]any)
		if deeper || below != nil {
			relation := t.learn(t.ctx, t.model, head)
			if relation == "" {
				return wrong("field_onchange", "the fields of a form can't lead through %q: where it leads is not known", head)
			}
			other, err := t.other(relation)
			if err != nil {
				return err
			}
			sub := &translation{view: other, ctx: t.ctx, method: t.method}
			fields := below
			if deeper {
				fields = map[string]any{rest: value}
			}
			got := fields
			if err := sub.formFields(&slot{fields, func(v any) { got, _ = v.(map[string]any) }}); err != nil {
				return err
			}
			if deeper {
				at = at[:0]
				for path, v := range got {
					at, value = append(at, "."+path), v
				}
			} else {
				inner = maps.Clone(inner)
				inner["fields"] = got
				value = inner
			}
		}
		for _, u := range used {
			for _, path := range at {
				if u != "id" || head == "id" {
					out[u+path] = value
				}
			}
		}
		if len(used) > 0 && !deeper {
			t.asking.fields = append(t.asking.fields, name)
		}
	}
	s.set(out)
	return nil
}

// specification is what web_read and its kin were asked for.
type specification struct {
	fields []string // the caller's
	lost   []string
	below  map[string]*specification // by the caller's field
	views  map[string]*view
	used   map[string]string // the system's field of each in below
}

func (t *translation) specify(s *slot) error {
	given, ok := s.decoded().(map[string]any)
	if !ok {
		return nil
	}
	spec, out, err := t.specifyOf(t.view, given)
	if err != nil {
		return err
	}
	t.spec = spec
	s.set(out)
	return nil
}

func (t *translation) specifyOf(v *view, given map[string]any) (*specification, map[string]any, error) {
	spec := &specification{fields: slices.Sorted(maps.Keys(given)), below: map[string]*specification{}, views: map[string]*view{}, used: map[string]string{}}
	out := map[string]any{}
	for _, name := range spec.fields {
		used, lost, err := v.fields(t.ctx, []string{name})
		if err != nil {
			return nil, nil, err
		}
		if len(lost) > 0 {
			spec.lost = append(spec.lost, name)
			continue
		}
		inner, _ := given[name].(map[string]any)
		below, _ := inner["fields"].(map[string]any)
		if len(inner) > 0 {
			relation := t.learn(t.ctx, v.model, name)
			switch {
			case relation == "" && len(below) > 0:
				return nil, nil, &adapter.Error{Code: adapter.InvalidArgument, Model: v.model, Field: name, Message: "field \"" + name + "\" can't be read into: where it leads is not known"}
			case len(used) != 1 && len(below) > 0:
				return nil, nil, &adapter.Error{Code: adapter.InvalidArgument, Model: v.model, Field: name, Message: "field \"" + name + "\" can't be read into: version " + t.server + " has several fields for it"}
			case relation != "":
				other, err := v.other(relation)
				if err != nil {
					return nil, nil, err
				}
				inner = maps.Clone(inner)
				if below != nil {
					sub, fields, err := t.specifyOf(other, below)
					if err != nil {
						return nil, nil, err
					}
					spec.below[name], spec.views[name], spec.used[name] = sub, other, used[0]
					inner["fields"] = fields
				}
				if text, ok := inner["order"].(string); ok {
					order, err := other.orderText(t.ctx, text)
					if err != nil {
						return nil, nil, err
					}
					inner["order"] = order
				}
				if values, ok := inner["context"].(map[string]any); ok {
					if inner["context"], err = other.context(t.ctx, values); err != nil {
						return nil, nil, err
					}
				}
			}
		}
		for _, u := range used {
			if len(inner) > 0 && (out[u] == nil || len(used) == 1) {
				out[u] = inner
			} else if out[u] == nil {
				out[u] = map[string]any{}
			}
		}
	}
	return spec, out, nil
}

func (v *view) orderText(ctx context.Context, text string) (string, error) {
	orders, err := adapter.ParseOrder(text)
	if err != nil {
		return "", err
	}
	got, notes, err := v.lens.Order(orders)
	v.warn(ctx, notes)
	return adapter.FormatOrder(got), single(err)
}

// order translates an order, which in a grouping may name the groups, a count
// or a sum.
func (t *translation) order(s *slot) error {
	text, ok := s.decoded().(string)
	if !ok || strings.TrimSpace(text) == "" {
		return nil
	}
	known := slices.Concat(t.groups, t.sums)
	var parts []string
	for part := range strings.SplitSeq(text, ",") {
		name, direction, _ := strings.Cut(strings.TrimSpace(part), " ")
		direction = strings.TrimSpace(direction)
		at := slices.IndexFunc(known, func(p pairing) bool { return p.asked == name })
		switch {
		case at >= 0:
			parts = append(parts, strings.TrimSpace(known[at].used+" "+direction))
		case strings.HasPrefix(name, "__"), len(t.groups) > 0 && strings.HasSuffix(name, "_count"):
			parts = append(parts, strings.TrimSpace(name+" "+direction))
		default:
			field, rest, special := strings.Cut(name, ":")
			got, err := t.orderText(t.ctx, strings.TrimSpace(field+" "+direction))
			if err != nil {
				return err
			}
			if special {
				used, to, _ := strings.Cut(got, " ")
				got = strings.TrimSpace(used + ":" + rest + " " + to)
			}
			parts = append(parts, got)
		}
	}
	s.set(strings.Join(parts, ", "))
	return nil
}

func (t *translation) groupBy(s *slot) error {
	names, ok := s.listed()
	if !ok || len(names) == 0 {
		return nil
	}
	used, notes, err := t.lens.GroupBy(names)
	t.warn(t.ctx, notes)
	if err != nil {
		return single(err)
	}
	for i := range names {
		t.groups = append(t.groups, pairing{names[i], used[i]})
	}
	if _, one := s.decoded().(string); one {
		s.set(used[0])
	} else {
		s.set(used)
	}
	return nil
}

// sum translates "amount:sum" or "total:sum(amount)". The answer's name for it
// is in the pairing. It is lost where the field has no counterpart, or not one.
func (t *translation) sum(text string) (used string, p pairing, lost bool, err error) {
	name, how, special := strings.Cut(text, ":")
	field, wrapped := name, ""
	if at := strings.IndexByte(how, '('); at >= 0 && strings.HasSuffix(how, ")") {
		field, wrapped = how[at+1:len(how)-1], how[:at]
	}
	got, gone, err := t.fields(t.ctx, []string{field})
	switch {
	case err != nil:
		return "", p, false, err
	case len(gone) > 0:
		return "", p, true, nil
	case len(got) != 1:
		return "", p, false, &adapter.Error{Code: adapter.InvalidArgument, Model: t.model, Field: field, Message: "field \"" + field + "\" can't be summed up: version " + t.server + " has several fields for it"}
	case wrapped != "":
		return name + ":" + wrapped + "(" + got[0] + ")", pairing{name, name}, false, nil
	case special:
		return got[0] + ":" + how, pairing{text, got[0] + ":" + how}, false, nil
	}
	return got[0], pairing{text, got[0]}, false, nil
}

// groupFields translates what read_group is to sum up.
func (t *translation) groupFields(s *slot, names []string) error {
	var list []string
	for _, n := range names {
		used, p, lost, err := t.sum(n)
		if err != nil {
			return err
		}
		if lost {
			continue
		}
		list = append(list, used)
		// The answer goes by the field alone.
		p.asked, _, _ = strings.Cut(p.asked, ":")
		p.used, _, _ = strings.Cut(p.used, ":")
		t.sums = append(t.sums, p)
	}
	s.set(list)
	return nil
}

func (t *translation) aggregates(s *slot) error {
	names, ok := s.listed()
	if !ok {
		return nil
	}
	list := make([]string, 0, len(names))
	for _, n := range names {
		if strings.HasPrefix(n, "__") {
			list = append(list, n)
			continue
		}
		used, p, lost, err := t.sum(n)
		if err != nil {
			return err
		}
		if !lost {
			list = append(list, used)
			t.sums = append(t.sums, p)
		}
	}
	s.set(list)
	return nil
}

// having translates the names in conditions on sums.
func (t *translation) having(s *slot) error {
	list, ok := s.decoded().([]any)
	if !ok {
		return nil
	}
	out := make([]any, len(list))
	for i, item := range list {
		out[i] = item
		condition, _ := item.([]any)
		if len(condition) != 3 {
			continue
		}
		name, ok := condition[0].(string)
		if !ok || strings.HasPrefix(name, "__") {
			continue
		}
		used, _, lost, err := t.sum(name)
		if err != nil {
			return err
		}
		if lost {
			return &adapter.Error{Code: adapter.InvalidArgument, Model: t.model, Field: name, Message: "field \"" + name + "\" of having has no counterpart in version " + t.server}
		}
		out[i] = []any{used, condition[1], condition[2]}
	}
	s.set(out)
	return nil
}

// encodeJSON writes an answer.
func encodeJSON(v any) (json.RawMessage, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := encodeInto(enc, &buf, v); err != nil {
		return nil, &adapter.Error{Code: adapter.Internal, Message: "the answer can't be written as JSON", Err: err}
	}
	return buf.Bytes(), nil
}
