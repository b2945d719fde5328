package bridge

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// Operation describes one of the unified operations.
type Operation struct {
	Name string
	// Members are the members of a request that it takes, beside model,
	// context, expand, optimize, fallback and fill_empty.
	Members  []string
	Required []string
	Changes  bool          // it changes something, and what was kept is dropped
	TTL      time.Duration // how long answers are kept; 0 for not at all
	MaxLimit int           // records at most; 0 for no limit of ours
}

// How long answers are kept.
const (
	ttlRecords = 300 * time.Second
	ttlNames   = 600 * time.Second
	ttlFields  = 3600 * time.Second
)

// kind is what an operation is about.
type kind int

const (
	reads   kind = iota // records
	schema              // the model itself: a change of a record does not touch it
	changes             // changes records
	generic             // calls the method that the request names
)

// operation is a row of the table.
type operation struct {
	name string
	kind kind
	// params are the method's parameters in their order, each with the members
	// that may give it after "|"; "!" marks one that is required. A method's
	// own names for a parameter, as call_kw may bring them, follow a "~".
	params string
	ttl    time.Duration
	most   int // records at most
	// byPlace sends the arguments by position: the names differ between versions.
	byPlace bool
	// method is the system's name for it, "" for the same.

	parsed []param
	takes  memberSet
}

type param struct {
	name     string
	members  []int    // indexes in members, the first one that is given counts
	names    []string // names by which call_kw may know it
	required bool
}

// memberSet is a set of indexes in members.
type memberSet uint64

// operations is the table of the unified operations.
var operations = table([]operation{
	{name: "search_read", kind: reads, ttl: ttlRecords, most: 200, params: "domain fields offset limit order load cursor"},
	{name: "read", kind: reads, ttl: ttlRecords, most: 100, params: "ids|id! fields load cursor"},
	{name: "search", kind: reads, ttl: ttlRecords, most: 500, params: "domain~args offset limit order cursor"},
	{name: "search_count", kind: reads, ttl: ttlRecords, params: "domain~args limit"},
	{name: "fields_get", kind: schema, ttl: ttlFields, params: "allfields|fields attributes"},
	{name: "name_search", kind: reads, ttl: ttlNames, most: 50, params: "name domain|args operator limit"},
	{name: "name_get", kind: reads, ttl: ttlNames, params: "ids|id!"},
	{name: "web_search_read", kind: reads, ttl: ttlRecords, most: 200, params: "domain specification fields offset limit order count_limit cursor"},
	{name: "web_read", kind: reads, ttl: ttlRecords, most: 100, params: "ids|id! specification fields cursor"},

	{name: "create", kind: changes, params: "values|vals_list~vals_list~vals!"},
	{name: "write", kind: changes, params: "ids|id! values~vals!"},
	{name: "unlink", kind: changes, params: "ids|id!"},
	{name: "web_save", kind: changes, params: "ids|id values~vals! specification next_id"},
	{name: "copy", kind: changes, params: "ids|id! default"},
	{name: "name_create", kind: changes, params: "name!"},

	{name: "default_get", kind: reads, params: "fields~fields_list!"},
	{name: "onchange", kind: reads, params: "ids|id values! field_name! field_onchange", byPlace: true},
	{name: "read_group", kind: reads, params: "domain fields groupby! offset limit orderby lazy"},
	{name: "formatted_read_group", kind: reads, params: "domain groupby aggregates having offset limit order"},
	{name: "exists", kind: reads, params: "ids|id!"},
	{name: "check_access_rights", kind: reads, params: "operation! raise_exception"},
	{name: "get_view", kind: reads, params: "view_id view_type options"},
	{name: "get_views", kind: reads, params: "views! options"},
	{name: "load_views", kind: reads, params: "views! options"},
	{name: "fields_view_get", kind: reads, params: "view_id view_type toolbar submenu"},

	{name: "call_kw", kind: generic, params: "method! args kwargs"},
	{name: "call_method", kind: generic, params: "method! ids|id args kwargs"},
})

// readingMethods are methods, beside those of the table, that are known to
// change nothing. Any other may change anything.
var readingMethods = set(
	"search_fetch", "web_read_group", "formatted_read_grouping_sets", "check_access", "check_access_rule",
	"has_access", "has_group", "has_groups", "get_metadata", "get_external_id", "get_formview_id",
	"get_formview_action", "get_access_action", "get_field_translations", "read_progress_bar",
	"search_panel_select_range", "search_panel_select_multi_range", "context_get", "xmlid_to_res_id",
	"xmlid_to_res_model_res_id", "get_object_reference", "check_object_reference",
)

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// table reads the rows' params.
func table(rows []operation) map[string]*operation {
	index := map[string]int{}
	for i, m := range members {
		index[m.name] = i
	}
	out := make(map[string]*operation, len(rows))
	for i := range rows {
		op := &rows[i]
		for word := range strings.FieldsSeq(op.params) {
			word, required := strings.CutSuffix(word, "!")
			names := strings.Split(word, "~")
			given := strings.Split(names[0], "|")
			p := param{name: given[0], required: required, names: append(given, names[1:]...)}
			for _, name := range given {
				at, ok := index[name]
				if !ok {
					panic( //nolint:forbidigo // the table above is wrong, and every test says so
						"operation " + op.name + " takes a member that requests don't have: " + name)
				}
				p.members = append(p.members, at)
				op.takes |= 1 << at
			}
			op.parsed = append(op.parsed, p)
		}
		out[op.name] = op
	}
	return out
}

// Operations lists the unified operations, by name.
func Operations() []Operation {
	var out []Operation
	for _, name := range slices.Sorted(maps.Keys(operations)) {
		op := operations[name]
		o := Operation{Name: name, Changes: op.kind == changes || op.kind == generic, TTL: op.ttl, MaxLimit: op.most}
		for i, m := range members {
			if op.takes&(1<<i) != 0 {
				o.Members = append(o.Members, m.name)
			}
		}
		for _, p := range op.parsed {
			if p.required {
				o.Required = append(o.Required, p.name)
			}
		}
		out = append(out, o)
	}
	return out
}

// find returns the operation of a name.
func find(name string) (*operation, error) {
	if op := operations[name]; op != nil {
		return op, nil
	}
	names := slices.Sorted(maps.Keys(operations))
	message := "there is no operation " + strings.ToValidUTF8(clip(name), "?")
	if near := adapter.Nearest(name, names); near != "" {
		message += "; did you mean " + near + "?"
	}
	return nil, wrong("operation", "%s", message+" (operations: "+strings.Join(names, ", ")+")")
}

func clip(s string) string {
	const most = 60
	if len(s) > most {
		s = s[:most] + "..."
	}
	return `"` + s + `"`
}

// arguments are the members that were given, by parameter.
type arguments [16]any

// bind takes from a request what the operation needs of it.
func (op *operation) bind(r *OperationRequest) (arguments, error) {
	var given memberSet
	var values [64]any
	for i := range members {
		if v := members[i].get(r); v != nil {
			values[i] = v
			given |= 1 << i
		}
	}
	if extra := given &^ op.takes; extra != 0 {
		for i, m := range members {
			if extra&(1<<i) != 0 {
				return arguments{}, wrong(m.name, "%s takes no %q; it takes model, %s", op.name, m.name, strings.Join(op.memberNames(), ", "))
			}
		}
	}
	var args arguments
	for i := range op.parsed {
		p := &op.parsed[i]
		for _, at := range p.members {
			if values[at] == nil {
				continue
			}
			if args[i] != nil {
				return arguments{}, wrong(members[at].name, "%s takes %q or %q, not both", op.name, members[p.members[0]].name, members[at].name)
			}
			args[i] = values[at]
		}
		if p.required && args[i] == nil {
			return arguments{}, wrong(p.name, "%s needs %q", op.name, p.name)
		}
	}
	return args, nil
}

func (op *operation) memberNames() []string {
	var names []string
	for i, m := range members {
		if op.takes&(1<<i) != 0 {
			names = append(names, m.name)
		}
	}
	return names
}

// at returns the place of a parameter, or -1.
func (op *operation) at(name string) int {
	return slices.IndexFunc(op.parsed, func(p param) bool { return p.name == name })
}

// call is the call of the system's method with these arguments.
func (op *operation) call(model string, args *arguments) adapter.Call {
	call := adapter.Call{Model: model, Method: op.name}
	if op.byPlace {
		call.Args = make([]any, len(op.parsed))
		for i := range op.parsed {
			switch v := args[i].(type) {
			case nil:
				call.Args[i] = []any{}
				if op.parsed[i].name != "ids" {
					call.Args[i] = map[string]any{}
				}
			case Names:
				call.Args[i] = []string(v) // from 17.0 on nothing else will do
			default:
				call.Args[i] = plain(v)
			}
		}
		return call
	}
	call.Kwargs = make(map[string]any, len(op.parsed))
	for i := range op.parsed {
		name := op.parsed[i].name
		if args[i] == nil || name == "cursor" {
			continue
		}
		call.Kwargs[name] = plain(args[i])
	}
	return call
}

// plain turns an argument into what adapters know.
func plain(v any) any {
	switch v := v.(type) {
	case Names:
		return []string(v)
	case IDs:
		out := make([]any, len(v))
		for i, id := range v {
			out[i] = id.Value()
		}
		return out
	case adapter.ID:
		return v.Value()
	}
	return v
}

// specific turns the call of a known method through call_kw into the request
// of its operation, so that it is kept, limited and expanded like it. Where
// the arguments don't fit it is false, and the call goes on as it is.
func specific(r *OperationRequest) (*operation, *OperationRequest, bool) {
	op := operations[r.Method]
	if op == nil || op.kind == generic {
		return nil, nil, false
	}
	args, ok := listOf(r.Args)
	kwargs, also := objectOf(r.Kwargs)
	if !ok || !also {
		return nil, nil, false
	}
	if r.IDs != nil || !r.ID.IsZero() {
		return nil, nil, false
	}
	out := &OperationRequest{}
	var taken memberSet
	take := func(p *param, v json.RawMessage) bool {
		at := p.members[0]
		if p.name == "cursor" || taken&(1<<at) != 0 {
			return false
		}
		taken |= 1 << at
		return members[at].set(out, v) == nil
	}
	for i, v := range args {
		if i >= len(op.parsed) || !take(&op.parsed[i], v) {
			return nil, nil, false
		}
	}
	for _, m := range kwargs {
		if m.name == "context" {
			if !isNull(r.Context) || out.Context != nil {
				return nil, nil, false
			}
			out.Context = m.value
			continue
		}
		at := slices.IndexFunc(op.parsed, func(p param) bool { return slices.Contains(p.names, m.name) })
		if at < 0 || !take(&op.parsed[at], m.value) {
			return nil, nil, false
		}
	}
	out.Model, out.Expand, out.Fallback, out.FillEmpty = r.Model, r.Expand, r.Fallback, r.FillEmpty
	if out.Context == nil {
		out.Context = r.Context
	}
	// Clients of the generic call expect the system's own answer.
	off := false
	if out.Optimize = r.Optimize; r.Optimize == nil {
		out.Optimize = &off
	}
	return op, out, true
}

// looseCall is a call of a method of which nothing is known.
func looseCall(r *OperationRequest) (adapter.Call, error) {
	call := adapter.Call{Model: r.Model, Method: r.Method}
	args, ok := listOf(r.Args)
	if !ok {
		return call, wrong("args", "args must be a list of the method's arguments")
	}
	for _, v := range args {
		call.Args = append(call.Args, v)
	}
	kwargs, ok := objectOf(r.Kwargs)
	if !ok {
		return call, wrong("kwargs", "kwargs must be an object of the method's named arguments")
	}
	if len(kwargs) > 0 {
		call.Kwargs = make(map[string]any, len(kwargs))
	}
	for _, m := range kwargs {
		if _, twice := call.Kwargs[m.name]; twice {
			return call, wrong("kwargs", "kwargs has %s twice", clip(m.name))
		}
		call.Kwargs[m.name] = m.value
	}
	ids := r.IDs
	if !r.ID.IsZero() {
		if ids != nil {
			return call, wrong("id", "call_method takes \"ids\" or \"id\", not both")
		}
		ids = IDs{r.ID}
	}
	if ids != nil {
		call.Args = append([]any{plain(ids)}, call.Args...)
	}
	return call, nil
}

// checkMethod refuses what is no public method.
func checkMethod(method string) error {
	if strings.HasPrefix(method, "_") {
		return &adapter.Error{Code: adapter.PermissionDenied, Field: "method", Message: "methods that begin with an underscore are private to the system"}
	}
	ok := method != "" && len(method) <= 128
	for i, c := range []byte(method) {
		ok = ok && ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || '0' <= c && c <= '9' && i > 0)
	}
	if !ok {
		return wrong("method", "%s is no name of a method", strings.ToValidUTF8(clip(method), "?"))
	}
	return nil
}

// checkModel refuses what is no name of a model, before it gets into keys.
func checkModel(model string) error {
	ok := model != "" && len(model) <= 128
	for _, c := range []byte(model) {
		ok = ok && ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_')
	}
	switch {
	case model == "":
		return wrong("model", "the model is missing; it reads like \"res.partner\"")
	case !ok:
		return wrong("model", "%s is no name of a model; it must read like \"res.partner\"", strings.ToValidUTF8(clip(model), "?"))
	}
	return nil
}
