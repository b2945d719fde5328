package salesforce

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/bridgecore/bridgecore/adapter"
)

const (
	// maxCSV is how many bytes of a table one job takes. Salesforce allows
	// 150 MB, counted after an encoding that makes them half as many again.
	maxCSV = 90 << 20
	// noValue empties a field in a table; an empty value leaves it alone.
	noValue = "#N/A"
)

// table is a part of the records of a CreateEach, as an ingest job takes them.
type table struct {
	columns []string
	rows    []map[string]any
	places  []int // of the rows, in the caller's list
}

// cell is a value as a table holds it, and whether it can hold it.
func cell(values map[string]any, column string) (string, bool) {
	v, present := values[column]
	switch v := v.(type) {
	case nil:
		if present {
			return noValue, true
		}
		return "", true
	case string:
		return v, v != noValue && v != ""
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return v.String(), true
	case map[string]any:
		return "", false
	}
	if text, ok := textValue(v); ok {
		return text, true
	}
	b, err := json.Marshal(v)
	return string(b), err == nil
}

// tabular reports whether all of a record's values fit into a table.
func tabular(values map[string]any) bool {
	for name := range values {
		if _, ok := cell(values, name); !ok {
			return false
		}
	}
	return len(values) > 0
}

func columnsOf(rows []map[string]any) []string {
	names := map[string]bool{}
	for _, r := range rows {
		for name := range r {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (t *table) appendRow(b []byte, i int) []byte {
	for n, column := range t.columns {
		if n > 0 {
			b = append(b, ',')
		}
		if text, _ := cell(t.rows[i], column); text != "" {
			b = appendCSV(b, text)
		}
	}
	return append(b, '\n')
}

func (t *table) header() []byte {
	var b []byte
	for n, column := range t.columns {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(b, column...)
	}
	return append(b, '\n')
}

// tables cuts the records into tables that are not too large for a job.
func tables(rows []map[string]any, places []int, most int64) (out []*table, sizes []int64) {
	all := &table{columns: columnsOf(rows), rows: rows, places: places}
	header := int64(len(all.header()))
	from, size := 0, header
	var buf []byte
	cut := func(to int) {
		out = append(out, &table{columns: all.columns, rows: rows[from:to], places: places[from:to]})
		sizes = append(sizes, size)
		from, size = to, header
	}
	for i := range rows {
		buf = all.appendRow(buf[:0], i)
		if size+int64(len(buf)) > most && i > from {
			cut(i)
		}
		size += int64(len(buf))
	}
	cut(len(rows))
	return out, sizes
}

// tableReader writes a table as it is read, row by row.
type tableReader struct {
	t      *table
	next   int // row
	buffer bytes.Buffer
}

func (t *table) reader() *tableReader {
	r := &tableReader{t: t}
	r.buffer.Write(t.header())
	return r
}

func (r *tableReader) Read(p []byte) (int, error) {
	for r.buffer.Len() < len(p) && r.next < len(r.t.rows) {
		r.buffer.Write(r.t.appendRow(r.buffer.AvailableBuffer(), r.next))
		r.next++
	}
	return r.buffer.Read(p)
}

// key tells the rows of a table apart by all that they hold. Salesforce gives
// its results in any order, each with the row that it belongs to.
type key [sha256.Size]byte

func (t *table) key(i int) key {
	h := sha256.New()
	for _, column := range t.columns {
		text, _ := cell(t.rows[i], column)
		fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	var k key
	h.Sum(k[:0])
	return k
}

// ingest creates the records of a table by a job.
func (c *Client) ingest(ctx context.Context, o *object, t *table, size int64, out *outcome) {
	fail := func(err error) {
		for _, place := range t.places {
			out.fail(place, withModel(err, o.Name))
		}
	}
	j, err := c.createJob(ctx, o, "ingest", map[string]any{
		"object": o.Name, "operation": "insert", "contentType": "CSV", "lineEnding": "LF", "columnDelimiter": "COMMA",
	})
	if err != nil {
		fail(notSent(err))
		return
	}
	_, err = c.wire.send(ctx, request{
		method: http.MethodPut, path: c.jobPath("ingest", j.ID, "batches"), contentType: "text/csv; charset=UTF-8", model: o.Name,
		body: func() (io.Reader, int64, error) { return t.reader(), size, nil },
	})
	if err != nil {
		// Nothing is done with the rows before they are declared complete.
		c.abortJob(ctx, o, "ingest", j.ID)
		fail(notSent(err))
		return
	}
	_, err = c.wire.send(ctx, request{
		method: http.MethodPatch, path: c.jobPath("ingest", j.ID), json: map[string]any{"state": "UploadComplete"}, model: o.Name, changes: true,
	})
	if err != nil && !errors.Is(err, adapter.ErrUnknownOutcome) {
		c.abortJob(ctx, o, "ingest", j.ID)
		fail(err)
		return
	}
	// Whether a lost answer was a yes, the job's state will tell.
	id := j.ID
	if j, err = c.awaitJob(ctx, o, "ingest", id); err != nil {
		c.abortJob(ctx, o, "ingest", id)
		fail(&adapter.Error{Code: adapter.UnknownOutcome, Model: o.Name, Err: err, Message: "the records were sent in bulk, and what became of them was not learned: " + adapterMessage(err)})
		return
	}
	if j.State == "Open" {
		c.abortJob(ctx, o, "ingest", id)
		fail(&adapter.Error{Code: adapter.Unavailable, Model: o.Name, Temporary: true, NothingSent: true, Message: "the bulk job was not started, since the connection broke"})
		return
	}
	if err := c.results(ctx, o, j, t, out); err != nil {
		fail(&adapter.Error{Code: adapter.UnknownOutcome, Model: o.Name, Err: err, Message: "the records were sent in bulk, and the results can't be read: " + adapterMessage(err)})
	}
}

func adapterMessage(err error) string {
	if e, ok := errors.AsType[*adapter.Error](err); ok {
		return e.Message
	}
	return "the answer has an unexpected form"
}

// results assigns the results of a job to the rows that they are about.
func (c *Client) results(ctx context.Context, o *object, j *job, t *table, out *outcome) error {
	waiting := make(map[key][]int, len(t.rows))
	for i := range t.rows {
		k := t.key(i)
		waiting[k] = append(waiting[k], t.places[i])
	}
	take := func(k key) (int, bool) {
		places := waiting[k]
		if len(places) == 0 {
			return 0, false
		}
		waiting[k] = places[1:]
		return places[0], true
	}
	err := c.resultRows(ctx, o, j.ID, "successfulResults", t, func(id, _ string, k key) {
		if place, ok := take(k); ok {
			out.ids[place] = adapter.StringID(longID(id))
		}
	})
	if err != nil {
		return err
	}
	err = c.resultRows(ctx, o, j.ID, "failedResults", t, func(_, message string, k key) {
		if place, ok := take(k); ok {
			out.fail(place, rowError(o, message))
		}
	})
	if err != nil {
		return err
	}
	rest := error(&adapter.Error{Code: adapter.UnknownOutcome, Model: o.Name, Message: "the record was sent in bulk, and the results don't mention it"})
	if j.State != "JobComplete" {
		rest = notSent(jobError(o, j)) // the job ended before their turn came
	}
	for _, places := range waiting {
		for _, place := range places {
			out.fail(place, rest)
		}
	}
	return nil
}

func rowError(o *object, message string) error {
	if f, ok := splitFault(message); ok {
		return withModel(faultError(f, 0), o.Name)
	}
	return &adapter.Error{Code: adapter.InvalidArgument, Model: o.Name, Message: clip(message, 400)}
}

// resultRows reads one of the tables of results.
func (c *Client) resultRows(ctx context.Context, o *object, id, which string, t *table, each func(id, message string, k key)) error {
	resp, err := c.wire.stream(ctx, request{path: c.jobPath("ingest", id, which), accept: "text/csv", model: o.Name})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	reader := newCSVReader(resp.Body)
	header, err := reader.read(nil)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	at := map[string]int{}
	for i, name := range header {
		at[name] = i
	}
	var row []string
	for {
		row, err = reader.read(row)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		value := func(column string) string {
			if i, ok := at[column]; ok && i < len(row) {
				return row[i]
			}
			return ""
		}
		h := sha256.New()
		for _, column := range t.columns {
			text := value(column)
			fmt.Fprintf(h, "%d:%s", len(text), text)
		}
		var k key
		h.Sum(k[:0])
		each(value("sf__Id"), value("sf__Error"), k)
	}
}
