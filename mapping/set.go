package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Set is universal models and their mappings to kinds of systems. It does not
// change once loaded, and is safe for concurrent use.
type Set struct {
	layers []*layer // the upper ones last
	models map[string]*Model
	order  []string
	gone   map[string][]string // fields that a layer took from a model
}

// With returns the set with another laid over it; neither changes. What the
// other has in common with this one by layers is taken once.
func (s *Set) With(other *Set) (*Set, error) {
	if other == nil {
		return s, nil
	}
	out := &Set{layers: slices.Clone(s.layers)}
	for _, l := range other.layers {
		if !slices.Contains(out.layers, l) {
			out.layers = append(out.layers, l)
		}
	}
	return out.resolve()
}

// resolve builds the universal models and checks every mapping.
func (s *Set) resolve() (*Set, error) {
	s.models, s.gone = map[string]*Model{}, map[string][]string{}
	var errs LoadErrors
	for _, l := range s.layers {
		for _, name := range slices.Sorted(maps.Keys(l.models)) {
			m := l.models[name]
			if !l.partial[name] {
				s.models[name] = m
				continue
			}
			below := s.models[name]
			if below == nil {
				errs = append(errs, &LoadError{Pos: m.Pos, Message: fmt.Sprintf("universal model %s extends nothing: no set below has it", name)})
				continue
			}
			s.models[name] = extend(below, m, l.gone[name])
			s.gone[name] = append(s.gone[name], l.gone[name]...)
		}
	}
	s.order = slices.Sorted(maps.Keys(s.models))
	if len(errs) == 0 {
		c := &checker{set: s}
		c.all()
		errs = c.errs
	}
	if len(errs) > 0 {
		return nil, sorted(errs)
	}
	return s, nil
}

func extend(below, m *Model, gone []string) *Model {
	out := below.clone()
	out.Pos = m.Pos
	if m.Doc != "" {
		out.Doc = m.Doc
	}
	for _, name := range m.Order {
		if _, known := out.Fields[name]; !known {
			out.Order = append(out.Order, name)
		}
		out.Fields[name] = m.Fields[name]
	}
	for _, name := range gone {
		delete(out.Fields, name)
		out.Order = slices.DeleteFunc(out.Order, func(n string) bool { return n == name })
	}
	return out
}

// Models returns the universal models, by name.
func (s *Set) Models() []Model {
	out := make([]Model, len(s.order))
	for i, name := range s.order {
		out[i] = *s.models[name].clone()
	}
	return out
}

// Model returns a universal model, and whether there is one of the name.
func (s *Set) Model(name string) (Model, bool) {
	m := s.models[name]
	if m == nil {
		return Model{}, false
	}
	return *m.clone(), true
}

// Systems returns the kinds of systems that some model is mapped to, sorted.
func (s *Set) Systems() []string {
	seen := map[string]bool{}
	for _, l := range s.layers {
		for _, m := range l.mappings {
			seen[m.System] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// Revision is a text that differs for sets of different files.
func (s *Set) Revision() string {
	h := sha256.New()
	for _, l := range s.layers {
		sum := sha256.Sum256(l.hash)
		h.Write(sum[:])
	}
	const enough = 8
	return hex.EncodeToString(h.Sum(nil)[:enough])
}

// find returns the mapping that holds for a version, those of upper layers
// first, with what it extends.
func (s *Set) find(universal, system, version string) *Mapping {
	return s.findBelow(len(s.layers), universal, system, version)
}

func (s *Set) findBelow(top int, universal, system, version string) *Mapping {
	for i := top - 1; i >= 0; i-- {
		for _, m := range s.layers[i].mappings {
			if m.Universal != universal || m.System != system || !m.Versions.Has(version) {
				continue
			}
			if !m.extends {
				return m
			}
			below := s.findBelow(i, universal, system, version)
			if below == nil {
				return nil
			}
			return m.over(below)
		}
	}
	return nil
}

// over returns the mapping below with what this one says instead.
func (m *Mapping) over(below *Mapping) *Mapping {
	out := *below
	out.Fields = maps.Clone(below.Fields)
	out.Order = slices.Clone(below.Order)
	out.Pos, out.Tests = m.Pos, m.Tests
	if !m.Versions.All() {
		out.Versions = m.Versions
	}
	if m.Model != "" {
		out.Model = m.Model
	}
	if m.ID != "" {
		out.ID = m.ID
	}
	if m.Doc != "" {
		out.Doc = m.Doc
	}
	if m.Where != nil {
		out.Where = m.Where
	}
	if m.Set != nil {
		out.Set = m.Set
	}
	for _, name := range m.Order {
		if out.Fields[name] == nil {
			out.Order = append(out.Order, name)
		}
		out.Fields[name] = m.Fields[name]
	}
	for _, name := range m.removed {
		delete(out.Fields, name)
		out.Order = slices.DeleteFunc(out.Order, func(n string) bool { return n == name })
	}
	return &out
}

// mappings returns the mappings of a model and system, those of upper layers
// last, each with what it extends.
func (s *Set) mappings(universal, system string) []*Mapping {
	var out []*Mapping
	for i, l := range s.layers {
		for _, m := range l.mappings {
			if m.Universal != universal || m.System != system {
				continue
			}
			if m.extends {
				if below := s.under(i, m); below != nil {
					m = m.over(below)
				}
			}
			out = append(out, m)
		}
	}
	return out
}

// under returns what an extending mapping of a layer extends: that of its
// versions or, where it names none, the last one below.
func (s *Set) under(layer int, m *Mapping) *Mapping {
	below := s.findBelow(layer, m.Universal, m.System, m.Versions.probe())
	if below != nil || !m.Versions.All() {
		return below
	}
	for i := layer - 1; i >= 0; i-- {
		for _, other := range slices.Backward(s.layers[i].mappings) {
			if other.Universal == m.Universal && other.System == m.System {
				return s.findBelow(i+1, m.Universal, m.System, other.Versions.probe())
			}
		}
	}
	return nil
}

// probe is some version of the range.
func (r Range) probe() string {
	if r.To != "" {
		return r.To
	}
	return r.From
}

// CompileKind says why there is no plan.
type CompileKind string

// The reasons.
const (
	UnknownModel   CompileKind = "unknown_model"   // no universal model has the name
	NoMapping      CompileKind = "no_mapping"      // the kind of system has no such model
	VersionOutside CompileKind = "version_outside" // it has, but not in this version
)

// CompileError says why there is no plan. It unwraps to an [*adapter.Error]:
// NotFound for a model that is unknown, otherwise Unsupported.
type CompileError struct {
	Kind    CompileKind
	Model   string
	System  string
	Version string
	Known   []string // models, systems or versions that there are
	Reason  string   // why the system has no such model, where the mapping says so
}

// Error says what is wrong and names what there is.
func (e *CompileError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the error with its code.
func (e *CompileError) Unwrap() error {
	known := strings.Join(e.Known, ", ")
	switch e.Kind {
	case UnknownModel:
		return &adapter.Error{Code: adapter.NotFound, Model: e.Model, Field: "model", Message: fmt.Sprintf("there is no universal model %q%s; there are %s", e.Model, nearest(e.Model, e.Known), known)}
	case VersionOutside:
		version := e.Version
		if version == "" {
			version = "that is not known"
		}
		return &adapter.Error{Code: adapter.Unsupported, Model: e.Model, Field: "version", Message: fmt.Sprintf("%s is mapped to %s for versions %s, not for version %s", e.Model, e.System, known, version)}
	}
	if e.Reason != "" {
		return &adapter.Error{Code: adapter.Unsupported, Model: e.Model, Field: "model", Message: fmt.Sprintf("%s has no %s: %s", e.System, e.Model, e.Reason)}
	}
	if known == "" {
		known = "no system"
	}
	return &adapter.Error{Code: adapter.Unsupported, Model: e.Model, Field: "model", Message: fmt.Sprintf("%s is not mapped to %s, but to %s; add a mapping of your own", e.Model, e.System, known)}
}

// Compile makes the plan for a kind of system, its version and a universal
// model. The version may be "" for systems whose mappings don't ask for it.
// An error is a [*CompileError].
func (s *Set) Compile(system, version, model string, o Options) (*Plan, error) {
	u := s.models[model]
	if u == nil {
		return nil, &CompileError{Kind: UnknownModel, Model: model, System: system, Version: version, Known: s.order}
	}
	m := s.find(model, system, version)
	if m != nil && m.Unsupported != "" {
		return nil, &CompileError{Kind: NoMapping, Model: model, System: system, Version: version, Reason: m.Unsupported}
	}
	if m != nil {
		return newPlan(s, u, m, system, version, o)
	}
	e := &CompileError{Kind: VersionOutside, Model: model, System: system, Version: version}
	for _, m := range s.mappings(model, system) {
		e.Known = append(e.Known, m.Versions.String())
	}
	if len(e.Known) == 0 {
		e.Kind = NoMapping
		for _, other := range s.Systems() {
			if len(s.mappings(model, other)) > 0 {
				e.Known = append(e.Known, other)
			}
		}
	}
	return nil, e
}
