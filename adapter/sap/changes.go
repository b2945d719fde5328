package sap

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
)

// changedProps are what properties are called that hold when a record was last
// changed.
var changedProps = []string{
	"LastChangeDateTime", "LastChangedDateTime", "LastChangedAt", "LastModifiedDateTime",
	"ChangedDateTime", "ChangedAt", "ModifiedAt", "modifiedAt", "lastModifiedAt",
}

// changedProp is the property that holds when a record was last changed, nil
// if there is none that can be asked for.
func (m *model) changedProp() *edmx.Property {
	for _, name := range changedProps {
		p := m.typ.Prop(name)
		if p != nil && !p.DateOnly && (p.Type == "Edm.DateTimeOffset" || p.Type == "Edm.DateTime") && m.filterable(p) && m.sortable(p) {
			return p
		}
	}
	return nil
}

// datedProps are pairs of dates: what properties are called that hold the day on
// which a record was last changed, which many applications leave empty until it
// is, and what those are called that hold the day on which it was made.
var datedProps = [][2]string{{"LastChangeDate", "CreationDate"}, {"LastChangedOn", "CreatedOn"}, {"ChangedOn", "CreatedOn"}}

// markProps are what properties are called that hold the time of day to one of
// datedProps, or change whenever the record does.
var markProps = []string{"LastChangeTime", "CreationTime", "ETag"}

// How long after its date a change may be seen: a dialog step ends after ten
// minutes (rdisp/max_wprun_time), and a day may end meanwhile.
const (
	momentLag = 10 * time.Minute
	dayLag    = 24 * time.Hour
)

// Dating implements [adapter.Dater]: by the moment of the last change that
// records bear, otherwise by its day. Other entity sets are ErrUnsupported.
func (c *Client) Dating(ctx context.Context, model string) (adapter.Dating, error) {
	m, err := c.model(ctx, model)
	if err != nil {
		return adapter.Dating{}, err
	}
	if err := m.addressable("followed"); err != nil {
		return adapter.Dating{}, err
	}
	if m.keysSortable() {
		if p := m.changedProp(); p != nil {
			return adapter.Dating{Fields: []string{p.Name}, Step: time.Second, Lag: momentLag}, nil
		}
		for _, pair := range datedProps {
			if !m.isDay(pair[0]) {
				continue
			}
			d := adapter.Dating{Fields: []string{pair[0]}, Step: 24 * time.Hour, Lag: dayLag}
			if m.isDay(pair[1]) {
				d.Fields = append(d.Fields, pair[1])
			}
			// The time of the last change tells changes apart; that of the creation
			// alone doesn't.
			if pair[0] == datedProps[0][0] && m.typ.Prop(markProps[0]) != nil {
				d.Marks = m.marks()
			}
			return d, nil
		}
	}
	return adapter.Dating{}, m.unsupported("model", "records of %s bear no date of their last change, so what changed can't be told", m.name)
}

// marks are those of markProps that records have.
func (m *model) marks() (names []string) {
	for _, name := range markProps {
		if m.typ.Prop(name) != nil {
			names = append(names, name)
		}
	}
	return names
}

// isDay reports whether a property is a date that can be asked for.
func (m *model) isDay(name string) bool {
	p := m.typ.Prop(name)
	return p != nil && (p.DateOnly || p.Type == "Edm.Date") && m.filterable(p) && m.sortable(p)
}

// changeCursor is how far the changes were read.
type changeCursor struct {
	Model string `json:"m"`
	At    string `json:"t"`           // the moment of the last change that was told
	Key   string `json:"k,omitempty"` // its record: the next page goes on behind it
	Past  bool   `json:"p,omitempty"` // that moment is over, no further change can bear it
}

// Changes tells what was created or changed, by the moment of the last change
// that a record bears. SAP keeps no trace of deleted records there, so these
// are never told; and a change may come once more, when another might bear the
// same moment. Models without such a moment are ErrUnsupported.
//
// It believes the moments that it reads: what is committed after a later change
// was told is missed, and a record of the future hides what comes before that.
// Who must miss nothing follows the changes through package bridge, which looks
// back.
func (c *Client) Changes(ctx context.Context, q adapter.ChangeQuery) (adapter.ChangePage, error) {
	m, err := c.model(ctx, q.Model)
	if err != nil {
		return adapter.ChangePage{}, err
	}
	if err := m.addressable("followed"); err != nil {
		return adapter.ChangePage{}, err
	}
	p := m.changedProp()
	switch {
	case p == nil || !m.keysSortable():
		return adapter.ChangePage{}, m.unsupported("model", "records of %s bear no moment of their last change, so SAP can't tell what changed", m.name)
	case q.Limit < 0:
		return adapter.ChangePage{}, m.wrong("limit", "limit is negative")
	case q.Cursor == "":
		return c.changesFromNow(ctx, m, p)
	}
	from, err := m.changesFrom(q.Cursor)
	if err != nil {
		return adapter.ChangePage{}, err
	}
	return c.changesSince(ctx, m, p, from, q)
}

// changesFromNow returns the cursor for this moment: behind the last change
// that there is.
func (c *Client) changesFromNow(ctx context.Context, m *model, p *edmx.Property) (adapter.ChangePage, error) {
	last, err := c.plan(ctx, adapter.Query{Model: m.name, Fields: []string{p.Name}, Order: []adapter.Order{{Field: p.Name, Desc: true}}, Limit: 1, Filter: adapter.Cond{Field: p.Name, Op: adapter.NotEqual, Value: false}})
	if err != nil {
		return adapter.ChangePage{}, err
	}
	from := changeCursor{Model: m.name, At: time.Unix(0, 0).UTC().Format(odooTime)}
	resp, err := m.get(ctx, m.root(), last.query(last.filter.expr, 1, 0))
	if err != nil {
		return adapter.ChangePage{}, err
	}
	feed, err := m.feed(resp.Body)
	if err != nil {
		return adapter.ChangePage{}, err
	}
	if len(feed.rows) > 0 {
		d := decoder{meta: m.meta.Metadata}
		if s, ok := d.value(p, feed.rows[0][p.Name]).(string); ok {
			from.At, from.Past = s, isPast(s, resp.Header)
		}
	}
	return adapter.ChangePage{Next: from.String(), NoDeletions: true}, nil
}

// settled is how long after a moment by the server's clock no further change
// is taken to bear it. HTTP's clock shows whole seconds.
const settled = 2 * time.Second

// isPast reports whether a moment is over by the server's own clock.
func isPast(at string, header http.Header) bool {
	m, ok := momentOf(at)
	now, err := http.ParseTime(header.Get("Date"))
	return ok && err == nil && now.Sub(m.at) > settled
}

func (c changeCursor) String() string {
	b, _ := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (m *model) changesFrom(text string) (changeCursor, error) {
	var c changeCursor
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(b, &c) != nil || c.Model != m.name {
		return c, m.wrong("cursor", "cursor is not one that this model's changes gave; start again without it")
	}
	if _, ok := momentOf(c.At); !ok {
		return c, m.wrong("cursor", "cursor is not one that this model's changes gave; start again without it")
	}
	return c, nil
}

// changesSince reads the changes behind a cursor.
func (c *Client) changesSince(ctx context.Context, m *model, p *edmx.Property, from changeCursor, q adapter.ChangeQuery) (adapter.ChangePage, error) {
	limit := q.Limit
	if limit == 0 {
		limit = c.config.PageSize
	}
	limit = min(limit, MaxPageSize)
	fields := q.Fields
	asked := true
	if fields != nil {
		asked = false
		for _, f := range fields {
			asked = asked || f == p.Name
		}
		fields = append(append([]string{}, fields...), p.Name)
	}
	plan, err := c.plan(ctx, adapter.Query{Model: m.name, Fields: fields, Order: []adapter.Order{{Field: p.Name}}, Limit: limit})
	if err != nil {
		return adapter.ChangePage{}, err
	}
	filter, err := m.changesFilter(p, from)
	if err != nil {
		return adapter.ChangePage{}, err
	}
	plan.chunks = []expr{filter}
	resp, err := m.get(ctx, m.root(), plan.query(filter, limit+1, 0))
	if err != nil {
		return adapter.ChangePage{}, err
	}
	rows, err := m.all(ctx, resp.Body, limit+1)
	if err != nil {
		return adapter.ChangePage{}, err
	}
	page := adapter.ChangePage{More: len(rows) > limit, NoDeletions: true}
	next := from
	d := decoder{meta: m.meta.Metadata}
	for _, raw := range rows[:min(limit, len(rows))] {
		r, err := plan.sel.record(ctx, raw, false)
		if err != nil {
			return adapter.ChangePage{}, err
		}
		next.At, _ = d.value(p, raw[p.Name]).(string)
		next.Key = r.ID().String()
		if !asked {
			delete(r, p.Name)
		}
		page.Changes = append(page.Changes, adapter.Change{ID: r.ID(), Record: r})
	}
	if !page.More {
		// All of that moment was told. If it is over, nothing more can come of
		// it; otherwise its changes are told again.
		next.Key, next.Past = "", isPast(next.At, resp.Header)
	} else {
		next.Past = false
	}
	page.Next = next.String()
	return page, nil
}

// changesFilter is the condition for the changes behind a cursor.
func (m *model) changesFilter(p *edmx.Property, from changeCursor) (expr, error) {
	at, err := m.literal(p, from.At)
	if err != nil {
		return expr{}, m.unreadable(err)
	}
	switch {
	case from.Past:
		return atom("%s gt %s", p.Name, at), nil
	case from.Key == "":
		return atom("%s ge %s", p.Name, at), nil
	}
	k, err := m.parseID(adapter.StringID(from.Key))
	if err != nil {
		return expr{}, m.wrong("cursor", "cursor is not one that this model's changes gave; start again without it")
	}
	behind, err := m.behind(k, false)
	if err != nil {
		return expr{}, err
	}
	return or(atom("%s gt %s", p.Name, at), and(atom("%s eq %s", p.Name, at), behind)), nil
}

// all reads the rows of an answer and of what it links to, up to most.
func (m *model) all(ctx context.Context, body []byte, most int) ([]map[string]any, error) {
	page, err := m.feed(body)
	var rows []map[string]any
	for {
		if err != nil {
			return nil, err
		}
		rows = append(rows, page.rows...)
		if page.next == "" || len(rows) >= most {
			return rows, nil
		}
		page, err = m.nextAfter(ctx, page)
	}
}
