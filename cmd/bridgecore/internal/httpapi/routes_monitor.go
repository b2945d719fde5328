package httpapi

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/monitor"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// The page /tasks is for browsers, which keep no access token by themselves: a
// login on the page puts one into a cookie that goes to the page alone, that no
// script can read and that no other site's request carries. Whatever the page
// changes it changes by forms, which carry a seal of that token.
const (
	monitorCookie = "bridgecore_tasks"
	languageName  = "bridgecore_tasks_lang"
	monitorReload = 5  // seconds
	monitorRows   = 50 // operations on a page
	monitorForm   = 16 << 10
)

// monitorPolicy lets the page load its own style sheet and send its own forms.
var monitorPolicy = strings.Join([]string{
	"default-src 'none'", "style-src 'self'", "img-src data:", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
}, "; ")

func isMonitor(r *http.Request) bool {
	return r.URL.Path == monitor.Path || strings.HasPrefix(r.URL.Path, monitor.Path+"/")
}

func (a *API) registerMonitor() {
	a.echo.GET(monitor.Path, a.showMonitor)
	a.echo.GET(monitor.Path+"/style.css", func(c *echo.Context) error {
		c.Response().Header().Set("Cache-Control", revalidated)
		return c.Blob(http.StatusOK, "text/css; charset=utf-8", monitor.Style)
	})
	a.echo.POST(monitor.Path+"/login", a.enterMonitor)
	a.echo.POST(monitor.Path+"/logout", a.sealed("logout", func(c *echo.Context, id *auth.Identity) error {
		return a.Auth.Logout(c.Request().Context(), id)
	}))
	verb := func(do func(context.Context, string) error) func(*echo.Context, *auth.Identity) error {
		return func(c *echo.Context, id *auth.Identity) error {
			ctx := c.Request().Context()
			op, err := a.monitored(ctx, id, c.Param("operation_id"))
			if err != nil {
				return err
			}
			n := callFrom(ctx).note
			n.systemID, n.details = op.SystemID, map[string]any{"operation_id": op.ID, "kind": op.Kind}
			return do(ctx, op.ID)
		}
	}
	a.echo.POST(monitor.Path+"/operations/:operation_id/cancel", a.sealed("cancelOperation", verb(func(ctx context.Context, id string) error { return a.tasks().Cancel(ctx, id) })))
	a.echo.POST(monitor.Path+"/operations/:operation_id/retry", a.sealed("retryOperation", verb(func(ctx context.Context, id string) error { return a.tasks().Retry(ctx, id) })))
}

// monitored is an operation that an admin may see: an operator all of them.
func (a *API) monitored(ctx context.Context, id *auth.Identity, operation string) (store.Operation, error) {
	if id.IsOperator() {
		return a.Store.Operation(ctx, operation)
	}
	return a.Store.OperationOf(ctx, id.TenantID, 0, operation)
}

// watcher is who looks at the page, by the cookie. An error says why nobody
// may.
func (a *API) watcher(c *echo.Context) (*auth.Identity, string, error) {
	cookie, err := c.Request().Cookie(monitorCookie)
	if err != nil || cookie.Value == "" {
		return nil, "", nil //nolint:nilerr // without a cookie nobody is logged in
	}
	call := callFrom(c.Request().Context())
	id, err := a.Auth.Identify(c.Request().Context(), "Bearer "+cookie.Value)
	if err != nil {
		return nil, "", err
	}
	call.identity = id
	if !id.IsAdmin() {
		return nil, "", adapter.Errorf(adapter.PermissionDenied, "this needs the role admin")
	}
	return id, cookie.Value, nil
}

// formSeal proves that a form was on a page of the session.
func (a *API) formSeal(token string) string {
	mac := hmac.New(sha256.New, a.Vault.Derive("tasks page"))
	mac.Write([]byte(token))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// ownForm reads a form that a page of this server sent. A browser tells where a
// form comes from.
func ownForm(c *echo.Context) (url.Values, error) {
	r := c.Request()
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return nil, adapter.Errorf(adapter.PermissionDenied, "the form is on another site's page")
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || !strings.EqualFold(u.Host, r.Host) {
			return nil, adapter.Errorf(adapter.PermissionDenied, "the form is on another site's page")
		}
	}
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		return nil, statusProblem(http.StatusUnsupportedMediaType)
	}
	r.Body = http.MaxBytesReader(c.Response(), r.Body, monitorForm)
	if err := r.ParseForm(); err != nil {
		return nil, adapter.Errorf(adapter.InvalidArgument, "the form can't be read")
	}
	return r.PostForm, nil
}

// sealed serves a form that changes something, and leads back to the page.
func (a *API) sealed(action string, do func(*echo.Context, *auth.Identity) error) echo.HandlerFunc {
	return func(c *echo.Context) error {
		a.monitorManners(c)
		call := callFrom(c.Request().Context())
		call.noted(action, true)
		id, token, err := a.watcher(c)
		if err != nil {
			return a.notWatching(c, err)
		}
		if id == nil {
			return c.Redirect(http.StatusSeeOther, monitor.Path)
		}
		if err := a.limited(call, limit.Default); err != nil {
			return err
		}
		form, err := ownForm(c)
		if err != nil {
			return err
		}
		if !hmac.Equal([]byte(form.Get("seal")), []byte(a.formSeal(token))) {
			return adapter.Errorf(adapter.PermissionDenied, "the form is not of this session; load the page again")
		}
		f := filterOf(form.Get("back"))
		if err := do(c, id); err != nil {
			p := problemOf(err).of(call)
			return a.monitorPage(c, id, token, f, p.Status, p.Message)
		}
		if action == "logout" {
			a.setCookie(c, "", -1)
			return c.Redirect(http.StatusSeeOther, monitor.Path)
		}
		return c.Redirect(http.StatusSeeOther, f.Address())
	}
}

// filterOf reads the filter in an address of the page; whatever else it has is
// left out.
func filterOf(address string) monitor.Filter {
	u, err := url.Parse(address)
	if err != nil {
		return monitor.Filter{}
	}
	q := u.Query()
	f := monitor.Filter{State: q.Get("state"), Kind: clipTo(q.Get("kind"), 32), Before: clipTo(q.Get("before"), 64), Still: q.Get("still") != ""}
	for _, s := range monitor.States {
		if f.State == string(s) {
			return f
		}
	}
	f.State = ""
	return f
}

func (a *API) monitorManners(c *echo.Context) {
	h := c.Response().Header()
	h.Set("Content-Security-Policy", monitorPolicy)
	// With no referrer at all browsers don't say whose form it is.
	h.Set("Referrer-Policy", "same-origin")
}

// showMonitor serves the page, or the one on which one logs in.
func (a *API) showMonitor(c *echo.Context) error {
	a.monitorManners(c)
	a.chooseLanguage(c)
	call := callFrom(c.Request().Context())
	call.noted("showTasks", false)
	id, token, err := a.watcher(c)
	if err != nil {
		return a.notWatching(c, err)
	}
	if id == nil {
		return a.loginPage(c, http.StatusOK, "", "")
	}
	if err := a.limited(call, limit.Default); err != nil {
		return err
	}
	return a.monitorPage(c, id, token, filterOf(c.Request().URL.String()), http.StatusOK, "")
}

// enterMonitor logs in.
func (a *API) enterMonitor(c *echo.Context) error {
	a.monitorManners(c)
	ctx := c.Request().Context()
	call := callFrom(ctx)
	n := call.noted("login", true)
	if err := a.limited(call, limit.Auth); err != nil {
		return err
	}
	form, err := ownForm(c)
	if err != nil {
		return err
	}
	username, password := form.Get("username"), form.Get("password")
	n.username = clipTo(strings.ToLower(strings.TrimSpace(username)), 255)
	if len(username) > 255 || len(password) > 1024 || username == "" || password == "" {
		p := problemOf(auth.ErrBadCredentials).of(call)
		return a.loginPage(c, p.Status, clipTo(username, 255), p.Message)
	}
	if u, err := a.Store.UserByName(ctx, n.username); err == nil {
		n.tenant = u.TenantID
	}
	grant, err := a.Auth.Login(ctx, username, password, clientOf(ctx))
	var id *auth.Identity
	if err == nil {
		id, err = a.Auth.Identify(ctx, "Bearer "+grant.AccessToken)
	}
	if err == nil && !id.IsAdmin() {
		// The session is of no use.
		err = adapter.Errorf(adapter.PermissionDenied, "this needs the role admin")
		if out := a.Auth.Logout(ctx, id); out != nil {
			err = out
		}
	}
	if err != nil {
		p := problemOf(err).of(call)
		for name, values := range p.headers {
			c.Response().Header()[name] = values
		}
		return a.loginPage(c, p.Status, username, p.Message)
	}
	call.identity = id
	a.setCookie(c, grant.AccessToken, int(grant.ExpiresIn.Seconds()))
	return c.Redirect(http.StatusSeeOther, monitor.Path)
}

// setCookie gives the browser the token, or takes it away.
func (a *API) setCookie(c *echo.Context, token string, seconds int) {
	http.SetCookie(c.Response(), &http.Cookie{ //nolint:gosec // Secure wherever the browser speaks TLS
		Name: monitorCookie, Value: token, Path: monitor.Path, MaxAge: seconds,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: a.overTLS(c.Request()),
	})
}

// overTLS reports whether the browser speaks TLS: with us, or with a proxy that
// is trusted.
func (a *API) overTLS(r *http.Request) bool {
	return r.TLS != nil || a.HSTS > 0 || isTrusted(remoteHost(r), a.TrustedProxies) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// notWatching answers whoever has a cookie that opens nothing: it is taken away.
func (a *API) notWatching(c *echo.Context, err error) error {
	if _, is := errors.AsType[*auth.TokenError](err); !is {
		if e, ok := errors.AsType[*adapter.Error](err); !ok || e.Code != adapter.PermissionDenied {
			if _, closed := errors.AsType[*auth.TenantError](err); !closed {
				return err
			}
		}
	}
	a.setCookie(c, "", -1)
	p := problemOf(err).of(callFrom(c.Request().Context()))
	return a.loginPage(c, p.Status, "", p.Message)
}

// chooseLanguage remembers a language that was chosen on the page.
func (a *API) chooseLanguage(c *echo.Context) {
	if lang := c.QueryParam("lang"); lang != "" {
		http.SetCookie(c.Response(), &http.Cookie{ //nolint:gosec // no secret
			Name: languageName, Value: i18n.For(lang).Language, Path: monitor.Path, MaxAge: int((365 * 24 * time.Hour).Seconds()),
			HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: a.overTLS(c.Request()),
		})
	}
}

// monitorWords are those of the language that was asked for now or before.
func monitorWords(r *http.Request) *i18n.Words {
	list := []string{r.URL.Query().Get("lang")}
	if cookie, err := r.Cookie(languageName); err == nil {
		list = append(list, cookie.Value)
	}
	return i18n.For(append(list, preferencesOf(r)...)...)
}

func (a *API) loginPage(c *echo.Context, status int, username, problem string) error {
	page := monitor.Login{
		Frame:    monitor.Frame{Words: monitorWords(c.Request()), Now: time.Now(), Here: monitor.Path},
		Username: username, Problem: problem,
	}
	return html(c, status, page.Write)
}

// monitorPage shows what the admin may see.
func (a *API) monitorPage(c *echo.Context, id *auth.Identity, token string, f monitor.Filter, status int, problem string) error {
	ctx := c.Request().Context()
	page := monitor.Page{
		Frame: monitor.Frame{Words: monitorWords(c.Request()), Now: time.Now(), Here: f.Address()},
		User:  id.Username, Seal: a.formSeal(token), Filter: f, Problem: problem,
	}
	if !f.Still && problem == "" && c.Request().Method == http.MethodGet {
		page.Reload = monitorReload
	}
	tenant := id.TenantID
	if id.IsOperator() {
		tenant = 0
		all, err := a.Store.Tenants(ctx)
		if err != nil {
			return err
		}
		page.Tenants = map[int64]string{}
		for i := range all {
			page.Tenants[all[i].ID] = all[i].Name
		}
	} else {
		t, err := a.Store.Tenant(ctx, tenant)
		if err != nil {
			return err
		}
		page.Tenant = t.Name
	}
	var err error
	if page.Counts, err = a.Store.CountOperations(ctx, tenant); err != nil {
		return err
	}
	if page.Finished, err = a.Store.FinishedOperations(ctx, tenant, page.Now.Add(-time.Hour)); err != nil {
		return err
	}
	page.Operations, err = a.Store.Operations(ctx, store.OperationFilter{
		TenantID: tenant, Kind: f.Kind, State: store.OperationState(f.State), Before: f.Before, Limit: monitorRows + 1,
	})
	if err != nil {
		return err
	}
	if page.More = len(page.Operations) > monitorRows; page.More {
		page.Operations = page.Operations[:monitorRows]
	}
	if a.Tasks != nil {
		if page.Workers, err = a.Tasks.Alive(ctx); err != nil {
			return err
		}
		if tenant == 0 {
			if page.Rounds, err = a.rounds(ctx); err != nil {
				return err
			}
		}
	}
	return html(c, status, page.Write)
}

// rounds are what is periodic, as the page has it.
func (a *API) rounds(ctx context.Context) ([]monitor.Round, error) {
	list, err := a.Tasks.Rounds(ctx)
	out := make([]monitor.Round, len(list))
	for i, r := range list {
		out[i] = monitor.Round{Name: r.Name, State: r.State, Error: r.Error, Every: r.Every, Took: r.Took, LastAt: r.LastAt, NextAt: r.NextAt}
	}
	return out, err
}

// html answers with a page.
func html(c *echo.Context, status int, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	c.Response().WriteHeader(status)
	_, _ = c.Response().Write(b.Bytes()) // whoever went away is told nothing
	return nil
}
