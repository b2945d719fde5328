// Package wire carries HTTP requests to an SAP system: who is calling, the
// session with its cookies and CSRF token, and what can go wrong below and in
// OData, sorted into the codes of package adapter.
package wire

import (
	"crypto/tls"
	"net/http"
	"syscall"
	"time"
)

// The ways to log in.
const (
	Basic  = "basic"
	OAuth2 = "oauth2"
	Bearer = "bearer"
)

// Config says how to reach a system. All of it is given; the defaults are its
// maker's.
type Config struct {
	URL  string
	Auth string

	Username, Password     string
	TokenURL               string
	ClientID, ClientSecret string
	Scopes                 []string
	BearerToken            string

	Client, Language string

	Timeout     time.Duration
	MaxConns    int
	MaxResponse int64
	Control     func(network, address string, c syscall.RawConn) error
	Wrap        func(http.RoundTripper) http.RoundTripper // nil for none
	TLS         *tls.Config
}
