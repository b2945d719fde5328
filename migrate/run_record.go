package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// RecordError says that a rule could not work on a record. It unwraps to an
// [*adapter.Error] that names the field.
type RecordError struct {
	Model, Field string
	From, To     string // the versions of the hop
	Rule         string // with file and line; "" where no rule is to blame
	Err          error
}

// Error names the field, the hop and the rule.
func (e *RecordError) Error() string {
	s := fmt.Sprintf("field %q of %s, %s to %s: %v", e.Field, e.Model, e.From, e.To, e.Err)
	if e.Rule != "" {
		s += " (rule " + e.Rule + ")"
	}
	return s
}

// Unwrap returns the error with its code, and the cause.
func (e *RecordError) Unwrap() []error {
	return []error{&adapter.Error{Code: adapter.InvalidArgument, Model: e.Model, Field: e.Field, Message: fmt.Sprintf("%v (from %s to %s)", e.Err, e.From, e.To)}, e.Err}
}

// runner runs one program over one record at a time.
type runner struct {
	p     *program
	opts  *Options
	ctx   context.Context
	model string

	vals   []any // by slot
	old    []any // of the operation at hand
	new    []any
	try    []any
	altOld []any
	altNew []any
	c      call

	kept   []Kept
	side   []movedSide
	at     int // the hop at hand, its place in the path
	back   *Back
	unfits []unfitField // what the schema lacks, by name

	trace   *trace   // nil where nobody counts
	through []*entry // fields that no operation takes
	passed  []string // fields that no rule names
}

func newRunner(p *program, opts *Options, model string) *runner {
	r := &runner{p: p, opts: opts, model: model, vals: make([]any, p.slots)}
	w := p.widest
	buf := make([]any, 5*w)
	r.old, r.new, r.try, r.altOld, r.altNew = buf[:w], buf[w:2*w], buf[2*w:3*w], buf[3*w:4*w], buf[4*w:]
	r.c.run = r
	return r
}

func (r *runner) reset(ctx context.Context) {
	r.ctx = ctx
	clearTo(r.vals)
	r.kept, r.side = nil, nil
	r.unfits, r.through, r.passed = r.unfits[:0], r.through[:0], r.passed[:0]
	if r.trace != nil {
		r.trace.reset()
	}
}

func clearTo(values []any) {
	for i := range values {
		values[i] = absent{}
	}
}

func (r *runner) moved(rule *Rule, v any) {
	for _, s := range r.side {
		if s.hop == r.at && s.Model == rule.Model && s.Link == rule.Link {
			s.Values[rule.Side] = v
			return
		}
	}
	r.side = append(r.side, movedSide{hop: r.at, Side: Side{Model: rule.Model, Link: rule.Link, Values: map[string]any{rule.Side: v}}})
}

// movedSide is a side record with the place of the hop that made it.
type movedSide struct {
	Side
	hop int
}

// operate runs the operations, from old values in slots to new ones.
func (r *runner) operate() error {
	for _, o := range r.p.ops {
		if err := r.up(o); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) load(to []any, slots []int) (some bool) {
	for i, s := range slots {
		v := r.vals[s]
		to[i] = v
		if !isAbsent(v) {
			some = true
		}
	}
	return some
}

func (r *runner) up(o *op) error {
	old := r.old[:len(o.in)]
	some := r.load(old, o.in)
	if !some && (r.opts.Partial || !o.fills) {
		if r.trace != nil {
			r.trace.wait(o)
		}
		return nil
	}
	if o.drop {
		r.lose(o, old[0])
		return nil
	}
	new := r.new[:len(o.out)]
	alt := r.choose(o, old)
	r.c.fate, r.c.ask, r.c.via, r.at = Carried, false, absent{}, o.place
	if alt == nil {
		copy(new, old)
	} else if err := r.act(o, alt, old, new); err != nil {
		return r.fail(o, alt, err)
	}
	for i, s := range o.out {
		r.vals[s] = new[i]
	}
	if r.trace != nil {
		acted := alt != nil
		r.trace.follow(o, alt, old, new, r.c.fate, acted && (r.c.ask || (some && (o.person || alt.asks(old)))))
	}
	if r.opts.NoResidue {
		return nil
	}
	r.keep(o, old, new)
	return nil
}

// lose does what an operation does that only drops a field.
func (r *runner) lose(o *op, v any) {
	if r.trace != nil && (o.person || o.alts[0].person) {
		r.trace.join(r.trace.persons, o.in[0])
	}
	if !r.opts.NoResidue {
		r.kept = append(r.kept, Kept{At: o.at, Rule: o.key, Old: map[string]any{o.old[0]: v}})
	}
}

// keep adds to the residue what going down would not give.
func (r *runner) keep(o *op, old, new []any) {
	got := r.try[:len(o.in)]
	fate, ask := r.c.fate, r.c.ask
	err := r.undo(o, new, got)
	r.c.fate, r.c.ask = fate, ask
	all := err != nil || o.always
	var k *Kept
	for i, v := range old {
		if !all && same(v, got[i]) {
			continue
		}
		if k == nil {
			r.kept = append(r.kept, Kept{At: o.at, Rule: o.key, Old: make(map[string]any, 1), New: present(o.new, new)})
			k = &r.kept[len(r.kept)-1]
		}
		if isAbsent(v) {
			k.Gone = append(k.Gone, o.old[i])
		} else {
			k.Old[o.old[i]] = v
		}
	}
}

// present makes a record of the values that are there.
func present(names []string, values []any) map[string]any {
	if len(names) == 0 {
		return nil
	}
	m := make(map[string]any, len(names))
	for i, v := range values {
		if !isAbsent(v) {
			m[names[i]] = v
		}
	}
	return m
}

// choose returns the alternative that acts on the record, nil for none.
func (r *runner) choose(o *op, old []any) *alternative {
	for i := range o.alts {
		if a := &o.alts[i]; r.holds(a, old) {
			return a
		}
	}
	return nil
}

func (r *runner) holds(a *alternative, old []any) bool {
	for i := range a.when {
		c := &a.when[i]
		v := r.vals[c.slot]
		if c.place >= 0 {
			v = old[c.place]
		}
		if !c.holds(v) {
			return false
		}
	}
	return true
}

func (c *condition) holds(v any) bool {
	if c.test.Empty != nil {
		return empty(v) == *c.test.Empty
	}
	k, ok := scalarKey(v)
	return (ok && c.keys[k]) != c.test.Not
}

// act runs an alternative on the old values.
func (r *runner) act(o *op, a *alternative, old, new []any) error {
	if a.via >= 0 {
		r.c.via = r.vals[a.via]
	}
	if !o.conditional {
		clearTo(new)
		return a.act.up(&r.c, old, new)
	}
	altOld, altNew := r.altOld[:len(a.in)], r.altNew[:len(a.out)]
	clearTo(altNew)
	copy(new, old)
	for i, at := range a.in {
		altOld[i] = old[at]
		new[at] = absent{}
	}
	if err := a.act.up(&r.c, altOld, altNew); err != nil {
		return err
	}
	for i, at := range a.out {
		new[at] = altNew[i]
	}
	return nil
}

// undo takes new values back to old ones, without residue.
func (r *runner) undo(o *op, new, old []any) error {
	r.c.free, r.c.gone = false, r.c.gone[:0]
	clearTo(old)
	some := slices.ContainsFunc(new, func(v any) bool { return !isAbsent(v) })
	if !some && (r.opts.Partial || !o.fills) && len(o.out) > 0 {
		return nil
	}
	if !o.conditional {
		return o.alts[0].act.down(&r.c, new, old)
	}
	for i := range o.alts {
		a := &o.alts[i]
		clearTo(old)
		altOld, altNew := r.altOld[:len(a.in)], r.altNew[:len(a.out)]
		clearTo(altOld)
		copy(old, new)
		for j, at := range a.out {
			altNew[j] = new[at]
			old[at] = absent{}
		}
		r.c.free, r.c.gone = false, r.c.gone[:0]
		err := a.act.down(&r.c, altNew, altOld)
		for j, at := range a.in {
			old[at] = altOld[j]
		}
		for j, g := range r.c.gone {
			r.c.gone[j] = a.in[g]
		}
		if r.choose(o, old) == a {
			return err
		}
	}
	r.c.free, r.c.gone = false, r.c.gone[:0]
	copy(old, new)
	return nil
}

func (r *runner) fail(o *op, a *alternative, err error) error {
	if code := adapter.CodeOf(err); code != adapter.Internal {
		return err // a lookup's own, or the context's
	}
	e := &RecordError{Model: r.model, From: o.hop.From, To: o.hop.To, Err: err}
	if len(o.old) > 0 {
		e.Field = o.old[0]
	}
	if a != nil {
		e.Rule = a.rule.String()
		if len(a.rule.From) > 0 {
			e.Field = a.rule.From[0]
		}
	}
	return e
}

// restore runs the operations backwards, with what the residue kept.
func (r *runner) restore(residue *Residue) error {
	for _, o := range r.p.back {
		if err := r.down(o, residue); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) down(o *op, residue *Residue) error {
	new, old := r.new[:len(o.out)], r.old[:len(o.in)]
	r.load(new, o.out)
	k := residue.find(o.at, o.key)
	if k != nil && !k.fits(o.new, new) {
		k = nil // changed since: the change wins
	}
	if err := r.undo(o, new, old); err != nil && k == nil {
		return r.fail(o, &o.alts[0], err)
	}
	if k != nil {
		for i, name := range o.old {
			if v, ok := k.Old[name]; ok {
				old[i] = v
			} else if slices.Contains(k.Gone, name) {
				old[i] = absent{}
			}
		}
	}
	for i, s := range o.in {
		r.vals[s] = old[i]
	}
	if residue == nil && r.back != nil {
		r.say(o, old)
	}
	return nil
}

// say notes what going down without residue made up or could not have back.
func (r *runner) say(o *op, old []any) {
	for _, i := range r.c.gone {
		r.back.Missing = addOnce(r.back.Missing, o.old[i])
	}
	if r.c.free {
		for i, v := range old {
			if !isAbsent(v) {
				r.back.MadeUp = addOnce(r.back.MadeUp, o.old[i])
			}
		}
	}
}

func addOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// upRecord runs the program on a decoded record.
func (r *runner) upRecord(ctx context.Context, rec adapter.Record) (adapter.Record, error) {
	r.reset(ctx)
	out := make(adapter.Record, len(rec)+len(r.p.made))
	for name, v := range rec {
		e := r.p.in[name]
		if e == nil {
			if r.p.fit != nil && !r.p.fit.Has(name) {
				r.unfits = append(r.unfits, unfitField{name, v})
				continue
			}
			out[name] = v
			if r.trace != nil {
				r.passed = append(r.passed, name)
			}
			continue
		}
		if e.store {
			r.vals[e.slot] = v
		}
		if e.to != "" {
			out[e.to] = v
			if r.trace != nil {
				r.through = append(r.through, e)
			}
		}
	}
	if err := r.operate(); err != nil {
		return nil, err
	}
	for i := range r.p.made {
		m := &r.p.made[i]
		if v := r.vals[m.slot]; !isAbsent(v) {
			out[m.name] = v
		}
	}
	r.keepUnfits()
	return out, nil
}

// unfitField is a field that no rule names and the target's schema lacks.
type unfitField struct {
	name  string
	value any
}

// keepUnfits adds such fields to the residue.
func (r *runner) keepUnfits() {
	slices.SortFunc(r.unfits, func(a, b unfitField) int { return strings.Compare(a.name, b.name) })
	if r.opts.NoResidue {
		return
	}
	for _, u := range r.unfits {
		r.kept = append(r.kept, Kept{At: "fit", Rule: "unfit " + u.name, Old: map[string]any{u.name: u.value}})
	}
}

// downRecord runs the program backwards on a decoded record.
func (r *runner) downRecord(ctx context.Context, rec adapter.Record, residue *Residue) (adapter.Record, error) {
	r.reset(ctx)
	out := make(adapter.Record, len(rec)+len(r.p.undo))
	for name, v := range rec {
		e := r.p.out[name]
		if e == nil {
			out[name] = v
			continue
		}
		if e.store {
			r.vals[e.slot] = v
		}
		if e.to != "" {
			out[e.to] = v
		}
	}
	if err := r.restore(residue); err != nil {
		return nil, err
	}
	for i := range r.p.undo {
		u := &r.p.undo[i]
		if v := r.vals[u.slot]; !isAbsent(v) {
			out[u.name] = v
		}
	}
	if r.back != nil {
		for _, l := range r.p.lost {
			if !isAbsent(r.vals[l.slot]) {
				r.back.Lost = addOnce(r.back.Lost, l.name)
			}
		}
	}
	if residue != nil && r.p.fit != nil {
		for _, k := range residue.Kept {
			if k.At == "fit" && len(k.Rule) > 6 && k.Rule[:6] == "unfit " {
				for name, v := range k.Old {
					out[name] = v
				}
			}
		}
	}
	return out, nil
}

// count has the runner keep account of the fields of records.
func (r *runner) count() {
	if r.trace == nil {
		r.trace = newTrace(r.p)
	}
}

// asks reports whether a person must look at a field that no operation takes.
func (r *runner) asks(e *entry) bool {
	return slices.ContainsFunc(r.p.asks, func(a ask) bool { return a.entry == e && a.holds(r.vals[e.slot]) })
}

// askedBefore reports whether a wish before the i-th asked about the same value.
func (r *runner) askedBefore(i int) bool {
	e := r.p.asks[i].entry
	return slices.ContainsFunc(r.p.asks[:i], func(a ask) bool { return a.entry == e && a.holds(r.vals[e.slot]) })
}
