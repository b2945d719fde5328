package salesforce

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

const (
	// oldest is the first API version whose behaviour the adapter knows, and
	// newest the last: organizations keep the older ones, for years.
	oldest = 50
	newest = 62
)

// Client is one connected organization. It is safe for concurrent use.
type Client struct {
	wire    *wire
	info    adapter.Info
	config  Config // without secrets
	version string // "62.0"
	root    string // "/services/data/v62.0"
	objects *objectCache
	uri     int // bytes of the longest address
}

var (
	_ adapter.Adapter      = (*Client)(nil)
	_ adapter.Counter      = (*Client)(nil)
	_ adapter.IDSearcher   = (*Client)(nil)
	_ adapter.Reader       = (*Client)(nil)
	_ adapter.NameSearcher = (*Client)(nil)
	_ adapter.Caller       = (*Client)(nil)
	_ adapter.BatchCreator = (*Client)(nil)
	_ adapter.EachCreator  = (*Client)(nil)
	_ adapter.Streamer     = (*Client)(nil)
	_ adapter.Nester       = (*Client)(nil)
	_ adapter.Conditional  = (*Client)(nil)
	_ adapter.Upserter     = (*Client)(nil)
	_ adapter.ChangeFeeder = (*Client)(nil)
	_ adapter.Clocked      = (*Client)(nil)
	_ adapter.Attacher     = (*Client)(nil)
	_ adapter.Pinger       = (*Client)(nil)
)

// Dial connects to the organization that config describes: it logs in and
// finds out which version of the API to use. The context bounds Dial alone,
// not the Client's later calls.
//
// A wrong config is ErrInvalidArgument whose Field names what is wrong, a
// refused login ErrUnauthenticated, an organization that can't be reached
// ErrUnavailable, and one without a version that the adapter knows
// ErrUnsupported.
func Dial(ctx context.Context, config Config) (*Client, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	c := &Client{wire: newWire(&config), uri: maxURI}
	config.ClientSecret, config.PrivateKey, config.RefreshToken, config.OnRefreshToken = "", "", "", nil
	c.config = config
	if err := c.connect(ctx); err != nil {
		c.wire.close()
		return nil, err
	}
	org, user := c.wire.session.identity()
	c.info = adapter.Info{
		Kind: "salesforce", Version: c.version, Transport: "rest",
		URL: publicURL(config.URL), Database: org, IDField: "Id",
	}
	if user != "" {
		c.info.UserID = adapter.StringID(longID(user))
	}
	c.objects = newObjectCache(c.describe)
	return c, nil
}

// connect chooses the version and proves the login.
func (c *Client) connect(ctx context.Context) error {
	c.version = c.config.APIVersion
	if c.version == "" {
		if err := c.negotiate(ctx); err != nil {
			return err
		}
	}
	c.root = "/services/data/v" + c.version
	return c.Ping(ctx)
}

// negotiate takes the newest version that both sides know.
func (c *Client) negotiate(ctx context.Context) error {
	a, err := c.wire.send(ctx, request{path: "/services/data/", open: true})
	if err != nil {
		return err
	}
	var versions []struct {
		Version string `json:"version"`
	}
	if err := a.decode(&versions, "", "the question for its versions"); err != nil {
		return &adapter.Error{Code: adapter.Unavailable, Field: "url", Message: "what answers there is not Salesforce's REST API: use the My Domain address", Err: err}
	}
	best := 0
	for _, v := range versions {
		major, err := strconv.Atoi(strings.TrimSuffix(v.Version, ".0"))
		if err == nil && major <= newest && major > best {
			best = major
		}
	}
	if best < oldest {
		return adapter.Errorf(adapter.Unsupported, "the organization offers no API version from %d.0 to %d.0", oldest, newest)
	}
	c.version = strconv.Itoa(best) + ".0"
	return nil
}

// Info implements [adapter.Adapter].
func (c *Client) Info() adapter.Info { return c.info }

// Nests implements [adapter.Nester].
func (c *Client) Nests() {}

// Ping checks that the organization answers and still accepts the login.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.wire.send(ctx, request{path: c.root + "/limits"})
	return err
}

// Clock implements [adapter.Clocked] by the Date of the organization's answers.
func (c *Client) Clock() (now time.Time, ok bool) { return c.wire.clock.Clock() }

// Usage returns how many of the organization's daily API requests are used,
// and how many there are, as its last answer said; zeros before it said.
func (c *Client) Usage() (used, all int64) { return c.wire.pace.usage() }

// Close releases the connections. Calls under way end as they would.
func (c *Client) Close() error {
	c.wire.close()
	return nil
}

// ready is the error of a call that can't be made: the client is closed, or
// its caller is gone.
func (c *Client) ready(ctx context.Context) error {
	if c.wire.closed.Load() {
		return errClosed()
	}
	if err := adapter.ContextError(ctx); err != nil {
		return notSent(err)
	}
	return nil
}

// path is one below the version's root, its parts escaped.
func (c *Client) path(parts ...string) string {
	var b strings.Builder
	b.WriteString(c.root)
	for _, part := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(part))
	}
	return b.String()
}

// isRecordID reports whether a text has the form of an id: 15 letters and
// digits, or those and three more.
func isRecordID(s string) bool {
	if len(s) != 15 && len(s) != 18 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// longID is the form of 18 characters of an id of 15; what is none stays. The
// last three say which of the others are capitals, so that the long form
// survives systems that ignore case.
func longID(id string) string {
	if len(id) != 15 || !isRecordID(id) {
		return id
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	out := []byte(id)
	for chunk := range 3 {
		bits := 0
		for i := range 5 {
			if b := id[5*chunk+i]; b >= 'A' && b <= 'Z' {
				bits |= 1 << i
			}
		}
		out = append(out, alphabet[bits])
	}
	return string(out)
}

// idText returns the id that the caller gave in its long form, "" where no
// record can have it.
func idText(id adapter.ID) string {
	if _, isInt := id.Int(); isInt || !isRecordID(id.String()) {
		return ""
	}
	return longID(id.String())
}
