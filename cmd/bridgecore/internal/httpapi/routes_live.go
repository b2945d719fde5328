package httpapi

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v5"
	"golang.org/x/time/rate"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/live"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
)

const (
	livePath   = "/api/v1/ws/"
	eventsPath = "/api/v1/events"
)

// LiveTimes are how long live connections wait; every zero value has a
// default.
type LiveTimes struct {
	Auth  time.Duration // for the first message of a socket without a token; 0 is 5 s
	Ping  time.Duration // between heartbeats; 0 is 30 s
	Write time.Duration // for one message to be taken by the client's machine; 0 is 10 s
}

// What a client may send.
const (
	maxMessage       = 64 << 10 // bytes of one message
	messagesASecond  = 20
	messagesAtOnce   = 150
	maxFollowSeconds = 8 // for one message to be followed: it may ask a system
)

func (t *LiveTimes) fill() {
	for _, d := range []struct {
		v     *time.Duration
		value time.Duration
	}{{&t.Auth, 5 * time.Second}, {&t.Ping, 30 * time.Second}, {&t.Write, 10 * time.Second}} {
		if *d.v == 0 {
			*d.v = d.value
		}
	}
}

// withoutToken takes the token that a browser can only send in the address of
// a live connection out of it, before anybody logs, counts or records it.
func withoutToken(r *http.Request) *http.Request {
	if !strings.Contains(r.URL.RawQuery, "access_token") || !strings.HasPrefix(r.URL.Path, livePath) && r.URL.Path != eventsPath {
		return r
	}
	query := r.URL.Query()
	token := query.Get("access_token")
	query.Del("access_token")
	clean := *r
	address := *r.URL
	address.RawQuery = query.Encode()
	clean.URL, clean.RequestURI, clean.Header = &address, address.RequestURI(), r.Header.Clone()
	if clean.Header.Get("Authorization") == "" && token != "" {
		clean.Header.Set("Authorization", "Bearer "+token)
	}
	return &clean
}

// uncompressed keeps live connections from a compressor, which would hold them
// up.
func uncompressed(plain, compressed http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, livePath) || r.URL.Path == eventsPath {
			plain.ServeHTTP(w, r)
			return
		}
		compressed.ServeHTTP(w, r)
	})
}

// member is a user as the hub knows him, for as long as the token is good.
func (a *API) member(id *auth.Identity, authorization string) live.Member {
	m := memberOf(id)
	m.Check = func(ctx context.Context) (live.Member, error) {
		now, err := a.Auth.Identify(ctx, authorization)
		if err != nil {
			return live.Member{}, tokenEnded(err)
		}
		return memberOf(now), nil
	}
	m.Renew = func(ctx context.Context, token string) (live.Member, error) {
		authorization := "Bearer " + token
		now, err := a.Auth.Identify(ctx, authorization)
		if err != nil {
			return live.Member{}, tokenEnded(err)
		}
		return a.member(now, authorization), nil
	}
	return m
}

// tokenEnded is why a token ends a live connection, or the error itself where it is
// none of the token's.
func tokenEnded(err error) error {
	if e, ok := errors.AsType[*auth.TokenError](err); ok {
		return &live.Closed{Code: live.CodeUnauthorized, Reason: e.Code + ": " + e.Message}
	}
	if e, ok := errors.AsType[*auth.TenantError](err); ok {
		return &live.Closed{Code: live.CodeForbidden, Reason: clipTo(e.Code+": "+e.Message, 123)}
	}
	return err
}

// sayer says what a connection is told in a language; nil is English.
func sayer(w *i18n.Words) func(code, english string) string {
	if w.Language == i18n.Languages[0] {
		return nil
	}
	return func(code, english string) string {
		about, what, found := strings.Cut(english, ": ")
		if about += ": "; !found || strings.Contains(strings.TrimSuffix(about, " "), " ") {
			about, what = "", english
		}
		said := about + w.Say(what)
		if key := errorKey + code; code != "" && w.Has(key) {
			said = w.T(key) + ": " + said
		}
		return said
	}
}

// goodbye is why a connection ends, in a language. A code at its beginning stays.
func goodbye(w *i18n.Words, reason string) string {
	if say := sayer(w); say != nil {
		if code, _, found := strings.Cut(reason, ": "); found && w.Has(errorKey+code) {
			reason = code + ": " + w.T(errorKey+code)
		} else {
			reason = say("", reason)
		}
	}
	return clipTo(reason, 123)
}

func memberOf(id *auth.Identity) live.Member {
	c := callerOf(id)
	return live.Member{Tenant: c.Tenant, User: c.User, Admin: id.IsAdmin(), Roles: c.Roles, Rules: c.Rules, ReadOnly: c.ReadOnly, MayUse: id.MayUse}
}

// AuditNotice tells a hub's admins of an entry that was recorded.
func AuditNotice(h *live.Hub) func(*store.AuditEntry) {
	return func(e *store.AuditEntry) {
		h.Notify(systems.Tenant(e.TenantID), live.Audit, "", auditEvent{
			Seq: e.Seq, At: e.At.UTC(), UserID: e.UserID, Username: e.Username, Action: e.Action, SystemID: e.SystemID, Model: e.Model,
			RecordIDs: rawJSON(e.RecordIDs), Status: e.Outcome, RequestID: e.RequestID,
		})
	}
}

// Progress tells a hub's users of their background operations.
type Progress struct{ Hub *live.Hub }

// OperationChanged implements task.Publisher.
func (p Progress) OperationChanged(_ context.Context, op store.Operation) {
	percent := 0
	switch {
	case op.State == store.Succeeded:
		percent = 100
	case op.Total > 0:
		percent = int(min(100, op.Done*100/op.Total))
	}
	p.Hub.OperationProgress(systems.Tenant(op.TenantID), strconv.FormatInt(op.UserID, 10), live.Progress{
		OperationID: op.ID, Progress: percent, Status: string(op.State), Message: op.Message,
	})
}

// auditEvent is the data of an event of the channel audit; what was written is
// in the log alone.
type auditEvent struct {
	Seq       int64     `json:"seq"`
	At        time.Time `json:"at"`
	UserID    int64     `json:"user_id,omitempty"`
	Username  string    `json:"user"`
	Action    string    `json:"action"`
	SystemID  string    `json:"system_id,omitempty"`
	Model     string    `json:"model,omitempty"`
	RecordIDs rawJSON   `json:"record_ids"`
	Status    string    `json:"status"`
	RequestID string    `json:"request_id"`
}

type rawJSON string

// MarshalJSON writes the JSON that it is.
func (r rawJSON) MarshalJSON() ([]byte, error) {
	if r == "" {
		return []byte("[]"), nil
	}
	return []byte(r), nil
}

type liveStats struct {
	ActiveConnections int            `json:"active_connections" doc:"Live connections to this server: of the tenant for admins, of the caller for others" example:"3"`
	ActiveUsers       int            `json:"active_users" example:"2"`
	Channels          map[string]int `json:"channels" doc:"Subscribers by channel" example:"{\"system_status\": 2, \"operations\": 1, \"audit\": 0, \"cache\": 0}"`
	Models            map[string]int `json:"models" doc:"Subscribers by system and model" example:"{\"odoo_main:res.partner\": 2}"`
	Feeds             int            `json:"feeds" doc:"Models that are asked for changes which others make in the system; for admins" example:"1"`
	LastEventID       uint64         `json:"last_event_id" doc:"The number of the tenant's last event" example:"1767225600123"`
	Shared            bool           `json:"shared" doc:"Whether several servers share their events, through Redis"`
	Degraded          bool           `json:"degraded" doc:"Whether that does not work now: events then reach this server's subscribers alone"`
}

func (a *API) registerLive() {
	a.LiveTimes.fill()
	const tag = "Live"
	register(a, route{
		id: "getLiveStats", method: http.MethodGet, path: "/api/v1/ws/stats", tag: tag, class: limit.Read,
		summary: "Figures of live connections", description: "Of this server: an admin sees those of the tenant, everybody else his own.",
	}, func(ctx context.Context, _ *struct{}) (*body[liveStats], error) {
		if err := a.isLive(); err != nil {
			return nil, err
		}
		m, user := memberOf(callFrom(ctx).identity), ""
		if !m.Admin {
			user = m.User
		}
		return &body[liveStats]{liveStats(a.Live.Stats(m.Tenant, user))}, nil
	})

	resume := &huma.Param{Name: "last_event_id", In: "query", Description: "The event_id of the last event that you have: subscriptions begin behind it", Schema: &huma.Schema{Type: huma.TypeInteger}}
	token := &huma.Param{Name: "access_token", In: "query", Description: "The access token, for clients that can't send a header", Schema: &huma.Schema{Type: huma.TypeString}}
	a.documentLive(route{
		id: "openSocket", method: http.MethodGet, path: livePath + "{user_id}", tag: tag,
		summary: "WebSocket", description: liveDescription, errors: []int{400, 403, 426, 429},
	}, "101", "The connection is a WebSocket now", nil, []*huma.Param{{
		Name: "user_id", In: "path", Required: true, Description: "The id of the token's user, as /auth/me tells it", Example: "1", Schema: &huma.Schema{Type: huma.TypeInteger},
	}, token, resume}, a.serveSocket)

	example := "id: 1767225600124\nevent: model_update\ndata: " + exampleUpdate + "\n\n"
	a.documentLive(route{
		id: "streamEvents", method: http.MethodGet, path: eventsPath, tag: tag,
		summary: "Events as a stream", description: "The events of the WebSocket, as server-sent events (`text/event-stream`), for those who don't want a socket. " +
			"A comment comes every half minute at least. The event `close` says why the stream ends.",
		errors: []int{403, 404, 422, 429, 502, 503, 504},
	}, "200", "The stream", map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}, Example: example}}, []*huma.Param{
		{Name: "channels", In: "query", Description: "Channels, separated by commas", Example: "system_status,operations", Schema: &huma.Schema{Type: huma.TypeString}},
		{Name: "models", In: "query", Description: "Models as system:model, or some records as system:model:1|2, separated by commas", Example: "odoo_main:res.partner", Schema: &huma.Schema{Type: huma.TypeString}},
		{Name: universalMember, In: "query", Description: "The models are universal ones, as odoo_main:contact", Schema: &huma.Schema{Type: huma.TypeBoolean}},
		{Name: "Last-Event-ID", In: "header", Description: "The id of the last event that you have, as EventSource sends it", Schema: &huma.Schema{Type: huma.TypeInteger}},
		token, resume,
	}, a.serveEvents)
}

const exampleUpdate = `{"type":"model_update","event_id":1767225600124,"system_id":"odoo_main","model":"res.partner","record_id":1,"operation":"write","data":{"name":"Ahmed"},"timestamp":"2026-01-01T00:00:00.124Z"}`

const liveDescription = "Messages are JSON objects. The token comes in the header Authorization, as `?access_token=`, as the subprotocols `bearer, <token>`, or in a first message `{\"type\":\"auth\",\"token\":\"...\"}` within five seconds.\n\n" +
	"| you send | you get |\n|---|---|\n" +
	"| `{\"type\":\"subscribe\",\"channel\":\"system_status\"}`: or operations, audit (admins), cache | `subscribed`, then `{\"type\":\"notification\",\"event_id\",\"channel\",\"data\",\"timestamp\"}` |\n" +
	"| `{\"type\":\"subscribe_model\",\"system_id\",\"model\",\"record_ids\":[1,2]}`: without record_ids all of the model, new records too; `fields` says what data has; `\"external\":false` leaves out what others change in the system | `subscribed`, then `" + exampleUpdate + "` |\n" +
	"| the same with `\"use_universal_schema\":true` and a universal model such as `contact`, on any kind of system | the same with `\"vocabulary\":\"universal\"`: model, fields and data are universal, ids the system's own |\n" +
	"| `unsubscribe`, `unsubscribe_model` | `unsubscribed` |\n" +
	"| `{\"type\":\"auth\",\"token\":\"...\"}` with a fresh token of the same user, before the old one expires | `authenticated`: the connection goes on, everything stays subscribed; a refused one is an `error`, and the old one holds |\n" +
	"| `{\"type\":\"ping\"}` | `{\"type\":\"pong\"}` |\n" +
	"| `{\"type\":\"resume\",\"last_event_id\":n}` after a reconnect, when everything is subscribed again | the events that were missed, then `resumed`; or `resync`: too much was missed, read again |\n\n" +
	"`data` is what was written if you wrote it yourself, otherwise what you can read of it; it is `{}` when a record was deleted, and with `data_omitted` when you can't read it or it is too large. " +
	"In universal words it is always what you can read. `subscribed` with `\"external\":true` comes when what others change in the system is heard from there on, which may take a second or two; " +
	"`resync` with a model says that some of that may have been missed while nobody followed it. " +
	"What can't be followed is answered with `{\"type\":\"error\",\"code\",\"message\"}`, and so is a subscription that ends because you may no longer read what it is about. " +
	"The connection is closed with 4401 when the token has expired or was revoked or the user was deactivated, 4403 for somebody else's user_id and when the tenant was suspended, " +
	"4408 when you read too slowly, 4409 when you have too many connections, 4429 when you send too much, 1009 for a message above 64 KiB, and 1001 when the server goes away. " +
	"What `message` and the reason of a close say to people is in the language of `Accept-Language` or `?lang=` of the handshake, or the user's."

// documentLive registers and describes an operation that answers with
// something else than a body of JSON.
func (a *API) documentLive(r route, status, says string, content map[string]*huma.MediaType, parameters []*huma.Param, serve echo.HandlerFunc) {
	op := a.operation(r)
	op.Parameters = append(op.Parameters, parameters...)
	op.Responses = map[string]*huma.Response{status: {Description: says, Content: content}}
	spec := a.huma.OpenAPI()
	problem := spec.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	for _, status := range op.Errors {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}}
	}
	spec.AddOperation(&op)
	a.echo.GET(echoPath(r.path), func(c *echo.Context) error {
		callFrom(c.Request().Context()).noted(r.id, false)
		if err := a.isLive(); err != nil {
			return err
		}
		return serve(c)
	})
}

// isLive refuses live connections where there are none.
func (a *API) isLive() error {
	if a.Live == nil {
		return adapter.Errorf(adapter.Unsupported, "this server tells nothing live")
	}
	return nil
}

// mayConnect refuses web pages that are neither the server's own nor allowed
// by CORS_ORIGINS: a browser sends their users' credentials all the same.
func (a *API) mayConnect(r *http.Request) error {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return nil
	}
	if u, err := url.Parse(origin); err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) {
		return nil
	}
	if slices.Contains(a.CORSOrigins, "*") || slices.ContainsFunc(a.CORSOrigins, func(o string) bool { return strings.EqualFold(o, origin) }) {
		return nil
	}
	return adapter.Errorf(adapter.PermissionDenied, "pages of this origin may not connect; CORS_ORIGINS lists those that may")
}

// subprotocol is what a socket with its token among the subprotocols speaks.
const subprotocol = "bearer"

// bearerOf is the Authorization of a handshake: the header, or a token that
// stands behind the subprotocol bearer.
func bearerOf(r *http.Request) string {
	if given := r.Header.Get("Authorization"); given != "" {
		return given
	}
	words := strings.FieldsFunc(strings.Join(r.Header.Values("Sec-WebSocket-Protocol"), ","), func(c rune) bool { return c == ',' || c == ' ' })
	for i := 0; i+1 < len(words); i++ {
		if strings.EqualFold(words[i], subprotocol) {
			return "Bearer " + words[i+1]
		}
	}
	return ""
}

func lastEventID(r *http.Request) (uint64, error) {
	text := r.Header.Get("Last-Event-ID")
	if q := r.URL.Query().Get("last_event_id"); q != "" {
		text = q
	}
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, invalid("last_event_id", "must be the event_id of an earlier event")
	}
	return n, nil
}

// isMember refuses a path that names another user than the token's.
func isMember(id *auth.Identity, path string) error {
	if strconv.FormatInt(id.UserID, 10) != path {
		return adapter.Errorf(adapter.PermissionDenied, "the user_id in the path must be that of the token; /api/v1/auth/me tells it")
	}
	return nil
}

// serveSocket makes a WebSocket of a request.
func (a *API) serveSocket(c *echo.Context) error {
	r := c.Request()
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		c.Response().Header().Set("Upgrade", "websocket")
		return newProblem(http.StatusUpgradeRequired, codeBadRequest, "this path is a WebSocket: connect with ws:// or wss://")
	}
	if key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key")); err != nil || len(key) != 16 || r.Header.Get("Sec-WebSocket-Version") != "13" {
		c.Response().Header().Set("Sec-WebSocket-Version", "13")
		return newProblem(http.StatusBadRequest, "", "the handshake needs Sec-WebSocket-Version: 13 and a Sec-WebSocket-Key of 16 bytes in base64")
	}
	if err := a.mayConnect(r); err != nil {
		return err
	}
	resume, err := lastEventID(r)
	if err != nil {
		return err
	}
	who, authorization := callFrom(r.Context()), bearerOf(r)
	if authorization != "" {
		id, err := a.Auth.Identify(r.Context(), authorization)
		if err != nil {
			return err
		}
		who.identity = id
		if err := isMember(id, c.Param("user_id")); err != nil {
			return err
		}
	}
	if err := a.limited(who, limit.Read); err != nil {
		return err
	}
	conn, err := websocket.Accept(c.Response(), r, &websocket.AcceptOptions{InsecureSkipVerify: true, Subprotocols: []string{subprotocol}})
	who.upgraded()
	if err != nil {
		return nil // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(maxMessage)
	// The request's own context ends with its deadline.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	words := wordsFor(r)
	if authorization == "" {
		if authorization, err = a.firstMessage(ctx, conn, who, c.Param("user_id"), words); err != nil { //nolint:contextcheck // see above
			closeSocket(conn, words, err)
			return nil
		}
	}
	words = wordsFor(r) // now it is known who it is
	member := a.member(who.identity, authorization)
	member.Say, member.Read = sayer(words), words.Kept
	session, err := a.Live.Join(ctx, member, resume) //nolint:contextcheck // see above
	if err != nil {
		closeSocket(conn, words, err)
		return nil
	}
	s := &socket{API: a, conn: conn, session: session, words: words}
	s.serve(ctx, cancel) //nolint:contextcheck // see above
	return nil
}

// closeSocket ends a connection for a reason.
func closeSocket(conn *websocket.Conn, words *i18n.Words, err error) {
	why, ok := errors.AsType[*live.Closed](err)
	if !ok {
		_ = conn.CloseNow()
		return
	}
	_ = conn.Close(websocket.StatusCode(why.Code), goodbye(words, why.Reason))
}

// firstMessage waits for the token of a client that could not send it before.
func (a *API) firstMessage(ctx context.Context, conn *websocket.Conn, who *call, user string, words *i18n.Words) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Not the context's deadline: when it ends, so does the connection, and
	// nobody could be told why.
	late := time.AfterFunc(a.LiveTimes.Auth, func() {
		_ = conn.Close(live.CodeUnauthorized, goodbye(words, auth.ErrTokenMissing.Code+`: send {"type":"auth","token":"..."} first`))
	})
	defer late.Stop()
	_, text, err := conn.Read(ctx)
	if err != nil {
		return "", err
	}
	var first struct {
		Type  string `json:"type"`
		Token string `json:"token"`
	}
	if jsonFormat.Unmarshal(text, &first) != nil || first.Type != "auth" || first.Token == "" {
		return "", &live.Closed{Code: live.CodeUnauthorized, Reason: auth.ErrTokenMissing.Code + `: the first message must be {"type":"auth","token":"..."}`}
	}
	authorization := "Bearer " + first.Token
	id, err := a.Auth.Identify(ctx, authorization)
	if why, ok := errors.AsType[*live.Closed](tokenEnded(err)); ok {
		return "", why
	}
	if err != nil {
		return "", &live.Closed{Code: int(websocket.StatusInternalError), Reason: "the token can't be checked now; try again"}
	}
	if isMember(id, user) != nil {
		return "", &live.Closed{Code: live.CodeForbidden, Reason: "the user_id in the path must be that of the token"}
	}
	who.identity = id
	return authorization, nil
}

// socket is one WebSocket with its session.
type socket struct {
	*API
	conn    *websocket.Conn
	session *live.Session
	words   *i18n.Words
}

func (s *socket) serve(ctx context.Context, cancel context.CancelFunc) {
	var writing sync.WaitGroup
	defer writing.Wait()
	defer s.session.Leave()
	stop := s.beat(ctx)
	defer stop()
	writing.Go(func() {
		defer cancel()
		s.write(ctx)
	})
	s.read(ctx)
}

// read follows the client's messages until it leaves.
func (s *socket) read(ctx context.Context) {
	bucket := rate.NewLimiter(messagesASecond, messagesAtOnce)
	for {
		kind, text, err := s.conn.Read(ctx)
		switch {
		case err != nil:
			return
		case !bucket.Allow():
			s.session.Close(&live.Closed{Code: live.CodeFlood, Reason: fmt.Sprintf("more than %d messages a second", messagesASecond)})
			<-ctx.Done() // until it has been told
			return
		case kind != websocket.MessageText:
			text = nil // answered as no JSON
		}
		limited, done := context.WithTimeout(ctx, maxFollowSeconds*time.Second)
		s.session.Handle(limited, text)
		done()
	}
}

// write sends what the session gives.
func (s *socket) write(ctx context.Context) {
	for {
		m, err := s.session.Next(ctx)
		if err != nil {
			closeSocket(s.conn, s.words, err)
			return
		}
		limited, done := context.WithTimeout(ctx, s.LiveTimes.Write)
		err = s.conn.Write(limited, websocket.MessageText, m.Body)
		done()
		if err != nil {
			_ = s.conn.CloseNow()
			return
		}
	}
}

// beat pings the client now and then, and ends the connection of one that does
// not answer. It needs no goroutine meanwhile.
func (s *socket) beat(ctx context.Context) (stop func()) {
	var mu sync.Mutex
	var timer *time.Timer
	var pings sync.WaitGroup
	ended := false
	ping := func() {
		mu.Lock()
		if ended {
			mu.Unlock()
			return
		}
		pings.Add(1)
		mu.Unlock()
		defer pings.Done()
		limited, done := context.WithTimeout(ctx, s.LiveTimes.Ping)
		defer done()
		if s.conn.Ping(limited) != nil {
			_ = s.conn.CloseNow()
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !ended {
			timer.Reset(s.LiveTimes.Ping)
		}
	}
	mu.Lock()
	timer = time.AfterFunc(s.LiveTimes.Ping, ping)
	mu.Unlock()
	return func() {
		mu.Lock()
		ended = true
		timer.Stop()
		mu.Unlock()
		_ = s.conn.CloseNow()
		pings.Wait()
	}
}

// serveEvents streams events.
func (a *API) serveEvents(c *echo.Context) error {
	r := c.Request()
	who := callFrom(r.Context())
	if err := a.identify(c, false); err != nil {
		return err
	}
	if err := a.limited(who, limit.Read); err != nil {
		return err
	}
	if err := a.mayConnect(r); err != nil {
		return err
	}
	resume, err := lastEventID(r)
	if err != nil {
		return err
	}
	channels, models, err := wantedOf(r.URL.Query())
	if err != nil {
		return err
	}
	// The client's going ends it, the request's deadline does not.
	ctx, cancel := context.WithCancel(who.parent)
	defer cancel()
	words := wordsFor(r)
	member := a.member(who.identity, r.Header.Get("Authorization"))
	member.Say, member.Read = sayer(words), words.Kept
	session, err := a.Live.Join(ctx, member, resume) //nolint:contextcheck // see above
	if err != nil {
		return refused(err)
	}
	defer session.Leave()
	if err := session.Subscribe(r.Context(), channels, models); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx must not collect events
	c.Response().WriteHeader(http.StatusOK)
	who.upgraded()
	a.stream(ctx, c.Response(), session, words) //nolint:contextcheck // see above
	return nil
}

// refused is the problem of a session that could not begin.
func refused(err error) error {
	why, ok := errors.AsType[*live.Closed](err)
	if !ok {
		return err
	}
	status := http.StatusServiceUnavailable
	if why.Code == live.CodeTooMany {
		status = http.StatusTooManyRequests
	}
	p := newProblem(status, "", why.Reason)
	p.retryAfter(time.Second)
	return p
}

// stream writes events until the client or the session goes.
func (a *API) stream(ctx context.Context, w http.ResponseWriter, session *live.Session, words *i18n.Words) {
	control := http.NewResponseController(w)
	write := func(format string, args ...any) bool {
		_ = control.SetWriteDeadline(time.Now().Add(a.LiveTimes.Write))
		_, err := fmt.Fprintf(w, format, args...)
		return err == nil && control.Flush() == nil
	}
	_ = control.SetReadDeadline(time.Time{})
	for ok := write(": hello\n\n"); ok; {
		limited, done := context.WithTimeout(ctx, a.LiveTimes.Ping)
		m, err := session.Next(limited)
		done()
		why, closed := errors.AsType[*live.Closed](err)
		switch {
		case closed:
			write("event: close\ndata: {\"code\":%d,\"reason\":%s}\n\n", why.Code, jsonText(goodbye(words, why.Reason)))
			return
		case ctx.Err() != nil:
			return
		case err != nil:
			ok = write(": still here\n\n")
		case m.Number > 0:
			ok = write("id: %d\nevent: %s\ndata: %s\n\n", m.Number, m.Type, m.Body)
		default:
			ok = write("event: %s\ndata: %s\n\n", cmp.Or(m.Type, "message"), m.Body)
		}
	}
}

// wantedOf reads which events a stream is to have.
func wantedOf(query url.Values) (channels []string, models []live.ModelFilter, err error) {
	words := func(name string) []string {
		return strings.FieldsFunc(query.Get(name), func(c rune) bool { return c == ',' || c == ' ' })
	}
	channels = words("channels")
	universal := false
	if text := query.Get(universalMember); text != "" {
		if universal, err = strconv.ParseBool(text); err != nil {
			return nil, nil, invalid(universalMember, "must be true or false")
		}
	}
	for _, word := range words("models") {
		parts := strings.SplitN(word, ":", 3)
		if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
			return nil, nil, invalid("models", "%q must read like odoo_main:res.partner, or odoo_main:res.partner:1|2 for some records", clip(word))
		}
		m := live.ModelFilter{System: parts[0], Model: parts[1], Universal: universal}
		if len(parts) == 3 {
			for id := range strings.SplitSeq(parts[2], "|") {
				if n, err := strconv.ParseInt(id, 10, 64); err == nil {
					m.IDs = append(m.IDs, adapter.IntID(n))
				} else {
					m.IDs = append(m.IDs, adapter.StringID(id))
				}
			}
		}
		models = append(models, m)
	}
	if len(channels)+len(models) == 0 {
		return nil, nil, invalid("channels", "name the channels or the models to hear of: channels=system_status or models=odoo_main:res.partner")
	}
	return channels, models, nil
}
