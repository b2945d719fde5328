package systems_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

// privateKey is a fresh RSA key in PEM.
var privateKey = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
})

type members map[string]any

// but returns the members with others in their place; nil takes one away.
func (m members) but(changes members) members {
	out := maps.Clone(m)
	for name, v := range changes {
		if out[name] = v; v == nil {
			delete(out, name)
		}
	}
	return out
}

func (m members) json(t *testing.T) []byte {
	t.Helper()
	b, err := json.Marshal(m)
	require.NoError(t, err)
	return b
}

var (
	salesforce = members{"url": "https://acme.my.salesforce.com", "client_id": "app", "client_secret": "canary-secret"}
	jwt        = members{"client_secret": nil, "private_key": privateKey(), "username": "integration@acme.com"}
	sap        = members{"url": "https://s4.example.com", "username": "BRIDGE", "password": "canary-password"}
	oauth      = members{"username": nil, "password": nil, "token_url": "https://auth.example.com/oauth/token", "client_id": "c", "client_secret": "canary-secret"}
)

func service(name, path, version string) members {
	return members{"services": []any{members{"name": name, "path": path, "version": version}}}
}

func TestEveryKindTakesItsMembers(t *testing.T) {
	for name, tc := range map[string]struct {
		kind string
		m    members
	}{
		"odoo":                {"odoo", members{"url": "https://odoo.example.com", "database": "d", "username": "u", "password": "p", "timeout": 5, "max_connections": 3}},
		"client credentials":  {"salesforce", salesforce},
		"JWT bearer":          {"salesforce", salesforce.but(jwt)},
		"JWT of a sandbox":    {"salesforce", salesforce.but(jwt).but(members{"audience": "https://test.salesforce.com"})},
		"refresh token":       {"salesforce", salesforce.but(members{"client_secret": nil, "refresh_token": "canary"})},
		"refresh and secret":  {"salesforce", salesforce.but(members{"refresh_token": "canary", "api_version": "62.0"})},
		"basic":               {"sap", sap.but(members{"client": "100", "language": "EN"})},
		"oauth":               {"sap", sap.but(oauth).but(members{"scope": "API"})},
		"bearer":              {"sap", members{"url": "https://s4.example.com", "bearer_token": "canary"}},
		"services":            {"sap", sap.but(service("ZMY_SRV", "/sap/opu/odata/sap/ZMY_SRV", "v2"))},
		"service by its name": {"sap", sap.but(members{"services": []any{members{"name": "ZMY_SRV"}}})},
	} {
		c, err := systems.NewConnection(tc.kind, tc.m.json(t))
		require.NoError(t, err, name)
		assert.Equal(t, tc.kind, c.Kind())
		assert.NoError(t, c.Check(netguard.Guard{}), name)
	}
}

func TestCheckNamesTheMemberOfEveryKind(t *testing.T) {
	for name, tc := range map[string]struct {
		kind  string
		m     members
		field string
	}{
		"kind":                       {"dynamics", members{}, "system_type"},
		"a list":                     {"sap", nil, "connection_config"},
		"of another kind":            {"sap", sap.but(members{"database": "x"}), "database"},
		"odoo takes no client_id":    {"odoo", members{"url": "https://x.example", "client_id": "x"}, "client_id"},
		"no url":                     {"salesforce", salesforce.but(members{"url": nil}), "url"},
		"http":                       {"salesforce", salesforce.but(members{"url": "http://acme.my.salesforce.com"}), "url"},
		"not My Domain":              {"salesforce", salesforce.but(members{"url": "https://Login.salesforce.com"}), "url"},
		"loopback":                   {"salesforce", salesforce.but(members{"url": "https://127.0.0.1"}), "url"},
		"no client":                  {"salesforce", salesforce.but(members{"client_id": nil}), "client_id"},
		"no secret":                  {"salesforce", salesforce.but(members{"client_secret": nil}), "client_secret"},
		"key without user":           {"salesforce", salesforce.but(jwt).but(members{"username": nil}), "username"},
		"user without key":           {"salesforce", salesforce.but(members{"username": "u"}), "username"},
		"a password":                 {"salesforce", salesforce.but(members{"password": "canary"}), "password"},
		"no PEM":                     {"salesforce", salesforce.but(jwt).but(members{"private_key": "canary-key"}), "private_key"},
		"PEM of nothing":             {"salesforce", salesforce.but(jwt).but(members{"private_key": "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n"}), "private_key"},
		"two ways":                   {"salesforce", salesforce.but(jwt).but(members{"refresh_token": "canary"}), "refresh_token"},
		"audience alone":             {"salesforce", salesforce.but(members{"audience": "https://test.salesforce.com"}), "audience"},
		"bad audience":               {"salesforce", salesforce.but(jwt).but(members{"audience": "canary"}), "audience"},
		"api_version":                {"salesforce", salesforce.but(members{"api_version": "62"}), "api_version"},
		"sap: no url":                {"sap", sap.but(members{"url": nil}), "url"},
		"sap: user in it":            {"sap", sap.but(members{"url": "https://u:canary@s4.example.com"}), "url"},
		"sap: metadata":              {"sap", sap.but(members{"url": "http://169.254.169.254/"}), "url"},
		"sap: nobody":                {"sap", sap.but(members{"username": nil, "password": nil}), "username"},
		"sap: no user":               {"sap", sap.but(members{"username": nil}), "username"},
		"sap: no password":           {"sap", sap.but(members{"password": nil}), "password"},
		"sap: two ways":              {"sap", sap.but(members{"client_id": "c"}), "username"},
		"sap: token and user":        {"sap", sap.but(members{"bearer_token": "canary"}), "bearer_token"},
		"sap: no token_url":          {"sap", sap.but(oauth).but(members{"token_url": nil}), "token_url"},
		"sap: token_url inside":      {"sap", sap.but(oauth).but(members{"token_url": "http://10.0.0.1/token"}), "token_url"},
		"sap: no client_id":          {"sap", sap.but(oauth).but(members{"client_id": nil}), "client_id"},
		"sap: no client_secret":      {"sap", sap.but(oauth).but(members{"client_secret": nil}), "client_secret"},
		"sap: client":                {"sap", sap.but(members{"client": "1"}), "client"},
		"sap: language":              {"sap", sap.but(members{"language": "E&"}), "language"},
		"sap: service's name":        {"sap", sap.but(service("A B", "/x", "")), "services[0].name"},
		"sap: service's path":        {"sap", sap.but(service("A", "https://evil.example/x", "")), "services[0].path"},
		"sap: path to another host":  {"sap", sap.but(service("A", "//evil.example/x", "")), "services[0].path"},
		"sap: path with a query":     {"sap", sap.but(service("A", "/x?y", "")), "services[0].path"},
		"sap: path upwards":          {"sap", sap.but(service("A", "/x/../y", "")), "services[0].path"},
		"sap: a colon in the user":   {"sap", sap.but(members{"username": "a:b"}), "username"},
		"sap: the word Bearer":       {"sap", members{"url": "https://s4.example.com", "bearer_token": "Bearer canary"}, "bearer_token"},
		"sap: service's version":     {"sap", sap.but(service("A", "/x", "v3")), "services[0].version"},
		"sap: one service twice":     {"sap", sap.but(members{"services": []any{members{"name": "A", "path": "/x"}, members{"name": "A", "path": "/y"}}}), "services[1].name"},
		"sap: a wrong type":          {"sap", sap.but(members{"username": 5}), ""},
		"salesforce: a wrong type":   {"salesforce", salesforce.but(members{"private_key": []any{"canary"}}), ""},
		"sap: services as an object": {"sap", sap.but(members{"services": members{}}), ""},
	} {
		text := tc.m.json(t)
		if tc.m == nil {
			text = []byte(`[]`)
		}
		c, err := systems.NewConnection(tc.kind, text)
		if err == nil {
			err = c.Check(netguard.Guard{})
		}
		var e *adapter.Error
		require.ErrorAs(t, err, &e, name)
		assert.Equal(t, adapter.InvalidArgument, e.Code, name)
		want := tc.field
		if want == "" {
			want = "connection_config"
		} else if want != "system_type" && want != "connection_config" {
			want = "connection_config." + want
		}
		assert.Equal(t, want, e.Field, name)
		assert.NotEmpty(t, e.Message, name)
		assert.NotContains(t, e.Error(), "canary", name)
	}
}

// Simulators and developers' machines have no https.
func TestPlainHTTPIsForDevelopment(t *testing.T) {
	c, err := systems.NewConnection("salesforce", salesforce.but(members{"url": "http://127.0.0.1:8080"}).json(t))
	require.NoError(t, err)
	assert.NoError(t, c.Check(netguard.Guard{Private: true}))
}

// A new address needs the secrets anew, whichever of the addresses it is.
func TestANewAddressNeedsTheSecrets(t *testing.T) {
	for name, tc := range map[string]struct {
		kind    string
		m       members
		change  members
		refused string
	}{
		"nothing":                     {"sap", sap, members{"client": "200"}, ""},
		"the same url":                {"sap", sap, members{"url": sap["url"]}, ""},
		"another url":                 {"sap", sap, members{"url": "https://evil.example"}, "password"},
		"another token_url":           {"sap", sap.but(oauth), members{"token_url": "https://evil.example"}, "password"},
		"with the secret":             {"sap", sap.but(oauth), members{"token_url": "https://other.example", "client_secret": "new"}, ""},
		"another org":                 {"salesforce", salesforce, members{"url": "https://evil.my.salesforce.com"}, "client_secret"},
		"a key for another audience":  {"salesforce", salesforce.but(jwt), members{"audience": "https://evil.example"}, "client_secret"},
		"another database":            {"odoo", members{"url": "https://o.example", "database": "d", "username": "u", "password": "canary"}, members{"database": "e"}, ""},
		"another odoo":                {"odoo", members{"url": "https://o.example", "database": "d", "username": "u", "password": "canary"}, members{"url": "https://evil.example"}, "password"},
		"another odoo, with an empty": {"odoo", members{"url": "https://o.example", "database": "d", "username": "u", "password": "canary"}, members{"url": "https://evil.example", "password": ""}, "password"},
	} {
		c, err := systems.NewConnection(tc.kind, tc.m.json(t))
		require.NoError(t, err)
		changed, err := systems.Change(c, tc.change.json(t))
		if tc.refused == "" {
			require.NoError(t, err, name)
			assert.NoError(t, changed.Check(netguard.Guard{}), name)
			continue
		}
		var e *adapter.Error
		require.ErrorAs(t, err, &e, name)
		assert.Equal(t, "connection_config."+tc.refused, e.Field, name)
	}

	// No old secret comes along with a new one.
	c, err := systems.NewConnection("salesforce", salesforce.but(members{"refresh_token": "canary"}).json(t))
	require.NoError(t, err)
	changed, err := systems.Change(c, members{"url": "https://other.my.salesforce.com", "client_secret": "new"}.json(t))
	require.NoError(t, err)
	assert.Empty(t, changed.(systems.SalesforceConnection).RefreshToken)
}

func TestAConnectionIsNeverPrinted(t *testing.T) {
	key, err := vault.GenerateKey()
	require.NoError(t, err)
	v, err := vault.New(vault.NewSecret(key))
	require.NoError(t, err)
	all := []systems.Connection{good}
	for kind, list := range map[string][]members{
		"salesforce": {salesforce, salesforce.but(members{"refresh_token": "canary-refresh", "private_key": "canary-key"})},
		"sap":        {sap, sap.but(oauth), sap.but(members{"bearer_token": "canary-token"})},
	} {
		for _, m := range list {
			c, err := systems.NewConnection(kind, m.json(t))
			require.NoError(t, err)
			all = append(all, c)
		}
	}
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	for _, c := range all {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb, c)
			fmt.Fprintf(&out, verb, struct{ C systems.Connection }{c})
		}
		log.Info("x", "connection", c)

		sealed, err := v.Seal(c)
		require.NoError(t, err)
		out.WriteString(sealed)
		opened, err := systems.Open(v, c.Kind(), sealed)
		require.NoError(t, err)
		assert.Equal(t, c, opened, "sealed and opened it is the same")
		_, err = systems.Open(v, "dynamics", sealed)
		assert.Error(t, err)
	}
	assert.NotContains(t, out.String(), "canary")
	assert.NotContains(t, out.String(), fmt.Sprintf("%x", "canary"))
}

func TestVersionsSuitTheKind(t *testing.T) {
	for _, tc := range []struct{ kind, version, pinned, field string }{
		{"odoo", "17.0", "", ""}, {"odoo", "17.0", "13.0", ""}, {"odoo", "", "", "system_version"}, {"odoo", "12.0", "", "system_version"},
		{"odoo", "17.0", "12.0", "pinned_version"}, {"odoo", "17", "", "system_version"},
		{"salesforce", "", "", ""}, {"salesforce", "62.0", "", ""}, {"salesforce", "winter", "", "system_version"}, {"salesforce", "62.0", "13.0", "pinned_version"},
		{"sap", "", "", ""}, {"sap", "S/4HANA 2023", "", ""}, {"sap", "<b>", "", "system_version"}, {"sap", "", "13.0", "pinned_version"},
		{"dynamics", "1", "", "system_type"},
	} {
		err := systems.CheckVersions(tc.kind, tc.version, tc.pinned)
		if tc.field == "" {
			assert.NoError(t, err, "%+v", tc)
			continue
		}
		var e *adapter.Error
		require.ErrorAs(t, err, &e, "%+v", tc)
		assert.Equal(t, tc.field, e.Field, "%+v", tc)
	}
}
