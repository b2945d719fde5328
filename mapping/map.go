package mapping

import (
	"context"

	"github.com/bridgecore/bridgecore/adapter"
)

// MapToSystem turns a universal record into the system's, as a new record has
// it; its id stays, under the system's name for it. Fields that the system has
// no place for are left out, with a warning each. To map many records, keep the
// plan that [Set.Compile] makes; for updates and lines see there.
func (s *Set) MapToSystem(ctx context.Context, universal adapter.Record, system, version, model string) (adapter.Record, []adapter.Warning, error) {
	p, err := s.Compile(system, version, model, Options{})
	if err != nil {
		return nil, nil, err
	}
	v, err := p.Create(ctx, universal)
	if err != nil {
		return nil, nil, err
	}
	out := v.Whole()
	if !v.ID.IsZero() {
		out[p.idField] = universal["id"]
	}
	return out, v.Notes, nil
}

// MapToUniversal turns a system's record into a universal one.
func (s *Set) MapToUniversal(ctx context.Context, own adapter.Record, system, version, model string) (adapter.Record, []adapter.Warning, error) {
	p, err := s.Compile(system, version, model, Options{})
	if err != nil {
		return nil, nil, err
	}
	return p.ToUniversal(ctx, own, nil)
}
