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

// UniversalGaps holds the mapping of a universal model against the schemas of
// the system as it is now: the fields that it names and the system lacks. A
// system that does not have the model at all is ErrNotFound.
func (s *System) UniversalGaps(ctx context.Context, model string) ([]mapping.Missing, error) {
	t, err := s.universalTopic(ctx, model, "fields_get")
	if err != nil {
		return nil, err
	}
	own, err := t.schema(ctx, t.plan.SystemModel())
	if err != nil {
		return nil, err
	}
	var failed error
	gaps := t.plan.Missing(own, func(model string) *adapter.Schema {
		described, err := t.schema(ctx, model)
		switch adapter.CodeOf(err) {
		case "", adapter.NotFound, adapter.PermissionDenied:
			// What it leads to can't be looked at; reads say so.
		default:
			failed = err
		}
		return described
	})
	return gaps, failed
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
// Update, would write it: as one record, what an update would write by calls
// of their own included. Nothing is written.
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
	return own.Whole(), own.Notes, nil
}
