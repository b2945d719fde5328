package mapping

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Finding is something that [Set.Lint] noticed.
type Finding struct {
	Pos     Position    `json:"pos"`
	Code    FindingCode `json:"code"`
	Model   string      `json:"model"` // universal
	System  string      `json:"system,omitempty"`
	Version string      `json:"version,omitempty"` // the first in which it is so
	Field   string      `json:"field,omitempty"`   // universal
	Message string      `json:"message"`
}

// String returns "file:line: code: message".
func (f Finding) String() string { return fmt.Sprintf("%s: %s: %s", f.Pos, f.Code, f.Message) }

// FindingCode says what kind of thing a finding is.
type FindingCode string

// The codes of findings.
const (
	LintUnknownModel FindingCode = "unknown_model" // no schema has the system's model
	LintUnknownField FindingCode = "unknown_field" // the schema does not have the field
	LintReadonly     FindingCode = "readonly"      // the schema says that the field can't be written
	LintUnknownValue FindingCode = "unknown_value" // the field can't hold a value of the value map
	LintSameTarget   FindingCode = "same_target"   // two universal fields are written to one place
	LintIrreversible FindingCode = "irreversible"  // what is written does not read back as it was; "doc" answers it
	LintMissingValue FindingCode = "missing_value" // a universal value has no counterpart; "doc" answers it
	LintGap          FindingCode = "gap"           // one system has it, another says nothing of it
	LintNoTest       FindingCode = "no_test"       // no test stands beside the mapping
)

// Schemas returns the schema of a system's model, nil where it is not known.
type Schemas func(system, version, model string) *adapter.Schema

// Lint looks the set over, in the order of file and line. What contradicts
// itself was refused when the set was loaded. schemas may be nil; a model that
// it does not know is a finding where it knows another one of the system and
// version.
func (s *Set) Lint(schemas Schemas) []Finding {
	l := &linter{set: s, schemas: schemas, seen: map[Finding]bool{}}
	for i, layer := range s.layers {
		for _, m := range layer.mappings {
			if m.Unsupported != "" {
				continue
			}
			if m.extends {
				if below := s.under(i, m); below != nil {
					m = m.over(below)
				}
			}
			l.mapping(m)
		}
	}
	l.gaps()
	slices.SortStableFunc(l.found, func(a, b Finding) int { return byPosition(a.Pos, b.Pos) })
	return l.found
}

type linter struct {
	set     *Set
	schemas Schemas
	found   []Finding
	seen    map[Finding]bool
}

// say adds a finding, once for all versions.
func (l *linter) say(f Finding, format string, args ...any) {
	f.Message = fmt.Sprintf(format, args...)
	key := f
	key.Version = ""
	if !l.seen[key] {
		l.seen[key] = true
		l.found = append(l.found, f)
	}
}

// each are the versions of a range that are looked at: every major one.
func (r Range) each() []string {
	from, ok := numbers(r.From)
	to, ok2 := numbers(r.To)
	const mostVersions = 50
	if !ok || !ok2 || to[0] <= from[0] || to[0]-from[0] > mostVersions {
		return r.ends()
	}
	out := []string{r.From}
	for n := from[0] + 1; n < to[0]; n++ {
		out = append(out, strconv.Itoa(n)+strings.Repeat(".0", len(from)-1))
	}
	return append(out, r.To)
}

func (l *linter) mapping(m *Mapping) {
	base := Finding{Pos: m.Pos, Model: m.Universal, System: m.System}
	if len(m.Tests) == 0 {
		f := base
		f.Code = LintNoTest
		l.say(f, "%s of %s has no test beside it", m.Universal, m.System)
	}
	u := l.set.models[m.Universal]
	for _, r := range m.rules() {
		if m.ReadOnly == "" {
			l.rule(base, u.Fields[r.Field], r)
		}
	}
	for _, version := range m.Versions.each() {
		base.Version = version
		if m.ReadOnly == "" {
			l.targets(base, m, version)
		}
		l.schema(base, m, version)
	}
}

// rule looks for what does not come back.
func (l *linter) rule(f Finding, field Field, r *Rule) {
	f.Pos, f.Field = r.Pos, r.Field
	say := func(code FindingCode, format string, args ...any) {
		f.Code = code
		l.say(f, r.Field+": "+format, args...)
	}
	if r.whyReadOnly() != "" {
		return
	}
	if r.Doc != "" {
		return // it is known, and said
	}
	if why := irreversible(field, r); why != "" {
		say(LintIrreversible, "%s", why)
	}
	if r.Values == nil || field.Type != Selection || r.Unknown == UnknownKeep {
		return
	}
	for _, v := range field.Values {
		if !slices.ContainsFunc(r.Values, func(p Pair) bool { return same(p.Universal, v) }) {
			say(LintMissingValue, "the value %q has no counterpart on %s", v, f.System)
		}
	}
}

// irreversible says why a written value does not read back as it was, "" if it
// does.
func irreversible(field Field, r *Rule) string {
	switch {
	case r.Unsupported != "" || r.Compute != nil || r.HasConstant || r.ReadOnly:
		return ""
	case r.WriteOnly:
		return "it can't be read back"
	case field.Type == DateTime && (r.WriteAs == FormDate):
		return "the time of day is lost"
	case r.Scale != "" && r.Round >= 0:
		return fmt.Sprintf("it is rounded to %d digits", r.Round)
	case len(r.Write) > 0 && r.Lookup == nil && r.Path.Plain() != r.Write.Plain():
		return fmt.Sprintf("it is written to %s and read from %s", r.Write, r.Path)
	case r.Split != nil:
		return "parts that hold " + strconv.Quote(r.Split.Sep) + " themselves are cut otherwise"
	}
	seen := map[scalar]any{}
	for _, p := range r.Values {
		k, _ := scalarOf(p.System[0])
		if first, taken := seen[k]; taken {
			return fmt.Sprintf("%s reads back as %s", brief(p.Universal), brief(first))
		}
		for _, v := range p.System {
			k, _ := scalarOf(v)
			if _, taken := seen[k]; !taken {
				seen[k] = p.Universal
			}
		}
	}
	return ""
}

// targets looks for two fields that are written to one place.
func (l *linter) targets(f Finding, m *Mapping, version string) {
	f.Code = LintSameTarget
	taken := map[string]string{}
	for _, name := range m.Order {
		r := m.rule(name, version)
		if r == nil || r.whyReadOnly() != "" || r.Split != nil || r.HasConstant {
			continue
		}
		var paths []Path
		switch {
		case r.Join != nil:
			paths = r.Join.Paths
		case r.Table != nil:
			paths = r.Table.Paths
		default:
			paths = []Path{r.writePath()}
		}
		for _, p := range paths {
			key := p.String()
			if other, there := taken[key]; there && other != name {
				f.Pos, f.Field = r.Pos, name
				l.say(f, "%s and %s are both written to %s", other, name, key)
				continue
			}
			taken[key] = name
		}
	}
}

func (l *linter) schema(f Finding, m *Mapping, version string) {
	if l.schemas == nil {
		return
	}
	related := func(model string) *adapter.Schema { return l.schemas(m.System, version, model) }
	s := related(m.Model)
	if s == nil {
		if l.knows(m.System, version) {
			f.Code = LintUnknownModel
			l.say(f, "the schemas of %s know no model %s", m.System, m.Model)
		}
		return
	}
	plan, err := l.set.Compile(m.System, version, m.Universal, Options{})
	if err != nil || plan.mapping.Model != m.Model {
		return
	}
	for _, miss := range plan.Missing(s, related) {
		f.Code, f.Field, f.Pos = LintUnknownField, miss.Field, miss.Pos
		l.say(f, "%s", miss.Message)
	}
	for _, st := range plan.steps {
		l.held(f, st, s)
	}
}

// held looks whether the schema takes what a field is given.
func (l *linter) held(f Finding, st *step, s *adapter.Schema) {
	r := st.rule
	f.Field, f.Pos = st.name, r.Pos
	if len(st.write) != 1 || r.Unsupported != "" {
		return
	}
	own, known := s.Fields[st.write[0].Name]
	if !known {
		return
	}
	if own.Readonly && st.why == "" {
		f.Code = LintReadonly
		l.say(f, "%s: %s of %s can't be written on %s; say read_only", st.name, st.write, s.Model, f.System)
	}
	if len(own.Selection) == 0 {
		return
	}
	for _, p := range r.Values {
		text, ok := p.System[0].(string)
		if ok && text != "" && !slices.ContainsFunc(own.Selection, func(o adapter.Option) bool { return o.Value == text }) {
			f.Code = LintUnknownValue
			l.say(f, "%s: %s of %s has no value %q", st.name, st.write, s.Model, text)
		}
	}
}

// knows reports whether anything is known of a system's version.
func (l *linter) knows(system, version string) bool {
	for _, layer := range l.set.layers {
		for _, m := range layer.mappings {
			if m.System == system && m.Model != "" && l.schemas(system, version, m.Model) != nil {
				return true
			}
		}
	}
	return false
}

// gaps compares the systems.
func (l *linter) gaps() {
	systems := l.set.Systems()
	for _, name := range l.set.order {
		u := l.set.models[name]
		for _, system := range systems {
			mappings := l.set.mappings(name, system)
			f := Finding{Pos: u.Pos, Code: LintGap, Model: name, System: system}
			if len(mappings) == 0 {
				l.say(f, "%s is not mapped to %s; map it, or say that it is unsupported", name, system)
				continue
			}
			for _, m := range mappings {
				if m.Unsupported != "" {
					continue
				}
				for _, field := range u.Order {
					if len(m.Fields[field]) == 0 {
						f.Pos, f.Field = m.Pos, field
						l.say(f, "%s: %s of %s says nothing of it; map it, or say that it is unsupported", field, name, system)
					}
				}
			}
		}
		l.nowhere(u, systems)
	}
}

// nowhere looks for fields that no system has.
func (l *linter) nowhere(u *Model, systems []string) {
	for _, field := range u.Order {
		has := false
		for _, system := range systems {
			for _, m := range l.set.mappings(u.Name, system) {
				for _, r := range m.Fields[field] {
					has = has || r.Unsupported == ""
				}
			}
		}
		if !has && len(systems) > 0 {
			l.say(Finding{Pos: u.Fields[field].Pos, Code: LintGap, Model: u.Name, Field: field}, "%s: no system has it", field)
		}
	}
}

// Missing is a field of the system that a plan names and a schema lacks.
type Missing struct {
	Field   string // universal; "" for one of "where", "set" or the id
	Path    string // the system's
	Model   string // the system's model that lacks it
	Message string
	Pos     Position
}

// Missing holds the plan against the schema of the system's model, as it is
// now: which fields does it lack? With related, which returns the schema of
// another model or nil, paths are followed through relations.
func (p *Plan) Missing(s *adapter.Schema, related func(model string) *adapter.Schema) []Missing {
	var out []Missing
	seen := map[string]bool{}
	hold := func(field string, path Path, pos Position) {
		model, name := lacking(s, path, related)
		if model == "" || seen[field+"\x00"+path.String()] {
			return
		}
		seen[field+"\x00"+path.String()] = true
		m := Missing{Field: field, Path: path.String(), Model: model, Pos: pos}
		m.Message = fmt.Sprintf("%s has no field %s", model, name)
		if field != "" {
			m.Message = fmt.Sprintf("%s is mapped to %s, and %s has no field %s", field, path, model, name)
		}
		if other := schemaOf(s, model, related); other != nil {
			m.Message += nearest(name, fieldNames(other))
		}
		out = append(out, m)
	}
	for _, st := range p.steps {
		for _, path := range st.rule.readPaths() {
			hold(st.name, path, st.rule.Pos)
		}
		if len(st.write) > 0 && st.why == "" {
			hold(st.name, st.write, st.rule.Pos)
		}
	}
	for _, a := range p.mapping.Set {
		hold("", a.Path, a.Pos)
	}
	for _, f := range adapter.Fields(p.mapping.Where) {
		if path, err := parsePath(f); err == nil {
			hold("", path, p.mapping.Pos)
		}
	}
	return out
}

func schemaOf(s *adapter.Schema, model string, related func(string) *adapter.Schema) *adapter.Schema {
	if s.Model == model || related == nil {
		return s
	}
	return related(model)
}

func fieldNames(s *adapter.Schema) []string {
	names := make([]string, 0, len(s.Fields))
	for n := range s.Fields {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// lacking follows a path and returns the first model that lacks its field, ""
// if none is known to.
func lacking(s *adapter.Schema, path Path, related func(string) *adapter.Schema) (model, field string) {
	for i, step := range path {
		f, ok := s.Fields[step.Name]
		if !ok {
			if step.Name == "id" || step.Name == "Id" {
				return "", ""
			}
			return s.Model, step.Name
		}
		if i == len(path)-1 || related == nil || f.Relation == "" {
			return "", ""
		}
		next := related(f.Relation)
		if next == nil {
			return "", ""
		}
		for _, k := range step.Keys {
			if key, err := parsePath(k.Field); err == nil {
				if model, field := lacking(next, key, related); model != "" {
					return model, field
				}
			}
		}
		s = next
	}
	return "", ""
}
