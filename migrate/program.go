package migrate

import (
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// program is what a chain of hops does with the fields of a model: where each
// field of the old record ends, and the operations in between, over numbered
// slots. Every value that a field has on its way is one slot, and renames are
// no operation at all: the field's slot has another name at the end.
type program struct {
	slots int
	in    map[string]*entry // by the old name
	out   map[string]*entry // by the new name
	ops   []*op             // in the order of the hops
	back  []*op             // the order of going down
	made  []result          // of operations going up: slot and new name
	undo  []result          // of operations going down: slot and old name
	lost  []result          // slots of names that only the new side knows, with the new name at their hop
	// fit is the schema that new records must suit, nil where none was given.
	fit *adapter.Schema
	// keys says that nothing but names changes: fields are renamed and removed.
	keys   bool
	taken  []*entry // those that operations take, by place
	asks   []ask
	widest int // the most fields that an operation takes or gives
}

type result struct {
	slot int
	name string
	json []byte // `"name":`
}

// entry says where the value of a field goes.
type entry struct {
	index int    // its place in tallies
	name  string // on this side
	slot  int
	to    string // its name on the other side, "" where an operation takes it
	json  []byte // `"to":`
	store bool   // an operation or a condition reads it
	value bool   // its value is looked at, not only kept
}

// ask is a rule's wish for a person's look at a value that the rule passes on.
type ask struct {
	slot  int
	on    *condition // nil: at any value
	entry *entry     // whose value it is, where no operation takes it; else nil
}

func (a *ask) holds(v any) bool { return a.on == nil || a.on.holds(decoded(v)) }

// op is one operation of a hop: a group of alternative rules, or the loss of a
// displaced field.
type op struct {
	index int
	hop   *Hop
	place int    // of the hop in the path
	at    string // version it starts from
	key   string
	in    []int // slots, and their names at either end of the hop
	out   []int
	old   []string
	new   []string
	alts  []alternative
	// conditional operations let the fields pass where no alternative acts.
	conditional bool
	// fills says that the operation may make something of nothing.
	fills bool
	// always keeps the old values, because going down can't know the fields
	// that the conditions look at.
	always bool
	person bool
	drop   bool // it does nothing but lose a field
}

// drops reports whether the operation does nothing but lose a field.
func (o *op) drops() bool {
	return len(o.out) == 0 && len(o.in) == 1 && !o.conditional && o.alts[0].rule.Verb == Remove && o.alts[0].ask == nil && !o.fills
}

type alternative struct {
	rule    *Rule
	act     action
	when    []condition
	in, out []int      // places in the op's in and out
	via     int        // slot of the rule's Via field, -1 without
	person  bool       // the rule asks for a person,
	ask     *condition // where its first old field is so; nil: always
}

// condition is a test with the slot of its field and, where the operation
// itself takes the field, its place among the old values.
type condition struct {
	test  Test
	keys  map[scalar]bool
	slot  int
	place int
}

// leg is a hop with what it does to the model at hand.
type leg struct {
	hop    *Hop
	model  *Model
	rules  []*Rule
	target string // the model's name after it
	place  int    // in the path
	extra  bool   // not a hop of the pack: the fitting to a schema
}

// builder makes a program.
type builder struct {
	p     *program
	bound map[string]int // name to slot at the boundary between two hops
	funcs map[string]Func
	dead  map[int]string // slots that nothing fills going up
}

func (b *builder) slot() int { b.p.slots++; return b.p.slots - 1 }

// newProgram compiles legs. The rules were checked when the pack was loaded.
func newProgram(legs []leg, funcs map[string]Func, fit *adapter.Schema) *program {
	p := &program{in: map[string]*entry{}, out: map[string]*entry{}, keys: true, fit: fit}
	b := &builder{p: p, bound: map[string]int{}, funcs: funcs, dead: map[int]string{}}
	for _, name := range named(legs) {
		s := b.slot()
		b.bound[name] = s
		p.in[name] = &entry{index: len(p.in), name: name, slot: s}
	}
	for _, l := range legs {
		b.leg(l)
	}
	reads, values := map[int]bool{}, map[int]bool{}
	for _, o := range p.ops {
		for _, s := range o.in {
			reads[s] = true
		}
		for _, s := range o.out {
			reads[s] = true
		}
		o.drop = o.drops()
		p.keys = p.keys && o.drop
		p.widest = max(p.widest, len(o.in), len(o.out))
		if !o.drop {
			for _, s := range o.in {
				values[s] = true
			}
		}
		for _, a := range o.alts {
			if a.via >= 0 {
				reads[a.via] = true
				values[a.via] = true
			}
			for _, c := range a.when {
				reads[c.slot] = true
				values[c.slot] = true
			}
		}
	}
	for _, a := range p.asks {
		reads[a.slot] = true
		values[a.slot] = values[a.slot] || a.on != nil
	}
	initial := map[int]*entry{}
	for _, e := range p.in {
		initial[e.slot] = e
		e.store, e.value = reads[e.slot], values[e.slot]
	}
	for _, name := range slices.Sorted(maps.Keys(b.bound)) {
		s := b.bound[name]
		o := &entry{index: len(p.out), name: name, slot: s, store: reads[s], value: values[s]}
		p.out[name] = o
		if e := initial[s]; e != nil {
			e.to, e.json = name, key(name)
			o.to, o.json = e.name, key(e.name)
		} else if b.dead[s] == "" {
			p.made = append(p.made, result{slot: s, name: name, json: key(name)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.in)) {
		if e := p.in[name]; e.to == "" {
			p.undo = append(p.undo, result{slot: e.slot, name: name, json: key(name)})
			p.taken = append(p.taken, e)
		}
	}
	for i := range p.asks {
		if e := initial[p.asks[i].slot]; e != nil && e.to != "" {
			p.asks[i].entry = e
		}
	}
	for _, s := range slices.Sorted(maps.Keys(b.dead)) {
		p.lost = append(p.lost, result{slot: s, name: b.dead[s]})
		for _, o := range p.out {
			if o.slot == s {
				o.store = true
			}
		}
	}
	return p
}

// named are all names that the rules speak of, sorted.
func named(legs []leg) []string {
	set := map[string]bool{}
	for _, l := range legs {
		for _, r := range l.rules {
			for _, f := range r.From {
				set[f] = true
			}
			for _, f := range r.To {
				set[f] = true
			}
			if r.Via != "" {
				set[r.Via] = true
			}
			for _, t := range r.When {
				set[t.Field] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func (b *builder) leg(l leg) {
	grouped, _ := groups(acting(l.rules))
	for _, r := range l.rules {
		if r.Verb == Meaning && (r.Person || l.model.Person) {
			b.p.asks = append(b.p.asks, ask{slot: b.bound[r.Via], on: asking(r)})
		}
	}
	takes, gives := map[string]bool{}, map[string]bool{}
	var ops []*op
	next := map[string]int{}
	for _, g := range grouped {
		old, new := fieldsOf(g)
		for _, f := range old {
			takes[f] = true
		}
		for _, f := range new {
			gives[f] = true
		}
		if g[0].Verb == Rename && len(g[0].When) == 0 {
			next[new[0]] = b.bound[old[0]]
			if g[0].Person {
				b.p.asks = append(b.p.asks, ask{slot: b.bound[old[0]], on: asking(g[0])})
			}
			continue
		}
		ops = append(ops, b.op(l, g, old, new, next))
	}
	for _, name := range slices.Sorted(maps.Keys(b.bound)) {
		switch {
		case takes[name]:
			if !gives[name] {
				s := b.slot()
				b.dead[s] = name
				next[name] = s
			}
		case gives[name]:
			ops = append(ops, &op{
				hop: l.hop, place: l.place, at: l.hop.From, key: "displaced " + name, in: []int{b.bound[name]}, old: []string{name},
				alts: []alternative{{rule: &Rule{Verb: Remove, From: []string{name}, Pos: l.model.Pos}, act: removeAction{rule: &Rule{}, displaced: true}, in: []int{0}, via: -1}},
			})
		default:
			next[name] = b.bound[name]
		}
	}
	for _, o := range ops {
		o.index = len(b.p.ops)
		b.p.ops = append(b.p.ops, o)
	}
	b.p.back = slices.Concat(backwards(ops), b.p.back)
	b.bound = next
}

// acting leaves out the rules that do nothing to a record.
func acting(rules []*Rule) []*Rule {
	return slices.DeleteFunc(slices.Clone(rules), func(r *Rule) bool { return r.Verb == Meaning })
}

// fieldsOf are the fields that a group of rules takes and gives.
func fieldsOf(group []*Rule) (old, new []string) {
	if len(group) == 1 && len(group[0].When) == 0 {
		return group[0].From, group[0].To
	}
	set := map[string]bool{}
	for _, r := range group {
		for _, f := range slices.Concat(r.From, r.To) {
			set[f] = true
		}
	}
	all := slices.Sorted(maps.Keys(set))
	return all, all
}

func (b *builder) op(l leg, group []*Rule, old, new []string, next map[string]int) *op {
	o := &op{hop: l.hop, place: l.place, at: l.hop.From, key: group[0].Key, old: old, new: new, conditional: len(group) > 1 || len(group[0].When) > 0}
	if l.extra {
		o.at = "fit"
	}
	for _, f := range old {
		o.in = append(o.in, b.bound[f])
	}
	for _, f := range new {
		s := b.slot()
		next[f] = s
		o.out = append(o.out, s)
	}
	for _, r := range group {
		a := alternative{rule: r, act: actionOf(r, l.hop, b.funcs), via: -1}
		for _, f := range r.From {
			a.in = append(a.in, slices.Index(old, f))
		}
		for _, f := range r.To {
			a.out = append(a.out, slices.Index(new, f))
		}
		if r.Via != "" {
			a.via = b.bound[r.Via]
		}
		for _, t := range r.When {
			a.when = append(a.when, condition{test: t, keys: keysOf(t.Values), slot: b.bound[t.Field], place: slices.Index(old, t.Field)})
		}
		switch r.Verb {
		case Constant, Default, Add, LookupOf, Custom:
			o.fills = true
		case Remove:
			o.fills = o.fills || r.HasBack
		case Table:
			for _, row := range r.Values {
				o.fills = o.fills || !slices.ContainsFunc(row.From, func(v any) bool { return v != nil })
			}
		}
		o.person = o.person || l.model.Person
		a.person, a.ask = r.Person, asking(r)
		o.alts = append(o.alts, a)
	}
	return o
}

// asking is the condition on which a rule asks for a person, nil if always.
func asking(r *Rule) *condition {
	if r.PersonIf == nil {
		return nil
	}
	return &condition{test: *r.PersonIf, keys: keysOf(r.PersonIf.Values)}
}

// asks reports whether the rule needs a person for these old values.
func (a *alternative) asks(old []any) bool {
	return a.person && (a.ask == nil || (len(a.in) > 0 && a.ask.holds(old[a.in[0]])))
}

func keysOf(values []any) map[scalar]bool {
	keys := make(map[scalar]bool, len(values))
	for _, v := range values {
		if k, ok := scalarKey(v); ok {
			keys[k] = true
		}
	}
	return keys
}

// backwards orders the operations of one hop for going down: those whose old
// fields the conditions of others look at come first. What is left in a circle
// keeps its old values always.
func backwards(ops []*op) []*op {
	owner := map[int]*op{}
	for _, o := range ops {
		for _, s := range o.in {
			owner[s] = o
		}
	}
	var order []*op
	placed := map[*op]bool{}
	for len(order) < len(ops) {
		before := len(order)
		for _, o := range ops {
			if placed[o] {
				continue
			}
			ready := true
			for _, a := range o.alts {
				for _, c := range a.when {
					if dep := owner[c.slot]; dep != nil && dep != o && !placed[dep] {
						ready = false
					}
				}
			}
			if ready {
				placed[o] = true
				order = append(order, o)
			}
		}
		if len(order) == before {
			for _, o := range ops {
				if !placed[o] {
					o.always = true
					placed[o] = true
					order = append(order, o)
				}
			}
		}
	}
	return order
}

// key is a field's name as the key of a JSON object.
func key(name string) []byte { return append(quoted(name), ':') }
