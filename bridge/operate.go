package bridge

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/bridgecore/bridgecore/adapter"
)

// Operation runs one of the unified operations, see [Operations]. Members of
// the request that the operation does not take are refused by name.
//
// call_kw and call_method are looked at by their method: a known one is kept,
// limited and counted as its own operation; any other is sent as it is and
// taken to have changed anything.
func (s *System) Operation(ctx context.Context, name string, r OperationRequest) (Answer, error) {
	op, err := find(name)
	if err != nil {
		return Answer{}, err
	}
	if err := checkModel(r.Model); err != nil {
		return Answer{}, err
	}
	if err := r.mayBeTagged(name); err != nil {
		return Answer{}, err
	}
	req := &r
	if op.kind == generic {
		if _, err := op.bind(req); err != nil {
			return Answer{}, err
		}
		if err := checkMethod(req.Method); err != nil {
			return Answer{}, err
		}
		if s.universal == nil {
			if err := s.allowed(ctx, req.Model, req.Method); err != nil {
				return Answer{}, err
			}
		}
		known, its, fits := specific(req)
		switch {
		case fits:
			op, req = known, its
		case s.universal != nil:
			return s.universalOperation(ctx, op, req)
		default:
			if err := s.opaque(req); err != nil {
				return Answer{}, err
			}
			return s.loose(ctx, req)
		}
	} else if s.universal == nil {
		if err := s.allowed(ctx, req.Model, name); err != nil {
			return Answer{}, err
		}
	}
	args, err := op.bind(req)
	if err != nil {
		return Answer{}, err
	}
	if req.IfMatch != "" {
		return s.operateIf(ctx, op, req)
	}
	if s.universal != nil {
		return s.universalOperation(ctx, op, req)
	}
	scoped, err := s.forRequest(req)
	if err != nil {
		return Answer{}, err
	}
	if err := scoped.allowedReach(ctx, req); err != nil {
		return Answer{}, err
	}
	if op.kind == changes {
		return scoped.operateChange(ctx, op, req, &args)
	}
	return scoped.operateRead(ctx, op, req, &args)
}

// forRequest returns the system in the scope that the request asks for.
func (s *System) forRequest(r *OperationRequest) (*System, error) {
	if isNull(r.Context) && r.Fallback == "" && !r.FillEmpty {
		return s, nil
	}
	scope, err := withContext(s.caller.Scope, r.Context)
	if err != nil {
		return nil, err
	}
	switch r.Fallback {
	case "":
	case adapter.FallbackAll, adapter.FallbackOff:
		scope.Fallback = r.Fallback
	default:
		return nil, wrong("fallback", "fallback must be \"all\" or \"off\"")
	}
	scope.FillEmpty = scope.FillEmpty || r.FillEmpty
	return s.WithScope(scope), nil
}

func (s *System) operateRead(ctx context.Context, op *operation, r *OperationRequest, args *arguments) (Answer, error) {
	plan, err := s.plan(ctx, op, r, args)
	if err != nil {
		return Answer{}, err
	}
	if op.ttl == 0 {
		ctx, warnings := adapter.WithWarnings(s.scoped(ctx, &s.caller.Scope))
		a, err := s.ask(ctx, plan)
		a.Warnings = append(a.Warnings, warnings.List()...)
		return a, err
	}
	q := question{operation: op.name, model: r.Model, kind: op.kind, related: plan.related}
	pooled := scratch.Get().(*[]byte)
	defer scratch.Put(pooled)
	b := (*pooled)[:0]
	for i := range op.parsed {
		if args[i] != nil {
			b = append(b, byte(i))
			b = appendCanonical(b, args[i])
		}
	}
	b = append(b, 0xff, plan.mode())
	if r.ETag {
		b = append(b, 1)
	}
	q.canonical, *pooled = b, b
	read := func(ctx context.Context) (Answer, error) { return s.ask(ctx, plan) }
	return s.kept(ctx, &s.caller.Scope, q, op, func(ctx context.Context) (Answer, error) {
		if r.ETag {
			return s.tagged(ctx, r.Model, r.oneID(), read)
		}
		return read(ctx)
	})
}

func (s *System) operateChange(ctx context.Context, op *operation, r *OperationRequest, args *arguments) (Answer, error) {
	call := op.call(r.Model, args)
	return s.send(ctx, op.name, call, args.ids(op), args.get(op, "values"))
}

// loose sends a call of which nothing is known but its method.
func (s *System) loose(ctx context.Context, r *OperationRequest) (Answer, error) {
	call, err := looseCall(r)
	if err != nil {
		return Answer{}, err
	}
	scoped, err := s.forRequest(r)
	if err != nil {
		return Answer{}, err
	}
	if op := operations[r.Method]; readingMethods[r.Method] || op != nil && op.kind != changes && op.kind != generic {
		ctx, warnings := adapter.WithWarnings(scoped.scoped(ctx, &scoped.caller.Scope))
		var a Answer
		err := scoped.do(ctx, work{operation: r.Method, model: r.Model, run: func(ctx context.Context, sys adapter.Adapter) (err error) {
			a.Result, err = adapter.Invoke(ctx, sys, call)
			return err
		}})
		a.Warnings = warnings.List()
		return a, err
	}
	return scoped.send(ctx, r.Method, call, nil, nil)
}

// send makes a call that changes something.
func (s *System) send(ctx context.Context, method string, call adapter.Call, ids []adapter.ID, values any) (Answer, error) {
	ctx, warnings := adapter.WithWarnings(ctx)
	var a Answer
	err := s.change(ctx, method, call.Model, func(ctx context.Context, sys adapter.Adapter) (err error) {
		a.Result, err = invoke(ctx, sys, call)
		return err
	})
	if err != nil {
		return Answer{}, err
	}
	a.Warnings = warnings.List()
	if ids == nil && (method == "create" || method == "copy") {
		ids = idsOf(a.Result)
	}
	s.changed(ctx, method, call.Model, ids, values)
	return a, nil
}

// idsOf reads an id or a list of ids.
func idsOf(result json.RawMessage) []adapter.ID {
	var ids IDs
	if ids.UnmarshalJSON(result) != nil {
		return nil
	}
	return ids
}

func (a *arguments) get(op *operation, name string) any {
	if at := op.at(name); at >= 0 {
		return a[at]
	}
	return nil
}

func (a *arguments) set(op *operation, name string, v any) {
	if at := op.at(name); at >= 0 {
		a[at] = v
	}
}

func (a *arguments) ids(op *operation) []adapter.ID {
	ids, _ := a.get(op, "ids").(IDs)
	return ids
}

// plan is a read that was understood: what to ask the system, and what to do
// with its answer.
type plan struct {
	op      *operation
	model   string
	args    arguments
	expand  *expansion
	related []string
	reorder bool
	// limit is ours, 0 where the caller's own stands. One record more is asked
	// for, to see whether it cuts anything.
	limit  int
	offset int
	// rest says that ids were cut to the limit.
	rest bool
}

// mode tells apart how the same arguments are answered.
func (p *plan) mode() byte {
	var m byte
	if p.reorder {
		m |= 1
	}
	if e := p.expand; e != nil {
		m |= 2
		if e.nested {
			m |= 4
		}
		if e.auto {
			m |= 8
		}
	}
	return m
}

// plan understands a read: its limit, its cursor and its relations.
func (s *System) plan(ctx context.Context, op *operation, r *OperationRequest, args *arguments) (*plan, error) {
	p := &plan{op: op, model: r.Model, args: *args}
	switch r.Expand {
	case "", ExpandDotted, ExpandNested:
	default:
		return nil, wrong("expand", "expand must be \"dotted\" or \"nested\"")
	}
	optimize := r.Optimize == nil || *r.Optimize
	p.reorder = optimize && !isNull(r.Domain)
	if err := p.bound(r); err != nil {
		return nil, err
	}
	if op.name == "search_read" || op.name == "read" {
		auto := optimize && op.name == "search_read" && !s.bridge.config.NoAutoExpand
		if err := s.planExpansion(ctx, p, r, auto); err != nil {
			return nil, err
		}
	}
	if op.at("specification") >= 0 {
		switch {
		case r.Fields != nil && !isNull(r.Specification):
			return nil, wrong("fields", "%s takes \"specification\" or \"fields\", not both", op.name)
		case op.name == "web_read" && r.Fields == nil && isNull(r.Specification):
			return nil, wrong("specification", "web_read needs \"specification\" or \"fields\"")
		case op.name == "web_read" && r.Fields != nil:
			p.args.set(op, "specification", specificationOf(r.Fields))
			p.args.set(op, "fields", nil)
		}
	}
	return p, nil
}

// specificationOf asks for fields without going into relations.
func specificationOf(fields Names) json.RawMessage {
	spec := make(map[string]struct{}, len(fields))
	for _, f := range fields {
		spec[f] = struct{}{}
	}
	b, _ := json.Marshal(spec)
	return b
}

// bound applies the operation's limit.
func (p *plan) bound(r *OperationRequest) error {
	switch {
	case r.Limit != nil && *r.Limit < 0:
		return wrong("limit", "limit can't be negative")
	case r.Offset < 0:
		return wrong("offset", "offset can't be negative")
	case r.CountLimit != nil && *r.CountLimit < 0:
		return wrong("count_limit", "count_limit can't be negative")
	case r.Cursor != "" && r.Offset != 0:
		return wrong("cursor", "give \"cursor\" or \"offset\", not both")
	}
	p.offset = r.Offset
	if r.Cursor != "" {
		n, ok := parseCursor(r.Cursor)
		if !ok {
			return wrong("cursor", "the cursor is none that an answer to %s gave", p.op.name)
		}
		p.offset = n
	}
	most := p.op.most
	if most == 0 {
		return nil
	}
	if at := p.op.at("ids"); at >= 0 {
		ids, _ := p.args[at].(IDs)
		if p.offset > 0 {
			ids = ids[min(p.offset, len(ids)):]
		}
		if len(ids) > most {
			ids, p.limit, p.rest = ids[:most], most, true
		}
		p.args[at] = ids
		return nil
	}
	if r.Limit == nil || *r.Limit == 0 || *r.Limit > most {
		p.limit = most
	}
	if p.offset > 0 {
		p.args.set(p.op, "offset", p.offset)
	}
	return nil
}

// A cursor of an operation is a place in its order.
func formatCursor(offset int) string { return "o" + strconv.Itoa(offset) }

func parseCursor(s string) (int, bool) {
	if len(s) < 2 || s[0] != 'o' {
		return 0, false
	}
	n, err := strconv.Atoi(s[1:])
	return n, err == nil && n > 0
}

// indexed are the fields that every Odoo table has an index on, or that cut
// it down at once.
var indexed = set("id", "company_id", "active", "state", "create_date", "write_date")

// ask puts the planned question to the system.
func (s *System) ask(ctx context.Context, p *plan) (Answer, error) {
	var a Answer
	args := p.args
	if domain, ok := args.get(p.op, "domain").(json.RawMessage); ok {
		f, err := adapter.ParseDomainJSON(domain)
		if err != nil {
			return Answer{}, err
		}
		if p.reorder {
			if f, moved := adapter.ReorderIndexed(f, func(field string) bool { return indexed[field] }); moved {
				args.set(p.op, "domain", json.RawMessage(adapter.AppendDomainJSON(nil, f)))
				a.Optimized = true
			}
		}
	}
	switch {
	case p.limit == 0 || p.rest:
	case p.op.name == "web_search_read":
		args.set(p.op, "limit", p.limit) // it counts all by itself
	default:
		args.set(p.op, "limit", p.limit+1)
	}
	if p.expand != nil {
		args.set(p.op, "fields", p.expand.base)
	}
	call := p.op.call(p.model, &args)
	err := s.do(ctx, work{operation: p.op.name, model: p.model, run: func(ctx context.Context, sys adapter.Adapter) (err error) {
		a.Result, err = invoke(ctx, sys, call)
		return err
	}})
	if err != nil {
		return Answer{}, err
	}
	if err := p.cut(&a); err != nil {
		return Answer{}, err
	}
	if p.expand != nil {
		return s.expandAnswer(ctx, p, a)
	}
	return a, nil
}

// cut holds the answer to the limit and says so.
func (p *plan) cut(a *Answer) error {
	if p.limit == 0 {
		return nil
	}
	switch {
	case p.rest:
		a.Truncated = true
	case p.op.name == "web_search_read":
		var page struct {
			Length  int64           `json:"length"`
			Records json.RawMessage `json:"records"`
		}
		// An answer of another form has been limited all the same.
		a.Truncated = json.Unmarshal(a.Result, &page) == nil && page.Length > int64(p.offset+p.limit)
	default:
		result, cut, err := cutList(a.Result, p.limit)
		if err != nil {
			return err
		}
		a.Result, a.Truncated = result, cut
	}
	if a.Truncated {
		a.Limit = p.limit
		if slices.ContainsFunc(p.op.parsed, func(q param) bool { return q.name == "cursor" }) {
			a.NextCursor = formatCursor(p.offset + p.limit)
		}
	}
	return nil
}

// cutList returns the first n elements of a JSON list, and whether there were
// more. It looks at no more of the list than it must to find its elements.
func cutList(b json.RawMessage, n int) (json.RawMessage, bool, error) {
	depth, elements := 0, 0
	inText := false
	for i := 0; i < len(b); i++ {
		c := b[i]
		if inText {
			switch c {
			case '\\':
				i++
			case '"':
				inText = false
			}
			continue
		}
		switch c {
		case '"':
			if inText = true; depth == 0 {
				return b, false, nil // a text, not a list
			}
		case '[', '{':
			if depth == 0 && c == '{' {
				return b, false, nil
			}
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth != 1 {
				continue
			}
			if elements++; elements == n {
				out := make(json.RawMessage, 0, i+1)
				return append(append(out, b[:i]...), ']'), true, nil
			}
		}
	}
	if depth != 0 || inText {
		return nil, false, &adapter.Error{Code: adapter.Internal, Message: "the system's answer is no complete JSON"}
	}
	return b, false, nil
}
