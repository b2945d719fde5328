package adapter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ID identifies a record: an integer in Odoo, a string in Salesforce and SAP.
// It is comparable, and its zero value is no id. It reads and writes JSON
// numbers and strings, each as what it is.
type ID struct {
	text string
	num  bool
}

// IntID is the id of an Odoo record.
func IntID(n int64) ID { return ID{text: strconv.FormatInt(n, 10), num: true} }

// StringID is an id that is a string. The empty string gives no id.
func StringID(s string) ID { return ID{text: s} }

// IDOf reads an id from a decoded JSON value or a Go integer or string, and
// from a pair such as [5, "Name"], whose first element it takes. Fractions,
// booleans and null are no id.
func IDOf(v any) (ID, bool) {
	switch v := v.(type) {
	case ID:
		return v, !v.IsZero()
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return IntID(n), true
		}
	case int:
		return IntID(int64(v)), true
	case int32:
		return IntID(int64(v)), true
	case int64:
		return IntID(v), true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return IntID(int64(v)), true
		}
	case string:
		return StringID(v), v != ""
	case []any:
		if len(v) == 2 {
			if _, nested := v[0].([]any); !nested {
				return IDOf(v[0])
			}
		}
	}
	return ID{}, false
}

// IsZero reports whether there is no id.
func (id ID) IsZero() bool { return id.text == "" }

// Int returns the id as an integer, and whether it is one.
func (id ID) Int() (int64, bool) {
	if !id.num {
		return 0, false
	}
	n, err := strconv.ParseInt(id.text, 10, 64)
	return n, err == nil
}

// String returns the id's text, without quotes.
func (id ID) String() string { return id.text }

// Value returns what the system knows the id as: an int64 or a string, and
// nil for no id.
func (id ID) Value() any {
	switch {
	case id.IsZero():
		return nil
	case id.num:
		n, _ := id.Int()
		return n
	default:
		return id.text
	}
}

// MarshalJSON writes a number, a string, or null for no id.
func (id ID) MarshalJSON() ([]byte, error) {
	switch {
	case id.IsZero():
		return []byte("null"), nil
	case id.num:
		return []byte(id.text), nil
	default:
		return json.Marshal(id.text)
	}
}

// UnmarshalJSON reads an integer or a string; null is no id.
func (id *ID) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		*id = ID{}
		return nil
	case string:
		*id = StringID(v)
		return nil
	case json.Number:
		if n, err := v.Int64(); err == nil {
			*id = IntID(n)
			return nil
		}
	}
	return fmt.Errorf("an id is an integer or a string, not %s", bytes.TrimSpace(b))
}

// Ref is a reference to a record together with its display name, as a
// many-to-one field reads. Name may be empty where only the id is known.
type Ref struct {
	ID   ID     `json:"id"`
	Name string `json:"name"`
}

// Record is one record: field name to value. Values are what JSON holds:
// nil, bool, string, json.Number, []any, map[string]any. Written records may
// hold Go's integers and floats too. Numbers read are json.Number, so that
// their literals stay as the system wrote them.
//
// Odoo answers false for any empty value, and a pair [id, name] for a
// many-to-one; these stay as they are unless [Query.Plain] asks otherwise.
// The accessor methods understand both forms and never panic.
type Record map[string]any

// ID returns the record's "id" (or "Id", as Salesforce writes it).
func (r Record) ID() ID {
	for _, name := range [...]string{"id", "Id"} {
		if id, ok := IDOf(r[name]); ok {
			return id
		}
	}
	return ID{}
}

// Empty reports whether the field is absent, null, false, an empty string or
// an empty list.
func (r Record) Empty(field string) bool { return IsEmpty(r[field]) }

// IsEmpty reports whether a value is null, false, an empty string or an empty
// list: the forms in which systems say "nothing here". Zero is not empty.
func IsEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	}
	return false
}

// String returns the field as text: "" when it is empty, the name of a
// many-to-one pair, the literal of a number.
func (r Record) String(field string) string {
	switch v := r[field].(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "true"
		}
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case []any, map[string]any:
		if ref, ok := RefOf(v); ok {
			return ref.Name
		}
		b, _ := json.Marshal(v)
		return string(b)
	default:
		return fmt.Sprint(v)
	}
}

// Int returns the field as an integer, 0 when it is empty or not a whole
// number. For a many-to-one it is the id.
func (r Record) Int(field string) int64 {
	switch v := r[field].(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<63 {
			return int64(f)
		}
		return 0
	case int:
		return int64(v)
	case int64:
		return v
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<63 {
			return int64(v)
		}
		return 0
	default:
		if ref, ok := RefOf(v); ok {
			n, _ := ref.ID.Int()
			return n
		}
		return 0
	}
}

// Float returns the field as a number, 0 when it is empty or no number.
func (r Record) Float(field string) float64 {
	switch v := r[field].(type) {
	case json.Number:
		f, _ := v.Float64()
		return f
	case float64:
		return v
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case string:
		// SAP writes decimals as strings.
		f, _ := strconv.ParseFloat(v, 64)
		return f
	}
	return 0
}

// Bool returns the field as a truth value; false when it is empty.
func (r Record) Bool(field string) bool {
	b, _ := r[field].(bool)
	return b
}

// Ref returns a many-to-one field, and whether it refers to anything.
func (r Record) Ref(field string) (Ref, bool) { return RefOf(r[field]) }

// RefOf reads a reference from [id, name], {"id": .., "display_name": ..},
// or a bare id. The name of a record without one is false, as in [7, false].
func RefOf(v any) (Ref, bool) {
	switch v := v.(type) {
	case []any:
		if len(v) != 2 {
			return Ref{}, false
		}
		name, isText := v[1].(string)
		id, ok := IDOf(v[0])
		return Ref{ID: id, Name: name}, ok && (isText || v[1] == false)
	case map[string]any:
		id, ok := IDOf(v["id"])
		if !ok {
			return Ref{}, false
		}
		for _, key := range [...]string{"display_name", "name"} {
			if name, isText := v[key].(string); isText {
				return Ref{ID: id, Name: name}, true
			}
		}
		return Ref{ID: id}, true
	case Ref:
		return v, !v.ID.IsZero()
	default:
		id, ok := IDOf(v)
		return Ref{ID: id}, ok
	}
}

// IDs returns the ids of a one-to-many or many-to-many field.
func (r Record) IDs(field string) []ID {
	list, ok := r[field].([]any)
	if !ok {
		return nil
	}
	ids := make([]ID, 0, len(list))
	for _, item := range list {
		if ref, ok := RefOf(item); ok {
			ids = append(ids, ref.ID)
		}
	}
	return ids
}

// Time returns a date or date-time field in UTC, the zero time when it is
// empty or unreadable. It reads Odoo's "2006-01-02 15:04:05", a date, and
// RFC 3339.
func (r Record) Time(field string) time.Time {
	s, ok := r[field].(string)
	if !ok {
		return time.Time{}
	}
	for _, layout := range [...]string{time.DateTime, time.DateOnly, time.RFC3339Nano} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// Decode stores the record in a struct (or any target of encoding/json), in
// which `false` stands for the zero value of a field that is no bool and
// a many-to-one may be read as [Ref], [ID] or an integer.
func (r Record) Decode(target any) error { return decodeRecord(r, target) }

// DecodeRecord parses one JSON object into a Record, numbers kept as
// json.Number. Anything but whitespace after it is an error.
func DecodeRecord(b []byte) (Record, error) {
	var r Record
	if err := DecodeJSON(b, &r); err != nil {
		return nil, err
	}
	return r, nil
}

// DecodeJSON is json.Unmarshal with number literals kept (json.Number) where
// the target leaves the type open.
func DecodeJSON(b []byte, target any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(target); err != nil {
		return err
	}
	if rest := strings.TrimSpace(string(b[dec.InputOffset():])); rest != "" {
		return fmt.Errorf("unexpected text after the JSON value at byte %d", dec.InputOffset())
	}
	return nil
}
