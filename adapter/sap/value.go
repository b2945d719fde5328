package sap

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
)

var errNoJSON = errors.New("sap: no JSON value")

// plainValue turns what a Go caller may write into what JSON holds: time.Time
// becomes RFC 3339 in UTC, ids texts or numbers, references their ids, slices
// lists, maps objects.
func plainValue(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, string, json.Number, []any, map[string]any, int, int64, uint64:
		return v, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errNoJSON
		}
		return v, nil
	case float32:
		return plainValue(float64(v))
	case adapter.Record:
		return map[string]any(v), nil
	case adapter.ID:
		return v.Value(), nil
	case adapter.Ref:
		return v.ID.Value(), nil
	case time.Time:
		if v.IsZero() {
			return nil, nil
		}
		return v.UTC().Format(time.RFC3339Nano), nil
	case []byte:
		return base64.StdEncoding.EncodeToString(v), nil
	case json.RawMessage:
		var out any
		if err := adapter.DecodeJSON(v, &out); err != nil {
			return nil, errNoJSON
		}
		return out, nil
	}
	return reflected(v)
}

func reflected(v any) (any, error) {
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Pointer:
		if rv.IsNil() {
			return nil, nil
		}
		return plainValue(rv.Elem().Interface())
	case reflect.Slice, reflect.Array:
		if rv.Kind() == reflect.Slice && rv.IsNil() {
			return nil, nil
		}
		list := make([]any, rv.Len())
		for i := range list {
			list[i] = rv.Index(i).Interface()
		}
		return list, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, errNoJSON
	}
	var out any
	return out, adapter.DecodeJSON(b, &out)
}

// decoder turns what a service writes into what the adapter hands out.
type decoder struct {
	meta  *edmx.Metadata
	plain bool
}

// value decodes a property's value.
func (d decoder) value(p *edmx.Property, v any) any {
	if p.Collection {
		list, ok := v.([]any)
		if !ok {
			if results, is := v.(map[string]any); is {
				list, ok = results["results"].([]any)
			}
		}
		if !ok {
			return nil
		}
		out := make([]any, len(list))
		for i, item := range list {
			out[i] = d.one(p, item)
		}
		return out
	}
	return d.one(p, v)
}

func (d decoder) one(p *edmx.Property, v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		return d.text(p, v)
	case map[string]any:
		t := d.meta.Types[p.Type]
		if t == nil {
			return v
		}
		out := make(map[string]any, len(v))
		for _, inner := range t.Props {
			if value, ok := v[inner.Name]; ok {
				out[inner.Name] = d.value(inner, value)
			}
		}
		return out
	}
	return v
}

// text decodes a value that the service writes as a text.
func (d decoder) text(p *edmx.Property, s string) any {
	if s == "" {
		return nil
	}
	switch edmTypes[p.Type] {
	case adapter.Integer, adapter.Float:
		return numberText(s)
	case adapter.Boolean:
		if b, err := strconv.ParseBool(s); err == nil {
			return b
		}
		return s
	case adapter.Date:
		return s
	case adapter.DateTime:
		at, ok := wireMoment(s)
		if !ok {
			return s
		}
		return d.moment(p, at)
	}
	if p.Type == "Edm.Time" || p.Type == "Edm.TimeOfDay" {
		if at, ok := clockOf(s); ok {
			return at.Format("15:04:05" + fraction)
		}
	}
	return s
}

// odooTime is Odoo's form of a date-time, with a second's parts where there
// are any.
const odooTime = time.DateTime + ".999999999"

func (d decoder) moment(p *edmx.Property, at time.Time) string {
	switch {
	case p.DateOnly:
		return at.Format(time.DateOnly)
	case d.plain:
		return at.Format(time.RFC3339Nano)
	}
	return at.Format(odooTime)
}

// numberText reads a number that is written as a text, and leaves every digit
// as it is.
func numberText(s string) any {
	s = strings.TrimSpace(s)
	if jsonNumber.MatchString(s) {
		return json.Number(s)
	}
	if n, ok := parseNumber(s); ok {
		return json.Number(n.String())
	}
	return s
}

var (
	jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
	wireDate   = regexp.MustCompile(`^/Date\((-?[0-9]{1,18})([+-][0-9]{1,4})?\)/$`)
)

// wireMoment reads a date-time as services write it: "/Date(1741964966000)/",
// "/Date(1741964966000+0060)/", or as XML does. The number is UTC; the minutes
// behind it only tell the zone that it was entered in.
func wireMoment(s string) (time.Time, bool) {
	if parts := wireDate.FindStringSubmatch(s); parts != nil {
		ms, err := strconv.ParseInt(parts[1], 10, 64)
		if err != nil {
			return time.Time{}, false
		}
		return time.UnixMilli(ms).UTC(), true
	}
	m, ok := momentOf(s)
	return m.at, ok
}

// encode writes a value for a property as the service takes it in JSON.
func (m *model) encode(p *edmx.Property, v any) (any, error) {
	if p.Collection {
		return m.encodeList(p, v)
	}
	if v == nil || v == false && p.Type != "Edm.Boolean" || v == "" && p.Type != "Edm.String" {
		return m.empty(p)
	}
	bad := func(want string) (any, error) {
		return nil, m.wrong(p.Name, "field '%s' takes %s, not %s", p.Name, want, kindOf(v))
	}
	switch p.Type {
	case "Edm.String":
		s, ok := textOf(v)
		if !ok {
			return bad("a text")
		}
		if p.MaxLength > 0 && len([]rune(s)) > p.MaxLength {
			return nil, m.wrong(p.Name, "field '%s' holds at most %d characters", p.Name, p.MaxLength)
		}
		return s, nil
	case "Edm.Boolean":
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return bad("true or false")
	case "Edm.Date", "Edm.DateTime", "Edm.DateTimeOffset":
		at, ok := momentOf(v)
		if !ok {
			return bad("a date such as 2006-01-02 or a date-time such as 2006-01-02T15:04:05Z")
		}
		return m.encodeMoment(p, at), nil
	case "Edm.Time", "Edm.TimeOfDay":
		s, _ := v.(string)
		at, ok := clockOf(s)
		if !ok {
			return bad("a time such as 15:04:05")
		}
		if p.Type == "Edm.Time" {
			return isoDuration(at), nil
		}
		return at.Format("15:04:05" + fraction), nil
	case "Edm.Guid":
		if s, _ := v.(string); guid.MatchString(s) {
			return s, nil
		}
		return bad("a GUID such as 3f2504e0-4f89-11d3-9a0c-0305e82c3301")
	}
	if isNumber(p.Type) {
		return m.encodeNumber(p, v)
	}
	if t := m.meta.Types[p.Type]; t != nil {
		return m.encodeComplex(p, t, v)
	}
	return v, nil
}

func (m *model) encodeList(p *edmx.Property, v any) (any, error) {
	list, ok := v.([]any)
	if v == nil || v == false {
		return []any{}, nil
	}
	if !ok {
		return nil, m.wrong(p.Name, "field '%s' takes a list, not %s", p.Name, kindOf(v))
	}
	one := *p
	one.Collection = false
	out := make([]any, len(list))
	for i, item := range list {
		item, err := plainValue(item)
		if err != nil {
			return nil, m.wrong(p.Name, "field '%s' has a value that JSON can't hold", p.Name)
		}
		if out[i], err = m.encode(&one, item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// empty is what stands for nothing in a property.
func (m *model) empty(p *edmx.Property) (any, error) {
	switch {
	case p.Nullable:
		return nil, nil
	case p.Type == "Edm.String":
		return "", nil
	case isNumber(p.Type):
		return m.encodeNumber(p, 0)
	}
	return nil, m.wrong(p.Name, "field '%s' can't be empty", p.Name)
}

func (m *model) encodeMoment(p *edmx.Property, at moment) any {
	when := at.at
	if p.DateOnly || p.Type == "Edm.Date" {
		when = at.dayOf()
	}
	switch {
	case p.Type == "Edm.Date":
		return when.Format(time.DateOnly)
	case m.v4():
		return when.Format("2006-01-02T15:04:05"+fraction) + "Z"
	case p.Type == "Edm.DateTimeOffset":
		return "/Date(" + strconv.FormatInt(when.UnixMilli(), 10) + "+0000)/"
	}
	return "/Date(" + strconv.FormatInt(when.UnixMilli(), 10) + ")/"
}

func (m *model) encodeNumber(p *edmx.Property, v any) (any, error) {
	n, ok := numberOf(v)
	if !ok {
		return nil, m.wrong(p.Name, "field '%s' takes a number, not %s", p.Name, kindOf(v))
	}
	if _, err := numberLiteral(true, p.Type, n); err != nil {
		return nil, m.wrong(p.Name, "field '%s' takes a whole number in the range of %s", p.Name, strings.TrimPrefix(p.Type, "Edm."))
	}
	s := n.String()
	if _, integer := ranges[p.Type]; integer {
		s, _, _ = strings.Cut(s, ".")
	}
	switch p.Type {
	case "Edm.Decimal", "Edm.Int64":
		return s, nil
	}
	return json.Number(s), nil
}

func (m *model) encodeComplex(p *edmx.Property, t *edmx.Type, v any) (any, error) {
	values, ok := v.(map[string]any)
	if !ok {
		return nil, m.wrong(p.Name, "field '%s' takes an object, not %s", p.Name, kindOf(v))
	}
	out := make(map[string]any, len(values))
	for name, value := range values {
		inner := t.Prop(name)
		if inner == nil {
			return nil, m.wrong(p.Name+"."+name, "unknown field %s in %s", quote(name), p.Name)
		}
		value, err := plainValue(value)
		if err != nil {
			return nil, m.wrong(p.Name+"."+name, "field '%s' has a value that JSON can't hold", name)
		}
		if out[name], err = m.encode(inner, value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// kindOf names a value's kind for messages.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return quote(v)
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	if n, ok := numberOf(v); ok {
		return n.String()
	}
	return "a value of another kind"
}
