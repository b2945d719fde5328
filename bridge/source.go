package bridge

import (
	"context"
	"log/slog"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

// SystemConfig is how to reach one system of a tenant.
type SystemConfig struct {
	Tenant string
	ID     string // the system's id within its tenant
	Kind   string // which Opener dials it: "odoo"
	// Connection is what the Opener needs, secrets included. The bridge
	// neither reads nor prints it.
	Connection any
	// Revision changes whenever anything above does: the connection is then
	// made anew, and answers kept under the old one are left behind.
	Revision string
	// Fingerprint tells apart whom the system takes us for, without being a
	// secret. "" lets Revision stand for it.
	Fingerprint string
	// Version is what the owner says the system's version is, shown until the
	// system itself was asked.
	Version string
	// PinnedVersion is the version that callers of the system speak unless
	// they say otherwise, see [System.As]; "" is the system's own.
	PinnedVersion string
	// Mappings are the system's own, over those of Config.Mappings, see
	// [System.Universal]. nil for none.
	Mappings *mapping.Set
	// MappingsRevision changes whenever Mappings does: the new ones are then
	// used over the connection that there is.
	MappingsRevision string
	// MaxConcurrent overrides Config.MaxConcurrent for this system.
	MaxConcurrent int
}

// String names the system without its connection.
func (c SystemConfig) String() string { return c.Kind + " system " + c.Tenant + "/" + c.ID }

// GoString is String: a connection must not be printed by accident.
func (c SystemConfig) GoString() string { return c.String() }

// LogValue is what a log shows of the configuration.
func (c SystemConfig) LogValue() slog.Value {
	return slog.GroupValue(slog.String("tenant", c.Tenant), slog.String("system", c.ID), slog.String("kind", c.Kind), slog.String("revision", c.Revision))
}

// MarshalJSON writes what LogValue shows.
func (c SystemConfig) MarshalJSON() ([]byte, error) {
	return appendObject(nil, "tenant", c.Tenant, "system", c.ID, "kind", c.Kind, "revision", c.Revision), nil
}

// Source looks systems up. A system that does not exist, or belongs to
// another tenant, is ErrNotFound. It is asked once per system and
// Config.Recheck, not for every call.
type Source interface {
	System(ctx context.Context, tenant, id string) (SystemConfig, error)
}

// SourceFunc is a Source that is a function.
type SourceFunc func(ctx context.Context, tenant, id string) (SystemConfig, error)

// System calls f.
func (f SourceFunc) System(ctx context.Context, tenant, id string) (SystemConfig, error) {
	return f(ctx, tenant, id)
}

// Static is a Source of systems that never change.
func Static(systems ...SystemConfig) Source {
	byName := make(map[systemName]SystemConfig, len(systems))
	for _, s := range systems {
		byName[systemName{s.Tenant, s.ID}] = s
	}
	return SourceFunc(func(_ context.Context, tenant, id string) (SystemConfig, error) {
		if s, ok := byName[systemName{tenant, id}]; ok {
			return s, nil
		}
		return SystemConfig{}, adapter.ErrNotFound
	})
}

// Opener dials a system. Its context ends when the dialling takes too long.
type Opener func(ctx context.Context, config SystemConfig) (adapter.Adapter, error)

type systemName struct{ tenant, id string }
