package odootest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"
)

// Fault is something that goes wrong. It strikes the requests that its first
// fields select, in the way that the first set one of the others says. A fault
// of nothing but Latency only delays.
type Fault struct {
	// Path selects requests whose path begins with it; "" is all.
	Path string
	// Contains selects requests with this text in their body, such as a
	// method's name; "" is all.
	Contains string
	// Times is how many requests it strikes before it is over; 0 is without
	// end.
	Times int
	// Skip is how many requests that match it lets through first.
	Skip int
	// AfterCall has the request carried out before its answer goes wrong: for
	// the client it is unknown whether it was.
	AfterCall bool

	Latency time.Duration // wait before the answer
	Hang    bool          // never answer
	Reset   bool          // cut the connection without an answer
	Cut     bool          // cut the connection in the midst of the answer
	Endless bool          // an answer of the right type that does not end
	Garbage bool          // 200 and bytes that mean nothing

	// Redirect answers 302 to this address, or 303 if Status says so.
	Redirect string
	// Status answers with this HTTP status and an HTML page, as a proxy would.
	Status int
	// RetryAfter goes with Status, in whole seconds.
	RetryAfter time.Duration
	// Body and ContentType replace the page of Status; with a Body, Status 0
	// is 200.
	Body        string
	ContentType string
}

// strike is a fault at work.
type strike struct {
	Fault
	skip, left int
}

// SetFault replaces what goes wrong by these faults; the first that selects a
// request strikes. Without arguments all is well again.
func (s *Server) SetFault(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	for _, f := range faults {
		s.faults = append(s.faults, &strike{Fault: f, skip: f.Skip, left: f.Times})
	}
}

// struck returns the fault that strikes a request, if any.
func (s *Server) struck(path string, body []byte) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if !strings.HasPrefix(path, f.Path) || f.Contains != "" && !bytes.Contains(body, []byte(f.Contains)) {
			continue
		}
		switch {
		case f.skip > 0:
			f.skip--
			continue
		case f.Times > 0 && f.left == 0:
			continue
		case f.Times > 0:
			f.left--
		}
		fault := f.Fault
		return &fault
	}
	return nil
}

// strike lets a fault happen. It returns whether the request still wants a
// true answer.
func (s *Server) strike(f *Fault, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) bool {
	var answer *httptest.ResponseRecorder
	if f.AfterCall || f.Cut {
		answer = httptest.NewRecorder()
		serve(answer, r)
	}
	if f.Latency > 0 {
		timer := time.NewTimer(f.Latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		case <-s.done:
		}
	}
	switch {
	case f.Hang:
		select {
		case <-r.Context().Done():
		case <-s.done:
		}
		abort()
	case f.Reset:
		abort()
	case f.Cut:
		body := answer.Body.Bytes()
		w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush() // the half is to arrive
		abort()
	case f.Endless:
		s.endless(w, r)
	case f.Garbage:
		w.Header().Set("Content-Type", "application/octet-stream")
		junk := make([]byte, 512)
		for i := range junk {
			junk[i] = byte(rand.IntN(256)) //nolint:gosec // it need not be unguessable
		}
		junk[0] = 0x1f
		_, _ = w.Write(junk)
	case f.Redirect != "":
		status := http.StatusFound
		if f.Status != 0 {
			status = f.Status
		}
		http.Redirect(w, r, f.Redirect, status)
	case f.Status != 0 || f.Body != "":
		proxyPage(w, f)
	case answer != nil:
		for key, values := range answer.Header() {
			w.Header()[key] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = io.Copy(w, answer.Body)
	default:
		return true
	}
	return false
}

// abort cuts the connection.
func abort() {
	panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to cut a connection
}

// proxyPage is what a proxy in front of Odoo would answer.
func proxyPage(w http.ResponseWriter, f *Fault) {
	status, body, kind := f.Status, f.Body, f.ContentType
	if status == 0 {
		status = http.StatusOK
	}
	if body == "" {
		text := http.StatusText(status)
		body = "<html>\n<head><title>" + strconv.Itoa(status) + " " + text + "</title></head>\n<body>\n<center><h1>" + strconv.Itoa(status) + " " + text + "</h1></center>\n<hr><center>proxy</center>\n</body>\n</html>\n"
	}
	if kind == "" {
		kind = "text/html"
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// endless begins a true-looking answer and goes on until nobody reads.
func (s *Server) endless(w http.ResponseWriter, r *http.Request) {
	head, more := `{"jsonrpc": "2.0", "id": 1, "result": [`, `"and so on", `
	kind := "application/json"
	if strings.HasPrefix(r.URL.Path, "/xmlrpc") {
		kind = "text/xml"
		head, more = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><array><data>\n", "<value><string>and so on</string></value>\n"
	} else if strings.HasPrefix(r.URL.Path, "/json/2") {
		head = "["
	}
	w.Header().Set("Content-Type", kind)
	if _, err := io.WriteString(w, head); err != nil {
		return
	}
	chunk := strings.Repeat(more, 4096)
	for {
		select {
		case <-r.Context().Done():
			return
		case <-s.done:
			return
		default:
		}
		if _, err := io.WriteString(w, chunk); err != nil {
			return
		}
	}
}
