package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
)

type loginInput struct {
	Body struct {
		Username string `json:"username" minLength:"1" maxLength:"255" doc:"The user's name, in any case" example:"admin"`
		Password string `json:"password" minLength:"1" maxLength:"1024" writeOnly:"true" doc:"The user's password" example:"password123"`
	}
}

type tokenPair struct {
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
	IsSuperuser bool   `json:"is_superuser" doc:"Whether the role is admin"`
	Role        string `json:"role" enum:"admin,user" doc:"admin may register and change systems"`
	TenantID    string `json:"tenant_id" doc:"Whose systems the user sees" example:"1"`
}

type body[T any] struct{ Body T }

func (a *API) registerAuth() {
	register(a, route{
		id: "login", method: http.MethodPost, path: "/api/v1/auth/login", tag: "Authentication",
		summary: "Log in", open: true, class: limit.Auth,
		description: "Opens a session. An unknown user and a wrong password answer alike. After five failures of a user from one address, " +
			"further tries are refused with 429 and Retry-After.",
		errors: []int{400, 401, 413, 415, 422, 429},
	}, func(ctx context.Context, in *loginInput) (*body[tokenPair], error) {
		n := callFrom(ctx).noted("login", true)
		n.username = strings.ToLower(strings.TrimSpace(in.Body.Username))
		if u, err := a.Store.UserByName(ctx, n.username); err == nil {
			n.tenant = u.TenantID
		}
		g, err := a.Auth.Login(ctx, in.Body.Username, in.Body.Password, callFrom(ctx).remote)
		if err != nil {
			return nil, err
		}
		return &body[tokenPair]{tokenPair{g.AccessToken, g.RefreshToken, "bearer", int(g.ExpiresIn.Seconds())}}, nil
	})

	register(a, route{
		id: "refresh", method: http.MethodPost, path: "/api/v1/auth/refresh", tag: "Authentication",
		summary: "Get a new access token", open: true, security: "refreshToken", class: limit.Auth, reads: true,
		description: "Takes the refresh token in the Authorization header, and no body. The refresh token stays good.",
		errors:      []int{401},
	}, func(ctx context.Context, in *struct {
		Authorization string `header:"Authorization" hidden:"true"`
	}) (*body[freshToken], error) {
		g, err := a.Auth.Refresh(ctx, in.Authorization)
		if err != nil {
			return nil, err
		}
		return &body[freshToken]{freshToken{g.AccessToken, "bearer", int(g.ExpiresIn.Seconds())}}, nil
	})

	register(a, route{
		id: "logout", method: http.MethodPost, path: "/api/v1/auth/logout", tag: "Authentication",
		summary:     "Log out",
		description: "Ends the session: its access tokens and its refresh token are refused from now on.",
	}, func(ctx context.Context, _ *struct{}) (*body[struct{}], error) {
		return &body[struct{}]{}, a.Auth.Logout(ctx, callFrom(ctx).identity)
	})

	register(a, route{
		id: "me", method: http.MethodGet, path: "/api/v1/auth/me", tag: "Authentication",
		summary: "Who am I", description: "The user that the token belongs to.",
	}, func(ctx context.Context, _ *struct{}) (*body[userOutput], error) {
		u, err := a.Store.User(ctx, callFrom(ctx).identity.UserID)
		if err != nil {
			return nil, err
		}
		return &body[userOutput]{userOutput{
			ID: u.ID, Username: u.Username, Email: u.Email, FullName: u.FullName, IsActive: u.IsActive,
			IsSuperuser: callFrom(ctx).identity.IsAdmin(), Role: string(u.Role), TenantID: strconv.FormatInt(u.TenantID, 10),
		}}, nil
	})
}
