package transfer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Report accounts for every record and every field of a transfer. Its JSON
// form has the same members.
type Report struct {
	Source    string         `json:"source"` // the systems' ids
	Target    string         `json:"target"`
	From      string         `json:"from_version"`
	To        string         `json:"to_version"`
	Pack      string         `json:"pack"`
	Dry       bool           `json:"dry_run"` // nothing was written
	Languages []string       `json:"languages"`
	Order     []string       `json:"order"`           // in which models are written
	Later     []Later        `json:"later,omitempty"` // references that are written in the second pass
	Models    []*ModelReport `json:"models"`
	Unmatched []Unmatched    `json:"unmatched,omitempty"`
	Notes     []string       `json:"notes,omitempty"`
	// Writes are the calls that changed something in the target; refused ones
	// are not among them.
	Writes int `json:"writes"`
}

// Later is a model whose references to another are written in the second pass
// where the record is not there yet.
type Later struct {
	Model string `json:"model"`
	To    string `json:"to"`
}

// ModelReport accounts for one model. Of a dry run Created and Changed are what
// would be done.
type ModelReport struct {
	Model       string         `json:"model"`
	To          string         `json:"to_model"`
	LinesOf     string         `json:"lines_of,omitempty"` // the parents that its records are inside of
	Records     int            `json:"records"`            // in the source; without lines
	Created     int            `json:"created"`
	Changed     int            `json:"changed"`
	Unchanged   int            `json:"unchanged"`
	Refused     int            `json:"refused"`
	Refusals    []Refusal      `json:"refusals,omitempty"`
	Fields      []FieldReport  `json:"fields"`
	Differences []Difference   `json:"differences,omitempty"`
	Results     []RecordReport `json:"results,omitempty"`
	Warnings    []string       `json:"warnings,omitempty"`
}

// RecordReport is what became of one record.
type RecordReport struct {
	Source  adapter.ID `json:"source_id"`
	ID      adapter.ID `json:"id,omitzero"` // in the target
	Outcome Outcome    `json:"outcome"`
}

// Refusal is a record that was refused, by the rules or by the target.
type Refusal struct {
	Source  adapter.ID   `json:"source_id"`
	Name    string       `json:"name,omitempty"`
	Code    adapter.Code `json:"code"`
	Field   string       `json:"field,omitempty"`
	Message string       `json:"message"`
}

// Difference is a value that the target keeps otherwise than it was written.
type Difference struct {
	Source adapter.ID `json:"source_id"`
	ID     adapter.ID `json:"id,omitzero"`
	Field  string     `json:"field"` // in the target; "comment@fr_FR" in a language
	Want   any        `json:"want"`
	Got    any        `json:"got"`
}

// Fate says what becomes of a field.
type Fate string

// The fates of fields.
const (
	CarriedField     Fate = "carried"
	RenamedField     Fate = "renamed"
	ByRule           Fate = "by_rule"            // changed or filled by a rule
	ByTransfer       Fate = "by_transfer"        // lines, external ids
	Residue          Fate = "residue"            // the new version can't hold it
	NoCounterpart    Fate = "no_counterpart"     // the target lacks the field
	ComputedInSource Fate = "computed_in_source" // not stored, so not read
	ComputedInTarget Fate = "computed_in_target" // the target does not let it be written
	NotCarried       Fate = "not_carried"        // as decided or asked for
)

// FieldReport is what becomes of one field of a model. Field is "" for one
// that a rule fills.
type FieldReport struct {
	Field string   `json:"field,omitempty"`
	To    []string `json:"to,omitempty"`
	Fate  Fate     `json:"fate"`
	Note  string   `json:"note,omitempty"`
	// Values are the records that have a value there, of fields that are read.
	Values int `json:"values"`
	// Always is the value of all of them where they are several and the same: a
	// default that nobody changed, as a rule.
	Always any `json:"always,omitempty"`

	varies bool
	// LeftOut are the records whose reference has no counterpart.
	LeftOut int `json:"left_out,omitempty"`
}

// Unmatched are references to one model that the target has no counterpart of.
type Unmatched struct {
	Model   string   `json:"model"` // in the source
	Records int      `json:"records"`
	Names   []string `json:"names"` // "id name", the first of them
	Fields  []string `json:"fields"`

	seen map[adapter.ID]bool
}

// String names the records and the fields that refer to them.
func (u Unmatched) String() string {
	names := strings.Join(u.Names, ", ")
	if u.Records > len(u.Names) {
		names += ", ..."
	}
	return fmt.Sprintf("%s: %d (%s), by %s", u.Model, u.Records, names, strings.Join(u.Fields, ", "))
}

// Count returns the numbers of all models together, lines aside.
func (r *Report) Count() (created, changed, unchanged, refused int) {
	for _, m := range r.Models {
		created, changed = created+m.Created, changed+m.Changed
		unchanged, refused = unchanged+m.Unchanged, refused+m.Refused
	}
	return created, changed, unchanged, refused
}

// DifferenceCount is how many values the target keeps otherwise.
func (r *Report) DifferenceCount() int {
	n := 0
	for _, m := range r.Models {
		n += len(m.Differences)
	}
	return n
}

// String returns the report for people: what is lost or refused in whole, what
// is carried as counts.
func (r *Report) String() string {
	var b strings.Builder
	would := ""
	if r.Dry {
		would = "would be "
	}
	fmt.Fprintf(&b, "%s (%s) to %s (%s) by pack %s, in en_US %s\n", r.Source, r.From, r.Target, r.To, r.Pack, strings.Join(r.Languages, " "))
	fmt.Fprintf(&b, "order: %s\n", strings.Join(r.Order, ", "))
	for _, l := range r.Later {
		fmt.Fprintf(&b, "second pass: %s to %s\n", l.Model, l.To)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	for _, m := range r.Models {
		name := m.Model
		if m.To != m.Model {
			name += " -> " + m.To
		}
		if m.LinesOf != "" {
			fmt.Fprintf(&b, "%s: lines of %s\n", name, m.LinesOf)
		} else {
			fmt.Fprintf(&b, "%s: %d records; %screated %d, changed %d, unchanged %d; refused %d\n", name, m.Records, would, m.Created, m.Changed, m.Unchanged, m.Refused)
		}
		m.fields(&b)
		for _, x := range m.Refusals {
			fmt.Fprintf(&b, "  refused %s %s: %s\n", x.Source, x.Name, x.Message)
		}
		for i, d := range m.Differences {
			if i == 20 {
				fmt.Fprintf(&b, "  and %d more values differ\n", len(m.Differences)-i)
				break
			}
			fmt.Fprintf(&b, "  differs %s %s: %s written, %s kept\n", d.Source, d.Field, brief(d.Want), brief(d.Got))
		}
	}
	for _, u := range r.Unmatched {
		fmt.Fprintf(&b, "no counterpart: %s\n", u)
	}
	if len(r.Unmatched) > 0 {
		b.WriteString("  the ways out: add the model to the list, map the records, or leave the references out\n")
	}
	fmt.Fprintf(&b, "calls that wrote: %d\n", r.Writes)
	return b.String()
}

func (m *ModelReport) fields(b *strings.Builder) {
	counts := map[Fate]int{}
	for _, f := range m.Fields {
		counts[f.Fate]++
	}
	var parts []string
	for _, fate := range []Fate{CarriedField, RenamedField, ByRule, ByTransfer, Residue, NoCounterpart, ComputedInSource, ComputedInTarget, NotCarried} {
		if counts[fate] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[fate], fate))
		}
	}
	fmt.Fprintf(b, "  fields: %s\n", strings.Join(parts, ", "))
	for _, f := range m.Fields {
		lost := (f.Fate == Residue || f.Fate == NoCounterpart) && f.Values > 0
		if lost || f.LeftOut > 0 || f.Fate == RenamedField || f.Fate == ByRule && f.Field != "" && !slices.Equal(f.To, []string{f.Field}) {
			fmt.Fprintf(b, "  %-14s %s", f.Fate, f.Field)
			if len(f.To) > 0 && !slices.Equal(f.To, []string{f.Field}) {
				fmt.Fprintf(b, " -> %s", strings.Join(f.To, ", "))
			}
			fmt.Fprintf(b, ", %d values", f.Values)
			if f.Always != nil && f.Values > 1 {
				fmt.Fprintf(b, ", all of them %s", brief(f.Always))
			}
			if f.LeftOut > 0 {
				fmt.Fprintf(b, ", %d left out", f.LeftOut)
			}
			if f.Note != "" {
				fmt.Fprintf(b, " (%s)", f.Note)
			}
			b.WriteByte('\n')
		}
	}
}

func brief(v any) string {
	const most = 60
	s := []rune(fmt.Sprintf("%v", v))
	if len(s) > most {
		return string(s[:most]) + "..."
	}
	return string(s)
}
