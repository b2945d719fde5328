package systems

import (
	"context"
	"strconv"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
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

// Source looks systems up in the store. A system that was deactivated is
// ErrPermissionDenied.
func Source(s *store.Store, v *vault.Vault) bridge.Source {
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
		return bridge.SystemConfig{
			Tenant: tenant, ID: sys.SystemID, Kind: sys.Kind, Version: sys.Version, PinnedVersion: sys.Pinned, Connection: c,
			// The number tells apart a system that was deleted and registered
			// anew under the same name.
			Revision:      strconv.FormatInt(sys.ID, 10) + "." + strconv.FormatInt(sys.Revision, 10),
			Fingerprint:   fingerprint(c),
			MaxConcurrent: c.limits().connections(),
		}, nil
	})
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
}

// Openers dial systems by their kind, through the guard. The keeper may be nil.
func Openers(guard netguard.Guard, keeper *Keeper) map[string]bridge.Opener {
	openers := make(map[string]bridge.Opener, len(kinds))
	for _, name := range Kinds() {
		openers[name] = func(ctx context.Context, config bridge.SystemConfig) (adapter.Adapter, error) {
			c, ok := config.Connection.(dialer)
			if !ok {
				return nil, adapter.Errorf(adapter.Internal, "the connection of system %q can't be dialled", config.ID)
			}
			return c.dial(ctx, dialling{guard, config.Version, func(was, now Connection) { keeper.keep(config.Tenant, config.ID, was, now) }})
		}
	}
	return openers
}
