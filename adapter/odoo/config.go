package odoo

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// The transports that [Config] can force.
const (
	TransportAuto    = ""        // the best one that works
	TransportJSON2   = "json2"   // /json/2, from 19.0, needs an API key
	TransportJSONRPC = "jsonrpc" // /jsonrpc
	TransportSession = "session" // /web/session/authenticate and /web/dataset/call_kw, needs a password
	TransportXMLRPC  = "xmlrpc"  // /xmlrpc/2
)

const (
	// DefaultPageSize is how many records a page holds when neither the query
	// nor the Config says.
	DefaultPageSize = 500
	// MaxPageSize bounds a page whatever a query asks: a larger limit is read
	// in several pages.
	MaxPageSize = 5000
	// DefaultMaxAttachment is the size in bytes of the largest file that is
	// sent, unless the Config says.
	DefaultMaxAttachment = 64 << 20
)

// Config says how to reach a database of an Odoo server. URL, Database and
// either Username with Password or APIKey are needed; everything else has
// a default. It never shows its secrets: not printed, not logged, not as JSON.
type Config struct {
	URL      string // "https://erp.example.com", with the path if Odoo is not at the root
	Database string
	Username string // may be left out with an API key on JSON-2
	Password string
	// APIKey takes the place of the password over RPC (from 14.0) and is
	// what JSON-2 needs (from 19.0).
	APIKey string

	Transport   string        // one of the Transport constants; "" chooses
	Timeout     time.Duration // of one call; 0 means the default of a minute
	MaxConns    int           // connections at once; 0 means the default
	MaxResponse int64         // bytes of one answer; 0 means the default
	PageSize    int           // records of a page when a query sets no limit; 0 means DefaultPageSize
	// MaxAttachment bounds the files that Attach sends, in bytes; 0 means
	// DefaultMaxAttachment.
	MaxAttachment int64

	// Control, if set, sees each address before it is dialled, after name
	// resolution, and can refuse it: see net.Dialer.Control.
	Control func(network, address string, c syscall.RawConn) error
	// WrapTransport, if set, is given what sends the requests and returns what
	// is to be used in its place, such as one that counts or traces them.
	WrapTransport func(http.RoundTripper) http.RoundTripper
	TLS           *tls.Config
}

// check returns an error that names the first field that is wrong.
func (c *Config) check() error {
	wrong := func(field, format string, args ...any) error {
		e := adapter.Errorf(adapter.InvalidArgument, field+": "+format, args...)
		e.Field = field
		return e
	}
	if c.URL == "" {
		return wrong("url", "is missing; give the address of the Odoo server, such as https://erp.example.com")
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		// The text of a parse error repeats the URL, which may hold a password.
		return wrong("url", "is not a URL; it must read like https://erp.example.com")
	case u.Scheme != "http" && u.Scheme != "https":
		return wrong("url", "must begin with http:// or https://")
	case u.Hostname() == "":
		return wrong("url", "names no host")
	case u.User != nil:
		return wrong("url", "must hold no user name or password; use the fields for them")
	case u.RawQuery != "" || u.Fragment != "":
		return wrong("url", "must end with the path; leave out what follows ? or #")
	}
	switch {
	case c.Database == "":
		return wrong("database", "is missing")
	case c.Password == "" && c.APIKey == "":
		return wrong("password", "is missing; give a password or an API key")
	case c.Password != "" && c.Username == "":
		return wrong("username", "is missing")
	case c.APIKey != "" && c.Username == "" && c.Transport != TransportAuto && c.Transport != TransportJSON2:
		return wrong("username", "is missing; only the json2 transport needs none with an API key")
	case !slices.Contains([]string{TransportAuto, TransportJSON2, TransportJSONRPC, TransportSession, TransportXMLRPC}, c.Transport):
		return wrong("transport", "%q is unknown; use json2, jsonrpc, session or xmlrpc, or leave it out", c.Transport)
	case c.Transport == TransportJSON2 && c.APIKey == "":
		return wrong("api_key", "is missing; the json2 transport needs one")
	case c.Transport == TransportSession && c.Password == "":
		return wrong("password", "is missing; the session transport takes no API key")
	case c.Timeout < 0:
		return wrong("timeout", "is negative")
	case c.MaxConns < 0:
		return wrong("max_conns", "is negative")
	case c.MaxResponse < 0:
		return wrong("max_response", "is negative")
	case c.PageSize < 0 || c.PageSize > MaxPageSize:
		return wrong("page_size", "must be from 0 to %d", MaxPageSize)
	case c.MaxAttachment < 0:
		return wrong("max_attachment", "is negative")
	}
	return nil
}

// redacted is what a Config shows of itself.
type redacted struct {
	URL       string `json:"url"`
	Database  string `json:"database"`
	Username  string `json:"username,omitempty"`
	Password  string `json:"password,omitempty"`
	APIKey    string `json:"api_key,omitempty"`
	Transport string `json:"transport,omitempty"`
}

func (c Config) redact() redacted {
	hide := func(s string) string {
		if s == "" {
			return ""
		}
		return "[redacted]"
	}
	return redacted{
		URL: publicURL(c.URL), Database: c.Database, Username: c.Username,
		Password: hide(c.Password), APIKey: hide(c.APIKey), Transport: c.Transport,
	}
}

// String describes the configuration without its secrets.
func (c Config) String() string {
	r := c.redact()
	parts := []string{"url=" + r.URL, "database=" + r.Database}
	for _, p := range [...][2]string{
		{"username", r.Username}, {"password", r.Password}, {"api_key", r.APIKey}, {"transport", r.Transport},
	} {
		if p[1] != "" {
			parts = append(parts, p[0]+"="+p[1])
		}
	}
	return "odoo.Config{" + strings.Join(parts, " ") + "}"
}

// GoString is String, so that %#v shows no secret either.
func (c Config) GoString() string { return c.String() }

// Format prints the description for every verb.
func (c Config) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// LogValue gives log/slog the description.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON writes the description; secrets are replaced.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.redact()) }

// publicURL is a URL without what may be secret in it.
func publicURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
