package migrate

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// tally counts what becomes of fields, for one goroutine.
type tally struct {
	record int64   // place of the record at hand
	run    *runner // what ran it, nil where the model is split on the way
	way    []passage
	asked  bool // the record at hand needs a person
	nodes  map[*node]*nodeTally
	at     *nodeTally
	named  map[lineKey]*line

	records, migrated, residues, persons int64
}

// lineKey is what is counted together where fields are known by name alone.
type lineKey struct {
	field, to string
	fate      Fate
}

// nodeTally counts the fields of one program.
type nodeTally struct {
	prog    *program
	entries []int64   // by their index
	taken   [][]*line // by the field's place
	made    [][]*line
	asked   []line // by the place among the program's asks
	others  map[string]int64
}

type line struct {
	fate    Fate
	to      []int32 // places among the made fields
	count   int64
	samples []Sample
}

func newTally() *tally { return &tally{nodes: map[*node]*nodeTally{}, named: map[lineKey]*line{}} }

// enter prepares for records of a node's program.
func (t *tally) enter(n *node) {
	t.at = t.nodes[n]
	if t.at == nil {
		p := n.prog
		t.at = &nodeTally{prog: p, entries: make([]int64, len(p.in)), taken: make([][]*line, len(p.taken)), made: make([][]*line, len(p.made)), asked: make([]line, len(p.asks)), others: map[string]int64{}}
		t.nodes[n] = t.at
	}
}

// begin starts the account of the record at a place.
func (t *tally) begin(place int64) {
	t.record, t.run, t.way, t.asked = place, nil, nil, false
}

// end closes it. Fields are counted where the record was migrated.
func (t *tally) end(migrated, residue bool) {
	t.records++
	if !migrated {
		return
	}
	if t.run != nil {
		t.fields(t.run)
	}
	for _, p := range t.way {
		t.passage(p)
	}
	t.migrated++
	if residue {
		t.residues++
	}
	if t.asked {
		t.persons++
	}
}

func (t *tally) add(l *line, v any) {
	l.count++
	if len(l.samples) < mostSamples && l.fate != Carried {
		l.samples = append(l.samples, Sample{Record: t.record, Value: clipped(v)})
	}
}

// fields counts the fields of the record that r ran last.
func (t *tally) fields(r *runner) {
	at := t.at
	r.settle(func(a account) {
		lines := &at.made
		i := int(a.made)
		if a.field >= 0 {
			lines, i = &at.taken, a.field
		}
		if a.fate != "" {
			t.add(find(&(*lines)[i], a.fate, a.to), a.value)
		}
		if a.person {
			t.asked = true
			t.add(find(&(*lines)[i], NeedsPerson, a.to), a.value)
		}
	})
	for i := range r.p.asks {
		ask := &r.p.asks[i]
		if ask.entry == nil {
			continue
		}
		if v := r.vals[ask.slot]; !isAbsent(v) && ask.holds(v) && !r.askedBefore(i) {
			t.asked = true
			at.asked[i].fate = NeedsPerson
			t.add(&at.asked[i], v)
		}
	}
	for _, e := range r.through {
		at.entries[e.index]++
	}
	for _, name := range r.passed {
		t.other(name, 1)
	}
	for _, u := range r.unfits {
		t.passage(passage{field: u.name, fate: Dropped, value: u.value})
	}
}

func find(lines *[]*line, fate Fate, to []int32) *line {
	for _, l := range *lines {
		if l.fate == fate && slices.Equal(l.to, to) {
			return l
		}
	}
	l := &line{fate: fate, to: slices.Clone(to)}
	*lines = append(*lines, l)
	return l
}

// passage counts a field by names.
func (t *tally) passage(p passage) {
	to := strings.Join(p.to, ", ")
	if p.fate != "" {
		t.name(p.field, to, p.fate, p.value)
	}
	if p.person {
		t.asked = true
		t.name(p.field, to, NeedsPerson, p.value)
	}
}

func (t *tally) name(field, to string, fate Fate, v any) {
	k := lineKey{field, to, fate}
	l := t.named[k]
	if l == nil {
		if len(t.named) >= mostOthers {
			k = lineKey{field: "...", fate: fate}
			if l = t.named[k]; l == nil {
				l = &line{fate: fate}
				t.named[k] = l
			}
		} else {
			l = &line{fate: fate}
			t.named[k] = l
		}
	}
	t.add(l, v)
}

// mostOthers bounds the names of fields that are counted one by one.
const mostOthers = 20_000

// other counts fields that no rule names.
func (t *tally) other(name string, n int64) {
	if _, known := t.at.others[name]; !known && len(t.at.others) >= mostOthers {
		name = "..."
	}
	t.at.others[name] += n
}

// back counts what going down said.
func (t *tally) back(b Back) {
	for _, f := range b.MadeUp {
		t.name("", f, Defaulted, b.Record[f])
	}
	for _, f := range b.Lost {
		t.name(f, "", Dropped, nil)
	}
}

// report turns the counts into a report's lines.
func (t *tally) report(source *adapter.Schema) []FieldReport {
	var out []FieldReport
	put := func(f FieldReport) {
		if f.Fate == Carried && source != nil && !source.Has(f.Field) {
			f.Fate = Unknown
		}
		out = append(out, f)
	}
	for _, n := range t.nodes {
		for _, e := range n.prog.in {
			if c := n.entries[e.index]; c > 0 {
				f := FieldReport{Field: e.name, To: e.to, Fate: Carried, Count: c}
				if e.name != e.to {
					f.Fate = Renamed
				}
				put(f)
			}
		}
		for name, c := range n.others {
			put(FieldReport{Field: name, To: name, Fate: Carried, Count: c})
		}
		for i, lines := range n.taken {
			for _, l := range lines {
				names := make([]string, len(l.to))
				for j, m := range l.to {
					names[j] = n.prog.made[m].name
				}
				put(FieldReport{Field: n.prog.taken[i].name, To: strings.Join(names, ", "), Fate: l.fate, Count: l.count, Samples: l.samples})
			}
		}
		for i, lines := range n.made {
			for _, l := range lines {
				put(FieldReport{To: n.prog.made[i].name, Fate: l.fate, Count: l.count, Samples: l.samples})
			}
		}
		for i, l := range n.asked {
			if l.count > 0 {
				e := n.prog.asks[i].entry
				put(FieldReport{Field: e.name, To: e.to, Fate: l.fate, Count: l.count, Samples: l.samples})
			}
		}
	}
	for k, l := range t.named {
		put(FieldReport{Field: k.field, To: k.to, Fate: k.fate, Count: l.count, Samples: l.samples})
	}
	return out
}

// clipped shortens a value that is too long for a sample.
func clipped(v any) any {
	const most = 200
	switch v := v.(type) {
	case string:
		if len(v) > most {
			return strings.ToValidUTF8(v[:most], "") + "..."
		}
		return v
	case nil, bool, json.Number:
		return v
	}
	b, err := json.Marshal(v)
	if err != nil || len(b) > most {
		return brief(v)
	}
	return json.RawMessage(b)
}
