package saptest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
)

// maxOperations is how many requests a batch may hold.
const maxOperations = 10000

// batch answers $batch: multipart in both versions, and JSON in version 4.
func (c *call) batch() *response {
	kind, params, err := mime.ParseMediaType(c.header.Get("Content-Type"))
	switch {
	case err == nil && kind == "application/json" && c.version() == 4:
		return c.batchJSON()
	case err != nil || kind != "multipart/mixed" || params["boundary"] == "":
		return c.refuse(&Error{Status: http.StatusUnsupportedMediaType, Code: "005056A509B11EE1B9A8FEC11C22178E", Message: "The batch request's Content-Type is not multipart/mixed with a boundary"})
	}
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	_ = w.SetBoundary(strings.ToUpper(token()[:32]) + "0")
	r := multipart.NewReader(bytes.NewReader(c.body), params["boundary"])
	for n := 0; ; n++ {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || n > maxOperations {
			return c.refuse(bad("The batch request can't be read"))
		}
		good, err := c.batchPart(w, part)
		if err != nil {
			return c.refuse(err)
		}
		if !good && c.version() == 4 && !strings.Contains(c.header.Get("Prefer"), "continue-on-error") {
			break
		}
	}
	_ = w.Close()
	answer := &response{status: http.StatusAccepted, header: http.Header{}, body: out.Bytes()}
	answer.header.Set("Content-Type", "multipart/mixed; boundary="+w.Boundary())
	if c.version() == 4 {
		answer.status = http.StatusOK
		answer.header.Set("OData-Version", "4.0")
	} else {
		answer.header.Set("DataServiceVersion", "2.0")
	}
	return answer
}

// batchPart carries out one part: a request, or a change set. good is whether
// it succeeded.
func (c *call) batchPart(w *multipart.Writer, part *multipart.Part) (good bool, err error) {
	kind, params, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
	if kind == "multipart/mixed" {
		return c.changeSet(w, part, params["boundary"])
	}
	sub, err := c.operation(part)
	if err != nil {
		return false, err
	}
	var r *response
	if c.version() == 2 && sub.method != http.MethodGet {
		r = sub.refuse(bad("Changes belong in a change set"))
	} else {
		r = sub.serve()
	}
	writePart(w, r, part.Header.Get("Content-ID"))
	return r.status < 400, nil
}

// changeSet carries out changes, all or none.
func (c *call) changeSet(w *multipart.Writer, part io.Reader, boundary string) (good bool, err error) {
	var list []*call
	var ids []string
	r := multipart.NewReader(part, boundary)
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || len(list) > maxOperations {
			return false, bad("The change set can't be read")
		}
		sub, err := c.operation(p)
		if err != nil {
			return false, err
		}
		id := p.Header.Get("Content-ID")
		if id == "" {
			id = sub.header.Get("Content-ID")
		}
		if id != "" {
			sub.header.Set("Content-ID", id)
		}
		list, ids = append(list, sub), append(ids, id)
	}
	answers, failed := c.together(list)
	if failed != nil {
		writePart(w, failed, "")
		return false, nil
	}
	var inner bytes.Buffer
	iw := multipart.NewWriter(&inner)
	_ = iw.SetBoundary(strings.ToUpper(token()[:32]) + "1")
	for i, a := range answers {
		writePart(iw, a, ids[i])
	}
	_ = iw.Close()
	pw, err := w.CreatePart(map[string][]string{"Content-Type": {"multipart/mixed; boundary=" + iw.Boundary()}, "Content-Length": {fmt.Sprint(inner.Len())}})
	if err != nil {
		return false, err
	}
	_, err = pw.Write(inner.Bytes())
	return true, err
}

// together carries out requests in one transaction. failed is the answer of
// the one for which nothing was done.
func (c *call) together(list []*call) (answers []*response, failed *response) {
	db := c.server.db
	db.mu.Lock()
	defer db.mu.Unlock()
	t := &tx{db: db, call: c}
	ids := map[string]string{}
	for _, sub := range list {
		sub.tx, sub.ids = t, ids
		sub.resolve(ids)
		var r *response
		if sub.method == http.MethodGet && c.version() == 2 {
			r = sub.refuse(bad("A change set holds changes only"))
		} else {
			r = sub.serve()
		}
		if r.status >= 400 {
			t.rollback(0)
			sub.failed = true
			return nil, r
		}
		answers = append(answers, r)
	}
	t.commit()
	return answers, nil
}

// resolve puts what a Content-ID made in the place of the reference to it.
func (c *call) resolve(ids map[string]string) {
	rest, ok := strings.CutPrefix(c.path, "$")
	if !ok {
		return
	}
	id, more, _ := strings.Cut(rest, "/")
	if made := ids[id]; made != "" {
		c.path = made
		if more != "" {
			c.path += "/" + more
		}
	}
}

// operation reads a request within a batch.
func (c *call) operation(part *multipart.Part) (*call, error) {
	content, err := io.ReadAll(part)
	if err != nil {
		return nil, bad("The batch request can't be read")
	}
	content = bytes.TrimLeft(content, "\r\n")
	line, rest, _ := bytes.Cut(content, []byte("\n"))
	words := strings.Fields(string(line))
	if len(words) < 2 {
		return nil, bad("A request in the batch has no request line")
	}
	head, body, found := bytes.Cut(rest, []byte("\r\n\r\n"))
	if !found {
		head, body, _ = bytes.Cut(rest, []byte("\n\n"))
	}
	if bytes.HasPrefix(rest, []byte("\r\n")) || bytes.HasPrefix(rest, []byte("\n")) {
		head, body = nil, bytes.TrimLeft(rest, "\r\n")
	}
	header := http.Header{}
	lines := bufio.NewScanner(bytes.NewReader(head))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if name, value, ok := strings.Cut(strings.TrimRight(lines.Text(), "\r"), ":"); ok {
			header.Add(http.CanonicalHeaderKey(strings.TrimSpace(name)), strings.TrimSpace(value))
		}
	}
	return c.sub(words[0], words[1], header, bytes.TrimRight(body, "\r\n"))
}

// sub is a request within a batch; its address may be whole, a path or
// relative to the service.
func (c *call) sub(method, address string, header http.Header, body []byte) (*call, error) {
	address = strings.TrimPrefix(address, strings.TrimSuffix(c.root, c.service.path))
	address = strings.TrimPrefix(strings.TrimPrefix(address, c.service.path), "/")
	path, raw, _ := strings.Cut(address, "?")
	query, err := parseQuery(raw)
	if err != nil {
		return nil, err
	}
	sub := *c
	sub.method, sub.path, sub.rawQuery, sub.query, sub.header, sub.body, sub.inBatch = method, path, raw, query, header, body, true
	if l := languageOf(query.Get("sap-language"), header); l != "EN" {
		sub.language = l
	}
	return &sub, nil
}

// writePart writes an answer as a part.
func writePart(w *multipart.Writer, r *response, id string) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.status, http.StatusText(r.status))
	for _, name := range slices.Sorted(maps.Keys(r.header)) {
		for _, v := range r.header[name] {
			fmt.Fprintf(&b, "%s: %s\r\n", strings.ToLower(name), v)
		}
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", len(r.body))
	b.Write(r.body)
	b.WriteString("\r\n")
	header := map[string][]string{"Content-Type": {"application/http"}, "Content-Length": {fmt.Sprint(b.Len())}, "content-transfer-encoding": {"binary"}}
	if id != "" {
		header["content-id"] = []string{id}
	}
	if pw, err := w.CreatePart(header); err == nil {
		_, _ = pw.Write(b.Bytes())
	}
}

// jsonRequest is a request within a JSON batch.
type jsonRequest struct {
	ID             string            `json:"id"`
	Method         string            `json:"method"`
	URL            string            `json:"url"`
	Headers        map[string]string `json:"headers"`
	Body           json.RawMessage   `json:"body"`
	AtomicityGroup string            `json:"atomicityGroup"`
	DependsOn      []string          `json:"dependsOn"`
}

// batchJSON answers a batch in JSON.
func (c *call) batchJSON() *response {
	var in struct {
		Requests []*jsonRequest `json:"requests"`
	}
	if err := json.Unmarshal(c.body, &in); err != nil || len(in.Requests) == 0 || len(in.Requests) > maxOperations {
		return c.refuse(bad("The batch request can't be read"))
	}
	seen := map[string]bool{}
	for _, r := range in.Requests {
		if r.ID == "" || seen[r.ID] {
			return c.refuse(bad("The ids of the batch's requests are not unique"))
		}
		seen[r.ID] = true
	}
	out := []byte(`{"responses":[`)
	emit := func(r *jsonRequest, a *response) {
		if len(out) > len(`{"responses":[`) {
			out = append(out, ',')
		}
		out = appendJSONResponse(out, r, a)
	}
	bad := map[string]bool{}
	for i := 0; i < len(in.Requests); {
		end := i + 1
		for end < len(in.Requests) && in.Requests[i].AtomicityGroup != "" && in.Requests[end].AtomicityGroup == in.Requests[i].AtomicityGroup {
			end++
		}
		c.jsonGroup(in.Requests[i:end], bad, emit)
		if bad[in.Requests[i].ID] && !strings.Contains(c.header.Get("Prefer"), "continue-on-error") {
			break
		}
		i = end
	}
	return c.answer(http.StatusOK, append(out, `]}`...))
}

// jsonGroup carries out a request, or those of an atomicity group.
func (c *call) jsonGroup(group []*jsonRequest, failures map[string]bool, emit func(*jsonRequest, *response)) {
	var list []*call
	dependency := &Error{Status: http.StatusFailedDependency, Code: "/IWBEP/CM_V4_RUNTIME/018", Message: "A request that this one depends on failed"}
	fail := func(err error, which int) {
		for i, r := range group {
			failures[r.ID] = true
			failures[r.AtomicityGroup] = true
			if i == which || which < 0 {
				emit(r, c.refuse(err))
			} else {
				emit(r, c.refuse(dependency))
			}
		}
	}
	for i, r := range group {
		if slices.ContainsFunc(r.DependsOn, func(id string) bool { return failures[id] }) {
			fail(dependency, -1)
			return
		}
		header := http.Header{}
		for name, v := range r.Headers {
			header.Set(name, v)
		}
		header.Set("Content-Id", r.ID)
		sub, err := c.sub(strings.ToUpper(r.Method), r.URL, header, r.Body)
		if err != nil {
			fail(err, i)
			return
		}
		list = append(list, sub)
	}
	if group[0].AtomicityGroup == "" {
		a := list[0].serve()
		failures[group[0].ID] = a.status >= 400
		emit(group[0], a)
		return
	}
	answers, failed := c.together(list)
	if failed != nil {
		at := len(answers)
		for i, sub := range list {
			if sub.failed {
				at = i
			}
		}
		for i, r := range group {
			failures[r.ID] = true
			if i == at {
				emit(r, failed)
			} else {
				emit(r, c.refuse(dependency))
			}
		}
		failures[group[0].AtomicityGroup] = true
		return
	}
	for i, a := range answers {
		emit(group[i], a)
	}
}

func appendJSONResponse(b []byte, r *jsonRequest, a *response) []byte {
	b = appendString(append(b, `{"id":`...), r.ID)
	if r.AtomicityGroup != "" {
		b = appendString(append(b, `,"atomicityGroup":`...), r.AtomicityGroup)
	}
	b = fmt.Appendf(b, `,"status":%d,"headers":{`, a.status)
	for i, name := range slices.Sorted(maps.Keys(a.header)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, strings.ToLower(name)), ':')
		b = appendString(b, a.header.Get(name))
	}
	b = append(b, '}')
	if len(a.body) > 0 {
		b = append(b, `,"body":`...)
		if json.Valid(a.body) {
			b = append(b, a.body...)
		} else {
			b = appendString(b, string(a.body))
		}
	}
	return append(b, '}')
}
