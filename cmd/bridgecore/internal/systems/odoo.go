package systems

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
)

// OdooConnection is how to reach an Odoo database.
type OdooConnection struct {
	URL       string `json:"url"`
	Database  string `json:"database"`
	Username  string `json:"username,omitempty"`
	Password  string `json:"password,omitempty"`
	APIKey    string `json:"api_key,omitempty"`
	Transport string `json:"transport,omitempty"` // "" and "auto" choose
	Limits
}

// Kind is Odoo.
func (OdooConnection) Kind() string { return Odoo }

// Format prints no secret whatever the verb.
func (c OdooConnection) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// String tells the database, and nothing more.
func (c OdooConnection) String() string { return "connection to database " + c.Database }

// LogValue is String.
func (c OdooConnection) LogValue() slog.Value { return slog.StringValue(c.String()) }

func (c OdooConnection) addresses() []string { return []string{c.URL} }
func (c OdooConnection) secrets() []string   { return given(c.Password, c.APIKey) }
func (c OdooConnection) login() []string     { return []string{c.Database, c.Username} }

func (c OdooConnection) withoutSecrets() Connection {
	c.Password, c.APIKey = "", ""
	return c
}

// Check names the member that is wrong, the first in the order of the struct.
func (c OdooConnection) Check(guard netguard.Guard) error {
	if err := checkURL(guard, "url", c.URL, "https://odoo.example.com"); err != nil {
		return err
	}
	switch {
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
	return nil
}

func (c OdooConnection) dial(ctx context.Context, d dialling) (adapter.Adapter, error) {
	transport := c.Transport
	if transport == "auto" {
		transport = odoo.TransportAuto
	}
	client, err := odoo.Dial(ctx, odoo.Config{
		URL: c.URL, Database: c.Database, Username: c.Username, Password: c.Password, APIKey: c.APIKey,
		Transport: transport, Timeout: c.timeout(), MaxConns: c.connections(), Control: d.guard.Control, WrapTransport: d.wrap,
	})
	if err != nil {
		return nil, err // not a nil client in the interface
	}
	return client, nil
}
