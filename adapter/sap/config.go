package sap

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// The ways to log in that [Config] knows.
const (
	AuthAuto   = ""       // chosen by what is given: a token, a client id, a user name
	AuthBasic  = "basic"  // Username and Password with every call
	AuthOAuth2 = "oauth2" // client credentials: ClientID and ClientSecret at TokenURL
	AuthBearer = "bearer" // a token that was got elsewhere, as it is
)

// The versions of OData that a [Service] may speak.
const (
	V2 = "v2"
	V4 = "v4"
)

const (
	// DefaultPageSize is how many records a page holds when neither the query
	// nor the Config says.
	DefaultPageSize = 500
	// MaxPageSize bounds a page whatever a query asks: a larger limit is read
	// in several pages.
	MaxPageSize = 5000
	// DefaultTimeout bounds one call unless the Config says.
	DefaultTimeout = time.Minute
	// DefaultMaxConns is how many connections are open at once unless the
	// Config says.
	DefaultMaxConns = 8
	// DefaultMaxResponse bounds one answer in bytes unless the Config says.
	DefaultMaxResponse = 64 << 20
	// DefaultMaxURL is the length of the longest address that is asked for;
	// what needs a longer one goes by a batch or in several calls.
	DefaultMaxURL = 6000
	// DefaultMaxAttachment is the size in bytes of the largest file that is
	// sent, unless the Config says.
	DefaultMaxAttachment = 64 << 20
)

// Config says how to reach the OData services of an SAP system. URL and one
// way to log in are needed; everything else has a default. It never shows its
// secrets: not printed, not logged, not as JSON.
type Config struct {
	URL string // of the host, "https://my300000.s4hana.example.com", with the path if SAP is not at the root

	Auth string // one of the Auth constants; "" chooses by what is given

	Username string // basic
	Password string // basic

	TokenURL     string   // oauth2: where tokens are got; may be another host than URL
	ClientID     string   // oauth2
	ClientSecret string   // oauth2
	Scopes       []string // oauth2; most SAP systems need none
	BearerToken  string   // bearer

	Client   string // the SAP client (Mandant), three digits such as "100"; "" leaves it to the system
	Language string // of texts and messages, such as "EN"; a Scope's Language wins

	// Services are those whose models are known. Nil means
	// [DefaultServices], the standard APIs of S/4HANA.
	Services []Service
	// Version is what Info tells of the system, such as "S/4HANA 2023". OData
	// itself does not say.
	Version string

	Timeout     time.Duration // of one call; 0 means DefaultTimeout
	MaxConns    int           // connections at once; 0 means DefaultMaxConns
	MaxResponse int64         // bytes of one answer; 0 means DefaultMaxResponse
	PageSize    int           // records of a page when a query sets no limit; 0 means DefaultPageSize
	MaxURL      int           // characters of the longest address; 0 means DefaultMaxURL
	// MaxAttachment bounds the files that Attach sends, in bytes; 0 means
	// DefaultMaxAttachment.
	MaxAttachment int64
	// BusinessObjects are the types under which API_CV_ATTACHMENT_SRV keeps the
	// files of further models, such as "BUS2012" for
	// "API_PURCHASEORDER_PROCESS_SRV.A_PurchaseOrder".
	BusinessObjects map[string]string

	// Control, if set, sees each address before it is dialled, after name
	// resolution, and can refuse it: see net.Dialer.Control. It guards the
	// token endpoint too.
	Control func(network, address string, c syscall.RawConn) error
	// WrapTransport, if set, is given what sends the requests and returns what
	// is to be used in its place, such as one that counts or traces them. It
	// sends those for tokens too.
	WrapTransport func(http.RoundTripper) http.RoundTripper
	TLS           *tls.Config
}

// Service is one OData service of the system.
type Service struct {
	// Name is how its models begin: "API_PRODUCT_SRV" in
	// "API_PRODUCT_SRV.A_Product".
	Name string `json:"name" yaml:"name"`
	// Path is where it is under the URL. "" means that of a service of OData
	// v2 by its name, /sap/opu/odata/sap/NAME.
	Path string `json:"path,omitempty" yaml:"path"`
	// Version is V2 or V4; "" has it read from the service's metadata.
	Version string `json:"version,omitempty" yaml:"version"`
}

// DefaultServices are the standard APIs of S/4HANA that a Config without
// services has.
func DefaultServices() []Service {
	names := []string{
		"API_BUSINESS_PARTNER", "API_PRODUCT_SRV", "API_SALES_ORDER_SRV", "API_BILLING_DOCUMENT_SRV",
		"API_MATERIAL_DOCUMENT_SRV", "API_MATERIAL_STOCK_SRV", "API_PRODUCTGROUP_SRV", "API_CV_ATTACHMENT_SRV",
	}
	services := make([]Service, len(names))
	for i, name := range names {
		services[i] = Service{Name: name, Path: defaultPath(name), Version: V2}
	}
	return services
}

func defaultPath(name string) string { return "/sap/opu/odata/sap/" + name }

var (
	serviceName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,79}$`)
	sapClient   = regexp.MustCompile(`^[0-9]{3}$`)
	sapLanguage = regexp.MustCompile(`^[A-Za-z]{1,3}([-_][A-Za-z0-9]{2,8})*$`)
)

// check returns an error that names the first field that is wrong.
func (c *Config) check() error {
	if problem := urlProblem(c.URL); problem != "" {
		return wrong("url", problem)
	}
	if err := c.checkAuth(); err != nil {
		return err
	}
	if err := c.checkServices(); err != nil {
		return err
	}
	switch {
	case c.Client != "" && !sapClient.MatchString(c.Client):
		return wrong("client", "must be three digits such as 100")
	case c.Language != "" && !sapLanguage.MatchString(c.Language):
		return wrong("language", "must be a code such as EN")
	case c.Timeout < 0:
		return wrong("timeout", "is negative")
	case c.MaxConns < 0:
		return wrong("max_conns", "is negative")
	case c.MaxResponse < 0:
		return wrong("max_response", "is negative")
	case c.PageSize < 0 || c.PageSize > MaxPageSize:
		return wrong("page_size", fmt.Sprintf("must be from 0 to %d", MaxPageSize))
	case c.MaxURL != 0 && c.MaxURL < 500:
		return wrong("max_url", "must be 0 or at least 500")
	case c.MaxAttachment < 0:
		return wrong("max_attachment", "is negative")
	}
	return nil
}

func wrong(field, problem string) error {
	return &adapter.Error{Code: adapter.InvalidArgument, Field: field, Message: field + ": " + problem}
}

// urlProblem tells what is wrong with a URL. It never repeats it, since it may
// hold a password.
func urlProblem(raw string) string {
	if raw == "" {
		return "is missing; it must read like https://s4.example.com"
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "is not a URL; it must read like https://s4.example.com"
	case u.Scheme != "http" && u.Scheme != "https":
		return "must begin with http:// or https://"
	case u.Hostname() == "":
		return "names no host"
	case u.User != nil:
		return "must hold no user name or password; use the fields for them"
	case u.RawQuery != "" || u.Fragment != "":
		return "must end with the path; leave out what follows ? or #"
	}
	return ""
}

// auth is the way to log in, chosen where the Config leaves it open.
func (c *Config) auth() string {
	switch {
	case c.Auth != AuthAuto:
		return c.Auth
	case c.BearerToken != "":
		return AuthBearer
	case c.TokenURL != "" || c.ClientID != "":
		return AuthOAuth2
	default:
		return AuthBasic
	}
}

func (c *Config) checkAuth() error {
	switch c.auth() {
	case AuthBasic:
		switch {
		case c.Username == "":
			return wrong("username", "is missing; give a user name and a password, an OAuth2 client, or a bearer token")
		case strings.Contains(c.Username, ":"):
			return wrong("username", "must hold no colon")
		case c.Password == "":
			return wrong("password", "is missing")
		}
	case AuthOAuth2:
		if problem := urlProblem(c.TokenURL); problem != "" {
			return wrong("token_url", problem)
		}
		switch {
		case c.ClientID == "":
			return wrong("client_id", "is missing")
		case c.ClientSecret == "":
			return wrong("client_secret", "is missing")
		}
	case AuthBearer:
		switch {
		case c.BearerToken == "":
			return wrong("bearer_token", "is missing")
		case strings.ContainsAny(c.BearerToken, " \t\r\n"):
			return wrong("bearer_token", "must hold no white space; give the token alone, without the word Bearer")
		}
	default:
		return wrong("auth", fmt.Sprintf("%q is unknown; use basic, oauth2 or bearer, or leave it out", c.Auth))
	}
	return nil
}

func (c *Config) checkServices() error {
	if c.Services != nil && len(c.Services) == 0 {
		return wrong("services", "is an empty list; leave it out for the standard APIs of S/4HANA")
	}
	seen := map[string]bool{}
	for _, s := range c.Services {
		switch {
		case !serviceName.MatchString(s.Name):
			return wrong("services", fmt.Sprintf("%q is no name of a service; use letters, digits and underscores", s.Name))
		case seen[s.Name]:
			return wrong("services", s.Name+" is there twice")
		case !slices.Contains([]string{"", V2, V4}, s.Version):
			return wrong("services", fmt.Sprintf("%s: version %q is unknown; use v2 or v4, or leave it out", s.Name, s.Version))
		case s.Path != "" && !strings.HasPrefix(s.Path, "/"):
			return wrong("services", s.Name+": the path must begin with /")
		case strings.ContainsAny(s.Path, "?#\\ ") || strings.Contains(s.Path, "/.."):
			return wrong("services", s.Name+": the path must be a plain one such as /sap/opu/odata/sap/"+s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

// redacted is what a Config shows of itself.
type redacted struct {
	URL          string    `json:"url"`
	Auth         string    `json:"auth"`
	Username     string    `json:"username,omitempty"`
	Password     string    `json:"password,omitempty"`
	TokenURL     string    `json:"token_url,omitempty"`
	ClientID     string    `json:"client_id,omitempty"`
	ClientSecret string    `json:"client_secret,omitempty"`
	BearerToken  string    `json:"bearer_token,omitempty"`
	Client       string    `json:"client,omitempty"`
	Language     string    `json:"language,omitempty"`
	Services     []Service `json:"services,omitempty"`
}

func (c Config) redact() redacted {
	hide := func(s string) string {
		if s == "" {
			return ""
		}
		return "[redacted]"
	}
	return redacted{
		URL: publicURL(c.URL), Auth: c.auth(), Username: c.Username, Password: hide(c.Password),
		TokenURL: publicURL(c.TokenURL), ClientID: c.ClientID, ClientSecret: hide(c.ClientSecret),
		BearerToken: hide(c.BearerToken), Client: c.Client, Language: c.Language, Services: c.Services,
	}
}

// String describes the configuration without its secrets.
func (c Config) String() string {
	r := c.redact()
	parts := []string{"url=" + r.URL, "auth=" + r.Auth}
	for _, p := range [...][2]string{
		{"username", r.Username}, {"password", r.Password}, {"token_url", r.TokenURL}, {"client_id", r.ClientID},
		{"client_secret", r.ClientSecret}, {"bearer_token", r.BearerToken}, {"client", r.Client}, {"language", r.Language},
	} {
		if p[1] != "" {
			parts = append(parts, p[0]+"="+p[1])
		}
	}
	return "sap.Config{" + strings.Join(parts, " ") + "}"
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
