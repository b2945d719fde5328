package systems

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
)

// SAPConnection is how to reach the OData services of an SAP system. Who it
// acts as is said in one of three ways: a user with a password, a client with a
// secret and where its tokens come from, or a token that somebody else renews.
type SAPConnection struct {
	URL          string       `json:"url"`
	Username     string       `json:"username,omitempty"`
	Password     string       `json:"password,omitempty"`
	TokenURL     string       `json:"token_url,omitempty"`
	ClientID     string       `json:"client_id,omitempty"`
	ClientSecret string       `json:"client_secret,omitempty"`
	Scope        string       `json:"scope,omitempty"` // of the tokens, several with spaces; most systems need none
	BearerToken  string       `json:"bearer_token,omitempty"`
	Client       string       `json:"client,omitempty"`   // sap-client: "100"
	Language     string       `json:"language,omitempty"` // sap-language: "EN"
	Services     []SAPService `json:"services,omitempty"` // none for those of S/4HANA
	Limits
}

// SAPService is one OData service.
type SAPService struct {
	Name    string `json:"name"`
	Path    string `json:"path,omitempty"`    // "" for that of a service of OData v2 by its name
	Version string `json:"version,omitempty"` // "v2" or "v4"; "" tells it from its metadata
}

// Kind is SAP.
func (SAPConnection) Kind() string { return SAP }

// Format prints no secret whatever the verb.
func (c SAPConnection) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// String tells the client, and nothing more.
func (c SAPConnection) String() string { return "connection to SAP client " + c.Client }

// LogValue is String.
func (c SAPConnection) LogValue() slog.Value { return slog.StringValue(c.String()) }

func (c SAPConnection) addresses() []string { return []string{c.URL, c.TokenURL} }
func (c SAPConnection) secrets() []string {
	return given(c.Password, c.ClientSecret, c.BearerToken)
}
func (c SAPConnection) login() []string {
	return []string{c.Username, c.ClientID, c.Client}
}

func (c SAPConnection) withoutSecrets() Connection {
	c.Password, c.ClientSecret, c.BearerToken = "", "", ""
	return c
}

var (
	sapClient   = regexp.MustCompile(`^[0-9]{3}$`)
	sapLanguage = regexp.MustCompile(`^[A-Za-z]{1,3}([-_][A-Za-z0-9]{2,8})*$`)
	serviceName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,79}$`)
)

// Check names the member that is wrong.
func (c SAPConnection) Check(guard netguard.Guard) error {
	if err := checkURL(guard, "url", c.URL, "https://my300000.s4hana.cloud.sap"); err != nil {
		return err
	}
	if err := c.checkWay(guard); err != nil {
		return err
	}
	switch {
	case c.Client != "" && !sapClient.MatchString(c.Client):
		return wrong("client", "must be three digits, such as 100; left out, the system's own is taken")
	case c.Language != "" && !sapLanguage.MatchString(c.Language):
		return wrong("language", "must be a code such as EN")
	}
	return c.checkServices()
}

// checkWay checks the members that say whom to act as.
func (c SAPConnection) checkWay(guard netguard.Guard) error {
	basic, client, token := c.Username != "" || c.Password != "", c.TokenURL != "" || c.ClientID != "" || c.ClientSecret != "" || c.Scope != "", c.BearerToken != ""
	switch {
	case token && (basic || client):
		return wrong("bearer_token", "stands alone: leave it out, or leave out the user and the client")
	case strings.ContainsAny(c.BearerToken, " \t\r\n"):
		return wrong("bearer_token", "must hold no white space; give the token alone, without the word Bearer")
	case token:
		return nil
	case basic && client:
		return wrong("username", "give username and password, or token_url, client_id and client_secret, not both")
	case client:
		if err := checkURL(guard, "token_url", c.TokenURL, "https://acme.authentication.eu10.hana.ondemand.com/oauth/token"); err != nil {
			return err
		}
		if c.ClientID == "" {
			return wrong("client_id", "must be given with a token_url")
		}
		if c.ClientSecret == "" {
			return wrong("client_secret", "must be given with a token_url")
		}
		return nil
	case strings.Contains(c.Username, ":"):
		return wrong("username", "must hold no colon")
	case c.Username == "":
		return wrong("username", "must be given with a password; or token_url, client_id and client_secret; or a bearer_token")
	case c.Password == "":
		return wrong("password", "must be given with a username; or token_url, client_id and client_secret; or a bearer_token")
	}
	return nil
}

func (c SAPConnection) checkServices() error {
	seen := map[string]bool{}
	for i, s := range c.Services {
		at := func(member string) string { return fmt.Sprintf("services[%d].%s", i, member) }
		switch {
		case !serviceName.MatchString(s.Name):
			return wrong(at("name"), "must be a name of letters, digits and _, such as API_BUSINESS_PARTNER")
		case seen[s.Name]:
			return wrong(at("name"), "%s is named twice", s.Name)
		case s.Path != "" && !isPath(s.Path):
			return wrong(at("path"), "must be a path such as /sap/opu/odata/sap/%s, which is taken where it is left out", s.Name)
		case s.Version != "" && s.Version != "v2" && s.Version != "v4":
			return wrong(at("version"), "must be v2 or v4; left out, the service's metadata tells it")
		}
		seen[s.Name] = true
	}
	return nil
}

func isPath(s string) bool {
	return strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") && !strings.ContainsAny(s, "?#\\ ") && !strings.Contains(s, "/..")
}

func (c SAPConnection) dial(ctx context.Context, d dialling) (adapter.Adapter, error) {
	services := make([]sap.Service, len(c.Services))
	for i, s := range c.Services {
		services[i] = sap.Service{Name: s.Name, Path: s.Path, Version: s.Version}
	}
	if len(services) == 0 {
		services = nil // those of S/4HANA
	}
	client, err := sap.Dial(ctx, sap.Config{
		URL: c.URL, Username: c.Username, Password: c.Password,
		TokenURL: c.TokenURL, ClientID: c.ClientID, ClientSecret: c.ClientSecret, Scopes: strings.Fields(c.Scope), BearerToken: c.BearerToken,
		Client: c.Client, Language: c.Language, Services: services, Version: d.version,
		Timeout: c.timeout(), MaxConns: c.connections(), Control: d.guard.Control, WrapTransport: d.wrap,
	})
	if err != nil {
		return nil, err // not a nil client in the interface
	}
	return client, nil
}
