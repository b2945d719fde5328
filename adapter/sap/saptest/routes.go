package saptest

import (
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxBody is the largest request that the server reads.
const maxBody = 256 << 20

// ServeHTTP answers a request as the system would. It is the server's
// handler, for those who want the simulated system inside a server of their
// own.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.hits.Add(1)
	w.Header().Set("Date", s.config.Now().UTC().Format(http.TimeFormat))
	s.mu.Lock()
	s.paths[r.URL.Path]++
	faulty := len(s.faults) > 0
	s.mu.Unlock()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "Request Entity Too Large", http.StatusRequestEntityTooLarge)
		return
	}
	serve := func(w http.ResponseWriter, r *http.Request) { s.route(w, r, body) }
	if faulty {
		if f := s.struck(r, body); f != nil && !s.strike(f, w, r, serve) {
			return
		}
	}
	serve(w, r)
}

func (s *Server) route(w http.ResponseWriter, r *http.Request, body []byte) {
	if len(r.URL.EscapedPath())+len(r.URL.RawQuery) > s.config.MaxURL {
		htmlPage(w, http.StatusRequestURITooLong, "The URL is too long")
		return
	}
	if r.URL.Path == tokenPath {
		s.serveToken(w, r, body)
		return
	}
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		htmlPage(w, http.StatusBadRequest, "Malformed query")
		return
	}
	client := query.Get("sap-client")
	if client == "" {
		client = r.Header.Get("Sap-Client")
	}
	user, ok := s.authenticate(r)
	if !ok || client != "" && client != s.Client {
		s.loginPage(w, r)
		return
	}
	service, rest := s.serviceAt(r.URL.EscapedPath())
	if service == nil {
		htmlPage(w, http.StatusNotFound, "No service found for this path")
		return
	}
	if !s.secure(w, r, user) {
		return
	}
	c := &call{
		server: s, service: service, user: user, language: languageOf(query.Get("sap-language"), r.Header), root: s.base(r) + service.path,
		method: r.Method, path: rest, rawQuery: r.URL.RawQuery, query: query, header: r.Header, body: body,
	}
	answer := c.serve()
	h := w.Header()
	for name, values := range answer.header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	h.Set("Cache-Control", "no-store, no-cache")
	h.Set("Sap-Server", "true")
	if r.Method == http.MethodHead {
		answer.body = nil
	} else if answer.status != http.StatusNoContent && answer.status != http.StatusNotModified {
		h.Set("Content-Length", strconv.Itoa(len(answer.body)))
	}
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body)
}

// base is the server's address as the client calls it.
func (s *Server) base(r *http.Request) string {
	if r.Host == "" {
		return s.URL
	}
	return "http://" + r.Host
}

// serviceAt finds the service that a path leads into.
func (s *Server) serviceAt(path string) (*Service, string) {
	var found *Service
	for _, service := range s.services {
		if rest, ok := strings.CutPrefix(path, service.path); ok && (rest == "" || rest[0] == '/' || rest[0] == ';') && (found == nil || len(service.path) > len(found.path)) {
			found = service
		}
	}
	if found == nil {
		return nil, ""
	}
	rest := path[len(found.path):]
	if strings.HasPrefix(rest, ";") { // a version, such as ;v=1
		_, rest, _ = strings.Cut(rest, "/")
	}
	return found, strings.TrimPrefix(rest, "/")
}

// languageOf is the language that a request wants, by SAP's two letters.
func languageOf(query string, h http.Header) string {
	for _, s := range []string{query, h.Get("Sap-Language"), h.Get("Accept-Language")} {
		if len(s) >= 2 {
			return strings.ToUpper(s[:2])
		}
	}
	return "EN"
}

// htmlPage is an answer from before any service.
func htmlPage(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<html>\n<head><title>"+http.StatusText(status)+"</title></head>\n<body>\n<h1>"+strconv.Itoa(status)+" "+http.StatusText(status)+"</h1>\n<p>"+html.EscapeString(text)+"</p>\n</body>\n</html>\n")
}

// serve answers a call of a service.
func (c *call) serve() *response {
	c.server.countCall(c)
	switch c.path {
	case "":
		return c.reading(c.serviceDocument)
	case "$metadata":
		return c.reading(c.metadata)
	case "$batch":
		if c.method != http.MethodPost || c.inBatch {
			return c.notAllowed(c.path)
		}
		return c.batch()
	}
	switch c.method {
	case http.MethodGet, http.MethodHead:
		if c.tx != nil {
			return c.get()
		}
		c.server.db.mu.RLock()
		defer c.server.db.mu.RUnlock()
		return c.get()
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, "MERGE":
		return c.write(c.change)
	}
	return c.notAllowed(c.path)
}

func (c *call) reading(answer func() *response) *response {
	if c.method != http.MethodGet && c.method != http.MethodHead {
		return c.notAllowed(c.path)
	}
	return answer()
}

func (s *Server) countCall(c *call) {
	first, _, _ := strings.Cut(c.path, "/")
	first, _, _ = strings.Cut(first, "(")
	if strings.HasPrefix(first, "%24") {
		first = "$" + first[3:]
	}
	s.mu.Lock()
	s.calls[c.method+" "+c.service.name+"."+first]++
	s.mu.Unlock()
}
