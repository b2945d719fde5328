package bridge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

// Lens lets the callers of one kind of system speak of it as if it were of
// another version, see [System.As].
type Lens struct {
	// Pack has the rules between the versions. Required.
	Pack *migrate.Pack
	// Schema describes a model as a version has it, nil where that is not
	// known. It may be left out. With it, fields are described as the caller's
	// version has them, fields without counterpart are empty in the manner of
	// their type, and paths need no look at the system.
	Schema func(version, model string) *adapter.Schema
}

// optics is a Lens with what is worth remembering of it.
type optics struct {
	Lens
	id       string // tells packs apart, in keys
	versions []string
	models   map[string]bool // that the pack has rules for, by any name

	mu    sync.Mutex
	names map[pinnedModel][]string
}

// pinnedModel is a model as a version names it.
type pinnedModel struct{ version, model string }

func newOptics(kind string, l Lens) (*optics, error) {
	if l.Pack == nil {
		return nil, fmt.Errorf("the Lens of kind %q has no Pack", kind)
	}
	o := &optics{Lens: l, versions: l.Pack.Versions(), models: set(l.Pack.Models()...), names: map[pinnedModel][]string{}}
	// Other rules give other answers, so the rules are in the key.
	b, err := json.Marshal(l.Pack.Hops)
	if err != nil {
		return nil, fmt.Errorf("the Pack of kind %q can't be written as JSON: %w", kind, err)
	}
	sum := sha256.Sum256(b)
	o.id = l.Pack.Name + " " + hex.EncodeToString(sum[:8])
	return o, nil
}

// aliases are all names that a model has in any version, the caller's first.
// Answers are kept under all of them, so that a change through any reaches
// them, whatever the system's version is.
func (o *optics) aliases(version, model string) []string {
	if !o.models[model] {
		return []string{model}
	}
	key := pinnedModel{version, model}
	o.mu.Lock()
	names := o.names[key]
	o.mu.Unlock()
	if names != nil {
		return names
	}
	names = []string{model}
	for _, v := range o.versions {
		// A model that is gone or split in a version has no name there.
		if l, err := o.Pack.Lens(model, version, v, migrate.LensOptions{}); err == nil && !slices.Contains(names, l.Model()) {
			names = append(names, l.Model())
		}
	}
	o.mu.Lock()
	o.names[key] = names
	o.mu.Unlock()
	return names
}

// schema describes a model of a version, nil where that is not known.
func (o *optics) schema(version, model string) *adapter.Schema {
	if o.Schema == nil {
		return nil
	}
	return o.Schema(version, model)
}

// pin is the version that a caller speaks.
type pin struct {
	*optics
	version string
}

// As returns the system for calls in the words of another version of its kind,
// such as "13.0": models, fields, filters, orders, groupings and values are
// translated to the system's version, and its answers back. Ids stay. "" is
// the system's own version, whatever it is.
//
// What has no counterpart is refused with the reason: in a filter, an order or
// a grouping always, since the answer would be to another question. A field
// that is only to be read is empty instead, and one that is written is left
// out; both are warnings, unless the scope says [adapter.FallbackOff]: then
// they are refused too. A method that the bridge does not know is called with
// its arguments as they are, which is a warning.
//
// A version that the rules don't know is ErrInvalidArgument; a kind of system
// without rules (see Config.Lenses) is ErrUnsupported.
func (s *System) As(version string) (*System, error) {
	other := *s
	other.pin, other.universal = nil, nil
	if version == "" {
		return &other, nil
	}
	o := s.bridge.optics[s.link.config.Kind]
	if o == nil {
		return nil, adapter.Errorf(adapter.Unsupported, "system %q can't be used as another version: there are no rules for systems of kind %q", s.ID(), s.Kind())
	}
	if !slices.Contains(o.versions, version) {
		return nil, wrong("version", "%s is no version that a system can be used as; there are %s", strings.ToValidUTF8(clip(version), "?"), strings.Join(o.versions, ", "))
	}
	other.pin = &pin{o, version}
	return &other, nil
}

// PinnedVersion returns the version whose words the calls use, "" for the
// system's own.
func (s *System) PinnedVersion() string {
	if s.pin == nil {
		return ""
	}
	return s.pin.version
}

// names are the names under which a model is kept and dropped.
func (s *System) names(model string) []string {
	if s.universal != nil {
		n, _ := s.link.nature() // one that was never dialled has nothing kept by this process
		if p, err := s.universal.layer.plan(s.Kind(), n.version, model, s.universal.options); err == nil {
			return []string{p.SystemModel()}
		}
	}
	if s.pin == nil {
		return []string{model}
	}
	return s.pin.aliases(s.pin.version, model)
}

// allowed asks whether the caller may call a method of a model. Rules name
// models as the system does: which version a caller speaks must not widen what
// he may do.
func (s *System) allowed(ctx context.Context, model, method string) error {
	if s.pin != nil && (s.bridge.config.Access != nil || s.caller.Rules != nil) {
		version, err := s.systemVersion(ctx)
		if err != nil {
			return err
		}
		l, err := s.pin.Pack.Lens(model, s.pin.version, version, migrate.LensOptions{})
		if err != nil {
			return single(err)
		}
		model = l.Model()
	}
	if err := s.bridge.config.Access.check(&s.caller, model, method); err != nil {
		return err
	}
	return s.caller.may(model, method)
}

// systemVersion is the version of the system itself, which is dialled for it
// if need be.
func (s *System) systemVersion(ctx context.Context) (string, error) {
	nature, err := s.nature(ctx)
	return nature.version, err
}

// nature is what an adapter said of itself and its system.
type nature struct {
	version string
	nests   bool   // it follows paths by itself
	adds    bool   // it is told whose a new line is, see adapter.Adder
	idField string // "" for id
}

func natureOf(a adapter.Adapter) nature {
	info := a.Info()
	_, adds := a.(adapter.Adder)
	return nature{version: info.Version, nests: adapter.Nests(a), adds: adds, idField: info.IDField}
}

// nature dials the system if need be.
func (s *System) nature(ctx context.Context) (nature, error) {
	if n, ok := s.link.nature(); ok {
		return n, nil
	}
	var n nature
	err := s.link.do(s.scoped(ctx, &s.caller.Scope), work{operation: "connect", run: func(_ context.Context, a adapter.Adapter) error {
		n = natureOf(a)
		return nil
	}})
	return n, err
}

// do makes a call to the system, through the lens of a pinned version.
func (s *System) do(ctx context.Context, w work) error {
	if s.pin != nil {
		run := w.run
		w.run = func(ctx context.Context, a adapter.Adapter) error { return run(ctx, s.through(a)) }
	}
	err := s.link.do(ctx, w)
	if s.gone(ctx, err) {
		// Nothing was done: once more in the language of the system's user.
		scope := adapter.ScopeFrom(ctx)
		scope.Language = ""
		err = s.link.do(adapter.WithScope(ctx, scope), w)
	}
	return err
}

// lenses remembers the lenses of a link.
type lenses struct {
	mu   sync.Mutex
	made map[lensKey]*migrate.Lens
}

type lensKey struct{ model, from, to string }

const lensesMost = 1024

func (m *lenses) get(key lensKey, compile func() (*migrate.Lens, error)) (*migrate.Lens, error) {
	m.mu.Lock()
	l := m.made[key]
	m.mu.Unlock()
	if l != nil {
		return l, nil
	}
	l, err := compile()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.made == nil || len(m.made) >= lensesMost {
		m.made = map[lensKey]*migrate.Lens{}
	}
	m.made[key] = l
	return l, nil
}
