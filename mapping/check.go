package mapping

import (
	"fmt"
	"slices"
	"strings"
)

// checker finds what is wrong between documents.
type checker struct {
	set  *Set
	errs LoadErrors
}

func (c *checker) fail(pos Position, field, format string, args ...any) {
	if len(c.errs) < most {
		c.errs = append(c.errs, &LoadError{Pos: pos, Field: field, Message: fmt.Sprintf(format, args...)})
	}
}

func (c *checker) all() {
	s := c.set
	for _, name := range s.order {
		m := s.models[name]
		for _, field := range m.Order {
			if f := m.Fields[field]; f.Relation != "" && s.models[f.Relation] == nil {
				c.fail(f.Pos, field, "there is no universal model %q%s", f.Relation, nearest(f.Relation, s.order))
			}
		}
	}
	for i, l := range s.layers {
		for j, m := range l.mappings {
			for _, other := range l.mappings[:j] {
				if m.Universal == other.Universal && m.System == other.System && m.Versions.overlaps(other.Versions) {
					c.fail(m.Pos, "", "%s of %s is mapped at %s already, for versions that overlap", m.Universal, m.System, other.Pos)
				}
			}
			whole := m
			if m.extends {
				below := s.under(i, m)
				if below == nil {
					c.fail(m.Pos, "", "mapping %s of %s extends nothing: no set below has one for versions %q", m.Universal, m.System, m.Versions)
					continue
				}
				whole = m.over(below)
			}
			c.mapping(whole)
		}
	}
	if len(c.errs) == 0 {
		c.cycles()
	}
}

func (c *checker) mapping(m *Mapping) {
	u := c.set.models[m.Universal]
	if u != nil && m.Unsupported != "" {
		return
	}
	if u == nil {
		c.fail(m.Pos, "", "there is no universal model %q%s here; load the mapping over the set that has it", m.Universal, nearest(m.Universal, c.set.order))
		return
	}
	for _, name := range m.Order {
		f, known := u.Fields[name]
		for _, r := range m.Fields[name] {
			if !known && slices.Contains(c.set.gone[u.Name], name) {
				break // a layer above took it away
			}
			if !known {
				c.fail(r.Pos, name, "universal model %s has no such field%s", u.Name, nearest(name, u.Order))
				break
			}
			c.rule(u, m, f, r)
		}
	}
	for _, r := range m.rules() {
		if r.Split != nil {
			c.splitGroup(m, r)
		}
		if r.Compute != nil {
			c.computeCycle(m, r.Field, r, nil)
		}
	}
}

// rules yields the rules in the order of their file.
func (m *Mapping) rules() []*Rule {
	var out []*Rule
	for _, name := range m.Order {
		out = append(out, m.Fields[name]...)
	}
	return out
}

// rule holds a rule against its universal field.
func (c *checker) rule(u *Model, m *Mapping, f Field, r *Rule) {
	fail := func(format string, args ...any) { c.fail(r.Pos, r.Field, format, args...) }
	t := f.Type
	for _, form := range []Form{r.As, r.WriteAs} {
		if form != FormOwn && !slices.Contains(forms[t], form) {
			fail("as %q is no form of type %s", form, t)
			return
		}
	}
	switch {
	case r.Invert && t != Boolean:
		fail(`"invert" is for type boolean, not %s`, t)
	case r.Scale != "" && !t.number():
		fail(`"scale" is for numbers, not type %s`, t)
	case r.Split != nil && !t.text(), r.Join != nil && !t.text():
		fail(`"split" and "join" are for texts, not type %s`, t)
	case r.Now && !t.moment():
		fail(`"now" is for dates and times, not type %s`, t)
	case r.Lookup != nil && !t.text() && t != Ref && t != List && t != Refs:
		fail(`"lookup" is for texts and lists of them, not type %s`, t)
	case (r.Lines != "" || r.Inverse != "") && t != Lines:
		fail(`"lines" and "inverse" are for type lines, not %s`, t)
	case t == Lines && (r.Values != nil || r.HasDefault || r.HasEmpty || r.Lookup != nil || r.Fallback != nil || r.Write != nil || r.Table != nil):
		fail("lines have a path, and no values of their own")
	case t == Lines && r.Lines != "" && r.Lines != f.Relation:
		fail("the universal model says that its lines are %s, not %s", f.Relation, r.Lines)
	case t == Lines && len(r.Path) > 1, t == Lines && r.Path.marked():
		fail("lines are a field of the record itself")
	}
	for _, v := range []struct {
		what string
		is   bool
		v    any
	}{{"constant", r.HasConstant, r.Constant}, {"default", r.HasDefault, r.Default}, {"empty", r.HasEmpty, r.Empty}} {
		if v.is && v.v != nil && !f.takes(v.v) {
			fail("%s %s is no value of type %s", v.what, brief(v.v), t)
		}
	}
	for _, p := range r.Values {
		if p.Universal != nil && !f.takes(p.Universal) && (t != List || !takesScalar(p.Universal)) {
			hint := ""
			if s, ok := p.Universal.(string); ok && t == Selection {
				hint = nearest(s, f.Values) + "; there are " + strings.Join(f.Values, ", ")
			}
			c.fail(p.Pos, r.Field, "%s is no value of type %s%s", brief(p.Universal), t, hint)
		}
	}
	if r.Table != nil {
		for _, row := range r.Table.Rows {
			if !f.takes(row.Universal) {
				c.fail(row.Pos, r.Field, "%s is no value of type %s", brief(row.Universal), t)
			}
		}
	}
	if r.Lookup != nil {
		for _, w := range r.Lookup.With {
			if _, known := u.Fields[w.Universal]; !known {
				fail("lookup: universal model %s has no field %q%s", u.Name, w.Universal, nearest(w.Universal, u.Order))
			}
		}
	}
	if r.Compute != nil {
		c.compute(u, f, r)
	}
	if t == Lines && r.Unsupported == "" && r.Compute == nil && !r.HasConstant {
		if len(c.set.mappings(f.Relation, m.System)) == 0 {
			fail("%s, its lines, is not mapped to %s", f.Relation, m.System)
		}
	}
}

func takesScalar(v any) bool {
	_, ok := scalarOf(v)
	return ok
}

// takes reports whether a value from a file suits a field.
func (f Field) takes(v any) bool {
	switch {
	case f.Type == Selection:
		s, ok := v.(string)
		return ok && slices.Contains(f.Values, s)
	case f.Type.text():
		_, ok := v.(string)
		return ok
	case f.Type.number():
		_, ok := literalOf(v)
		return ok
	case f.Type == Boolean:
		_, ok := v.(bool)
		return ok
	case f.Type.moment():
		_, ok := parseMoment(v)
		return ok
	case f.Type == Ref:
		k, ok := scalarOf(v)
		return ok && (k.kind == 's' || k.kind == 'd')
	case f.Type == List || f.Type == Refs:
		_, ok := v.([]any)
		return ok
	}
	return true
}

// splitGroup sees that all parts of a text are mapped, each once.
func (c *checker) splitGroup(m *Mapping, r *Rule) {
	parts := map[int]string{}
	for _, o := range m.rules() {
		if o.Split == nil || o.Split.Path.String() != r.Split.Path.String() || !o.Versions.overlaps(r.Versions) {
			continue
		}
		if o.Split.Of != r.Split.Of || o.Split.Sep != r.Split.Sep || o.Split.Cut != r.Split.Cut {
			c.fail(r.Pos, r.Field, "it is split otherwise than %s: of, sep and cut of all parts of %s are the same", o.Field, r.Split.Path)
			return
		}
		if other, taken := parts[o.Split.Part]; taken && other != o.Field {
			c.fail(r.Pos, r.Field, "part %d of %s is %s already", o.Split.Part, r.Split.Path, other)
			return
		}
		parts[o.Split.Part] = o.Field
	}
	if len(parts) < r.Split.Of {
		c.fail(r.Pos, r.Field, "%d of the %d parts of %s are mapped: all must be", len(parts), r.Split.Of, r.Split.Path)
	}
}

func (c *checker) compute(u *Model, f Field, r *Rule) {
	fail := func(format string, args ...any) { c.fail(r.Pos, r.Field, format, args...) }
	rule := r.Compute
	for _, name := range rule.Of {
		of, known := u.Fields[name]
		switch {
		case !known:
			fail("compute: universal model %s has no field %q%s", u.Name, name, nearest(name, u.Order))
			return
		case rule.Line != "":
			if lines := c.set.models[of.Relation]; of.Type != Lines || lines == nil || !lines.Fields[rule.Line].Type.number() {
				fail("compute: %s.%s is no number of lines", name, rule.Line)
				return
			}
		case rule.Kind == "count" && of.Type != Lines && of.Type != Refs && of.Type != List:
			fail("compute: %s is no list to count", name)
		case slices.Contains([]string{"sum", "subtract", "multiply"}, rule.Kind) && !of.Type.number():
			fail("compute: %s is no number", name)
		}
	}
	numeric := rule.Kind != "concat" && rule.Kind != "first"
	if numeric != f.Type.number() && rule.Kind != "first" {
		fail("compute: %s does not give type %s", rule.Kind, f.Type)
	}
}

// computeCycle follows computed fields to what they are made of.
func (c *checker) computeCycle(m *Mapping, start string, r *Rule, path []string) {
	path = append(path, r.Field)
	if len(path) > 1 && r.Field == start {
		c.fail(r.Pos, start, "it is computed from itself: %s", strings.Join(path, " -> "))
		return
	}
	if slices.Contains(path[:len(path)-1], r.Field) {
		return
	}
	for _, name := range r.Compute.Of {
		for _, o := range m.Fields[name] {
			if o.Compute != nil {
				c.computeCycle(m, start, o, path)
			}
		}
	}
}

// cycles finds lines that hold themselves.
func (c *checker) cycles() {
	type place struct{ universal, system string }
	edges := map[place][]*Rule{}
	first := map[place]*Mapping{}
	var order []place
	for _, l := range c.set.layers {
		for _, m := range l.mappings {
			at := place{m.Universal, m.System}
			if first[at] == nil {
				first[at] = m
				order = append(order, at)
			}
			for _, r := range m.rules() {
				if c.set.models[m.Universal].Fields[r.Field].Type == Lines && r.reads() {
					edges[at] = append(edges[at], r)
				}
			}
		}
	}
	done := map[place]bool{}
	var walk func(at place, path []string) bool
	walk = func(at place, path []string) bool {
		path = append(path, at.universal)
		for _, r := range edges[at] {
			next := place{c.set.models[at.universal].Fields[r.Field].Relation, at.system}
			if slices.Contains(path, next.universal) {
				c.fail(r.Pos, r.Field, "the lines hold themselves: %s", strings.Join(append(path, next.universal), " -> "))
				return false
			}
			if !done[next] && !walk(next, path) {
				return false
			}
		}
		done[at] = true
		return true
	}
	for _, at := range order {
		if !done[at] && !walk(at, nil) {
			return
		}
	}
}
