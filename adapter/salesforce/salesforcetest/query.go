package salesforcetest

import (
	"net/http"
	"strconv"
	"strings"
)

// cursor is the rest of an answer: what was found when the query ran, with the
// values of then.
type cursor struct {
	plan *plan
	rows []row
	size int // records an answer
	user string
}

// serveQuery is /query and /queryAll.
func (s *Server) serveQuery(c *call) *answer {
	if c.method != http.MethodGet && c.method != http.MethodHead {
		return failure(methodNotAllowed(c.method, "GET", "HEAD"))
	}
	if len(c.path) > 1 {
		return s.queryMore(c)
	}
	soql := c.query.Get("q")
	if !c.query.Has("q") {
		return failure(&apiError{code: "MALFORMED_QUERY", message: "A query string has to be specified"})
	}
	p, err := s.prepare(soql)
	if err != nil {
		return failure(err)
	}
	all := c.path[0] == "queryAll"
	if p.grouped {
		return s.groupAnswer(p, all)
	}
	found := p.find(all)
	if p.count {
		found = p.query.cut(found)
		return ok(members{{"totalSize", len(found)}, {"done", true}, {"records", []members{}}})
	}
	found = p.query.cut(found)
	at := &cursor{plan: p, rows: found, size: s.batchSize(c), user: s.db.user}
	return s.page(c, at, "", 0)
}

func (s *Server) prepare(soql string) (*plan, *apiError) {
	q, err := parseSOQL(soql)
	if err != nil {
		return nil, err
	}
	o := s.db.object(q.from.text)
	if o == nil {
		return nil, unsupported(soql, q.from)
	}
	return s.db.prepare(q, o)
}

// batchSize is how many records an answer has: what the client asks for
// within 200 and 2,000.
func (s *Server) batchSize(c *call) int {
	for option := range strings.SplitSeq(c.header.Get("Sforce-Query-Options"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(option), "=")
		if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && strings.EqualFold(strings.TrimSpace(name), "batchSize") {
			return min(max(n, 200), 2000)
		}
	}
	return s.config.BatchSize
}

// queryMore is /query/{locator}.
func (s *Server) queryMore(c *call) *answer {
	locator := c.path[1]
	id, offset, _ := strings.Cut(locator, "-")
	n, err := strconv.Atoi(offset)
	at := s.cursors[id]
	if at == nil || err != nil || n < 0 || n > len(at.rows) || at.user != s.db.user {
		return failure(&apiError{code: "INVALID_QUERY_LOCATOR", message: "invalid query locator"})
	}
	return s.page(c, at, id, n)
}

// page answers with a part of what was found.
func (s *Server) page(c *call, at *cursor, id string, from int) *answer {
	to := min(from+at.size, len(at.rows))
	b := append([]byte(nil), `{"totalSize":`...)
	b = strconv.AppendInt(b, int64(len(at.rows)), 10)
	b = append(b, `,"done":`...)
	b = strconv.AppendBool(b, to == len(at.rows))
	if to < len(at.rows) {
		if id == "" {
			s.sequence++
			id = newID("01g", s.sequence)
			s.cursors[id] = at
		}
		b = append(b, `,"nextRecordsUrl":"/services/data/v`...)
		b = append(b, c.version+"/"+c.path[0]+"/"+id+"-"+strconv.Itoa(to)+`"`...)
	}
	b = append(b, `,"records":[`...)
	for i, r := range at.rows[from:to] {
		if i > 0 {
			b = append(b, ',')
		}
		b = at.plan.show.append(b, s.db, c.version, r)
	}
	b = append(b, "]}"...)
	return ok(raw(b))
}

func (s *Server) groupAnswer(p *plan, all bool) *answer {
	groups := p.groups(all)
	if len(groups) > 2000 {
		return failure(&apiError{code: "EXCEEDED_ID_LIMIT", message: "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch"})
	}
	groups = groups[min(p.query.offset, len(groups)):]
	if p.query.limit >= 0 && p.query.limit < len(groups) {
		groups = groups[:p.query.limit]
	}
	records := []members{}
	for _, g := range groups {
		records = append(records, p.record(g))
	}
	return ok(members{{"totalSize", len(records)}, {"done", true}, {"records", records}})
}

// search is a little of /search and /parameterizedSearch: a word in the names
// of records.
func (s *Server) search(c *call) *answer {
	q := c.query.Get("q")
	objects := c.query["sobject"]
	if c.path[0] == "search" {
		_, rest, found := strings.Cut(q, "{")
		word, rest, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return failure(&apiError{code: "MALFORMED_SEARCH", message: "No search term found. The search term must be enclosed in braces."})
		}
		q = word
		if _, list, ok := strings.Cut(strings.ToUpper(rest), "RETURNING"); ok {
			for name := range strings.SplitSeq(list, ",") {
				name, _, _ = strings.Cut(strings.TrimSpace(name), "(")
				objects = append(objects, strings.TrimSpace(name))
			}
		}
	}
	if len(strings.Trim(q, "*? ")) < 2 {
		return failure(&apiError{code: "MALFORMED_SEARCH", message: "search term must be longer than one character: " + q})
	}
	if len(objects) == 0 {
		objects = []string{"Account", "Contact", "Lead", "Opportunity", "Product2"}
	}
	word := strings.ToLower(strings.Trim(q, "*? "))
	records := []members{}
	for _, name := range objects {
		o := s.db.object(name)
		if o == nil {
			return failure(&apiError{code: "INVALID_TYPE", message: "sObject type '" + name + "' is not supported."})
		}
		for _, r := range o.table.rows {
			if o.name >= 0 && !r.deleted() && strings.Contains(strings.ToLower(r.text(o.name)), word) && len(records) < 2000 {
				records = append(records, members{{"attributes", attributes(c.version, o, r.id())}, {"Id", r.id()}})
			}
		}
	}
	return ok(members{{"searchRecords", records}})
}

func attributes(version string, o *object, id string) members {
	return members{{"type", o.Name}, {"url", "/services/data/v" + version + "/sobjects/" + o.Name + "/" + id}}
}
