package systems

import (
	"context"
	"net/http"
	"strconv"
	"sync"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/mappings"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
	"github.com/bridgecore/bridgecore/mapping"
)

// Tenant writes a tenant's id as package bridge knows it.
func Tenant(id int64) string { return strconv.FormatInt(id, 10) }

func tenantNumber(tenant, id string) (int64, error) {
	n, err := strconv.ParseInt(tenant, 10, 64)
	if err != nil {
		return 0, adapter.Errorf(adapter.NotFound, "there is no system %q", id)
	}
	return n, nil
}

// Source looks systems up in the store, with the mappings that tenants made for
// them. A system that was deactivated is ErrPermissionDenied.
func Source(s *store.Store, v *vault.Vault, m *mappings.Mappings) bridge.Source {
	own := &ownMappings{store: s, mappings: m}
	return bridge.SourceFunc(func(ctx context.Context, tenant, id string) (bridge.SystemConfig, error) {
		tenantID, err := tenantNumber(tenant, id)
		if err != nil {
			return bridge.SystemConfig{}, err
		}
		sys, err := s.System(ctx, tenantID, id)
		if err != nil {
			return bridge.SystemConfig{}, err
		}
		if !sys.IsActive {
			return bridge.SystemConfig{}, adapter.Errorf(adapter.PermissionDenied, "the system %q is deactivated; an admin can set is_active", id)
		}
		c, err := Open(v, sys.Kind, sys.SealedConfig)
		if err != nil {
			return bridge.SystemConfig{}, err
		}
		set, revision, err := own.of(ctx, &sys)
		if err != nil {
			return bridge.SystemConfig{}, err
		}
		return bridge.SystemConfig{
			Mappings: set, MappingsRevision: revision,
			Tenant: tenant, ID: sys.SystemID, Kind: sys.Kind, Version: sys.Version, PinnedVersion: sys.Pinned, Connection: c,
			// The number tells apart a system that was deleted and registered
			// anew under the same name.
			Revision:      strconv.FormatInt(sys.ID, 10) + "." + strconv.FormatInt(sys.Revision, 10),
			Fingerprint:   fingerprint(c),
			MaxConcurrent: c.limits().connections(),
		}, nil
	})
}

// ownMappings remembers the mappings of systems: reading them again is work
// that is needed after a save alone.
type ownMappings struct {
	store    *store.Store
	mappings *mappings.Mappings

	mu   sync.Mutex
	kept map[int64]keptMappings // by System.ID
}

type keptMappings struct {
	revision int64
	set      *mapping.Set
}

// mostKept bounds what is remembered; more begins anew.
const mostKept = 1024

// of returns a system's own mappings, nil for none, and what tells them apart.
func (o *ownMappings) of(ctx context.Context, sys *store.System) (*mapping.Set, string, error) {
	if o.mappings == nil {
		return nil, "", nil
	}
	revision, err := o.store.MappingRevision(ctx, sys.TenantID, sys.ID)
	if err != nil || revision == 0 {
		return nil, "", err
	}
	name := strconv.FormatInt(revision, 10)
	o.mu.Lock()
	known, ok := o.kept[sys.ID]
	o.mu.Unlock()
	if ok && known.revision == revision {
		return known.set, name, nil
	}
	list, err := o.store.Mappings(ctx, sys.TenantID, sys.ID)
	if err != nil {
		return nil, "", err
	}
	set, err := o.mappings.Layer(sys.Kind, list)
	if err != nil {
		return nil, "", err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.kept == nil || len(o.kept) >= mostKept {
		o.kept = map[int64]keptMappings{}
	}
	o.kept[sys.ID] = keptMappings{revision, set}
	return set, name, nil
}

// dialer is a connection that can be dialled.
type dialer interface {
	dial(ctx context.Context, d dialling) (adapter.Adapter, error)
}

// dialling is what a connection is dialled with.
type dialling struct {
	guard   netguard.Guard
	version string                    // what the owner says the system's version is
	keep    func(was, now Connection) // stores a secret that took the place of one
	wrap    func(http.RoundTripper) http.RoundTripper
}

// Openers dial systems by their kind, through the guard. The keeper may be nil.
func Openers(guard netguard.Guard, keeper *Keeper) map[string]bridge.Opener {
	return OpenersVia(guard, keeper, nil)
}

// OpenersVia are Openers whose systems send their requests through what wrap
// makes of their transports.
func OpenersVia(guard netguard.Guard, keeper *Keeper, wrap func(http.RoundTripper) http.RoundTripper) map[string]bridge.Opener {
	openers := make(map[string]bridge.Opener, len(kinds))
	for _, name := range Kinds() {
		openers[name] = func(ctx context.Context, config bridge.SystemConfig) (adapter.Adapter, error) {
			c, ok := config.Connection.(dialer)
			if !ok {
				return nil, adapter.Errorf(adapter.Internal, "the connection of system %q can't be dialled", config.ID)
			}
			keep := func(was, now Connection) { //nolint:contextcheck // when it is called the dialling is long over
				keeper.keep(config.Tenant, config.ID, was, now)
			}
			return c.dial(ctx, dialling{guard, config.Version, keep, wrap})
		}
	}
	return openers
}
