package salesforcetest

import (
	"net/http"
	"strconv"
	"strings"
)

// maxCollection is how many records a call may have.
const maxCollection = 200

// composite is /composite and what is below it.
func (s *Server) composite(c *call) *answer {
	if len(c.path) == 1 {
		if c.method == http.MethodGet {
			base := "/services/data/v" + c.version + "/composite"
			return ok(members{{"tree", base + "/tree"}, {"batch", base + "/batch"}, {"sobjects", base + "/sobjects"}, {"graph", base + "/graph"}})
		}
		return s.compositeRequest(c)
	}
	switch c.path[1] {
	case "batch":
		return s.batch(c)
	case "graph":
		return s.graph(c)
	case "tree":
		if len(c.path) == 3 {
			return s.tree(c, c.path[2])
		}
	case "sobjects":
		switch len(c.path) {
		case 2:
			return s.collection(c)
		case 3:
			return s.retrieveMany(c, c.path[2])
		case 4:
			return s.upsertMany(c, c.path[2], c.path[3])
		}
	}
	return failure(notFound())
}

type collectionBody struct {
	AllOrNone bool             `json:"allOrNone"`
	Records   []map[string]any `json:"records"`
}

func (s *Server) collection(c *call) *answer {
	switch c.method {
	case http.MethodPost:
		return s.writeMany(c, func(t *tx, o *object, in map[string]any) (string, *apiError) {
			if hasID(in) {
				return "", &apiError{code: "INVALID_FIELD", message: "cannot specify Id in an insert call", fields: []string{"Id"}}
			}
			return s.create(t, o, in)
		})
	case http.MethodPatch:
		return s.writeMany(c, func(t *tx, o *object, in map[string]any) (string, *apiError) {
			id := ""
			for key, v := range in {
				if strings.EqualFold(key, "id") {
					id, _ = v.(string)
				}
			}
			if id == "" {
				return "", &apiError{code: "MISSING_ARGUMENT", message: "Id not specified in an update call", fields: []string{}}
			}
			ch, err := s.db.decode(o, in)
			if err != nil {
				return "", err
			}
			if err := t.update(o, id, ch); err != nil {
				return "", err
			}
			full, _ := parseID(id)
			return full, nil
		})
	case http.MethodDelete:
		return s.removeMany(c)
	}
	return failure(methodNotAllowed(c.method, "DELETE", "PATCH", "POST"))
}

// tooMany is an error if a call has no or too many records.
func tooMany(n int) *apiError {
	if n > maxCollection {
		return &apiError{code: "EXCEEDED_MAX_SIZE_REQUEST", message: "record limit reached. cannot submit more than " + strconv.Itoa(maxCollection) + " records into this call"}
	}
	return nil
}

// typeOf finds the object that a record of a collection is of.
func (s *Server) typeOf(in map[string]any) (*object, *apiError) {
	a, _ := in["attributes"].(map[string]any)
	name, _ := a["type"].(string)
	if name == "" {
		return nil, &apiError{code: "INVALID_TYPE", message: "Each object must contain an attributes map with a value for type"}
	}
	o := s.db.object(name)
	if o == nil {
		return nil, &apiError{code: "INVALID_TYPE", message: "sObject type '" + name + "' is not supported."}
	}
	return o, nil
}

// wellFormed holds the records of a collection against their objects before
// any is written: an unknown field or a value of another type makes the whole
// call a bad one.
func (s *Server) wellFormed(records []map[string]any) ([]*object, *apiError) {
	if err := tooMany(len(records)); err != nil {
		return nil, err
	}
	objects := make([]*object, len(records))
	chunks := 0
	for i, in := range records {
		o, err := s.typeOf(in)
		if err != nil {
			return nil, err
		}
		if _, err := s.db.decode(o, in); err != nil && (err.code == "JSON_PARSER_ERROR" || strings.HasPrefix(err.message, "No such column")) {
			return nil, err
		}
		if i == 0 || objects[i-1] != o {
			chunks++
		}
		objects[i] = o
	}
	if chunks > 10 {
		return nil, &apiError{code: "INVALID_INPUT", message: "The collection has " + strconv.Itoa(chunks) + " chunks of records of one type in turn; there may be 10."}
	}
	return objects, nil
}

func (s *Server) writeMany(c *call, write func(*tx, *object, map[string]any) (string, *apiError)) *answer {
	var body collectionBody
	if err := c.decodeBody(&body); err != nil {
		return failure(err)
	}
	objects, err := s.wellFormed(body.Records)
	if err != nil {
		return failure(err)
	}
	t, _ := c.begin(s.db)
	mark := t.mark()
	results, failures := make([]saved, len(body.Records)), 0
	for i, in := range body.Records {
		id, err := write(t, objects[i], in)
		results[i] = saved{id: id, err: err}
		if err != nil {
			failures++
		}
	}
	return s.results(t, mark, results, body.AllOrNone && failures > 0, c.method != http.MethodPost)
}

// saved is what became of one record.
type saved struct {
	id      string
	created *bool
	err     *apiError
}

// results tells what became of each record, and undoes all if one failure is
// to be that of all.
func (s *Server) results(t *tx, mark int, list []saved, undo, showIDs bool) *answer {
	if undo {
		t.rollback(mark)
	}
	out := make([]members, len(list))
	for i, r := range list {
		switch {
		case r.err != nil:
			out[i] = members{{"success", false}, {"errors", []members{r.err.result()}}}
		case undo:
			rolledBack := &apiError{code: "ALL_OR_NONE_OPERATION_ROLLED_BACK", message: "Record rolled back because not all records were valid and the request was using AllOrNone header"}
			out[i] = members{{"success", false}, {"errors", []members{rolledBack.result()}}}
			if showIDs {
				out[i] = append(members{{"id", r.id}}, out[i]...)
			}
		default:
			out[i] = members{{"id", r.id}, {"success", true}, {"errors", []members{}}}
			if r.created != nil {
				out[i] = append(out[i], member{"created", *r.created})
			}
		}
	}
	return ok(out)
}

func (s *Server) removeMany(c *call) *answer {
	given := c.query.Get("ids")
	if given == "" {
		return failure(&apiError{code: "MISSING_ARGUMENT", message: "The ids parameter is required"})
	}
	ids := strings.Split(given, ",")
	if err := tooMany(len(ids)); err != nil {
		return failure(err)
	}
	t, _ := c.begin(s.db)
	mark := t.mark()
	results, failures := make([]saved, len(ids)), 0
	for i, text := range ids {
		text = strings.TrimSpace(text)
		id, ok := parseID(text)
		var err *apiError
		if o := s.db.byPrefix(text[:min(3, len(text))]); !ok || o == nil {
			err = &apiError{code: "MALFORMED_ID", message: "malformed id " + text, fields: []string{}}
		} else {
			err = t.remove(o, id)
		}
		results[i] = saved{id: id, err: err}
		if err != nil {
			failures++
		}
	}
	return s.results(t, mark, results, strings.EqualFold(c.query.Get("allOrNone"), "true") && failures > 0, true)
}

// retrieveMany is GET and POST /composite/sobjects/Account: records by ids.
func (s *Server) retrieveMany(c *call, name string) *answer {
	o := s.db.object(name)
	if o == nil {
		return failure(notFound())
	}
	ids, fields := strings.Split(c.query.Get("ids"), ","), c.query.Get("fields")
	most := 800
	switch c.method {
	case http.MethodPost:
		var body struct {
			IDs    []string `json:"ids"`
			Fields []string `json:"fields"`
		}
		if err := c.decodeBody(&body); err != nil {
			return failure(err)
		}
		ids, fields, most = body.IDs, strings.Join(body.Fields, ","), 2000
	case http.MethodGet:
	default:
		return failure(methodNotAllowed(c.method, "GET", "HEAD", "PATCH", "POST"))
	}
	if len(ids) > most {
		return failure(&apiError{code: "EXCEEDED_MAX_SIZE_REQUEST", message: "record limit reached. cannot submit more than " + strconv.Itoa(most) + " records into this call"})
	}
	if fields == "" {
		return failure(&apiError{code: "MISSING_ARGUMENT", message: "The fields parameter is required"})
	}
	list, err := s.fieldList(o, fields)
	if err != nil {
		return failure(err)
	}
	show := s.show(o, list)
	b := []byte{'['}
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		found, r, there := s.db.find(id)
		if !there || found != o || r.deleted() {
			b = append(b, "null"...)
			continue
		}
		b = show.append(b, s.db, c.version, r)
	}
	return ok(raw(append(b, ']')))
}

// upsertMany is PATCH /composite/sobjects/Account/External_Id__c.
func (s *Server) upsertMany(c *call, name, field string) *answer {
	o := s.db.object(name)
	if o == nil {
		return failure(notFound())
	}
	if c.method != http.MethodPatch {
		return failure(methodNotAllowed(c.method, "PATCH"))
	}
	at, f := o.field(field)
	if f == nil || !f.ExternalID && at != fieldID {
		return failure(&apiError{status: 404, code: "NOT_FOUND", message: "Provided external ID field does not exist or is not accessible: " + field})
	}
	var body collectionBody
	if err := c.decodeBody(&body); err != nil {
		return failure(err)
	}
	if _, err := s.wellFormed(body.Records); err != nil {
		return failure(err)
	}
	t, _ := c.begin(s.db)
	mark := t.mark()
	results, failures := make([]saved, len(body.Records)), 0
	seen := map[string]bool{}
	for i, in := range body.Records {
		results[i] = s.upsertRecord(t, o, at, in, seen)
		if results[i].err != nil {
			failures++
		}
	}
	return s.results(t, mark, results, body.AllOrNone && failures > 0, false)
}

func (s *Server) upsertRecord(t *tx, o *object, at int, in map[string]any, seen map[string]bool) saved {
	f := &o.Fields[at]
	var key any
	for name, v := range in {
		if strings.EqualFold(name, f.Name) {
			key = v
		}
	}
	v, ok := f.parse(key)
	if !ok || v == nil && at != fieldID {
		return saved{err: &apiError{code: "MISSING_ARGUMENT", message: f.Name + " not specified", fields: []string{}}}
	}
	var found []row
	if at == fieldID && v != nil {
		r, err := s.db.target(o, v.(string))
		if err != nil {
			return saved{err: err}
		}
		found = []row{r}
	} else if v != nil {
		text, _ := f.key(v)
		if seen[text] {
			return saved{err: &apiError{code: "DUPLICATE_VALUE", message: "Duplicate external id specified: " + f.text(v), fields: []string{f.Name}}}
		}
		seen[text] = true
		found = o.table.having(at, v)
	}
	rest := map[string]any{}
	for name, v := range in {
		if !strings.EqualFold(name, f.Name) {
			rest[name] = v
		}
	}
	if at == fieldID && v == nil {
		id, err := s.create(t, o, rest)
		created := true
		return saved{id: id, created: &created, err: err}
	}
	id, created, err := s.upsertOne(t, o, at, key, found, rest, false)
	return saved{id: id, created: &created, err: err}
}
