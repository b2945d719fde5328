package systems

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
)

// SalesforceConnection is how to reach a Salesforce org. Who it acts as is said
// in one of three ways: a client secret alone (client credentials), a private
// key with a user (JWT bearer), or a refresh token.
type SalesforceConnection struct {
	URL          string `json:"url"` // My Domain
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret,omitempty"`
	PrivateKey   string `json:"private_key,omitempty"` // RSA, PEM
	Username     string `json:"username,omitempty"`    // with PrivateKey: whom to act as
	Audience     string `json:"audience,omitempty"`    // with PrivateKey: "" for https://login.salesforce.com
	RefreshToken string `json:"refresh_token,omitempty"`
	APIVersion   string `json:"api_version,omitempty"` // "62.0"; "" takes the newest that both know
	Limits
}

// Kind is Salesforce.
func (SalesforceConnection) Kind() string { return Salesforce }

// Format prints no secret whatever the verb.
func (c SalesforceConnection) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// String names the kind, and nothing more.
func (c SalesforceConnection) String() string { return "connection to a Salesforce org" }

// LogValue is String.
func (c SalesforceConnection) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Audience is no address that a secret is sent to, but a signed assertion for
// it is good there.
func (c SalesforceConnection) addresses() []string { return []string{c.URL, c.Audience} }
func (c SalesforceConnection) secrets() []string {
	return given(c.ClientSecret, c.PrivateKey, c.RefreshToken)
}
func (c SalesforceConnection) login() []string { return []string{c.ClientID, c.Username} }

func (c SalesforceConnection) withoutSecrets() Connection {
	c.ClientSecret, c.PrivateKey, c.RefreshToken = "", "", ""
	return c
}

var apiVersion = regexp.MustCompile(`^[1-9][0-9]{1,2}\.0$`)

// Check names the member that is wrong.
func (c SalesforceConnection) Check(guard netguard.Guard) error {
	const like = "https://acme.my.salesforce.com"
	if err := checkURL(guard, "url", c.URL, like); err != nil {
		return err
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil: // it was parsed above
		return wrong("url", "must be an address like %s", like)
	case u.Scheme != "https" && !guard.Private:
		return wrong("url", "must begin with https://: tokens travel over it")
	case slices.Contains([]string{"login.salesforce.com", "test.salesforce.com"}, strings.ToLower(u.Hostname())):
		return wrong("url", "must be the org's own address (My Domain) like %s; Setup, My Domain shows it", like)
	case c.ClientID == "":
		return wrong("client_id", "must be given: the consumer key of the connected app")
	case c.APIVersion != "" && !apiVersion.MatchString(c.APIVersion):
		return wrong("api_version", "must read like 62.0; left out, the newest that both know is taken")
	}
	return c.checkWay(guard)
}

// checkWay checks the members that say whom to act as.
func (c SalesforceConnection) checkWay(guard netguard.Guard) error {
	switch {
	case c.PrivateKey != "" && c.RefreshToken != "":
		return wrong("refresh_token", "give a private_key or a refresh_token, not both")
	case c.PrivateKey != "":
		if c.Username == "" {
			return wrong("username", "must be given with a private_key: the user to act as")
		}
		if !isRSAKey(c.PrivateKey) {
			return wrong("private_key", "must be an RSA private key in PEM that is not encrypted: text that begins with -----BEGIN PRIVATE KEY-----")
		}
		if c.Audience != "" {
			return checkURL(guard, "audience", c.Audience, "https://test.salesforce.com")
		}
	case c.Username != "":
		return wrong("username", "goes with a private_key alone: leave it out, or give the key")
	case c.Audience != "":
		return wrong("audience", "goes with a private_key alone: leave it out, or give the key")
	case c.RefreshToken == "" && c.ClientSecret == "":
		return wrong("client_secret", "must be given, or a private_key with a username, or a refresh_token; passwords are not taken")
	}
	return nil
}

func isRSAKey(text string) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return true
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	_, isRSA := key.(*rsa.PrivateKey)
	return err == nil && isRSA
}

func (c SalesforceConnection) dial(ctx context.Context, d dialling) (adapter.Adapter, error) {
	client, err := salesforce.Dial(ctx, salesforce.Config{
		URL: c.URL, ClientID: c.ClientID, ClientSecret: c.ClientSecret, Username: c.Username, PrivateKey: c.PrivateKey,
		Audience: c.Audience, RefreshToken: c.RefreshToken, APIVersion: c.APIVersion,
		Timeout: c.timeout(), MaxConns: c.connections(), Control: d.guard.Control, WrapTransport: d.wrap,
		OnRefreshToken: c.rotated(d.keep),
	})
	if err != nil {
		return nil, err // not a nil client in the interface
	}
	return client, nil
}

// rotated is told of each refresh token that takes the place of the last.
func (c SalesforceConnection) rotated(keep func(was, now Connection)) func(string) {
	var mu sync.Mutex
	was := c
	return func(token string) {
		mu.Lock()
		defer mu.Unlock()
		now := was
		now.RefreshToken = token
		keep(was, now)
		was = now
	}
}
