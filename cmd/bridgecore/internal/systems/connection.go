// Package systems makes adapters of the systems that tenants registered: it
// reads them from the store, decrypts how to reach them, and dials them through
// the guard. It is what the server gives to package bridge.
package systems

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
)

// Defaults of a connection.
const (
	defaultTimeout        = 30 * time.Second
	defaultMaxConnections = 10
)

// Connection is how to reach an Odoo database. It is stored encrypted, as
// JSON, and prints without its secrets.
type Connection struct {
	URL            string `json:"url"`
	Database       string `json:"database"`
	Username       string `json:"username,omitempty"`
	Password       string `json:"password,omitempty"`
	APIKey         string `json:"api_key,omitempty"`
	Transport      string `json:"transport,omitempty"` // "" and "auto" choose
	Timeout        int    `json:"timeout,omitempty"`   // seconds; 0 for 30
	MaxConnections int    `json:"max_connections,omitempty"`
}

// Format prints no secret whatever the verb.
func (c Connection) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// String tells the database, and nothing more.
func (c Connection) String() string { return "connection to database " + c.Database }

// LogValue is String.
func (c Connection) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Check returns an adapter.ErrInvalidArgument that names the member that is
// wrong, the first in the order of the struct. It dials nothing.
func (c Connection) Check(guard netguard.Guard) error {
	wrong := func(field, message string) error {
		return &adapter.Error{Code: adapter.InvalidArgument, Field: "connection_config." + field, Message: message}
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return wrong("url", "must be an address like https://odoo.example.com")
	case u.User != nil:
		return wrong("url", "must not hold a user or a password; use username and password")
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return wrong("url", "must end with the path; leave out what follows ? or #")
	case c.Database == "":
		return wrong("database", "must be given")
	case c.Username == "" && (c.APIKey == "" || c.Transport != "" && c.Transport != "auto" && c.Transport != odoo.TransportJSON2):
		return wrong("username", "must be given")
	case c.Password == "" && c.APIKey == "":
		return wrong("password", "must be given, or an api_key in its place")
	case c.Transport == odoo.TransportJSON2 && c.APIKey == "":
		return wrong("api_key", "must be given: the transport json2 takes no password")
	case c.Transport == odoo.TransportSession && c.Password == "":
		return wrong("password", "must be given: the transport session takes no api_key")
	}
	return guard.CheckHost(u.Hostname())
}

// config is what package odoo dials.
func (c Connection) config(guard netguard.Guard) odoo.Config {
	timeout := defaultTimeout
	if c.Timeout > 0 {
		timeout = time.Duration(c.Timeout) * time.Second
	}
	transport := c.Transport
	if transport == "auto" {
		transport = odoo.TransportAuto
	}
	return odoo.Config{
		URL: c.URL, Database: c.Database, Username: c.Username, Password: c.Password, APIKey: c.APIKey,
		Transport: transport, Timeout: timeout, MaxConns: c.connections(), Control: guard.Control,
	}
}

func (c Connection) connections() int {
	if c.MaxConnections > 0 {
		return c.MaxConnections
	}
	return defaultMaxConnections
}
