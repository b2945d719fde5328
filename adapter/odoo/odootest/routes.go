package odootest

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxBody is the largest request that the server reads, as Odoo's own limit.
const maxBody = 128 << 20

// ServeHTTP answers a request as the version would. It is the server's
// handler, for those who want the simulated Odoo inside a server of their own.
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
		if f := s.struck(r.URL.Path, body); f != nil && !s.strike(f, w, r, serve) {
			return
		}
	}
	serve(w, r)
}

func (s *Server) route(w http.ResponseWriter, r *http.Request, body []byte) {
	h := w.Header()
	h.Set("Server", "Werkzeug/2.2.2 Python/3.11.2")
	if s.major >= 16 {
		h.Set("X-Content-Type-Options", "nosniff")
	}
	path := r.URL.Path
	switch {
	case strings.HasPrefix(path, "/xmlrpc/"):
		s.serveXMLRPC(w, r, body)
	case path == "/jsonrpc" || path == "/web/webclient/version_info" || path == "/web/database/list":
		s.serveJSON(w, r, body, false)
	case path == "/web/session/authenticate":
		s.serveJSON(w, r, body, false)
	case strings.HasPrefix(path, "/web/session/") || strings.HasPrefix(path, "/web/dataset/"):
		s.serveJSON(w, r, body, true)
	case path == "/web/version" && s.major >= 19:
		s.answer(w, http.StatusOK, object{{"version_info", s.versionInfo()}, {"version", s.config.Build}})
	case path == "/web/health" && s.major >= 15:
		h.Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status": "pass"}`)
	case path == "/json/2" || strings.HasPrefix(path, "/json/2/"):
		s.serveJSON2(w, r, body)
	case strings.HasPrefix(path, "/doc-bearer/") && s.major >= 19:
		s.serveDoc(w, r)
	case path == "/":
		target := "/web"
		if s.major >= 18 {
			target = "/odoo"
		}
		seeOther(w, target)
	default:
		s.notFound(w, r, body)
	}
}

func (s *Server) versionInfo() []any {
	return []any{int64(s.major), int64(0), int64(0), "final", int64(0), ""}
}

// version is what common.version and its like answer.
func (s *Server) version() object {
	return object{{"server_version", s.config.Build}, {"server_version_info", s.versionInfo()}, {"server_serie", s.Version}, {"protocol_version", int64(1)}}
}

// answer writes bare JSON.
func (s *Server) answer(w http.ResponseWriter, status int, v any) {
	// Since 16.0 text beyond ASCII goes out as it is.
	b := appendJSON(make([]byte, 0, 4096), v, s.major <= 15)
	kind := "application/json; charset=utf-8"
	if s.major <= 15 {
		kind = "application/json"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// errorPage is werkzeug's page for an HTTP error.
func errorPage(w http.ResponseWriter, status int, text string) {
	name := http.StatusText(status)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<!doctype html>\n<html lang=en>\n<title>%d %s</title>\n<h1>%s</h1>\n<p>%s</p>\n", status, name, name, html.EscapeString(text))
}

func seeOther(w http.ResponseWriter, target string) {
	w.Header().Set("Location", target)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusSeeOther)
	_, _ = fmt.Fprintf(w, "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n<p>You should be redirected automatically to the target URL: <a href=\"%s\">%s</a>. If not, click the link.\n", html.EscapeString(target), html.EscapeString(target))
}

// notFound is the answer to an unknown path: until 15.0 a JSON request got a
// JSON answer.
func (s *Server) notFound(w http.ResponseWriter, r *http.Request, body []byte) {
	if s.major <= 15 && isJSON(r) {
		if v, err := decodeJSON(body); err == nil {
			id, _ := dictOf(v)["id"]
			s.jsonError(w, http.StatusNotFound, id, &exception{name: notFound, text: notFoundText, status: http.StatusNotFound})
			return
		}
	}
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, "<!DOCTYPE html>\n<html>\n    <head>\n        <meta charset=\"utf-8\"/>\n        <title>Odoo</title>\n    </head>\n    <body>\n        <h1>404: Page not found!</h1>\n        <p>The page you are looking for could not be found.</p>\n    </body>\n</html>\n")
}

// noDatabase is 19.0's answer where it can't tell which database is meant.
func noDatabase(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, "<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>No database is selected and the requested URL was not found in the server-wide controllers.</p>\n<p>Please verify the hostname, <a href=/web/login>login</a> and try again.</p>\n\n<!-- Alternatively, use the X-Odoo-Database header. -->\n")
}

func isJSON(r *http.Request) bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return kind == "application/json" || kind == "application/json-rpc"
}

// serveJSON2 answers below /json/2, which only 19.0 knows.
func (s *Server) serveJSON2(w http.ResponseWriter, r *http.Request, body []byte) {
	switch {
	case s.major >= 19:
		s.jsonTwo(w, r, body)
	case s.major == 18:
		query := r.URL.Path + "?"
		seeOther(w, "/web/login?redirect="+url.QueryEscape(query))
	default:
		s.notFound(w, r, body)
	}
}

// trimmed is a request's body without white space around.
func trimmed(body []byte) []byte { return bytes.TrimSpace(body) }
