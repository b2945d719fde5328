package saptest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// call is a request to a service at work.
type call struct {
	server   *Server
	service  *Service
	user     string
	language string
	root     string // the service's URL, without a slash at the end
	method   string
	path     string // below the service, escaped
	rawQuery string
	query    url.Values
	header   http.Header
	body     []byte
	tx       *tx               // of the change set it is in, if any
	ids      map[string]string // in a change set: Content-ID to what it made
	inBatch  bool
	failed   bool // it is the one for which its change set was taken back
}

// response is an answer in the making.
type response struct {
	status int
	header http.Header
	body   []byte
}

func (c *call) version() int {
	if c.service == nil {
		return 2
	}
	return c.service.version
}

// format is how values look in the answer.
func (c *call) format() wireFormat {
	return wireFormat{version: c.version(), ieee754: c.version() == 4 && compatible(c.header.Get("Accept"))}
}

// bodyFormat is how values look in the request.
func (c *call) bodyFormat() wireFormat {
	return wireFormat{version: c.version(), ieee754: c.version() == 4 && compatible(c.header.Get("Content-Type"))}
}

func compatible(mediaType string) bool {
	return strings.Contains(strings.ToLower(strings.ReplaceAll(mediaType, " ", "")), "ieee754compatible=true")
}

// wantsJSON says whether a version 2 service answers in JSON: only where the
// request says so.
func (c *call) wantsJSON() bool {
	switch c.query.Get("$format") {
	case "json":
		return true
	case "":
		return strings.Contains(c.header.Get("Accept"), "json") || c.inBatch && c.header.Get("Accept") == ""
	}
	return false
}

// place is what a path leads to.
type place struct {
	ent    *entity
	rec    *record // nil: a collection, or nothing there
	one    bool    // one record, or none, rather than a collection
	nav    *navigation
	parent *record
	prop   *property
	suffix string // "$count", "$value", "$links", "$ref"
	fn     *function
	params map[string]any
}

// segments splits a path at its slashes, those in quotes left alone.
func segments(path string) ([]string, error) {
	var out []string
	quoted, start := false, 0
	for i := 0; i <= len(path); i++ {
		switch {
		case i == len(path) || path[i] == '/' && !quoted:
			s, err := url.PathUnescape(path[start:i])
			if err != nil {
				return nil, bad("The path can't be read")
			}
			out = append(out, s)
			start = i + 1
		case path[i] == '\'':
			quoted = !quoted
		case strings.HasPrefix(path[i:], "%27"):
			quoted = !quoted
		}
	}
	return out, nil
}

// cutKey splits a segment into its name and what is in parentheses.
func cutKey(segment string) (name, key string, has bool) {
	at := strings.IndexByte(segment, '(')
	if at < 0 || !strings.HasSuffix(segment, ")") {
		return segment, "", false
	}
	return segment[:at], segment[at+1 : len(segment)-1], true
}

func (c *call) unknownSegment(name string) *Error {
	return c.fail(http.StatusNotFound, "005056A509B11EE1B9A8FEC11C21D78E", text{"Resource not found for the segment '%s'", "Ressource für Segment '%s' nicht gefunden"}, name)
}

// locate follows a path. The database is locked.
func (c *call) locate() (*place, error) {
	list, err := segments(c.path)
	if err != nil {
		return nil, err
	}
	name, key, hasKey := cutKey(list[0])
	p := &place{}
	if f := c.service.function(name); f != nil && (f.bound == nil || c.version() == 2) {
		if len(list) > 1 {
			return nil, c.unknownSegment(list[1])
		}
		return c.imported(f, key)
	}
	if p.ent = c.service.entity(name); p.ent == nil {
		return nil, c.unknownSegment(name)
	}
	if hasKey {
		if err := c.enter(p, key); err != nil {
			return nil, err
		}
	}
	for i, s := range list[1:] {
		if s == "" && i == len(list)-2 {
			break // a slash at the end
		}
		if err := c.step(p, s); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// enter takes one record of a collection by its key.
func (c *call) enter(p *place, key string) error {
	vals, err := p.ent.parseKey(key, c.version())
	if err != nil {
		return err
	}
	found := p.ent.table.get(p.ent.table.keyOf(vals))
	if p.nav != nil && found != nil {
		within := false
		for _, r := range p.nav.related(p.parent.vals) {
			within = within || r == found
		}
		if !within {
			found = nil
		}
	}
	p.rec, p.one = found, true
	return nil
}

func (c *call) step(p *place, segment string) error {
	if p.suffix == "$links" {
		n := p.ent.navBy[segment]
		if n == nil {
			return c.unknownSegment(segment)
		}
		p.parent, p.nav, p.ent, p.one, p.rec = p.rec, n, n.to, !n.many, nil
		return nil
	}
	if p.suffix != "" {
		return c.unknownSegment(segment)
	}
	switch segment {
	case "$count", "$value", "$links", "$ref":
		if segment == "$count" == p.one || segment == "$ref" && c.version() == 2 || segment == "$links" && c.version() == 4 {
			return c.unknownSegment(segment)
		}
		if p.one && p.rec == nil {
			return c.notThere(p)
		}
		p.suffix = segment
		return nil
	}
	if !p.one || p.prop != nil {
		return c.collectionStep(p, segment)
	}
	if p.rec == nil {
		return c.notThere(p)
	}
	name, key, hasKey := cutKey(segment)
	if n := p.ent.navBy[name]; n != nil {
		p.parent, p.nav, p.ent, p.one = p.rec, n, n.to, !n.many
		p.rec = nil
		if p.one {
			if rows := n.related(p.parent.vals); len(rows) > 0 {
				p.rec = rows[0]
			}
		} else if hasKey {
			return c.enter(p, key)
		}
		return nil
	}
	if prop := p.ent.byName[name]; prop != nil && !hasKey {
		p.prop = prop
		return nil
	}
	return c.boundStep(p, name, key, hasKey)
}

// collectionStep is what may follow a collection: a bound function, and in
// tolerant form nothing else.
func (c *call) collectionStep(p *place, segment string) error {
	return c.unknownSegment(segment)
}

// boundStep takes a bound function or action of version 4.
func (c *call) boundStep(p *place, name, args string, _ bool) error {
	short, ok := strings.CutPrefix(name, c.service.namespace+".")
	f := c.service.function(short)
	if !ok || f == nil || f.bound != p.ent {
		return c.unknownSegment(name)
	}
	p.fn = f
	params, err := f.fromURL(args, nil, 4)
	p.params = params
	if f.post {
		p.params, err = nil, nil
	}
	return err
}

// imported takes a function import, or an unbound function of version 4.
func (c *call) imported(f *function, args string) (*place, error) {
	p := &place{fn: f}
	if c.version() == 4 && f.post {
		return p, nil // an action has its parameters in the body
	}
	params, err := f.fromURL(args, c.query, c.version())
	p.params = params
	return p, err
}

func (c *call) notThere(p *place) *Error {
	return c.fail(http.StatusNotFound, "/IWBEP/CM_MGW_RT/020", text{"Requested entity of '%s' was not found", "Angeforderte Entität von '%s' wurde nicht gefunden"}, p.ent.set)
}

// parseKey reads a key predicate into the columns of a record.
func (e *entity) parseKey(key string, version int) ([]any, error) {
	vals := make([]any, len(e.table.ent.props))
	l := &lexer{text: key}
	wrong := &Error{Status: 400, Code: "/IWBEP/CM_MGW_RT/022", Message: "Invalid key predicate type for resource '" + e.set + "'"}
	seen := 0
	for {
		l.skipSpace()
		if l.at >= len(key) {
			return nil, wrong
		}
		prop := e.keys[0]
		if word := l.peekWord(); l.at+len(word) < len(key) && key[l.at+len(word)] == '=' {
			if prop = e.byName[word]; prop == nil || !prop.key {
				return nil, wrong
			}
			l.at += len(word) + 1
		} else if len(e.keys) > 1 {
			return nil, wrong
		}
		v, cl, end, err := readLiteral(key, l.at, version)
		if err != nil || end == l.at {
			return nil, wrong
		}
		l.at = end
		if vals[prop.column], err = prop.fromLiteral(v, cl, version); err != nil {
			return nil, wrong
		}
		seen++
		if !l.char(',') {
			break
		}
	}
	if l.skipSpace(); l.at < len(key) || seen != len(e.keys) {
		return nil, wrong
	}
	return vals, nil
}

// fromLiteral makes the property's value of a literal in a URL.
func (p *property) fromLiteral(v any, c class, version int) (any, error) {
	if v == nil {
		return nil, nil
	}
	if want := p.class(version); c != want {
		return nil, p.refuse("has a literal of the wrong type")
	}
	switch v := v.(type) {
	case string:
		if p.alpha {
			return stripZeros(v), nil
		}
		return v, nil
	case int64:
		switch p.kind {
		case kindDecimal:
			return decimal(fmt.Sprint(v)), nil
		case kindDouble, kindSingle:
			return float64(v), nil
		}
		return p.readInteger(fmt.Sprint(v))
	case decimal:
		if p.kind == kindDouble || p.kind == kindSingle {
			f, _ := v.rat().Float64()
			return f, nil
		}
		if p.kind != kindDecimal {
			return nil, p.refuse("wants a whole number")
		}
	case time.Time:
		if p.kind == kindDate {
			return v.Truncate(24 * time.Hour), nil
		}
	}
	return v, nil
}

// fromURL reads the parameters of a function: in version 2 from the query, in
// version 4 from the parentheses.
func (f *function) fromURL(args string, query url.Values, version int) (map[string]any, error) {
	params := map[string]any{}
	l := &lexer{text: args}
	given := map[string]string{}
	if version == 2 {
		for name := range query {
			given[name] = query.Get(name)
		}
	}
	for version == 4 && l.at < len(args) {
		name := l.peekWord()
		l.at += len(name)
		if name == "" || !l.char('=') || l.at >= len(args) {
			return nil, l.syntax()
		}
		_, _, end, err := readLiteral(args, l.at, version)
		if err != nil || end == l.at {
			return nil, l.syntax()
		}
		given[name] = args[l.at:end]
		l.at = end
		if !l.char(',') && l.at < len(args) {
			return nil, l.syntax()
		}
	}
	for _, p := range f.params {
		s, ok := given[p.name]
		if !ok || s == "" {
			if p.required {
				return nil, &Error{Status: 400, Code: "/IWBEP/CM_MGW_RT/004", Message: fmt.Sprintf("Mandatory parameter '%s' of '%s' is missing", p.name, f.name), Target: p.name}
			}
			continue
		}
		v, c, end, err := readLiteral(s, 0, version)
		if err != nil || end != len(s) {
			return nil, p.refuse("has a literal that can't be read")
		}
		if params[p.name], err = p.fromLiteral(v, c, version); err != nil {
			return nil, err
		}
	}
	return params, nil
}

// predicate is a record's key as it stands in a URL.
func (e *entity) predicate(vals []any, version int) string {
	var b strings.Builder
	b.WriteByte('(')
	for i, k := range e.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		if len(e.keys) > 1 {
			b.WriteString(k.name)
			b.WriteByte('=')
		}
		b.WriteString(escapeLiteral(k.literal(vals[k.column], version)))
	}
	b.WriteByte(')')
	return b.String()
}

// escapeLiteral escapes what may not stand in a path, quotes left as they are.
func escapeLiteral(s string) string {
	plain := true
	for i := range len(s) {
		c := s[i]
		plain = plain && (wordByte(c) && c < 0x80 || c == '\'' || c == '-' || c == '.')
	}
	if plain {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(url.PathEscape(s), "%27", "'"), ":", "%3A")
}

// uri is the address of a record.
func (c *call) uri(e *entity, vals []any) string {
	return c.root + "/" + e.set + e.predicate(vals, c.version())
}

// etagOf is a record's entity tag, "" if it has none.
func (e *entity) etagOf(vals []any, version int) string {
	if e.etag == nil || vals[e.etag.column] == nil {
		return ""
	}
	v := e.etag.literal(vals[e.etag.column], version)
	if version == 4 {
		v = strings.ReplaceAll(strings.Trim(v, "'"), ":", "")
		return `W/"SADL-` + v + `"`
	}
	return `W/"` + strings.ReplaceAll(v, ":", "%3A") + `"`
}
