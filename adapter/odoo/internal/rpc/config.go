package rpc

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// The transports, as Config.Transport forces them and Conn.Transport names
// them.
const (
	JSON2   = "json2"   // POST /json/2/<model>/<method>, Odoo 19 and later, with an API key
	JSONRPC = "jsonrpc" // POST /jsonrpc, execute_kw
	Session = "session" // a web session and POST /web/dataset/call_kw
	XMLRPC  = "xmlrpc"  // POST /xmlrpc/2/common and /xmlrpc/2/object
)

// The defaults of Config.
const (
	DefaultTimeout     = 60 * time.Second
	DefaultMaxResponse = 64 << 20 // bytes
	DefaultMaxConns    = 16
)

// Config says how to reach a database of an Odoo server.
type Config struct {
	// URL is the server's address, http or https, with the path prefix under
	// which a proxy serves Odoo, if there is one. What browsers add to it
	// (/web, /odoo, a query) is cut off.
	URL      string
	Database string
	Username string // the login; JSON-2 alone does without
	Password string
	// APIKey is used by JSON-2, and as the password of RPC from Odoo 14. A web
	// session takes the password only.
	APIKey string
	// Transport forces one of the constants above. Empty chooses the best that
	// the server and whatever stands before it allow.
	Transport string

	// Timeout bounds each call, from connecting to the last byte of the
	// answer; 0 is DefaultTimeout.
	Timeout time.Duration
	// MaxResponse is how many bytes an answer may have, unpacked; 0 is
	// DefaultMaxResponse.
	MaxResponse int64
	// MaxConns is how many connections may be open at a time; further calls
	// wait. 0 is DefaultMaxConns.
	MaxConns int
	// Control, if set, is asked before each connection, with the address that
	// name resolution gave: see net.Dialer.Control. An *adapter.Error that it
	// returns reaches the caller.
	Control func(network, address string, c syscall.RawConn) error
	// Wrap, if set, returns what sends requests in place of what it is given.
	Wrap func(http.RoundTripper) http.RoundTripper
	// TLS replaces the default TLS configuration. Versions older than 1.2 are
	// refused unless it allows them.
	TLS       *tls.Config
	UserAgent string
}

func (cfg Config) withDefaults() Config {
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.MaxResponse <= 0 {
		cfg.MaxResponse = DefaultMaxResponse
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = DefaultMaxConns
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "bridgecore"
	}
	return cfg
}

// validate checks what can be checked without the server.
func (cfg Config) validate() error {
	if _, err := baseURL(cfg.URL); err != nil {
		return err
	}
	if cfg.Database == "" {
		return configError("database", "name the database to connect to")
	}
	if cfg.Password == "" && cfg.APIKey == "" {
		return configError("password", "a password or an API key is needed")
	}
	switch cfg.Transport {
	case "":
		if cfg.Username == "" && cfg.APIKey == "" {
			return configError("username", "a password needs the username that it belongs to")
		}
	case JSON2:
		if cfg.APIKey == "" {
			return configError("api_key", "the transport json2 needs an API key")
		}
	case Session:
		if cfg.Username == "" || cfg.Password == "" {
			return configError("password", "the transport session needs a username and a password: Odoo takes no API key there")
		}
	case JSONRPC, XMLRPC:
		if cfg.Username == "" {
			return configError("username", "the transport %s needs a username", cfg.Transport)
		}
	default:
		return configError("transport", "unknown transport %q: it is one of json2, jsonrpc, session, xmlrpc, or empty", cfg.Transport)
	}
	return nil
}

func configError(field, format string, args ...any) *adapter.Error {
	e := adapter.Errorf(adapter.InvalidArgument, format, args...)
	e.Field, e.NothingSent = field, true
	return e
}

// webPaths are what people copy along from a browser's address bar or from
// an example; the first element of the path that is one of these ends the
// address.
var webPaths = map[string]bool{"web": true, "odoo": true, "jsonrpc": true, "xmlrpc": true, "json": true}

// baseURL cleans an address and returns it without a trailing slash.
func baseURL(address string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	switch {
	case address == "":
		return "", configError("url", "the server's URL is missing")
	case err != nil:
		return "", configError("url", "the URL can't be read")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", configError("url", "the URL must begin with https:// or http://")
	case u.Hostname() == "":
		return "", configError("url", "the URL names no host")
	case u.User != nil:
		return "", configError("url", "the URL must not hold a username or password: they have fields of their own")
	}
	var kept []string
	for part := range strings.SplitSeq(u.EscapedPath(), "/") {
		if webPaths[part] {
			break
		}
		if part != "" {
			kept = append(kept, part)
		}
	}
	base := u.Scheme + "://" + u.Host
	if len(kept) > 0 {
		base += "/" + strings.Join(kept, "/")
	}
	return base, nil
}
