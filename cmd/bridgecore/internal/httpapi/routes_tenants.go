package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/accounts"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
)

// TenantPath is the path parameter of a tenant.
type TenantPath struct {
	TenantID int64 `path:"tenant_id" minimum:"1" doc:"The tenant's id, as /auth/me tells it" example:"1"`
}

type tenantsInput struct {
	Page
	Status string `query:"status" enum:"active,trial,suspended,deleted" doc:"Tenants of this status alone"`
	Q      string `query:"q" maxLength:"255" doc:"A part of the name" example:"acme"`
}

type tenantOutput struct {
	ID          string              `json:"id" example:"1"`
	Name        string              `json:"name" example:"acme"`
	Status      string              `json:"status" enum:"active,trial,suspended,deleted" doc:"Users of a tenant whose trial is over get 402, of a suspended one 403, of a deleted one 410"`
	TrialEndsAt *time.Time          `json:"trial_ends_at" doc:"null unless status is trial, or was"`
	Limits      map[string]int      `json:"limits" doc:"Requests a minute of each user by class, where they are not the server's own; 0 is no limit" example:"{\"read\":200}"`
	Access      map[string][]string `json:"access" doc:"What the roles user and viewer may call; a role that is not in it may call everything" example:"{\"user\":[\"res.*\",\"sale.order:read\",\"sale.order:action_confirm\"]}"`
	CreatedAt   time.Time           `json:"created_at"`
	UpdatedAt   time.Time           `json:"updated_at"`
}

func tenantOf(t *store.Tenant) tenantOutput {
	out := tenantOutput{
		ID: tenantText(t.ID), Name: t.Name, Status: string(t.Status), Limits: t.Limits, Access: t.Access,
		CreatedAt: t.CreatedAt.UTC().Truncate(time.Second), UpdatedAt: t.UpdatedAt.UTC().Truncate(time.Second),
	}
	if !t.TrialEndsAt.IsZero() {
		at := t.TrialEndsAt.UTC()
		out.TrialEndsAt = &at
	}
	return out
}

type tenantList struct {
	Tenants    []tenantOutput `json:"tenants" nullable:"false" doc:"By id"`
	NextCursor string         `json:"next_cursor,omitempty" doc:"Send it as cursor for more; absent at the end"`
}

type newTenantInput struct {
	Body struct {
		Name        string              `json:"name" minLength:"1" maxLength:"255" doc:"Unique in the installation" example:"acme"`
		Status      string              `json:"status,omitempty" enum:"active,trial,suspended" doc:"active unless given" example:"trial"`
		TrialEndsAt time.Time           `json:"trial_ends_at,omitzero" doc:"trial: when it ends" example:"2026-12-31T00:00:00Z"`
		Limits      map[string]int      `json:"limits,omitempty" doc:"Requests a minute of each user by class: auth, read, write, delete, batch, file, report, default" example:"{\"read\":200}"`
		Access      map[string][]string `json:"access,omitempty" doc:"What the roles user and viewer may call: res.* is every method of models that begin so, sale.order:read what only reads, sale.order:action_confirm that method" example:"{\"viewer\":[\"res.*\",\"sale.order:read\"]}"`
	}
}

type createdTenant struct {
	Location string `header:"Location" doc:"The tenant's path"`
	Body     tenantOutput
}

type changeTenantInput struct {
	TenantPath
	Body struct {
		Name        *string              `json:"name,omitempty" minLength:"1" maxLength:"255" example:"acme"`
		Status      *store.TenantStatus  `json:"status,omitempty" enum:"active,trial,suspended,deleted" example:"suspended"`
		TrialEndsAt *time.Time           `json:"trial_ends_at,omitempty" example:"2026-12-31T00:00:00Z"`
		Limits      *map[string]int      `json:"limits,omitempty" doc:"All of them anew; {} for the server's own" example:"{\"read\":200}"`
		Access      *map[string][]string `json:"access,omitempty" doc:"All of it anew; {} allows everything" example:"{\"viewer\":[\"res.*\"]}"`
	}
}

type tenantStats struct {
	TenantID string `json:"tenant_id" example:"1"`
	bridge.Stats
	Users    int `json:"users" doc:"Of the tenant" example:"3"`
	Systems  int `json:"systems" doc:"Registered" example:"1"`
	Sessions int `json:"sessions" doc:"Open" example:"2"`
}

type tenantHealth struct {
	TenantID string         `json:"tenant_id" example:"1"`
	Healthy  bool           `json:"healthy" doc:"Whether all active systems are"`
	Systems  []systemHealth `json:"systems" nullable:"false" doc:"Those that are active, by system_id"`
}

type systemHealth struct {
	SystemID string `json:"system_id" example:"odoo_main"`
	bridge.Health
}

func (a *API) registerTenants() {
	const tag, path = "Tenants", "/api/v1/admin/tenants"
	one := path + "/{tenant_id}"

	register(a, route{
		id: "listTenants", method: http.MethodGet, path: path, tag: tag, operator: true,
		summary: "List the tenants", description: "Deleted ones too.", errors: []int{422},
	}, func(ctx context.Context, in *tenantsInput) (*body[tenantList], error) {
		after, err := in.after()
		if err != nil {
			return nil, err
		}
		list, err := a.accounts.Tenants(ctx, actorOf(ctx), store.TenantFilter{Status: store.TenantStatus(in.Status), Text: searched(in.Q), After: after, Limit: in.Limit + 1})
		if err != nil {
			return nil, err
		}
		out := tenantList{Tenants: make([]tenantOutput, 0, len(list))}
		list, out.NextCursor = cutTo(list, in.Page, func(t *store.Tenant) int64 { return t.ID })
		for i := range list {
			out.Tenants = append(out.Tenants, tenantOf(&list[i]))
		}
		return &body[tenantList]{out}, nil
	})

	register(a, route{
		id: "addTenant", method: http.MethodPost, path: path, tag: tag, operator: true, status: http.StatusCreated,
		summary: "Add a tenant", description: "It has no users yet: add an admin with POST /api/v1/admin/users and its tenant_id.",
		errors: []int{400, 409, 413, 415, 422},
	}, func(ctx context.Context, in *newTenantInput) (*createdTenant, error) {
		t, err := a.accounts.AddTenant(ctx, actorOf(ctx), store.Tenant{
			Name: in.Body.Name, Status: store.TenantStatus(in.Body.Status), TrialEndsAt: in.Body.TrialEndsAt, Limits: in.Body.Limits, Access: in.Body.Access,
		})
		if err != nil {
			return nil, err
		}
		a.changing(ctx, tenantModel, t.ID, map[string]any{"name": t.Name, "status": t.Status})
		return &createdTenant{path + "/" + tenantText(t.ID), tenantOf(&t)}, nil
	})

	register(a, route{
		id: "getTenant", method: http.MethodGet, path: one, tag: tag, admin: true,
		summary: "Get a tenant", description: "An operator any, an admin the own.", errors: []int{404, 422},
	}, func(ctx context.Context, in *TenantPath) (*body[tenantOutput], error) {
		t, err := a.accounts.Tenant(ctx, actorOf(ctx), in.TenantID)
		if err != nil {
			return nil, err
		}
		return &body[tenantOutput]{tenantOf(&t)}, nil
	})

	register(a, route{
		id: "changeTenant", method: http.MethodPatch, path: one, tag: tag, admin: true,
		summary: "Change a tenant",
		description: "Sets the members that are given; the others stay. An operator changes any; an admin the access of the own tenant alone. " +
			"It holds for tokens that are out already: at once on this server, within ten seconds on others.",
		errors: []int{400, 404, 409, 413, 415, 422},
	}, func(ctx context.Context, in *changeTenantInput) (*body[tenantOutput], error) {
		c := accounts.TenantChange{Name: in.Body.Name, Status: in.Body.Status, TrialEndsAt: in.Body.TrialEndsAt, Limits: in.Body.Limits, Access: in.Body.Access}
		a.changing(ctx, tenantModel, in.TenantID, nil)
		t, err := a.accounts.ChangeTenant(ctx, actorOf(ctx), in.TenantID, c)
		if err != nil {
			return nil, err
		}
		a.changing(ctx, tenantModel, in.TenantID, given("name", c.Name, "status", c.Status, "trial_ends_at", c.TrialEndsAt, "limits", c.Limits, "access", c.Access))
		return &body[tenantOutput]{tenantOf(&t)}, nil
	})

	register(a, route{
		id: "removeTenant", method: http.MethodDelete, path: one, tag: tag, operator: true,
		summary: "Delete a tenant", description: "Its users get 410. What belongs to it is kept: PATCH with another status brings it back.",
		errors: []int{404, 409, 422},
	}, func(ctx context.Context, in *TenantPath) (*body[done], error) {
		a.changing(ctx, tenantModel, in.TenantID, nil)
		if _, err := a.accounts.RemoveTenant(ctx, actorOf(ctx), in.TenantID); err != nil {
			return nil, err
		}
		return &body[done]{done{true, "Tenant deleted successfully"}}, nil
	})

	register(a, route{
		id: "tenantStats", method: http.MethodGet, path: one + "/stats", tag: tag, admin: true,
		summary: "Figures of a tenant",
		description: "The calls that this server made to the tenant's systems since it began (what the cache answered is no call), and how much the tenant has. " +
			"An operator any, an admin the own.",
		errors: []int{404, 422},
	}, func(ctx context.Context, in *TenantPath) (*body[tenantStats], error) {
		t, err := a.accounts.Tenant(ctx, actorOf(ctx), in.TenantID)
		if err != nil {
			return nil, err
		}
		n, err := a.Store.TenantCounts(ctx, t.ID)
		if err != nil {
			return nil, err
		}
		return &body[tenantStats]{tenantStats{tenantText(t.ID), a.Bridge.TenantStats(systems.Tenant(t.ID)), n.Users, n.Systems, n.Sessions}}, nil
	})

	register(a, route{
		id: "tenantHealth", method: http.MethodGet, path: one + "/health", tag: tag, admin: true,
		summary: "Are the systems of a tenant there", description: "Asks each that is active, several at a time, for five seconds at most. An operator any, an admin the own.",
		errors: []int{404, 422},
	}, func(ctx context.Context, in *TenantPath) (*body[tenantHealth], error) {
		t, err := a.accounts.Tenant(ctx, actorOf(ctx), in.TenantID)
		if err != nil {
			return nil, err
		}
		list, err := a.Store.Systems(ctx, t.ID)
		if err != nil {
			return nil, err
		}
		var ids []string
		for i := range list {
			if list[i].IsActive {
				ids = append(ids, list[i].SystemID)
			}
		}
		caller := callerOf(callFrom(ctx).identity)
		caller.Tenant = systems.Tenant(t.ID)
		out := tenantHealth{TenantID: tenantText(t.ID), Healthy: true, Systems: []systemHealth{}}
		for i, h := range a.Bridge.Health(ctx, caller, ids) {
			out.Healthy = out.Healthy && h.Healthy
			out.Systems = append(out.Systems, systemHealth{ids[i], h})
		}
		return &body[tenantHealth]{out}, nil
	})
}
