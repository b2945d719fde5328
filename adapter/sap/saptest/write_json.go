package saptest

import (
	"fmt"
	"strconv"
)

// expanded returns the related records that an expansion puts into an answer.
func (c *call) expanded(x *expansion, vals []any) (rows []*record, total int) {
	rows = x.nav.related(vals)
	if x.opts.filter == nil && len(x.opts.orders) == 0 && x.opts.skip == 0 && x.opts.top < 0 {
		return rows, len(rows)
	}
	p, err := c.sortedPage(rows, x.opts, limitOf(x.opts.top, len(rows)), len(rows))
	if err != nil {
		return nil, 0
	}
	return p.rows, p.total
}

func limitOf(top, n int) int {
	if top >= 0 && top < n {
		return top
	}
	return n
}

// appendV2 writes a record in the verbose JSON of version 2.
func (c *call) appendV2(b []byte, r *record, sel *selection) []byte {
	ent, f := sel.ent, c.format()
	uri := c.uri(ent, r.vals)
	b = appendString(append(b, `{"__metadata":{"id":`...), uri)
	b = appendString(append(b, `,"uri":`...), uri)
	b = appendString(append(b, `,"type":`...), ent.qualified())
	if etag := ent.etagOf(r.vals, 2); etag != "" {
		b = appendString(append(b, `,"etag":`...), etag)
	}
	if ent.media {
		b = appendString(append(b, `,"content_type":`...), c.server.db.streams[r].kind)
		b = appendString(append(b, `,"media_src":`...), uri+"/$value")
		b = appendString(append(b, `,"edit_media":`...), uri+"/$value")
	}
	b = append(b, '}')
	for _, p := range sel.props {
		b = append(append(append(b, `,"`...), p.name...), `":`...)
		b = p.appendValue(b, r.vals[p.column], f)
	}
	for _, n := range ent.navs {
		x := sel.expansion(n)
		if x == nil {
			if sel.all || sel.links[n.name] {
				b = append(append(append(b, `,"`...), n.name...), `":{"__deferred":{"uri":`...)
				b = append(appendString(b, uri+"/"+n.name), `}}`...)
			}
			continue
		}
		b = append(append(append(b, `,"`...), n.name...), `":`...)
		b = c.appendRelatedV2(b, x, r)
	}
	return append(b, '}')
}

func (c *call) appendRelatedV2(b []byte, x *expansion, r *record) []byte {
	rows, _ := c.expanded(x, r.vals)
	if !x.nav.many {
		if len(rows) == 0 {
			return append(b, "null"...)
		}
		return c.appendV2(b, rows[0], x.sel)
	}
	b = append(b, `{"results":[`...)
	for i, row := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = c.appendV2(b, row, x.sel)
	}
	return append(b, `]}`...)
}

func (s *selection) expansion(n *navigation) *expansion {
	for _, x := range s.expands {
		if x.nav == n {
			return x
		}
	}
	return nil
}

// appendV4 writes the members of a record in the JSON of version 4, without
// the braces.
func (c *call) appendV4(b []byte, r *record, sel *selection) []byte {
	f, first := c.format(), true
	comma := func() {
		if !first {
			b = append(b, ',')
		}
		first = false
	}
	if etag := sel.ent.etagOf(r.vals, 4); etag != "" {
		comma()
		b = appendString(append(b, `"@odata.etag":`...), etag)
	}
	if sel.ent.media {
		comma()
		b = appendString(append(b, `"@odata.mediaContentType":`...), c.server.db.streams[r].kind)
	}
	for _, p := range sel.props {
		comma()
		b = append(append(append(b, '"'), p.name...), `":`...)
		b = p.appendValue(b, r.vals[p.column], f)
	}
	for _, x := range sel.expands {
		comma()
		rows, total := c.expanded(x, r.vals)
		name := x.nav.name
		if x.opts.count && x.nav.many {
			b = append(append(append(b, '"'), name...), `@odata.count":`...)
			b = append(strconv.AppendInt(b, int64(total), 10), ',')
		}
		b = append(append(append(b, '"'), name...), `":`...)
		if !x.nav.many {
			if len(rows) == 0 {
				b = append(b, "null"...)
				continue
			}
			b = append(c.appendV4(append(b, '{'), rows[0], x.sel), '}')
			continue
		}
		b = append(b, '[')
		for i, row := range rows {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(c.appendV4(append(b, '{'), row, x.sel), '}')
		}
		b = append(b, ']')
	}
	return b
}

const xmlHead = `<?xml version="1.0" encoding="utf-8"?>`

// atomNames are the namespaces of Atom answers.
const atomNames = ` xmlns="http://www.w3.org/2005/Atom" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices"`

// feed is a collection in Atom, which is what version 2 answers to those who
// don't ask for JSON.
func (c *call) feed(p *place, o *options, pg *page, next string) *response {
	b := []byte(xmlHead + `<feed` + atomNames + ` xml:base="` + xmlText(c.root) + `/"><id>` + xmlText(c.root+"/"+p.ent.set) + `</id><title type="text">` + p.ent.set + `</title><updated>` + c.server.config.Now().UTC().Format("2006-01-02T15:04:05Z") + `</updated>`)
	if o.count {
		b = fmt.Appendf(b, `<m:count>%d</m:count>`, pg.total)
	}
	for _, r := range pg.rows {
		b = c.appendAtom(b, r, o.sel, false)
	}
	if next != "" {
		b = append(b, `<link href="`+xmlText(c.root+"/"+next)+`" rel="next"/>`...)
	}
	r := c.answer(200, append(b, `</feed>`...))
	r.header.Set("Content-Type", "application/atom+xml;type=feed; charset=utf-8")
	return r
}

func (c *call) appendAtom(b []byte, r *record, sel *selection, outer bool) []byte {
	b = append(b, `<entry`...)
	if outer {
		b = append(b, atomNames...)
	}
	if etag := sel.ent.etagOf(r.vals, 2); etag != "" {
		b = append(b, ` m:etag="`+xmlText(etag)+`"`...)
	}
	uri := xmlText(c.uri(sel.ent, r.vals))
	b = append(b, `><id>`+uri+`</id><title type="text">`+sel.ent.set+`</title><category term="`+sel.ent.qualified()+`" scheme="http://schemas.microsoft.com/ado/2007/08/dataservices/scheme"/><link href="`+uri+`" rel="edit" title="`+sel.ent.typeName+`"/><content type="application/xml"><m:properties>`...)
	for _, p := range sel.props {
		v := r.vals[p.column]
		if v == nil {
			b = append(b, `<d:`+p.name+` m:null="true"/>`...)
			continue
		}
		b = append(b, `<d:`+p.name+`>`+xmlText(atomValue(p, v))+`</d:`+p.name+`>`...)
	}
	return append(b, `</m:properties></content></entry>`...)
}
