package salesforcetest

import "net/http"

// Bulk API 2.0: jobs that take records as CSV and jobs that give them.

// job is one of either kind.
type job struct {
	id, operation, object, state string
	external                     string // the field of an upsert
	lineEnding, delimiter        string
	query                        bool
	soql                         string
	created, changed             moment
	user, version                string
	data                         []byte
	uploaded                     bool
	polls                        int // how many more times it is found at work
	processed, failures          int
	message                      string
	succeeded, failed, left      []byte
	plan                         *plan
	rows                         []row
}

var delimiters = map[string]byte{"COMMA": ',', "SEMICOLON": ';', "TAB": '\t', "PIPE": '|', "CARET": '^', "BACKQUOTE": '`'}

// bulk is /jobs/ingest and /jobs/query.
func (s *Server) bulk(c *call) *answer {
	if len(c.path) < 2 || c.path[1] != "ingest" && c.path[1] != "query" {
		return failure(notFound())
	}
	query := c.path[1] == "query"
	if len(c.path) == 2 {
		switch c.method {
		case http.MethodPost:
			if query {
				return s.newQueryJob(c)
			}
			return s.newIngestJob(c)
		case http.MethodGet:
			return s.listJobs(query)
		}
		return failure(methodNotAllowed(c.method, "GET", "HEAD", "POST"))
	}
	id, _ := parseID(c.path[2])
	j := s.jobs[id]
	if j == nil || j.query != query {
		return failure(notFound())
	}
	if len(c.path) == 3 {
		return s.oneJob(c, j)
	}
	if len(c.path) != 4 {
		return failure(notFound())
	}
	return s.jobData(c, j, c.path[3])
}

// oneJob is /jobs/ingest/750....
func (s *Server) oneJob(c *call, j *job) *answer {
	switch c.method {
	case http.MethodGet:
		s.work(j)
		return ok(s.info(j, true))
	case http.MethodPatch:
		var body struct {
			State string `json:"state"`
		}
		if err := c.decodeBody(&body); err != nil {
			return failure(err)
		}
		return s.setState(j, body.State)
	case http.MethodDelete:
		if j.state != "JobComplete" && j.state != "Aborted" && j.state != "Failed" && j.state != "UploadComplete" {
			return failure(invalidState("This job is not in a state in which it can be deleted: " + j.state))
		}
		delete(s.jobs, j.id)
		return &answer{status: http.StatusNoContent}
	}
	return failure(methodNotAllowed(c.method, "DELETE", "GET", "HEAD", "PATCH"))
}

func invalidState(message string) *apiError {
	return &apiError{code: "INVALIDJOBSTATE", message: message}
}

func (s *Server) setState(j *job, state string) *answer {
	switch {
	case state == "Aborted" && (j.state == "Open" || j.state == "UploadComplete" || j.state == "InProgress"):
		j.state = state
		j.left = j.data
	case state == "UploadComplete" && !j.query && j.state == "Open":
		j.state = state
		if !j.uploaded {
			j.state, j.message = "Failed", "InvalidBatch : No data was uploaded"
		}
	default:
		return failure(invalidState("The job is in state " + j.state + ", from which it cannot go to " + state))
	}
	j.changed = moment(s.config.Now().Unix())
	return ok(s.info(j, false))
}

// work takes a job a step on: jobs are found waiting, then at work, then done.
func (s *Server) work(j *job) {
	if j.state == "UploadComplete" || j.state == "InProgress" {
		if j.polls > 0 {
			j.polls--
			j.state = "InProgress"
			return
		}
		user := s.db.user
		s.db.user = j.user
		if j.query {
			s.runQueryJob(j)
		} else {
			s.runIngestJob(j)
		}
		s.db.user = user
		j.changed = moment(s.config.Now().Unix())
	}
}

// info is a job as the API tells of it; with what it came to, if full.
func (s *Server) info(j *job, full bool) members {
	kind, version := "V2Ingest", raw(j.version)
	if j.query {
		kind = "V2Query"
	}
	m := members{
		{"id", j.id}, {"operation", j.operation}, {"object", j.object}, {"createdById", j.user}, {"createdDate", j.created.String()}, {"systemModstamp", j.changed.String()},
		{"state", j.state}, {"concurrencyMode", "Parallel"}, {"contentType", "CSV"}, {"apiVersion", version},
	}
	if full {
		m = append(m, member{"jobType", kind})
	}
	if j.external != "" {
		m = append(m, member{"externalIdFieldName", j.external})
	}
	if !j.query && j.state == "Open" {
		m = append(m, member{"contentUrl", "services/data/v" + j.version + "/jobs/ingest/" + j.id + "/batches"})
	}
	m = append(m, member{"lineEnding", j.lineEnding}, member{"columnDelimiter", j.delimiter})
	if !full {
		return m
	}
	if j.message != "" {
		m = append(m, member{"errorMessage", j.message})
	}
	m = append(m, member{"retries", 0}, member{"totalProcessingTime", j.processed / 10}, member{"numberRecordsProcessed", j.processed})
	if !j.query {
		m = append(m, member{"numberRecordsFailed", j.failures}, member{"apiActiveProcessingTime", j.processed / 20}, member{"apexProcessingTime", 0})
	}
	return m
}

func (s *Server) listJobs(query bool) *answer {
	list := []members{}
	for n := 1; n <= s.jobSeq; n++ {
		if j := s.jobs[newID("750", n)]; j != nil && j.query == query {
			list = append(list, s.info(j, false))
		}
	}
	return ok(members{{"done", true}, {"records", list}, {"nextRecordsUrl", nil}})
}

func (s *Server) newJob(c *call, j *job, lineEnding, delimiter string) *apiError {
	if lineEnding == "" {
		lineEnding = "LF"
	}
	if delimiter == "" {
		delimiter = "COMMA"
	}
	if lineEnding != "LF" && lineEnding != "CRLF" || delimiters[delimiter] == 0 {
		return &apiError{code: "INVALIDJOB", message: "lineEnding is LF or CRLF, columnDelimiter one of BACKQUOTE, CARET, COMMA, PIPE, SEMICOLON, TAB"}
	}
	j.lineEnding, j.delimiter = lineEnding, delimiter
	s.jobSeq++
	j.id = newID("750", s.jobSeq)
	j.created, j.changed = moment(s.config.Now().Unix()), moment(s.config.Now().Unix())
	j.user, j.version, j.polls = s.db.user, c.version, s.config.BulkPolls
	s.jobs[j.id] = j
	return nil
}

// jobData is what is below a job: its data up and down.
func (s *Server) jobData(c *call, j *job, what string) *answer {
	if !j.query && what == "batches" {
		if c.method != http.MethodPut {
			return failure(methodNotAllowed(c.method, "PUT"))
		}
		return s.upload(c, j)
	}
	if c.method != http.MethodGet {
		return failure(methodNotAllowed(c.method, "GET", "HEAD"))
	}
	csv := func(data []byte) *answer {
		if data == nil {
			data = []byte{}
		}
		return (&answer{status: http.StatusOK, data: data}).with("Content-Type", "text/csv")
	}
	switch {
	case j.query && what == "results":
		return s.queryResults(c, j)
	case !j.query && what == "successfulResults":
		return csv(j.succeeded)
	case !j.query && what == "failedResults":
		return csv(j.failed)
	case !j.query && what == "unprocessedrecords":
		return csv(j.left)
	}
	return failure(notFound())
}
