package saptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// operation is a kind of change.
type operation byte

const (
	creating operation = iota
	updating
	deleting
)

// change is a record that is being made, changed or deleted.
type change struct {
	*tx
	op     operation
	ent    *entity // as the caller sees it
	table  *table
	rec    *record // once it exists
	vals   []any   // as they will be; rules may change them
	old    []any
	given  map[int]bool // columns that the caller gave
	parent *record
	via    *navigation
	media  *stream
}

// rule is what the simulator does before or after a change.
type rule func(*change) error

func (ch *change) column(name string) int { return ch.table.ent.byName[name].column }
func (ch *change) get(name string) any    { return ch.vals[ch.column(name)] }
func (ch *change) set(name string, v any) { ch.vals[ch.column(name)] = v }
func (ch *change) str(name string) string { s, _ := ch.get(name).(string); return s }

// orSet sets a property that has no value.
func (ch *change) orSet(name string, v any) {
	if old := ch.get(name); old == nil || old == "" || old == decimal("0") {
		ch.set(name, v)
	}
}

// write carries out changes in a transaction: the change set's, or one of its
// own.
func (c *call) write(do func(t *tx) *response) *response {
	if c.tx != nil {
		done := len(c.tx.undo)
		c.tx.call = c
		r := do(c.tx)
		if r.status >= 400 {
			c.tx.rollback(done)
		}
		return r
	}
	db := c.server.db
	db.mu.Lock()
	defer db.mu.Unlock()
	t := &tx{db: db, call: c}
	r := do(t)
	if r.status >= 400 {
		t.rollback(0)
	} else {
		t.commit()
	}
	return r
}

// change answers requests that change something.
func (c *call) change(t *tx) *response {
	method := c.method
	if method == http.MethodPost {
		if tunnelled := c.header.Get("X-HTTP-Method"); tunnelled != "" {
			method = tunnelled
		}
	}
	p, err := c.locate()
	if err != nil {
		return c.refuse(err)
	}
	if p.fn != nil {
		if method != p.fn.method() {
			return c.notAllowed(p.fn.name)
		}
		return c.invokeIn(t, p)
	}
	switch method {
	case http.MethodPost:
		return c.post(t, p)
	case http.MethodPut, http.MethodPatch, "MERGE":
		if method == "MERGE" && c.version() == 4 {
			break
		}
		if p.suffix == "$value" && p.prop == nil {
			return c.putStream(t, p)
		}
		if p.one && p.prop == nil && p.suffix == "" {
			return c.patch(t, p, method == http.MethodPut)
		}
	case http.MethodDelete:
		if p.one && p.prop == nil && p.suffix == "" {
			return c.delete(t, p)
		}
	}
	return c.notAllowed(c.path)
}

func (c *call) notAllowed(what string) *response {
	return c.refuse(c.fail(http.StatusMethodNotAllowed, "/IWBEP/CM_MGW_RT/009", text{"Method not allowed for '%s'", "Methode für '%s' nicht erlaubt"}, what))
}

// object decodes the request's body.
func (c *call) object() (map[string]any, error) {
	kind := c.header.Get("Content-Type")
	if kind != "" && !strings.Contains(strings.ToLower(kind), "json") {
		return nil, c.fail(http.StatusUnsupportedMediaType, "005056A509B11EE1B9A8FEC11C22178E", text{"Content type '%s' is not supported", "Inhaltstyp '%s' wird nicht unterstützt"}, kind)
	}
	if len(bytes.TrimSpace(c.body)) == 0 {
		return map[string]any{}, nil
	}
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	if err == nil {
		_, err = d.Token()
	}
	obj, ok := v.(map[string]any)
	if !errors.Is(err, io.EOF) || !ok {
		return nil, &Error{Status: http.StatusBadRequest, Code: "CX_SXML_PARSE_ERROR/001", Message: "Error while parsing the request body"}
	}
	if inner, ok := obj["d"].(map[string]any); ok && len(obj) == 1 {
		return inner, nil
	}
	return obj, nil
}

func (c *call) post(t *tx, p *place) *response {
	if p.one || p.suffix != "" || p.nav != nil && !p.nav.many {
		return c.notAllowed(c.path)
	}
	if p.ent.noCreate && !(p.ent.nested && p.nav != nil) {
		return c.notAllowed(p.ent.set)
	}
	if p.ent.media {
		return c.postStream(t, p)
	}
	obj, err := c.object()
	if err != nil {
		return c.refuse(err)
	}
	if p.parent != nil {
		if err := t.lockedBy(p.nav.from.table, p.parent.key); err != nil {
			return c.refuse(err)
		}
	}
	rec, sel, err := t.create(p.ent, p.nav, p.parent, obj)
	if err != nil {
		return c.refuse(err)
	}
	r := c.entityAnswer(http.StatusCreated, p.ent, rec, sel)
	c.located(r, p.ent, rec)
	if strings.Contains(c.header.Get("Prefer"), "return=minimal") && c.version() == 4 {
		r.status, r.body = http.StatusNoContent, nil
		r.header.Set("Preference-Applied", "return=minimal")
		r.header.Set("OData-EntityId", c.uri(p.ent, rec.vals))
	}
	return r
}

func (c *call) located(r *response, ent *entity, rec *record) {
	r.header.Set("Location", c.uri(ent, rec.vals))
	if id := c.header.Get("Content-ID"); id != "" && c.ids != nil {
		c.ids[id] = ent.set + ent.predicate(rec.vals, c.version())
	}
}

// create makes a record, and those nested in it, from decoded JSON. The
// selection shows what was nested.
func (t *tx) create(ent *entity, via *navigation, parent *record, obj map[string]any) (*record, *selection, error) {
	tab := ent.table
	ch := &change{tx: t, op: creating, ent: ent, table: tab, vals: make([]any, len(tab.ent.props)), given: map[int]bool{}, parent: parent, via: via}
	for _, p := range tab.ent.props {
		if !p.key {
			ch.vals[p.column] = p.initialValue()
		}
	}
	nested, err := t.fill(ch, obj)
	if err != nil {
		return nil, nil, err
	}
	if via != nil {
		for i, p := range via.foreign {
			if ch.vals[p.column] != nil && ch.given[p.column] && order(ch.vals[p.column], via.value(i, parent.vals)) != 0 {
				return nil, nil, p.refuse("differs from the record that this one is made for")
			}
			ch.vals[p.column] = via.value(i, parent.vals)
		}
	}
	if err := t.insertChecked(ch); err != nil {
		return nil, nil, err
	}
	sel := everything(ent)
	for _, n := range ent.navs {
		list, ok := nested[n]
		if !ok {
			continue
		}
		x := &expansion{nav: n, sel: everything(n.to), opts: &options{top: -1}}
		for _, child := range list {
			_, childSel, err := t.create(n.to, n, ch.rec, child)
			if err != nil {
				return nil, nil, err
			}
			x.sel.merge(childSel)
		}
		sel.expands = append(sel.expands, x)
	}
	if tab.after != nil {
		if err := tab.after(ch); err != nil {
			return nil, nil, err
		}
	}
	return ch.rec, sel, nil
}

// merge adds the expansions of another selection of the same entity.
func (s *selection) merge(other *selection) {
	for _, x := range other.expands {
		if mine := s.expansion(x.nav); mine != nil {
			mine.sel.merge(x.sel)
		} else {
			s.expands = append(s.expands, x)
		}
	}
}

// insertChecked applies the rules to a new record and stores it.
func (t *tx) insertChecked(ch *change) error {
	tab := ch.table
	if tab.before != nil {
		if err := tab.before(ch); err != nil {
			return err
		}
	}
	for _, p := range ch.ent.props {
		if p.required && (ch.vals[p.column] == nil || ch.vals[p.column] == "" && !p.key) {
			return p.refuse("is mandatory")
		}
	}
	for _, k := range tab.ent.keys {
		if ch.vals[k.column] == nil {
			return k.refuse("is mandatory")
		}
	}
	if err := ch.led(); err != nil {
		return err
	}
	t.stampETag(tab, ch.vals, nil)
	if err := ch.checked(); err != nil {
		return err
	}
	rec, err := t.insert(tab, ch.vals)
	ch.rec = rec
	return err
}

// led refuses references to nothing, where the model says so.
func (ch *change) led() error {
	for _, n := range ch.ent.navs {
		if !n.must || n.many {
			continue
		}
		v := n.value(0, ch.vals)
		if v == nil || v == "" || len(n.related(ch.vals)) > 0 {
			continue
		}
		return ch.fail(http.StatusBadRequest, "/IWBEP/CX_SD_GEN_DPC_BUSINS/020", text{"%s '%v' does not exist", "%s '%v' ist nicht vorhanden"}, label(n.to.set), v).about(n.local[0].name)
	}
	return nil
}

// fill takes the values of a decoded object. What is nested in it comes back.
func (t *tx) fill(ch *change, obj map[string]any) (map[*navigation][]map[string]any, error) {
	nested := map[*navigation][]map[string]any{}
	names := make([]string, 0, len(obj))
	for name := range obj {
		names = append(names, name)
	}
	slices.Sort(names) // so that the same mistakes give the same error
	f := t.call.bodyFormat()
	for _, name := range names {
		v := obj[name]
		switch {
		case name == "__metadata":
			continue
		case strings.Contains(name, "@"):
			if nav, ok := strings.CutSuffix(name, "@odata.bind"); ok && f.version == 4 {
				if err := t.bind(ch, nav, v); err != nil {
					return nil, err
				}
			}
			continue
		}
		if n := ch.ent.navBy[name]; n != nil {
			list, err := t.nestedIn(ch, n, v)
			if err != nil {
				return nil, err
			}
			if list != nil {
				nested[n] = list
			}
			continue
		}
		if err := ch.take(name, v, f); err != nil {
			return nil, err
		}
	}
	return nested, nil
}

// take reads one property of the body.
func (ch *change) take(name string, v any, f wireFormat) error {
	p := ch.ent.byName[name]
	if p == nil {
		return &Error{Status: http.StatusBadRequest, Code: "005056A509B11ED1B9BF94F386DE82DC", Message: "Property '" + name + "' is invalid", Target: name}
	}
	value, err := p.read(v, f)
	if err != nil {
		return err
	}
	own := ch.via != nil && slices.Contains(ch.via.foreign, p)
	if ch.op == updating {
		old := ch.old[p.column]
		if p.noUpdate && !(old != nil && value != nil && order(old, value) == 0 || old == nil && value == nil) {
			return p.refuse("is read-only")
		}
	} else if p.noCreate && !own {
		return p.refuse("is read-only")
	}
	ch.vals[p.column] = value
	ch.given[p.column] = true
	return nil
}

// nestedIn reads what stands in the place of a navigation property: records
// to make, or a link to one that exists.
func (t *tx) nestedIn(ch *change, n *navigation, v any) ([]map[string]any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		if v["__deferred"] != nil {
			return nil, nil
		}
		if meta, ok := v["__metadata"].(map[string]any); ok && len(v) == 1 && !n.many {
			return nil, t.bind(ch, n.name, meta["uri"])
		}
		if results, ok := v["results"].([]any); ok && n.many && t.call.version() == 2 {
			return t.objects(ch, n, results)
		}
		if !n.many {
			return t.objects(ch, n, []any{v})
		}
	case []any:
		if n.many {
			return t.objects(ch, n, v)
		}
	}
	return nil, &Error{Status: http.StatusBadRequest, Code: "CX_SXML_PARSE_ERROR/002", Message: "Navigation property '" + n.name + "' has a value of the wrong form", Target: n.name}
}

func (t *tx) objects(ch *change, n *navigation, list []any) ([]map[string]any, error) {
	if ch.op == updating {
		return nil, &Error{Status: http.StatusBadRequest, Code: "/IWBEP/CM_MGW_RT/120", Message: "Navigation property '" + n.name + "' can't be changed with the record; change its records themselves", Target: n.name}
	}
	if n.to.noCreate && !n.to.nested {
		return nil, &Error{Status: http.StatusBadRequest, Code: "/IWBEP/CM_MGW_RT/121", Message: "Navigation property '" + n.name + "' can't be created", Target: n.name}
	}
	out := make([]map[string]any, len(list))
	for i, item := range list {
		obj, ok := item.(map[string]any)
		if !ok {
			return nil, &Error{Status: http.StatusBadRequest, Code: "CX_SXML_PARSE_ERROR/002", Message: "Navigation property '" + n.name + "' holds something that is no object", Target: n.name}
		}
		out[i] = obj
	}
	return out, nil
}

// bind sets a relation to one record by that record's address.
func (t *tx) bind(ch *change, name string, v any) error {
	n := ch.ent.navBy[name]
	address, _ := v.(string)
	if n == nil || n.many || address == "" {
		return bad("'%s' can't be bound", name)
	}
	address = strings.TrimPrefix(strings.TrimPrefix(address, t.call.root), "/")
	if decoded, err := url.PathUnescape(address); err == nil {
		address = decoded
	}
	set, key, ok := cutKey(address)
	if !ok || set != n.to.set {
		return bad("'%s' can't be bound to '%s'", name, address)
	}
	vals, err := n.to.parseKey(key, t.call.version())
	if err != nil {
		return err
	}
	rec := n.to.table.get(n.to.table.keyOf(vals))
	if rec == nil {
		return t.fail(http.StatusBadRequest, "/IWBEP/CM_MGW_RT/020", text{"Requested entity of '%s' was not found", "Angeforderte Entität von '%s' wurde nicht gefunden"}, n.to.set)
	}
	for i, p := range n.local {
		if p != nil {
			ch.vals[p.column] = rec.vals[n.foreign[i].column]
			ch.given[p.column] = true
		}
	}
	return nil
}

// lockedBy refuses to change what somebody else has open.
func (t *tx) lockedBy(tab *table, key string) error {
	who, ok := tab.locks[key]
	if !ok {
		return nil
	}
	status := http.StatusConflict
	if t.call.version() == 4 {
		status = http.StatusLocked
	}
	return t.fail(status, "MC/601", text{"%s %s is locked by user %s", "%s %s ist durch Benutzer %s gesperrt"}, label(tab.ent.set), displayKey(tab.ent, tab.rows[key].vals), who)
}

// precondition checks If-Match, without which what has an entity tag can't be
// changed.
func (c *call) precondition(ent *entity, rec *record) error {
	etag := ent.etagOf(rec.vals, c.version())
	given := c.header.Get("If-Match")
	switch {
	case etag == "":
		return nil
	case given == "":
		return c.fail(http.StatusPreconditionRequired, "/IWBEP/CM_MGW_RT/105", text{"The Data Services Request is required to be conditional. Try using the \"If-Match\" header", "Die Anfrage muss eine Bedingung haben; Kopfzeile \"If-Match\" angeben"})
	case !matchesTag(given, etag):
		return c.fail(http.StatusPreconditionFailed, "/IWBEP/CM_MGW_RT/106", text{"Precondition failed; the entity was changed", "Vorbedingung nicht erfüllt; die Entität wurde geändert"})
	}
	return nil
}

// changeable finds what a PATCH, PUT or DELETE is about, if it may be changed.
func (c *call) changeable(t *tx, p *place, forbidden bool) error {
	if forbidden {
		return c.fail(http.StatusMethodNotAllowed, "/IWBEP/CM_MGW_RT/009", text{"Method not allowed for '%s'", "Methode für '%s' nicht erlaubt"}, p.ent.set)
	}
	if p.rec == nil {
		return c.notThere(p)
	}
	if err := t.lockedBy(p.ent.table, p.rec.key); err != nil {
		return err
	}
	return c.precondition(p.ent, p.rec)
}

func (c *call) patch(t *tx, p *place, whole bool) *response {
	if err := c.changeable(t, p, p.ent.noUpdate); err != nil {
		return c.refuse(err)
	}
	obj, err := c.object()
	if err != nil {
		return c.refuse(err)
	}
	ch := &change{tx: t, op: updating, ent: p.ent, table: p.ent.table, rec: p.rec, old: p.rec.vals, vals: slices.Clone(p.rec.vals), given: map[int]bool{}}
	if whole {
		for _, prop := range p.ent.props {
			if !prop.noUpdate {
				ch.vals[prop.column] = prop.initialValue()
				if _, ok := obj[prop.name]; !ok && prop.required {
					return c.refuse(prop.refuse("is mandatory"))
				}
			}
		}
	}
	if _, err := t.fill(ch, obj); err != nil {
		return c.refuse(err)
	}
	if err := t.apply(ch); err != nil {
		return c.refuse(err)
	}
	if c.version() == 2 || strings.Contains(c.header.Get("Prefer"), "return=minimal") {
		r := &response{status: http.StatusNoContent, header: http.Header{}}
		if c.version() == 2 {
			r.header.Set("DataServiceVersion", "2.0")
		} else {
			r.header.Set("OData-Version", "4.0")
			r.header.Set("ETag", p.ent.etagOf(p.rec.vals, 4))
		}
		return r
	}
	return c.entityAnswer(http.StatusOK, p.ent, p.rec, everything(p.ent))
}

// apply carries out an update whose values are known.
func (t *tx) apply(ch *change) error {
	if ch.table.before != nil {
		if err := ch.table.before(ch); err != nil {
			return err
		}
	}
	for _, p := range ch.ent.props {
		if p.required && ch.given[p.column] && ch.vals[p.column] == "" && !p.key {
			return p.refuse("is mandatory")
		}
	}
	if err := ch.led(); err != nil {
		return err
	}
	t.stampETag(ch.table, ch.vals, ch.old)
	if err := ch.checked(); err != nil {
		return err
	}
	t.update(ch.table, ch.rec, ch.vals)
	if ch.table.after != nil {
		return ch.table.after(ch)
	}
	return nil
}

func (c *call) delete(t *tx, p *place) *response {
	if err := c.changeable(t, p, p.ent.noDelete); err != nil {
		return c.refuse(err)
	}
	if err := t.delete(p.ent, p.rec); err != nil {
		return c.refuse(err)
	}
	r := &response{status: http.StatusNoContent, header: http.Header{}}
	if c.version() == 2 {
		r.header.Set("DataServiceVersion", "2.0")
	}
	return r
}

// delete removes a record and those that it owns.
func (t *tx) delete(ent *entity, rec *record) error {
	tab := ent.table
	ch := &change{tx: t, op: deleting, ent: ent, table: tab, rec: rec, old: rec.vals, vals: rec.vals}
	if tab.before != nil {
		if err := tab.before(ch); err != nil {
			return err
		}
	}
	if err := ch.checked(); err != nil {
		return err
	}
	for _, n := range tab.ent.navs {
		if !n.own {
			continue
		}
		for _, child := range n.related(rec.vals) {
			if err := t.deleteOwned(n.to, child); err != nil {
				return err
			}
		}
	}
	t.remove(tab, rec)
	if tab.after != nil {
		return tab.after(ch)
	}
	return nil
}

// deleteOwned removes what goes with its owner, without the rules for those
// who delete it alone.
func (t *tx) deleteOwned(ent *entity, rec *record) error {
	for _, n := range ent.table.ent.navs {
		if !n.own {
			continue
		}
		for _, child := range n.related(rec.vals) {
			if err := t.deleteOwned(n.to, child); err != nil {
				return err
			}
		}
	}
	t.remove(ent.table, rec)
	return nil
}

// stampETag gives a record a new entity tag.
func (t *tx) stampETag(tab *table, vals, old []any) {
	p := tab.ent.etag
	if p == nil {
		return
	}
	now := t.now()
	if old != nil {
		switch last := old[p.column].(type) {
		case time.Time:
			if !now.After(last) {
				now = last.Add(time.Millisecond)
			}
		case string:
			if at, err := time.Parse(stampLayout, last); err == nil && !now.After(at) {
				now = at.Add(time.Millisecond)
			}
		}
	}
	if p.kind == kindString {
		vals[p.column] = now.Format(stampLayout)
	} else {
		vals[p.column] = now
	}
}

// stampLayout is a time as a text without separators.
const stampLayout = "20060102150405.000000"

// now is the server's time, in the whole milliseconds that version 2 carries.
func (t *tx) now() time.Time { return t.call.server.config.Now().UTC().Truncate(time.Millisecond) }

// touch gives a record that was changed otherwise a new entity tag.
func (t *tx) touch(tab *table, rec *record) {
	vals := slices.Clone(rec.vals)
	t.stampETag(tab, vals, rec.vals)
	t.update(tab, rec, vals)
}
