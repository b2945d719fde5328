package saptest

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// tokenPath is where access tokens are given out.
const tokenPath = "/sap/bc/sec/oauth2/token"

// session is what a cookie stands for.
type session struct {
	user   string
	csrf   string
	issued time.Time // of the CSRF token
}

// accessToken is one that the token endpoint gave out.
type accessToken struct {
	until time.Time
	calls int // left, if the configuration counts them
}

func (s *Server) cookieName() string { return "SAP_SESSIONID_S4H_" + s.Client }

// serveToken is the token endpoint: client credentials, in the header or in
// the form.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request, body []byte) {
	form, err := url.ParseQuery(string(body))
	if err != nil || r.Method != http.MethodPost {
		oauthError(w, http.StatusBadRequest, "invalid_request")
		return
	}
	id, secret, ok := r.BasicAuth()
	if ok {
		// In the header they are escaped as in a form.
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
	} else {
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	switch {
	case !same(id, s.ClientID) || !same(secret, s.ClientSecret):
		w.Header().Set("WWW-Authenticate", `Basic realm="SAP"`)
		oauthError(w, http.StatusUnauthorized, "invalid_client")
		return
	case form.Get("grant_type") != "client_credentials":
		oauthError(w, http.StatusBadRequest, "unsupported_grant_type")
		return
	}
	t := token()
	s.mu.Lock()
	s.tokens[t] = &accessToken{until: s.config.Now().Add(s.config.TokenLifetime), calls: s.config.TokenCalls}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = fmt.Fprintf(w, `{"access_token":"%s","token_type":"Bearer","expires_in":"%d","scope":"%s"}`, t, int(s.config.TokenLifetime/time.Second), html.EscapeString(form.Get("scope")))
}

func oauthError(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"error":"%s"}`, code)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// authenticate finds out who asks: by a password, an access token or the
// cookie of a session.
func (s *Server) authenticate(r *http.Request) (user string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(kind) {
	case "basic":
		name, password, _ := r.BasicAuth()
		want, known := s.users[strings.ToUpper(name)]
		if !known {
			want, known = s.users[name]
		}
		return strings.ToUpper(name), known && same(password, want)
	case "bearer":
		if same(value, s.BearerToken) {
			return s.Username, true
		}
		t := s.tokens[value]
		if t == nil || !s.config.Now().Before(t.until) || s.config.TokenCalls > 0 && t.calls == 0 {
			return "", false
		}
		t.calls--
		return s.Username, true
	case "":
		if cookie, err := r.Cookie(s.cookieName()); err == nil {
			if session := s.sessions[cookie.Value]; session != nil {
				return session.user, true
			}
		}
	}
	return "", false
}

// loginPage is the answer to those who aren't known.
func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if strings.HasPrefix(strings.ToLower(r.Header.Get("Authorization")), "bearer") {
		h.Set("WWW-Authenticate", `Bearer realm="S4H/`+s.Client+`", error="invalid_token"`)
	} else {
		h.Set("WWW-Authenticate", `Basic realm="SAP NetWeaver Application Server [S4H/`+s.Client+`]"`)
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("sap-system", "S4H")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = fmt.Fprintf(w, "<html>\n<head><title>Logon Error Message</title></head>\n<body>\n<h1>Logon failed</h1>\n<p>Anmeldung fehlgeschlagen</p>\n<p>Client: %s</p>\n</body>\n</html>\n", html.EscapeString(s.Client))
}

// secure keeps sessions and CSRF tokens: a token is good for the session whose
// cookie goes with it. It returns whether the request may go on.
func (s *Server) secure(w http.ResponseWriter, r *http.Request, user string) bool {
	fetch := strings.EqualFold(r.Header.Get("X-CSRF-Token"), "Fetch")
	reading := r.Method == http.MethodGet || r.Method == http.MethodHead
	s.mu.Lock()
	defer s.mu.Unlock()
	var current *session
	id := ""
	if cookie, err := r.Cookie(s.cookieName()); err == nil {
		if found := s.sessions[cookie.Value]; found != nil && found.user == user {
			current, id = found, cookie.Value
		}
	}
	if current == nil {
		id = token()
		current = &session{user: user}
		if len(s.sessions) >= maxSessions {
			clear(s.sessions) // as a system without room for more ends old ones
		}
		s.sessions[id] = current
		// Not Secure, as the server speaks plain HTTP.
		http.SetCookie(w, &http.Cookie{Name: s.cookieName(), Value: id, Path: "/", HttpOnly: true})
		http.SetCookie(w, &http.Cookie{Name: "sap-usercontext", Value: "sap-client=" + s.Client, Path: "/"})
	}
	now := s.config.Now()
	fresh := current.csrf != "" && now.Sub(current.issued) < s.config.CSRFLifetime
	if reading {
		if fetch {
			if !fresh {
				current.csrf, current.issued = base64.StdEncoding.EncodeToString([]byte(token()[:16])), now
			}
			s.calls["CSRF"]++
			w.Header().Set("X-CSRF-Token", current.csrf)
		}
		return true
	}
	if fresh && same(r.Header.Get("X-CSRF-Token"), current.csrf) {
		return true
	}
	w.Header().Set("X-CSRF-Token", "Required")
	w.Header().Set("Content-Type", "text/plain;charset=utf-8")
	body := "CSRF token validation failed"
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusForbidden)
	_, _ = w.Write([]byte(body))
	return false
}

// maxSessions is how many sessions the server keeps.
const maxSessions = 100000
