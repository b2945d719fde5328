package saptest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Func carries out a function import (v2), a function or an action (v4). It
// returns what the definition says: for an entity set a [*Row] or a [][*Row],
// for a complex type a map[string]any or a []map[string]any, otherwise a plain
// value. To refuse it returns an [*Error].
type Func func(*Call) (any, error)

// Check is asked before a record is made, changed or deleted, and refuses with
// an error. It may change the record's values.
type Check func(*Change) error

// Call is a call of a [Func].
type Call struct {
	User, Language string
	// Params are the parameters that were given, in the form of [Row.Get].
	Params map[string]any
	// Row is what a bound function was called on, or nil.
	Row *Row

	t *tx
}

// Change is what a [Check] is asked about.
type Change struct {
	// Op is "create", "update" or "delete".
	Op             string
	User, Language string
	Row            *Row

	ch *change
}

// Row is a record in the hands of a [Func] or a [Check], and only as long as
// these run.
type Row struct {
	t    *tx
	ent  *entity
	rec  *record
	vals []any // of a record that is not stored yet
}

func (r *Row) values() []any {
	if r.vals != nil {
		return r.vals
	}
	return r.rec.vals
}

// Get returns a property: nil, string, bool, int64, json.Number (a decimal),
// float64, time.Time, time.Duration (a time of day) or []byte.
func (r *Row) Get(property string) any {
	p := r.ent.byName[property]
	if p == nil {
		return nil
	}
	return outward(r.values()[p.column])
}

// Set changes a property, whether callers may write it or not.
func (r *Row) Set(property string, value any) error {
	p := r.ent.byName[property]
	if p == nil {
		return unknownProperty(r.ent, property)
	}
	v, err := p.inward(value)
	if err != nil {
		return err
	}
	if r.vals != nil {
		r.vals[p.column] = v
		return nil
	}
	vals := slices.Clone(r.rec.vals)
	vals[p.column] = v
	r.t.stampETag(r.ent.table, vals, r.rec.vals)
	r.t.update(r.ent.table, r.rec, vals)
	return nil
}

// Related returns the records that a navigation property leads to.
func (r *Row) Related(navigation string) []*Row {
	n := r.ent.navBy[navigation]
	if n == nil {
		return nil
	}
	var rows []*Row
	for _, rec := range n.related(r.values()) {
		rows = append(rows, &Row{t: r.t, ent: n.to, rec: rec})
	}
	return rows
}

// Find looks up a record of a model ("SERVICE.Set") by its key, nil if there
// is none.
func (c *Call) Find(model string, key ...any) *Row {
	ent := c.t.call.server.entity(model)
	if ent == nil || len(key) != len(ent.keys) {
		return nil
	}
	rec := c.t.db.find(model, key...)
	if rec == nil {
		return nil
	}
	return &Row{t: c.t, ent: ent, rec: rec}
}

// outward makes a value that callers outside may hold.
func outward(v any) any {
	if d, ok := v.(decimal); ok {
		return json.Number(d)
	}
	return v
}

// inward makes the property's value of one of Go's.
func (p *property) inward(v any) (any, error) {
	switch x := v.(type) {
	case nil:
		return p.initialValue(), nil
	case time.Time:
		if p.kind == kindDate {
			return x.UTC().Truncate(24 * time.Hour), nil
		}
		return x.UTC(), nil
	case time.Duration, []byte, bool:
		return v, nil
	case string:
		if p.kind == kindDecimal || p.kind == kindInt64 {
			return p.read(x, wireFormat{version: 2})
		}
		if p.kind == kindDate || p.kind == kindDateTimeOffset {
			return p.read(x, wireFormat{version: 4})
		}
		return p.read(x, wireFormat{version: 2})
	}
	text := fmt.Sprint(v)
	if f, ok := v.(float64); ok {
		text = strconv.FormatFloat(f, 'f', -1, 64)
	}
	if p.kind == kindString {
		return nil, p.refuse("wants a text")
	}
	return p.read(json.Number(text), wireFormat{version: 4})
}

// checked asks the checks of the program that uses the server.
func (ch *change) checked() error {
	for _, check := range ch.table.checks {
		row := &Row{t: ch.tx, ent: ch.table.ent, rec: ch.rec, vals: ch.vals}
		op := []string{"create", "update", "delete"}[ch.op]
		if err := check(&Change{Op: op, User: ch.call.user, Language: ch.call.language, Row: row, ch: ch}); err != nil {
			return err
		}
	}
	return nil
}

// invoke answers a call of a function that changes nothing.
func (c *call) invoke(p *place) *response {
	if p.fn.post {
		return c.notAllowed(p.fn.name)
	}
	return c.invokeIn(&tx{db: c.server.db, call: c}, p)
}

func (c *call) invokeIn(t *tx, p *place) *response {
	f := p.fn
	if p.params == nil {
		params, err := c.bodyParams(f)
		if err != nil {
			return c.refuse(err)
		}
		p.params = params
	}
	if f.implements == nil {
		return c.refuse(c.fail(http.StatusNotImplemented, "/IWBEP/CX_MGW_NOT_IMPL_EXC", text{"Function '%s' is not implemented", "Funktion '%s' ist nicht implementiert"}, f.name))
	}
	fc := &Call{User: c.user, Language: c.language, Params: map[string]any{}, t: t}
	for name, v := range p.params {
		fc.Params[name] = outward(v)
	}
	if p.rec != nil {
		if f.post && c.version() == 4 {
			if err := c.precondition(p.ent, p.rec); err != nil {
				return c.refuse(err)
			}
		}
		fc.Row = &Row{t: t, ent: p.ent, rec: p.rec}
	}
	result, err := f.implements(fc)
	if err != nil {
		return c.refuse(err)
	}
	r, err := c.result(f, result)
	if err != nil {
		return c.refuse(err)
	}
	return r
}

// bodyParams reads the parameters of an action.
func (c *call) bodyParams(f *function) (map[string]any, error) {
	obj, err := c.object()
	if err != nil {
		return nil, err
	}
	params := map[string]any{}
	for _, p := range f.params {
		v, ok := obj[p.name]
		if !ok {
			if p.required {
				return nil, p.refuse("is mandatory")
			}
			continue
		}
		delete(obj, p.name)
		if params[p.name], err = p.read(v, c.bodyFormat()); err != nil {
			return nil, err
		}
	}
	for name := range obj {
		return nil, &Error{Status: http.StatusBadRequest, Code: "/IWBEP/CM_MGW_RT/004", Message: "Parameter '" + name + "' of '" + f.name + "' is unknown", Target: name}
	}
	return params, nil
}

// result writes what a function returned.
func (c *call) result(f *function, result any) (*response, error) {
	switch {
	case f.result == "":
		return &response{status: http.StatusNoContent, header: http.Header{}}, nil
	case f.entity != nil:
		return c.rowResult(f, result)
	case f.complex != nil:
		return c.complexResult(f, result)
	}
	v, err := f.primitive.inward(result)
	if err != nil {
		return nil, err
	}
	b := append([]byte(nil), `{"@odata.context":"$metadata#`+f.primitive.edm(4)+`","value":`...)
	if c.version() == 2 {
		b = append(append([]byte(`{"d":{"`), f.name...), `":`...)
	}
	b = append(f.primitive.appendValue(b, v, c.format()), '}')
	if c.version() == 2 {
		b = append(b, '}')
	}
	return c.answer(http.StatusOK, b), nil
}

func (c *call) rowResult(f *function, result any) (*response, error) {
	sel := everything(f.entity)
	if !f.many {
		row, _ := result.(*Row)
		if row == nil {
			return &response{status: http.StatusNoContent, header: http.Header{}}, nil
		}
		return c.entityAnswer(http.StatusOK, f.entity, row.rec, sel), nil
	}
	rows, ok := result.([]*Row)
	if !ok {
		return nil, fmt.Errorf("the function %s returned a %T, not rows", f.name, result)
	}
	b := []byte(`{"@odata.context":"$metadata#` + f.entity.set + `","value":[`)
	if c.version() == 2 {
		b = []byte(`{"d":{"results":[`)
	}
	for i, row := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		if c.version() == 2 {
			b = c.appendV2(b, row.rec, sel)
		} else {
			b = append(c.appendV4(append(b, '{'), row.rec, sel), '}')
		}
	}
	if c.version() == 2 {
		return c.answer(http.StatusOK, append(b, `]}}`...)), nil
	}
	return c.answer(http.StatusOK, append(b, `]}`...)), nil
}

func (c *call) complexResult(f *function, result any) (*response, error) {
	list, ok := result.([]map[string]any)
	if !f.many {
		one, isMap := result.(map[string]any)
		list, ok = []map[string]any{one}, isMap
	}
	if !ok {
		return nil, fmt.Errorf("the function %s returned a %T", f.name, result)
	}
	var b []byte
	switch {
	case c.version() == 2 && f.many:
		b = append(b, `{"d":{"results":[`...)
	case c.version() == 2:
		b = append(append(append(b, `{"d":{"`...), f.name...), `":`...)
	case f.many:
		b = append(b, `{"@odata.context":"$metadata#`+f.returnType(4)+`","value":[`...)
	default:
		b = append(b, `{"@odata.context":"$metadata#`+f.returnType(4)+`",`...)
	}
	for i, m := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = c.appendComplex(b, f, m); err != nil {
			return nil, err
		}
	}
	switch {
	case c.version() == 2 && f.many:
		b = append(b, `]}}`...)
	case c.version() == 2:
		b = append(b, `}}`...)
	case f.many:
		b = append(b, `]}`...)
	}
	return c.answer(http.StatusOK, b), nil
}

func (c *call) appendComplex(b []byte, f *function, m map[string]any) ([]byte, error) {
	bare := c.version() == 4 && !f.many // its brace is open already
	if !bare {
		b = append(b, '{')
	}
	if c.version() == 2 {
		b = append(b, `"__metadata":{"type":"`+f.complex.qualified()+`"},`...)
	}
	for i, p := range f.complex.props {
		v, err := p.inward(m[p.name])
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), p.name...), `":`...)
		b = p.appendValue(b, v, c.format())
	}
	return append(b, '}'), nil
}
