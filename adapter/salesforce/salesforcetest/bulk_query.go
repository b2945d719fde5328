package salesforcetest

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
)

func (s *Server) newQueryJob(c *call) *answer {
	var body struct {
		Operation       string `json:"operation"`
		Query           string `json:"query"`
		LineEnding      string `json:"lineEnding"`
		ColumnDelimiter string `json:"columnDelimiter"`
	}
	if err := c.decodeBody(&body); err != nil {
		return failure(err)
	}
	if body.Operation != "query" && body.Operation != "queryAll" {
		return failure(&apiError{code: "INVALIDJOB", message: "operation is query or queryAll"})
	}
	p, err := s.prepare(body.Query)
	if err != nil {
		return failure(err)
	}
	if err := bulkable(p); err != nil {
		return failure(err)
	}
	j := &job{query: true, operation: body.Operation, object: p.object.Name, soql: body.Query, state: "UploadComplete"}
	if err := s.newJob(c, j, body.LineEnding, body.ColumnDelimiter); err != nil {
		return failure(err)
	}
	return ok(s.info(j, false))
}

// bulkable is an error for queries that bulk jobs don't do.
func bulkable(p *plan) *apiError {
	refuse := func(what string) *apiError {
		return &apiError{code: "API_ERROR", message: what + " not supported in Bulk API 2.0 queries"}
	}
	switch {
	case p.grouped || p.count || len(p.query.groupBy) > 0:
		return refuse("Aggregates and GROUP BY are")
	case p.query.offset > 0:
		return refuse("OFFSET is")
	}
	for _, q := range p.show.parts {
		if q.children != nil {
			return refuse("Queries of children are")
		}
		if q.parent == nil && q.poly == nil && p.object.Fields[q.field].Type == TypeAddress {
			return refuse("Compound fields are")
		}
	}
	return nil
}

func (s *Server) runQueryJob(j *job) {
	p, err := s.prepare(j.soql)
	if err != nil {
		j.state, j.message = "Failed", err.code+": "+err.message
		return
	}
	j.plan = p
	j.rows = p.query.cut(p.find(j.operation == "queryAll"))
	j.processed, j.state = len(j.rows), "JobComplete"
}

// queryResults is a page of what a query job found. Sforce-Locator leads to
// the next; "null" is the last.
func (s *Server) queryResults(c *call, j *job) *answer {
	s.work(j)
	if j.state != "JobComplete" {
		return failure(invalidState("The results are not there while the job is " + j.state))
	}
	size, from := s.config.BulkPageSize, 0
	if given := c.query.Get("maxRecords"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n <= 0 {
			return failure(&apiError{code: "INVALID_ARGUMENT", message: "maxRecords is no positive number: " + given})
		}
		size = n
	}
	if locator := c.query.Get("locator"); locator != "" {
		decoded, err := base64.RawURLEncoding.DecodeString(locator)
		n, notNumber := strconv.Atoi(string(decoded))
		if err != nil || notNumber != nil || n < 0 || n > len(j.rows) {
			return failure(&apiError{code: "INVALID_QUERY_LOCATOR", message: "invalid query locator"})
		}
		from = n
	}
	to := min(from+size, len(j.rows))
	locator := "null"
	if to < len(j.rows) {
		locator = base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(to)))
	}
	w := csvWriter{delimiter: delimiters[j.delimiter], ending: endings[j.lineEnding]}
	w.line(j.plan.show.columns(""))
	for _, r := range j.rows[from:to] {
		w.line(j.plan.show.cells(nil, s.db, r))
	}
	a := &answer{status: http.StatusOK, data: w.data}
	return a.with("Content-Type", "text/csv").with("Sforce-Locator", locator).with("Sforce-NumberOfRecords", strconv.Itoa(to-from))
}

var endings = map[string]string{"LF": "\n", "CRLF": "\r\n"}

// columns are the names of what is shown, "Account.Name" of parents.
func (s *shown) columns(prefix string) []string {
	var list []string
	for _, q := range s.parts {
		switch {
		case q.parent != nil:
			list = append(list, q.parent.columns(prefix+q.name+".")...)
		case q.poly != nil:
			for _, name := range q.poly {
				list = append(list, prefix+q.name+"."+name)
			}
		default:
			list = append(list, prefix+q.name)
		}
	}
	return list
}

// cells are the values of a record in the order of columns; r may be nil.
func (s *shown) cells(list []string, db *database, r row) []string {
	for i := range s.parts {
		q := &s.parts[i]
		switch {
		case q.parent != nil:
			_, parent := db.parent(s.object, r, q.field)
			list = q.parent.cells(list, db, parent)
		case q.poly != nil:
			target, parent := db.parent(s.object, r, q.field)
			for _, name := range q.poly {
				text := ""
				if parent != nil {
					text, _ = polyValue(target, parent, name).(string)
				}
				list = append(list, text)
			}
		case r == nil:
			list = append(list, "")
		default:
			f := &s.object.Fields[q.field]
			list = append(list, f.text(db.fieldValue(s.object, r, q.field)))
		}
	}
	return list
}

// csvWriter writes CSV as the bulk API does: every value in quotes.
type csvWriter struct {
	delimiter byte
	ending    string
	data      []byte
}

func (w *csvWriter) line(cells []string) {
	for i, cell := range cells {
		if i > 0 {
			w.data = append(w.data, w.delimiter)
		}
		w.data = append(w.data, '"')
		w.data = append(w.data, strings.ReplaceAll(cell, `"`, `""`)...)
		w.data = append(w.data, '"')
	}
	w.data = append(w.data, w.ending...)
}
