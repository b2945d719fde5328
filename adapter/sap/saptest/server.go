package saptest

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
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what to simulate. The zero value is a system with the services
// that package saptest brings and demo data.
type Config struct {
	// Username and Password of the communication user; "" is BRIDGE and
	// Welcome1.
	Username, Password string
	// Users are further users, by name, with their passwords.
	Users map[string]string
	// ClientID and ClientSecret are what the token endpoint takes; "" is made
	// up for the server.
	ClientID, ClientSecret string
	// TokenLifetime is how long an access token is good; 0 is an hour.
	TokenLifetime time.Duration
	// TokenCalls is after how many requests an access token is over; 0 is
	// without such an end.
	TokenCalls int
	// Client is the client (in SAP's sense) that the system has; "" is "100".
	Client string
	// PageSize is how many records an answer holds at most; 0 is 1000.
	PageSize int
	// MaxURL is the longest path and query that are taken, in bytes, beyond
	// which the answer is 414; 0 is 16 KiB. Requests within a batch may be
	// longer.
	MaxURL int
	// CSRFLifetime is how long a CSRF token is good; 0 is half an hour.
	CSRFLifetime time.Duration
	// Services are added to those that the server has, or replace the one of
	// the same name.
	Services []*Service
	// NoDemo leaves out the demo records.
	NoDemo bool
	// Addr is the address to listen at; "" is a free port of 127.0.0.1.
	Addr string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Server is a simulated SAP system that listens until it is closed. Its
// methods may be called at any time, from any goroutine.
type Server struct {
	URL          string // "http://127.0.0.1:PORT"
	Client       string // "100"
	Username     string
	Password     string
	ClientID     string
	ClientSecret string
	TokenURL     string // the token endpoint for client credentials
	BearerToken  string // an access token that is always good

	config   Config
	db       *database
	services []*Service
	started  time.Time
	addr     string
	done     chan struct{}
	hits     atomic.Int64

	mu       sync.Mutex
	http     *http.Server
	users    map[string]string
	sessions map[string]*session
	tokens   map[string]*accessToken
	faults   []*strike
	paths    map[string]int
	calls    map[string]int
	closed   bool
}

// NewServer starts a simulated system. It panics if the configuration makes no
// sense or no port is free, as httptest.NewServer does. Close it after use.
func NewServer(c Config) *Server {
	s, err := Start(c)
	if err != nil {
		panic("saptest: " + err.Error()) //nolint:forbidigo // as httptest.NewServer does; Start returns the error
	}
	return s
}

// Start is NewServer for programs that would rather have an error.
func Start(c Config) (*Server, error) {
	c.defaults()
	s := &Server{
		Client: c.Client, Username: c.Username, Password: c.Password, ClientID: c.ClientID, ClientSecret: c.ClientSecret, BearerToken: token(),
		config: c, db: newDatabase(), started: c.Now(), done: make(chan struct{}), users: map[string]string{c.Username: c.Password},
		sessions: map[string]*session{}, tokens: map[string]*accessToken{}, paths: map[string]int{}, calls: map[string]int{},
	}
	maps.Copy(s.users, c.Users)
	if err := s.install(); err != nil {
		return nil, err
	}
	if !c.NoDemo {
		if err := s.populate(); err != nil {
			return nil, fmt.Errorf("demo data: %w", err)
		}
	}
	if err := s.listen(c.Addr); err != nil {
		return nil, err
	}
	s.URL = "http://" + s.addr
	s.TokenURL = s.URL + tokenPath
	return s, nil
}

func (c *Config) defaults() {
	for at, value := range map[*string]string{
		&c.Username: "BRIDGE", &c.Password: "Welcome1", &c.Client: "100", &c.Addr: "127.0.0.1:0", &c.ClientID: "bridge-" + token()[:8], &c.ClientSecret: token(),
	} {
		if *at == "" {
			*at = value
		}
	}
	for at, value := range map[*int]int{&c.PageSize: 1000, &c.MaxURL: 16 << 10} {
		if *at <= 0 {
			*at = value
		}
	}
	if c.TokenLifetime <= 0 {
		c.TokenLifetime = time.Hour
	}
	if c.CSRFLifetime <= 0 {
		c.CSRFLifetime = 30 * time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// install loads the services that every system has and those of the
// configuration.
func (s *Server) install() error {
	files, err := modelFiles.ReadDir("models")
	if err != nil {
		return err
	}
	list := slices.Clone(s.config.Services)
	var own []*Service
	for _, f := range files {
		text, err := modelFiles.ReadFile("models/" + f.Name())
		if err != nil {
			return err
		}
		service, err := ParseService(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name(), err)
		}
		if !slices.ContainsFunc(list, func(other *Service) bool { return other.name == service.name }) {
			own = append(own, service)
		}
	}
	list = append(own, list...)
	// Those over the records of others come after them.
	slices.SortStableFunc(list, func(a, b *Service) int { return boolToInt(a.over()) - boolToInt(b.over()) })
	for _, service := range list {
		if err := s.addService(service); err != nil {
			return err
		}
	}
	s.trade()
	return nil
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// over says whether the service shows the records of another.
func (s *Service) over() bool {
	return slices.ContainsFunc(s.entities, func(e *entity) bool { return e.over != "" })
}

func (s *Server) addService(service *Service) error {
	if err := s.db.add(service); err != nil {
		return err
	}
	for _, e := range service.entities {
		for _, n := range e.navs {
			columns := make([]int, len(n.foreign))
			for i, p := range n.foreign {
				columns[i] = p.column
			}
			n.to.table.indexed(columns)
		}
	}
	s.services = append(s.services, service)
	return nil
}

func (s *Server) listen(addr string) error {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return err
	}
	s.addr = listener.Addr().String()
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
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
		return errors.New("saptest: the server is closed")
	}
	if s.http != nil {
		return nil
	}
	return s.listen(s.addr)
}

// ExpireCSRF makes every CSRF token that was given out invalid; the sessions
// go on.
func (s *Server) ExpireCSRF() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, session := range s.sessions {
		session.csrf = ""
	}
}

// ExpireSessions ends all sessions, with their CSRF tokens.
func (s *Server) ExpireSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
}

// ExpireTokens makes all access tokens invalid, but BearerToken.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// SetPassword changes what the user logs in with, or adds a user.
func (s *Server) SetPassword(user, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[user] = password
	for id, session := range s.sessions {
		if session.user == user {
			delete(s.sessions, id)
		}
	}
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

// Calls counts what was asked of the services, successful or not, those in
// batches one by one, by "METHOD SERVICE.Set": "GET API_PRODUCT_SRV.A_Product".
// The rest of a path doesn't count; "$metadata" and "$batch" stand for
// themselves, and "CSRF" for tokens fetched.
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

// Services lists the services' names and paths.
func (s *Server) Services() map[string]string {
	list := map[string]string{}
	for _, service := range s.services {
		list[service.name] = service.path
	}
	return list
}

// entity finds a model, "SERVICE.Set".
func (s *Server) entity(model string) *entity {
	at := strings.LastIndexByte(model, '.')
	if at < 0 {
		return nil
	}
	for _, service := range s.services {
		if service.name == model[:at] {
			return service.entity(model[at+1:])
		}
	}
	return nil
}

// Handle says what carries out a function of a service. It is to be called
// before requests come.
func (s *Server) Handle(service, function string, f Func) error {
	for _, known := range s.services {
		if known.name == service {
			if fn := known.function(function); fn != nil {
				fn.implements = f
				return nil
			}
		}
	}
	return fmt.Errorf("saptest: there is no function %s.%s", service, function)
}

// Check adds a check on the changes of a model, "SERVICE.Set".
func (s *Server) Check(model string, check Check) error {
	e := s.entity(model)
	if e == nil {
		return fmt.Errorf("saptest: there is no entity set %s", model)
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	e.table.checks = append(e.table.checks, check)
	return nil
}

// token makes up an id that can't be guessed.
func token() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}
