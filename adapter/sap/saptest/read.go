package saptest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// rows are the records of a place's collection, in the order of their keys.
func (p *place) rows() []*record {
	if p.nav != nil {
		return p.nav.related(p.parent.vals)
	}
	return p.ent.table.order
}

// page is a part of a collection.
type page struct {
	rows  []*record
	total int
	next  string // the skip token of the next page, "" for none
}

// page selects, orders and cuts a collection.
func (c *call) page(all []*record, o *options, size int) (*page, error) {
	limit := size
	if o.top >= 0 && o.top < size {
		limit = o.top
	}
	if len(o.orders) > 0 {
		return c.sortedPage(all, o, limit, size)
	}
	start, skip := 0, o.skip
	if o.skipToken != "" {
		after, err := base64.RawURLEncoding.DecodeString(o.skipToken)
		if err != nil {
			return nil, bad("The skip token can't be read")
		}
		start, _ = slices.BinarySearchFunc(all, string(after)+"\x00", func(r *record, key string) int { return strings.Compare(r.key, key) })
	}
	p := &page{}
	if o.count {
		for _, r := range all {
			if !r.dead && o.filter.matches(r) {
				p.total++
			}
		}
	}
	for _, r := range all[start:] {
		if r.dead || !o.filter.matches(r) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if len(p.rows) == limit {
			if limit == size && size > 0 && limit != o.top {
				p.next = base64.RawURLEncoding.EncodeToString([]byte(p.rows[limit-1].key))
			}
			break
		}
		p.rows = append(p.rows, r)
	}
	return p, nil
}

// sortedPage is page for an order of the caller's, whose tokens are offsets.
func (c *call) sortedPage(all []*record, o *options, limit, size int) (*page, error) {
	start := o.skip
	if o.skipToken != "" {
		n, err := strconv.Atoi(o.skipToken)
		if err != nil || n < 0 {
			return nil, bad("The skip token can't be read")
		}
		start = n
	}
	list := make([]*record, 0, min(len(all), 4096))
	for _, r := range all {
		if !r.dead && o.filter.matches(r) {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(a, b *record) int {
		for i := range o.orders {
			if n := o.orders[i].compare(a, b); n != 0 {
				return n
			}
		}
		return 0
	})
	p := &page{total: len(list)}
	list = list[min(start, len(list)):]
	p.rows = list[:min(limit, len(list))]
	if len(list) > limit && limit == size && limit != o.top {
		p.next = strconv.Itoa(start + limit)
	}
	return p, nil
}

// nextQuery is the query of the next page.
func (c *call) nextQuery(o *options, p *page) string {
	q := url.Values{}
	for name, values := range c.query {
		if name != "$skip" && name != "$skiptoken" && name != "$top" {
			q[name] = values
		}
	}
	if o.top >= 0 {
		q.Set("$top", strconv.Itoa(o.top-len(p.rows)))
	}
	q.Set("$skiptoken", p.next)
	// Dollar signs stay, as they do in SAP's links.
	return strings.ReplaceAll(strings.ReplaceAll(q.Encode(), "%24", "$"), "+", "%20")
}

// get answers a GET. The database is locked.
func (c *call) get() *response {
	p, err := c.locate()
	if err != nil {
		return c.refuse(err)
	}
	switch {
	case p.fn != nil:
		return c.invoke(p)
	case p.suffix == "$count":
		return c.answerCount(p)
	case p.suffix == "$links" || p.suffix == "$ref":
		return c.answerLinks(p)
	case p.prop != nil:
		return c.answerProperty(p)
	case p.suffix == "$value":
		return c.answerStream(p)
	case p.one:
		return c.answerOne(p)
	}
	return c.answerMany(p)
}

func (c *call) answerCount(p *place) *response {
	o, err := c.options(p.ent)
	if err != nil {
		return c.refuse(err)
	}
	n := 0
	for _, r := range p.rows() {
		if !r.dead && o.filter.matches(r) {
			n++
		}
	}
	r := c.answer(http.StatusOK, []byte(strconv.Itoa(n)))
	r.header.Set("Content-Type", "text/plain;charset=utf-8")
	return r
}

func (c *call) answerLinks(p *place) *response {
	b := []byte(`{"d":`)
	if p.suffix == "$ref" {
		b = []byte(`{"@odata.context":"$metadata#$ref","@odata.id":`)
		b = appendString(b, p.ent.set+p.ent.predicate(p.rec.vals, 4))
		return c.answer(http.StatusOK, append(b, '}'))
	}
	rows := p.nav.related(p.parent.vals)
	if p.one {
		if len(rows) == 0 {
			return c.refuse(c.notThere(p))
		}
		b = appendString(append(b, `{"uri":`...), c.uri(p.ent, rows[0].vals))
		return c.answer(http.StatusOK, append(b, `}}`...))
	}
	b = append(b, `{"results":[`...)
	for i, r := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"uri":`...), c.uri(p.ent, r.vals))
		b = append(b, '}')
	}
	return c.answer(http.StatusOK, append(b, `]}}`...))
}

func (c *call) answerProperty(p *place) *response {
	v := p.rec.vals[p.prop.column]
	if p.suffix == "$value" {
		if v == nil {
			return c.refuse(c.notThere(p))
		}
		text := strings.Trim(string(p.prop.appendValue(nil, v, wireFormat{version: 2})), `"`)
		r := c.answer(http.StatusOK, []byte(text))
		r.header.Set("Content-Type", "text/plain;charset=utf-8")
		return r
	}
	var b []byte
	if c.version() == 2 {
		b = appendString(append(b, `{"d":{`...), p.prop.name)
		b = append(p.prop.appendValue(append(b, ':'), v, c.format()), `}}`...)
		return c.answer(http.StatusOK, b)
	}
	if v == nil {
		return &response{status: http.StatusNoContent, header: http.Header{}}
	}
	b = appendString(append(b, `{"@odata.context":`...), fmt.Sprintf("../$metadata#%s%s/%s", p.ent.set, p.ent.predicate(p.rec.vals, 4), p.prop.name))
	b = p.prop.appendValue(append(b, `,"value":`...), v, c.format())
	return c.answer(http.StatusOK, append(b, '}'))
}

func (c *call) answerStream(p *place) *response {
	s, ok := c.server.db.streams[p.rec]
	if !ok {
		return c.refuse(c.notThere(p))
	}
	r := &response{status: http.StatusOK, header: http.Header{}, body: s.content}
	r.header.Set("Content-Type", s.kind)
	return r
}

func (c *call) answerOne(p *place) *response {
	o, err := c.options(p.ent)
	if err != nil {
		return c.refuse(err)
	}
	if p.rec == nil {
		if p.nav != nil && !p.nav.many && c.version() == 4 {
			return &response{status: http.StatusNoContent, header: http.Header{}}
		}
		return c.refuse(c.notThere(p))
	}
	etag := p.ent.etagOf(p.rec.vals, c.version())
	if etag != "" && matchesTag(c.header.Get("If-None-Match"), etag) {
		return &response{status: http.StatusNotModified, header: http.Header{"Etag": {etag}}}
	}
	return c.entityAnswer(http.StatusOK, p.ent, p.rec, o.sel)
}

// entityAnswer is an answer of one record.
func (c *call) entityAnswer(status int, ent *entity, rec *record, sel *selection) *response {
	var r *response
	switch {
	case c.version() == 4:
		b := appendString([]byte(`{"@odata.context":`), c.contextURL(ent, sel)+"/$entity")
		b = append(b, ',')
		r = c.answer(status, append(c.appendV4(b, rec, sel), '}'))
	case c.wantsJSON():
		b := c.appendV2([]byte(`{"d":`), rec, sel)
		r = c.answer(status, append(b, '}'))
	default:
		r = c.answer(status, append([]byte(xmlHead), c.appendAtom(nil, rec, sel, true)...))
		r.header.Set("Content-Type", "application/atom+xml;type=entry; charset=utf-8")
	}
	if etag := ent.etagOf(rec.vals, c.version()); etag != "" {
		r.header.Set("ETag", etag)
	}
	return r
}

func (c *call) answerMany(p *place) *response {
	if p.ent.unaddressable && p.nav == nil {
		return c.refuse(c.fail(http.StatusMethodNotAllowed, "/IWBEP/CM_MGW_RT/173", text{"The entity set '%s' is not addressable", "Die Entitätsmenge '%s' ist nicht adressierbar"}, p.ent.set))
	}
	o, err := c.options(p.ent)
	if err != nil {
		return c.refuse(err)
	}
	pg, err := c.page(p.rows(), o, c.pageSize())
	if err != nil {
		return c.refuse(err)
	}
	next := ""
	if pg.next != "" {
		next = c.path + "?" + c.nextQuery(o, pg)
	}
	if c.version() == 2 {
		return c.manyV2(p, o, pg, next)
	}
	b := appendString([]byte(`{"@odata.context":`), strings.Repeat("../", strings.Count(c.path, "/"))+c.contextURL(p.ent, o.sel))
	if o.count {
		b = fmt.Appendf(b, `,"@odata.count":%d`, pg.total)
	}
	b = append(b, `,"value":[`...)
	for i, r := range pg.rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(c.appendV4(append(b, '{'), r, o.sel), '}')
	}
	b = append(b, ']')
	if next != "" {
		b = appendString(append(b, `,"@odata.nextLink":`...), next)
	}
	return c.answer(http.StatusOK, append(b, '}'))
}

// pageSize is the server's, or less if the client would rather.
func (c *call) pageSize() int {
	size := c.server.config.PageSize
	if _, value, ok := strings.Cut(c.header.Get("Prefer"), "maxpagesize="); ok && c.version() == 4 {
		digits := value
		if at := strings.IndexFunc(value, func(r rune) bool { return r < '0' || r > '9' }); at >= 0 {
			digits = value[:at]
		}
		if n, err := strconv.Atoi(digits); err == nil && n > 0 && n < size {
			size = n
		}
	}
	return size
}

func (c *call) manyV2(p *place, o *options, pg *page, next string) *response {
	if !c.wantsJSON() {
		return c.feed(p, o, pg, next)
	}
	b := []byte(`{"d":{`)
	if o.count {
		b = fmt.Appendf(b, `"__count":"%d",`, pg.total)
	}
	b = append(b, `"results":[`...)
	for i, r := range pg.rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = c.appendV2(b, r, o.sel)
	}
	b = append(b, ']')
	if next != "" {
		b = appendString(append(b, `,"__next":`...), c.root+"/"+next)
	}
	return c.answer(http.StatusOK, append(b, `}}`...))
}

// contextURL says what an answer of version 4 holds.
func (c *call) contextURL(ent *entity, sel *selection) string {
	context := "$metadata#" + ent.set
	if list := sel.contextList(); list != "" {
		context += "(" + list + ")"
	}
	return context
}

func (s *selection) contextList() string {
	var list []string
	if !s.all {
		for _, p := range s.props {
			list = append(list, p.name)
		}
	}
	for _, x := range s.expands {
		list = append(list, x.nav.name+"("+x.sel.contextList()+")")
	}
	return strings.Join(list, ",")
}

// answer is an answer in JSON.
func (c *call) answer(status int, body []byte) *response {
	r := &response{status: status, header: http.Header{}, body: body}
	if c.version() == 4 {
		kind := "application/json;odata.metadata=minimal"
		if c.format().ieee754 {
			kind += ";IEEE754Compatible=true"
		}
		r.header.Set("Content-Type", kind)
		r.header.Set("OData-Version", "4.0")
	} else {
		r.header.Set("Content-Type", "application/json;charset=utf-8")
		r.header.Set("DataServiceVersion", "2.0")
	}
	return r
}

// matchesTag says whether a list of entity tags has the tag, or is "*".
func matchesTag(list, tag string) bool {
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if item == "*" || item == tag || strings.ReplaceAll(tag, "%3A", ":") == strings.ReplaceAll(item, "%3A", ":") {
			return true
		}
	}
	return false
}
