package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/bridgecore/bridgecore/adapter"
)

// Form says whether records are answers that were read or values to be
// written; some systems have two forms of a relation's value.
type Form string

// The forms.
const (
	FormAny   Form = "" // each value decides by its own form
	FormRead  Form = "read"
	FormWrite Form = "write"
)

// Lookup reads values of other records, for rules that depend on them. It is
// safe for concurrent use.
type Lookup interface {
	// Lookup returns a field of a record of the old version, and whether the
	// record exists.
	Lookup(ctx context.Context, model string, id adapter.ID, field string) (any, bool, error)
}

// Options say how a plan treats records. The zero value is right for whole
// records.
type Options struct {
	// Partial says that records hold some of the fields alone: the values of
	// an update, or an answer with a list of fields. Then nothing is filled in
	// for a field that is not there, and going down needs no residue.
	Partial bool
	// AllowLoss lets Down go without residue even where fields can't be had
	// back; [Back.Missing] names them.
	AllowLoss bool
	// NoResidue saves the work of keeping one.
	NoResidue bool
	Form      Form
	Lookup    Lookup // may be nil

	// Source is the old version's schema, for reports: fields that it lacks
	// are Unknown there. May be nil.
	Source *adapter.Schema
	// Target is the schema that new records are to be written to. Fields that
	// it lacks go to the residue, and relations take the form that Odoo
	// writes: an id, or [[6, 0, ids]]. May be nil.
	Target *adapter.Schema
}

// Plan carries records of one model between two versions, all hops in one
// pass. It is safe for concurrent use.
type Plan struct {
	pack  *Pack
	model string
	from  string
	to    string
	path  []*Hop
	opts  Options
	root  *node
	sides map[sideKey]*node
	steps []Step
	pool  *sync.Pool // of *session
}

type sideKey struct {
	model string
	hop   int
}

// node is a program, and where the model is split after it, the ways on.
type node struct {
	legs     []leg
	prog     *program
	model    string // at its start
	final    string // at its end; "" where it is split
	branches []nodeBranch
}

type nodeBranch struct {
	when []Test
	to   *node
}

// RemovedError says that a model does not exist any more in a version on the
// path. It unwraps to an [*adapter.Error].
type RemovedError struct {
	Model    string
	From, To string // the versions of the hop that removes it
	Notes    []string
}

// Error names the model, the hop and what to do.
func (e *RemovedError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the error with its code.
func (e *RemovedError) Unwrap() error {
	s := fmt.Sprintf("model %s does not exist after %s: its records can't be migrated to %s", e.Model, e.From, e.To)
	s = strings.Join(append([]string{s}, e.Notes...), "; ")
	return &adapter.Error{Code: adapter.Unsupported, Model: e.Model, Field: "model", Message: s}
}

// Compile makes the plan for a model, named as in version from. Errors are
// [*PathError] and [*RemovedError].
func (p *Pack) Compile(model, from, to string) (*Plan, error) {
	return p.CompileWith(model, from, to, Options{})
}

// CompileWith is Compile with options.
func (p *Pack) CompileWith(model, from, to string, opts Options) (*Plan, error) {
	if model == "" {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Field: "model", Message: "the model is missing"}
	}
	path, err := p.Path(from, to)
	if err != nil {
		return nil, err
	}
	plan := &Plan{pack: p, model: model, from: from, to: to, path: path, opts: opts, sides: map[sideKey]*node{}}
	if plan.root, err = plan.build(model, 0, len(path), true, model); err != nil {
		return nil, err
	}
	plan.steps = plan.describe()
	plan.pool = &sync.Pool{New: func() any { return newSession(plan) }}
	return plan, nil
}

// CompileBack makes the plan between two versions for a model that is named as
// in version to. Where several models of the old version became this one, it
// is the one of the same name, or an error that names them.
func (p *Pack) CompileBack(model, from, to string, opts Options) (*Plan, error) {
	path, err := p.Path(from, to)
	if err != nil {
		return nil, err
	}
	names := []string{model}
	for _, h := range slices.Backward(path) {
		var before []string
		for _, n := range names {
			for _, s := range h.sources(n) {
				before = addOnce(before, s)
			}
		}
		names = before
	}
	switch {
	case len(names) == 1:
		return p.CompileWith(names[0], from, to, opts)
	case slices.Contains(names, model):
		return p.CompileWith(model, from, to, opts)
	case len(names) == 0:
		return nil, &adapter.Error{Code: adapter.Unsupported, Model: model, Field: "model", Message: fmt.Sprintf("model %s has no counterpart in version %s", model, from)}
	}
	slices.Sort(names)
	return nil, &adapter.Error{Code: adapter.InvalidArgument, Model: model, Field: "model", Message: fmt.Sprintf("model %s was several models in version %s: %v; name one of them", model, from, names)}
}

// build makes the node for the hops [at, end) of the path, after the legs of
// before, which belong to the same program; start is the model's name there.
func (p *Plan) build(model string, at, end int, main bool, start string, before ...leg) (*node, error) {
	n := &node{model: start, legs: before}
	name := model
	for i := at; i < end; i++ {
		h := p.path[i]
		m := h.model(name)
		if m.Removed {
			return nil, &RemovedError{Model: name, From: h.From, To: h.To, Notes: m.Notes}
		}
		if len(m.Branches) > 0 {
			n.prog = newProgram(n.legs, p.pack.funcs, nil)
			for b, branch := range m.Branches {
				rules := p.acting(m.rulesOf(b))
				if err := p.follow(rules, i, end); err != nil {
					return nil, err
				}
				child, err := p.build(branch.To, i+1, end, main, name, leg{hop: h, model: m, rules: rules, place: i, target: branch.To})
				if err != nil {
					return nil, err
				}
				n.branches = append(n.branches, nodeBranch{when: branch.When, to: child})
			}
			return n, nil
		}
		n.legs = append(n.legs, leg{hop: h, model: m, rules: p.acting(m.Rules), place: i, target: m.Target()})
		if err := p.follow(m.Rules, i, end); err != nil {
			return nil, err
		}
		name = m.Target()
	}
	n.finish(p, name, main && end == len(p.path))
	return n, nil
}

// acting leaves out the rules for whole records where the plan is for partial
// ones.
func (p *Plan) acting(rules []*Rule) []*Rule {
	if !p.opts.Partial {
		return rules
	}
	return slices.DeleteFunc(slices.Clone(rules), func(r *Rule) bool { return r.Whole })
}

// finish closes a node that ends the path.
func (n *node) finish(p *Plan, final string, main bool) {
	n.final = final
	var fit *adapter.Schema
	if t := p.opts.Target; main && t != nil && (t.Model == "" || t.Model == final) {
		fit = t
		n.legs = append(n.legs, fitting(n.legs, t, p.to))
	}
	n.prog = newProgram(n.legs, p.pack.funcs, fit)
}

// fitting is a last leg that makes records suit a schema: what it lacks is
// removed, relations become writable.
func fitting(legs []leg, t *adapter.Schema, version string) leg {
	var rules []*Rule
	remove := func(f string) {
		rules = append(rules, &Rule{Verb: Remove, Key: "remove " + f, From: []string{f}})
	}
	for _, f := range named(legs) {
		if !t.Has(f) {
			remove(f)
		}
	}
	for f, field := range t.Fields {
		var kind string
		switch field.Type {
		case adapter.Many2One:
			kind = "writable_many2one"
		case adapter.One2Many, adapter.Many2Many:
			kind = "writable_x2many"
		default:
			continue
		}
		rules = append(rules, &Rule{Verb: Convert, Kind: kind, Unknown: Keep, Key: "write " + f, From: []string{f}, To: []string{f}})
	}
	slices.SortFunc(rules, func(a, b *Rule) int { return slices.Compare(a.From, b.From) })
	hop := &Hop{From: version, To: version}
	return leg{hop: hop, model: &Model{Name: t.Model, To: t.Model}, rules: rules, extra: true}
}

// follow builds the nodes that carry side records on from a hop.
func (p *Plan) follow(rules []*Rule, hop, end int) error {
	for _, r := range rules {
		k := sideKey{r.Model, hop + 1}
		if r.Verb != Move || p.sides[k] != nil {
			continue
		}
		p.sides[k] = &node{} // a model may move values to itself
		n, err := p.build(r.Model, hop+1, end, false, r.Model)
		if err != nil {
			return fmt.Errorf("values move to %s: %w", r.Model, err)
		}
		*p.sides[k] = *n
	}
	return nil
}

// Model is the model's name in the old version.
func (p *Plan) Model() string { return p.model }

// From is the old version.
func (p *Plan) From() string { return p.from }

// To is the new version.
func (p *Plan) To() string { return p.to }

// Options returns what the plan was made with.
func (p *Plan) Options() Options { return p.opts }

// ToModel is the model's name in the new version; "" where it is split, so
// that each record has its own.
func (p *Plan) ToModel() string { return p.root.final }

// Targets are all names that records may have in the new version.
func (p *Plan) Targets() []string {
	var out []string
	var walk func(n *node)
	walk = func(n *node) {
		if n.final != "" {
			out = addOnce(out, n.final)
		}
		for _, b := range n.branches {
			walk(b.to)
		}
	}
	walk(p.root)
	return out
}

// Path returns the versions that the plan goes through, both ends included.
func (p *Plan) Path() []string {
	path := []string{p.from}
	for _, h := range p.path {
		path = append(path, h.To)
	}
	return path
}

// KeyOnly reports whether the plan does nothing but rename and remove fields,
// so that values need not be looked at.
func (p *Plan) KeyOnly() bool { return len(p.root.branches) == 0 && p.root.prog.keys }

// Result is what becomes of a record going up.
type Result struct {
	Model  string         `json:"model"` // its name in the new version
	Record adapter.Record `json:"record"`
	// Residue is empty where the new record holds everything, and nil only
	// where the plan keeps none (see [Options]).
	Residue *Residue `json:"residue,omitempty"`
	Side    []Side   `json:"side,omitempty"` // records of other models that took values over
}

// Up carries a record to the new version. The record is not changed; values
// are shared with it. An error is a [*RecordError], or what a [Lookup] gave.
func (p *Plan) Up(ctx context.Context, r adapter.Record) (Result, error) {
	s := p.session()
	defer p.pool.Put(s)
	return s.up(ctx, r)
}

func (p *Plan) session() *session {
	s, _ := p.pool.Get().(*session)
	return s
}

// Back is what becomes of a record going down.
type Back struct {
	Model  string         `json:"model"` // its name in the old version
	Record adapter.Record `json:"record"`
	// MadeUp names fields whose values were chosen among several that are
	// possible, or come from a rule, because there was no residue.
	MadeUp []string `json:"made_up,omitempty"`
	// Missing names fields that could not be had back without residue.
	Missing []string `json:"missing,omitempty"`
	// Lost names fields of the new record that the old version has no place
	// for.
	Lost []string `json:"lost,omitempty"`
}

// MissingError says that a record can't go down without its residue. It
// unwraps to an [*adapter.Error].
type MissingError struct {
	Model  string
	Fields []string
}

// Error names the fields.
func (e *MissingError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the error with its code.
func (e *MissingError) Unwrap() error {
	return &adapter.Error{Code: adapter.InvalidArgument, Model: e.Model, Field: e.Fields[0], Message: fmt.Sprintf("without the residue of the upgrade the fields %v can't be had back; give it, or allow the loss", e.Fields)}
}

// Down carries a record back to the old version, with the residue that Up
// gave. The residue is exact as long as the new fields that it belongs to are
// unchanged; where they were changed since, the change wins.
//
// The residue of [Result] can be passed as it is: it is never nil there, and
// empty where nothing was lost. nil says that there is no residue at all, as for
// a record that never went up: then the plan's rules must say what stands for
// fields that can't be had back, or the options allow the loss, or records are
// partial; otherwise the error is a [*MissingError].
func (p *Plan) Down(ctx context.Context, r adapter.Record, residue *Residue) (Back, error) {
	s := p.session()
	defer p.pool.Put(s)
	return s.down(ctx, r, residue)
}

// Stepper runs a plan hop by hop, as the fused plan must not be told from.
type Stepper struct {
	plan  *Plan
	steps []*Plan
}

// Stepwise returns the plan as single hops, to watch what each does.
func (p *Plan) Stepwise() (*Stepper, error) {
	s := &Stepper{plan: p}
	model := p.model
	for i, h := range p.path {
		opts := p.opts
		if i < len(p.path)-1 {
			opts.Target = nil
		}
		if i > 0 {
			opts.Source = nil
		}
		one, err := p.pack.compileHop(model, h, opts)
		if err != nil {
			return nil, err
		}
		s.steps = append(s.steps, one)
		if model = one.ToModel(); model == "" && i < len(p.path)-1 {
			return nil, adapter.Errorf(adapter.Unsupported, "model %s is split from %s to %s: stepwise running has one way only", one.model, h.From, h.To)
		}
	}
	return s, nil
}

func (p *Pack) compileHop(model string, h *Hop, opts Options) (*Plan, error) {
	one := &Pack{Name: p.Name, Hops: []*Hop{h}, funcs: p.funcs}
	return one.CompileWith(model, h.From, h.To, opts)
}

// Up is [Plan.Up], one hop after the other.
func (s *Stepper) Up(ctx context.Context, r adapter.Record) (Result, error) {
	out := Result{Record: r}
	residue := Residue{Kept: []Kept{}}
	session := s.plan.session()
	defer s.plan.pool.Put(session)
	for i, step := range s.steps {
		got, err := step.Up(ctx, out.Record)
		if err != nil {
			return Result{}, err
		}
		out.Model, out.Record = got.Model, got.Record
		for _, side := range got.Side {
			if err := session.carry(ctx, []movedSide{{Side: side, hop: i}}, &out.Side); err != nil {
				return Result{}, err
			}
		}
		if got.Residue != nil {
			residue.Kept = append(residue.Kept, got.Residue.Kept...)
		}
	}
	if !s.plan.opts.NoResidue {
		residue.Model = out.Model
		out.Residue = &residue
	}
	return out, nil
}

// Down is [Plan.Down], one hop after the other.
func (s *Stepper) Down(ctx context.Context, r adapter.Record, residue *Residue) (Back, error) {
	out := Back{Record: r}
	for _, step := range slices.Backward(s.steps) {
		got, err := step.Down(ctx, out.Record, residue)
		if err != nil {
			return Back{}, err
		}
		out.Model, out.Record = got.Model, got.Record
		for _, f := range got.MadeUp {
			out.MadeUp = addOnce(out.MadeUp, f)
		}
		for _, f := range got.Missing {
			out.Missing = addOnce(out.Missing, f)
		}
		for _, f := range got.Lost {
			out.Lost = addOnce(out.Lost, f)
		}
	}
	return out, nil
}
