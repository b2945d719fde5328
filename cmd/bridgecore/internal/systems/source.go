package systems

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

// Odoo is the kind of Odoo systems.
const Odoo = "odoo"

// Tenant writes a tenant's id as package bridge knows it.
func Tenant(id int64) string { return strconv.FormatInt(id, 10) }

// Source looks systems up in the store. A system that was deactivated is
// ErrPermissionDenied.
func Source(s *store.Store, v *vault.Vault) bridge.Source {
	return bridge.SourceFunc(func(ctx context.Context, tenant, id string) (bridge.SystemConfig, error) {
		tenantID, err := strconv.ParseInt(tenant, 10, 64)
		if err != nil {
			return bridge.SystemConfig{}, adapter.Errorf(adapter.NotFound, "there is no system %q", id)
		}
		sys, err := s.System(ctx, tenantID, id)
		if err != nil {
			return bridge.SystemConfig{}, err
		}
		if !sys.IsActive {
			return bridge.SystemConfig{}, adapter.Errorf(adapter.PermissionDenied, "the system %q is deactivated; an admin can set is_active", id)
		}
		var c Connection
		if err := v.Open(sys.SealedConfig, &c); err != nil {
			return bridge.SystemConfig{}, err
		}
		return bridge.SystemConfig{
			Tenant: tenant, ID: sys.SystemID, Kind: sys.Kind, Version: sys.Version, PinnedVersion: sys.Pinned, Connection: c,
			// The number tells apart a system that was deleted and registered
			// anew under the same name.
			Revision:      strconv.FormatInt(sys.ID, 10) + "." + strconv.FormatInt(sys.Revision, 10),
			Fingerprint:   c.fingerprint(),
			MaxConcurrent: c.connections(),
		}, nil
	})
}

// fingerprint tells credentials apart without giving them away: a password
// can't be guessed from it without the whole of the rest.
func (c Connection) fingerprint() string {
	mac := hmac.New(sha256.New, []byte(c.Password+"\x00"+c.APIKey))
	mac.Write([]byte(c.URL + "\x00" + c.Database + "\x00" + c.Username))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// Openers dial systems by their kind, through the guard.
func Openers(guard netguard.Guard) map[string]bridge.Opener {
	return map[string]bridge.Opener{
		Odoo: func(ctx context.Context, config bridge.SystemConfig) (adapter.Adapter, error) {
			c, ok := config.Connection.(Connection)
			if !ok {
				return nil, adapter.Errorf(adapter.Internal, "the connection of system %q is not one of Odoo", config.ID)
			}
			client, err := odoo.Dial(ctx, c.config(guard))
			if err != nil {
				return nil, err
			}
			return client, nil
		},
	}
}
