package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/accounts"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// actorOf is the caller as somebody who changes accounts.
func actorOf(ctx context.Context) accounts.Actor {
	who := callFrom(ctx).identity
	return accounts.Actor{UserID: who.UserID, TenantID: who.TenantID, Role: who.Role}
}

// What the audit log calls the objects of accounts.
const (
	userModel   = "user"
	tenantModel = "tenant"
)

// changing notes for the audit log whose account is changed and, once that is
// done, which fields of it. Values are kept as the log's policy says.
func (a *API) changing(ctx context.Context, model string, id int64, fields map[string]any) {
	n := callFrom(ctx).note
	if n == nil || a.Auditing.Log == nil {
		return
	}
	n.model = model
	if id != 0 {
		n.ids = []adapter.ID{adapter.IntID(id)}
	}
	if len(fields) > 0 {
		n.done = append(n.done, changeNote{Model: model, Operation: n.action, IDs: n.ids, Fields: a.Auditing.Log.Describe(fields)})
	}
}

type profileInput struct {
	Body struct {
		Email    *string `json:"email,omitempty" maxLength:"255" doc:"May be empty" example:"sara@example.com"`
		FullName *string `json:"full_name,omitempty" maxLength:"255" doc:"May be empty" example:"Sara Al-Saudi"`
		Language *string `json:"language,omitempty" enum:",en,ar,fr" doc:"Of messages, where a request asks for none; empty for none in particular" example:"ar"`
	}
}

type passwordInput struct {
	Body struct {
		Current string `json:"current_password" minLength:"1" maxLength:"1024" writeOnly:"true" doc:"The password until now"`
		New     string `json:"new_password" minLength:"1" maxLength:"1024" writeOnly:"true" doc:"The one from now on" example:"correct horse battery staple"`
	}
}

type passwordOutput struct {
	Success bool   `json:"success"`
	Message string `json:"message" example:"Password changed; all other sessions have ended"`
	TokenPair
}

type sessionOutput struct {
	ID          string    `json:"id" example:"0b6f7c1e-6f0e-4f0e-9d0f-3d3a3b5b8c11"`
	Agent       string    `json:"user_agent" doc:"What the client calls itself" example:"BridgeCore/3.1 (Android 15)"`
	Address     string    `json:"ip" doc:"Where it was last refreshed" example:"192.0.2.1"`
	CreatedAt   time.Time `json:"created_at" doc:"When it began"`
	RefreshedAt time.Time `json:"refreshed_at" doc:"When it last got an access token"`
	ExpiresAt   time.Time `json:"expires_at" doc:"When its refresh token expires"`
	Current     bool      `json:"current" doc:"Whether it is the one of this request"`
}

type sessionList struct {
	Sessions []sessionOutput `json:"sessions" nullable:"false" doc:"The newest first"`
	Total    int             `json:"total" example:"1"`
}

// SessionPath is the path parameter of a session.
type SessionPath struct {
	SessionID string `path:"session_id" maxLength:"64" doc:"The session's id in the list" example:"0b6f7c1e-6f0e-4f0e-9d0f-3d3a3b5b8c11"`
}

type done struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
}

type ended struct {
	Success bool   `json:"success"`
	Message string `json:"message" example:"Sessions ended"`
	Ended   int    `json:"ended" doc:"How many" example:"2"`
}

func (a *API) registerOwn() {
	const tag, path = "Account", "/api/v1/auth"

	register(a, route{
		id: "changeMe", method: http.MethodPatch, path: path + "/me", tag: tag, own: true,
		summary: "Change one's own settings", description: "Sets the members that are given; the others stay. Role and systems are an admin's to change.",
		errors: []int{400, 413, 415, 422},
	}, func(ctx context.Context, in *profileInput) (*body[userOutput], error) {
		id := callFrom(ctx).identity.UserID
		a.changing(ctx, userModel, id, nil)
		u, err := a.accounts.ChangeProfile(ctx, id, accounts.UserChange{Email: in.Body.Email, FullName: in.Body.FullName, Language: in.Body.Language})
		if err != nil {
			return nil, err
		}
		a.changing(ctx, userModel, id, given("email", in.Body.Email, "full_name", in.Body.FullName, "language", in.Body.Language))
		return &body[userOutput]{userOf(&u)}, nil
	})

	register(a, route{
		id: "changePassword", method: http.MethodPost, path: path + "/password", tag: tag, own: true, class: limit.Auth,
		summary: "Change one's own password",
		description: "Ends all other sessions at once. The tokens of this one are replaced too: go on with those of the answer. " +
			"A wrong current_password is 422, and counts as a login that failed.",
		errors: []int{400, 413, 415, 422},
	}, a.changePassword)

	register(a, route{
		id: "mySessions", method: http.MethodGet, path: path + "/sessions", tag: tag,
		summary: "List one's own sessions", description: "Every login that has not ended.",
	}, func(ctx context.Context, _ *struct{}) (*body[sessionList], error) {
		return a.sessions(ctx, callFrom(ctx).identity.UserID)
	})

	register(a, route{
		id: "endMySession", method: http.MethodDelete, path: path + "/sessions/{session_id}", tag: tag, own: true,
		summary: "End one of one's own sessions", description: "Its tokens are refused: at once by this server, within ten seconds by others of the same installation.",
		errors: []int{404, 422},
	}, func(ctx context.Context, in *SessionPath) (*body[done], error) {
		return a.endSession(ctx, callFrom(ctx).identity.UserID, in.SessionID)
	})

	register(a, route{
		id: "endMyOtherSessions", method: http.MethodDelete, path: path + "/sessions", tag: tag, own: true,
		summary: "End all of one's own sessions but this one", description: "As for one.",
	}, func(ctx context.Context, _ *struct{}) (*body[ended], error) {
		who := callFrom(ctx).identity
		list, err := a.Store.Sessions(ctx, who.UserID)
		if err != nil {
			return nil, err
		}
		n := 0
		for _, s := range list {
			if s.ID == who.SessionID {
				continue
			}
			if err := a.Auth.EndSession(ctx, s.ID); err != nil {
				return nil, err
			}
			n++
		}
		return &body[ended]{ended{true, "Sessions ended", n}}, nil
	})
}

func (a *API) changePassword(ctx context.Context, in *passwordInput) (*body[passwordOutput], error) {
	who := callFrom(ctx).identity
	a.changing(ctx, userModel, who.UserID, nil)
	u, err := a.Store.User(ctx, who.UserID)
	if err != nil {
		return nil, err
	}
	switch err := a.Auth.Confirm(ctx, &u, in.Body.Current, clientOf(ctx)); {
	case errors.Is(err, auth.ErrBadCredentials):
		return nil, invalid("current_password", "is not your password")
	case err != nil:
		return nil, err
	case in.Body.New == in.Body.Current:
		return nil, invalid("new_password", "is the one that you have")
	}
	u, err = a.accounts.OwnPassword(ctx, u.ID, who.SessionID, in.Body.New)
	if err != nil {
		return nil, passwordProblem(err, "new_password")
	}
	g, err := a.Auth.Renew(u, who.SessionID)
	if err != nil {
		return nil, err
	}
	return &body[passwordOutput]{passwordOutput{
		true, "Password changed; all other sessions have ended",
		TokenPair{g.AccessToken, g.RefreshToken, "bearer", int(g.ExpiresIn.Seconds())},
	}}, nil
}

// passwordProblem names the member of the request that has the password.
func passwordProblem(err error, member string) error {
	if e, ok := errors.AsType[*adapter.Error](err); ok && e.Field == "password" {
		return invalid(member, "%s", e.Message)
	}
	return err
}

func (a *API) sessions(ctx context.Context, userID int64) (*body[sessionList], error) {
	list, err := a.Store.Sessions(ctx, userID)
	if err != nil {
		return nil, err
	}
	out := sessionList{Sessions: make([]sessionOutput, len(list)), Total: len(list)}
	for i, s := range list {
		out.Sessions[i] = sessionOutput{
			s.ID, s.Agent, s.Address, s.CreatedAt.UTC().Truncate(time.Second), s.RefreshedAt.UTC().Truncate(time.Second), s.ExpiresAt.UTC().Truncate(time.Second),
			s.ID == callFrom(ctx).identity.SessionID,
		}
	}
	return &body[sessionList]{out}, nil
}

// endSession ends a session of a user; one of another user does not exist.
func (a *API) endSession(ctx context.Context, userID int64, id string) (*body[done], error) {
	s, err := a.Store.Session(ctx, userID, id)
	if err != nil {
		return nil, err
	}
	if err := a.Auth.EndSession(ctx, s.ID); err != nil {
		return nil, err
	}
	return &body[done]{done{true, "Session ended"}}, nil
}

// given are the members that are there, from pairs of names and pointers.
func given(pairs ...any) map[string]any {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		switch v := pairs[i+1].(type) {
		case *string:
			add(out, pairs[i], v)
		case *bool:
			add(out, pairs[i], v)
		case *time.Time:
			add(out, pairs[i], v)
		case *store.Role:
			add(out, pairs[i], v)
		case *store.TenantStatus:
			add(out, pairs[i], v)
		case *store.Granted:
			add(out, pairs[i], v)
		case *map[string]int:
			add(out, pairs[i], v)
		case *map[string][]string:
			add(out, pairs[i], v)
		}
	}
	return out
}

func add[T any](out map[string]any, name any, value *T) {
	if value != nil {
		out[name.(string)] = *value
	}
}
