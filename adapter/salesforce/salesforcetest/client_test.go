package salesforcetest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(int) { http.DefaultClient.CloseIdleConnections() }),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// noon is the time at which most tests take place.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func fixed() salesforcetest.Config {
	return salesforcetest.Config{NoDemo: true, Now: func() time.Time { return noon }}
}

// client calls a simulated org as a program would.
type client struct {
	t      *testing.T
	srv    *salesforcetest.Server
	token  string
	header http.Header
}

func newClient(t *testing.T, c salesforcetest.Config) *client {
	t.Helper()
	srv := salesforcetest.NewServer(c)
	t.Cleanup(srv.Close)
	return &client{t: t, srv: srv, token: srv.Token(), header: http.Header{}}
}

// reply is an answer with its body decoded, if it is JSON.
type reply struct {
	status int
	header http.Header
	text   string
	body   any
}

// get is a value in the body, such as "records.0.Name"; numbers stay as they
// were written.
func (r reply) get(path string) any {
	v := r.body
	for step := range strings.SplitSeq(path, ".") {
		switch of := v.(type) {
		case map[string]any:
			v = of[step]
		case []any:
			n := int(step[0] - '0')
			if n >= len(of) {
				return nil
			}
			v = of[n]
		default:
			return nil
		}
	}
	return v
}

// with returns a client that sends another header.
func (c *client) with(key, value string) *client {
	other := *c
	other.header = c.header.Clone()
	other.header.Set(key, value)
	return &other
}

func (c *client) do(method, path string, body any) reply {
	c.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		data, err := json.Marshal(body)
		require.NoError(c.t, err)
		r = bytes.NewReader(data)
	}
	if !strings.HasPrefix(path, "/services") && !strings.HasPrefix(path, "/id") {
		path = "/services/data/v62.0" + path
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.srv.URL+path, r)
	require.NoError(c.t, err)
	req.Header = c.header.Clone()
	req.Header.Set("Authorization", "Bearer "+c.token)
	if r != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	out := reply{status: resp.StatusCode, header: resp.Header, text: string(data)}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	_ = decoder.Decode(&out.body)
	return out
}

func (c *client) query(soql string) reply {
	c.t.Helper()
	return c.do("GET", "/query?q="+url.QueryEscape(soql), nil)
}

// names are the names of the records of a query that must be accepted.
func (c *client) names(soql string) []string {
	c.t.Helper()
	r := c.query(soql)
	require.Equal(c.t, 200, r.status, "%s\n%s", soql, r.text)
	names := []string{}
	for _, record := range r.body.(map[string]any)["records"].([]any) {
		name, _ := record.(map[string]any)["Name"].(string)
		names = append(names, name)
	}
	return names
}

// create makes a record that must be accepted, and returns its id.
func (c *client) create(object string, values map[string]any) string {
	c.t.Helper()
	r := c.do("POST", "/sobjects/"+object, values)
	require.Equal(c.t, 201, r.status, r.text)
	return r.body.(map[string]any)["id"].(string)
}

// refused requires an error of a status and code, and returns its message.
func (c *client) refused(r reply, status int, code string) string {
	c.t.Helper()
	require.Equal(c.t, status, r.status, r.text)
	require.Equal(c.t, code, r.get("0.errorCode"), r.text)
	message, _ := r.get("0.message").(string)
	require.NotEmpty(c.t, message)
	return message
}
