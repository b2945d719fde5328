package bridge

import (
	"context"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// What rooms above the bridge build on that carry whole sets of records: calls
// past the cache, in the system's own words, that keep to the caller's rights.

// Version asks which version the system is of: "16.0".
func (s *System) Version(ctx context.Context) (string, error) { return s.systemVersion(ctx) }

// Clock asks what time it is in the system, and whether that is known, see
// [adapter.Clocked].
func (s *System) Clock(ctx context.Context) (now time.Time, known bool, err error) {
	err = s.link.do(s.scoped(ctx, &s.caller.Scope), work{operation: "health", timeout: healthTimeout, once: true, run: func(ctx context.Context, a adapter.Adapter) error {
		if _, able := a.(adapter.Clocked); !able {
			return nil
		}
		if err := adapter.Ping(ctx, a); err != nil {
			return err
		}
		now, known = adapter.Clock(a)
		return nil
	}})
	return now, known, err
}

// LiveSchema describes a model as the system has it now, whatever version the
// caller speaks. An unknown model is ErrNotFound.
func (s *System) LiveSchema(ctx context.Context, model string) (*adapter.Schema, error) {
	if err := s.may(ctx, model, "fields_get"); err != nil {
		return nil, err
	}
	return s.liveSchema(ctx, model)
}

// LiveRead reads records by their ids as the system has them now, archived or
// not. Those that are not there are left out.
func (s *System) LiveRead(ctx context.Context, model string, ids []adapter.ID, fields []string) ([]adapter.Record, error) {
	if err := s.may(ctx, model, "search_read"); err != nil {
		return nil, err
	}
	return s.readLive(ctx, model, ids, fields)
}

// LiveQuery returns a page of the records that match now, archived ones
// included.
func (s *System) LiveQuery(ctx context.Context, q adapter.Query) ([]adapter.Record, error) {
	return s.since(ctx, q.Model, q.Filter, q)
}

// ExternalModule is the module of the external ids under which records are
// kept that came from another system.
const ExternalModule = externalModule

// ExternalName is the name, in ExternalModule, of a record of this system
// wherever it was carried to; model is the model's name in this system.
func (s *System) ExternalName(model string, id adapter.ID) string {
	return (&migration{source: s}).externalName(model, id)
}

// MayNote asks whether the system's user can make external ids, without which
// a repeated migration can't find what it made.
func (s *System) MayNote(ctx context.Context) error {
	return (&migration{Migration: Migration{Target: s}}).mayNote(ctx)
}
