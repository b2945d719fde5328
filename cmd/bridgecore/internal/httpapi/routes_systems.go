package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
)

// SystemPath is the path parameter of a system. It is exported because huma
// looks into exported embedded structs alone.
type SystemPath struct {
	SystemID string `path:"system_id" maxLength:"64" doc:"The system_id that it was registered with" example:"odoo_main"`
}

// connection is how to reach a system, or with PATCH what to change of it. It
// is never answered. Which members there are depends on the system's type.
type connection struct {
	URL            *string       `json:"url,omitempty" minLength:"1" maxLength:"2000" doc:"The address of the system. For Salesforce the org's own (My Domain), such as https://acme.my.salesforce.com; for SAP the server's, such as https://my300000.s4hana.cloud.sap" example:"https://odoo.example.com"`
	Database       *string       `json:"database,omitempty" minLength:"1" maxLength:"255" doc:"odoo: the database's name" example:"production"`
	Username       *string       `json:"username,omitempty" maxLength:"255" doc:"odoo, sap: the login of the user to act as. salesforce: the same, with a private_key" example:"admin"`
	Password       *string       `json:"password,omitempty" maxLength:"1024" writeOnly:"true" doc:"odoo, sap: the user's password" example:"secret123"`
	APIKey         *string       `json:"api_key,omitempty" maxLength:"1024" writeOnly:"true" doc:"odoo: an API key of the user: in place of the password from 14.0, and what JSON-2 needs from 19.0"`
	Transport      *string       `json:"transport,omitempty" enum:"auto,json2,jsonrpc,session,xmlrpc" doc:"odoo: how to talk to the server; auto, the default, takes the best that works"`
	ClientID       *string       `json:"client_id,omitempty" maxLength:"1024" doc:"salesforce: the consumer key of the connected app. sap: the OAuth client, with token_url"`
	ClientSecret   *string       `json:"client_secret,omitempty" maxLength:"1024" writeOnly:"true" doc:"salesforce: the consumer secret; alone it acts as the app's run-as user (client credentials). sap: the OAuth client's secret"`
	PrivateKey     *string       `json:"private_key,omitempty" maxLength:"16384" writeOnly:"true" doc:"salesforce: an RSA key in PEM whose certificate the connected app has: acts as username (JWT bearer)"`
	Audience       *string       `json:"audience,omitempty" maxLength:"2000" doc:"salesforce, with private_key: https://test.salesforce.com for a sandbox; what suits the url unless given"`
	RefreshToken   *string       `json:"refresh_token,omitempty" maxLength:"4096" writeOnly:"true" doc:"salesforce: a refresh token of the user to act as"`
	APIVersion     *string       `json:"api_version,omitempty" maxLength:"8" doc:"salesforce: the version of the REST API; the newest that both know unless given" example:"62.0"`
	TokenURL       *string       `json:"token_url,omitempty" maxLength:"2000" doc:"sap: where the OAuth client gets its tokens (client credentials)"`
	Scope          *string       `json:"scope,omitempty" maxLength:"1024" doc:"sap: the scope of the tokens, where the server wants one"`
	BearerToken    *string       `json:"bearer_token,omitempty" maxLength:"16384" writeOnly:"true" doc:"sap: a token that you renew yourself, in place of a user or a client"`
	Client         *string       `json:"client,omitempty" maxLength:"3" doc:"sap: the client (sap-client); the system's own unless given" example:"100"`
	Language       *string       `json:"language,omitempty" maxLength:"35" doc:"sap: the language of texts (sap-language)" example:"EN"`
	Services       *[]sapService `json:"services,omitempty" maxItems:"200" nullable:"false" doc:"sap: the OData services; those of S/4HANA unless given"`
	Timeout        *int          `json:"timeout,omitempty" minimum:"1" maximum:"600" doc:"Seconds that one call may take; 30 unless given" example:"30"`
	MaxConnections *int          `json:"max_connections,omitempty" minimum:"1" maximum:"100" doc:"Connections at once; 10 unless given" example:"10"`
}

type sapService struct {
	Name    string `json:"name" minLength:"1" maxLength:"128" doc:"The first part of the names of its models" example:"API_BUSINESS_PARTNER"`
	Path    string `json:"path,omitempty" maxLength:"500" doc:"Its path at the server; that of a service of OData v2 by its name unless given" example:"/sap/opu/odata/sap/API_BUSINESS_PARTNER"`
	Version string `json:"version,omitempty" enum:"v2,v4" doc:"Of OData; its metadata tells it unless given"`
}

// members are those that are given, as JSON.
func (c *connection) members() []byte {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) //nolint:forbidigo // texts and numbers can be written
	}
	return b
}

type registerInput struct {
	Body struct {
		SystemID      string     `json:"system_id" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9_.-]*$" patternDescription:"letters, digits, _ . -" doc:"Your name for it, in every path; unique within the tenant" example:"odoo_main"`
		SystemType    string     `json:"system_type" enum:"odoo,salesforce,sap" doc:"What it is" example:"odoo"`
		SystemVersion string     `json:"system_version,omitempty" maxLength:"64" doc:"The version you expect; /status tells the one that is there. odoo: 13.0 to 19.0. salesforce: of the REST API, or nothing. sap: the release, or nothing" example:"17.0"`
		PinnedVersion string     `json:"pinned_version,omitempty" maxLength:"64" doc:"odoo: The version your app was written for: requests and answers are in its vocabulary unless X-Odoo-Version says otherwise. Empty for the system's own" example:"13.0"`
		Name          string     `json:"name,omitempty" maxLength:"255" doc:"For people" example:"Odoo Production"`
		Description   string     `json:"description,omitempty" maxLength:"2000" doc:"For people" example:"Main Odoo instance"`
		Connection    connection `json:"connection_config" writeOnly:"true" doc:"How to reach it. Kept encrypted and never shown again"`
	}
}

type replaceInput struct {
	SystemPath
	Body struct {
		SystemVersion string     `json:"system_version,omitempty" maxLength:"64" example:"17.0"`
		PinnedVersion string     `json:"pinned_version,omitempty" maxLength:"64" example:"13.0"`
		Name          string     `json:"name,omitempty" maxLength:"255" example:"Odoo Production"`
		Description   string     `json:"description,omitempty" maxLength:"2000" example:"Main Odoo instance"`
		IsActive      *bool      `json:"is_active,omitempty" doc:"false refuses every use of it; true unless given"`
		Connection    connection `json:"connection_config" writeOnly:"true"`
	}
}

type changeInput struct {
	SystemPath
	Body struct {
		SystemVersion *string     `json:"system_version,omitempty" maxLength:"64" example:"18.0"`
		PinnedVersion *string     `json:"pinned_version,omitempty" maxLength:"64" doc:"An empty text ends the pin" example:"13.0"`
		Name          *string     `json:"name,omitempty" maxLength:"255" example:"Odoo Production"`
		Description   *string     `json:"description,omitempty" maxLength:"2000"`
		IsActive      *bool       `json:"is_active,omitempty" doc:"false refuses every use of it"`
		Connection    *connection `json:"connection_config,omitempty" writeOnly:"true" doc:"The members to change; the others stay. With a new address the secrets must be given again"`
	}
}

// RegisteredSystem is a system as it is registered. It is exported because huma
// looks into exported embedded structs alone.
type RegisteredSystem struct {
	ID            int64     `json:"id" doc:"The server's number for it" example:"1"`
	SystemID      string    `json:"system_id" example:"odoo_main"`
	SystemType    string    `json:"system_type" example:"odoo"`
	SystemVersion string    `json:"system_version" example:"17.0"`
	IsActive      bool      `json:"is_active"`
	CreatedAt     time.Time `json:"created_at" example:"2024-01-15T12:00:00Z"`
}

type systemOutput struct {
	RegisteredSystem
	PinnedVersion string    `json:"pinned_version,omitempty" example:"13.0"`
	Name          string    `json:"name" example:"Odoo Production"`
	Description   string    `json:"description" example:"Main Odoo instance"`
	UpdatedAt     time.Time `json:"updated_at" example:"2024-01-15T12:00:00Z"`
}

type systemList struct {
	Systems []systemOutput `json:"systems" nullable:"false" doc:"By system_id"`
	Total   int            `json:"total" example:"1"`
}

type createdSystem struct {
	Location string `header:"Location" doc:"The system's path"`
	Body     RegisteredSystem
}

type deleted struct {
	Success bool   `json:"success"`
	Message string `json:"message" example:"System deleted successfully"`
}

func registered(s *store.System) RegisteredSystem {
	return RegisteredSystem{s.ID, s.SystemID, s.Kind, s.Version, s.IsActive, s.CreatedAt.UTC().Truncate(time.Second)}
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
		c, err := systems.NewConnection(sys.Kind, in.Body.Connection.members())
		if err != nil {
			return nil, err
		}
		if err := a.seal(&sys, c); err != nil {
			return nil, err
		}
		if err := a.Store.CreateSystem(ctx, &sys); err != nil {
			return nil, err
		}
		return &createdSystem{path + "/" + url.PathEscape(sys.SystemID), registered(&sys)}, nil
	})

	register(a, route{
		id: "listSystems", method: http.MethodGet, path: path, tag: tag,
		summary: "List the systems", description: "Those of the caller's tenant that the caller may use.",
	}, func(ctx context.Context, _ *struct{}) (*body[systemList], error) {
		list, err := a.Store.Systems(ctx, callFrom(ctx).identity.TenantID)
		if err != nil {
			return nil, err
		}
		out := systemList{Systems: make([]systemOutput, 0, len(list))}
		for i := range list {
			if callFrom(ctx).identity.MayUse(list[i].SystemID) {
				out.Systems = append(out.Systems, described(&list[i]))
			}
		}
		out.Total = len(out.Systems)
		return &body[systemList]{out}, nil
	})

	register(a, route{
		id: "getSystem", method: http.MethodGet, path: path + "/{system_id}", tag: tag,
		summary: "Describe a system", description: "Without its connection_config, which is never shown.",
		errors: []int{404},
	}, func(ctx context.Context, in *SystemPath) (*body[systemOutput], error) {
		sys, err := a.stored(ctx, in.SystemID)
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
			c, err := systems.NewConnection(sys.Kind, in.Body.Connection.members())
			if err != nil {
				return err
			}
			return a.seal(sys, c)
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
				return systems.CheckVersions(sys.Kind, sys.Version, sys.Pinned)
			}
			c, err := systems.Open(a.Vault, sys.Kind, sys.SealedConfig)
			if err != nil {
				return err
			}
			if c, err = systems.Change(c, in.Body.Connection.members()); err != nil {
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
	sys, err := a.stored(ctx, systemID)
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

// seal checks a system and puts its connection, encrypted, into it.
func (a *API) seal(sys *store.System, c systems.Connection) error {
	if err := systems.CheckVersions(sys.Kind, sys.Version, sys.Pinned); err != nil {
		return err
	}
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

func set[T any](target *T, value *T) {
	if value != nil {
		*target = *value
	}
}
