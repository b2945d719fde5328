package httpapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
)

var update = flag.Bool("update", false, "write the answers into testdata/golden")

// exchange is one documented request with its answer. Files are played in the
// order of their names, against one server.
type exchange struct {
	Note   string          `json:"note"` // what documents it
	User   string          `json:"user,omitempty"`
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Token  string          `json:"token,omitempty"` // "refresh": send the refresh token
	Body   json.RawMessage `json:"body,omitempty"`
	// Form is sent instead of a body: a file of the name "contract.txt" with the
	// content of "file", and the other fields.
	Form    map[string]string `json:"form,omitempty"`
	Status  int               `json:"status"`
	Headers []string          `json:"headers,omitempty"` // names that must be there
	Answer  json.RawMessage   `json:"answer"`
	// Abridged cuts long lists of the answer.
	Abridged bool `json:"abridged,omitempty"`
}

// volatile are the values that differ from run to run.
var volatile = []struct {
	find *regexp.Regexp
	mask string
}{
	{regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`), "<token>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "<time>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`), "<odoo time>"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "<uuid>"},
	// Tags change with the time of the last change.
	{regexp.MustCompile(`("etag": )"[^"]+"`), `${1}"<tag>"`},
	{regexp.MustCompile(`("next": )"[^"]+"`), `${1}"<cursor>"`},
	{regexp.MustCompile(`report-[\w-]{46}\.`), "report-<token>."},
	// How many answers are kept is told as well as it is known.
	{regexp.MustCompile(`("(total_keys|deleted_keys)": )\d+`), `${1}"<number>"`},
	{regexp.MustCompile(`Cleared \d+ cache entries`), "Cleared <number> cache entries"},
	{regexp.MustCompile(`[0-9a-f]{64}`), "<hash>"},
	{regexp.MustCompile(`wait \d+ s`), "wait <wait> s"},
	{regexp.MustCompile(`("duration_ms": )[0-9.e-]+`), `${1}"<seconds>"`},
	{regexp.MustCompile(`("(avg_response_time|response_time)": )[0-9.e-]+`), `${1}"<seconds>"`},
}

func masked(t *testing.T, body []byte) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, body, "", "  "), string(body))
	text := b.String()
	for _, v := range volatile {
		text = v.find.ReplaceAllString(text, v.mask)
	}
	return strings.TrimSpace(text)
}

func TestDocumentedRequests(t *testing.T) {
	odoo := odootest.New(t, "17.0")
	sale := odootest.New(t, "19.0")
	play(t, newEnv(t), "testdata/golden/*.json",
		"{odoo17}", odoo.URL, "{odoo19}", sale.URL, "{password}", password, "{odoo_password}", odoo.Password)
}

// TestDocumentedUniversalRequests plays requests in universal words, on a
// system of each kind.
func TestDocumentedUniversalRequests(t *testing.T) {
	org, s4 := salesforcetest.New(t), saptest.New(t)
	e := newEnv(t)
	e.register("admin", "odoo_main", odootest.New(t, "17.0"))
	play(t, e, "testdata/universal/*.json",
		"{salesforce}", org.URL, "{salesforce_id}", org.ClientID, "{salesforce_secret}", org.ClientSecret,
		"{sap}", s4.URL, "{sap_user}", s4.Username, "{sap_password}", s4.Password)
}

// TestDocumentedRefusals plays what every operation may answer, with a server
// that allows one request a minute.
func TestDocumentedRefusals(t *testing.T) {
	odoo := odootest.New(t, "17.0")
	e := newEnv(t, withLimits(limit.Rates{limit.Default: 1}))
	e.register("admin", "odoo_main", odoo)
	play(t, e, "testdata/refusals/*.json")
}

// TestDocumentedAudit plays what is recorded.
func TestDocumentedAudit(t *testing.T) {
	_, audited := withAudit(t, false)
	e := newEnv(t, audited)
	e.register("admin", "odoo_main", odootest.New(t, "17.0"))
	play(t, e, "testdata/audit/*.json")
}

// abridged cuts lists to two elements.
func abridged(t *testing.T, body []byte) []byte {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(body, &v))
	var cut func(v any) any
	cut = func(v any) any {
		switch v := v.(type) {
		case []any:
			v = v[:min(2, len(v))]
			for i := range v {
				v[i] = cut(v[i])
			}
			return v
		case map[string]any:
			for name := range v {
				v[name] = cut(v[name])
			}
		}
		return v
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	require.NoError(t, enc.Encode(cut(v)))
	return b.Bytes()
}

// TestDocumentedAccounts plays the management of tenants, users and sessions.
func TestDocumentedAccounts(t *testing.T) {
	e := newEnv(t)
	e.people()
	e.register("admin", "odoo_main", odootest.New(t, "17.0"))
	access, _ := e.login("clerk", password, "User-Agent", "BridgeCore/3.1 (Android 15)")
	e.tokens["clerk"] = strings.TrimPrefix(access, "Bearer ")
	_, _ = e.login("clerk", password)
	_, _ = e.login("clerk", password)
	var others []any
	for _, s := range e.send("clerk", "GET", "/api/v1/auth/sessions", "").ok(200)["sessions"].([]any) {
		if s := s.(map[string]any); s["current"] == false {
			others = append(others, s["id"])
		}
	}
	require.GreaterOrEqual(t, len(others), 2)
	play(t, e, "testdata/accounts/*.json", "{password}", password, "{session_of_clerk}", others[0].(string), "{other_session_of_clerk}", others[1].(string))
}

// play sends the requests of files, with the replacements in their bodies, and
// holds the answers against those in the files.
func play(t *testing.T, e *env, glob string, replacements ...string) {
	t.Helper()
	files, err := filepath.Glob(glob)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	replace := strings.NewReplacer(replacements...)
	started := "" // the last background operation
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var x exchange
			dec := json.NewDecoder(bytes.NewReader(text))
			dec.DisallowUnknownFields()
			require.NoError(t, dec.Decode(&x))

			var headers []string
			user := x.User
			if x.Token == "refresh" {
				headers, user = []string{"Authorization", "Bearer " + e.refresh[user]}, ""
			}
			sent := replace.Replace(string(x.Body))
			if x.Form != nil {
				fields := []string{"file", "application/octet-stream"}
				for _, name := range slices.Sorted(maps.Keys(x.Form)) {
					if name != "file" {
						fields = append(fields, name, x.Form[name])
					}
				}
				var kind string
				kind, sent = form("contract.txt", x.Form["file"], fields...)
				headers = append(headers, "Content-Type", kind)
			}
			a := e.send(user, x.Method, strings.ReplaceAll(replace.Replace(x.Path), "{operation}", started), sent, headers...)
			a.t = t
			if x.Method == http.MethodPost && x.Path == "/api/v1/auth/login" && a.status == 200 {
				assert.NotEmpty(t, a.json()["access_token"])
			}
			if a.status == http.StatusAccepted {
				started, _ = a.json()["operation_id"].(string)
			}
			for _, name := range x.Headers {
				assert.NotEmpty(t, a.header.Get(name), name)
			}
			if x.Abridged {
				a.body = abridged(t, a.body)
			}
			got := masked(t, a.body)
			if *update {
				x.Status, x.Answer = a.status, json.RawMessage(got)
				var b bytes.Buffer
				enc := json.NewEncoder(&b)
				enc.SetEscapeHTML(false)
				enc.SetIndent("", "  ")
				require.NoError(t, enc.Encode(x))
				require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
				return
			}
			assert.Equal(t, x.Status, a.status)
			assert.Equal(t, masked(t, x.Answer), got)
		})
	}
}
