package accounts

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// Bounds of a tenant's settings.
const (
	maxPatterns  = 200    // of one role
	maxPerMinute = 100000 // of one class
)

// boundable are the roles whose access can be bounded: an admin could lift the
// own bounds.
var boundable = []store.Role{store.Plain, store.Viewer}

// Tenant returns a tenant: any for an operator, for an admin the own.
func (s *Accounts) Tenant(ctx context.Context, by Actor, id int64) (store.Tenant, error) {
	if err := by.needs(store.Admin); err != nil {
		return store.Tenant{}, err
	}
	if reach := by.reach(); reach != store.AnyTenant && reach != id {
		return store.Tenant{}, errNoTenant
	}
	return s.Store.Tenant(ctx, id)
}

var errNoTenant = adapter.Errorf(adapter.NotFound, "there is no such tenant")

// Tenants lists tenants, for operators.
func (s *Accounts) Tenants(ctx context.Context, by Actor, f store.TenantFilter) ([]store.Tenant, error) {
	if err := by.needs(store.Operator); err != nil {
		return nil, err
	}
	return s.Store.ListTenants(ctx, f)
}

// AddTenant adds a tenant, for operators.
func (s *Accounts) AddTenant(ctx context.Context, by Actor, t store.Tenant) (store.Tenant, error) {
	if err := by.needs(store.Operator); err != nil {
		return t, err
	}
	if t.Status == "" {
		t.Status = store.Active
	}
	if err := checkTenant(&t); err != nil {
		return t, err
	}
	err := s.Store.CreateTenant(ctx, &t)
	return t, err
}

// TenantChange is what to change of a tenant; nil leaves it.
type TenantChange struct {
	Name        *string
	Status      *store.TenantStatus
	TrialEndsAt *time.Time
	Limits      *map[string]int
	Access      *map[string][]string // the one thing that admins change
}

// ChangeTenant changes a tenant: an operator any, an admin the Access of the
// own. What it changes holds for tokens that are out already: at once in this
// process, within ten seconds in others.
func (s *Accounts) ChangeTenant(ctx context.Context, by Actor, id int64, c TenantChange) (store.Tenant, error) {
	if _, err := s.Tenant(ctx, by, id); err != nil {
		return store.Tenant{}, err
	}
	if c.Name != nil || c.Status != nil || c.TrialEndsAt != nil || c.Limits != nil {
		if err := by.needs(store.Operator); err != nil {
			return store.Tenant{}, adapter.Errorf(adapter.PermissionDenied, "an admin may change access alone; name, status, trial_ends_at and limits need the role operator")
		}
	}
	if id == by.TenantID && c.Status != nil && *c.Status != store.Active {
		return store.Tenant{}, errOwnTenant
	}
	defer s.changed()
	return s.Store.ChangeTenant(ctx, id, func(t *store.Tenant) error {
		set(&t.Name, c.Name)
		set(&t.TrialEndsAt, c.TrialEndsAt)
		set(&t.Limits, c.Limits)
		set(&t.Access, c.Access)
		if set(&t.Status, c.Status); c.Status != nil && *c.Status == store.Active && c.TrialEndsAt == nil {
			t.TrialEndsAt = time.Time{}
		}
		return checkTenant(t)
	})
}

var errOwnTenant = adapter.Errorf(adapter.Conflict, "this is your own tenant: you would lock yourself out; let an operator of another tenant do it, or the command bridgecore tenant on the server")

// RemoveTenant marks a tenant as deleted, for operators. Its users can't log in
// any more; what belongs to it is kept, and changing its status brings it back.
func (s *Accounts) RemoveTenant(ctx context.Context, by Actor, id int64) (store.Tenant, error) {
	if err := by.needs(store.Operator); err != nil {
		return store.Tenant{}, err
	}
	gone := store.Deleted
	return s.ChangeTenant(ctx, by, id, TenantChange{Status: &gone})
}

func checkTenant(t *store.Tenant) error {
	t.Name = strings.TrimSpace(t.Name)
	switch {
	case t.Name == "" || len(t.Name) > 255 || strings.ContainsFunc(t.Name, unicode.IsControl):
		return wrong("name", "must have 1 to 255 bytes, and no control characters")
	case !slices.Contains(store.TenantStatuses, t.Status):
		return wrong("status", "must be one of %s", words(store.TenantStatuses))
	case t.Status == store.Trial && t.TrialEndsAt.IsZero():
		return wrong("trial_ends_at", "is missing: a trial ends some day")
	case t.Status == store.Active && !t.TrialEndsAt.IsZero():
		return wrong("trial_ends_at", "goes with the status trial")
	}
	for class, n := range t.Limits {
		if !slices.Contains(limit.Classes, limit.Class(class)) {
			return wrong("limits", "there is no class %q; there are %s", class, words(limit.Classes))
		}
		if n < 0 || n > maxPerMinute {
			return wrong("limits", "%s must be 0 (no limit) to %d requests a minute", class, maxPerMinute)
		}
	}
	for _, role := range slices.Sorted(maps.Keys(t.Access)) {
		patterns := t.Access[role]
		if !slices.Contains(boundable, store.Role(role)) {
			return wrong("access", "%q is none of the roles that can be bounded: %s", role, words(boundable))
		}
		if len(patterns) > maxPatterns {
			return wrong("access", "%s has %d rules; a role may have %d", role, len(patterns), maxPatterns)
		}
		if patterns == nil {
			return wrong("access", "%s must be a list of rules; leave the role out to allow everything", role)
		}
		for _, text := range patterns {
			if _, err := bridge.ParseRule(text); err != nil {
				return wrong("access", "%s: %s", role, err.(*adapter.Error).Message) //nolint:errorlint // it is one
			}
		}
	}
	return nil
}
