package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

const (
	// firstPoll and lastPoll are the pauses between questions for the state of
	// a job.
	firstPoll = 250 * time.Millisecond
	lastPoll  = 10 * time.Second
	// bulkPage is how many records one answer of a query job holds at most.
	bulkPage = 50_000
	// abortTimeout bounds the abort of a job whose caller has left.
	abortTimeout = 5 * time.Second
)

// job is a job of the Bulk API 2.0.
type job struct {
	ID        string `json:"id"`
	State     string `json:"state"`
	Error     string `json:"errorMessage"`
	Processed int64  `json:"numberRecordsProcessed"`
	Failed    int64  `json:"numberRecordsFailed"`
}

// jobs are the jobs of one kind: "query" or "ingest".
func (c *Client) jobPath(kind, id string, more ...string) string {
	return c.path(append([]string{"jobs", kind, id}, more...)...)
}

func (c *Client) createJob(ctx context.Context, o *object, kind string, body map[string]any) (*job, error) {
	// A job that nobody starts does nothing: a lost answer does no harm.
	a, err := c.wire.send(ctx, request{method: http.MethodPost, path: c.path("jobs", kind), json: body, model: o.Name})
	if err != nil {
		return nil, err
	}
	j := &job{}
	if err := a.decode(j, o.Name, "a new job"); err != nil {
		return nil, err
	}
	if j.ID == "" {
		return nil, &adapter.Error{Code: adapter.Internal, Model: o.Name, Message: "Salesforce's answer to a new job has no id"}
	}
	return j, nil
}

// awaitJob asks for a job's state until it is over.
func (c *Client) awaitJob(ctx context.Context, o *object, kind, id string) (*job, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.BulkTimeout)
	defer cancel()
	for pause := firstPoll; ; pause = min(pause*3/2, lastPoll) {
		a, err := c.wire.send(ctx, request{path: c.jobPath(kind, id), model: o.Name})
		if err != nil {
			return nil, err
		}
		j := &job{}
		if err := a.decode(j, o.Name, "the question for a job"); err != nil {
			return nil, err
		}
		switch j.State {
		case "JobComplete", "Failed", "Aborted", "Open":
			return j, nil // an open job was never started
		}
		if after := retryAfter(a.header); after > 0 {
			pause = min(after, lastPoll)
		}
		if err := c.wire.pace.wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// abortJob ends a job that nobody waits for any more. Whether that works is of
// no use to anybody.
func (c *Client) abortJob(ctx context.Context, o *object, kind, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_, _ = c.wire.send(ctx, request{method: http.MethodPatch, path: c.jobPath(kind, id), json: map[string]any{"state": "Aborted"}, model: o.Name})
}

// jobError is the error of a job that failed as a whole.
func jobError(o *object, j *job) error {
	if f, ok := splitFault(j.Error); ok {
		return withModel(faultError(f, 0), o.Name)
	}
	message := "Salesforce's bulk job ended as " + strings.ToLower(j.State)
	if j.Error != "" {
		message += ": " + clip(j.Error, 300)
	}
	return &adapter.Error{Code: adapter.Unavailable, Model: o.Name, Temporary: true, Message: message, Err: errors.New("salesforce: job " + clip(j.ID, 20))}
}

// splitFault reads an error as the Bulk API writes it: "CODE:message:fields --".
func splitFault(text string) (*fault, bool) {
	code, rest, ok := strings.Cut(text, ":")
	code = strings.TrimSpace(code)
	// The code may stand behind a word of its own: "InvalidBatch : CODE: ...".
	if inner, more, found := strings.Cut(rest, ":"); found && strings.HasPrefix(code, "Invalid") {
		if _, known := meanings[strings.TrimSpace(inner)]; known {
			code, rest = strings.TrimSpace(inner), more
		}
	}
	if !ok || code == "" || strings.ToUpper(code) != code || strings.Contains(code, " ") {
		return nil, false
	}
	f := &fault{StatusCode: code, Message: rest}
	body := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "--"))
	if i := strings.LastIndexByte(body, ':'); i >= 0 {
		fields := strings.TrimSpace(body[i+1:])
		if fields == "" || objectName.MatchString(strings.SplitN(fields, ",", 2)[0]) {
			f.Message = strings.TrimSpace(body[:i])
			if fields != "" {
				f.Fields = strings.Split(strings.ReplaceAll(fields, " ", ""), ",")
			}
		}
	} else {
		f.Message = body
	}
	return f, true
}

// bulkRows gives the rows of a query job. It reads its answers as they come,
// one page after the other.
type bulkRows struct {
	c     *Client
	plan  *plan
	after string

	job     string
	over    bool // the job ended by itself
	locator string
	resp    *http.Response
	csv     *csvReader
	columns []column
	row     []string
	done    bool
	last    string
}

// column is where a value of a row belongs.
type column struct {
	path  []string
	field *field
}

func newBulkRows(c *Client, p *plan, after string) *bulkRows {
	p.selection.addIDs()
	return &bulkRows{c: c, plan: p, after: after}
}

// addIDs selects the id of every record that a reference leads to: in a table,
// nothing else tells that there is one.
func (s *selection) addIDs() {
	for _, r := range s.one {
		r.selection.add("Id")
		r.selection.addIDs()
	}
}

func (b *bulkRows) position() string { return "i" + b.last }

func (b *bulkRows) next(ctx context.Context) (map[string]any, bool, error) {
	for !b.done {
		if b.csv == nil {
			if err := b.open(ctx); err != nil {
				return nil, false, err
			}
		}
		row, err := b.csv.read(b.row)
		switch {
		case errors.Is(err, io.EOF):
			b.closePage()
			b.done = b.locator == "" || b.locator == "null"
			continue
		case err != nil:
			return nil, false, b.unreadable(err)
		case len(row) != len(b.columns):
			return nil, false, b.unreadable(errCSV)
		}
		b.row = row
		raw := b.raw(row)
		b.last, _ = raw["Id"].(string)
		return raw, true, nil
	}
	return nil, false, nil
}

func (b *bulkRows) unreadable(err error) error {
	if _, ok := errors.AsType[*adapter.Error](err); ok {
		return err
	}
	return &adapter.Error{Code: adapter.Internal, Model: b.plan.object.Name, Message: "the answer of the bulk job has an unexpected form", Err: err}
}

// open begins the next page, after the job itself.
func (b *bulkRows) open(ctx context.Context) error {
	if b.job == "" {
		if err := b.run(ctx); err != nil {
			return err
		}
	}
	query := url.Values{"maxRecords": {fmt.Sprint(bulkPage)}}
	if b.locator != "" {
		query.Set("locator", b.locator)
	}
	resp, err := b.c.wire.stream(ctx, request{
		path: b.c.jobPath("query", b.job, "results") + "?" + query.Encode(), accept: "text/csv", model: b.plan.object.Name,
	})
	if err != nil {
		return err
	}
	b.resp, b.csv, b.locator = resp, newCSVReader(resp.Body), resp.Header.Get("Sforce-Locator")
	header, err := b.csv.read(nil)
	if errors.Is(err, io.EOF) {
		return nil // no records, not even a header
	}
	if err != nil {
		return b.unreadable(err)
	}
	return b.readHeader(header)
}

func (b *bulkRows) readHeader(header []string) error {
	known := map[string]*field{}
	b.plan.selection.fieldsByPath("", known)
	b.columns = b.columns[:0]
	for _, name := range header {
		f, ok := known[strings.ToLower(name)]
		if !ok {
			return b.unreadable(fmt.Errorf("salesforce: unexpected column %q", clip(name, 80)))
		}
		b.columns = append(b.columns, column{path: b.plan.selection.names(name), field: f})
	}
	return nil
}

// fieldsByPath lists the fields of the selection by their paths in small
// letters.
func (s *selection) fieldsByPath(prefix string, out map[string]*field) {
	for _, f := range s.fields {
		out[strings.ToLower(prefix+f.Name)] = f
	}
	for _, r := range s.one {
		r.selection.fieldsByPath(prefix+r.name+".", out)
	}
}

// names are the parts of a path as the selection has them.
func (s *selection) names(path string) []string {
	parts := strings.Split(path, ".")
	for i, part := range parts[:len(parts)-1] {
		for _, r := range s.one {
			if strings.EqualFold(r.name, part) {
				parts[i], s = r.name, r.selection
				break
			}
		}
	}
	last := len(parts) - 1
	for _, f := range s.fields {
		if strings.EqualFold(f.Name, parts[last]) {
			parts[last] = f.Name
		}
	}
	return parts
}

// run makes the job and waits until it is complete.
func (b *bulkRows) run(ctx context.Context) error {
	j, err := b.c.createJob(ctx, b.plan.object, "query", map[string]any{
		"operation": "query", "query": b.plan.soql(b.plan.filter.where, b.after, ""),
	})
	if err != nil {
		return err
	}
	b.job = j.ID
	if j, err = b.c.awaitJob(ctx, b.plan.object, "query", b.job); err != nil {
		return err
	}
	b.over = true
	if j.State != "JobComplete" {
		return jobError(b.plan.object, j)
	}
	return nil
}

func (b *bulkRows) closePage() {
	if b.resp != nil {
		_ = b.resp.Body.Close()
	}
	b.resp, b.csv = nil, nil
}

// close releases what is open, and aborts a job that still runs.
func (b *bulkRows) close(ctx context.Context) {
	b.closePage()
	if b.job != "" && !b.over {
		b.c.abortJob(ctx, b.plan.object, "query", b.job)
	}
}

// raw turns a row into the form in which the REST API writes records.
func (b *bulkRows) raw(row []string) map[string]any {
	r := map[string]any{}
	for i, text := range row {
		at := r
		path := b.columns[i].path
		for _, name := range path[:len(path)-1] {
			next, ok := at[name].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[name] = next
			}
			at = next
		}
		at[path[len(path)-1]] = b.columns[i].field.fromText(text)
	}
	b.plan.selection.prune(r)
	return r
}

// prune removes what references that are not set led to.
func (s *selection) prune(r map[string]any) {
	for _, relation := range s.one {
		nested, ok := r[relation.name].(map[string]any)
		switch {
		case !ok || nested["Id"] == nil:
			r[relation.name] = nil
		default:
			relation.selection.prune(nested)
		}
	}
}

// fromText reads a value from a table, where nothing is an empty text.
func (f *field) fromText(text string) any {
	if text == "" {
		return nil
	}
	switch f.kind {
	case kindBoolean:
		return strings.EqualFold(text, "true")
	case kindNumber:
		if decimal.MatchString(text) {
			return json.Number(strings.TrimPrefix(text, "+"))
		}
	}
	return text
}
