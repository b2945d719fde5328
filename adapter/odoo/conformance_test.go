package odoo_test

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/adaptertest"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

// versions are those that the adapter supports.
var versions = []string{"13.0", "14.0", "15.0", "16.0", "17.0", "18.0", "19.0"}

// transportsOf are the transports that a version has.
func transportsOf(version string) []string {
	transports := []string{odoo.TransportXMLRPC, odoo.TransportJSONRPC, odoo.TransportSession}
	if version == "19.0" {
		transports = append(transports, odoo.TransportJSON2)
	}
	return transports
}

// simulated is the configuration for a simulated server.
func simulated(srv *odootest.Server, transport string) odoo.Config {
	c := odoo.Config{URL: srv.URL, Database: srv.Database, Username: srv.Username, Password: srv.Password, Transport: transport}
	if transport == odoo.TransportJSON2 {
		c.Password, c.APIKey = "", srv.APIKey
	}
	return c
}

func dial(tb testing.TB, c odoo.Config) *odoo.Client {
	tb.Helper()
	client, err := odoo.Dial(context.WithoutCancel(tb.Context()), c)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// upserts are external ids that nobody else uses.
func upserts() func(name string) (string, string) {
	mark := strings.ToLower(rand.Text()[:12])
	return func(name string) (string, string) { return odoo.ExternalID, "conformance_" + mark + "." + name }
}

// harness says what the conformance suite may use of an Odoo database: its
// partners.
func harness(t *testing.T, config odoo.Config) adaptertest.Harness {
	t.Helper()
	client := dial(t, config)
	h := adaptertest.Harness{
		Adapter: client,
		Model:   "res.partner",
		Text:    "name", OptionalText: "ref", Integer: "color", Boolean: "employee", Float: "partner_latitude",
		Reference: "country_id",
		Lines:     "child_ids", LineModel: "res.partner", LineInverse: "parent_id",
		LineValues:     func() adapter.Record { return adapter.Record{"name": "line"} },
		Call:           &adapter.Call{Model: "res.partner", Method: "default_get", Args: []any{[]string{"name", "active"}}},
		ConditionRaces: true,
		Upsert:         upserts(),
		// The column holds seven digits after the point.
		Decimals: []string{"0", "0.5", "-1.25", "10.1", "24.7135517"},
	}
	schema, err := client.Schema(t.Context(), "res.partner")
	require.NoError(t, err)
	if schema.Has("date") {
		h.Date = "date"
	}
	countries, err := client.Query(t.Context(), adapter.Query{Model: "res.country", Fields: []string{"name"}, Limit: 2, Order: []adapter.Order{{Field: "id"}}})
	require.NoError(t, err)
	for _, r := range countries.Records {
		h.Targets = append(h.Targets, adapter.Ref{ID: r.ID(), Name: r.String("name")})
	}
	return h
}

func TestConformance(t *testing.T) {
	for i, version := range versions {
		t.Run(version, func(t *testing.T) {
			now := func() time.Time { return time.Now().Add(time.Duration(i-3) * time.Hour) }
			srv := odootest.NewServer(odootest.Config{Version: version, Now: now})
			t.Cleanup(srv.Close)
			transports := transportsOf(version)
			if testing.Short() { // one each, all by turns
				transports = transports[i%len(transports):][:1]
			}
			for _, transport := range transports {
				t.Run(transport, func(t *testing.T) {
					adaptertest.Run(t, func(t *testing.T) adaptertest.Harness {
						t.Helper()
						h := harness(t, simulated(srv, transport))
						h.Now = now
						return h
					})
				})
			}
		})
	}
}

// real is the configuration of a real server from the environment.
func realConfig(t *testing.T) odoo.Config {
	t.Helper()
	c := odoo.Config{
		URL:      os.Getenv("BRIDGECORE_ODOO_URL"),
		Database: os.Getenv("BRIDGECORE_ODOO_DATABASE"),
		Username: os.Getenv("BRIDGECORE_ODOO_USERNAME"),
		Password: os.Getenv("BRIDGECORE_ODOO_PASSWORD"),
		APIKey:   strings.TrimSpace(os.Getenv("BRIDGECORE_ODOO_API_KEY")),
	}
	if c.URL == "" {
		t.Skip("SKIPPED: no real Odoo. Set BRIDGECORE_ODOO_URL, _DATABASE, _USERNAME, _PASSWORD and _API_KEY to test against one.")
	}
	return c
}

// realTransports are the transports that a real server has, each with its
// configuration.
func realTransports(t *testing.T) map[string]odoo.Config {
	t.Helper()
	c := realConfig(t)
	version := dial(t, odoo.Config{URL: c.URL, Database: c.Database, Username: c.Username, Password: c.Password}).Version().String()
	out := map[string]odoo.Config{}
	for _, transport := range transportsOf(version) {
		one := c
		one.Transport = transport
		if transport == odoo.TransportJSON2 {
			if one.APIKey == "" {
				t.Log("no API key: JSON-2 is not tested")
				continue
			}
			one.Password = ""
		} else {
			one.APIKey = ""
		}
		out[transport] = one
	}
	return out
}

func TestRealConformance(t *testing.T) {
	for transport, config := range realTransports(t) {
		t.Run(transport, func(t *testing.T) {
			adaptertest.Run(t, func(t *testing.T) adaptertest.Harness { t.Helper(); return harness(t, config) })
		})
	}
}
