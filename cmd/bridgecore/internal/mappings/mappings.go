// Package mappings keeps tenants' own mappings in use: it checks one before it
// is saved, tries it on records, and lays those that were saved over the
// standard ones.
package mappings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/mapping"
)

// Mappings are the standard mappings and those that tenants made.
type Mappings struct {
	standard *mapping.Set
	source   func(model string) (string, bool)
}

// New returns the mappings over the standard ones. Source gives the file of a
// universal model as it is written.
func New(standard *mapping.Set, source func(model string) (string, bool)) *Mappings {
	return &Mappings{standard, source}
}

// Standard are the mappings that come with the program.
func (m *Mappings) Standard() *mapping.Set { return m.standard }

// Draft is a mapping of one's own as it was written.
type Draft struct {
	Kind   string // of the system
	Model  string // the universal model that it is for
	Source string // YAML or JSON
	// Beside are the system's other mappings, as saved.
	Beside []store.Mapping
}

// draftFile is what a draft is called in the positions of mistakes; others are
// named after their models.
const draftFile = "mapping"

func ownFile(model string) string { return "own " + model }

// parse reads a draft over the standard mappings and those beside it.
func (m *Mappings) parse(d Draft) (*mapping.Set, error) {
	if err := d.about(); err != nil {
		return nil, err
	}
	files := map[string][]byte{draftFile: []byte(d.Source)}
	for _, o := range d.Beside {
		if o.Model != d.Model {
			files[ownFile(o.Model)] = []byte(o.Source)
		}
	}
	set, err := mapping.LoadFiles(files, mapping.Over(m.standard))
	if err == nil || len(files) == 1 {
		return set, err
	}
	// A mistake in another one is no reason to refuse this one.
	mistakes, ok := errors.AsType[mapping.LoadErrors](err)
	if !ok || slices.ContainsFunc(mistakes, func(e *mapping.LoadError) bool { return e.Pos.File == draftFile }) {
		return nil, err
	}
	d.Beside = nil
	return m.parse(d)
}

// about refuses documents that are not about the draft's model and kind: they
// would change what nobody looks for under that name.
func (d Draft) about() error {
	dec := yaml.NewDecoder(strings.NewReader(d.Source))
	mapped := false
	for {
		var doc yaml.Node
		if err := dec.Decode(&doc); err != nil {
			if errors.Is(err, io.EOF) && !mapped {
				return mistake(1, "it holds no mapping: a document that begins with \"mapping: %s\"", d.Model)
			}
			return nil // the loader says what is wrong
		}
		if len(doc.Content) != 1 {
			continue
		}
		for key, value := range pairs(doc.Content[0]) {
			switch {
			case (key.Value == "mapping" || key.Value == "universal") && value.Value != d.Model:
				return mistake(value.Line, "it is about %q, but is to be saved for %q", value.Value, d.Model)
			case key.Value == "system" && value.Value != d.Kind:
				return mistake(value.Line, "it is for systems of type %q, but this one is of type %q", value.Value, d.Kind)
			}
			mapped = mapped || key.Value == "mapping"
		}
	}
}

func mistake(line int, format string, args ...any) error {
	return mapping.LoadErrors{{Pos: mapping.Position{File: draftFile, Line: line}, Message: fmt.Sprintf(format, args...)}}
}

// Layer lays the saved mappings of a system over the standard ones; nil where
// there are none. One that can't be used any more says so whenever its model
// is used, and hinders no other.
func (m *Mappings) Layer(kind string, own []store.Mapping) (*mapping.Set, error) {
	if len(own) == 0 {
		return nil, nil
	}
	files := map[string][]byte{}
	for _, o := range own {
		files[ownFile(o.Model)] = []byte(o.Source)
	}
	for range len(own) + 1 {
		set, err := mapping.LoadFiles(files, mapping.Over(m.standard))
		if err == nil {
			return set, nil
		}
		mistakes, ok := errors.AsType[mapping.LoadErrors](err)
		if !ok {
			return nil, err
		}
		// Without what can't be used, the rest can.
		for _, o := range own {
			at := slices.IndexFunc(mistakes, func(e *mapping.LoadError) bool { return e.Pos.File == ownFile(o.Model) })
			if at >= 0 {
				files[ownFile(o.Model)] = unusable(kind, o.Model, mistakes[at])
			}
		}
	}
	return nil, adapter.Errorf(adapter.InvalidArgument, "the mappings that were saved for this system can't be used any more")
}

// unusable is a mapping that says why there is none.
func unusable(kind, model string, why *mapping.LoadError) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "mapping: %s\nsystem: %s\nunsupported: %s\n", model, kind,
		strconv.Quote("the mapping that was saved for this system can't be used any more: "+why.Error()))
	return b.Bytes()
}

// Entry says how a system has a universal model.
type Entry struct {
	Model       string
	SystemModel string         // "" where the mapping can't be used
	Own         *store.Mapping // nil: the standard one
}

// Overview lists the universal models that a system of the kind and version
// has, by name.
func (m *Mappings) Overview(kind, version string, own []store.Mapping) []Entry {
	var names []string
	for _, model := range m.standard.Models() {
		names = append(names, model.Name)
	}
	for _, o := range own {
		if !slices.Contains(names, o.Model) {
			names = append(names, o.Model)
		}
	}
	slices.Sort(names)
	set, err := m.Layer(kind, own)
	if set == nil || err != nil {
		set = m.standard
	}
	entries := []Entry{}
	for _, name := range names {
		e := Entry{Model: name, SystemModel: systemModel(set, kind, version, name)}
		if i := slices.IndexFunc(own, func(o store.Mapping) bool { return o.Model == name }); i >= 0 {
			e.Own = &own[i]
		} else if e.SystemModel == "" {
			continue // the system has no such thing
		}
		entries = append(entries, e)
	}
	return entries
}

func systemModel(set *mapping.Set, kind, version, model string) string {
	plan, err := set.Compile(kind, version, model, mapping.Options{})
	if err != nil {
		return ""
	}
	return plan.SystemModel()
}

// SystemModel is the system's model of a mapping of one's own, "" where it
// can't be used.
func (m *Mappings) SystemModel(d Draft, version string) string {
	set, err := m.parse(d)
	if err != nil {
		return ""
	}
	return systemModel(set, d.Kind, version, d.Model)
}

// StandardModel is the system's model of a standard mapping, "" where there is
// none for the version.
func (m *Mappings) StandardModel(kind, version, model string) string {
	return systemModel(m.standard, kind, version, model)
}

// StandardSource is the standard mapping of a universal model for a kind of
// system as it is written: one document, or several for several versions. A
// model that there is not, or that such systems don't have, is ErrNotFound.
func (m *Mappings) StandardSource(kind, model string) (string, error) {
	file, ok := m.source(model)
	if !ok {
		return "", adapter.Errorf(adapter.NotFound, "there is no universal model %q; GET /api/v1/mappings/models lists them", model)
	}
	var parts []string
	for part := range strings.SplitSeq(file, "\n---\n") {
		var head struct {
			Mapping string `yaml:"mapping"`
			System  string `yaml:"system"`
		}
		if err := yaml.Unmarshal([]byte(part), &head); err == nil && head.Mapping == model && head.System == kind {
			parts = append(parts, strings.TrimRight(part, "\n")+"\n")
		}
	}
	if len(parts) == 0 {
		return "", adapter.Errorf(adapter.NotFound, "there is no standard mapping of %q for systems of type %s", model, kind)
	}
	return strings.Join(parts, "---\n"), nil
}
