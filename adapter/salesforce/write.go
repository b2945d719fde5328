package salesforce

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

const (
	// collection is how many records one request writes.
	collection = 200
	// collections is how many such requests a composite one joins, all or none.
	collections = 5
	// atOnce is how many records can be written all or none.
	atOnce = collection * collections
	// graphSize is how many records that refer to each other can be created
	// all or none.
	graphSize = 500
)

// saveResult is what became of one record.
type saveResult struct {
	ID      string  `json:"id"`
	Success bool    `json:"success"`
	Created *bool   `json:"created"`
	Errors  []fault `json:"errors"`
}

// err is the error of a record, and whether it is the cause of the failure
// rather than undone because of another's.
func (r *saveResult) err(o *object) (err error, cause bool) { //nolint:revive // the error is the answer here
	if r.Success {
		return nil, false
	}
	if len(r.Errors) == 0 {
		return &adapter.Error{Code: adapter.Internal, Model: o.Name, Message: "Salesforce refused the record without a reason"}, true
	}
	f := &r.Errors[0]
	return withModel(faultError(f, 0), o.Name), !halted[f.code()]
}

// Create implements [adapter.Adapter]. Values may hold lists of records by the
// names of child relationships, and records by those of references: all of
// them are created, or none.
func (c *Client) Create(ctx context.Context, model string, values adapter.Record) (adapter.ID, error) {
	o, err := c.object(ctx, model)
	if err != nil {
		return adapter.ID{}, err
	}
	d, err := c.draft(ctx, o, values, true, 0)
	if err != nil {
		return adapter.ID{}, withModel(err, o.Name)
	}
	return c.createDraft(ctx, d)
}

func (c *Client) createDraft(ctx context.Context, d *draft) (adapter.ID, error) {
	if d.nested() {
		ids, err := c.createGraph(ctx, []*draft{d})
		if err != nil {
			return adapter.ID{}, err
		}
		return ids[0], nil
	}
	o := d.object
	a, err := c.wire.send(ctx, request{method: http.MethodPost, path: c.path("sobjects", o.Name), json: d.values, model: o.Name, changes: true})
	if err != nil {
		return adapter.ID{}, err
	}
	var result saveResult
	if err := a.decode(&result, o.Name, "a new record"); err != nil {
		return adapter.ID{}, lost(err, true)
	}
	if err, _ := result.err(o); err != nil {
		return adapter.ID{}, err
	}
	return adapter.StringID(longID(result.ID)), nil
}

// CreateMany creates the records, all or none: up to 1000, or up to 500 where
// some have others nested in them, counted with those. More are refused as
// ErrUnsupported, since Salesforce could not undo them: use CreateEach.
func (c *Client) CreateMany(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	o, err := c.object(ctx, model)
	if err != nil || len(values) == 0 {
		return nil, err
	}
	drafts, size, nested := make([]*draft, len(values)), 0, false
	for i, v := range values {
		d, err := c.draft(ctx, o, v, true, 0)
		if err != nil {
			return nil, inRecord(withModel(err, o.Name), i)
		}
		drafts[i], size, nested = d, size+d.size(), nested || d.nested()
	}
	most := atOnce
	if nested {
		most = graphSize
	}
	switch {
	case size > most:
		return nil, &adapter.Error{
			Code: adapter.Unsupported, Model: o.Name, NothingSent: true, Err: errors.ErrUnsupported,
			Message: fmt.Sprintf("%d records can't be created all or none, Salesforce does %d; create each on its own account, or fewer", size, most),
		}
	case len(drafts) == 1:
		id, err := c.createDraft(ctx, drafts[0])
		if err != nil {
			return nil, err
		}
		return []adapter.ID{id}, nil
	case nested:
		return c.createGraph(ctx, drafts)
	}
	records := make([]map[string]any, len(drafts))
	for i, d := range drafts {
		if err := d.literal(); err != nil && len(drafts) > collection {
			return nil, inRecord(err, i)
		}
		records[i] = typed(d)
	}
	results, err := c.saveAll(ctx, o, http.MethodPost, records)
	if err != nil {
		return nil, err
	}
	ids := make([]adapter.ID, len(results))
	for i := range results {
		ids[i] = adapter.StringID(longID(results[i].ID))
	}
	return ids, nil
}

// typed is a record as collections take it.
func typed(d *draft) map[string]any {
	record := make(map[string]any, len(d.values)+1)
	for name, v := range d.values {
		record[name] = v
	}
	record["attributes"] = map[string]any{"type": d.object.Name}
	return record
}

// inRecord says which of several records an error is about.
func inRecord(err error, i int) error {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok {
		return err
	}
	own := *e
	own.Message = "record " + strconv.Itoa(i) + ": " + e.Message
	return &own
}

// saveAll writes records, all or none: in one collection, or in several that
// one composite request joins.
func (c *Client) saveAll(ctx context.Context, o *object, method string, records []map[string]any) ([]saveResult, error) {
	if len(records) <= collection {
		results, err := c.saveCollection(ctx, o, method, records, true)
		if err != nil {
			return nil, err
		}
		return results, failed(o, results)
	}
	var subs []subrequest
	for chunk := range slices.Chunk(records, collection) {
		subs = append(subs, subrequest{
			Method: method, URL: c.path("composite", "sobjects"), ReferenceID: "c" + strconv.Itoa(len(subs)),
			Body: map[string]any{"allOrNone": true, "records": chunk},
		})
	}
	return c.saveSubs(ctx, o, subs, len(records))
}

// saveSubs sends collections as one composite request and joins their results.
func (c *Client) saveSubs(ctx context.Context, o *object, subs []subrequest, n int) ([]saveResult, error) {
	var results []saveResult
	err := c.composite(ctx, o, subs, func(answers []subresponse) error {
		for i := range answers {
			var some []saveResult
			if err := answers[i].decode(&some, o.Name, "a collection"); err != nil {
				return lost(err, true)
			}
			results = append(results, some...)
		}
		if len(results) != n {
			return lost(&adapter.Error{Code: adapter.Internal, Model: o.Name, Message: "the results don't match the records"}, true)
		}
		return failed(o, results)
	})
	return results, err
}

// saveCollection writes up to 200 records.
func (c *Client) saveCollection(ctx context.Context, o *object, method string, records []map[string]any, allOrNone bool) ([]saveResult, error) {
	return c.sendCollection(ctx, o, len(records), request{
		method: method, path: c.path("composite", "sobjects"), model: o.Name, changes: true,
		json: map[string]any{"allOrNone": allOrNone, "records": records},
	})
}

func (c *Client) sendCollection(ctx context.Context, o *object, n int, req request) ([]saveResult, error) {
	a, err := c.wire.send(ctx, req)
	if err != nil {
		return nil, err
	}
	var results []saveResult
	if err := a.decode(&results, o.Name, "a collection"); err != nil {
		return nil, lost(err, true)
	}
	if len(results) != n {
		return nil, lost(&adapter.Error{Code: adapter.Internal, Model: o.Name, Message: "the results don't match the records"}, true)
	}
	return results, nil
}

// failed is the error that made a collection fail, all or none.
func failed(o *object, results []saveResult) error {
	var first error
	for i := range results {
		err, cause := results[i].err(o)
		if err == nil {
			continue
		}
		if len(results) > 1 {
			err = inRecord(err, i)
		}
		if cause {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// outcome is what became of the records of a CreateEach.
type outcome struct {
	ids    []adapter.ID
	failed map[int]error
}

// fail notes an error, unless the record is known to have been created.
func (o *outcome) fail(place int, err error) {
	if o.ids[place].IsZero() {
		o.failed[place] = err
	}
}

// CreateEach creates the records, each on its own account: in collections of
// 200, and from Config.BulkThreshold on by the Bulk API. Records with others
// nested in them are created one by one, each with its own. When the
// connection fails, what was not sent fails too, with NothingSent.
func (c *Client) CreateEach(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	o, err := c.object(ctx, model)
	if err != nil {
		return nil, err
	}
	out := &outcome{ids: make([]adapter.ID, len(values)), failed: map[int]error{}}
	var plain, nested []int
	drafts := make([]*draft, len(values))
	for i, v := range values {
		d, err := c.draft(ctx, o, v, true, 0)
		if err != nil {
			out.fail(i, withModel(err, o.Name))
			continue
		}
		drafts[i] = d
		if d.nested() {
			nested = append(nested, i)
		} else {
			plain = append(plain, i)
		}
	}
	plain = c.createBulk(ctx, o, drafts, plain, out)
	c.createSingly(ctx, drafts, nested, out, c.createCollections(ctx, o, drafts, plain, out))
	if len(out.failed) > 0 {
		return out.ids, &adapter.PartialError{Done: out.ids, Failed: out.failed}
	}
	return out.ids, nil
}

// createBulk sends the records that fit into a table by the Bulk API, if they
// are many, and returns the rest.
func (c *Client) createBulk(ctx context.Context, o *object, drafts []*draft, places []int, out *outcome) (rest []int) {
	if c.config.BulkThreshold < 0 || len(places) < c.config.BulkThreshold {
		return places
	}
	var rows []map[string]any
	var in []int
	for _, i := range places {
		if tabular(drafts[i].values) {
			rows, in = append(rows, drafts[i].values), append(in, i)
		} else {
			rest = append(rest, i)
		}
	}
	if len(rows) == 0 {
		return rest
	}
	parts, sizes := tables(rows, in, maxCSV)
	for i, t := range parts {
		c.ingest(ctx, o, t, sizes[i], out)
	}
	return rest
}

// createCollections creates records by 200, and returns why nothing more
// should be tried.
func (c *Client) createCollections(ctx context.Context, o *object, drafts []*draft, places []int, out *outcome) (stop error) {
	for chunk := range slices.Chunk(places, collection) {
		if stop != nil {
			for _, i := range chunk {
				out.fail(i, notTried(stop))
			}
			continue
		}
		records := make([]map[string]any, len(chunk))
		for n, i := range chunk {
			records[n] = typed(drafts[i])
		}
		results, err := c.saveCollection(ctx, o, http.MethodPost, records, false)
		if err != nil {
			for _, i := range chunk {
				out.fail(i, err)
			}
			stop = err
			continue
		}
		for n, i := range chunk {
			if err, _ := results[n].err(o); err != nil {
				out.fail(i, err)
				continue
			}
			out.ids[i] = adapter.StringID(longID(results[n].ID))
		}
	}
	return stop
}

// createSingly creates records one by one, unless something has put a stop to
// it.
func (c *Client) createSingly(ctx context.Context, drafts []*draft, places []int, out *outcome, stop error) {
	for _, i := range places {
		if stop != nil {
			out.fail(i, notTried(stop))
			continue
		}
		id, err := c.createDraft(ctx, drafts[i])
		if err == nil {
			out.ids[i] = id
			continue
		}
		out.fail(i, err)
		switch adapter.CodeOf(err) {
		case adapter.Unauthenticated, adapter.RateLimited, adapter.Unavailable, adapter.Timeout, adapter.Canceled, adapter.UnknownOutcome:
			stop = err
		}
	}
}

// notTried is the error of a record whose turn did not come.
func notTried(err error) error {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok {
		return err
	}
	own := &adapter.Error{Code: e.Code, Model: e.Model, Message: "not tried, because an earlier record failed: " + e.Message, Temporary: true, NothingSent: true, RetryAfter: e.RetryAfter, Err: err}
	if own.Code == adapter.UnknownOutcome {
		own.Code = adapter.Unavailable
	}
	return own
}

// known returns the ids in the form that Salesforce knows them in, each once.
// One that no record of the object can have is ErrNotFound.
func known(o *object, ids []adapter.ID) ([]string, error) {
	out := make([]string, 0, len(ids))
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		text := idText(id)
		if text == "" || o.KeyPrefix != "" && !strings.HasPrefix(text, o.KeyPrefix) {
			return nil, &adapter.Error{Code: adapter.NotFound, Model: o.Name, Field: "Id", NothingSent: true, Message: quote(id.String()) + " is the id of no " + o.Name}
		}
		if !seen[text] {
			seen[text] = true
			out = append(out, text)
		}
	}
	return out, nil
}

// Update implements [adapter.Adapter]. Up to 1000 records are changed all or
// none. More are changed by the thousand; if one thousand fails, those before
// it stay changed, and the error is a [*adapter.PartialError] in the order of
// ids.
func (c *Client) Update(ctx context.Context, model string, ids []adapter.ID, values adapter.Record) error {
	if len(ids) == 0 {
		return nil
	}
	o, err := c.object(ctx, model)
	if err != nil {
		return err
	}
	d, err := c.draft(ctx, o, values, false, 0)
	if err != nil {
		return withModel(err, o.Name)
	}
	list, err := known(o, ids)
	if err != nil {
		return err
	}
	if len(list) == 1 {
		return c.updateOne(ctx, o, list[0], d, nil)
	}
	if err := d.literal(); err != nil && len(list) > collection {
		return err
	}
	return inThousands(ids, list, func(chunk []string) error {
		records := make([]map[string]any, len(chunk))
		for i, id := range chunk {
			records[i] = typed(d)
			records[i]["Id"] = id
		}
		_, err := c.saveAll(ctx, o, http.MethodPatch, records)
		return err
	})
}

func (c *Client) updateOne(ctx context.Context, o *object, id string, d *draft, header map[string]string) error {
	_, err := c.wire.send(ctx, request{
		method: http.MethodPatch, path: c.path("sobjects", o.Name, id), json: d.values, header: header, model: o.Name, changes: true,
	})
	return err
}

// inThousands does something to all ids, as many at once as can be done all or
// none.
func inThousands(ids []adapter.ID, list []string, do func([]string) error) error {
	if len(list) <= atOnce {
		return do(list)
	}
	outcomes := make(map[string]error, len(list))
	var stop error
	some := false
	for chunk := range slices.Chunk(list, atOnce) {
		err := stop
		if stop == nil {
			err = do(chunk)
			stop = err
			some = some || err == nil
		} else {
			err = notTried(stop)
		}
		for _, id := range chunk {
			outcomes[id] = err
		}
	}
	if stop == nil || !some {
		return stop
	}
	partial := &adapter.PartialError{Done: make([]adapter.ID, len(ids)), Failed: map[int]error{}}
	for i, id := range ids {
		if err := outcomes[idText(id)]; err != nil {
			partial.Failed[i] = err
		} else {
			partial.Done[i] = id
		}
	}
	return partial
}

// Delete implements [adapter.Adapter], with the same bounds as Update.
// Salesforce keeps what is deleted in its recycle bin for some time.
func (c *Client) Delete(ctx context.Context, model string, ids []adapter.ID) error {
	if len(ids) == 0 {
		return nil
	}
	o, err := c.object(ctx, model)
	if err != nil {
		return err
	}
	list, err := known(o, ids)
	if err != nil {
		return err
	}
	if len(list) == 1 {
		_, err := c.wire.send(ctx, request{method: http.MethodDelete, path: c.path("sobjects", o.Name, list[0]), model: o.Name, changes: true})
		return err
	}
	return inThousands(ids, list, func(chunk []string) error { return c.deleteAll(ctx, o, chunk) })
}

func (c *Client) deleteAll(ctx context.Context, o *object, ids []string) error {
	path := func(ids []string) string {
		return c.path("composite", "sobjects") + "?allOrNone=true&ids=" + url.QueryEscape(strings.Join(ids, ","))
	}
	if len(ids) <= collection {
		results, err := c.sendCollection(ctx, o, len(ids), request{method: http.MethodDelete, path: path(ids), model: o.Name, changes: true})
		if err != nil {
			return err
		}
		return failed(o, results)
	}
	var subs []subrequest
	for chunk := range slices.Chunk(ids, collection) {
		subs = append(subs, subrequest{Method: http.MethodDelete, URL: path(chunk), ReferenceID: "d" + strconv.Itoa(len(subs))})
	}
	_, err := c.saveSubs(ctx, o, subs, len(ids))
	return err
}
