package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
)

// SystemPath is the path parameter of a system. It is exported because huma
// looks into exported embedded structs alone.
type SystemPath struct {
	SystemID string `path:"system_id" maxLength:"64" doc:"The system_id that it was registered with" example:"odoo_main"`
}

// connection is how to reach a system. It is never answered.
type connection struct {
	URL            string `json:"url" minLength:"1" maxLength:"2000" doc:"The address of the Odoo server" example:"https://odoo.example.com"`
	Database       string `json:"database" minLength:"1" maxLength:"255" doc:"The database's name" example:"production"`
	Username       string `json:"username,omitempty" maxLength:"255" doc:"The login of the user to act as" example:"admin"`
	Password       string `json:"password,omitempty" maxLength:"1024" writeOnly:"true" doc:"The user's password; or give an api_key" example:"secret123"`
	APIKey         string `json:"api_key,omitempty" maxLength:"1024" writeOnly:"true" doc:"An API key of the user: in place of the password from 14.0, and what JSON-2 needs from 19.0"`
	Transport      string `json:"transport,omitempty" enum:"auto,json2,jsonrpc,session,xmlrpc" doc:"How to talk to the server; auto, the default, takes the best that works"`
	Timeout        int    `json:"timeout,omitempty" minimum:"1" maximum:"600" doc:"Seconds that one call may take; 30 unless given" example:"30"`
	MaxConnections int    `json:"max_connections,omitempty" minimum:"1" maximum:"100" doc:"Connections at once; 10 unless given" example:"10"`
}

type registerInput struct {
	Body struct {
		SystemID      string     `json:"system_id" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9_.-]*$" patternDescription:"letters, digits, _ . -" doc:"Your name for it, in every path; unique within the tenant" example:"odoo_main"`
		SystemType    string     `json:"system_type" enum:"odoo" doc:"What it is" example:"odoo"`
		SystemVersion string     `json:"system_version" enum:"13.0,14.0,15.0,16.0,17.0,18.0,19.0" doc:"The version you expect; /status tells the one that is there" example:"17.0"`
		PinnedVersion string     `json:"pinned_version,omitempty" enum:",13.0,14.0,15.0,16.0,17.0,18.0,19.0" doc:"The version your app was written for: requests and answers are in its vocabulary unless X-Odoo-Version says otherwise. Empty for the system's own" example:"13.0"`
		Name          string     `json:"name,omitempty" maxLength:"255" doc:"For people" example:"Odoo Production"`
		Description   string     `json:"description,omitempty" maxLength:"2000" doc:"For people" example:"Main Odoo instance"`
		Connection    connection `json:"connection_config" writeOnly:"true" doc:"How to reach it. Kept encrypted and never shown again"`
	}
}

type replaceInput struct {
	SystemPath
	Body struct {
		SystemVersion string     `json:"system_version" enum:"13.0,14.0,15.0,16.0,17.0,18.0,19.0" example:"17.0"`
		PinnedVersion string     `json:"pinned_version,omitempty" enum:",13.0,14.0,15.0,16.0,17.0,18.0,19.0" example:"13.0"`
		Name          string     `json:"name,omitempty" maxLength:"255" example:"Odoo Production"`
		Description   string     `json:"description,omitempty" maxLength:"2000" example:"Main Odoo instance"`
		IsActive      *bool      `json:"is_active,omitempty" doc:"false refuses every use of it; true unless given"`
		Connection    connection `json:"connection_config" writeOnly:"true"`
	}
}

type changeInput struct {
	SystemPath
	Body struct {
		SystemVersion *string           `json:"system_version,omitempty" enum:"13.0,14.0,15.0,16.0,17.0,18.0,19.0" example:"18.0"`
		PinnedVersion *string           `json:"pinned_version,omitempty" enum:",13.0,14.0,15.0,16.0,17.0,18.0,19.0" doc:"An empty text ends the pin" example:"13.0"`
		Name          *string           `json:"name,omitempty" maxLength:"255" example:"Odoo Production"`
		Description   *string           `json:"description,omitempty" maxLength:"2000"`
		IsActive      *bool             `json:"is_active,omitempty" doc:"false refuses every use of it"`
		Connection    *connectionChange `json:"connection_config,omitempty" writeOnly:"true" doc:"The members to change; the others stay. With a new url the password or api_key must be given again"`
	}
}

// connectionChange is connection with every member optional.
type connectionChange struct {
	URL            *string `json:"url,omitempty" minLength:"1" maxLength:"2000"`
	Database       *string `json:"database,omitempty" minLength:"1" maxLength:"255"`
	Username       *string `json:"username,omitempty" maxLength:"255"`
	Password       *string `json:"password,omitempty" maxLength:"1024" writeOnly:"true" example:"new-secret"`
	APIKey         *string `json:"api_key,omitempty" maxLength:"1024" writeOnly:"true"`
	Transport      *string `json:"transport,omitempty" enum:"auto,json2,jsonrpc,session,xmlrpc"`
	Timeout        *int    `json:"timeout,omitempty" minimum:"1" maximum:"600"`
	MaxConnections *int    `json:"max_connections,omitempty" minimum:"1" maximum:"100"`
}

type registeredSystem struct {
	ID            int64     `json:"id" doc:"The server's number for it" example:"1"`
	SystemID      string    `json:"system_id" example:"odoo_main"`
	SystemType    string    `json:"system_type" example:"odoo"`
	SystemVersion string    `json:"system_version" example:"17.0"`
	IsActive      bool      `json:"is_active"`
	CreatedAt     time.Time `json:"created_at" example:"2024-01-15T12:00:00Z"`
}

type systemOutput struct {
	registeredSystem
	PinnedVersion string    `json:"pinned_version,omitempty" example:"13.0"`
	Name          string    `json:"name" example:"Odoo Production"`
	Description   string    `json:"description" example:"Main Odoo instance"`
	UpdatedAt     time.Time `json:"updated_at" example:"2024-01-15T12:00:00Z"`
}

type systemList struct {
	Systems []systemOutput `json:"systems" nullable:"false" doc:"The tenant's systems by system_id"`
	Total   int            `json:"total" example:"1"`
}

type createdSystem struct {
	Location string `header:"Location" doc:"The system's path"`
	Body     registeredSystem
}

type deleted struct {
	Success bool   `json:"success"`
	Message string `json:"message" example:"System deleted successfully"`
}

func registered(s *store.System) registeredSystem {
	return registeredSystem{s.ID, s.SystemID, s.Kind, s.Version, s.IsActive, s.CreatedAt.UTC().Truncate(time.Second)}
}

func described(s *store.System) systemOutput {
	return systemOutput{registered(s), s.Pinned, s.Name, s.Description, s.UpdatedAt.UTC().Truncate(time.Second)}
}

func (a *API) registerSystems() {
	const tag, path = "Systems", "/api/v1/systems"

	register(a, route{
		id: "registerSystem", method: http.MethodPost, path: path, tag: tag, status: http.StatusCreated, admin: true,
		summary: "Register a system",
		description: "The system need not be reachable yet: /status tells whether it is. Its address must be public, " +
			"unless the operator allowed its network.",
		errors: []int{400, 409, 413, 415, 422},
	}, func(ctx context.Context, in *registerInput) (*createdSystem, error) {
		sys := store.System{
			TenantID: callFrom(ctx).identity.TenantID, SystemID: in.Body.SystemID, Kind: in.Body.SystemType, Version: in.Body.SystemVersion,
			Pinned: in.Body.PinnedVersion, Name: in.Body.Name, Description: in.Body.Description, IsActive: true,
		}
		if err := a.seal(&sys, systems.Connection(in.Body.Connection)); err != nil {
			return nil, err
		}
		if err := a.Store.CreateSystem(ctx, &sys); err != nil {
			return nil, err
		}
		return &createdSystem{path + "/" + url.PathEscape(sys.SystemID), registered(&sys)}, nil
	})

	register(a, route{
		id: "listSystems", method: http.MethodGet, path: path, tag: tag,
		summary: "List the systems", description: "Those of the caller's tenant.",
	}, func(ctx context.Context, _ *struct{}) (*body[systemList], error) {
		list, err := a.Store.Systems(ctx, callFrom(ctx).identity.TenantID)
		if err != nil {
			return nil, err
		}
		out := systemList{Systems: make([]systemOutput, len(list)), Total: len(list)}
		for i := range list {
			out.Systems[i] = described(&list[i])
		}
		return &body[systemList]{out}, nil
	})

	register(a, route{
		id: "getSystem", method: http.MethodGet, path: path + "/{system_id}", tag: tag,
		summary: "Describe a system", description: "Without its connection_config, which is never shown.",
		errors: []int{404},
	}, func(ctx context.Context, in *SystemPath) (*body[systemOutput], error) {
		sys, err := a.Store.System(ctx, callFrom(ctx).identity.TenantID, in.SystemID)
		if err != nil {
			return nil, err
		}
		return &body[systemOutput]{described(&sys)}, nil
	})

	register(a, route{
		id: "replaceSystem", method: http.MethodPut, path: path + "/{system_id}", tag: tag, admin: true,
		summary: "Replace a system", description: "Sets every member anew; what is left out is empty. PATCH changes single ones.",
		errors: []int{400, 404, 409, 413, 415, 422},
	}, func(ctx context.Context, in *replaceInput) (*body[systemOutput], error) {
		return a.update(ctx, in.SystemID, func(sys *store.System) error {
			sys.Version, sys.Pinned = in.Body.SystemVersion, in.Body.PinnedVersion
			sys.Name, sys.Description = in.Body.Name, in.Body.Description
			sys.IsActive = in.Body.IsActive == nil || *in.Body.IsActive
			return a.seal(sys, systems.Connection(in.Body.Connection))
		})
	})

	register(a, route{
		id: "changeSystem", method: http.MethodPatch, path: path + "/{system_id}", tag: tag, admin: true,
		summary: "Change a system", description: "Sets the members that are given; the others stay.",
		errors: []int{400, 404, 409, 413, 415, 422},
	}, func(ctx context.Context, in *changeInput) (*body[systemOutput], error) {
		return a.update(ctx, in.SystemID, func(sys *store.System) error {
			set(&sys.Version, in.Body.SystemVersion)
			set(&sys.Pinned, in.Body.PinnedVersion)
			set(&sys.Name, in.Body.Name)
			set(&sys.Description, in.Body.Description)
			set(&sys.IsActive, in.Body.IsActive)
			if in.Body.Connection == nil {
				return nil
			}
			var c systems.Connection
			if err := a.Vault.Open(sys.SealedConfig, &c); err != nil {
				return err
			}
			if err := in.Body.Connection.apply(&c); err != nil {
				return err
			}
			return a.seal(sys, c)
		})
	})

	register(a, route{
		id: "deleteSystem", method: http.MethodDelete, path: path + "/{system_id}", tag: tag, admin: true,
		summary: "Delete a system", description: "Forgets the system and what was cached of it. Nothing changes in the system itself.",
		errors: []int{404},
	}, func(ctx context.Context, in *SystemPath) (*body[deleted], error) {
		tenant := callFrom(ctx).identity.TenantID
		if err := a.Store.DeleteSystem(ctx, tenant, in.SystemID); err != nil {
			return nil, err
		}
		a.Bridge.Forget(systems.Tenant(tenant), in.SystemID) //nolint:contextcheck // also if the client goes away now
		return &body[deleted]{deleted{true, "System deleted successfully"}}, nil
	})
}

// update reads a system, lets change alter it, and writes it.
func (a *API) update(ctx context.Context, systemID string, change func(*store.System) error) (*body[systemOutput], error) {
	tenant := callFrom(ctx).identity.TenantID
	sys, err := a.Store.System(ctx, tenant, systemID)
	if err != nil {
		return nil, err
	}
	if err := change(&sys); err != nil {
		return nil, err
	}
	if err := a.Store.UpdateSystem(ctx, &sys); err != nil {
		return nil, err
	}
	a.Bridge.Forget(systems.Tenant(tenant), systemID) //nolint:contextcheck // also if the client goes away now
	return &body[systemOutput]{described(&sys)}, nil
}

// seal checks a connection and puts it, encrypted, into the system.
func (a *API) seal(sys *store.System, c systems.Connection) error {
	if err := c.Check(a.Guard); err != nil {
		return err
	}
	sealed, err := a.Vault.Seal(c)
	if err != nil {
		return err
	}
	sys.SealedConfig = sealed
	return nil
}

// apply sets the members that are given. Who may change a system may not, by
// that alone, learn its password: a new address, which could be one's own,
// needs the credentials anew.
func (change *connectionChange) apply(c *systems.Connection) error {
	if change.URL != nil && *change.URL != c.URL {
		if change.Password == nil && change.APIKey == nil {
			return &adapter.Error{Code: adapter.InvalidArgument, Field: "connection_config.password", Message: "with a new url the password or the api_key must be given again"}
		}
		c.Password, c.APIKey = "", ""
	}
	set(&c.URL, change.URL)
	set(&c.Database, change.Database)
	set(&c.Username, change.Username)
	set(&c.Password, change.Password)
	set(&c.APIKey, change.APIKey)
	set(&c.Transport, change.Transport)
	set(&c.Timeout, change.Timeout)
	set(&c.MaxConnections, change.MaxConnections)
	return nil
}

func set[T any](target *T, value *T) {
	if value != nil {
		*target = *value
	}
}
