package odootest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
)

// Config says what to simulate. The zero value is Odoo 19.0 with demo data and
// the users of [Server].
type Config struct {
	// Version is one of "13.0" to "19.0"; "" is "19.0".
	Version string
	// Build is what the server calls itself, such as "17.0-20240709"; "" is
	// Version.
	Build string
	// Database is the name of the database; "" is "odoo" and the major version.
	Database string
	// OtherDatabases are further names that the server lists. They hold
	// nothing, but with several databases JSON-2 wants to be told which.
	OtherDatabases []string
	// Users are added to the three that every server has (admin, demo and
	// limited), or change the one of the same login.
	Users []User
	// NoDemo leaves out the demo records; users, the company, countries,
	// currencies, units and the like stay.
	NoDemo bool
	// Languages are installed beside English, by their codes, such as "ar_001".
	// fields_get answers in them, as far as their terms say.
	Languages map[string]Terms
	// CloseConnections ends every connection after one answer, as Odoo's
	// threaded server does. The default keeps them alive, as a proxy would.
	CloseConnections bool
	// Addr is the address to listen at; "" is a free port of 127.0.0.1.
	Addr string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Terms are labels in a language: of fields under "model,field", of the options
// of selections under "model,field,option".
type Terms map[string]string

// User is somebody who may log in.
type User struct {
	Login    string
	Name     string // "" is the login
	Password string // "" is the login
	APIKey   string // "" is one made up for the server
	Role     Role   // "" is RoleUser
}

// Server is a simulated Odoo server that listens until it is closed. Its
// methods may be called at any time, from any goroutine.
type Server struct {
	URL      string // "http://127.0.0.1:PORT"
	Version  string // "17.0"
	Database string
	Username string // of the administrator
	Password string
	APIKey   string // of the administrator; works as a password too, from 14.0

	config   Config
	major    int
	db       *database
	accounts []*account
	addr     string
	done     chan struct{}
	hits     atomic.Int64

	mu       sync.Mutex
	http     *http.Server
	sessions map[string]*account
	faults   []*strike
	paths    map[string]int
	calls    map[string]int
	failures map[string][]time.Time // failed logins by address
	closed   bool
}

// NewServer starts a simulated server. It panics if the configuration makes no
// sense or no port is free, as httptest.NewServer does. Close it after use.
func NewServer(c Config) *Server {
	s, err := Start(c)
	if err != nil {
		panic("odootest: " + err.Error()) //nolint:forbidigo // as httptest.NewServer does; Start returns the error
	}
	return s
}

// Start is NewServer for programs that would rather have an error.
func Start(c Config) (*Server, error) {
	if c.Version == "" {
		c.Version = "19.0"
	}
	major, err := strconv.Atoi(strings.TrimSuffix(c.Version, ".0"))
	if err != nil || major < schemas.First || major > schemas.Last || !strings.HasSuffix(c.Version, ".0") {
		return nil, fmt.Errorf("version %q is none of %d.0 to %d.0", c.Version, schemas.First, schemas.Last)
	}
	if c.Build == "" {
		c.Build = c.Version
	}
	if c.Database == "" {
		c.Database = fmt.Sprint("odoo", major)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Addr == "" {
		c.Addr = "127.0.0.1:0"
	}
	s := &Server{
		Version: c.Version, Database: c.Database, config: c, major: major, db: newDatabase(major, c.Now), done: make(chan struct{}),
		sessions: map[string]*account{}, paths: map[string]int{}, calls: map[string]int{}, failures: map[string][]time.Time{},
	}
	s.db.terms = c.Languages
	if err := s.populate(); err != nil {
		return nil, fmt.Errorf("demo data of %s: %w", c.Version, err)
	}
	s.Username, s.Password, s.APIKey = s.accounts[0].login, s.accounts[0].password, s.accounts[0].apiKey
	if err := s.listen(c.Addr); err != nil {
		return nil, err
	}
	s.URL = "http://" + s.addr
	return s, nil
}

func (s *Server) listen(addr string) error {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return err
	}
	s.addr = listener.Addr().String()
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	s.http.SetKeepAlivesEnabled(!s.config.CloseConnections)
	server := s.http
	go func() {
		// Closing is how it ends; there is nobody to tell of anything else.
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			_ = server.Close()
		}
	}()
	return nil
}

// Close stops the server and cuts its connections. It may be called again.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	close(s.done)
	if s.http != nil {
		_ = s.http.Close()
	}
}

// Down makes the server unreachable: it stops listening and cuts its
// connections. Its data stay.
func (s *Server) Down() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil {
		_ = s.http.Close()
		s.http = nil
	}
}

// Up makes a server that was down listen again, at the same address.
func (s *Server) Up() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("odootest: the server is closed")
	}
	if s.http != nil {
		return nil
	}
	return s.listen(s.addr)
}

// ExpireSessions ends all web sessions, as a restart of Odoo may.
func (s *Server) ExpireSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
}

// Requests counts the requests so far by path, those that a fault struck
// included.
func (s *Server) Requests() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.paths)
}

// TotalRequests counts all requests so far.
func (s *Server) TotalRequests() int { return int(s.hits.Load()) }

// Calls counts the method calls that were carried out so far, successful or
// not, by "model.method".
func (s *Server) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// ResetCounters sets the counts of requests and calls to zero.
func (s *Server) ResetCounters() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.paths)
	clear(s.calls)
	s.hits.Store(0)
}

// User returns a user's id and API key, by login, and whether there is one.
func (s *Server) User(login string) (id int64, apiKey string, ok bool) {
	for _, a := range s.accounts {
		if a.login == login {
			return a.id, a.apiKey, true
		}
	}
	return 0, "", false
}

// Create makes a record as the administrator would, and returns its id.
func (s *Server) Create(model string, values map[string]any) (int64, error) {
	v, err := s.Call(model, "create", plainGo(values))
	id, _ := v.(int64)
	return id, err
}

// Call calls a method as the administrator would, without HTTP. Values are
// those of encoding/json or Go's; results are nil, bool, int64, float64,
// string, []any and map[string]any.
func (s *Server) Call(model, method string, args ...any) (any, error) {
	list, _ := plainGo(args).([]any)
	v, err := s.db.perform(request{user: s.accounts[0], model: model, method: method, args: list})
	if err != nil {
		return nil, err
	}
	return decodeJSON(appendJSON(nil, v, false))
}

// plainGo turns Go's values into the simulator's.
func plainGo(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case int32:
		return int64(v)
	case []int64:
		return listOf(v)
	case []string:
		return listOf(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plainGo(v[i])
		}
		return out
	case []map[string]any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plainGo(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = plainGo(v[k])
		}
		return out
	}
	return plain(v)
}

func (s *Server) account(id int64) *account {
	for _, a := range s.accounts {
		if a.id == id {
			return a
		}
	}
	return nil
}

// token makes up a session id or an API key.
func token() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// databases are the names that the server lists.
func (s *Server) databases() []string {
	list := append([]string{s.Database}, s.config.OtherDatabases...)
	slices.Sort(list)
	return list
}

// perform carries out a call and counts it.
func (s *Server) perform(r request) (any, error) {
	s.mu.Lock()
	s.calls[r.model+"."+r.method]++
	s.mu.Unlock()
	return s.db.perform(r)
}

// login finds the user of a login and a password, nil for none. Failures from
// one address are counted: after ten within a minute even the right password
// is refused, on the web, and until 15.0 by RPC.
func (s *Server) login(login, password, address string, web bool) (*account, error) {
	throttled := web || s.major <= 15
	now := s.config.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	recent := slices.DeleteFunc(s.failures[address], func(at time.Time) bool { return now.Sub(at) >= time.Minute })
	s.failures[address] = recent
	if throttled && len(recent) >= 10 {
		if web {
			return nil, raise(accessDenied, "Too many login failures, please wait a bit before trying again.")
		}
		return nil, nil
	}
	for _, a := range s.accounts {
		if a.login == login && (password == a.password || !web && s.major >= 14 && password == a.apiKey) && password != "" {
			delete(s.failures, address)
			return a, nil
		}
	}
	s.failures[address] = append(recent, now)
	return nil, nil
}
