package salesforcetest

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// session is what a token stands for.
type session struct {
	user    string // id
	client  string
	expires time.Time
	never   bool // of refresh tokens
}

// key is the private key of every simulated org's own connected app. It is
// made once, for it takes long.
var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic("salesforcetest: " + err.Error()) //nolint:forbidigo // the system's randomness is broken
	}
	return k
})

// register makes the org's own connected app and its refresh token.
func (s *Server) register() {
	s.ClientID, s.ClientSecret, s.PrivateKey = "3MVG9"+randomText(40), randomText(32), key()
	own := App{ClientID: s.ClientID, ClientSecret: s.ClientSecret, PublicKey: &s.PrivateKey.PublicKey}
	s.apps = append([]App{own}, s.config.Apps...)
	s.RefreshToken = "5Aep861" + randomText(40)
	s.refresh[s.RefreshToken] = &session{user: s.UserID, client: s.ClientID, never: true}
}

func randomText(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// Token makes an access token of the administrator, as the token endpoint
// would.
func (s *Server) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newToken(&session{user: s.UserID, client: s.ClientID})
}

// newToken makes an access token. The caller holds mu.
func (s *Server) newToken(of *session) string {
	token := s.OrgID[:15] + "!AQE" + randomText(32)
	s.tokens[token] = &session{user: of.user, client: of.client, expires: s.config.Now().Add(s.config.TokenLifetime)}
	return token
}

// ExpireTokens ends all access tokens at once. Refresh tokens stay.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
	s.callsTo = -1
}

// ExpireTokensAfter ends all access tokens after that many more calls of the
// API, once.
func (s *Server) ExpireTokensAfter(calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callsTo = calls
}

// RevokeRefreshToken makes the refresh token worthless.
func (s *Server) RevokeRefreshToken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.refresh)
}

// authenticate finds the session of a call of the API.
func (s *Server) authenticate(r *http.Request) (*session, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "OAuth") {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.callsTo == 0 {
		clear(s.tokens)
	}
	if s.callsTo >= 0 {
		s.callsTo--
	}
	found := s.tokens[strings.TrimSpace(token)]
	if found == nil {
		return nil, false
	}
	if !s.config.Now().Before(found.expires) {
		delete(s.tokens, token)
		return nil, false
	}
	return found, true
}

// oauthError is how the token endpoint refuses.
type oauthError struct {
	status            int
	code, description string
}

func refused(code, description string) *oauthError { return &oauthError{400, code, description} }

// serveToken is POST /services/oauth2/token.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.Method != http.MethodPost {
		writeOAuth(w, 400, members{{"error", "invalid_request"}, {"error_description", "must use HTTP POST"}})
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form) == 0 {
		writeOAuth(w, 400, members{{"error", "unsupported_grant_type"}, {"error_description", "grant type not supported"}})
		return
	}
	if id, secret, ok := r.BasicAuth(); ok && form.Get("client_id") == "" {
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	}
	granted, refusal := s.grant(form)
	if refusal != nil {
		writeOAuth(w, refusal.status, members{{"error", refusal.code}, {"error_description", refusal.description}})
		return
	}
	s.mu.Lock()
	token := s.newToken(granted)
	s.mu.Unlock()
	issued := strconv.FormatInt(s.config.Now().UnixMilli(), 10)
	id := s.URL + "/id/" + s.OrgID + "/" + granted.user
	mac := hmac.New(sha256.New, []byte(s.secretOf(granted.client)))
	mac.Write([]byte(id + issued))
	m := members{{"access_token", token}, {"signature", base64.StdEncoding.EncodeToString(mac.Sum(nil))}, {"scope", "api refresh_token"}, {"instance_url", s.URL}, {"id", id}, {"token_type", "Bearer"}, {"issued_at", issued}}
	if form.Get("grant_type") == "refresh_token" && s.config.RotateRefreshTokens {
		m = append(m, member{"refresh_token", s.rotate(form.Get("refresh_token"))})
	}
	if strings.HasPrefix(form.Get("grant_type"), "urn:") {
		m = members{m[0], m[2], m[3], m[4], m[5]} // the JWT bearer flow gives neither signature nor time
	}
	writeOAuth(w, http.StatusOK, m)
}

// rotate replaces a refresh token by a new one.
func (s *Server) rotate(old string) string {
	token := "5Aep861" + randomText(40)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh[token] = s.refresh[old]
	delete(s.refresh, old)
	return token
}

func writeOAuth(w http.ResponseWriter, status int, m members) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Cache-Control", "no-cache, no-store")
	w.WriteHeader(status)
	_, _ = w.Write(appendJSON(nil, m))
}

func (s *Server) secretOf(client string) string {
	if app := s.app(client); app != nil {
		return app.ClientSecret
	}
	return ""
}

func (s *Server) app(client string) *App {
	for i := range s.apps {
		if s.apps[i].ClientID == client {
			return &s.apps[i]
		}
	}
	return nil
}

// grant decides about a token.
func (s *Server) grant(form url.Values) (*session, *oauthError) {
	switch form.Get("grant_type") {
	case "client_credentials":
		app, refusal := s.client(form)
		if refusal != nil {
			return nil, refusal
		}
		if app.NoClientCredentials {
			return nil, refused("invalid_grant", "no client credentials user enabled")
		}
		return s.sessionOf(app, app.RunAs)
	case "refresh_token":
		app := s.app(form.Get("client_id"))
		if app == nil {
			return nil, refused("invalid_client_id", "client identifier invalid")
		}
		if secret := form.Get("client_secret"); secret != "" && secret != app.ClientSecret {
			return nil, refused("invalid_client", "invalid client credentials")
		}
		s.mu.Lock()
		found := s.refresh[form.Get("refresh_token")]
		s.mu.Unlock()
		if found == nil || found.client != app.ClientID {
			return nil, refused("invalid_grant", "expired access/refresh token")
		}
		return found, nil
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		return s.assertion(form.Get("assertion"))
	}
	return nil, refused("unsupported_grant_type", "grant type not supported")
}

func (s *Server) client(form url.Values) (*App, *oauthError) {
	app := s.app(form.Get("client_id"))
	if app == nil {
		return nil, refused("invalid_client_id", "client identifier invalid")
	}
	if form.Get("client_secret") != app.ClientSecret {
		return nil, refused("invalid_client", "invalid client credentials")
	}
	return app, nil
}

func (s *Server) sessionOf(app *App, username string) (*session, *oauthError) {
	if username == "" {
		username = s.Username
	}
	s.data.Lock()
	defer s.data.Unlock()
	users := s.db.object("User")
	found := users.table.having(users.at("Username"), username)
	if len(found) == 0 || found[0][users.at("IsActive")] != true {
		return nil, refused("invalid_grant", "user hasn't approved this consumer")
	}
	return &session{user: found[0].id(), client: app.ClientID}, nil
}

// assertion verifies the JWT of the bearer flow.
func (s *Server) assertion(jwt string) (*session, *oauthError) {
	parts := strings.Split(jwt, ".")
	var header struct {
		Algorithm string `json:"alg"`
	}
	var claims struct {
		Issuer   string          `json:"iss"`
		Subject  string          `json:"sub"`
		Audience json.RawMessage `json:"aud"`
		Expires  json.Number     `json:"exp"`
	}
	if len(parts) != 3 || !decodePart(parts[0], &header) || !decodePart(parts[1], &claims) {
		return nil, refused("invalid_grant", "invalid assertion")
	}
	app := s.app(claims.Issuer)
	if app == nil {
		return nil, refused("invalid_client_id", "client identifier invalid")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if header.Algorithm != "RS256" || err != nil || app.PublicKey == nil || rsa.VerifyPKCS1v15(app.PublicKey, crypto.SHA256, digest[:], signature) != nil {
		return nil, refused("invalid_grant", "invalid assertion")
	}
	if !s.audience(claims.Audience) {
		return nil, refused("invalid_grant", "Audience validation failed")
	}
	expires, err := claims.Expires.Float64()
	now := s.config.Now()
	if err != nil || !time.Unix(int64(expires), 0).After(now) {
		return nil, refused("invalid_grant", "expired authorization code")
	}
	if time.Unix(int64(expires), 0).After(now.Add(5*time.Minute + time.Second)) {
		return nil, refused("invalid_grant", "expiration time is too far in the future")
	}
	if app.Unapproved {
		return nil, refused("invalid_grant", "user hasn't approved this consumer")
	}
	if claims.Subject == "" {
		return nil, refused("invalid_grant", "user hasn't approved this consumer")
	}
	return s.sessionOf(app, claims.Subject)
}

// audience says whether the assertion is meant for this org or a login host.
func (s *Server) audience(raw json.RawMessage) bool {
	var one string
	var many []string
	if json.Unmarshal(raw, &one) == nil {
		many = []string{one}
	} else if json.Unmarshal(raw, &many) != nil {
		return false
	}
	return slices.ContainsFunc(many, func(a string) bool {
		a = strings.TrimSuffix(a, "/")
		return a == s.URL || a == s.URL+"/services/oauth2/token" || a == "https://login.salesforce.com" || a == "https://test.salesforce.com"
	})
}

func decodePart(part string, into any) bool {
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(part, "="))
	return err == nil && json.Unmarshal(data, into) == nil
}

// serveRevoke is POST /services/oauth2/revoke.
func (s *Server) serveRevoke(w http.ResponseWriter, r *http.Request, body []byte) {
	form, _ := url.ParseQuery(string(body))
	token := form.Get("token")
	if token == "" {
		token = r.URL.Query().Get("token")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens[token] == nil && s.refresh[token] == nil {
		writeOAuth(w, 400, members{{"error", "unsupported_token_type"}, {"error_description", "this token is not supported"}})
		return
	}
	delete(s.tokens, token)
	if of := s.refresh[token]; of != nil {
		delete(s.refresh, token)
		for t, session := range s.tokens {
			if session.client == of.client && session.user == of.user {
				delete(s.tokens, t)
			}
		}
	}
	w.WriteHeader(http.StatusOK)
}

// serveIdentity is the identity address of a token, and what userinfo tells.
func (s *Server) serveIdentity(w http.ResponseWriter, r *http.Request) {
	session, ok := s.authenticate(r)
	if !ok {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("Bad_OAuth_Token"))
		return
	}
	s.data.Lock()
	users := s.db.object("User")
	user, _ := users.table.get(session.user)
	m := members{
		{"id", s.URL + "/id/" + s.OrgID + "/" + session.user}, {"asserted_user", true}, {"user_id", session.user}, {"organization_id", s.OrgID},
		{"username", user.text(users.at("Username"))}, {"display_name", user.text(users.at("Name"))}, {"email", user.text(users.at("Email"))},
		{"active", user[users.at("IsActive")]}, {"user_type", "STANDARD"}, {"language", "en_US"}, {"locale", "en_US"}, {"timezone", "GMT"},
		{"urls", members{{"rest", s.URL + "/services/data/v{version}/"}, {"sobjects", s.URL + "/services/data/v{version}/sobjects/"}, {"query", s.URL + "/services/data/v{version}/query/"}}},
	}
	s.data.Unlock()
	writeOAuth(w, http.StatusOK, m)
}
