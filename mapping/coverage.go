package mapping

import (
	"fmt"
	"slices"
	"strings"
)

// Coverage says which system has which universal field.
type Coverage struct {
	Systems []string        `json:"systems"`
	Models  []ModelCoverage `json:"models"`
}

// ModelCoverage is one universal model.
type ModelCoverage struct {
	Model   string                   `json:"model"`
	Doc     string                   `json:"doc,omitempty"`
	Systems map[string]ModelOnSystem `json:"systems"`
	Fields  []FieldCoverage          `json:"fields"`
}

// ModelOnSystem is the system's side of a model.
type ModelOnSystem struct {
	Models      []string `json:"models,omitempty"` // the system's
	Versions    []string `json:"versions,omitempty"`
	Doc         string   `json:"doc,omitempty"`
	ReadOnly    string   `json:"read_only,omitempty"`   // why it can't be written
	Unsupported string   `json:"unsupported,omitempty"` // why there is none
	Mapped      int      `json:"mapped"`                // universal fields that it has
}

// FieldCoverage is one universal field.
type FieldCoverage struct {
	Field   string                     `json:"field"`
	Type    Type                       `json:"type"`
	Systems map[string][]FieldOnSystem `json:"systems"`
}

// Access says what can be done with a field.
type Access string

// The kinds of access.
const (
	ReadWrite  Access = "read_write"
	ReadOnly   Access = "read"
	WriteOnly  Access = "write"
	CreateOnly Access = "create" // read, and given to new records
	None       Access = "none"
)

// FieldOnSystem is how a system has a field, in a range of its versions.
type FieldOnSystem struct {
	Versions string   `json:"versions,omitempty"`
	Access   Access   `json:"access"`
	Paths    []string `json:"paths,omitempty"`
	Reason   string   `json:"reason,omitempty"` // why there is none
	Doc      string   `json:"doc,omitempty"`
}

// Coverage returns the table of what is mapped.
func (s *Set) Coverage() Coverage {
	c := Coverage{Systems: s.Systems()}
	for _, name := range s.order {
		u := s.models[name]
		m := ModelCoverage{Model: name, Doc: u.Doc, Systems: map[string]ModelOnSystem{}}
		for _, system := range c.Systems {
			m.Systems[system] = s.modelOn(u, system)
		}
		for _, field := range u.Order {
			f := FieldCoverage{Field: field, Type: u.Fields[field].Type, Systems: map[string][]FieldOnSystem{}}
			for _, system := range c.Systems {
				f.Systems[system] = s.fieldOn(name, field, system)
			}
			m.Fields = append(m.Fields, f)
		}
		c.Models = append(c.Models, m)
	}
	return c
}

func (s *Set) modelOn(u *Model, system string) ModelOnSystem {
	var out ModelOnSystem
	fields := map[string]bool{}
	for _, m := range s.acting(u.Name, system) {
		if m.Unsupported != "" {
			out.Unsupported = m.Unsupported
			continue
		}
		if !slices.Contains(out.Models, m.Model) {
			out.Models = append(out.Models, m.Model)
		}
		if v := m.Versions.String(); v != "" {
			out.Versions = append(out.Versions, v)
		}
		out.Doc, out.ReadOnly = m.Doc, m.ReadOnly
		for _, r := range m.rules() {
			if r.Unsupported == "" {
				fields[r.Field] = true
			}
		}
	}
	out.Mapped = len(fields)
	if len(out.Models) == 0 && out.Unsupported == "" {
		out.Unsupported = "it is not mapped"
	}
	return out
}

// acting are the mappings that no layer above hides in all their versions.
func (s *Set) acting(universal, system string) []*Mapping {
	var out []*Mapping
	for _, m := range s.mappings(universal, system) {
		for _, v := range m.Versions.each() {
			if found := s.find(universal, system, v); found != nil && found.Pos == m.Pos {
				out = append(out, m)
				break
			}
		}
	}
	return out
}

func (s *Set) fieldOn(universal, field, system string) []FieldOnSystem {
	var out []FieldOnSystem
	for _, m := range s.acting(universal, system) {
		if m.Unsupported != "" {
			out = append(out, FieldOnSystem{Access: None, Reason: m.Unsupported})
			continue
		}
		for _, r := range m.Fields[field] {
			f := FieldOnSystem{Versions: r.Versions.String(), Access: access(m, r), Reason: r.Unsupported, Doc: r.Doc}
			if f.Versions == "" && len(s.acting(universal, system)) > 1 {
				f.Versions = m.Versions.String()
			}
			f.Paths = told(r)
			out = append(out, f)
		}
		if len(m.Fields[field]) == 0 {
			out = append(out, FieldOnSystem{Access: None, Reason: "the mapping says nothing of it"})
		}
	}
	return out
}

func access(m *Mapping, r *Rule) Access {
	switch {
	case r.Unsupported != "":
		return None
	case r.WriteOnly:
		return WriteOnly
	case m.ReadOnly != "" || r.whyReadOnly() != "" || r.HasConstant:
		return ReadOnly
	case r.CreateOnly:
		return CreateOnly
	}
	return ReadWrite
}

// told are the paths of a rule, or what stands for them.
func told(r *Rule) []string {
	switch {
	case r.Compute != nil:
		of := strings.Join(r.Compute.Of, ", ")
		if r.Compute.Line != "" {
			of += "." + r.Compute.Line
		}
		return []string{r.Compute.Kind + "(" + of + ")"}
	case r.HasConstant:
		return []string{"= " + brief(r.Constant)}
	case r.WriteOnly:
		return []string{r.writePath().String()}
	}
	var out []string
	for _, p := range r.readPaths() {
		out = append(out, p.String())
	}
	return out
}

// String returns the tables as markdown, one a model. A dash is a field that
// the system has not; the reasons stand below.
func (c Coverage) String() string {
	var b strings.Builder
	b.WriteString("| model |")
	for _, s := range c.Systems {
		b.WriteString(" " + s + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(c.Systems)) + "\n")
	for _, m := range c.Models {
		fmt.Fprintf(&b, "| [%s](#%s) |", m.Model, m.Model)
		for _, s := range c.Systems {
			on := m.Systems[s]
			if len(on.Models) == 0 {
				b.WriteString(" - |")
				continue
			}
			fmt.Fprintf(&b, " %s, %d of %d fields |", code(on.Models), on.Mapped, len(m.Fields))
		}
		b.WriteString("\n")
	}
	for _, m := range c.Models {
		c.model(&b, m)
	}
	return b.String()
}

func (c Coverage) model(b *strings.Builder, m ModelCoverage) {
	fmt.Fprintf(b, "\n## %s\n\n", m.Model)
	if m.Doc != "" {
		b.WriteString(escaped(m.Doc) + "\n\n")
	}
	b.WriteString("| field | type |")
	for _, s := range c.Systems {
		b.WriteString(" " + s + " |")
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(c.Systems)) + "\n")
	var notes []string
	note := func(format string, args ...any) {
		if s := fmt.Sprintf(format, args...); !slices.Contains(notes, s) {
			notes = append(notes, s)
		}
	}
	for _, s := range c.Systems {
		switch on := m.Systems[s]; {
		case on.Unsupported != "" && len(on.Models) == 0:
			note("%s: %s", s, on.Unsupported)
		case on.ReadOnly != "":
			note("%s, for reading: %s", s, on.ReadOnly)
		}
		if doc := m.Systems[s].Doc; doc != "" {
			note("%s: %s", s, doc)
		}
	}
	for _, f := range m.Fields {
		fmt.Fprintf(b, "| %s | %s |", f.Field, f.Type)
		for _, s := range c.Systems {
			b.WriteString(" " + cell(f.Systems[s]) + " |")
			for _, on := range f.Systems[s] {
				if on.Reason != "" && len(m.Systems[s].Models) > 0 {
					note("%s, %s%s: %s", f.Field, s, between(on.Versions), on.Reason)
				}
				if on.Doc != "" {
					note("%s, %s%s: %s", f.Field, s, between(on.Versions), on.Doc)
				}
			}
		}
		b.WriteString("\n")
	}
	if len(notes) > 0 {
		b.WriteString("\n")
	}
	for _, n := range notes {
		b.WriteString("- " + escaped(n) + "\n")
	}
}

func between(versions string) string {
	if versions == "" {
		return ""
	}
	return " " + versions
}

func cell(on []FieldOnSystem) string {
	var parts []string
	for _, f := range on {
		s := "-"
		if f.Access != None {
			s = code(f.Paths)
		}
		switch f.Access {
		case ReadOnly:
			s += " (read)"
		case WriteOnly:
			s += " (write)"
		case CreateOnly:
			s += " (read, create)"
		}
		if f.Versions != "" {
			s += " in " + f.Versions
		}
		parts = append(parts, s)
	}
	if len(parts) == 0 {
		return "-"
	}
	if !slices.ContainsFunc(on, func(f FieldOnSystem) bool { return f.Access != None }) {
		return "-"
	}
	return strings.Join(parts, "<br>")
}

func code(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "`" + strings.ReplaceAll(n, "|", "\\|") + "`"
	}
	return strings.Join(out, ", ")
}

// escaped keeps text from being read as markup.
func escaped(s string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(strings.TrimSpace(s))
}
