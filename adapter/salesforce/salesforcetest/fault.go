package salesforcetest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is something that goes wrong. It strikes the requests that its first
// fields select, in the way that the first set one of the others says. A fault
// of nothing but Latency only delays.
type Fault struct {
	// Path selects requests whose path begins with it, as [Server.Requests]
	// counts them: "/services/oauth2/token", "/query", "/composite"; "" is all.
	Path string
	// Method selects requests of that method; "" is all.
	Method string
	// Contains selects requests with this text in their body or their query;
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
	Endless bool          // an answer of the right type that does not end
	Garbage bool          // 200 and bytes that mean nothing

	// Redirect answers 302 to this address, or Status if it is set.
	Redirect string
	// ErrorCode answers with an error of the API, such as
	// "SERVER_UNAVAILABLE" or "UNABLE_TO_LOCK_ROW", and Status, or 400.
	ErrorCode, Message string
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
func (s *Server) struck(r *http.Request, body []byte) *Fault {
	path := route(r.URL.Path)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if !strings.HasPrefix(path, f.Path) || f.Method != "" && f.Method != r.Method {
			continue
		}
		if f.Contains != "" && !bytes.Contains(body, []byte(f.Contains)) && !strings.Contains(r.URL.Query().Encode()+r.URL.Query().Get("q"), f.Contains) {
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
		cut(w, answer)
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
	case f.ErrorCode != "":
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
		}
		writeAnswer(w, failure(&apiError{status: f.Status, code: f.ErrorCode, message: f.Message}))
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

// cut writes half of an answer and cuts the connection.
func cut(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	body := answer.Body.Bytes()
	for key, values := range answer.Header() {
		w.Header()[key] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush() // the half is to arrive
	abort()
}

// proxyPage is what a proxy in front of the org would answer.
func proxyPage(w http.ResponseWriter, f *Fault) {
	status, body, kind := f.Status, f.Body, f.ContentType
	if status == 0 {
		status = http.StatusOK
	}
	if body == "" {
		text := http.StatusText(status)
		body = "<html>\n<head><title>" + text + "</title></head>\n<body>\n<h1>" + strconv.Itoa(status) + " " + text + "</h1>\n</body>\n</html>\n"
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
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	if _, err := io.WriteString(w, `{"totalSize":1,"done":true,"records":[`); err != nil {
		return
	}
	chunk := strings.Repeat(`{"Name":"and so on"},`, 4096)
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

// RecordFault makes writes of single records fail, alone or among others in a
// collection, a tree or a bulk job.
type RecordFault struct {
	// Object selects records of that object; "" is all.
	Object string
	// Contains selects records with a text field that contains it; "" is all.
	Contains string
	// Times is how many records it strikes before it is over; 0 is without
	// end.
	Times int
	// ErrorCode, Message and Fields are the error; ErrorCode "" is
	// FIELD_CUSTOM_VALIDATION_EXCEPTION, what a validation rule says.
	ErrorCode, Message string
	Fields             []string
}

// recordStrike is a record fault at work.
type recordStrike struct {
	RecordFault
	left int
}

// SetRecordFault replaces the faults of records. Without arguments all is well
// again.
func (s *Server) SetRecordFault(faults ...RecordFault) {
	s.data.Lock()
	defer s.data.Unlock()
	s.db.faults = nil
	for _, f := range faults {
		s.db.faults = append(s.db.faults, &recordStrike{RecordFault: f, left: f.Times})
	}
}

// LockRecord makes the next writes of a record fail with UNABLE_TO_LOCK_ROW,
// as many as times says.
func (s *Server) LockRecord(id string, times int) {
	s.data.Lock()
	defer s.data.Unlock()
	if full, ok := parseID(id); ok {
		s.db.locked[full] = times
	}
}

// recordFault returns what is to go wrong with a record.
func (db *database) recordFault(o *object, r row) *apiError {
	if id, ok := r[fieldID].(string); ok && db.locked[id] > 0 {
		db.locked[id]--
		return &apiError{code: "UNABLE_TO_LOCK_ROW", message: "unable to obtain exclusive access to this record or 1 records: " + id, fields: []string{}}
	}
	for _, f := range db.faults {
		if f.Object != "" && !strings.EqualFold(f.Object, o.Name) || f.Times > 0 && f.left == 0 {
			continue
		}
		hit := slices.ContainsFunc(r, func(v any) bool {
			text, ok := v.(string)
			return ok && strings.Contains(text, f.Contains)
		})
		if f.Contains != "" && !hit {
			continue
		}
		f.left--
		err := &apiError{code: f.ErrorCode, message: f.Message, fields: slices.Clone(f.Fields)}
		if err.code == "" {
			err.code = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
		}
		if err.message == "" {
			err.message = "the record is refused"
		}
		if err.fields == nil {
			err.fields = []string{}
		}
		return err
	}
	return nil
}
