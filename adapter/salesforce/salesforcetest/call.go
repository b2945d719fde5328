package salesforcetest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// call is one use of the REST API: a request of its own, or a part of a
// composite one.
type call struct {
	method  string
	version string   // "62.0"
	path    []string // behind /services/data/vNN.0, unescaped
	query   url.Values
	header  http.Header
	body    []byte
	tx      *tx  // of the composite request it is part of; nil makes its own
	nested  bool // part of a composite request
}

// answer is what a call comes to.
type answer struct {
	status int
	header http.Header
	body   any    // JSON; nil is an empty body
	data   []byte // instead of body, with a Content-Type in header
}

func ok(body any) *answer { return &answer{status: http.StatusOK, body: body} }

func (a *answer) with(key, value string) *answer {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set(key, value)
	return a
}

// failed reports whether the call came to an error.
func (a *answer) failed() bool { return a.status >= 300 && a.status != http.StatusNotModified }

func failure(e *apiError) *answer {
	return &answer{status: e.httpStatus(), body: []members{e.members()}}
}

// members is the error as the API tells it of a call.
func (e *apiError) members() members {
	m := members{{"message", e.message}, {"errorCode", e.code}}
	if e.fields != nil {
		m = append(m, member{"fields", e.fields})
	}
	return m
}

// result is the error as the API tells it of one record among several.
func (e *apiError) result() members {
	fields := e.fields
	if fields == nil {
		fields = []string{}
	}
	return members{{"statusCode", e.code}, {"message", e.message}, {"fields", fields}}
}

func notFound() *apiError {
	return &apiError{status: 404, code: "NOT_FOUND", message: "The requested resource does not exist"}
}

func methodNotAllowed(method string, allowed ...string) *apiError {
	return &apiError{status: 405, code: "METHOD_NOT_ALLOWED", message: "HTTP Method '" + method + "' not allowed. Allowed are " + strings.Join(allowed, ",")}
}

// decodeBody reads the JSON of a call, whose numbers stay as they are written.
func (c *call) decodeBody(into any) *apiError {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return &apiError{code: "JSON_PARSER_ERROR", message: "The HTTP entity body is required, but this request has no entity body."}
	}
	if kind, _, _ := strings.Cut(c.header.Get("Content-Type"), ";"); !c.nested && !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return &apiError{status: 415, code: "UNSUPPORTED_MEDIA_TYPE", message: "Content-Type header specified in HTTP request is not supported: " + kind}
	}
	decoder := json.NewDecoder(bytes.NewReader(c.body))
	decoder.UseNumber()
	err := decoder.Decode(into)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more behind the value")
		}
	}
	if err != nil {
		return &apiError{code: "JSON_PARSER_ERROR", message: fmt.Sprintf("Unexpected character or end of input, or a value of another kind than expected at [line:1, column:%d]", decoder.InputOffset()+1)}
	}
	return nil
}

// begin returns the transaction of a call and what ends it: it
// undoes what the call did when it comes to an error.
func (c *call) begin(db *database) (*tx, func(*answer) *answer) {
	if c.tx != nil {
		mark := c.tx.mark()
		return c.tx, func(a *answer) *answer {
			if a.failed() {
				c.tx.rollback(mark)
			}
			return a
		}
	}
	t := db.begin()
	return t, func(a *answer) *answer {
		if a.failed() {
			t.rollback(0)
		}
		return a
	}
}

// ServeHTTP answers a request as the org would.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.hits.Add(1)
	w.Header().Set("Date", s.config.Now().UTC().Format(http.TimeFormat))
	s.mu.Lock()
	s.paths[r.Method+" "+route(r.URL.Path)]++
	s.mu.Unlock()
	body, err := readBody(w, r)
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	if f := s.struck(r, body); f != nil && !s.strike(f, w, r, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, body) }) {
		return
	}
	s.serve(w, r, body)
}

// readBody reads the body of a request, which may be compressed.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	limited := http.MaxBytesReader(w, r.Body, 150<<20)
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(limited)
	}
	unzipped, err := gzip.NewReader(limited)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(unzipped, 150<<20))
}

// maxURI is how many bytes the address of a request may have, and the headers
// together with it.
const maxURI = 16_384

func (s *Server) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	switch size := len(r.RequestURI); {
	case size > maxURI:
		http.Error(w, "URI Too Long", http.StatusRequestURITooLong)
		return
	case size+headerSize(r) > maxURI:
		http.Error(w, "Request Header Fields Too Large", http.StatusRequestHeaderFieldsTooLarge)
		return
	}
	path := r.URL.Path
	switch {
	case path == "/services/oauth2/token":
		s.serveToken(w, r, body)
	case path == "/services/oauth2/revoke":
		s.serveRevoke(w, r, body)
	case path == "/services/oauth2/userinfo" || strings.HasPrefix(path, "/id/"):
		s.serveIdentity(w, r)
	case strings.TrimSuffix(path, "/") == "/services/data":
		writeAnswer(w, ok(s.versions()))
	case strings.HasPrefix(path, "/services/data/v"):
		s.serveAPI(w, r, body)
	case strings.HasPrefix(path, "/services/apexrest/"):
		s.serveApex(w, r, body)
	default:
		writeAnswer(w, failure(&apiError{status: 404, code: "NOT_FOUND", message: "The requested resource does not exist"}))
	}
}

func headerSize(r *http.Request) (n int) {
	for key, values := range r.Header {
		for _, v := range values {
			n += len(key) + len(v) + 4
		}
	}
	return n
}

// admit holds a call of the API against its token and the day's limit.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) (*session, bool) {
	session, known := s.authenticate(r)
	if !known {
		writeAnswer(w, failure(&apiError{status: 401, code: "INVALID_SESSION_ID", message: "Session expired or invalid"}).with("WWW-Authenticate", "Token"))
		return nil, false
	}
	s.mu.Lock()
	limit := s.config.DailyRequests
	over := s.used >= limit
	if !over {
		s.used++
	}
	used := s.used
	s.mu.Unlock()
	w.Header().Set("Sforce-Limit-Info", "api-usage="+strconv.Itoa(used)+"/"+strconv.Itoa(limit))
	if over {
		writeAnswer(w, failure(&apiError{status: 403, code: "REQUEST_LIMIT_EXCEEDED", message: "TotalRequests Limit exceeded."}))
		return nil, false
	}
	return session, true
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request, body []byte) {
	session, admitted := s.admit(w, r)
	if !admitted {
		return
	}
	c, err := s.newCall(r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header, body)
	if err != nil {
		writeAnswer(w, failure(err))
		return
	}
	writeAnswer(w, s.carryOut(c, session.user))
}

// carryOut does a call as a user. Nobody else has the data meanwhile.
func (s *Server) carryOut(c *call, user string) *answer {
	s.data.Lock()
	defer s.data.Unlock()
	s.db.user = user
	return s.dispatch(c)
}

// newCall reads the address of a call.
func (s *Server) newCall(method, path, query string, header http.Header, body []byte) (*call, *apiError) {
	rest, found := strings.CutPrefix(path, "/services/data/v")
	version, rest, _ := strings.Cut(rest, "/")
	if n, err := strconv.Atoi(strings.TrimSuffix(version, ".0")); !found || err != nil || !strings.HasSuffix(version, ".0") || n < oldestVersion || n > s.newest() {
		return nil, notFound()
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, &apiError{code: "MALFORMED_QUERY", message: "The query string of the request is malformed"}
	}
	c := &call{method: method, version: version, query: values, header: header, body: body}
	for part := range strings.SplitSeq(strings.Trim(rest, "/"), "/") {
		if part, err = url.PathUnescape(part); err != nil {
			return nil, notFound()
		}
		c.path = append(c.path, part)
	}
	if override := values.Get("_HttpMethod"); override != "" && method == http.MethodPost {
		c.method = override
	}
	return c, nil
}

func writeAnswer(w http.ResponseWriter, a *answer) {
	for key, values := range a.header {
		w.Header()[key] = values
	}
	body := a.data
	if a.data == nil && a.body != nil {
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		body = appendJSON(nil, a.body)
	}
	if body != nil {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body)
}

// route is a path as it is counted: ids and locators replaced.
func route(path string) string {
	rest, api := strings.CutPrefix(path, "/services/data/v")
	if !api {
		return path
	}
	_, rest, _ = strings.Cut(rest, "/")
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	for i, part := range parts {
		if _, isID := parseID(part); isID && i > 0 {
			parts[i] = "{id}"
		} else if i == 1 && strings.HasPrefix(parts[0], "query") {
			parts[i] = "{locator}"
		}
	}
	return "/" + strings.Join(parts, "/")
}
