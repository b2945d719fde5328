package odoo

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// reading are the methods that change nothing, so that a call of one may be
// repeated and needs no care when it gets no answer. A method that is not here
// is taken to change something; export_data, which may make external ids, is
// left out on purpose.
var reading = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields(`
		search search_count search_read search_fetch read read_group web_read_group
		formatted_read_group formatted_read_grouping_sets web_read web_search_read
		name_get name_search fields_get default_get onchange exists
		check_access check_access_rights check_access_rule has_access has_group has_groups
		get_view get_views load_views fields_view_get
		get_metadata get_external_id get_formview_id get_formview_action get_access_action
		get_field_translations read_progress_bar search_panel_select_range
		search_panel_select_multi_range context_get
		xmlid_to_res_id xmlid_to_res_model_res_id get_object_reference check_object_reference
	`) {
		m[name] = true
	}
	return m
}()

func readsOnly(method string) bool { return reading[method] }

// ReadOnly reports whether a method is known to change nothing in Odoo.
func ReadOnly(method string) bool { return readsOnly(method) }

// signature is what the adapter knows of a method's parameters.
type signature struct {
	// params are the names of the parameters in their order, as this package
	// calls them; other names that versions have for one follow a "|".
	params string
	// fixed is how many of them always travel by position, because their names
	// differ from version to version.
	fixed int
	// defaults stand in for fixed parameters that are not given. Without one
	// the parameter is required.
	defaults map[string]any
}

var noDomain = map[string]any{"domain": []any{}}

// signatures are the methods whose arguments are looked at. Those of any other
// method travel as they are.
var signatures = map[string]signature{
	"search":               {"domain|args offset limit order count", 1, noDomain},
	"search_count":         {"domain|args limit", 1, noDomain},
	"search_read":          {"domain fields offset limit order load", 1, noDomain},
	"read":                 {"ids fields load", 1, nil},
	"create":               {"values|vals_list|vals", 1, nil},
	"write":                {"ids values|vals", 2, nil},
	"unlink":               {"ids", 1, nil},
	"copy":                 {"ids default", 1, nil},
	"exists":               {"ids", 1, nil},
	"name_get":             {"ids", 1, nil},
	"name_create":          {"name", 1, nil},
	"name_search":          {"name domain|args operator limit", 2, map[string]any{"name": "", "domain": []any{}}},
	"default_get":          {"fields|fields_list", 1, nil},
	"fields_get":           {"allfields attributes", 0, nil},
	"web_read":             {"ids specification", 1, nil},
	"web_save":             {"ids values|vals specification next_id", 2, map[string]any{"ids": []any{}}},
	"web_search_read":      {"domain specification fields offset limit order count_limit", 1, noDomain},
	"read_group":           {"domain fields groupby offset limit orderby lazy", 3, noDomain},
	"formatted_read_group": {"domain groupby aggregates having offset limit order", 1, noDomain},

	"check_access_rights": {"operation raise_exception", 1, nil},
	"check_access_rule":   {"ids operation", 2, nil},
	"check_access":        {"ids operation", 2, map[string]any{"ids": []any{}}},
	"has_access":          {"ids operation", 2, map[string]any{"ids": []any{}}},
	"has_group":           {"ids group_ext_id", 0, nil},

	"get_view":        {"view_id view_type", 0, nil},
	"get_views":       {"views options", 1, nil},
	"load_views":      {"views options", 1, nil},
	"fields_view_get": {"view_id view_type toolbar submenu", 0, nil},

	"message_post": {"ids", 1, nil},

	"xmlid_to_res_id":           {"xmlid raise_if_not_found", 1, nil},
	"xmlid_to_res_model_res_id": {"xmlid raise_if_not_found", 1, nil},
	"get_object_reference":      {"module xml_id", 2, nil},
}

// call is a call whose arguments are known by name.
type call struct {
	client *Client
	model  string
	method string
	sig    signature
	params []string
	args   map[string]any
	rest   map[string]any // named arguments that the signature does not know
	own    any            // the caller's own context
	// single says that ids was one id, by itself or alone in its list.
	single bool
}

// bind gives the arguments of a call their names.
func (c *Client) bind(name string, in adapter.Call) (*call, error) {
	b := &call{
		client: c, model: name, method: in.Method, sig: signatures[in.Method],
		args: map[string]any{}, rest: map[string]any{}, own: in.Kwargs["context"],
	}
	wrong := func(field, format string, args ...any) error {
		return &adapter.Error{
			Code: adapter.InvalidArgument, Model: name, Field: field,
			Message: in.Method + ": " + fmt.Sprintf(format, args...),
		}
	}
	names := map[string]string{}
	for _, param := range strings.Fields(b.sig.params) {
		aliases := strings.Split(param, "|")
		b.params = append(b.params, aliases[0])
		for _, alias := range aliases {
			names[alias] = aliases[0]
		}
	}
	positional := b.positional(in)
	if len(in.Args) > len(positional) {
		return nil, wrong("args", "takes at most %d arguments, got %d", len(positional), len(in.Args))
	}
	for i, v := range in.Args {
		b.args[positional[i]] = v
	}
	for _, key := range slices.Sorted(maps.Keys(in.Kwargs)) {
		param, ok := names[key]
		switch {
		case key == "context":
			continue
		case !ok:
			b.rest[key] = in.Kwargs[key]
			continue
		}
		if _, twice := b.args[param]; twice {
			return nil, wrong(key, "argument %q is given twice", key)
		}
		b.args[param] = in.Kwargs[key]
	}
	for _, param := range b.params[:b.sig.fixed] {
		if _, ok := b.args[param]; ok {
			continue
		}
		v, ok := b.sig.defaults[param]
		if !ok {
			return nil, wrong(param, "argument %q is missing", param)
		}
		b.args[param] = v
	}
	if v, ok := b.args["ids"]; ok {
		ids, ok := idList(v)
		if !ok {
			return nil, wrong("ids", "argument \"ids\" must be an id or a list of ids, not %s", kindOf(v))
		}
		b.args["ids"], b.single = ids, len(ids) == 1
	}
	return b, nil
}

// positional returns the parameters that the arguments without a name stand
// for. Two methods changed theirs between versions, recognizably.
func (b *call) positional(in adapter.Call) []string {
	second := func(i int) any {
		if i < len(in.Args) {
			v, _ := plainValue(in.Args[i])
			return v
		}
		return nil
	}
	params := b.params
	switch b.method {
	case "web_search_read":
		drop := "fields"
		if _, isList := second(1).([]any); isList {
			drop = "specification"
		}
		params = slices.DeleteFunc(slices.Clone(params), func(p string) bool { return p == drop })
	case "has_group":
		if _, isText := second(0).(string); isText {
			params = params[1:]
		}
	case "has_access", "check_access":
		// Without ids, as one writes it for a model as a whole.
		if _, isText := second(0).(string); isText {
			params = params[1:]
		}
	case "message_post", "copy":
		// Their further parameters differ from version to version.
	}
	return params
}

// idList reads the ids of a method of records: one id or a list of them.
func idList(v any) ([]any, bool) {
	p, err := plainValue(v)
	if err != nil {
		return nil, false
	}
	list, ok := p.([]any)
	if !ok {
		if p == nil || p == false {
			return []any{}, true
		}
		list = []any{p}
	}
	out := make([]any, len(list))
	for i, item := range list {
		n, ok := integer(item)
		if !ok {
			return nil, false
		}
		out[i] = n
	}
	return out, true
}

// ids returns the ids of a method of records as numbers.
func (b *call) ids() []int64 {
	list, _ := b.args["ids"].([]any)
	ids := make([]int64, 0, len(list))
	for _, v := range list {
		if n, ok := v.(int64); ok {
			ids = append(ids, n)
		}
	}
	return ids
}

// has reports whether an argument was given and is not null.
func (b *call) has(param string) bool { return b.args[param] != nil }

// take removes an argument and returns it.
func (b *call) take(param string) any {
	v := b.args[param]
	delete(b.args, param)
	return v
}

// number reads an argument that is a count; absent, null and false are 0.
func (b *call) number(param string) (int64, error) {
	v, err := plainValue(b.args[param])
	if err == nil {
		if v == nil || v == false {
			return 0, nil
		}
		if n, ok := integer(v); ok && n >= 0 {
			return n, nil
		}
	}
	return 0, &adapter.Error{
		Code: adapter.InvalidArgument, Model: b.model, Field: param,
		Message: fmt.Sprintf("%s: argument %q must be a number from 0 up, not %s", b.method, param, kindOf(b.args[param])),
	}
}

// flag reads an argument that is true or false.
func (b *call) flag(param string) bool {
	v, _ := plainValue(b.args[param])
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	}
	n, ok := integer(v)
	return !ok || n != 0
}

// kwargs are named arguments for a further call on behalf of this one: in its
// context.
func (b *call) kwargs(named map[string]any) map[string]any {
	if b.own == nil {
		return named
	}
	out := make(map[string]any, len(named)+1)
	maps.Copy(out, named)
	out["context"] = b.own
	return out
}

// within is kwargs with further entries of the context.
func (b *call) within(named map[string]any, context map[string]any) (map[string]any, error) {
	merged, err := mergeContext(adapter.Scope{}, b.own)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(named)+1)
	maps.Copy(out, named)
	all := maps.Clone(merged)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, context)
	out["context"] = all
	return out, nil
}

// arguments are the arguments as they travel.
func (b *call) arguments() ([]any, map[string]any) {
	args := make([]any, 0, b.sig.fixed)
	named := make(map[string]any, len(b.args)+len(b.rest))
	maps.Copy(named, b.rest)
	for i, param := range b.params {
		v, ok := b.args[param]
		switch {
		case i < b.sig.fixed:
			args = append(args, v)
		case ok:
			named[param] = v
		}
	}
	return args, b.kwargs(named)
}

// encode writes an answer of the adapter's own making.
func encode(v any) (json.RawMessage, error) {
	var buf strings.Builder
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, &adapter.Error{Code: adapter.Internal, Message: "the answer can't be written as JSON", Err: err}
	}
	return json.RawMessage(strings.TrimSuffix(buf.String(), "\n")), nil
}
