package saptest

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
	// Method selects requests of this HTTP method; "" is all.
	Method string
	// Contains selects requests with this text in their path, query or body;
	// "" is all.
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
	Half    bool          // the first half of the answer, as though it were all
	Garbage bool          // 200 and bytes that mean nothing
	Endless bool          // an answer of the right type that does not end

	// Before is called before the request is carried out, such as to expire
	// tokens at that moment. The request goes on.
	Before func()
	// Pad lengthens $metadata to this many bytes with entity types that
	// nobody uses.
	Pad int

	// Refuse answers with this error in the shape of the service.
	Refuse *Error
	// Redirect answers 302 to this address.
	Redirect string
	// Status answers with this HTTP status and an HTML page, as a proxy would.
	Status int
	// RetryAfter goes with Status and Refuse, in whole seconds.
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
func (s *Server) struck(r *http.Request, body []byte) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if !f.selects(r, body) {
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

func (f *Fault) selects(r *http.Request, body []byte) bool {
	return strings.HasPrefix(r.URL.Path, f.Path) && (f.Method == "" || f.Method == r.Method) &&
		(f.Contains == "" || bytes.Contains(body, []byte(f.Contains)) || strings.Contains(r.URL.String(), f.Contains))
}

// strike lets a fault happen. It returns whether the request still wants a
// true answer.
func (s *Server) strike(f *Fault, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) bool {
	if f.Before != nil {
		f.Before()
	}
	var answer *httptest.ResponseRecorder
	if f.AfterCall || f.Cut || f.Half || f.Pad > 0 {
		answer = httptest.NewRecorder()
		serve(answer, r)
	}
	if f.Latency > 0 {
		timer := time.NewTimer(f.Latency)
		defer timer.Stop()
		s.await(r, timer.C)
	}
	switch {
	case f.Hang:
		s.await(r, nil)
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
	case f.Half:
		replay(w, answer, answer.Body.Bytes()[:answer.Body.Len()/2])
	case f.Pad > 0:
		replay(w, answer, padMetadata(answer.Body.Bytes(), f.Pad))
	case f.Garbage:
		garbage(w)
	case f.Endless:
		s.endless(w, r)
	case f.Redirect != "":
		http.Redirect(w, r, f.Redirect, http.StatusFound)
	case f.Refuse != nil:
		s.refuseWith(w, r, f)
	case f.Status != 0 || f.Body != "":
		proxyPage(w, f)
	case answer != nil:
		replay(w, answer, answer.Body.Bytes())
	default:
		return true
	}
	return false
}

// await waits until the timer, the client or the server ends.
func (s *Server) await(r *http.Request, timer <-chan time.Time) {
	select {
	case <-timer:
	case <-r.Context().Done():
	case <-s.done:
	}
}

// replay writes a recorded answer with another body.
func replay(w http.ResponseWriter, answer *httptest.ResponseRecorder, body []byte) {
	for key, values := range answer.Header() {
		w.Header()[key] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body)
}

// padMetadata adds entity types to metadata until they have the size.
func padMetadata(body []byte, size int) []byte {
	at := bytes.Index(body, []byte("<EntityContainer"))
	if at < 0 || len(body) >= size {
		return body
	}
	var b bytes.Buffer
	b.Grow(size + 4096)
	b.Write(body[:at])
	for i := 0; b.Len()+len(body)-at < size; i++ {
		name := "PaddingType" + strconv.Itoa(i)
		b.WriteString(`<EntityType Name="` + name + `"><Key><PropertyRef Name="ID"/></Key><Property Name="ID" Type="Edm.String" Nullable="false" MaxLength="10"/>`)
		for j := range 30 {
			b.WriteString(`<Property Name="Field` + strconv.Itoa(j) + `" Type="Edm.Decimal" Precision="13" Scale="3"/>`)
		}
		b.WriteString(`</EntityType>`)
	}
	b.Write(body[at:])
	return b.Bytes()
}

func garbage(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/octet-stream")
	junk := make([]byte, 512)
	for i := range junk {
		junk[i] = byte(rand.IntN(256)) //nolint:gosec // it need not be unguessable
	}
	junk[0] = 0x1f
	_, _ = w.Write(junk)
}

// refuseWith answers with the fault's error in the shape of the service.
func (s *Server) refuseWith(w http.ResponseWriter, r *http.Request, f *Fault) {
	service, _ := s.serviceAt(r.URL.EscapedPath())
	query, _ := parseQuery(r.URL.RawQuery)
	c := &call{server: s, service: service, language: languageOf(query.Get("sap-language"), r.Header), header: r.Header, query: query}
	answer := c.refuse(f.Refuse)
	for key, values := range answer.header {
		w.Header()[http.CanonicalHeaderKey(key)] = values
	}
	f.retryAfter(w)
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body)
}

func (f *Fault) retryAfter(w http.ResponseWriter) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
	}
}

// abort cuts the connection.
func abort() {
	panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to cut a connection
}

// proxyPage is what a proxy in front of the system would answer.
func proxyPage(w http.ResponseWriter, f *Fault) {
	status, body, kind := f.Status, f.Body, f.ContentType
	if status == 0 {
		status = http.StatusOK
	}
	if body == "" {
		text := strconv.Itoa(status) + " " + http.StatusText(status)
		body = "<html>\n<head><title>" + text + "</title></head>\n<body>\n<center><h1>" + text + "</h1></center>\n<hr><center>web dispatcher</center>\n</body>\n</html>\n"
	}
	if kind == "" {
		kind = "text/html"
	}
	f.retryAfter(w)
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// endless begins a true-looking answer and goes on until nobody reads.
func (s *Server) endless(w http.ResponseWriter, r *http.Request) {
	kind, head, more := "application/json", `{"d":{"results":[`, `{"Text":"and so on"},`
	service, rest := s.serviceAt(r.URL.EscapedPath())
	switch {
	case rest == "$metadata":
		kind, head, more = "application/xml", xmlHead+`<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx">`, "<!-- and so on -->"
	case service != nil && service.version == 4:
		head = `{"value":[`
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
