package bridge

import (
	"context"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

// UniversalWith is [System.Universal] by mappings of the system's own that it
// does not have: to try them before they are saved. nil is none, so that the
// bridge's alone hold.
func (s *System) UniversalWith(own *mapping.Set, o UniversalOptions) (*System, error) {
	l := s.bridge.mappings
	switch {
	case own == nil && l == nil:
		return nil, adapter.Errorf(adapter.Unsupported, "system %q can't be used in the universal vocabulary: there are no mappings", s.ID())
	case own != nil && l == nil:
		l = newLayer(own, "")
	case own != nil:
		set, err := l.set.With(own)
		if err != nil {
			return nil, err
		}
		l = newLayer(set, "")
	}
	other := *s
	other.pin = nil
	other.universal = &universal{layer: l, options: mapping.Options{Unmapped: o.Unmapped}}
	return &other, nil
}

// UniversalPlan is the plan by which a universal model is translated, compiled
// for the version that the system has. It dials the system if need be. The
// system must be one of Universal.
func (s *System) UniversalPlan(ctx context.Context, model string) (*mapping.Plan, error) {
	t, err := s.universalTopic(ctx, model, "fields_get")
	if err != nil {
		return nil, err
	}
	return t.plan, nil
}

func (s *System) universalTopic(ctx context.Context, model, method string) (*topic, error) {
	if s.universal == nil {
		return nil, wrong("model", "the system is not used in the universal vocabulary")
	}
	return s.topic(ctx, model, method)
}

// MappingGap is a path of a mapping that leads nowhere in the system as it is
// now.
type MappingGap struct {
	Field string `json:"field"` // universal
	Path  string `json:"path"`  // of the system
	Model string `json:"model"` // the system's model that lacks it
}

// UniversalGaps holds the mapping of a universal model against the schemas of
// the system as it is now. A system that does not have the model at all is
// ErrNotFound.
func (s *System) UniversalGaps(ctx context.Context, model string) ([]MappingGap, error) {
	t, err := s.universalTopic(ctx, model, "fields_get")
	if err != nil {
		return nil, err
	}
	if _, err := t.schema(ctx, t.plan.SystemModel()); err != nil {
		return nil, err
	}
	var gaps []MappingGap
	for _, field := range t.plan.Names() {
		paths, _, err := t.plan.Fields([]string{field})
		if err != nil {
			return nil, err
		}
		for _, p := range paths {
			_, missing, err := t.walk(ctx, p)
			if err != nil {
				return nil, err
			}
			if missing != nil {
				gaps = append(gaps, MappingGap{field, missing.path, missing.model})
			}
		}
	}
	return gaps, nil
}

// MapToUniversal translates a record in the system's words, without reading
// anything but what lookups need. Nothing is written.
func (s *System) MapToUniversal(ctx context.Context, model string, own adapter.Record) (adapter.Record, []adapter.Warning, error) {
	t, err := s.universalTopic(ctx, model, "read")
	if err != nil {
		return nil, nil, err
	}
	return t.plan.ToUniversal(t.asking(ctx), own, nil)
}

// MapToSystem translates a universal record as Create, or with update as
// Update, would write it. Nothing is written. Lines that an update would write
// by calls of their own are not in it.
func (s *System) MapToSystem(ctx context.Context, model string, record adapter.Record, update bool) (adapter.Record, []adapter.Warning, error) {
	t, err := s.universalTopic(ctx, model, "read")
	if err != nil {
		return nil, nil, err
	}
	translate := t.plan.Create
	if update {
		translate = t.plan.Update
	}
	own, err := translate(t.asking(ctx), record)
	if err != nil {
		return nil, nil, err
	}
	return own.Record, own.Notes, nil
}
