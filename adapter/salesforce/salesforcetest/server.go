package salesforcetest

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what to simulate. The zero value is an org with the standard
// objects, the standard price book, an administrator, demo data and one
// connected app, that of [Server].
type Config struct {
	// Version is the newest API version, such as "62.0", which is what "" is.
	// All from 50.0 to it are served.
	Version string
	// Apps are connected apps besides that of [Server].
	Apps []App
	// Objects are added to the standard ones.
	Objects []Object
	// NoDemo leaves out the demo records; the administrator, the standard
	// price book and the like stay.
	NoDemo bool
	// TokenLifetime is how long an access token works; 0 is two hours.
	TokenLifetime time.Duration
	// DailyRequests is how many calls of the API a day may have; 0 is 100,000.
	DailyRequests int
	// BatchSize is how many records an answer to a query has at most, unless
	// the client asks for another size; 0 is 2,000. Unlike that of a client it
	// may be less than 200.
	BatchSize int
	// BulkPolls is how many times a bulk job is found at work before it is
	// done; 0 is once, and less is none.
	BulkPolls int
	// BulkPageSize is how many records a page of a bulk query's results has
	// unless the client says; 0 is 50,000.
	BulkPageSize int
	// Addr is the address to listen at; "" is a free port of 127.0.0.1.
	Addr string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// App is a connected app: what a client of the API is known as.
type App struct {
	ClientID     string
	ClientSecret string
	// PublicKey verifies the assertions of the JWT bearer flow; nil: the app
	// has none.
	PublicKey *rsa.PublicKey
	// RunAs is the username that the client credentials flow acts as; "" is
	// the administrator.
	RunAs string
	// Unapproved leaves users out: the JWT bearer flow says that they have not
	// approved the app.
	Unapproved bool
	// NoClientCredentials turns the client credentials flow off.
	NoClientCredentials bool
}

// Server is a simulated Salesforce org that listens until it is closed. Its
// methods may be called at any time, from any goroutine.
type Server struct {
	URL          string // "http://127.0.0.1:PORT": login and instance in one, as with My Domain
	Version      string // the newest API version, "62.0"
	ClientID     string // of the connected app
	ClientSecret string
	PrivateKey   *rsa.PrivateKey // of the connected app, for the JWT bearer flow
	RefreshToken string          // of the administrator, for the refresh token flow
	Username     string          // of the administrator
	UserID       string          // of the administrator
	OrgID        string
	// StandardPricebookID is the id of the standard price book, which is active.
	StandardPricebookID string

	config Config
	addr   string
	apps   []App
	done   chan struct{}
	hits   atomic.Int64

	// data guards the database and what hangs on it.
	data     sync.Mutex
	db       *database
	cursors  map[string]*cursor
	jobs     map[string]*job
	jobSeq   int
	sequence int // of cursors
	actions  map[string]Action
	apex     map[string]http.Handler
	started  time.Time
	changed  map[string]time.Time // when an object's definition was last changed

	mu      sync.Mutex
	http    *http.Server
	tokens  map[string]*session
	refresh map[string]*session
	faults  []*strike
	paths   map[string]int
	used    int // calls of the API today
	callsTo int // calls left until all tokens expire; negative is no end
	closed  bool
}

// NewServer starts a simulated org. It panics if the configuration makes no
// sense or no port is free, as httptest.NewServer does. Close it after use.
func NewServer(c Config) *Server {
	s, err := Start(c)
	if err != nil {
		panic("salesforcetest: " + err.Error()) //nolint:forbidigo // as httptest.NewServer does; Start returns the error
	}
	return s
}

// Start is NewServer for programs that would rather have an error.
func Start(c Config) (*Server, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	s := &Server{
		Version: c.Version, config: c, db: newDatabase(c.Now), done: make(chan struct{}), started: c.Now(),
		cursors: map[string]*cursor{}, jobs: map[string]*job{}, actions: map[string]Action{}, apex: map[string]http.Handler{}, changed: map[string]time.Time{},
		tokens: map[string]*session{}, refresh: map[string]*session{}, paths: map[string]int{}, callsTo: -1,
		OrgID: longID("00DWt0000000001"),
	}
	if err := s.populate(); err != nil {
		return nil, err
	}
	s.register()
	if err := s.listen(c.Addr); err != nil {
		return nil, err
	}
	s.URL = "http://" + s.addr
	return s, nil
}

func (c *Config) complete() error {
	if c.Version == "" {
		c.Version = "62.0"
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(c.Version, ".0")); err != nil || n < oldestVersion || !strings.HasSuffix(c.Version, ".0") {
		return fmt.Errorf("version %q is none from %d.0 up", c.Version, oldestVersion)
	}
	if c.TokenLifetime == 0 {
		c.TokenLifetime = 2 * time.Hour
	}
	if c.DailyRequests == 0 {
		c.DailyRequests = 100_000
	}
	if c.BatchSize == 0 {
		c.BatchSize = 2000
	}
	if c.BulkPolls == 0 {
		c.BulkPolls = 1
	}
	if c.BulkPageSize == 0 {
		c.BulkPageSize = 50_000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Addr == "" {
		c.Addr = "127.0.0.1:0"
	}
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

// Down makes the org unreachable: it stops listening and cuts its
// connections. Its data stay.
func (s *Server) Down() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil {
		_ = s.http.Close()
		s.http = nil
	}
}

// Up makes an org that was down listen again, at the same address.
func (s *Server) Up() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("salesforcetest: the server is closed")
	}
	if s.http != nil {
		return nil
	}
	return s.listen(s.addr)
}

// Requests counts the requests so far, those that a fault struck included, by
// method and path: "POST /services/oauth2/token", and below
// /services/data/vNN.0 without that and with ids replaced, such as
// "GET /query", "GET /query/{locator}" and "PATCH /sobjects/Account/{id}".
func (s *Server) Requests() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.paths)
}

// TotalRequests counts all requests so far.
func (s *Server) TotalRequests() int { return int(s.hits.Load()) }

// ResetCounters sets the counts of requests to zero.
func (s *Server) ResetCounters() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.paths)
	s.hits.Store(0)
}

// Usage returns how many calls of the API were used today, and how many there
// may be.
func (s *Server) Usage() (used, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used, s.config.DailyRequests
}

// SetUsage sets how many calls of the API were used today. With all used up,
// calls are refused with REQUEST_LIMIT_EXCEEDED.
func (s *Server) SetUsage(used int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = used
}

// base is the path of the newest version.
func (s *Server) base() string { return "/services/data/v" + s.Version }

// AddObject adds a custom object, or one that this simulator does not have.
func (s *Server) AddObject(o Object) error {
	s.data.Lock()
	defer s.data.Unlock()
	return s.db.add(o)
}

// AddField adds a field to an object, as an administrator may at any time.
// The records that are there have none of it.
func (s *Server) AddField(object string, f Field) error {
	s.data.Lock()
	defer s.data.Unlock()
	return s.redefine(object, func(o *Object) error {
		o.Fields = append(o.Fields, f)
		return nil
	})
}

// RemoveField takes a field and its values away from an object.
func (s *Server) RemoveField(object, field string) error {
	s.data.Lock()
	defer s.data.Unlock()
	return s.redefine(object, func(o *Object) error {
		for i := range o.Fields {
			if strings.EqualFold(o.Fields[i].Name, field) {
				o.Fields = append(o.Fields[:i:i], o.Fields[i+1:]...)
				return nil
			}
		}
		return fmt.Errorf("%s has no field %s", object, field)
	})
}
