package salesforcetest_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
)

func ask(t *testing.T, srv *salesforcetest.Server, form url.Values) (status int, body map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/services/oauth2/token", strings.NewReader(form.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &body), "%s", data)
	return resp.StatusCode, body
}

func assertion(t *testing.T, key *rsa.PrivateKey, claims map[string]any) url.Values {
	t.Helper()
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	require.NoError(t, err)
	return url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {signed + "." + base64.RawURLEncoding.EncodeToString(signature)}}
}

func TestTokens(t *testing.T) {
	config := fixed()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	config.Apps = []salesforcetest.App{{ClientID: "closed", ClientSecret: "s", NoClientCredentials: true, Unapproved: true, PublicKey: &other.PublicKey}}
	srv := salesforcetest.NewServer(config)
	defer srv.Close()
	claims := func(change ...string) map[string]any {
		m := map[string]any{"iss": srv.ClientID, "sub": srv.Username, "aud": srv.URL, "exp": noon.Add(3 * time.Minute).Unix()}
		for i := 0; i < len(change); i += 2 {
			m[change[i]] = change[i+1]
		}
		return m
	}
	late := claims()
	late["exp"] = noon.Unix()
	for name, test := range map[string]struct {
		form        url.Values
		error, text string
	}{
		"client credentials":       {form: url.Values{"grant_type": {"client_credentials"}, "client_id": {srv.ClientID}, "client_secret": {srv.ClientSecret}}},
		"JWT bearer":               {form: assertion(t, srv.PrivateKey, claims())},
		"JWT bearer, login host":   {form: assertion(t, srv.PrivateKey, claims("aud", "https://login.salesforce.com"))},
		"refresh token":            {form: url.Values{"grant_type": {"refresh_token"}, "client_id": {srv.ClientID}, "client_secret": {srv.ClientSecret}, "refresh_token": {srv.RefreshToken}}},
		"unknown client":           {url.Values{"grant_type": {"client_credentials"}, "client_id": {"x"}, "client_secret": {"y"}}, "invalid_client_id", "client identifier invalid"},
		"wrong secret":             {url.Values{"grant_type": {"client_credentials"}, "client_id": {srv.ClientID}, "client_secret": {"y"}}, "invalid_client", "invalid client credentials"},
		"client credentials off":   {url.Values{"grant_type": {"client_credentials"}, "client_id": {"closed"}, "client_secret": {"s"}}, "invalid_grant", "no client credentials user enabled"},
		"no grant":                 {url.Values{"grant_type": {"password"}}, "unsupported_grant_type", "grant type not supported"},
		"unknown refresh token":    {url.Values{"grant_type": {"refresh_token"}, "client_id": {srv.ClientID}, "refresh_token": {"x"}}, "invalid_grant", "expired access/refresh token"},
		"JWT of another key":       {assertion(t, other, claims()), "invalid_grant", "invalid assertion"},
		"JWT for another host":     {assertion(t, srv.PrivateKey, claims("aud", "https://elsewhere.example")), "invalid_grant", "Audience validation failed"},
		"JWT of nobody":            {assertion(t, srv.PrivateKey, claims("sub", "nobody@example.com")), "invalid_grant", "user hasn't approved this consumer"},
		"JWT of an unapproved app": {assertion(t, other, claims("iss", "closed")), "invalid_grant", "user hasn't approved this consumer"},
		"JWT, late":                {assertion(t, srv.PrivateKey, late), "invalid_grant", "expired authorization code"},
		"JWT, no JWT":              {url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {"x.y"}}, "invalid_grant", "invalid assertion"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := ask(t, srv, test.form)
			if test.error != "" {
				assert.Equal(t, 400, status)
				assert.Equal(t, map[string]any{"error": test.error, "error_description": test.text}, body)
				return
			}
			require.Equal(t, 200, status, "%v", body)
			assert.Equal(t, srv.URL, body["instance_url"])
			assert.Equal(t, srv.URL+"/id/"+srv.OrgID+"/"+srv.UserID, body["id"])
			assert.Equal(t, "Bearer", body["token_type"])
			if !strings.HasPrefix(name, "JWT") {
				assert.Equal(t, "1772625600000", body["issued_at"])
				assert.NotEmpty(t, body["signature"])
			}
			c := &client{t: t, srv: srv, token: body["access_token"].(string), header: http.Header{}}
			assert.Equal(t, 200, c.do("GET", "/limits", nil).status)
		})
	}
}

func TestTokensEnd(t *testing.T) {
	now := noon
	config := fixed()
	config.Now = func() time.Time { return now }
	config.TokenLifetime = time.Hour
	c := newClient(t, config)
	ended := func() {
		t.Helper()
		r := c.do("GET", "/limits", nil)
		assert.Equal(t, 401, r.status)
		r.is(t, `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`)
		c.token = c.srv.Token()
		assert.Equal(t, 200, c.do("GET", "/limits", nil).status)
	}
	now = now.Add(time.Hour)
	ended()
	c.srv.ExpireTokens()
	ended()
	c.srv.ExpireTokensAfter(2)
	for range 2 {
		assert.Equal(t, 200, c.do("GET", "/limits", nil).status)
	}
	ended()
	r := c.with("Content-Type", "application/x-www-form-urlencoded").do("POST", "/services/oauth2/revoke", "token="+c.token)
	assert.Equal(t, 200, r.status)
	ended()
	c.srv.RevokeRefreshToken()
	_, body := ask(t, c.srv, url.Values{"grant_type": {"refresh_token"}, "client_id": {c.srv.ClientID}, "refresh_token": {c.srv.RefreshToken}})
	assert.Equal(t, "invalid_grant", body["error"])
	r = c.do("GET", "/services/oauth2/userinfo", nil)
	assert.Equal(t, c.srv.Username, r.get("username"))
	c.token = "nonsense"
	ended()
}

func TestRotation(t *testing.T) {
	config := fixed()
	config.RotateRefreshTokens = true
	srv := salesforcetest.NewServer(config)
	defer srv.Close()
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {srv.ClientID}, "refresh_token": {srv.RefreshToken}}
	status, body := ask(t, srv, form)
	require.Equal(t, 200, status)
	status, _ = ask(t, srv, form)
	assert.Equal(t, 400, status, "a token that was used")
	form.Set("refresh_token", body["refresh_token"].(string))
	status, _ = ask(t, srv, form)
	assert.Equal(t, 200, status)
}

func TestRequestLimit(t *testing.T) {
	config := fixed()
	config.DailyRequests = 2
	c := newClient(t, config)
	assert.Equal(t, "api-usage=1/2", c.do("GET", "/limits", nil).header.Get("Sforce-Limit-Info"))
	assert.EqualValues(t, "0", c.do("GET", "/limits", nil).get("DailyApiRequests.Remaining"))
	r := c.do("GET", "/limits", nil)
	assert.Equal(t, 403, r.status)
	r.is(t, `[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]`)
	c.srv.SetUsage(0)
	assert.Equal(t, 200, c.do("GET", "/limits", nil).status)
	used, limit := c.srv.Usage()
	assert.Equal(t, []int{1, 2}, []int{used, limit})
}
