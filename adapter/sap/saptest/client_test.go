package saptest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	sampleV2   = "/sap/opu/odata/sap/ZSAMPLE_SRV/"
	sampleV4   = "/sap/opu/odata4/sap/zsample/srvd/sap/zsample/0001/"
	partnerAPI = "/sap/opu/odata/sap/API_BUSINESS_PARTNER/"
	productAPI = "/sap/opu/odata/sap/API_PRODUCT_SRV/"
	salesAPI   = "/sap/opu/odata/sap/API_SALES_ORDER_SRV/"
	billingAPI = "/sap/opu/odata/sap/API_BILLING_DOCUMENT_SRV/"
	moveAPI    = "/sap/opu/odata/sap/API_MATERIAL_DOCUMENT_SRV/"
	stockAPI   = "/sap/opu/odata/sap/API_MATERIAL_STOCK_SRV/"
	filesAPI   = "/sap/opu/odata/sap/API_CV_ATTACHMENT_SRV/"
	salesV4    = "/sap/opu/odata4/sap/api_salesorder/srvd_a2x/sap/salesorder/0001/"
)

// browser is a client with a cookie jar, a password and a CSRF token, written
// for these tests alone.
type browser struct {
	t    *testing.T
	s    *Server
	http *http.Client
	csrf string
}

func open(t *testing.T, c Config) *browser {
	t.Helper()
	s, err := Start(c)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	b := &browser{t: t, s: s, http: &http.Client{Jar: jar, Transport: transport}}
	b.fetch()
	return b
}

func (b *browser) fetch() {
	b.t.Helper()
	r := b.send("HEAD", sampleV2, "", "X-CSRF-Token", "Fetch")
	b.csrf = r.header.Get("X-CSRF-Token")
	require.NotEmpty(b.t, b.csrf)
}

type reply struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

// send sends a request; headers are names and values by turns.
func (b *browser) send(method, path, body string, headers ...string) *reply {
	b.t.Helper()
	req, err := http.NewRequest(method, b.s.URL+path, strings.NewReader(body))
	require.NoError(b.t, err)
	req.SetBasicAuth(b.s.Username, b.s.Password)
	req.Header.Set("Accept", "application/json")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if method != http.MethodGet && method != http.MethodHead {
		req.Header.Set("X-CSRF-Token", b.csrf)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.http.Do(req)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return &reply{b.t, resp.StatusCode, resp.Header, string(content)}
}

func (b *browser) get(path string) *reply { b.t.Helper(); return b.send("GET", path, "") }

// want asserts the status.
func (r *reply) want(status int) *reply {
	r.t.Helper()
	require.Equal(r.t, status, r.status, r.body)
	return r
}

// at walks into the JSON by names and indexes.
func (r *reply) at(path string) any {
	r.t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(r.body)))
	d.UseNumber()
	var v any
	require.NoError(r.t, d.Decode(&v), r.body)
	for step := range strings.SplitSeq(path, "/") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			require.NotEmpty(r.t, x, "%s of %s", path, r.body)
			v = x[len(step)-1] // one letter for each place: "0" is the first, "00" the second
		default:
			require.Fail(r.t, "nothing at "+path, r.body)
		}
	}
	return v
}

// list collects a property of the records of a collection.
func (r *reply) list(property string) []any {
	r.t.Helper()
	r.want(200)
	path := "value"
	if strings.HasPrefix(r.body, `{"d"`) {
		path = "d/results"
	}
	out := []any{}
	rows, _ := r.at(path).([]any)
	for _, row := range rows {
		out = append(out, row.(map[string]any)[property])
	}
	return out
}

func q(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
