package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

type loginInput struct {
	Body struct {
		Username string `json:"username" minLength:"1" maxLength:"255" doc:"The user's name, in any case" example:"admin"`
		Password string `json:"password" minLength:"1" maxLength:"1024" writeOnly:"true" doc:"The user's password" example:"password123"`
	}
}

// TokenPair are the tokens of a session, as a login and a change of the password give them.
type TokenPair struct {
	AccessToken  string `json:"access_token" doc:"Goes into the header Authorization: Bearer of every other request" example:"eyJhbGciOiJIUzI1NiIs..."`
	RefreshToken string `json:"refresh_token" doc:"Good for new access tokens only, until the session ends" example:"eyJhbGciOiJIUzI1NiIs..."`
	TokenType    string `json:"token_type" enum:"bearer" doc:"Always bearer"`
	ExpiresIn    int    `json:"expires_in" doc:"Seconds until the access token expires" example:"1800"`
}

type freshToken struct {
	AccessToken string `json:"access_token" doc:"A new access token of the same session" example:"eyJhbGciOiJIUzI1NiIs..."`
	TokenType   string `json:"token_type" enum:"bearer" doc:"Always bearer"`
	ExpiresIn   int    `json:"expires_in" doc:"Seconds until the access token expires" example:"1800"`
}

type userOutput struct {
	ID          int64  `json:"id" doc:"The user's number" example:"1"`
	Username    string `json:"username" doc:"The name to log in with" example:"admin"`
	Email       string `json:"email" doc:"May be empty" example:"admin@example.com"`
	FullName    string `json:"full_name" doc:"May be empty" example:"Ahmed Al-Saudi"`
	IsActive    bool   `json:"is_active" doc:"Whether the user may log in"`
	IsSuperuser bool   `json:"is_superuser" doc:"Whether the role is operator"`
	Role        string `json:"role" enum:"operator,admin,user,viewer" doc:"viewer reads, user also writes, admin also registers systems and manages the tenant's users, operator also manages the tenants of the installation"`
	TenantID    string `json:"tenant_id" doc:"Whose systems the user sees" example:"1"`
	Language    string `json:"language" enum:",en,ar,fr" doc:"Of messages, where a request asks for none; empty for none in particular" example:"ar"`
	AllSystems  bool   `json:"all_systems" doc:"Whether the user may use all systems of the tenant"`

	Systems   []string   `json:"systems" nullable:"false" doc:"The systems that the user may use, where that is not all" example:"[\"odoo_main\"]"`
	LastLogin *time.Time `json:"last_login_at" doc:"null before the first"`
	CreatedAt time.Time  `json:"created_at"`
}

func userOf(u *store.User) userOutput {
	out := userOutput{
		ID: u.ID, Username: u.Username, Email: u.Email, FullName: u.FullName, IsActive: u.IsActive,
		IsSuperuser: u.Role == store.Operator, Role: string(u.Role), TenantID: tenantText(u.TenantID),
		Language: u.Language, AllSystems: u.Granted == nil, Systems: append([]string{}, u.Granted...),
		CreatedAt: u.CreatedAt.UTC().Truncate(time.Second),
	}
	if !u.LastLoginAt.IsZero() {
		at := u.LastLoginAt.UTC().Truncate(time.Second)
		out.LastLogin = &at
	}
	return out
}

func tenantText(id int64) string { return strconv.FormatInt(id, 10) }

// clientOf is where the request came from.
func clientOf(ctx context.Context) auth.Client {
	c := callFrom(ctx)
	return auth.Client{Address: c.remote, Agent: clipTo(c.request.UserAgent(), 255)}
}

type body[T any] struct{ Body T }

// nothing is an answer without members.
type nothing struct{}

func (a *API) registerAuth() {
	register(a, route{
		id: "login", method: http.MethodPost, path: "/api/v1/auth/login", tag: "Authentication",
		summary: "Log in", open: true, class: limit.Auth,
		description: "Opens a session. An unknown user and a wrong password answer alike. After five failures of a user from one address, " +
			"further tries are refused with 429 and Retry-After. Where the password is right and the tenant may not use the server: " +
			"402 (its trial is over), 403 (it is suspended) or 410 (it was deleted), here and for every other request.",
		errors: []int{400, 401, 402, 403, 410, 413, 415, 422, 429},
	}, func(ctx context.Context, in *loginInput) (*body[TokenPair], error) {
		n := callFrom(ctx).noted("login", true)
		n.username = strings.ToLower(strings.TrimSpace(in.Body.Username))
		if u, err := a.Store.UserByName(ctx, n.username); err == nil {
			n.tenant = u.TenantID
		}
		g, err := a.Auth.Login(ctx, in.Body.Username, in.Body.Password, clientOf(ctx))
		if err != nil {
			return nil, err
		}
		return &body[TokenPair]{TokenPair{g.AccessToken, g.RefreshToken, "bearer", int(g.ExpiresIn.Seconds())}}, nil
	})

	register(a, route{
		id: "refreshToken", method: http.MethodPost, path: "/api/v1/auth/refresh", tag: "Authentication",
		summary: "Get a new access token", open: true, security: "refreshToken", class: limit.Auth, reads: true,
		description: "Takes the refresh token in the Authorization header, and no body. The refresh token stays good.",
		errors:      []int{401, 402, 403, 410},
	}, func(ctx context.Context, in *struct {
		Authorization string `header:"Authorization" hidden:"true"`
	}) (*body[freshToken], error) {
		g, err := a.Auth.Refresh(ctx, in.Authorization, clientOf(ctx))
		if err != nil {
			return nil, err
		}
		return &body[freshToken]{freshToken{g.AccessToken, "bearer", int(g.ExpiresIn.Seconds())}}, nil
	})

	register(a, route{
		id: "logout", method: http.MethodPost, path: "/api/v1/auth/logout", tag: "Authentication",
		summary: "Log out", own: true,
		description: "Ends the session: its access tokens and its refresh token are refused from now on.",
	}, func(ctx context.Context, _ *struct{}) (*body[nothing], error) {
		return &body[nothing]{}, a.Auth.Logout(ctx, callFrom(ctx).identity)
	})

	register(a, route{
		id: "getCurrentUser", method: http.MethodGet, path: "/api/v1/auth/me", tag: "Authentication",
		summary: "Who am I", description: "The user that the token belongs to.",
	}, func(ctx context.Context, _ *struct{}) (*body[userOutput], error) {
		u, err := a.Store.User(ctx, callFrom(ctx).identity.UserID)
		if err != nil {
			return nil, err
		}
		return &body[userOutput]{userOf(&u)}, nil
	})
}
