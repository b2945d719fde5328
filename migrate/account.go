package migrate

import (
	"math/bits"
	"slices"
)

// trace follows where the values of a record's fields go, so that each field
// of the old record has one line in the report however many operations it
// passes. Every slot has a set of the fields whose values became its value;
// the field with place i among those that operations take is bit i+1, bit 0
// says that a person must fill the slot.
type trace struct {
	words                                int
	sets                                 []uint64 // by slot, words for each
	converted, defaulted, moved, persons []uint64 // fields that met this on their way
	all                                  []uint64 // what the above are parts of
	start                                []uint64 // all, before a record
	ends                                 [][]int32
	buf                                  []int
}

func newTrace(p *program) *trace {
	w := (len(p.taken) + 64) / 64 // bit 0 is no field's
	t := &trace{words: w, all: make([]uint64, (p.slots+4)*w), start: make([]uint64, (p.slots+4)*w), ends: make([][]int32, len(p.taken)), buf: make([]int, 0, p.widest)}
	for i, e := range p.taken {
		t.start[e.slot*w+(i+1)/64] |= 1 << ((i + 1) % 64)
	}
	rest := t.all[p.slots*w:]
	t.sets = t.all[:p.slots*w]
	t.converted, t.defaulted, t.moved, t.persons = rest[:w], rest[w:2*w], rest[2*w:3*w], rest[3*w:]
	return t
}

func (t *trace) reset() { copy(t.all, t.start) }

// fieldBits are the bits of a word of a set that stand for fields.
func fieldBits(word int, set uint64) uint64 {
	if word == 0 {
		return set &^ 1
	}
	return set
}

// follow notes what an operation did with the values of its fields. alt is the
// alternative that acted, nil where none did.
func (t *trace) follow(o *op, alt *alternative, old, new []any, fate Fate, ask bool) {
	if fate == NeedsPerson {
		fate, ask = Defaulted, true
	}
	fields := false // whether fields of the old record are among those taken
	for i, v := range old {
		in := o.in[i]
		there := !isAbsent(v)
		f, to := fate, o.out
		if len(old) > 1 {
			f, to = o.destiny(alt, i, v, new, fate, t.buf[:0])
		}
		for w := range t.words {
			set := t.sets[in*t.words+w]
			if !there {
				if set &= 1; w > 0 {
					break
				}
			}
			if set == 0 {
				continue
			}
			fields = fields || fieldBits(w, set) != 0
			switch f {
			case Converted:
				t.converted[w] |= set
			case Defaulted:
				t.defaulted[w] |= set
			case Moved:
				t.moved[w] |= set
			}
			if ask {
				t.persons[w] |= set
			}
			if f == Dropped || f == Moved {
				continue
			}
			for _, s := range to {
				t.sets[s*t.words+w] |= set
			}
		}
	}
	if ask && !fields {
		for _, s := range o.out {
			t.sets[s*t.words] |= 1
		}
	}
}

// wait passes the wish for a person on where an operation had nothing to do.
func (t *trace) wait(o *op) {
	for _, in := range o.in {
		if t.sets[in*t.words]&1 == 0 {
			continue
		}
		for _, s := range o.out {
			t.sets[s*t.words] |= 1
		}
	}
}

func (t *trace) join(to []uint64, slot int) {
	for w := range t.words {
		to[w] |= t.sets[slot*t.words+w]
	}
}

// destiny is the fate of one among several old values of an operation, and the
// slots that it went to.
func (o *op) destiny(alt *alternative, i int, v any, new []any, fate Fate, to []int) (Fate, []int) {
	at := slices.Index(o.new, o.old[i])
	if at >= 0 && same(v, new[at]) {
		return Carried, append(to, o.out[at])
	}
	if alt == nil || !slices.Contains(alt.in, i) {
		return Dropped, nil // another field's value took its place
	}
	if fate != Carried {
		for _, j := range alt.out {
			to = append(to, o.out[j])
		}
		return fate, to
	}
	for _, j := range alt.out {
		if same(v, new[j]) {
			to = append(to, o.out[j])
		}
	}
	if len(to) == 0 {
		return Dropped, nil
	}
	return Renamed, to
}

// account is what became of one field of the old record, or of one that a rule
// made.
type account struct {
	field  int     // place among the fields that operations take, -1 for a made one
	made   int32   // place among the made fields, where field is -1
	fate   Fate    // "" for a field that nothing made, and a person must
	person bool    // a person must decide
	to     []int32 // places among the made fields, in order
	value  any     // the old record's value, or the made one
}

// settle gives the account of every field that operations took or made.
func (r *runner) settle(each func(a account)) {
	t := r.trace
	for _, ask := range r.p.asks {
		v := r.vals[ask.slot]
		if ask.entry != nil || isAbsent(v) || !ask.holds(v) {
			continue
		}
		fields := false
		for w := range t.words {
			set := fieldBits(w, t.sets[ask.slot*t.words+w])
			t.persons[w] |= set
			fields = fields || set != 0
		}
		if !fields {
			t.sets[ask.slot*t.words] |= 1
		}
	}
	for i := range t.ends {
		t.ends[i] = t.ends[i][:0]
	}
	for m := range r.p.made {
		slot := r.p.made[m].slot
		v := r.vals[slot]
		there := !isAbsent(v)
		ghost := t.sets[slot*t.words]&1 != 0
		fields := false
		for w := range t.words {
			set := fieldBits(w, t.sets[slot*t.words+w])
			if set == 0 {
				continue
			}
			fields = true
			if ghost {
				t.persons[w] |= set
			}
			for there && set != 0 {
				i := w*64 + bits.TrailingZeros64(set) - 1
				set &= set - 1
				t.ends[i] = append(t.ends[i], int32(m))
			}
		}
		switch {
		case fields:
		case there:
			each(account{field: -1, made: int32(m), fate: Defaulted, person: ghost, value: v})
		case ghost:
			each(account{field: -1, made: int32(m), person: true})
		}
	}
	has := func(set []uint64, i int) bool { return set[(i+1)/64]>>((i+1)%64)&1 != 0 }
	for i, e := range r.p.taken {
		v := r.vals[e.slot]
		if isAbsent(v) {
			continue
		}
		a := account{field: i, to: t.ends[i], value: v, person: has(t.persons, i)}
		switch {
		case len(a.to) == 0 && has(t.moved, i):
			a.fate = Moved
		case len(a.to) == 0:
			a.fate = Dropped
		case has(t.defaulted, i):
			a.fate = Defaulted
		case has(t.converted, i):
			a.fate = Converted
		case len(a.to) == 1 && r.p.made[a.to[0]].name == e.name:
			a.fate = Carried
		default:
			a.fate = Renamed
		}
		each(a)
	}
}

// passage is an account by names: what one part of a way through split models
// did with a field.
type passage struct {
	field  string // "" for a made one
	to     []string
	fate   Fate
	person bool
	value  any
}

// passages are the accounts of all fields of the record that r ran last.
func (r *runner) passages(rec map[string]any) []passage {
	var out []passage
	r.settle(func(a account) {
		p := passage{fate: a.fate, person: a.person, value: a.value}
		if a.field < 0 {
			p.to = []string{r.p.made[a.made].name}
		} else {
			p.field = r.p.taken[a.field].name
		}
		for _, m := range a.to {
			p.to = append(p.to, r.p.made[m].name)
		}
		out = append(out, p)
	})
	for _, e := range r.through {
		p := passage{field: e.name, to: []string{e.to}, fate: Carried, person: r.asks(e), value: rec[e.name]}
		if e.name != e.to {
			p.fate = Renamed
		}
		out = append(out, p)
	}
	for _, name := range r.passed {
		out = append(out, passage{field: name, to: []string{name}, fate: Carried})
	}
	for _, u := range r.unfits {
		out = append(out, passage{field: u.name, fate: Dropped, value: u.value})
	}
	return out
}

// onward puts the next part of a way after the parts before it.
func onward(before, next []passage) []passage {
	if before == nil {
		return next
	}
	by := make(map[string]*passage, len(next))
	var out []passage
	for i := range next {
		if p := &next[i]; p.field != "" {
			by[p.field] = p
		}
	}
	for _, p := range before {
		if len(p.to) == 0 {
			out = append(out, p)
			continue
		}
		q := passage{field: p.field, person: p.person, value: p.value, fate: p.fate}
		moved := p.fate == Moved
		for _, name := range p.to {
			n := by[name]
			if n == nil {
				continue // nothing but the wish for a person's decision came by
			}
			q.person = q.person || n.person
			moved = moved || n.fate == Moved
			for _, to := range n.to {
				q.to = addOnce(q.to, to)
			}
			if len(n.to) > 0 && weight(n.fate) > weight(q.fate) {
				q.fate = n.fate
			}
		}
		slices.Sort(q.to)
		switch {
		case p.field == "" && p.fate == "":
			q.to = p.to
		case p.field == "" && len(q.to) == 0:
			continue // made, and gone again
		case len(q.to) == 0 && moved:
			q.fate = Moved
		case len(q.to) == 0:
			q.fate = Dropped
		case weight(q.fate) == 0 && len(q.to) == 1 && q.to[0] == q.field:
			q.fate = Carried
		case weight(q.fate) == 0:
			q.fate = Renamed
		}
		out = append(out, q)
	}
	for _, n := range next {
		if n.field == "" {
			out = append(out, n)
		}
	}
	return out
}

// weight orders the fates of values that arrive: of several the heaviest
// counts.
func weight(f Fate) int { return slices.Index([]Fate{Converted, Defaulted}, f) + 1 }
