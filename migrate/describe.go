package migrate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Step says what one hop changes, for people and as the dry run of a
// migration.
type Step struct {
	From    string  `json:"from"`
	To      string  `json:"to"`
	Changes Changes `json:"changes"`
}

// Changes are the changes of a step. The first three are always there.
type Changes struct {
	Removed  []string `json:"removed_fields"`
	Renamed  []Pair   `json:"renamed_fields"`
	Warnings []string `json:"warnings"`

	RenamedModel *Pair           `json:"renamed_model,omitempty"`
	SplitModel   []string        `json:"split_model,omitempty"` // the new names
	Mapped       []ValueMapping  `json:"value_mappings,omitempty"`
	Converted    []Conversion    `json:"converted_fields,omitempty"`
	Added        []AddedField    `json:"added_fields,omitempty"`
	Set          []AddedField    `json:"set_fields,omitempty"` // constants and defaults
	Moved        []MovedField    `json:"moved_fields,omitempty"`
	Combined     []CombinedField `json:"combined_fields,omitempty"` // splits, merges, tables, functions
	Meanings     []string        `json:"changed_meanings,omitempty"`
	Persons      []string        `json:"needs_person,omitempty"` // fields that a person must look at
}

// Pair is an old and a new name.
type Pair struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// ValueMapping is a value map; the keys are the old values as JSON writes
// them, texts without quotes.
type ValueMapping struct {
	Field   string         `json:"field"`
	To      string         `json:"to,omitempty"` // where the field has another name
	Mapping map[string]any `json:"mapping"`
}

// Conversion is a convert.
type Conversion struct {
	Field string `json:"field"`
	To    string `json:"to,omitempty"`
	As    string `json:"as"`
}

// AddedField is a field with what fills it; nothing where a person must.
type AddedField struct {
	Field string `json:"field"`
	Value any    `json:"value,omitempty"`
	From  string `json:"from,omitempty"`
}

// MovedField is a field that moves to a record of another model.
type MovedField struct {
	Field string `json:"field"`
	Model string `json:"model"`
	To    string `json:"to"`
	Link  string `json:"link,omitempty"`
}

// CombinedField are fields that become others together.
type CombinedField struct {
	From []string `json:"from"`
	To   []string `json:"to"`
	By   string   `json:"by"`
}

// Description is a plan as a value: the documented shape of a dry run.
type Description struct {
	Success    bool     `json:"success"`
	Model      string   `json:"model,omitempty"`
	ToModel    string   `json:"to_model,omitempty"`  // where it is another
	ToModels   []string `json:"to_models,omitempty"` // where it is split
	From       string   `json:"from_version"`
	To         string   `json:"to_version"`
	Path       []string `json:"migration_path"`
	Steps      []Step   `json:"steps"`
	Complexity int      `json:"complexity"` // the number of hops
}

// Describe returns what the plan does.
func (p *Plan) Describe() Description {
	d := Description{Success: true, From: p.from, To: p.to, Path: p.Path(), Steps: p.steps, Complexity: len(p.path)}
	switch targets := p.Targets(); {
	case len(targets) > 1:
		d.ToModels = targets
	case targets[0] != p.model:
		d.ToModel = targets[0]
	}
	return d
}

// MarshalJSON writes the plan's description.
func (p *Plan) MarshalJSON() ([]byte, error) { return json.Marshal(p.Describe()) }

// Warnings returns the warnings of all steps.
func (p *Plan) Warnings() []string {
	out := []string{}
	for _, s := range p.steps {
		for _, w := range s.Changes.Warnings {
			out = addOnce(out, w)
		}
	}
	return out
}

// String returns the plan for people.
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s\n", p.model, strings.Join(p.Path(), " -> "))
	for _, s := range p.steps {
		fmt.Fprintf(&b, "%s -> %s\n", s.From, s.To)
		c := s.Changes
		item := func(format string, args ...any) { fmt.Fprintf(&b, "  "+format+"\n", args...) }
		if c.RenamedModel != nil {
			item("model is now %s", c.RenamedModel.New)
		}
		if len(c.SplitModel) > 0 {
			item("model is split into %s", strings.Join(c.SplitModel, ", "))
		}
		for _, r := range c.Renamed {
			item("%s is now %s", r.Old, r.New)
		}
		for _, f := range c.Removed {
			item("%s is gone", f)
		}
		for _, m := range c.Mapped {
			item("%s has other values (%d)", m.Field, len(m.Mapping))
		}
		for _, f := range c.Converted {
			item("%s is converted, %s", arrow(f.Field, f.To), f.As)
		}
		for _, f := range c.Combined {
			item("%s becomes %s, by %s", strings.Join(f.From, " and "), strings.Join(f.To, " and "), f.By)
		}
		for _, f := range c.Moved {
			item("%s moves to %s.%s", f.Field, f.Model, f.To)
		}
		for _, f := range c.Added {
			item("%s is required now", f.Field)
		}
		for _, f := range c.Set {
			item("%s is set where it must be", f.Field)
		}
		for _, w := range c.Warnings {
			item("note: %s", w)
		}
		for _, f := range c.Persons {
			item("a person must look at %s", f)
		}
	}
	return b.String()
}

func arrow(a, b string) string {
	if b == "" || a == b {
		return a
	}
	return a + " -> " + b
}

// describe makes the steps, merging the branches of a split.
func (p *Plan) describe() []Step {
	steps := make([]Step, len(p.path))
	for i, h := range p.path {
		steps[i] = Step{From: h.From, To: h.To, Changes: Changes{Removed: []string{}, Renamed: []Pair{}, Warnings: []string{}}}
	}
	seen := map[*Rule]bool{}
	var walk func(n *node)
	walk = func(n *node) {
		for _, l := range n.legs {
			if l.extra {
				continue
			}
			c := &steps[l.place].Changes
			switch {
			case len(l.model.Branches) > 0:
				c.SplitModel = addOnce(c.SplitModel, l.target)
			case l.target != l.model.Name:
				c.RenamedModel = &Pair{Old: l.model.Name, New: l.target}
			}
			for _, note := range l.model.Notes {
				c.Warnings = addOnce(c.Warnings, note)
			}
			for _, r := range l.rules {
				if !seen[r] {
					seen[r] = true
					c.rule(r, p.opts.Lookup != nil)
				}
			}
		}
		for _, b := range n.branches {
			walk(b.to)
		}
	}
	walk(p.root)
	return steps
}

func (c *Changes) rule(r *Rule, lookup bool) {
	other := func() string {
		if r.To[0] != r.From[0] {
			return r.To[0]
		}
		return ""
	}
	switch r.Verb {
	case Rename:
		c.Renamed = append(c.Renamed, Pair{Old: r.From[0], New: r.To[0]})
	case Remove:
		c.Removed = addOnce(c.Removed, r.From[0])
	case Map:
		m := ValueMapping{Field: r.From[0], To: other(), Mapping: map[string]any{}}
		for _, row := range r.Values {
			m.Mapping[plainText(row.From[0])] = row.To[0]
		}
		c.Mapped = append(c.Mapped, m)
	case Convert:
		c.Converted = append(c.Converted, Conversion{Field: r.From[0], To: other(), As: r.Kind})
	case ModelName, Reference:
		c.Converted = append(c.Converted, Conversion{Field: r.From[0], As: string(r.Verb)})
	case Constant, Default:
		c.Set = append(c.Set, AddedField{Field: r.To[0], Value: r.Value})
	case Add:
		c.Added = append(c.Added, AddedField{Field: r.To[0], Value: r.Value, From: r.Via})
		if !r.HasValue && r.Via == "" {
			c.Persons = addOnce(c.Persons, r.To[0])
		}
	case LookupOf:
		c.Added = append(c.Added, AddedField{Field: r.To[0], From: r.Via + "." + r.Read})
		if !lookup {
			c.Warnings = addOnce(c.Warnings, fmt.Sprintf("%s comes from %s of %s, and no lookup was given: a person must fill it", r.To[0], r.Read, r.Model))
			c.Persons = addOnce(c.Persons, r.To[0])
		}
	case Move:
		c.Moved = append(c.Moved, MovedField{Field: r.From[0], Model: r.Model, To: r.Side, Link: r.Link})
	case Split, Table:
		c.Combined = append(c.Combined, CombinedField{From: r.From, To: r.To, By: string(r.Verb)})
	case Merge, Custom:
		c.Combined = append(c.Combined, CombinedField{From: r.From, To: r.To, By: string(r.Verb) + " " + r.Kind})
	case Meaning:
		c.Meanings = addOnce(c.Meanings, r.Via)
	}
	if r.Note != "" {
		c.Warnings = addOnce(c.Warnings, r.Note)
	}
	if r.Person {
		for _, f := range slices.Concat(r.From, r.To)[:min(1, len(r.From)+len(r.To))] {
			c.Persons = addOnce(c.Persons, f)
		}
		if r.Verb == Meaning {
			c.Persons = addOnce(c.Persons, r.Via)
		}
	}
}

// plainText is a value as the key of a JSON object.
func plainText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// rulesOfPlan are all rules that a plan may use, with their hops, in order.
func (p *Plan) rules() map[*Rule]*Hop {
	out := map[*Rule]*Hop{}
	var walk func(n *node)
	walk = func(n *node) {
		for _, l := range n.legs {
			for _, r := range l.rules {
				if !l.extra {
					out[r] = l.hop
				}
			}
		}
		for _, b := range n.branches {
			walk(b.to)
		}
	}
	walk(p.root)
	return maps.Clone(out)
}
