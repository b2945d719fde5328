package bridge

import (
	"context"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Rule allows methods on models. Names are patterns as of package path: "*"
// is anything, "sale.*" what begins with "sale.".
type Rule struct {
	Models  []string
	Methods []string
}

// Access lists what each role may call. A caller may do what any of his roles
// allows. nil allows everything; an empty non-nil Access nothing. Methods
// that begin with an underscore are refused in any case.
type Access map[string][]Rule

func (a Access) check(caller *Caller, model, method string) error {
	if a == nil {
		return nil
	}
	for _, role := range caller.Roles {
		for _, rule := range a[role] {
			if matches(rule.Models, model) && matches(rule.Methods, method) {
				return nil
			}
		}
	}
	return denied(method, model)
}

func denied(method, model string) error {
	return &adapter.Error{Code: adapter.PermissionDenied, Model: model, Message: "your role does not allow " + method + " on " + model + "; an admin can change what it allows"}
}

// ParseRule reads a rule that is written in one word: "res.*" allows every
// method on models that begin with "res.", "sale.order:action_confirm" that
// method, "sale.order:read" the methods that are known to change nothing and to
// read no other model unseen.
func ParseRule(text string) (Rule, error) {
	model, method, some := strings.Cut(text, ":")
	if !some {
		method = "*"
	}
	for _, part := range []string{model, method} {
		if _, err := path.Match(part, ""); part == "" || err != nil || strings.ContainsFunc(part, unruly) {
			return Rule{}, adapter.Errorf(adapter.InvalidArgument, "%s can't be read: a rule is a model, or a model and a method, such as res.* or sale.order:read", clip(text))
		}
	}
	if method == "read" {
		return Rule{Models: []string{model}, Methods: readingNames}, nil
	}
	return Rule{Models: []string{model}, Methods: []string{method}}, nil
}

// unruly are runes that names and patterns don't have.
func unruly(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`:/,;"'`, r)
}

// unseen are reading methods whose filters and groupings are not looked into.
var unseen = set("search_fetch", "web_read_group", "formatted_read_grouping_sets", "read_progress_bar", "search_panel_select_range", "search_panel_select_multi_range")

// readingNames are the methods that ParseRule takes for reads.
var readingNames = func() []string {
	var names []string
	for name := range readingMethods {
		if !unseen[name] {
			names = append(names, name)
		}
	}
	for name, op := range operations {
		if op.kind == reads || op.kind == schema {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}()

// may refuses what the caller itself is not given.
func (c *Caller) may(model, method string) error {
	if c.ReadOnly && EffectOf(method, "") != Reads {
		return &adapter.Error{Code: adapter.PermissionDenied, Model: model, Message: "your role only reads: it does not allow " + method + " on " + model + "; an admin can give you another role"}
	}
	if c.Rules == nil || slices.ContainsFunc(c.Rules, func(r Rule) bool { return matches(r.Models, model) && matches(r.Methods, method) }) {
		return nil
	}
	return denied(method, model)
}

func (a Access) validate() error {
	for role, rules := range a {
		for _, rule := range rules {
			for _, pattern := range slices.Concat(rule.Models, rule.Methods) {
				if _, err := path.Match(pattern, ""); err != nil {
					return adapter.Errorf(adapter.InvalidArgument, "the access of role %q has a pattern that can't be read: %q", role, pattern)
				}
			}
		}
	}
	return nil
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if p == "*" || p == name {
			return true
		}
		ok, _ := path.Match(p, name)
		return ok
	})
}

// restricted reports whether some models may be closed to the caller.
func (s *System) restricted() bool {
	return s.bridge.config.Access != nil || s.caller.Rules != nil
}

// nestedMost is how deep a specification may lead where each of its models must
// be allowed.
const nestedMost = 8

// allowedNested asks whether the caller may read the models that a
// specification leads to.
func (s *System) allowedNested(ctx context.Context, model string, raw json.RawMessage, depth int) error {
	if !s.restricted() || isNull(raw) {
		return nil
	}
	var spec map[string]struct {
		Fields json.RawMessage `json:"fields"`
	}
	if err := json.Unmarshal(raw, &spec); err != nil || depth > nestedMost {
		return wrong("specification", "specification must be an object of objects, nested %d deep at most", nestedMost)
	}
	for name, sub := range spec {
		if len(sub.Fields) <= len("{}") || isNull(sub.Fields) {
			continue
		}
		described, err := s.schema(ctx, model)
		if err != nil {
			return err
		}
		f, known := described.Fields[name]
		switch {
		case !known:
			return unknownField(described, name)
		case f.Relation == "":
			return denied("reading whatever "+name+" leads to", model)
		}
		if err := s.allowed(ctx, f.Relation, "read"); err != nil {
			return err
		}
		if err := s.allowedNested(ctx, f.Relation, sub.Fields, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// opaque refuses a read in a form that can't be looked into, if it may lead to
// other models.
func (s *System) opaque(r *OperationRequest) error {
	op := operations[r.Method]
	if op == nil || op.kind == generic || !s.restricted() ||
		op.at("specification") < 0 && op.at("domain") < 0 && op.at("groupby") < 0 {
		return nil
	}
	return &adapter.Error{Code: adapter.PermissionDenied, Model: r.Model, Field: "args",
		Message: "your role does not allow every model (an admin can change that), so call the operation " + r.Method + " instead, whose members say what it reads"}
}

// allowedReach asks whether the caller may read the models that a request leads
// to by its specification, its filter, its order and its groups. Those that its
// fields lead to are asked for where those are read.
func (s *System) allowedReach(ctx context.Context, r *OperationRequest) error {
	if !s.restricted() {
		return nil
	}
	if err := s.allowedNested(ctx, r.Model, r.Specification, 0); err != nil {
		return err
	}
	if err := s.allowedDomain(ctx, r.Model, r.Domain); err != nil {
		return err
	}
	return s.allowedPaths(ctx, r.Model, slices.Concat(r.GroupBy, r.Aggregates, strings.Split(r.Order+","+r.OrderBy, ",")))
}

func (s *System) allowedDomain(ctx context.Context, model string, domain json.RawMessage) error {
	if !s.restricted() || isNull(domain) {
		return nil
	}
	f, err := adapter.ParseDomainJSON(domain)
	if err != nil {
		return err
	}
	return s.allowedFilter(ctx, model, f)
}

// allowedFilter asks for the models that a filter leads to: whoever filters by a
// value learns it.
func (s *System) allowedFilter(ctx context.Context, model string, f adapter.Filter) error {
	var parts []adapter.Filter
	switch f := f.(type) {
	case adapter.And:
		parts = f
	case adapter.Or:
		parts = f
	case adapter.Not:
		parts = []adapter.Filter{f.Part}
	case adapter.Cond:
		path := f.Field
		nested, leads := f.Value.(adapter.Filter)
		if leads {
			path += ".id" // its last relation counts too
		}
		end, err := s.allowedPath(ctx, model, path)
		if err != nil || !leads {
			return err
		}
		if end == "" {
			return denied("filtering by "+f.Field, model)
		}
		model, parts = end, []adapter.Filter{nested}
	}
	for _, part := range parts {
		if err := s.allowedFilter(ctx, model, part); err != nil {
			return err
		}
	}
	return nil
}

func (s *System) allowedPaths(ctx context.Context, model string, paths []string) error {
	for _, path := range paths {
		if _, err := s.allowedPath(ctx, model, path); err != nil {
			return err
		}
	}
	return nil
}

// allowedPath asks for the models that a path such as "partner_id.country_id"
// leads through, and returns the model of its last part; "" where the path is
// none through relations.
func (s *System) allowedPath(ctx context.Context, model, path string) (string, error) {
	for {
		head, rest, leads := strings.Cut(strings.TrimSpace(path), ".")
		if !leads {
			return model, nil
		}
		described, err := s.schema(ctx, model)
		if err != nil {
			return "", err
		}
		f := described.Fields[head]
		if f.Relation == "" {
			return "", nil
		}
		if err := s.allowed(ctx, f.Relation, "read"); err != nil {
			return "", err
		}
		model, path = f.Relation, rest
	}
}
