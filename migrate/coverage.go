package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Coverage holds a plan against the schemas of both versions: what the new
// version would refuse is known before the first record goes up.
type Coverage struct {
	Model    string            `json:"model"`
	ToModel  string            `json:"to_model"`
	From     string            `json:"from_version"`
	To       string            `json:"to_version"`
	OK       bool              `json:"ok"`       // there is no problem
	Fields   []FieldCoverage   `json:"fields"`   // every field of the old schema, by name
	Required []RequiredField   `json:"required"` // every required field of the new schema, by name
	Problems []CoverageFinding `json:"problems"`
}

// FieldCoverage is the fate of one field of the old schema.
type FieldCoverage struct {
	Field string   `json:"field"`
	To    []string `json:"to,omitempty"` // its names in the new version
	Fate  Fate     `json:"fate"`
	Notes []string `json:"notes,omitempty"` // of the rules it meets
}

// RequiredField is a required field of the new schema with what fills it.
type RequiredField struct {
	Field string   `json:"field"`
	From  []string `json:"from,omitempty"` // fields of the old schema
	Rule  string   `json:"rule,omitempty"` // a rule that fills it
	// Filled says that every record has it. A field that comes from one that
	// the old version does not require may stay empty.
	Filled bool `json:"filled"`
}

// CoverageKind is the kind of a problem.
type CoverageKind string

// The kinds of problems.
const (
	NotInTarget     CoverageKind = "not_in_target"    // the new schema lacks the field: a write would be refused
	TypeClash       CoverageKind = "type_clash"       // the field has another type there
	SelectionClash  CoverageKind = "selection_clash"  // a key of a selection is unknown there
	RelationClash   CoverageKind = "relation_clash"   // the field refers to another model there
	RequiredMissing CoverageKind = "required_missing" // nothing fills a required field
	PersonNeeded    CoverageKind = "needs_person"     // a person must decide
)

// CoverageFinding is one problem.
type CoverageFinding struct {
	Kind    CoverageKind `json:"kind"`
	Field   string       `json:"field,omitempty"` // old name
	To      string       `json:"to,omitempty"`    // new name
	Message string       `json:"message"`
}

// Problem returns the problems of a kind.
func (c *Coverage) Problem(kind CoverageKind) []CoverageFinding {
	var out []CoverageFinding
	for _, p := range c.Problems {
		if p.Kind == kind {
			out = append(out, p)
		}
	}
	return out
}

// String returns the coverage for people: the problems, then the fields.
func (c *Coverage) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s to %s: %d fields, %d problems\n", arrow(c.Model, c.ToModel), c.From, c.To, len(c.Fields), len(c.Problems))
	for _, p := range c.Problems {
		fmt.Fprintf(&b, "  %-16s %s\n", p.Kind, p.Message)
	}
	for _, f := range c.Fields {
		fmt.Fprintf(&b, "  %-13s %s\n", f.Fate, arrow(f.Field, strings.Join(f.To, ", ")))
	}
	return b.String()
}

// CoverageOf holds a plan against the old and the new schema. A plan that
// splits its model is [adapter.ErrUnsupported]: hold the parts against their
// schemas one by one.
func CoverageOf(ctx context.Context, plan *Plan, source, target *adapter.Schema) (*Coverage, error) {
	if len(plan.root.branches) > 0 {
		return nil, &adapter.Error{Code: adapter.Unsupported, Model: plan.model, Message: fmt.Sprintf("model %s is split into %s: coverage needs one target", plan.model, strings.Join(plan.Targets(), ", "))}
	}
	opts := plan.opts
	opts.Source, opts.Target, opts.Lookup, opts.Partial = nil, nil, nil, false
	plain, err := plan.pack.CompileWith(plan.model, plan.from, plan.to, opts)
	if err != nil {
		return nil, err
	}
	plain.opts.Partial = true // single fields are tried, by the rules for whole records
	v := &cover{plan: plain, prog: plain.root.prog, source: source, target: target}
	v.out = &Coverage{Model: plan.model, ToModel: plan.ToModel(), From: plan.from, To: plan.to, Fields: []FieldCoverage{}, Required: []RequiredField{}, Problems: []CoverageFinding{}}
	origins := map[string][]string{}
	for _, f := range sortedKeys(source.Fields) {
		fc := v.field(ctx, f)
		v.out.Fields = append(v.out.Fields, fc)
		for _, to := range fc.To {
			origins[to] = append(origins[to], f)
		}
	}
	for _, f := range sortedKeys(target.Fields) {
		if t := target.Fields[f]; t.Required && f != "id" {
			v.required(f, origins[f])
		}
	}
	v.out.OK = len(v.out.Problems) == 0
	return v.out, nil
}

type cover struct {
	plan           *Plan
	prog           *program
	source, target *adapter.Schema
	out            *Coverage
}

func (v *cover) problem(kind CoverageKind, field, to, format string, args ...any) {
	v.out.Problems = append(v.out.Problems, CoverageFinding{Kind: kind, Field: field, To: to, Message: fmt.Sprintf(format, args...)})
}

// route is where a field of the old record goes, with the rules on the way.
type route struct {
	to    []string
	rules []*Rule
	fate  Fate
}

// route follows a field's slots through the operations.
func (p *program) route(f string) route {
	e := p.in[f]
	if e == nil {
		return route{to: []string{f}, fate: Carried}
	}
	if e.to != "" {
		r := route{to: []string{e.to}, fate: Renamed}
		if e.to == f {
			r.fate = Carried
		}
		return r
	}
	out := route{fate: Dropped}
	reached := map[int]bool{e.slot: true}
	for _, o := range p.ops {
		for i, s := range o.in {
			if !reached[s] {
				continue
			}
			for _, a := range o.alts {
				if place := slices.Index(a.in, i); place >= 0 {
					out.rules = append(out.rules, a.rule)
					for _, at := range a.goes(slices.Index(a.in, i)) {
						reached[o.out[at]] = true
					}
					if a.rule.Verb == Move {
						out.fate = Moved
					}
				}
			}
			if o.conditional && o.stays(i) {
				reached[o.out[i]] = true
			}
		}
	}
	for _, m := range p.made {
		if reached[m.slot] {
			out.to = append(out.to, m.name)
		}
	}
	if len(out.to) > 0 {
		out.fate = Carried
		for _, r := range out.rules {
			switch r.Verb {
			case Default, Add, LookupOf, Remove:
			default:
				out.fate = Converted
			}
		}
	}
	return out
}

// stays reports whether one of the operation's old fields may pass through:
// where no rule acts, or one that does not take it.
func (o *op) stays(place int) bool {
	for i := range o.alts {
		if a := &o.alts[i]; !slices.Contains(a.in, place) || (i == len(o.alts)-1 && len(a.when) > 0) {
			return true
		}
	}
	return false
}

// goes lists where in the operation's new fields a value may go that is at a
// place in the rule's old ones.
func (a *alternative) goes(place int) []int {
	if a.rule.Verb == Constant || (a.rule.Verb == Remove && place == 0) {
		return nil
	}
	return a.out
}

// field accounts for one field of the old schema.
func (v *cover) field(ctx context.Context, f string) FieldCoverage {
	r := v.prog.route(f)
	fc := FieldCoverage{Field: f, To: r.to, Fate: r.fate}
	for _, rule := range r.rules {
		if rule.Note != "" {
			fc.Notes = addOnce(fc.Notes, rule.Note)
		}
		if rule.Person {
			v.problem(PersonNeeded, f, "", "%s: a person must look at each value (%s)", f, rule.Pos)
		}
	}
	src := v.source.Fields[f]
	for _, to := range fc.To {
		dst, there := v.target.Fields[to]
		if !there {
			v.problem(NotInTarget, f, to, "%s: the new schema has no field %s", f, to)
			continue
		}
		if len(r.rules) == 0 && !suitsType(src.Type, dst.Type) {
			v.problem(TypeClash, f, to, "%s is %s, %s is %s there", f, src.Type, to, dst.Type)
			continue
		}
		if src.Type == adapter.Selection && dst.Type == adapter.Selection {
			v.selection(ctx, f, to, src, dst)
		}
		if len(r.rules) == 0 && src.Type.Relational() && dst.Type.Relational() && src.Relation != "" && dst.Relation != "" {
			if now := v.plan.rename(src.Relation); now != dst.Relation {
				v.problem(RelationClash, f, to, "%s refers to %s, %s to %s there", f, src.Relation, to, dst.Relation)
			}
		}
	}
	return fc
}

// rename follows a model's name along the path; a removed or split model
// keeps it.
func (p *Plan) rename(model string) string {
	for _, h := range p.path {
		if t := h.model(model).Target(); t != "" {
			model = t
		}
	}
	return model
}

// selection sends every key up and looks whether the new schema knows what
// comes out.
func (v *cover) selection(ctx context.Context, f, to string, src, dst adapter.Field) {
	known := map[string]bool{}
	for _, o := range dst.Selection {
		known[o.Value] = true
	}
	if len(known) == 0 {
		return
	}
	for _, o := range src.Selection {
		got, err := v.plan.Up(ctx, adapter.Record{f: o.Value})
		if err != nil {
			continue // refused by its rule, and said there
		}
		if now, ok := got.Record[to].(string); ok && !known[now] {
			v.problem(SelectionClash, f, to, "%s: %q comes out as %q, which %s does not know", f, o.Value, now, to)
		}
	}
}

// types are the types that hold another's values as they are.
var types = map[adapter.FieldType][]adapter.FieldType{
	adapter.Char:      {adapter.Text, adapter.Selection},
	adapter.Text:      {adapter.Char},
	adapter.Selection: {adapter.Char, adapter.Text},
	adapter.Integer:   {adapter.Float, adapter.Monetary},
	adapter.Float:     {adapter.Monetary},
	adapter.Monetary:  {adapter.Float},
	adapter.One2Many:  {adapter.Many2Many},
	adapter.Many2Many: {adapter.One2Many},
}

func suitsType(from, to adapter.FieldType) bool {
	return from == to || from == "" || to == "" || from == adapter.Unknown || to == adapter.Unknown || slices.Contains(types[from], to)
}

// required looks for what fills a required field.
func (v *cover) required(f string, from []string) {
	r := RequiredField{Field: f, From: from}
	for rule := range v.plan.rules() {
		if !slices.Contains(rule.To, f) {
			continue
		}
		switch {
		case rule.Verb == Constant, rule.Verb == Default, rule.Verb == Add && rule.HasValue:
			r.Rule, r.Filled = rule.String(), len(rule.When) == 0
		case rule.Verb == Add && rule.Via == "":
			v.problem(PersonNeeded, "", f, "%s is required, and a person must fill it (%s)", f, rule.Pos)
			r.Rule = rule.String()
		case rule.Verb == Add, rule.Verb == LookupOf, rule.Verb == Table, rule.Verb == Custom:
			r.Rule = rule.String()
		}
	}
	for _, s := range from {
		r.Filled = r.Filled || v.source.Fields[s].Required
	}
	v.out.Required = append(v.out.Required, r)
	if !r.Filled && len(r.From) == 0 && r.Rule == "" {
		v.problem(RequiredMissing, "", f, "%s is required there, and nothing fills it", f)
	}
}

// RecordDiff is what a plan does to one record.
type RecordDiff struct {
	ID      adapter.ID  `json:"id,omitzero"`
	Model   string      `json:"model"` // in the new version
	Changes []FieldDiff `json:"changes"`
	Error   string      `json:"error,omitempty"` // where the record is refused
}

// FieldDiff is one field before and after.
type FieldDiff struct {
	Field  string   `json:"field,omitempty"` // old name; "" for a new field
	To     []string `json:"to,omitempty"`
	Fate   Fate     `json:"fate"`
	Before any      `json:"before,omitempty"`
	After  any      `json:"after,omitempty"` // a record where To has several names
}

// Diff shows what the plan does to records, leaving out fields that pass
// through unchanged. A refused record is an entry with its error.
func Diff(ctx context.Context, plan *Plan, records []adapter.Record) []RecordDiff {
	out := make([]RecordDiff, 0, len(records))
	for _, rec := range records {
		d := RecordDiff{ID: rec.ID(), Changes: []FieldDiff{}}
		got, err := plan.Up(ctx, rec)
		if err != nil {
			d.Error = err.Error()
			out = append(out, d)
			continue
		}
		d.Model = got.Model
		from := map[string]bool{}
		prog := plan.way(got.Model)
		for _, f := range sortedKeys(rec) {
			r := prog.route(f)
			fd := FieldDiff{Field: f, Fate: r.fate, Before: rec[f]}
			after := map[string]any{}
			for _, to := range r.to {
				if v, ok := got.Record[to]; ok {
					fd.To = append(fd.To, to)
					after[to] = v
					from[to] = true
				}
			}
			switch len(fd.To) {
			case 0:
				if fd.Fate != Moved {
					fd.Fate = Dropped
				}
			case 1:
				fd.After = after[fd.To[0]]
			default:
				fd.After = after
			}
			if len(fd.To) == 1 && fd.To[0] == f && equalData(fd.Before, fd.After) {
				continue
			}
			d.Changes = append(d.Changes, fd)
		}
		for _, f := range sortedKeys(got.Record) {
			if !from[f] {
				d.Changes = append(d.Changes, FieldDiff{To: []string{f}, Fate: Defaulted, After: got.Record[f]})
			}
		}
		out = append(out, d)
	}
	return out
}

// way is the program that leads to a model; of a split plan the last part,
// which has the old names that the hops before the split left.
func (p *Plan) way(model string) *program {
	for _, w := range p.root.ways(nil) {
		if last := w[len(w)-1]; last.final == model {
			if len(w) == 1 {
				return last.prog
			}
			var legs []leg
			for _, n := range w {
				legs = append(legs, n.legs...)
			}
			return newProgram(legs, p.pack.funcs, nil)
		}
	}
	return p.root.prog
}
