package systems

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

// Keeper stores what a system gives in place of a secret: where refresh tokens
// are rotated, the one in the store is worthless as soon as it was used. Its
// methods may be called on nil, which keeps nothing.
type Keeper struct {
	store *store.Store
	vault *vault.Vault
	log   *slog.Logger
	wait  sync.WaitGroup
}

// NewKeeper returns a keeper. Close it before the store.
func NewKeeper(s *store.Store, v *vault.Vault, log *slog.Logger) *Keeper {
	return &Keeper{store: s, vault: v, log: log}
}

// keepTime bounds one change of the store.
const keepTime = 10 * time.Second

// keep replaces was with now in the connection of a system, unless somebody
// changed the connection since. It does not wait for that.
func (k *Keeper) keep(tenant, id string, was, now Connection) {
	if k == nil {
		return
	}
	k.wait.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), keepTime)
		defer cancel()
		if err := k.replace(ctx, tenant, id, was, now); err != nil {
			k.log.Error("a system gave a new secret, which could not be stored: after the next start it must be given again",
				"tenant", tenant, "system", id, "error", err)
		}
	})
}

func (k *Keeper) replace(ctx context.Context, tenant, id string, was, now Connection) error {
	tenantID, err := tenantNumber(tenant, id)
	if err != nil {
		return err
	}
	sys, err := k.store.System(ctx, tenantID, id)
	if err != nil {
		return err
	}
	stored, err := Open(k.vault, sys.Kind, sys.SealedConfig)
	if err != nil || fingerprint(stored) != fingerprint(was) {
		return err
	}
	sealed, err := k.vault.Seal(now)
	if err != nil {
		return err
	}
	return k.store.Reseal(ctx, &sys, sealed)
}

// Close waits until all is stored.
func (k *Keeper) Close() {
	if k != nil {
		k.wait.Wait()
	}
}
