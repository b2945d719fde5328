package salesforcetest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
)

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

func (c *client) do(method, path string, body any) reply {
	c.t.Helper()
	var r io.Reader
	kind := "application/json"
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
		if !strings.HasPrefix(b, "{") {
			kind = "text/csv"
		}
	default:
		data, err := json.Marshal(body)
		require.NoError(c.t, err)
		r = bytes.NewReader(data)
	}
	if !strings.HasPrefix(path, "/services") {
		path = "/services/data/v62.0" + path
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.srv.URL+path, r)
	require.NoError(c.t, err)
	req.Header = c.header.Clone()
	req.Header.Set("Authorization", "Bearer "+c.token)
	if r != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", kind)
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

// create makes a record that must be accepted, and returns its id.
func (c *client) create(object string, values map[string]any) string {
	c.t.Helper()
	r := c.do("POST", "/sobjects/"+object, values)
	require.Equal(c.t, 201, r.status, r.text)
	return r.body.(map[string]any)["id"].(string)
}

func TestFirstSteps(t *testing.T) {
	c := newClient(t, salesforcetest.Config{})
	r := c.query("SELECT Id, Name, (SELECT Name FROM Contacts), Parent.Name FROM Account WHERE Name LIKE 'harbour%' ORDER BY Name")
	require.Equal(t, 200, r.status, r.text)
	t.Log(r.text)
	id := c.create("Account", map[string]any{"Name": "A", "BillingCountry": "Germany"})
	r = c.do("GET", "/sobjects/Account/"+id, nil)
	t.Log(r.text)
	r = c.do("GET", "/sobjects/Sample__c/describe", nil)
	assert.Equal(t, 200, r.status)
	r = c.query("SELECT Foo FROM Account")
	t.Log(r.text)
	r = c.query("SELECT OrderNumber, TotalAmount, Status, (SELECT Product2.Name, Quantity, TotalPrice FROM OrderItems) FROM Order LIMIT 2")
	t.Log(r.text)
}
