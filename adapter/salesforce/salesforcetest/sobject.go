package salesforcetest

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // an entity tag, no secret
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"time"
)

// sobjects is /sobjects and what is below it.
func (s *Server) sobjects(c *call) *answer {
	if len(c.path) == 1 {
		return s.globalDescribe(c)
	}
	o := s.db.object(c.path[1])
	if o == nil {
		return failure(notFound())
	}
	if len(c.path) == 2 {
		return s.sobject(c, o)
	}
	switch third := strings.ToLower(c.path[2]); {
	case third == "describe" && len(c.path) == 3:
		return s.serveDescribe(c, o)
	case (third == "updated" || third == "deleted") && len(c.path) == 3:
		return s.changes(c, o, third)
	}
	if at, f := o.field(c.path[2]); f != nil && len(c.path) == 4 && (f.ExternalID || at == fieldID) {
		return s.byKey(c, o, at, c.path[3])
	}
	switch len(c.path) {
	case 3:
		return s.record(c, o, c.path[2])
	case 4:
		return s.below(c, o)
	}
	return failure(notFound())
}

func (s *Server) globalDescribe(c *call) *answer {
	if c.method != http.MethodGet && c.method != http.MethodHead {
		return failure(methodNotAllowed(c.method, "GET", "HEAD"))
	}
	var list []members
	for _, name := range s.db.names {
		list = append(list, s.summary(s.db.object(name)))
	}
	return ok(members{{"encoding", "UTF-8"}, {"maxBatchSize", 200}, {"sobjects", list}})
}

func (s *Server) serveDescribe(c *call, o *object) *answer {
	if c.method != http.MethodGet && c.method != http.MethodHead {
		return failure(methodNotAllowed(c.method, "GET", "HEAD"))
	}
	changed := s.started
	if at, ok := s.changed[o.Name]; ok {
		changed = at
	}
	changed = changed.UTC().Truncate(time.Second)
	if since, err := http.ParseTime(c.header.Get("If-Modified-Since")); err == nil && !changed.After(since) {
		return (&answer{status: http.StatusNotModified}).with("Last-Modified", changed.Format(http.TimeFormat))
	}
	return ok(s.describe(o)).with("Last-Modified", changed.Format(http.TimeFormat))
}

// sobject is /sobjects/Account.
func (s *Server) sobject(c *call, o *object) *answer {
	switch c.method {
	case http.MethodGet, http.MethodHead:
		return ok(members{{"objectDescribe", s.summary(o)}, {"recentItems", []any{}}})
	case http.MethodPost:
		t, end := c.begin(s.db)
		in, err := c.decodeRecord()
		if err != nil {
			return failure(err)
		}
		if hasID(in) {
			return failure(&apiError{code: "INVALID_FIELD", message: "Cannot specify Id in an insert call", fields: []string{"Id"}})
		}
		id, err := s.create(t, o, in)
		if err != nil {
			return end(failure(err))
		}
		return end((&answer{status: http.StatusCreated, body: members{{"id", id}, {"success", true}, {"errors", []any{}}}}).with("Location", "/services/data/v"+c.version+"/sobjects/"+o.Name+"/"+id))
	}
	return failure(methodNotAllowed(c.method, "GET", "HEAD", "POST"))
}

func hasID(in map[string]any) bool {
	for key := range in {
		if strings.EqualFold(key, "id") {
			return true
		}
	}
	return false
}

func (s *Server) create(t *tx, o *object, in map[string]any) (string, *apiError) {
	ch, err := s.db.decode(o, in)
	if err != nil {
		return "", err
	}
	return t.insert(o, ch)
}

// decodeRecord reads the values of a record: JSON, or a form of JSON and
// bytes for the objects that hold files.
func (c *call) decodeRecord() (map[string]any, *apiError) {
	kind, parameters, _ := mime.ParseMediaType(c.header.Get("Content-Type"))
	if kind != "multipart/form-data" || c.nested {
		var in map[string]any
		if err := c.decodeBody(&in); err != nil {
			return nil, err
		}
		return in, nil
	}
	in := map[string]any{}
	reader := multipart.NewReader(bytes.NewReader(c.body), parameters["boundary"])
	for {
		part, err := reader.NextPart()
		if err == io.EOF { //nolint:errorlint // multipart returns it as it is
			return in, nil
		}
		if err != nil {
			return nil, &apiError{code: "INVALID_MULTIPART_REQUEST", message: "The multipart request could not be read"}
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, &apiError{code: "INVALID_MULTIPART_REQUEST", message: "The multipart request could not be read"}
		}
		if part.FileName() != "" {
			in[part.FormName()] = base64.StdEncoding.EncodeToString(data)
			continue
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		if err := decoder.Decode(&in); err != nil {
			return nil, &apiError{code: "JSON_PARSER_ERROR", message: "The part " + part.FormName() + " is not JSON at [line:1, column:1]"}
		}
	}
}

// record is /sobjects/Account/001....
func (s *Server) record(c *call, o *object, id string) *answer {
	switch c.method {
	case http.MethodGet, http.MethodHead:
		found, row, there := s.db.find(id)
		if !there || found != o || row.deleted() {
			return failure(missing(id))
		}
		return s.readRecord(c, o, row)
	case http.MethodPatch:
		return s.updateRecord(c, o, id)
	case http.MethodDelete:
		t, end := c.begin(s.db)
		if err := t.remove(o, id); err != nil {
			return end(failure(err))
		}
		return end(&answer{status: http.StatusNoContent})
	}
	return failure(methodNotAllowed(c.method, "DELETE", "GET", "HEAD", "PATCH"))
}

func missing(id string) *apiError {
	if _, ok := parseID(id); ok {
		return notFound()
	}
	return &apiError{status: 404, code: "NOT_FOUND", message: "Provided external ID field does not exist or is not accessible: " + id}
}

// readRecord answers with a record, unless its conditions are against it.
func (s *Server) readRecord(c *call, o *object, r row) *answer {
	tag := etag(r)
	modified := time.Unix(int64(r[fieldModstamp].(moment)), 0).UTC()
	dressed := func(a *answer) *answer {
		a = a.with("Last-Modified", modified.Format(http.TimeFormat))
		if o.Name == "Account" {
			a = a.with("ETag", tag)
		}
		return a
	}
	if failed, err := precondition(c, o, r); err != nil {
		return failure(err)
	} else if failed {
		return failure(preconditionFailed())
	}
	if match := c.header.Get("If-None-Match"); match != "" && o.Name == "Account" {
		if matches(match, tag) {
			return dressed(&answer{status: http.StatusNotModified})
		}
	} else if since, err := http.ParseTime(c.header.Get("If-Modified-Since")); err == nil && !modified.After(since) {
		return dressed(&answer{status: http.StatusNotModified})
	}
	list, err := s.fieldList(o, c.query.Get("fields"))
	if err != nil {
		return failure(err)
	}
	return dressed(ok(raw(s.show(o, list).append(nil, s.db, c.version, r))))
}

// fieldList is the ordinals of the fields that are asked for by name; "" is
// all.
func (s *Server) fieldList(o *object, names string) ([]int, *apiError) {
	var list []int
	if names == "" {
		for i := range o.Fields {
			list = append(list, i)
		}
		return list, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		at, f := o.field(strings.TrimSpace(name))
		if f == nil {
			return nil, &apiError{code: "INVALID_FIELD", message: "No such column '" + strings.TrimSpace(name) + "' on sobject of type " + o.Name}
		}
		if !slices.Contains(list, at) {
			list = append(list, at)
		}
	}
	if !slices.Contains(list, fieldID) {
		list = append(list, fieldID)
	}
	return list, nil
}

func (s *Server) show(o *object, list []int) *shown {
	show := &shown{object: o}
	for _, at := range list {
		show.parts = append(show.parts, part{name: o.Fields[at].Name, field: at})
	}
	return show
}

// etag is a hash of what a record holds.
func etag(r row) string {
	var b []byte
	for _, v := range r {
		switch v := v.(type) {
		case []byte:
			b = append(b, v...)
		case float64:
			b = append(b, formatDouble(v)...)
		case moment:
			b = append(b, v.String()...)
		default:
			b = appendJSON(b, v)
		}
		b = append(b, 0)
	}
	sum := sha1.Sum(b) //nolint:gosec // as above
	return `"` + base64.StdEncoding.EncodeToString(sum[:]) + `--gzip"`
}

func matches(header, tag string) bool {
	if strings.TrimSpace(header) == "*" {
		return true
	}
	for part := range strings.SplitSeq(header, ",") {
		if strings.TrimPrefix(strings.TrimSpace(part), "W/") == tag {
			return true
		}
	}
	return false
}

func preconditionFailed() *apiError {
	return &apiError{status: http.StatusPreconditionFailed, code: "PRECONDITION_FAILED", message: "The precondition of the request does not hold: the record has been changed since."}
}

// precondition says whether If-Match or If-Unmodified-Since are against a
// call. Entity tags are of Account records only.
func precondition(c *call, o *object, r row) (failed bool, err *apiError) {
	if match := c.header.Get("If-Match"); match != "" && o.Name == "Account" && !matches(match, etag(r)) {
		return true, nil
	}
	since := c.header.Get("If-Unmodified-Since")
	if since == "" {
		return false, nil
	}
	t, parseErr := http.ParseTime(since)
	if parseErr != nil {
		if c.method == http.MethodGet {
			return false, nil
		}
		return false, &apiError{code: "INVALID_HEADER", message: "If-Unmodified-Since is no date: " + since}
	}
	return time.Unix(int64(r[fieldModstamp].(moment)), 0).After(t), nil
}

func (s *Server) updateRecord(c *call, o *object, id string) *answer {
	in, err := c.decodeRecord()
	if err != nil {
		return failure(err)
	}
	if hasID(in) {
		return failure(&apiError{code: "INVALID_FIELD", message: "The Id field should not be specified in the sobject data.", fields: []string{"Id"}})
	}
	r, err := s.db.target(o, id)
	if err != nil {
		return failure(err)
	}
	if failed, err := precondition(c, o, r); err != nil {
		return failure(err)
	} else if failed {
		return failure(preconditionFailed())
	}
	if match := c.header.Get("If-None-Match"); match != "" && o.Name == "Account" && matches(match, etag(r)) {
		return failure(preconditionFailed())
	}
	t, end := c.begin(s.db)
	ch, err := s.db.decode(o, in)
	if err == nil {
		err = t.update(o, id, ch)
	}
	if err != nil {
		return end(failure(err))
	}
	return end(&answer{status: http.StatusNoContent})
}

// byKey is /sobjects/Account/External_Id__c/value.
func (s *Server) byKey(c *call, o *object, at int, key string) *answer {
	f := &o.Fields[at]
	if at == fieldID {
		return s.record(c, o, key)
	}
	v, _ := f.parse(key)
	found := o.table.having(at, v)
	if len(found) > 1 {
		list := make([]string, len(found))
		for i, r := range found {
			list[i] = "/services/data/v" + c.version + "/sobjects/" + o.Name + "/" + r.id()
		}
		return &answer{status: http.StatusMultipleChoices, body: list}
	}
	switch c.method {
	case http.MethodPatch, http.MethodPost:
		return s.upsert(c, o, at, key, found)
	case http.MethodGet, http.MethodHead, http.MethodDelete:
		if len(found) == 0 {
			return failure(notFound())
		}
		return s.record(c, o, found[0].id())
	}
	return failure(methodNotAllowed(c.method, "DELETE", "GET", "HEAD", "PATCH"))
}

func (s *Server) upsert(c *call, o *object, at int, key string, found []row) *answer {
	in, err := c.decodeRecord()
	if err != nil {
		return failure(err)
	}
	for name := range in {
		if strings.EqualFold(name, "id") || strings.EqualFold(name, o.Fields[at].Name) {
			return failure(&apiError{code: "INVALID_FIELD", message: "The " + name + " field should not be specified in the sobject data.", fields: []string{name}})
		}
	}
	t, end := c.begin(s.db)
	id, created, err := s.upsertOne(t, o, at, key, found, in, c.query.Get("updateOnly") == "true")
	if err != nil {
		return end(failure(err))
	}
	status := http.StatusOK
	a := &answer{body: members{{"id", id}, {"success", true}, {"errors", []any{}}, {"created", created}}}
	if created {
		status = http.StatusCreated
		a.with("Location", "/services/data/v"+c.version+"/sobjects/"+o.Name+"/"+id)
	}
	a.status = status
	return end(a)
}

func (s *Server) upsertOne(t *tx, o *object, at int, key any, found []row, in map[string]any, updateOnly bool) (id string, created bool, err *apiError) {
	ch, err := s.db.decode(o, in)
	if err != nil {
		return "", false, err
	}
	switch len(found) {
	case 0:
		if updateOnly {
			return "", false, notFound()
		}
		v, ok := o.Fields[at].parse(key)
		if !ok {
			return "", false, mistyped(&o.Fields[at], key)
		}
		ch[at] = v
		id, err = t.insert(o, ch)
		return id, true, err
	case 1:
		return found[0].id(), false, t.update(o, found[0].id(), ch)
	}
	return "", false, &apiError{code: "DUPLICATE_EXTERNAL_ID", message: "More than one record found for external id field: [" + found[0].id() + ", " + found[1].id() + "]", fields: []string{o.Fields[at].Name}}
}

// below is /sobjects/ContentVersion/068.../VersionData, and the records that a
// relationship leads to.
func (s *Server) below(c *call, o *object) *answer {
	found, r, there := s.db.find(c.path[2])
	if !there || found != o || r.deleted() {
		return failure(missing(c.path[2]))
	}
	if c.method != http.MethodGet && c.method != http.MethodHead {
		return failure(methodNotAllowed(c.method, "GET", "HEAD"))
	}
	name := c.path[3]
	if at, f := o.field(name); f != nil {
		data, isBlob := r[at].([]byte)
		if !isBlob {
			return failure(notFound())
		}
		return (&answer{status: http.StatusOK, data: data}).with("Content-Type", "application/octet-stream")
	}
	if via, ok := o.parents[strings.ToLower(name)]; ok {
		target, parent := s.db.parent(o, r, via)
		if parent == nil || parent.deleted() {
			return failure(notFound())
		}
		return s.readRecord(c, target, parent)
	}
	for _, child := range o.children {
		if child.name == "" || !strings.EqualFold(child.name, name) {
			continue
		}
		list, err := s.fieldList(child.object, c.query.Get("fields"))
		if err != nil {
			return failure(err)
		}
		p := &plan{db: s.db, object: child.object, query: &query{limit: -1}, show: s.show(child.object, list)}
		return s.page(&call{version: c.version, path: []string{"query"}}, &cursor{plan: p, rows: child.object.table.referring(child.field, r.id()), size: s.config.BatchSize, user: s.db.user}, "", 0)
	}
	return failure(notFound())
}

// changes is /sobjects/Account/updated and /deleted.
func (s *Server) changes(c *call, o *object, which string) *answer {
	if c.method != http.MethodGet {
		return failure(methodNotAllowed(c.method, "GET", "HEAD"))
	}
	var span [2]moment
	for i, name := range []string{"start", "end"} {
		m, ok := parseMoment(strings.ReplaceAll(c.query.Get(name), " ", "+"))
		if !ok {
			return failure(&apiError{code: "INVALID_REPLICATION_DATE", message: name + " must be a date and time such as 2026-01-31T00:00:00+00:00"})
		}
		span[i] = m
	}
	now := s.config.Now()
	start, end := span[0], span[1]
	switch {
	case end <= start:
		return failure(&apiError{code: "INVALID_REPLICATION_DATE", message: "endDate must be at least 1 minute after startDate"})
	case end-start < 60 || which == "deleted" && end-start == 60:
		return failure(&apiError{code: "INVALID_REPLICATION_DATE", message: "startDate must precede endDate by more than one minute"})
	case start < moment(now.AddDate(0, 0, -30).Unix()):
		return failure(&apiError{code: "INVALID_REPLICATION_DATE", message: "startDate cannot be more than 30 days ago"})
	}
	// Seconds do not count: both ends are taken at their minute.
	from, to := start/60*60, end/60*60
	covered := min(to, moment(now.Unix())/60*60)
	ids, deleted := []string{}, []members{}
	for _, r := range o.table.rows {
		at := r[fieldModstamp].(moment)
		if at < from || at >= to {
			continue
		}
		if r.deleted() {
			if at < moment(now.AddDate(0, 0, -15).Unix()) {
				continue // deletions are told for 15 days, and then no more
			}
			deleted = append(deleted, members{{"deletedDate", at.String()}, {"id", r.id()}})
		} else {
			ids = append(ids, r.id())
		}
	}
	if which == "updated" {
		return ok(members{{"ids", ids}, {"latestDateCovered", covered.String()}})
	}
	earliest := moment(s.started.AddDate(0, 0, -15).Unix()) / 60 * 60
	return ok(members{{"deletedRecords", deleted}, {"earliestDateAvailable", earliest.String()}, {"latestDateCovered", covered.String()}})
}
