package saptest

import (
	"net/http"
	"net/url"
	"strings"
)

// postStream makes a media entity: the body is its content, the headers are
// what is known of it.
func (c *call) postStream(t *tx, p *place) *response {
	slug := c.header.Get("Slug")
	if name, err := url.PathUnescape(slug); err == nil {
		slug = name
	}
	kind := c.header.Get("Content-Type")
	if kind == "" {
		kind = "application/octet-stream"
	}
	tab := p.ent.table
	ch := &change{tx: t, op: creating, ent: p.ent, table: tab, vals: make([]any, len(tab.ent.props)), given: map[int]bool{}, media: &stream{kind: kind, content: c.body}}
	for _, prop := range tab.ent.props {
		ch.vals[prop.column] = prop.initialValue()
		if prop.kind == kindString {
			// Keys that say whose attachment it is come as headers, too.
			ch.vals[prop.column] = c.header.Get(prop.name)
		}
	}
	for name, v := range map[string]string{"FileName": slug, "MimeType": kind} {
		if prop := tab.ent.byName[name]; prop != nil {
			ch.vals[prop.column] = v
		}
	}
	if strings.TrimSpace(slug) == "" {
		return c.refuse(&Error{Status: http.StatusBadRequest, Code: "CV_ODATA/001", Message: "Header 'Slug' with the file name is missing", Target: "FileName"})
	}
	if err := t.insertChecked(ch); err != nil {
		return c.refuse(err)
	}
	t.setStream(ch.rec, *ch.media)
	r := c.entityAnswer(http.StatusCreated, p.ent, ch.rec, everything(p.ent))
	c.located(r, p.ent, ch.rec)
	return r
}

// putStream replaces the content of a media entity.
func (c *call) putStream(t *tx, p *place) *response {
	if !p.ent.media || p.rec == nil {
		return c.refuse(c.notThere(p))
	}
	if err := c.precondition(p.ent, p.rec); err != nil {
		return c.refuse(err)
	}
	s := stream{kind: c.header.Get("Content-Type"), content: c.body}
	if s.kind == "" {
		s.kind = t.db.streams[p.rec].kind
	}
	t.setStream(p.rec, s)
	return &response{status: http.StatusNoContent, header: http.Header{}}
}

func (t *tx) setStream(rec *record, s stream) {
	old, had := t.db.streams[rec]
	t.db.streams[rec] = s
	t.undo = append(t.undo, func() {
		if had {
			t.db.streams[rec] = old
		} else {
			delete(t.db.streams, rec)
		}
	})
}
