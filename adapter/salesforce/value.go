package salesforce

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bridgecore/bridgecore/adapter"
)

// moment is a date or a date-time that was written in one of the usual forms.
type moment struct {
	time.Time
	day bool // a date, without a time
}

var momentForms = [...]string{
	time.DateTime, time.RFC3339, "2006-01-02T15:04:05.999-0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04",
}

// parseWhen reads a date or a date-time, in UTC where it names no offset.
func parseWhen(v any) (moment, bool) {
	switch v := v.(type) {
	case time.Time:
		return moment{Time: v.UTC()}, true
	case string:
		if len(v) < len(time.DateOnly) || len(v) > 40 || v[4] != '-' {
			return moment{}, false
		}
		if len(v) == len(time.DateOnly) {
			t, err := time.Parse(time.DateOnly, v)
			return moment{t, true}, err == nil
		}
		for _, form := range momentForms {
			if t, err := time.Parse(form, v); err == nil {
				return moment{Time: t.UTC()}, true
			}
		}
	}
	return moment{}, false
}

// readValue turns a value of Salesforce's into that of a record. Numbers of
// whole-number fields lose the fraction that Salesforce writes for them
// ("3.0"); all others keep their digits.
func (f *field) readValue(v any, plain bool) any {
	switch v := v.(type) {
	case string:
		if f.kind != kindDateTime {
			return v
		}
		when, ok := parseWhen(v)
		switch {
		case !ok:
			return v
		case plain:
			return when.Format(time.RFC3339Nano)
		default:
			return when.Format("2006-01-02 15:04:05.999999999")
		}
	case json.Number:
		if f.out.Type == adapter.Integer {
			return wholeNumber(v)
		}
	case map[string]any:
		delete(v, "attributes")
	}
	return v
}

// wholeNumber writes a number that is whole as such.
func wholeNumber(n json.Number) json.Number {
	text := n.String()
	if whole, zeros, ok := strings.Cut(text, "."); ok && strings.Trim(zeros, "0") == "" {
		return json.Number(whole)
	}
	if !strings.ContainsAny(text, ".eE") || len(text) > 40 {
		return n
	}
	if r, ok := new(big.Rat).SetString(text); ok && r.IsInt() {
		return json.Number(r.Num().String())
	}
	return n
}

func badValue(o *object, name, problem string) error {
	return &adapter.Error{
		Code: adapter.InvalidArgument, Model: o.Name, Field: name, NothingSent: true,
		Message: "the value of " + quote(name) + " " + problem,
	}
}

// writeValue turns a value of a record into Salesforce's. Null, false and ""
// empty a field that is no checkbox.
func (f *field) writeValue(o *object, v any) (any, error) {
	if v, ok := v.(interface{ Value() any }); ok {
		return f.writeValue(o, v.Value())
	}
	switch v := v.(type) {
	case nil:
		if f.kind == kindBoolean {
			return false, nil
		}
		return nil, nil
	case bool:
		switch {
		case f.kind == kindBoolean:
			return v, nil
		case v:
			return nil, badValue(o, f.Name, "is true, and the field is no checkbox")
		}
		return nil, nil
	case adapter.Ref:
		return f.writeValue(o, v.ID)
	case time.Time:
		return f.writeMoment(moment{Time: v}), nil
	case string:
		return f.writeText(o, v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, badValue(o, f.Name, "is no number")
		}
	case []any:
		return f.writeList(o, v)
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return f.writeList(o, list)
	case map[string]any:
		return f.writeObject(o, v)
	case adapter.Record:
		return f.writeObject(o, v)
	}
	if n, ok := textValue(v); ok {
		return f.writeNumber(o, v, n)
	}
	return v, nil
}

func (f *field) writeNumber(o *object, v any, text string) (any, error) {
	switch f.kind {
	case kindText, kindPicklist:
		return text, nil // a number is written as text into a field of texts
	case kindBoolean:
		return text != "0", nil
	case kindNumber, kindOpaque:
		return v, nil
	}
	return nil, badValue(o, f.Name, "is a number, and the field is "+string(f.out.Type))
}

func (f *field) writeText(o *object, s string) (any, error) {
	if !utf8.ValidString(s) {
		return nil, badValue(o, f.Name, "is not UTF-8")
	}
	if s == "" {
		return nil, nil
	}
	switch f.kind {
	case kindDate, kindDateTime:
		when, ok := parseWhen(s)
		if !ok {
			return nil, badValue(o, f.Name, quote(s)+" is no date; write 2006-01-02 or 2006-01-02T15:04:05Z")
		}
		if f.kind == kindDate && !when.day {
			// The day that was written, whatever its offset.
			return s[:len(time.DateOnly)], nil
		}
		return f.writeMoment(when), nil
	case kindNumber:
		if _, ok := numberLiteral(s); !ok {
			return nil, badValue(o, f.Name, quote(s)+" is no number")
		}
		return json.Number(strings.TrimPrefix(s, "+")), nil
	case kindBoolean:
		switch strings.ToLower(s) {
		case "true", "1":
			return true, nil
		case "false", "0":
			return false, nil
		}
		return nil, badValue(o, f.Name, quote(s)+" is neither true nor false")
	case kindID:
		return longID(s), nil
	}
	return s, nil
}

func (f *field) writeMoment(when moment) any {
	if f.kind == kindDate {
		return when.Format(time.DateOnly)
	}
	return when.UTC().Format("2006-01-02T15:04:05.000Z")
}

// writeList takes a reference as it was read, [id, name], and the values of a
// multi-select picklist.
func (f *field) writeList(o *object, list []any) (any, error) {
	switch {
	case len(list) == 0:
		return nil, nil
	case f.kind == kindID:
		if id, ok := adapter.IDOf(list); ok {
			return f.writeValue(o, id)
		}
	case f.Type == "multipicklist":
		parts := make([]string, len(list))
		for i, item := range list {
			s, ok := item.(string)
			if !ok || strings.Contains(s, ";") {
				return nil, badValue(o, f.Name, "must be a list of texts without semicolons")
			}
			parts[i] = s
		}
		return strings.Join(parts, ";"), nil
	}
	return nil, badValue(o, f.Name, fmt.Sprintf("is a list, and the field is %s", f.out.Type))
}

// writeObject takes a reference in the form {"id": ...}.
func (f *field) writeObject(o *object, m map[string]any) (any, error) {
	if f.kind == kindID {
		if id := adapter.Record(m).ID(); !id.IsZero() {
			return f.writeValue(o, id)
		}
	}
	return nil, badValue(o, f.Name, fmt.Sprintf("is an object, and the field is %s", f.out.Type))
}
