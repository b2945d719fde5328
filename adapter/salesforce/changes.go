package salesforce

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

const (
	// overlap is how far a window of changes reaches back into the last one:
	// Salesforce takes times by the minute, and transactions that began before
	// its end may have ended after it.
	overlap = 2 * time.Minute
	// keptFor is how long Salesforce tells changes.
	keptFor = 30 * 24 * time.Hour
	// changesMost is how many changes a page has unless told.
	changesMost = 2000
)

// window is a span of time whose changes are read, and how far that has come.
type window struct {
	from, to time.Time
	at       time.Time // of the last change that was given
	id       string    // and its record
	started  bool      // whether any was given
}

// change is a change before its record is read.
type change struct {
	id      string
	at      time.Time
	deleted bool
	record  adapter.Record
}

func (a *change) compare(b *change) int {
	if c := a.at.Compare(b.at); c != 0 {
		return c
	}
	return strings.Compare(a.id, b.id)
}

// Changes implements [adapter.ChangeFeeder] by what Salesforce's replication
// resources tell: the ids of what was created or changed, and of what was
// deleted. Windows overlap by two minutes, so a change may come twice.
// Salesforce keeps changes for 30 days, and may forget deletions sooner; a
// cursor from before that is ErrPreconditionFailed.
func (c *Client) Changes(ctx context.Context, q adapter.ChangeQuery) (adapter.ChangePage, error) {
	o, err := c.object(ctx, q.Model)
	if err != nil {
		return adapter.ChangePage{}, err
	}
	fail := func(code adapter.Code, field, message string) (adapter.ChangePage, error) {
		return adapter.ChangePage{}, &adapter.Error{Code: code, Model: o.Name, Field: field, Message: message, NothingSent: true}
	}
	switch {
	case !o.Replicateable:
		return fail(adapter.Unsupported, "", "Salesforce does not tell the changes of this object")
	case q.Limit < 0:
		return fail(adapter.InvalidArgument, "limit", "limit is negative")
	}
	p, _, err := c.plan(ctx, adapter.Query{Model: q.Model, Fields: q.Fields})
	if err != nil {
		return adapter.ChangePage{}, err
	}
	if q.Cursor == "" {
		now, err := c.serverTime(ctx)
		if err != nil {
			return adapter.ChangePage{}, err
		}
		return adapter.ChangePage{Next: (&window{from: now}).cursor(o)}, nil
	}
	w, ok := readWindow(o, q.Cursor)
	if !ok {
		return fail(adapter.InvalidArgument, "cursor", "cursor is none that this model gave; begin without one")
	}
	limit := q.Limit
	if limit == 0 {
		limit = changesMost
	}
	return c.changes(ctx, p, w, limit)
}

// serverTime is the time by Salesforce's clock, which changes are told by.
func (c *Client) serverTime(ctx context.Context) (time.Time, error) {
	a, err := c.wire.send(ctx, request{path: c.root + "/limits"})
	if err != nil {
		return time.Time{}, err
	}
	if at, err := time.Parse(time.RFC1123, a.header.Get("Date")); err == nil {
		return at.UTC(), nil
	}
	return time.Now().UTC().Truncate(time.Second), nil
}

func (c *Client) changes(ctx context.Context, p *plan, w *window, limit int) (adapter.ChangePage, error) {
	fresh := w.to.IsZero()
	if fresh {
		now, err := c.serverTime(ctx)
		if err != nil {
			return adapter.ChangePage{}, err
		}
		w.to = now
	}
	if w.to.Sub(w.from) > keptFor-time.Hour {
		return adapter.ChangePage{}, forgotten(p.object)
	}
	updated, deleted, covered, err := c.span(ctx, p.object, w)
	if err != nil {
		return adapter.ChangePage{}, err
	}
	list, err := c.readChanges(ctx, p, updated, deleted)
	if err != nil {
		return adapter.ChangePage{}, err
	}
	slices.SortFunc(list, func(a, b *change) int { return a.compare(b) })
	if w.started {
		given := &change{at: w.at, id: w.id}
		list = slices.DeleteFunc(list, func(ch *change) bool { return ch.compare(given) <= 0 })
	}
	page := adapter.ChangePage{More: len(list) > limit}
	list = list[:min(len(list), limit)]
	for _, ch := range list {
		page.Changes = append(page.Changes, adapter.Change{ID: adapter.StringID(ch.id), Deleted: ch.deleted, Record: ch.record})
	}
	next := &window{from: covered}
	if page.More {
		last := list[len(list)-1]
		next = &window{from: w.from, to: w.to, at: last.at, id: last.id, started: true}
	}
	page.Next = next.cursor(p.object)
	return page, nil
}

func forgotten(o *object) error {
	return &adapter.Error{
		Code: adapter.PreconditionFailed, Model: o.Name, Field: "cursor", NothingSent: true,
		Message: "the cursor is older than the 30 days for which Salesforce tells changes: read everything again, and begin without a cursor",
	}
}

// span asks what changed in a window. covered is up to when the answers are
// complete.
func (c *Client) span(ctx context.Context, o *object, w *window) (updated []string, deleted map[string]time.Time, covered time.Time, err error) {
	from := w.from.Add(-overlap)
	to := w.to.Truncate(time.Minute).Add(time.Minute) // seconds are ignored
	if to.Sub(from) > keptFor {
		from = to.Add(-keptFor)
	}
	query := url.Values{"start": {from.UTC().Format(time.RFC3339)}, "end": {to.UTC().Format(time.RFC3339)}}.Encode()
	var up struct {
		IDs    []string `json:"ids"`
		Latest string   `json:"latestDateCovered"`
	}
	if err := c.replicate(ctx, o, "updated", query, &up); err != nil {
		return nil, nil, covered, err
	}
	var down struct {
		Records []struct {
			ID   string `json:"id"`
			Date string `json:"deletedDate"`
		} `json:"deletedRecords"`
		Earliest string `json:"earliestDateAvailable"`
		Latest   string `json:"latestDateCovered"`
	}
	if err := c.replicate(ctx, o, "deleted", query, &down); err != nil {
		return nil, nil, covered, err
	}
	if earliest, ok := parseWhen(down.Earliest); ok && earliest.After(w.from) {
		return nil, nil, covered, forgotten(o)
	}
	deleted = make(map[string]time.Time, len(down.Records))
	for _, r := range down.Records {
		at, _ := parseWhen(r.Date)
		deleted[longID(r.ID)] = at.Time
	}
	for _, id := range up.IDs {
		updated = append(updated, longID(id))
	}
	covered = w.to
	for _, text := range [...]string{up.Latest, down.Latest} {
		if at, ok := parseWhen(text); ok && at.Before(covered) {
			covered = at.Time
		}
	}
	if covered.Before(w.from) {
		covered = w.from
	}
	return updated, deleted, covered, nil
}

func (c *Client) replicate(ctx context.Context, o *object, what, query string, target any) error {
	a, err := c.wire.send(ctx, request{path: c.path("sobjects", o.Name, what) + "/?" + query, model: o.Name})
	if err != nil {
		if e, ok := errors.AsType[*adapter.Error](err); ok && e.Native == "INVALID_REPLICATION_DATE" {
			return forgotten(o)
		}
		return err
	}
	return a.decode(target, o.Name, "the question for changes")
}

// readChanges reads the records that changed, with the time of their last
// change. One that is gone meanwhile is among the deleted ones, now or later.
func (c *Client) readChanges(ctx context.Context, p *plan, updated []string, deleted map[string]time.Time) ([]*change, error) {
	list := make([]*change, 0, len(updated)+len(deleted))
	for id, at := range deleted {
		list = append(list, &change{id: id, at: at, deleted: true})
	}
	ids := make([]any, 0, len(updated))
	for _, id := range updated {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return list, nil
	}
	if err := c.where(ctx, p, adapter.Cond{Field: "Id", Op: adapter.In, Value: ids}); err != nil {
		return nil, err
	}
	stamp := ""
	for _, name := range stamps {
		if p.selection.add(name) {
			stamp = name
			break
		}
	}
	rows := c.rows(p)
	for {
		raw, ok, err := rows.next(ctx)
		if err != nil {
			return nil, withModel(err, p.object.Name)
		}
		if !ok {
			return list, nil
		}
		id, _ := raw["Id"].(string)
		at, _ := parseWhen(raw[stamp])
		if _, gone := deleted[id]; gone {
			// It was undeleted: it is there.
			list = slices.DeleteFunc(list, func(ch *change) bool { return ch.id == id })
		}
		list = append(list, &change{id: id, at: at.Time, record: p.selection.shape(raw, false)})
	}
}

// cursor writes a window: version, object, span, and the last change given.
func (w *window) cursor(o *object) string {
	text := fmt.Sprintf("1|%s|%d|%d", o.Name, w.from.Unix(), w.to.Unix())
	if w.to.IsZero() {
		text = fmt.Sprintf("1|%s|%d|0", o.Name, w.from.Unix())
	}
	if w.started {
		text += fmt.Sprintf("|%d|%s", w.at.UnixMilli(), w.id)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func readWindow(o *object, cursor string) (*window, bool) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) > 200 {
		return nil, false
	}
	parts := strings.Split(string(b), "|")
	if len(parts) < 4 || parts[0] != "1" || parts[1] != o.Name {
		return nil, false
	}
	var from, to, at int64
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "%d %d", &from, &to); err != nil || from <= 0 {
		return nil, false
	}
	w := &window{from: time.Unix(from, 0).UTC()}
	if to > 0 {
		w.to = time.Unix(to, 0).UTC()
	}
	if len(parts) == 4 {
		return w, true
	}
	if len(parts) != 6 || to <= 0 || !recordID.MatchString(parts[5]) {
		return nil, false
	}
	if _, err := fmt.Sscanf(parts[4], "%d", &at); err != nil {
		return nil, false
	}
	w.at, w.id, w.started = time.UnixMilli(at).UTC(), parts[5], true
	return w, true
}
