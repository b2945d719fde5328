package migrate

import (
	"cmp"
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

// Report is the account of a run. Every field of every record that was migrated
// is in it once, by its name in the old version, however many hops changed it;
// [NeedsPerson] is counted besides. Refused records are counted as such alone.
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
	Field   string   `json:"field,omitempty"` // its name in the old version; "" for one that a rule made
	To      string   `json:"to,omitempty"`    // its name or names in the new version; "" where it has none
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
