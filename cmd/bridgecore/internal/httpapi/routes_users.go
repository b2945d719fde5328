package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/accounts"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// UserPath is the path parameter of a user.
type UserPath struct {
	UserID int64 `path:"user_id" minimum:"1" doc:"The user's number" example:"2"`
}

// Page are the query parameters of lists.
type Page struct {
	Cursor string `query:"cursor" maxLength:"20" doc:"next_cursor of an earlier answer"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"At most this many"`
}

// after is the number that the page follows.
func (p Page) after() (int64, error) {
	if p.Cursor == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(p.Cursor, 10, 64)
	if err != nil || n < 1 {
		return 0, invalid("cursor", "is none that an earlier answer gave")
	}
	return n, nil
}

// cutTo holds a list that has one more than a page to the page, and returns the
// cursor of the next one.
func cutTo[T any](list []T, p Page, id func(*T) int64) ([]T, string) {
	if len(list) <= p.Limit {
		return list, ""
	}
	list = list[:p.Limit]
	return list, strconv.FormatInt(id(&list[p.Limit-1]), 10)
}

type usersInput struct {
	Page
	TenantID string `query:"tenant_id" pattern:"^[0-9]{1,18}$" doc:"Users of this tenant alone; an operator sees those of all, an admin those of the own" example:"1"`
	Role     string `query:"role" enum:"operator,admin,user,viewer" doc:"Users of this role alone"`
	Q        string `query:"q" maxLength:"255" doc:"A part of the name, the full name or the email" example:"sara"`
}

type userList struct {
	Users      []userOutput `json:"users" nullable:"false" doc:"By id"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"Send it as cursor for more; absent at the end"`
}

type newUserInput struct {
	Body struct {
		Username string    `json:"username" minLength:"1" maxLength:"255" doc:"The name to log in with, in any case; unique in the whole installation" example:"sara"`
		Password string    `json:"password" minLength:"1" maxLength:"1024" writeOnly:"true" doc:"12 characters or more unless the server is configured otherwise; not the user name, nor what is tried first" example:"correct horse battery staple"`
		Role     string    `json:"role,omitempty" enum:"operator,admin,user,viewer" doc:"user unless given" example:"user"`
		Email    string    `json:"email,omitempty" maxLength:"255" example:"sara@example.com"`
		FullName string    `json:"full_name,omitempty" maxLength:"255" example:"Sara Al-Saudi"`
		Language string    `json:"language,omitempty" enum:",en,ar,fr" doc:"Of messages, where a request asks for none" example:"ar"`
		Systems  *[]string `json:"systems,omitempty" maxItems:"1000" nullable:"false" doc:"The systems that the user may use; all of the tenant unless given" example:"[\"odoo_main\"]"`
		TenantID string    `json:"tenant_id,omitempty" pattern:"^[0-9]{1,18}$" doc:"The tenant, for operators; the own unless given" example:"1"`
	}
}

type createdUser struct {
	Location string `header:"Location" doc:"The user's path"`
	Body     userOutput
}

type changeUserInput struct {
	UserPath
	Body struct {
		Role       *store.Role `json:"role,omitempty" enum:"operator,admin,user,viewer" example:"viewer"`
		IsActive   *bool       `json:"is_active,omitempty" doc:"false ends the user's sessions, and the user can't log in"`
		Email      *string     `json:"email,omitempty" maxLength:"255" example:"sara@example.com"`
		FullName   *string     `json:"full_name,omitempty" maxLength:"255" example:"Sara Al-Saudi"`
		Language   *string     `json:"language,omitempty" enum:",en,ar,fr" example:"ar"`
		Systems    *[]string   `json:"systems,omitempty" maxItems:"1000" nullable:"false" doc:"The systems that the user may use, and no others" example:"[\"odoo_main\"]"`
		AllSystems bool        `json:"all_systems,omitempty" doc:"true lets the user use all systems of the tenant"`
	}
}

type resetInput struct {
	UserPath
	Body struct {
		Password string `json:"password" minLength:"1" maxLength:"1024" writeOnly:"true" doc:"The new password" example:"correct horse battery staple"`
	}
}

type userSessionPath struct {
	UserPath
	SessionPath
}

func (a *API) registerUsers() {
	const tag, path = "Users", "/api/v1/admin/users"
	one := path + "/{user_id}"

	register(a, route{
		id: "listUsers", method: http.MethodGet, path: path, tag: tag, admin: true,
		summary: "List users", description: "Those of the caller's tenant; for an operator those of all tenants.",
		errors: []int{422},
	}, a.listUsers)

	register(a, route{
		id: "addUser", method: http.MethodPost, path: path, tag: tag, admin: true, status: http.StatusCreated,
		summary: "Add a user", description: "An admin adds users to the own tenant; an operator to any, and is the only one who makes operators.",
		errors: []int{400, 409, 413, 415, 422},
	}, func(ctx context.Context, in *newUserInput) (*createdUser, error) {
		u := store.User{
			Username: in.Body.Username, Role: store.Role(in.Body.Role), Email: in.Body.Email, FullName: in.Body.FullName,
			Language: in.Body.Language, Granted: granted(in.Body.Systems),
		}
		if u.Role == "" {
			u.Role = store.Plain
		}
		if in.Body.TenantID != "" {
			u.TenantID, _ = strconv.ParseInt(in.Body.TenantID, 10, 64) // digits
		}
		u, err := a.accounts.AddUser(ctx, actorOf(ctx), u, in.Body.Password)
		if err != nil {
			return nil, err
		}
		a.changing(ctx, userModel, u.ID, map[string]any{"username": u.Username, "role": u.Role, "tenant_id": u.TenantID})
		return &createdUser{path + "/" + strconv.FormatInt(u.ID, 10), userOf(&u)}, nil
	})

	register(a, route{
		id: "getUser", method: http.MethodGet, path: one, tag: tag, admin: true,
		summary: "Get a user", description: "One of another tenant is not found.", errors: []int{404, 422},
	}, func(ctx context.Context, in *UserPath) (*body[userOutput], error) {
		u, err := a.accounts.User(ctx, actorOf(ctx), in.UserID)
		if err != nil {
			return nil, err
		}
		return &body[userOutput]{userOf(&u)}, nil
	})

	register(a, route{
		id: "changeUser", method: http.MethodPatch, path: one, tag: tag, admin: true,
		summary: "Change a user",
		description: "Sets the members that are given; the others stay. A tenant's last active admin can't be taken away, nor the last operator. " +
			"What is changed holds for sessions that are open: at once on this server, within ten seconds on others.",
		errors: []int{400, 404, 409, 413, 415, 422},
	}, a.changeUser)

	register(a, route{
		id: "removeUser", method: http.MethodDelete, path: one, tag: tag, admin: true,
		summary: "Delete a user", description: "The sessions end. The audit log keeps what the user did. To lock somebody out for a while, set is_active.",
		errors: []int{404, 409, 422},
	}, func(ctx context.Context, in *UserPath) (*body[done], error) {
		a.changing(ctx, userModel, in.UserID, nil)
		if _, err := a.accounts.RemoveUser(ctx, actorOf(ctx), in.UserID); err != nil {
			return nil, err
		}
		return &body[done]{done{true, "User deleted successfully"}}, nil
	})

	register(a, route{
		id: "resetPassword", method: http.MethodPost, path: one + "/password", tag: tag, admin: true, class: limit.Auth,
		summary: "Give a user a new password", description: "The user's sessions end.",
		errors: []int{400, 404, 413, 415, 422},
	}, func(ctx context.Context, in *resetInput) (*body[done], error) {
		a.changing(ctx, userModel, in.UserID, nil)
		if _, err := a.accounts.ResetPassword(ctx, actorOf(ctx), in.UserID, in.Body.Password); err != nil {
			return nil, err
		}
		return &body[done]{done{true, "Password changed; the user's sessions have ended"}}, nil
	})

	register(a, route{
		id: "userSessions", method: http.MethodGet, path: one + "/sessions", tag: tag, admin: true,
		summary: "List the sessions of a user", description: "Every login that has not ended.", errors: []int{404, 422},
	}, func(ctx context.Context, in *UserPath) (*body[sessionList], error) {
		if _, err := a.accounts.User(ctx, actorOf(ctx), in.UserID); err != nil {
			return nil, err
		}
		return a.sessions(ctx, in.UserID)
	})

	register(a, route{
		id: "endUserSessions", method: http.MethodDelete, path: one + "/sessions", tag: tag, admin: true,
		summary: "End all sessions of a user", description: "All tokens of the user are refused: at once by this server, within ten seconds by others.",
		errors: []int{404, 422},
	}, func(ctx context.Context, in *UserPath) (*body[done], error) {
		a.changing(ctx, userModel, in.UserID, nil)
		if _, err := a.accounts.EndSessions(ctx, actorOf(ctx), in.UserID); err != nil {
			return nil, err
		}
		return &body[done]{done{true, "The user's sessions have ended"}}, nil
	})

	register(a, route{
		id: "endUserSession", method: http.MethodDelete, path: one + "/sessions/{session_id}", tag: tag, admin: true,
		summary: "End a session of a user", description: "As for all.", errors: []int{404, 422},
	}, func(ctx context.Context, in *userSessionPath) (*body[done], error) {
		a.changing(ctx, userModel, in.UserID, nil)
		if err := a.accounts.Manages(ctx, actorOf(ctx), in.UserID); err != nil {
			return nil, err
		}
		return a.endSession(ctx, in.UserID, in.SessionID)
	})
}

func (a *API) listUsers(ctx context.Context, in *usersInput) (*body[userList], error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	f := store.UserFilter{Role: store.Role(in.Role), Text: searched(in.Q), After: after, Limit: in.Limit + 1}
	if in.TenantID != "" {
		if f.TenantID, _ = strconv.ParseInt(in.TenantID, 10, 64); f.TenantID == 0 {
			return &body[userList]{userList{Users: []userOutput{}}}, nil // nobody's
		}
	}
	list, err := a.accounts.Users(ctx, actorOf(ctx), f)
	if err != nil {
		return nil, err
	}
	out := userList{Users: make([]userOutput, 0, len(list))}
	list, out.NextCursor = cutTo(list, in.Page, func(u *store.User) int64 { return u.ID })
	for i := range list {
		out.Users = append(out.Users, userOf(&list[i]))
	}
	return &body[userList]{out}, nil
}

func (a *API) changeUser(ctx context.Context, in *changeUserInput) (*body[userOutput], error) {
	c := accounts.UserChange{Email: in.Body.Email, FullName: in.Body.FullName, Language: in.Body.Language, Role: in.Body.Role, IsActive: in.Body.IsActive}
	switch {
	case in.Body.AllSystems && in.Body.Systems != nil:
		return nil, invalid("all_systems", "give systems or all_systems, not both")
	case in.Body.AllSystems:
		c.Granted = new(store.Granted)
	case in.Body.Systems != nil:
		list := granted(in.Body.Systems)
		c.Granted = &list
	}
	a.changing(ctx, userModel, in.UserID, nil)
	u, err := a.accounts.ChangeUser(ctx, actorOf(ctx), in.UserID, c)
	if err != nil {
		return nil, err
	}
	a.changing(ctx, userModel, in.UserID, given("email", c.Email, "full_name", c.FullName, "language", c.Language, "role", c.Role, "is_active", c.IsActive, "systems", c.Granted))
	return &body[userOutput]{userOf(&u)}, nil
}

// granted are the systems of a request, nil for all.
func granted(list *[]string) store.Granted {
	if list == nil {
		return nil
	}
	return append(store.Granted{}, *list...)
}

// searched is a text to look for, without what no name has.
func searched(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(strings.TrimSpace(text), ""))
}
