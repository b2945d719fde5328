// Package systems makes adapters of the systems that tenants registered: it
// reads them from the store, decrypts how to reach them, and dials them through
// the guard. It is what the server gives to package bridge.
package systems

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

// Defaults of a connection.
const (
	defaultTimeout        = 30 * time.Second
	defaultMaxConnections = 10
)

// Connection is how to reach a system of one kind. It is stored encrypted, as
// JSON, and prints without its secrets.
type Connection interface {
	// Kind is the kind of system that it reaches.
	Kind() string
	// Check returns an adapter.ErrInvalidArgument that names the member that
	// is wrong. It dials nothing.
	Check(guard netguard.Guard) error

	// addresses are where the secrets are sent.
	addresses() []string
	// secrets are what must not be seen.
	secrets() []string
	// withoutSecrets is the rest.
	withoutSecrets() Connection
	// login names whom the system takes us for.
	login() []string
	limits() Limits
}

// Limits are the members that every kind of connection has.
type Limits struct {
	Timeout        int `json:"timeout,omitempty"`         // seconds; 0 for 30
	MaxConnections int `json:"max_connections,omitempty"` // 0 for 10
}

func (l Limits) limits() Limits { return l }

func (l Limits) timeout() time.Duration {
	if l.Timeout > 0 {
		return time.Duration(l.Timeout) * time.Second
	}
	return defaultTimeout
}

func (l Limits) connections() int {
	if l.MaxConnections > 0 {
		return l.MaxConnections
	}
	return defaultMaxConnections
}

// NewConnection reads the members of a connection to a system of the kind, a
// JSON object. A member that the kind does not take is refused by name. It is
// not checked further.
func NewConnection(kind string, members []byte) (Connection, error) {
	k, err := kindOf(kind)
	if err != nil {
		return nil, err
	}
	return k.read(nil, members)
}

// Change returns the connection with the members that are given; the others
// stay. Who may change a system may not, by that alone, learn its secrets: a
// new address, which could be one's own, needs them anew.
func Change(c Connection, members []byte) (Connection, error) {
	k, err := kindOf(c.Kind())
	if err != nil {
		return nil, err
	}
	changed, err := k.read(c, members)
	if err != nil || slices.Equal(changed.addresses(), c.addresses()) {
		return changed, err
	}
	if changed, err = k.read(c.withoutSecrets(), members); err != nil {
		return nil, err
	}
	if len(changed.secrets()) == 0 {
		return nil, wrong(k.secret, "with a new address %s must be given again", k.secretWords)
	}
	return changed, nil
}

// Open decrypts the connection of a system of the kind.
func Open(v *vault.Vault, kind, sealed string) (Connection, error) {
	k, err := kindOf(kind)
	if err != nil {
		return nil, err
	}
	var members json.RawMessage
	if err := v.Open(sealed, &members); err != nil {
		return nil, err
	}
	c, err := k.read(nil, members)
	if err != nil {
		return nil, vault.ErrUnreadable
	}
	return c, nil
}

// fingerprint tells credentials apart without giving them away: a secret
// can't be guessed from it without the whole of the rest.
func fingerprint(c Connection) string {
	mac := hmac.New(sha256.New, []byte(strings.Join(c.secrets(), "\x00")))
	mac.Write([]byte(c.Kind() + "\x00" + strings.Join(slices.Concat(c.addresses(), c.login()), "\x00")))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// into reads members over a connection of type T.
func into[T Connection](base Connection, members []byte) (Connection, error) {
	c, _ := base.(T)
	if err := json.Unmarshal(members, &c); err != nil {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Field: "connection_config", Message: "connection_config does not have the form that it must have"}
	}
	return c, nil
}

// given leaves out what is empty.
func given(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

func wrong(field, format string, args ...any) error {
	e := adapter.Errorf(adapter.InvalidArgument, format, args...)
	e.Field = "connection_config." + field
	return e
}

// checkURL checks the address in a member; like is an example of one.
func checkURL(guard netguard.Guard, field, address, like string) error {
	u, err := url.Parse(address)
	switch {
	case address == "":
		return wrong(field, "must be given: an address like %s", like)
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return wrong(field, "must be an address like %s", like)
	case u.User != nil:
		return wrong(field, "must not hold a user or a password; there are members for them")
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return wrong(field, "must end with the path; leave out what follows ? or #")
	}
	if err := guard.CheckHost(u.Hostname()); err != nil {
		if e, ok := err.(*adapter.Error); ok { //nolint:errorlint // the guard's own, to be changed
			at := *e
			at.Field = "connection_config." + field
			return &at
		}
		return err
	}
	return nil
}
