package migrate

import (
	"fmt"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// Finding is something that [Lint] noticed about a rule.
type Finding struct {
	Pos     Position    `json:"pos"`
	Code    FindingCode `json:"code"`
	Message string      `json:"message"`
}

// String returns "file:line: code: message".
func (f Finding) String() string { return fmt.Sprintf("%s: %s: %s", f.Pos, f.Code, f.Message) }

// FindingCode says what kind of thing a finding is.
type FindingCode string

// The codes of findings.
const (
	LintUnknownField FindingCode = "unknown_field"     // a schema does not have the field
	LintUnknownModel FindingCode = "unknown_model"     // no schema of the version has the model
	LintShadowed     FindingCode = "shadowed"          // another rule acts in its place
	LintUnreachable  FindingCode = "unreachable_value" // no record can hold the value
	LintBadValue     FindingCode = "unknown_value"     // the new version does not know the value that the rule gives
	LintIrreversible FindingCode = "irreversible"      // going down needs the residue
	LintDisplaced    FindingCode = "displaced"         // a field that the old version has gives way
	LintStillThere   FindingCode = "still_there"       // the new version still has the field that the rule takes away
	LintNoSource     FindingCode = "no_source"         // the rule does not say where it comes from
	LintNoTest       FindingCode = "no_test"           // the model has rules and no test beside them
)

// Schemas returns a model's schema in a version, and whether it is known.
type Schemas func(version, model string) (*adapter.Schema, bool)

// Lint looks a pack over, in the order of file and line. What contradicts
// itself was refused when the pack was loaded. schemas may be nil; where it
// knows a version's models, but not one that the pack names, that is a finding
// only if it knows the other side.
func Lint(p *Pack, schemas Schemas) []Finding {
	l := &linter{schemas: schemas}
	for _, h := range p.Hops {
		for _, name := range slices.Sorted(maps.Keys(h.Models)) {
			m := h.Models[name]
			old := l.schema(h.From, name)
			if len(m.Branches) == 0 {
				l.model(h, m, m.Rules, old, l.schema(h.To, m.Target()))
			}
			for i, b := range m.Branches {
				l.model(h, m, m.rulesOf(i), old, l.schema(h.To, b.To))
			}
			if len(m.Rules) > 0 && len(m.Tests) == 0 {
				l.say(m.Pos, LintNoTest, "model %s has rules, and no test beside them", name)
			}
		}
	}
	for _, r := range p.replaced {
		l.say(r.Rule.Pos, LintShadowed, "%s is replaced by %s", r.Rule.Key, r.By)
	}
	slices.SortStableFunc(l.found, func(a, b Finding) int { return byPosition(a.Pos, b.Pos) })
	return slices.CompactFunc(l.found, func(a, b Finding) bool { return a == b })
}

type linter struct {
	schemas Schemas
	found   []Finding
}

func (l *linter) schema(version, model string) *adapter.Schema {
	if l.schemas == nil || model == "" {
		return nil
	}
	s, ok := l.schemas(version, model)
	if !ok {
		return nil
	}
	return s
}

func (l *linter) say(pos Position, code FindingCode, format string, args ...any) {
	l.found = append(l.found, Finding{Pos: pos, Code: code, Message: fmt.Sprintf(format, args...)})
}

func (l *linter) model(h *Hop, m *Model, rules []*Rule, old, new *adapter.Schema) {
	if old == nil && new != nil && m.Name != new.Model && l.schemas != nil {
		l.say(m.Pos, LintUnknownModel, "version %s has no model %s", h.From, m.Name)
	}
	if old != nil && new == nil && !m.Removed && l.schemas != nil {
		l.say(m.Pos, LintUnknownModel, "version %s has no model %s", h.To, m.Target())
	}
	taken := map[string]bool{}
	for _, r := range rules {
		for _, f := range r.From {
			taken[f] = true
		}
	}
	for i, r := range rules {
		l.rule(h, r, old, new, taken)
		for _, before := range rules[:i] {
			if len(r.When) > 0 && clash(before, r) != "" && slices.EqualFunc(before.When, r.When, sameTest) {
				l.say(r.Pos, LintShadowed, "%s is never reached: %s has the same condition", r.Key, before)
			}
		}
	}
}

func sameTest(a, b Test) bool {
	if a.Field != b.Field || a.Not != b.Not || (a.Empty == nil) != (b.Empty == nil) || (a.Empty != nil && *a.Empty != *b.Empty) {
		return false
	}
	return maps.Equal(keysOf(a.Values), keysOf(b.Values))
}

func (l *linter) rule(h *Hop, r *Rule, old, new *adapter.Schema, taken map[string]bool) {
	if r.Source == "" {
		l.say(r.Pos, LintNoSource, "%s does not say where it comes from", r.Key)
	}
	fills := r.Verb == Add || r.Verb == LookupOf || r.Verb == Constant
	if old != nil {
		names := r.From
		if fills {
			names = nil
		}
		for _, t := range r.When {
			names = append(slices.Clone(names), t.Field)
		}
		if r.Via != "" {
			names = append(slices.Clone(names), r.Via)
		}
		for _, f := range names {
			if !old.Has(f) {
				l.say(r.Pos, LintUnknownField, "%s in version %s has no field %s", old.Model, h.From, f)
			}
		}
		for _, f := range r.To {
			if !taken[f] && old.Has(f) && (new == nil || new.Has(f)) {
				l.say(r.Pos, LintDisplaced, "%s takes the place of field %s, which version %s has: its value goes to the residue", r.Key, f, h.From)
			}
		}
	}
	if new != nil {
		for _, f := range r.To {
			if !new.Has(f) {
				l.say(r.Pos, LintUnknownField, "%s in version %s has no field %s", new.Model, h.To, f)
			}
		}
		for _, f := range r.From {
			if (r.Verb == Rename || r.Verb == Remove || r.Verb == Move) && new.Has(f) && !slices.Contains(r.To, f) {
				l.say(r.Pos, LintStillThere, "version %s still has field %s", h.To, f)
			}
		}
	}
	l.values(h, r, old, new)
	switch {
	case r.Verb == Remove && !r.HasBack, r.Verb == Constant && !r.HasBack, r.Verb == Move:
		l.say(r.Pos, LintIrreversible, "%s can't be undone without the residue", r.Key)
	case r.Verb == Map && len(r.Back) == 0 && !oneToOne(r):
		l.say(r.Pos, LintIrreversible, "%s gives several old values the same new one, or none: going down without residue takes the first", r.Key)
	}
}

// values holds a rule's values against selections.
func (l *linter) values(h *Hop, r *Rule, old, new *adapter.Schema) {
	if r.Verb != Map && r.Verb != Table {
		return
	}
	check := func(s *adapter.Schema, names []string, pick func(Row) []any, code FindingCode, version string) {
		if s == nil {
			return
		}
		for i, f := range names {
			field, ok := s.Fields[f]
			if !ok || field.Type != adapter.Selection || len(field.Selection) == 0 {
				continue
			}
			for _, row := range r.Values {
				v, isText := pick(row)[i].(string)
				if isText && !slices.ContainsFunc(field.Selection, func(o adapter.Option) bool { return o.Value == v }) {
					l.say(Position{File: r.Pos.File, Line: row.Line}, code, "%s in version %s has no value %q", f, version, v)
				}
			}
		}
	}
	check(old, r.From, func(row Row) []any { return row.From }, LintUnreachable, h.From)
	check(new, r.To, func(row Row) []any { return row.To }, LintBadValue, h.To)
}
