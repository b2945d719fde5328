package odoo

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// maxID is the greatest id that Odoo's database can hold; greater ones exist
// nowhere, and asking for them is a database error.
const maxID = math.MaxInt32

var errNoJSON = errors.New("odoo: no JSON value")

// plainValue turns what a Go caller may write into what JSON holds: time.Time
// becomes RFC 3339, ids numbers, references pairs, slices lists, maps objects.
// Lists and objects that are such already are returned as they are.
func plainValue(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, string, json.Number, []any, map[string]any,
		int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
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
		if v.ID.IsZero() {
			return nil, nil
		}
		return []any{v.ID.Value(), v.Name}, nil
	case time.Time:
		if v.IsZero() {
			return nil, nil
		}
		return v.Format(time.RFC3339Nano), nil
	case []byte:
		return base64.StdEncoding.EncodeToString(v), nil
	case json.RawMessage:
		var out any
		if err := adapter.DecodeJSON(v, &out); err != nil {
			return nil, errNoJSON
		}
		return out, nil
	case []map[string]any:
		return anyList(v), nil
	case []adapter.Record:
		return anyList(v), nil
	}
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

func anyList[T any](in []T) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = v
	}
	return out
}

// asList returns a value as a list, if it is one.
func asList(v any) ([]any, bool) {
	switch v.(type) {
	case []byte, adapter.Ref, adapter.ID:
		return nil, false
	}
	p, err := plainValue(v)
	if err != nil {
		return nil, false
	}
	list, ok := p.([]any)
	return list, ok
}

// pairID returns the id of a many-to-one as it is read: [5, "Name"].
func pairID(list []any) (int64, bool) {
	if len(list) != 2 {
		return 0, false
	}
	if _, ok := list[1].(string); !ok {
		return 0, false
	}
	id, ok := adapter.IDOf(list[0])
	if !ok {
		return 0, false
	}
	return id.Int()
}

// moment is a date or a date-time that was written in one of the usual forms.
type moment struct {
	time.Time
	dateOnly bool
}

var (
	// zoned are the forms that name their offset, local ones those that are
	// in UTC as all of Odoo's are. Go takes a fraction of the second
	// everywhere.
	zoned = [...]string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05-0700"}
	local = [...]string{time.DateTime, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"}
)

// parseWhen reads a date or a date-time.
func parseWhen(s string) (moment, bool) {
	if len(s) < len(time.DateOnly) || len(s) > 40 || s[4] != '-' {
		return moment{}, false
	}
	if len(s) == len(time.DateOnly) {
		t, err := time.Parse(time.DateOnly, s)
		return moment{t, true}, err == nil
	}
	for _, layout := range local {
		if t, err := time.Parse(layout, s); err == nil {
			return moment{Time: t}, true
		}
	}
	for _, layout := range zoned {
		if t, err := time.Parse(layout, s); err == nil {
			return moment{Time: t}, true
		}
	}
	return moment{}, false
}

// odoo writes the moment as Odoo takes it. A date alone stays one, which Odoo
// takes for midnight in a date-time field; the date of a date-time is the one
// that was written, whatever its offset.
func (m moment) odoo(t adapter.FieldType) string {
	if t == adapter.Date || m.dateOnly {
		return m.Format(time.DateOnly)
	}
	return m.UTC().Format(time.DateTime)
}

// rfc3339 turns Odoo's date-time into RFC 3339; what is none stays.
func rfc3339(s string) string {
	if len(s) >= len(time.DateTime) && s[10] == ' ' {
		return strings.Replace(s, " ", "T", 1) + "Z"
	}
	return s
}

// plain turns the values of records that Odoo answered into what JSON has for
// them: null for empty, RFC 3339 for date-times.
func plain(s *adapter.Schema, records []adapter.Record) {
	for _, r := range records {
		for name, v := range r {
			switch v := v.(type) {
			case bool:
				if t := s.Fields[name].Type; !v && t != adapter.Boolean && t != "" {
					r[name] = nil
				}
			case string:
				if s.Fields[name].Type == adapter.DateTime {
					r[name] = rfc3339(v)
				}
			}
		}
	}
}
