package salesforce

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
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
	// keptFor is how long Salesforce tells all changes: what was changed for 30
	// days, and what was deleted for 15. It leaves out older deletions without
	// a word.
	keptFor = 15 * 24 * time.Hour
	// changesMost is how many changes a page has unless told.
	changesMost = 2000
)

// window is a span of time whose changes are read, and how far that has come.
type window struct {
	from, to time.Time
	at       time.Time // of the last change that was given
	id       string    // and its record
	started  bool      // whether any was given
	seen     []digest  // of changes that were given and may be told again
}

// digest stands for a change as it was given. One with the same digest says
// nothing new.
type digest [8]byte

// seenMost is how many digests a cursor carries; what is beyond comes twice.
const seenMost = 250

// change is a change before its record is read.
type change struct {
	id      string
	at      time.Time
	deleted bool
	record  adapter.Record
}

func (a *change) digest() digest {
	b, err := json.Marshal([]any{a.id, a.at.UnixNano(), a.deleted, a.record})
	if err != nil {
		return digest{}
	}
	sum := sha256.Sum256(b)
	return digest(sum[:8])
}

func (a *change) compare(b *change) int {
	if c := a.at.Compare(b.at); c != 0 {
		return c
	}
	return strings.Compare(a.id, b.id)
}

// Changes implements [adapter.ChangeFeeder] by what Salesforce's replication
// resources tell: the ids of what was created or changed, and of what was
// deleted. Windows overlap by two minutes, since a transaction may end long
// after its changes are dated; what comes again as it was is left out, as far
// as the cursor remembers. Without fields all of it comes again, since a record
// that changed twice within a second can't be told from one that changed once.
// Salesforce keeps deletions for 15 days, and may forget them sooner; a cursor
// from before that is ErrPreconditionFailed.
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
	return c.changes(ctx, p, w, limit, q.Fields != nil && len(q.Fields) == 0)
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

// changes reads a page of a window. ids says that the records are not read.
func (c *Client) changes(ctx context.Context, p *plan, w *window, limit int, ids bool) (adapter.ChangePage, error) {
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
	told := list
	list = w.news(list)
	page := adapter.ChangePage{More: len(list) > limit}
	list = list[:min(len(list), limit)]
	for _, ch := range list {
		page.Changes = append(page.Changes, adapter.Change{ID: adapter.StringID(ch.id), Deleted: ch.deleted, Record: ch.record, At: ch.at})
	}
	if ids {
		told = nil
	}
	next := &window{from: covered, seen: w.repeated(told, list, covered)}
	if page.More {
		last := list[len(list)-1]
		next = &window{from: w.from, to: w.to, at: last.at, id: last.id, started: true, seen: w.repeated(told, list, w.from)}
	}
	page.Next = next.cursor(p.object)
	return page, nil
}

// repeated are the changes that were given, with this page or before, and that a
// window from a moment on tells again.
func (w *window) repeated(list, given []*change, from time.Time) []digest {
	since := from.Add(-overlap - time.Minute)
	var out []digest
	for _, ch := range list {
		if d := ch.digest(); ch.at.After(since) && (slices.Contains(given, ch) || slices.Contains(w.seen, d)) {
			out = append(out, d)
		}
	}
	return out[max(len(out)-seenMost, 0):]
}

// news leaves out what was given before, on an earlier page of the window or
// by the window before it.
func (w *window) news(list []*change) []*change {
	given := &change{at: w.at, id: w.id}
	return slices.DeleteFunc(slices.Clone(list), func(ch *change) bool {
		return w.started && ch.compare(given) <= 0 || len(w.seen) > 0 && slices.Contains(w.seen, ch.digest())
	})
}

func forgotten(o *object) error {
	return &adapter.Error{
		Code: adapter.PreconditionFailed, Model: o.Name, Field: "cursor", NothingSent: true,
		Message: "the cursor is older than what Salesforce still tells, deletions of 15 days at most: read everything again, and begin without a cursor",
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

// cursor writes a window: version, object, span, the last change given, and the
// digests of what may come again.
func (w *window) cursor(o *object) string {
	to, at := int64(0), int64(0)
	if !w.to.IsZero() {
		to = w.to.Unix()
	}
	if w.started {
		at = w.at.UnixMilli()
	}
	var seen []byte
	for _, d := range w.seen {
		seen = append(seen, d[:]...)
	}
	text := fmt.Sprintf("1|%s|%d|%d|%d|%s|%s", o.Name, w.from.Unix(), to, at, w.id, base64.RawStdEncoding.EncodeToString(seen))
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func readWindow(o *object, cursor string) (*window, bool) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) > 16*seenMost {
		return nil, false
	}
	parts := strings.Split(string(b), "|")
	if len(parts) != 7 || parts[0] != "1" || parts[1] != o.Name {
		return nil, false
	}
	var from, to, at int64
	if _, err := fmt.Sscanf(strings.Join(parts[2:5], " "), "%d %d %d", &from, &to, &at); err != nil || from <= 0 {
		return nil, false
	}
	w := &window{from: time.Unix(from, 0).UTC()}
	if to > 0 {
		w.to = time.Unix(to, 0).UTC()
	}
	if parts[5] != "" {
		if to <= 0 || !isRecordID(parts[5]) {
			return nil, false
		}
		w.at, w.id, w.started = time.UnixMilli(at).UTC(), parts[5], true
	}
	seen, err := base64.RawStdEncoding.DecodeString(parts[6])
	if err != nil || len(seen)%len(digest{}) != 0 {
		return nil, false
	}
	for chunk := range slices.Chunk(seen, len(digest{})) {
		w.seen = append(w.seen, digest(chunk))
	}
	return w, true
}
