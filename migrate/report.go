package migrate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Fate says what became of a field's value.
type Fate string

// The fates.
const (
	Carried     Fate = "carried"      // same name, same value
	Renamed     Fate = "renamed"      // another name, same value
	Converted   Fate = "converted"    // another value that says the same
	Defaulted   Fate = "defaulted"    // made by a rule, from nothing
	Dropped     Fate = "residue"      // not in the new record; the residue has it
	Moved       Fate = "moved"        // in a side record
	Unknown     Fate = "unknown"      // carried, though the old version's schema does not have it
	NeedsPerson Fate = "needs_person" // a person must decide; counted besides the other fates
)

var fates = []Fate{Carried, Renamed, Converted, Defaulted, Dropped, Moved, Unknown, NeedsPerson}

func fateIndex(f Fate) int { return slices.Index(fates, f) }

var fateNeedsPerson = int8(fateIndex(NeedsPerson))

// Report is the account of a run: every field of every record is in it. The
// fields of a refused record count as far as the run got with it.
type Report struct {
	Model    string        `json:"model"`
	ToModel  string        `json:"to_model,omitempty"`
	From     string        `json:"from_version"`
	To       string        `json:"to_version"`
	Records  int64         `json:"records"`  // read
	Migrated int64         `json:"migrated"` // written
	Residues int64         `json:"residues"` // records that left a residue
	Persons  int64         `json:"persons"`  // records that a person must look at
	Failed   int64         `json:"failed"`   // records that were refused
	Fields   []FieldReport `json:"fields"`   // by name, then fate
	Errors   []RecordFault `json:"errors"`   // the first of them
	Warnings []string      `json:"warnings"` // of the plan
}

// FieldReport counts what became of one field.
type FieldReport struct {
	Field   string   `json:"field,omitempty"` // its old name; "" for one that a rule made
	To      string   `json:"to,omitempty"`    // its new name or names; "" where it has none
	Fate    Fate     `json:"fate"`
	Count   int64    `json:"count"`
	Samples []Sample `json:"samples,omitempty"` // not of fields that pass through
}

// Sample is one of the first values that met a fate.
type Sample struct {
	Record int64 `json:"record"` // its place in the input, from 0
	Value  any   `json:"value"`
}

// RecordFault is a record that could not be migrated.
type RecordFault struct {
	Record  int64      `json:"record"` // its place in the input, from 0
	ID      adapter.ID `json:"id,omitzero"`
	Field   string     `json:"field,omitempty"`
	Message string     `json:"message"`

	err error
}

// mostSamples and mostFaults bound what a report holds besides counts.
const (
	mostSamples = 3
	mostFaults  = 100
)

// Count returns how many values of a field met a fate; an empty field counts
// all fields.
func (r *Report) Count(field string, fate Fate) int64 {
	var n int64
	for _, f := range r.Fields {
		if f.Fate == fate && (field == "" || f.Field == field || (f.Field == "" && f.To == field)) {
			n += f.Count
		}
	}
	return n
}

// String returns the report as a table for people.
func (r *Report) String() string {
	var b strings.Builder
	target := r.ToModel
	if target == "" || target == r.Model {
		target = ""
	} else {
		target = " -> " + target
	}
	fmt.Fprintf(&b, "%s%s, %s to %s: %d records, %d migrated, %d failed, %d with residue, %d for a person\n",
		r.Model, target, r.From, r.To, r.Records, r.Migrated, r.Failed, r.Residues, r.Persons)
	for _, f := range r.Fields {
		name := f.Field
		switch {
		case name == "":
			name = "+ " + f.To
		case f.To != "" && f.To != name:
			name += " -> " + f.To
		}
		fmt.Fprintf(&b, "  %-13s %8d  %s\n", f.Fate, f.Count, name)
	}
	for _, e := range r.Errors {
		fmt.Fprintf(&b, "  record %d: %s\n", e.Record, e.Message)
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "  note: %s\n", w)
	}
	return b.String()
}

func compareFields(a, b FieldReport) int {
	return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.To, b.To), cmp.Compare(fateIndex(a.Fate), fateIndex(b.Fate)))
}

// add counts another report's fields in.
func (r *Report) add(fields []FieldReport) {
	all := slices.Concat(r.Fields, fields)
	slices.SortStableFunc(all, compareFields)
	r.Fields = r.Fields[:0:0]
	for _, f := range all {
		if n := len(r.Fields); n > 0 && compareFields(r.Fields[n-1], f) == 0 {
			last := &r.Fields[n-1]
			last.Count += f.Count
			last.Samples = slices.Concat(last.Samples, f.Samples)
		} else {
			r.Fields = append(r.Fields, f)
		}
	}
	for i := range r.Fields {
		f := &r.Fields[i]
		slices.SortStableFunc(f.Samples, func(a, b Sample) int {
			return cmp.Or(cmp.Compare(a.Record, b.Record), cmp.Compare(brief(a.Value), brief(b.Value)))
		})
		f.Samples = f.Samples[:min(len(f.Samples), mostSamples)]
	}
}

// tally counts what becomes of fields, for one goroutine.
type tally struct {
	record int64 // place of the record at hand
	asked  bool  // the record at hand needs a person
	nodes  map[*node]*nodeTally
	at     *nodeTally

	records, migrated, residues, persons int64
}

// begin starts the account of the record at a place.
func (t *tally) begin(place int64) {
	t.record, t.asked = place, false
}

// end closes it.
func (t *tally) end(migrated, residue bool) {
	t.records++
	if !migrated {
		return
	}
	t.migrated++
	if residue {
		t.residues++
	}
	if t.asked {
		t.persons++
	}
}

type nodeTally struct {
	prog    *program
	entries []int64
	lines   map[lineKey]*line
	others  map[string]int64
}

// lineKey is what is counted together: of an operation a place among its old
// fields, or among its new ones where made is set; of an entry, or of a name.
type lineKey struct {
	op    *op
	entry *entry
	place int32
	made  bool
	fate  int8 // index in fates
	name  string
}

type line struct {
	count   int64
	samples []Sample
}

func newTally() *tally { return &tally{nodes: map[*node]*nodeTally{}} }

func (t *tally) enter(n *node) {
	t.at = t.nodes[n]
	if t.at == nil {
		t.at = &nodeTally{prog: n.prog, entries: make([]int64, len(n.prog.in)), lines: map[lineKey]*line{}, others: map[string]int64{}}
		t.nodes[n] = t.at
	}
}

func (t *tally) count(k lineKey, v any) {
	l := t.at.lines[k]
	if l == nil {
		l = &line{}
		t.at.lines[k] = l
	}
	l.count++
	if len(l.samples) < mostSamples && fates[k.fate] != Carried {
		l.samples = append(l.samples, Sample{Record: t.record, Value: clipped(v)})
	}
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

func (t *tally) entry(e *entry, v any) {
	t.at.entries[e.index]++
	if e.person && (e.ask == nil || e.ask.holds(decoded(v))) {
		t.asked = true
		t.count(lineKey{entry: e, fate: fateNeedsPerson}, v)
	}
}

// mostOthers bounds the names of passing fields that are counted one by one.
const mostOthers = 20_000

func (t *tally) other(name string, _ any) {
	if _, known := t.at.others[name]; !known && len(t.at.others) >= mostOthers {
		name = "..."
	}
	t.at.others[name]++
}

func (t *tally) dropped(name string, v any) {
	t.count(lineKey{name: name, fate: int8(fateIndex(Dropped))}, v)
}

func (t *tally) op(o *op, old, new []any, fate Fate, ask bool) {
	if fate == NeedsPerson {
		fate, ask = Defaulted, true
	}
	some := false
	for i, v := range old {
		if isAbsent(v) {
			continue
		}
		some = true
		f := fate
		if len(o.old) > 1 || o.conditional {
			f = fateOf(o, i, v, new, fate)
		}
		t.count(lineKey{op: o, place: int32(i), fate: int8(fateIndex(f))}, v)
		if ask {
			t.count(lineKey{op: o, place: int32(i), fate: fateNeedsPerson}, v)
		}
	}
	if some {
		t.asked = t.asked || ask
		return
	}
	for i, v := range new {
		if !isAbsent(v) {
			t.count(lineKey{op: o, place: int32(i), made: true, fate: int8(fateIndex(Defaulted))}, v)
		}
	}
	if ask {
		t.asked = true
		for i := range o.new {
			t.count(lineKey{op: o, place: int32(i), made: true, fate: fateNeedsPerson}, nil)
		}
	}
}

// back counts what going down said.
func (t *tally) back(b Back) {
	if t.at == nil {
		t.at = &nodeTally{prog: &program{}, lines: map[lineKey]*line{}, others: map[string]int64{}}
		t.nodes[nil] = t.at
	}
	for _, f := range b.MadeUp {
		t.count(lineKey{name: f, made: true, fate: int8(fateIndex(Defaulted))}, b.Record[f])
	}
	for _, f := range b.Lost {
		t.count(lineKey{name: f, fate: int8(fateIndex(Dropped))}, nil)
	}
}

// fateOf is the fate of one among several fields of an operation.
func fateOf(o *op, i int, v any, new []any, fate Fate) Fate {
	if at := slices.Index(o.new, o.old[i]); at >= 0 && same(v, new[at]) {
		return Carried
	}
	if fate != Carried {
		return fate
	}
	if slices.ContainsFunc(new, func(n any) bool { return same(v, n) }) {
		return Renamed
	}
	return Dropped
}

// fields turns the counts into a report's lines.
func (t *tally) fields(source *adapter.Schema) []FieldReport {
	var out []FieldReport
	known := func(f FieldReport) FieldReport {
		if f.Fate == Carried && source != nil && !source.Has(f.Field) {
			f.Fate = Unknown
		}
		return f
	}
	for _, n := range t.nodes {
		for _, e := range n.prog.in {
			if c := n.entries[e.index]; c > 0 {
				f := FieldReport{Field: e.name, To: e.to, Fate: Carried, Count: c}
				if e.name != e.to {
					f.Fate = Renamed
				}
				out = append(out, known(f))
			}
		}
		for name, c := range n.others {
			out = append(out, known(FieldReport{Field: name, To: name, Fate: Carried, Count: c}))
		}
		for k, l := range n.lines {
			f := FieldReport{Field: k.name, Fate: fates[k.fate], Count: l.count, Samples: l.samples}
			switch {
			case k.entry != nil:
				f.Field, f.To = k.entry.name, k.entry.to
			case k.made && k.op != nil:
				f.To = k.op.new[k.place]
			case k.made:
				f.Field, f.To = "", k.name
			case k.op != nil:
				f.Field = k.op.old[k.place]
				if f.Fate == Dropped {
					break
				}
				f.To = strings.Join(k.op.new, ", ")
				if slices.Contains(k.op.new, f.Field) && (k.op.conditional || f.Fate == Carried) {
					f.To = f.Field
				}
			}
			out = append(out, known(f))
		}
	}
	return out
}

// PartialError says that some records of a run were refused. It unwraps to the
// errors of the first ones.
type PartialError struct {
	Migrated int64         `json:"migrated"`
	Failed   int64         `json:"failed"`
	Faults   []RecordFault `json:"errors"` // the first of them
}

// Error counts the failures and gives the first.
func (e *PartialError) Error() string {
	s := fmt.Sprintf("%d of %d records could not be migrated", e.Failed, e.Failed+e.Migrated)
	if len(e.Faults) > 0 {
		s += fmt.Sprintf("; record %d: %s", e.Faults[0].Record, e.Faults[0].Message)
	}
	return s
}

// Unwrap returns the errors of the first records.
func (e *PartialError) Unwrap() []error {
	var errs []error
	for _, f := range e.Faults {
		if f.err != nil {
			errs = append(errs, f.err)
		}
	}
	return errs
}
