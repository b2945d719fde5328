package migrate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// Pack is a graph of versions with the rules of each hop. It does not change
// once loaded, and is safe for concurrent use.
type Pack struct {
	Name    string
	Hops    []*Hop
	Skipped []Skipped // known changes without a rule

	funcs    map[string]Func
	replaced []Replaced
}

// Func is a rule that data can't say. Its values come in the order of the
// rule's fields, [Absent] where the record has none; it returns as many as
// the other side has fields. It must be pure, and safe for concurrent use.
type Func struct {
	Up   func(old []any) ([]any, error)
	Down func(new []any) ([]any, error) // nil: the fields can't be had back without residue
}

// ErrNeedsPerson is what a [Func] returns for values that only a person can
// translate: the new fields are left out, the residue keeps the old ones, and
// the report says so.
var ErrNeedsPerson = errors.New("needs a person")

// Replaced is a rule of a lower layer that one of an upper layer took the
// place of.
type Replaced struct {
	Rule *Rule
	By   *Rule
}

// Replaced lists the rules that layers above replaced, see [Layer].
func (p *Pack) Replaced() []Replaced { return slices.Clone(p.replaced) }

func (p *Pack) hop(from, to string) *Hop {
	for _, h := range p.Hops {
		if h.From == from && h.To == to {
			return h
		}
	}
	return nil
}

// Versions returns all versions that the pack knows, in the order of a walk
// along its hops.
func (p *Pack) Versions() []string {
	indegree := map[string]int{}
	for _, h := range p.Hops {
		indegree[h.From] += 0
		indegree[h.To]++
	}
	var order []string
	for len(indegree) > 0 {
		// The least of those that nothing else leads to; in a cycle the least of all.
		var next string
		best := -1
		for _, v := range slices.Sorted(maps.Keys(indegree)) {
			if best < 0 || indegree[v] < best {
				next, best = v, indegree[v]
			}
		}
		order = append(order, next)
		delete(indegree, next)
		for _, h := range p.Hops {
			if _, left := indegree[h.To]; left && h.From == next {
				indegree[h.To]--
			}
		}
	}
	return order
}

// Models returns the models that some hop has an entry for, by any of their
// names, sorted.
func (p *Pack) Models() []string {
	names := map[string]bool{}
	for _, h := range p.Hops {
		for _, m := range h.Models {
			names[m.Name] = true
			if m.To != "" {
				names[m.To] = true
			}
			for _, b := range m.Branches {
				names[b.To] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// model returns what a hop does with a model; a hop without an entry leaves
// the model alone.
func (h *Hop) model(name string) *Model {
	if m := h.Models[name]; m != nil {
		return m
	}
	return &Model{Name: name, To: name, Pos: h.Pos}
}

// Target returns the model's name after the hop, "" where it is removed or
// split.
func (m *Model) Target() string {
	if m.To == "" && !m.Removed && len(m.Branches) == 0 {
		return m.Name
	}
	return m.To
}

// targets are all names that a model may have after the hop.
func (m *Model) targets() []string {
	if t := m.Target(); t != "" {
		return []string{t}
	}
	var out []string
	for _, b := range m.Branches {
		out = append(out, b.To)
	}
	return out
}

// rulesOf are the rules for one branch, or all where branch is negative.
func (m *Model) rulesOf(branch int) []*Rule {
	if branch < 0 {
		return m.Rules
	}
	return slices.Concat(m.Rules, m.Branches[branch].Rules)
}

// check finds contradictions between rules.
func (p *Pack) check() LoadErrors {
	var errs LoadErrors
	for _, h := range p.Hops {
		for _, name := range slices.Sorted(maps.Keys(h.Models)) {
			m := h.Models[name]
			if len(m.Branches) == 0 {
				_, bad := groups(m.Rules)
				errs = append(errs, bad...)
			}
			for i := range m.Branches {
				_, bad := groups(m.rulesOf(i))
				for _, e := range bad {
					if !slices.ContainsFunc(errs, func(o *LoadError) bool { return *o == *e }) {
						errs = append(errs, e)
					}
				}
			}
		}
	}
	return errs
}

// groups sorts the rules of a model into groups that take or give a common
// field. A group of several is right only as alternatives.
func groups(rules []*Rule) ([][]*Rule, LoadErrors) {
	leader := make([]int, len(rules))
	for i := range leader {
		leader[i] = i
	}
	find := func(i int) int {
		for leader[i] != i {
			i = leader[i]
		}
		return i
	}
	takes, gives := map[string]int{}, map[string]int{}
	join := func(owner map[string]int, field string, i int) {
		if first, taken := owner[field]; taken {
			a, b := find(first), find(i)
			leader[max(a, b)] = min(a, b)
			return
		}
		owner[field] = i
	}
	for i, r := range rules {
		for _, f := range r.From {
			join(takes, f, i)
		}
		for _, f := range r.To {
			join(gives, f, i)
		}
	}
	// Where a condition does not hold, or another alternative acts, fields pass
	// through: such rules claim their fields on both sides, which may bring
	// further rules in.
	for changed := true; changed; {
		changed = false
		size := map[int]int{}
		for i := range rules {
			size[find(i)]++
		}
		for i, r := range rules {
			if len(r.When) == 0 && size[find(i)] == 1 {
				continue
			}
			for _, f := range slices.Concat(r.From, r.To) {
				for _, owner := range []map[string]int{takes, gives} {
					if first, taken := owner[f]; !taken || find(first) != find(i) {
						changed = true
						join(owner, f, i)
					}
				}
			}
		}
	}
	members := map[int][]*Rule{}
	var order []int
	for i, r := range rules {
		l := find(i)
		if members[l] == nil {
			order = append(order, l)
		}
		members[l] = append(members[l], r)
	}
	out := make([][]*Rule, 0, len(order))
	var errs LoadErrors
	for _, l := range order {
		group := members[l]
		for i, r := range group[:len(group)-1] {
			if len(r.When) > 0 {
				continue
			}
			other := group[i+1]
			for _, o := range group {
				if o != r && clash(o, r) != "" {
					other = o
					break
				}
			}
			first, second := r, other
			if byPosition(second.Pos, first.Pos) < 0 {
				first, second = second, first
			}
			message := fmt.Sprintf("%s contradicts %s", second.Key, first)
			if what := clash(first, second); what != "" {
				message = fmt.Sprintf("%s, as does %s", what, first)
			}
			if len(other.When) > 0 || len(r.When) > 0 {
				message += `; of alternatives only the last may lack "when"`
			}
			errs = append(errs, &LoadError{Pos: second.Pos, Message: message})
			break
		}
		out = append(out, group)
	}
	return out, errs
}

// clash says which field two rules both take or give, "" if none.
func clash(a, b *Rule) string {
	for _, f := range a.To {
		if slices.Contains(b.To, f) {
			return fmt.Sprintf("%s gives field %s", b.Key, f)
		}
	}
	for _, f := range a.From {
		if slices.Contains(b.From, f) {
			return fmt.Sprintf("%s takes field %s", b.Key, f)
		}
	}
	for _, f := range slices.Concat(a.From, a.To) {
		if slices.Contains(b.From, f) || slices.Contains(b.To, f) {
			return fmt.Sprintf("%s needs field %s", b.Key, f)
		}
	}
	return ""
}

// Layer puts upper over lower: hops, models and rules of both, where a rule of
// upper replaces those of lower, of the same hop and model, that take or give
// one of its fields. What upper says about a model's name wins. The packs
// themselves don't change. Contradictions are [LoadErrors].
func Layer(lower, upper *Pack) (*Pack, error) {
	p := &Pack{Name: upper.Name, Skipped: slices.Concat(lower.Skipped, upper.Skipped), funcs: maps.Clone(lower.funcs), replaced: slices.Concat(lower.replaced, upper.replaced)}
	maps.Copy(p.funcs, upper.funcs)
	for _, h := range slices.Concat(lower.Hops, upper.Hops) {
		whole := p.hop(h.From, h.To)
		if whole == nil {
			whole = &Hop{From: h.From, To: h.To, Pos: h.Pos, Models: map[string]*Model{}}
			p.Hops = append(p.Hops, whole)
		}
		whole.Cost = h.Cost
		for name, m := range h.Models {
			whole.Models[name] = p.layer(whole.Models[name], m)
		}
	}
	if errs := p.check(); len(errs) > 0 {
		return nil, errs
	}
	return p, nil
}

func (p *Pack) layer(lower, upper *Model) *Model {
	if lower == nil {
		return upper
	}
	m := *upper
	if m.To == "" && !m.Removed && len(m.Branches) == 0 {
		m.To, m.Removed, m.Branches = lower.To, lower.Removed, lower.Branches
	}
	m.Rules = nil
	for _, r := range lower.Rules {
		i := slices.IndexFunc(upper.Rules, func(o *Rule) bool { return clash(r, o) != "" })
		if i < 0 {
			m.Rules = append(m.Rules, r)
			continue
		}
		p.replaced = append(p.replaced, Replaced{Rule: r, By: upper.Rules[i]})
	}
	m.Rules = append(m.Rules, upper.Rules...)
	m.Notes = slices.Concat(lower.Notes, upper.Notes)
	m.Refs = slices.Concat(lower.Refs, upper.Refs)
	// The lower layer's tests hold its own rules, which may be replaced.
	m.Tests = upper.Tests
	m.Person = lower.Person || upper.Person
	return &m
}

// PathKind says why there is no path.
type PathKind string

// The reasons.
const (
	UnknownVersion PathKind = "unknown_version"
	NoPath         PathKind = "no_path"
	Downgrade      PathKind = "downgrade" // there is a path the other way: compile that, and use Down
)

// PathError says that no plan leads from one version to another. It unwraps
// to an [*adapter.Error].
type PathError struct {
	Kind     PathKind
	From, To string
	Known    []string // the versions of the pack
}

// Error says what is wrong and names the way out.
func (e *PathError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the error with its code.
func (e *PathError) Unwrap() error {
	switch e.Kind {
	case UnknownVersion:
		unknown, field := e.From, "from_version"
		if slices.Contains(e.Known, e.From) {
			unknown, field = e.To, "to_version"
		}
		err := adapter.Errorf(adapter.InvalidArgument, "version %q is unknown; known are %v", unknown, e.Known)
		err.Field = field
		return err
	case Downgrade:
		err := adapter.Errorf(adapter.InvalidArgument, "%s to %s is a downgrade: take the plan from %s to %s and go down with the residue", e.From, e.To, e.To, e.From)
		err.Field = "to_version"
		return err
	default:
		err := adapter.Errorf(adapter.InvalidArgument, "no hops lead from version %s to %s", e.From, e.To)
		err.Field = "to_version"
		return err
	}
}

// Path returns the cheapest chain of hops between two versions; of several as
// cheap the one with the fewest hops, then the one whose versions sort first.
// From a version to itself it is empty. The error is a [*PathError].
func (p *Pack) Path(from, to string) ([]*Hop, error) {
	known := p.Versions()
	if !slices.Contains(known, from) || !slices.Contains(known, to) {
		return nil, &PathError{Kind: UnknownVersion, From: from, To: to, Known: known}
	}
	if path, ok := p.cheapest(from, to); ok {
		return path, nil
	}
	if _, ok := p.cheapest(to, from); ok {
		return nil, &PathError{Kind: Downgrade, From: from, To: to, Known: known}
	}
	return nil, &PathError{Kind: NoPath, From: from, To: to, Known: known}
}

// way is a path under construction.
type way struct {
	cost     int
	versions []string
	hops     []*Hop
}

func cheaper(a, b *way) int {
	return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(len(a.hops), len(b.hops)), slices.Compare(a.versions, b.versions))
}

// cheapest is Dijkstra's search over a handful of versions.
func (p *Pack) cheapest(from, to string) ([]*Hop, bool) {
	open := map[string]*way{from: {versions: []string{from}}}
	done := map[string]bool{}
	for len(open) > 0 {
		var at string
		var best *way
		for v, w := range open {
			if best == nil || cheaper(w, best) < 0 {
				at, best = v, w
			}
		}
		if at == to {
			return best.hops, true
		}
		delete(open, at)
		done[at] = true
		for _, h := range p.Hops {
			if h.From != at || done[h.To] {
				continue
			}
			next := &way{cost: best.cost + h.Cost, versions: append(slices.Clone(best.versions), h.To), hops: append(slices.Clone(best.hops), h)}
			if old := open[h.To]; old == nil || cheaper(next, old) < 0 {
				open[h.To] = next
			}
		}
	}
	return nil, false
}
