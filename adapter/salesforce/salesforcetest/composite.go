package salesforcetest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// subrequest is a part of a composite request.
type subrequest struct {
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	ReferenceID string            `json:"referenceId"`
	Body        any               `json:"body"`
	RichInput   any               `json:"richInput"` // of /composite/batch
	HTTPHeaders map[string]string `json:"httpHeaders"`
}

func halted() *apiError {
	return &apiError{code: "PROCESSING_HALTED", message: "The transaction was rolled back since another operation in the same transaction failed."}
}

// sub carries out a part.
func (s *Server) sub(part subrequest, t *tx, body any) *answer {
	path, query, _ := strings.Cut(part.URL, "?")
	header := http.Header{"Content-Type": {"application/json"}}
	for key, v := range part.HTTPHeaders {
		header.Set(key, v)
	}
	var data []byte
	if body != nil {
		data = appendJSON(nil, body)
	}
	c, err := s.newCall(strings.ToUpper(part.Method), path, query, header, data)
	if err != nil {
		return failure(err)
	}
	if c.path[0] == "composite" && (len(c.path) == 1 || c.path[1] != "sobjects" && c.path[1] != "tree") || c.path[0] == "jobs" {
		return failure(&apiError{code: "INVALID_INPUT", message: "The resource " + path + " is not supported in a composite request"})
	}
	c.tx, c.nested = t, true
	return s.dispatch(c)
}

// batch is /composite/batch: calls that do not depend on each other.
func (s *Server) batch(c *call) *answer {
	if c.method != http.MethodPost {
		return failure(methodNotAllowed(c.method, "POST"))
	}
	var body struct {
		BatchRequests []subrequest `json:"batchRequests"`
		HaltOnError   bool         `json:"haltOnError"`
	}
	if err := c.decodeBody(&body); err != nil {
		return failure(err)
	}
	if len(body.BatchRequests) > 25 {
		return failure(&apiError{code: "LIMIT_EXCEEDED", message: "The batch request has more than 25 subrequests"})
	}
	results, failed := []members{}, false
	for _, part := range body.BatchRequests {
		if failed && body.HaltOnError {
			results = append(results, members{{"statusCode", 412}, {"result", []members{{{"errorCode", "BATCH_PROCESSING_HALTED"}, {"message", "Batch processing halted per request"}}}}})
			continue
		}
		if !strings.HasPrefix(part.URL, "/") {
			part.URL = "/services/data/" + part.URL
		}
		a := s.sub(part, nil, part.RichInput)
		failed = failed || a.failed()
		results = append(results, members{{"statusCode", a.status}, {"result", a.body}})
	}
	return ok(members{{"hasErrors", failed}, {"results", results}})
}

// compositeRequest is /composite: calls in turn that may use what those before
// them came to.
func (s *Server) compositeRequest(c *call) *answer {
	if c.method != http.MethodPost {
		return failure(methodNotAllowed(c.method, "GET", "HEAD", "POST"))
	}
	var body struct {
		AllOrNone        bool         `json:"allOrNone"`
		CompositeRequest []subrequest `json:"compositeRequest"`
	}
	if err := c.decodeBody(&body); err != nil {
		return failure(err)
	}
	if err := checkParts(body.CompositeRequest, 25); err != nil {
		return failure(err)
	}
	heavy := 0
	for _, part := range body.CompositeRequest {
		if strings.Contains(part.URL, "/query") || strings.Contains(part.URL, "/composite/sobjects") {
			heavy++
		}
	}
	if heavy > 5 {
		return failure(&apiError{code: "LIMIT_EXCEEDED", message: "The composite request has more than 5 subrequests that are queries or sObject collections"})
	}
	var t *tx
	if body.AllOrNone {
		t = s.db.begin()
	}
	results, _ := s.run(body.CompositeRequest, t)
	return ok(members{{"compositeResponse", results}})
}

var referenceID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_]*$`)

func checkParts(parts []subrequest, most int) *apiError {
	if len(parts) > most {
		return &apiError{code: "LIMIT_EXCEEDED", message: "The composite request has more than " + strconv.Itoa(most) + " subrequests"}
	}
	seen := map[string]bool{}
	for _, part := range parts {
		switch {
		case !referenceID.MatchString(part.ReferenceID):
			return &apiError{code: "INVALID_INPUT", message: "Invalid referenceId: '" + part.ReferenceID + "'"}
		case seen[part.ReferenceID]:
			return &apiError{code: "INVALID_INPUT", message: "Duplicate referenceId: '" + part.ReferenceID + "'"}
		}
		seen[part.ReferenceID] = true
	}
	return nil
}

// run carries out parts in turn. With a transaction one failure is that of
// all.
func (s *Server) run(parts []subrequest, t *tx) (results []members, successful bool) {
	answers := make([]*answer, len(parts))
	values := map[string]any{}
	failed := -1
	for i, part := range parts {
		if failed >= 0 && t != nil {
			answers[i] = failure(halted())
			continue
		}
		answers[i] = s.runPart(part, t, values)
		if answers[i].failed() || t != nil && partlyFailed(answers[i].body) {
			failed = i
		}
	}
	if failed >= 0 && t != nil {
		t.rollback(0)
		for i := range failed {
			answers[i] = failure(halted())
		}
	}
	for i, part := range parts {
		header := members{}
		if location := answers[i].header.Get("Location"); location != "" {
			header = members{{"Location", location}}
		}
		results = append(results, members{{"body", answers[i].body}, {"httpHeaders", header}, {"httpStatusCode", answers[i].status}, {"referenceId", part.ReferenceID}})
	}
	return results, failed < 0
}

// partlyFailed says whether a collection has a record that failed.
func partlyFailed(body any) bool {
	list, _ := body.([]members)
	for _, m := range list {
		for _, of := range m {
			if of.key == "success" && of.value == false {
				return true
			}
		}
	}
	return false
}

func (s *Server) runPart(part subrequest, t *tx, values map[string]any) *answer {
	body, err := resolve(part.Body, values)
	if err != nil {
		return failure(err)
	}
	address, err := resolveText(part.URL, values, true)
	if err != nil {
		return failure(err)
	}
	part.URL, _ = address.(string)
	a := s.sub(part, t, body)
	if a.failed() {
		return a
	}
	decoder := json.NewDecoder(bytes.NewReader(appendJSON(nil, a.body)))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) == nil {
		values[part.ReferenceID] = v
	}
	return a
}

var reference = regexp.MustCompile(`@\{([A-Za-z0-9_]+)((?:\.[A-Za-z0-9_]+|\[\d+\])*)\}`)

// resolve replaces the references in a body: "@{order.id}".
func resolve(v any, values map[string]any) (any, *apiError) {
	switch v := v.(type) {
	case string:
		return resolveText(v, values, false)
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, of := range v {
			resolved, err := resolve(of, values)
			if err != nil {
				return nil, err
			}
			out[key] = resolved
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, of := range v {
			resolved, err := resolve(of, values)
			if err != nil {
				return nil, err
			}
			out[i] = resolved
		}
		return out, nil
	}
	return v, nil
}

func resolveText(text string, values map[string]any, address bool) (any, *apiError) {
	if whole := reference.FindStringSubmatch(text); whole != nil && whole[0] == text && !address {
		return follow(whole[1], whole[2], values)
	}
	var failed *apiError
	out := reference.ReplaceAllStringFunc(text, func(match string) string {
		parts := reference.FindStringSubmatch(match)
		v, err := follow(parts[1], parts[2], values)
		if err != nil {
			failed = err
			return match
		}
		replaced := ""
		switch v := v.(type) {
		case string:
			replaced = v
		case nil:
		default:
			replaced = string(appendJSON(nil, v))
		}
		if address {
			return url.QueryEscape(replaced)
		}
		return replaced
	})
	return out, failed
}

// follow finds what a reference means.
func follow(name, path string, values map[string]any) (any, *apiError) {
	v, known := values[name]
	bad := &apiError{code: "PROCESSING_HALTED", message: "Invalid reference specified. No value for " + name + path + " found in " + name}
	if !known {
		return nil, bad
	}
	for step := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		switch of := v.(type) {
		case map[string]any:
			if v, known = of[step]; !known {
				for key := range of {
					if strings.EqualFold(key, step) {
						v, known = of[key], true
					}
				}
			}
		case []any:
			n, err := strconv.Atoi(step)
			known = err == nil && n < len(of)
			if known {
				v = of[n]
			}
		default:
			known = false
		}
		if !known {
			return nil, bad
		}
	}
	return v, nil
}

// maxKinds is how many different nodes a graph may have.
const maxKinds = 15

// nodeKind tells nodes apart as the limit does: by method, version and object.
func nodeKind(part subrequest) string {
	path := strings.SplitN(part.URL, "/", 7)
	return part.Method + " " + strings.Join(path[:min(len(path), 6)], "/")
}

// graph is /composite/graph: several composite requests, each of which is
// done whole or not at all.
func (s *Server) graph(c *call) *answer {
	if c.method != http.MethodPost {
		return failure(methodNotAllowed(c.method, "POST"))
	}
	var body struct {
		Graphs []struct {
			GraphID          string       `json:"graphId"`
			CompositeRequest []subrequest `json:"compositeRequest"`
		} `json:"graphs"`
	}
	if err := c.decodeBody(&body); err != nil {
		return failure(err)
	}
	nodes, kinds := 0, map[string]bool{}
	for _, g := range body.Graphs {
		nodes += len(g.CompositeRequest)
		for _, part := range g.CompositeRequest {
			kinds[nodeKind(part)] = true
		}
		if err := checkParts(g.CompositeRequest, 500); err != nil {
			return failure(err)
		}
	}
	if nodes > 500 || len(body.Graphs) > 75 {
		return failure(&apiError{code: "LIMIT_EXCEEDED", message: "The request has more than 500 nodes or 75 graphs"})
	}
	if len(kinds) > maxKinds {
		return failure(&apiError{code: "LIMIT_EXCEEDED", message: "The request has more than 15 different nodes"})
	}
	graphs := []members{}
	for _, g := range body.Graphs {
		results, successful := s.run(g.CompositeRequest, s.db.begin())
		graphs = append(graphs, members{{"graphId", g.GraphID}, {"graphResponse", members{{"compositeResponse", results}}}, {"isSuccessful", successful}})
	}
	return ok(members{{"graphs", graphs}})
}

// tree is /composite/tree/Account: records with their children, all or none.
func (s *Server) tree(c *call, name string) *answer {
	if c.method != http.MethodPost {
		return failure(methodNotAllowed(c.method, "POST"))
	}
	o := s.db.object(name)
	if o == nil {
		return failure(notFound())
	}
	var body collectionBody
	if err := c.decodeBody(&body); err != nil {
		return failure(err)
	}
	t, _ := c.begin(s.db)
	growing := &growing{server: s, tx: t, types: map[string]bool{}, references: map[string]bool{}}
	mark := t.mark()
	growing.level(o, body.Records, -1, "", 1)
	if growing.bad != nil {
		t.rollback(mark)
		return failure(growing.bad)
	}
	if len(growing.failed) > 0 {
		t.rollback(mark)
		return &answer{status: http.StatusBadRequest, body: members{{"hasErrors", true}, {"results", growing.failed}}}
	}
	return &answer{status: http.StatusCreated, body: members{{"hasErrors", false}, {"results", growing.made}}}
}

// growing is a tree of records that is being made.
type growing struct {
	server     *Server
	tx         *tx
	made       []members
	failed     []members
	bad        *apiError // the call is a bad one as a whole
	types      map[string]bool
	references map[string]bool
	count      int
}

func (g *growing) fail(reference string, err *apiError) {
	g.failed = append(g.failed, members{{"referenceId", reference}, {"errors", []members{err.result()}}})
}

// level makes records and what is below them.
func (g *growing) level(o *object, records []map[string]any, inverse int, parent string, depth int) {
	for _, in := range records {
		if g.bad != nil {
			return
		}
		attributes, _ := in["attributes"].(map[string]any)
		reference, _ := attributes["referenceId"].(string)
		kind, _ := attributes["type"].(string)
		g.count++
		g.types[o.Name] = true
		switch {
		case g.count > maxCollection:
			g.bad = &apiError{code: "EXCEEDED_MAX_SIZE_REQUEST", message: "record limit reached. cannot submit more than 200 records into this call"}
		case depth > 5 || len(g.types) > 5:
			g.bad = &apiError{code: "INVALID_INPUT", message: "A tree can have 5 levels and records of 5 types"}
		case reference == "" || g.references[reference]:
			g.fail(reference, &apiError{code: "INVALID_INPUT", message: "Duplicate or missing ReferenceId provided in the request."})
		case !strings.EqualFold(kind, o.Name):
			g.fail(reference, &apiError{code: "INVALID_INPUT", message: "Include a type of '" + o.Name + "' in the attributes of each record."})
		default:
			g.references[reference] = true
			g.record(o, in, inverse, parent, reference, depth)
		}
	}
}

func (g *growing) record(o *object, in map[string]any, inverse int, parent, reference string, depth int) {
	own := map[string]any{}
	type branch struct {
		child   childRelationship
		records []map[string]any
	}
	var branches []branch
	for key, v := range in {
		nested, isObject := v.(map[string]any)
		list, isList := nested["records"].([]any)
		if !isObject || !isList {
			own[key] = v
			continue
		}
		found := false
		for _, child := range o.children {
			if child.name != "" && strings.EqualFold(child.name, key) {
				found = true
				b := branch{child: child}
				for _, of := range list {
					record, _ := of.(map[string]any)
					b.records = append(b.records, record)
				}
				branches = append(branches, b)
			}
		}
		if !found {
			g.bad = &apiError{code: "INVALID_FIELD", message: "No such column '" + key + "' on sobject of type " + o.Name}
			return
		}
	}
	ch, err := g.server.db.decode(o, own)
	if err != nil {
		g.bad = err
		return
	}
	if inverse >= 0 {
		ch[inverse] = parent
	}
	id, err := g.tx.insert(o, ch)
	if err != nil {
		g.fail(reference, err)
		return
	}
	g.made = append(g.made, members{{"referenceId", reference}, {"id", id}})
	for _, b := range branches {
		g.level(b.child.object, b.records, b.child.field, id, depth+1)
	}
}
