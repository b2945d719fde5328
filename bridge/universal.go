package bridge

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

// UniversalOptions say how a system is used in the universal vocabulary.
type UniversalOptions struct {
	// Unmapped says what becomes of fields that the system has not.
	Unmapped mapping.Unmapped
}

// Universal returns the system for calls in the universal vocabulary, the same
// for every kind of system: a "contact" with a "name" and a "country", whatever
// the system calls them. Its methods take universal models, fields, filters,
// orders and values, and answer in them; ids stay the system's own. [System.Read],
// Count, Fields, Create, CreateMany, CreateEach, Update, Delete, ETag, UpdateIf
// and DeleteIf are there, and of the operations search_read, read, search,
// search_count, fields_get, name_search, create, write, unlink and exists; the
// others are ErrUnsupported.
//
// Rules of access name models as the system does, so a caller may do in the
// universal vocabulary what he may do without it. A version that the system is
// pinned to (see [System.As]) does not matter: mappings lead to the version
// that the system has.
//
// What is changed and read is told to observers, counted and kept under the
// system's own names, so that answers in either vocabulary are dropped by
// changes in the other.
//
// A system without mappings for its kind is ErrUnsupported.
func (s *System) Universal(o UniversalOptions) (*System, error) {
	l := s.link.mappings.Load()
	if l == nil {
		return nil, adapter.Errorf(adapter.Unsupported, "system %q can't be used in the universal vocabulary: there are no mappings", s.ID())
	}
	if l.err != nil {
		return nil, l.err
	}
	other := *s
	other.pin = nil
	other.universal = &universal{layer: l, options: mapping.Options{Unmapped: o.Unmapped}}
	return &other, nil
}

// IsUniversal reports whether calls are in the universal vocabulary.
func (s *System) IsUniversal() bool { return s.universal != nil }

// universal is the vocabulary of a System's calls.
type universal struct {
	layer   *layer
	options mapping.Options
}

// layer is a set of mappings and the plans that were made of it.
type layer struct {
	set      *mapping.Set
	own      string // SystemConfig.MappingsRevision
	revision string // tells sets apart, in keys
	err      error  // why there is no set

	mu    sync.Mutex
	plans map[planKey]*mapping.Plan
}

type planKey struct {
	kind, version, model string
	options              mapping.Options
}

func newLayer(set *mapping.Set, own string) *layer {
	return &layer{set: set, own: own, revision: set.Revision(), plans: map[planKey]*mapping.Plan{}}
}

// remap takes over a system's own mappings, if they changed. Mappings that
// don't go together hinder nothing but their use.
func (l *link) remap(c *SystemConfig) {
	was := l.mappings.Load()
	base := l.bridge.mappings
	switch {
	case c.Mappings == nil:
		if was != base {
			l.mappings.Store(base)
		}
	case was != nil && was != base && was.own == c.MappingsRevision:
	case base == nil:
		l.mappings.Store(newLayer(c.Mappings, c.MappingsRevision))
	default:
		set, err := base.set.With(c.Mappings)
		if err != nil {
			l.mappings.Store(&layer{own: c.MappingsRevision, err: &adapter.Error{
				Code: adapter.InvalidArgument, Err: err,
				Message: "the mappings of system \"" + c.ID + "\" don't go with the standard ones; correct or delete them",
			}})
			return
		}
		l.mappings.Store(newLayer(set, c.MappingsRevision))
	}
}

// most of what is remembered; more begins anew.
const layerMost = 1024

func (l *layer) plan(kind, version, model string, o mapping.Options) (*mapping.Plan, error) {
	key := planKey{kind, version, model, o}
	l.mu.Lock()
	p := l.plans[key]
	l.mu.Unlock()
	if p != nil {
		return p, nil
	}
	p, err := l.set.Compile(kind, version, model, o)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.plans) >= layerMost {
		clear(l.plans)
	}
	l.plans[key] = p
	return p, nil
}

// native returns the system for calls in its own words.
func (s *System) native() *System {
	other := *s
	other.universal, other.pin = nil, nil
	return &other
}

// topic is one universal model of a system, and the way to it.
type topic struct {
	*System // in its own words

	universal *universal
	nature    nature
	plan      *mapping.Plan
	model     string // universal
}

// topic prepares a call on a universal model. The method is what the caller
// must be allowed to call on the system's model.
func (s *System) topic(ctx context.Context, model, method string) (*topic, error) {
	if err := checkUniversal(model); err != nil {
		return nil, err
	}
	own := s.native()
	n, err := own.nature(ctx)
	if err != nil {
		return nil, err
	}
	p, err := s.universal.layer.plan(s.Kind(), n.version, model, s.universal.options)
	if err != nil {
		return nil, err
	}
	if err := own.may(ctx, p.SystemModel(), method); err != nil {
		return nil, err
	}
	return &topic{System: own, universal: s.universal, nature: n, plan: p, model: model}, nil
}

func checkUniversal(model string) error {
	if model == "" {
		return wrong("model", "the model is missing; in the universal vocabulary it reads like \"contact\"")
	}
	return checkModel(model)
}

// idField is the system's name for a record's id.
func (t *topic) idField() string {
	if t.nature.idField != "" {
		return t.nature.idField
	}
	return "id"
}

// say gives an error of the system, which names the system's fields, the names
// that the caller knows.
func (t *topic) say(err error) error {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok || e.Model != "" && e.Model != t.plan.SystemModel() || e.Field == "" {
		return err
	}
	if errors.As(err, new(*adapter.PartialError)) {
		return err
	}
	field := t.universalField(e.Field)
	if field == "" {
		return err
	}
	clone := *e
	clone.Model, clone.Field = t.model, field
	if field != e.Field {
		clone.Message += " (" + t.model + "." + field + " is " + e.Field + " of " + t.plan.SystemModel() + ")"
	}
	return &clone
}

// universalField is the universal field that leads to a field of the system,
// "" for none.
func (t *topic) universalField(own string) string {
	for _, name := range t.plan.Names() {
		paths, _, err := t.plan.Fields([]string{name})
		if err != nil {
			continue
		}
		if slices.ContainsFunc(paths, func(p string) bool {
			return p != t.idField() && (p == own || strings.HasPrefix(p, own+"."))
		}) {
			return name
		}
	}
	return ""
}
