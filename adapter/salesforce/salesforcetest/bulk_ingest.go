package salesforcetest

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"strings"
)

// maxUpload is how many bytes of CSV a job takes, which is 150 MB once they
// are in base64.
const maxUpload = 100 << 20

func (s *Server) newIngestJob(c *call) *answer {
	var body struct {
		Operation           string `json:"operation"`
		Object              string `json:"object"`
		ContentType         string `json:"contentType"`
		ExternalIDFieldName string `json:"externalIdFieldName"`
		LineEnding          string `json:"lineEnding"`
		ColumnDelimiter     string `json:"columnDelimiter"`
	}
	if err := c.decodeBody(&body); err != nil {
		return failure(err)
	}
	o := s.db.object(body.Object)
	if o == nil {
		return failure(&apiError{code: "INVALIDJOB", message: "InvalidJob : Unable to find object: " + body.Object})
	}
	if body.ContentType != "" && body.ContentType != "CSV" {
		return failure(&apiError{code: "INVALIDJOB", message: "InvalidJob : contentType is CSV"})
	}
	switch body.Operation {
	case "insert", "update", "delete", "hardDelete":
	case "upsert":
		at, f := o.field(body.ExternalIDFieldName)
		if f == nil || !f.ExternalID && at != fieldID {
			return failure(&apiError{code: "INVALIDJOB", message: "InvalidJob : Field name not found or not an external id: " + body.ExternalIDFieldName})
		}
	default:
		return failure(&apiError{code: "INVALIDJOB", message: "InvalidJob : operation is insert, update, upsert, delete or hardDelete"})
	}
	j := &job{operation: body.Operation, object: o.Name, state: "Open", external: body.ExternalIDFieldName}
	if err := s.newJob(c, j, body.LineEnding, body.ColumnDelimiter); err != nil {
		return failure(err)
	}
	return ok(s.info(j, false))
}

// upload takes the data of a job, once.
func (s *Server) upload(c *call, j *job) *answer {
	kind, _, _ := strings.Cut(c.header.Get("Content-Type"), ";")
	switch {
	case j.state != "Open":
		return failure(invalidState("The job takes no data while it is " + j.state))
	case j.uploaded:
		return failure(&apiError{code: "INVALIDJOBSTATE", message: "Found multiple contents for job: <" + j.id + ">, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job and make sure you only do 'PUT' once on a given Job."})
	case strings.TrimSpace(kind) != "text/csv":
		return failure(&apiError{status: 415, code: "UNSUPPORTED_MEDIA_TYPE", message: "Content-Type of the data is text/csv"})
	case len(c.body) > maxUpload:
		return failure(&apiError{status: 413, code: "CLIENTINPUTERROR", message: "The data is larger than 150 MB in base64"})
	}
	j.data, j.uploaded = c.body, true
	return &answer{status: http.StatusCreated}
}

// runIngestJob writes the records of a job, each on its own.
func (s *Server) runIngestJob(j *job) {
	data := bytes.TrimPrefix(j.data, []byte("\ufeff"))
	o := s.db.object(j.object)
	if first := bytes.IndexByte(data, '\n'); first >= 0 {
		if crlf := first > 0 && data[first-1] == '\r'; crlf != (j.lineEnding == "CRLF") {
			j.state, j.message = "Failed", "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is "+j.lineEnding
			j.left = j.data
			return
		}
	}
	reader := csv.NewReader(bytes.NewReader(data))
	reader.Comma = rune(delimiters[j.delimiter])
	reader.FieldsPerRecord = -1
	header, err := reader.Read()
	if err != nil {
		j.state, j.message = "Failed", "InvalidBatch : The data has no header"
		return
	}
	columns, problem := s.columns(o, header)
	if problem != "" {
		j.state, j.message = "Failed", problem
		j.left = j.data
		return
	}
	done := &csvWriter{delimiter: delimiters[j.delimiter], ending: endings[j.lineEnding]}
	done.line(append([]string{"sf__Id", "sf__Created"}, header...))
	bad := &csvWriter{delimiter: done.delimiter, ending: done.ending}
	bad.line(append([]string{"sf__Id", "sf__Error"}, header...))
	left := &csvWriter{delimiter: done.delimiter, ending: done.ending}
	left.line(header)
	for {
		cells, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		j.processed++
		id, created, failed := "", false, &apiError{code: "CLIENTINPUTERROR", message: "The line could not be read"}
		if err == nil && len(cells) == len(header) {
			id, created, failed = s.ingest(j, o, columns, cells)
		}
		if failed != nil {
			j.failures++
			bad.line(append([]string{id, failed.code + ":" + failed.message + ":" + strings.Join(failed.fields, ",") + " --"}, cells...))
			continue
		}
		flag := "false"
		if created {
			flag = "true"
		}
		done.line(append([]string{id, flag}, cells...))
	}
	j.succeeded, j.failed, j.left, j.state = done.data, bad.data, left.data, "JobComplete"
}

// column is what a column of the data sets.
type column struct {
	field    int
	relation string // of "Account.External_Id__c": "Account"
	external string // and "External_Id__c"
}

// columns reads the header of a job's data.
func (s *Server) columns(o *object, header []string) ([]column, string) {
	list := make([]column, len(header))
	for i, name := range header {
		relation, external, nested := strings.Cut(name, ".")
		if nested {
			if at, ok := o.parents[strings.ToLower(relation)]; ok {
				list[i] = column{field: at, relation: relation, external: external}
				continue
			}
		}
		at, f := o.field(name)
		if f == nil {
			return nil, "InvalidBatch : Field name not found : " + name
		}
		list[i] = column{field: at}
	}
	return list, ""
}

// ingest writes the record of a line. Empty cells are left alone, and #N/A
// empties a field.
func (s *Server) ingest(j *job, o *object, columns []column, cells []string) (id string, created bool, err *apiError) {
	ch := changes{}
	for i, c := range columns {
		cell := cells[i]
		if cell == "" {
			continue
		}
		if c.field == fieldID && c.relation == "" {
			id = cell
			continue
		}
		f := &o.Fields[c.field]
		if cell == "#N/A" {
			ch[c.field] = nil
			continue
		}
		if c.relation != "" {
			v, err := s.db.byExternalID(f, c.relation, map[string]any{c.external: cell})
			if err != nil {
				return "", false, err
			}
			ch[c.field] = v
			continue
		}
		v, ok := f.parse(cell)
		if !ok {
			return "", false, &apiError{code: "INVALID_TYPE_ON_FIELD_IN_RECORD", message: f.Label + ": value not of required type: " + cell, fields: []string{f.Name}}
		}
		ch[c.field] = v
	}
	return s.ingestOne(j, o, id, ch)
}

func (s *Server) ingestOne(j *job, o *object, id string, ch changes) (string, bool, *apiError) {
	t := s.db.begin()
	full, _ := parseID(id)
	switch j.operation {
	case "insert":
		if id != "" {
			return "", false, &apiError{code: "INVALID_FIELD_FOR_INSERT_UPDATE", message: "cannot specify Id in an insert call", fields: []string{"Id"}}
		}
		made, err := t.insert(o, ch)
		return made, true, err
	case "update":
		if id == "" {
			return "", false, &apiError{code: "MISSING_ARGUMENT", message: "Id not specified in an update call", fields: []string{}}
		}
		return full, false, t.update(o, id, ch)
	case "delete", "hardDelete":
		return full, false, t.remove(o, id)
	}
	at, f := o.field(j.external)
	if at == fieldID {
		if id == "" {
			made, err := t.insert(o, ch)
			return made, true, err
		}
		return full, false, t.update(o, id, ch)
	}
	key := ch[at]
	if key == nil {
		return "", false, &apiError{code: "MISSING_ARGUMENT", message: f.Name + " not specified", fields: []string{}}
	}
	found := o.table.having(at, key)
	switch len(found) {
	case 0:
		made, err := t.insert(o, ch)
		return made, true, err
	case 1:
		return found[0].id(), false, t.update(o, found[0].id(), ch)
	}
	return "", false, &apiError{code: "DUPLICATE_EXTERNAL_ID", message: f.Name + ": more than one record found", fields: []string{f.Name}}
}
