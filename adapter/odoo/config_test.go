package odoo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

func TestConfigNamesWhatIsWrong(t *testing.T) {
	good := Config{URL: "https://erp.example.com/odoo", Database: "prod", Username: "ann", Password: "pa55word"}
	require.NoError(t, good.check())
	for _, tc := range []struct {
		name, field string
		change      func(*Config)
	}{
		{"no URL", "url", func(c *Config) { c.URL = "" }},
		{"no scheme", "url", func(c *Config) { c.URL = "erp.example.com" }},
		{"another scheme", "url", func(c *Config) { c.URL = "ftp://erp.example.com" }},
		{"no host", "url", func(c *Config) { c.URL = "https://" }},
		{"unreadable", "url", func(c *Config) { c.URL = "https://erp example.com:x" }},
		{"password in the URL", "url", func(c *Config) { c.URL = "https://ann:s3cret@erp.example.com" }},
		{"query", "url", func(c *Config) { c.URL = "https://erp.example.com/?db=prod" }},
		{"no database", "database", func(c *Config) { c.Database = "" }},
		{"no secret", "password", func(c *Config) { c.Password = "" }},
		{"no user", "username", func(c *Config) { c.Username = "" }},
		{"key alone over RPC", "username", func(c *Config) { c.Username, c.Password, c.APIKey, c.Transport = "", "", "key", TransportXMLRPC }},
		{"unknown transport", "transport", func(c *Config) { c.Transport = "soap" }},
		{"json2 without a key", "api_key", func(c *Config) { c.Transport = TransportJSON2 }},
		{"session without a password", "password", func(c *Config) { c.Password, c.APIKey, c.Transport = "", "key", TransportSession }},
		{"negative timeout", "timeout", func(c *Config) { c.Timeout = -1 }},
		{"negative connections", "max_conns", func(c *Config) { c.MaxConns = -1 }},
		{"negative response", "max_response", func(c *Config) { c.MaxResponse = -1 }},
		{"pages too large", "page_size", func(c *Config) { c.PageSize = MaxPageSize + 1 }},
		{"negative attachment", "max_attachment", func(c *Config) { c.MaxAttachment = -1 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := good
			tc.change(&c)
			e := fault(t, c.check())
			assert.Equal(t, adapter.InvalidArgument, e.Code)
			assert.Equal(t, tc.field, e.Field)
			assert.NotContains(t, e.Message, "s3cret")
			_, err := Dial(t.Context(), c)
			assert.Equal(t, tc.field, fault(t, err).Field, "Dial must refuse it before it does anything")
		})
	}
	assert.NoError(t, (&Config{URL: "http://odoo", Database: "d", APIKey: "k"}).check(), "a key needs no user on JSON-2")
}

func TestConfigShowsNoSecret(t *testing.T) {
	c := Config{URL: "https://erp.example.com", Database: "prod", Username: "ann", Password: "hunter2", APIKey: "0123456789abcdef"}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", c, &c)
	}
	fmt.Fprintln(&out, c, &c)
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("dial", "config", c, "pointer", &c)
	}
	b, err := json.Marshal(map[string]any{"config": c, "pointer": &c})
	require.NoError(t, err)
	out.Write(b)
	assert.NotContains(t, out.String(), "hunter2")
	assert.NotContains(t, out.String(), "0123456789abcdef")
	assert.NotContains(t, out.String(), fmt.Sprintf("%x", "hunter2"))
	assert.Contains(t, out.String(), "erp.example.com")
	assert.Contains(t, out.String(), "ann")

	client, _ := connect(17)
	assert.Empty(t, client.config.Password)
	assert.Empty(t, client.config.APIKey)
}
