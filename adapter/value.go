package adapter

import (
	"encoding/json"
	"reflect"
	"time"
)

// plainValue turns the Go values that callers write into filters into those
// that JSON has: ids and references into the id, times into Odoo's form in
// UTC, lists of any type into []any. What it does not know it leaves.
func plainValue(v any) any {
	switch v := v.(type) {
	case nil, bool, string, json.Number, int, int64, float64:
		return v
	case []any:
		for i, item := range v {
			if plain := plainValue(item); !sameValue(plain, item) {
				list := make([]any, len(v))
				copy(list, v[:i])
				for j := i; j < len(v); j++ {
					list[j] = plainValue(v[j])
				}
				return list
			}
		}
		return v
	case ID:
		return v.Value()
	case Ref:
		return v.ID.Value()
	case time.Time:
		return v.UTC().Format(time.DateTime)
	case Filter, map[string]any, Record:
		return v
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Slice, reflect.Array:
		list := make([]any, r.Len())
		for i := range list {
			list[i] = plainValue(r.Index(i).Interface())
		}
		return list
	case reflect.String:
		return r.String()
	case reflect.Bool:
		return r.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int64(r.Uint())
	case reflect.Float32:
		return r.Float()
	case reflect.Pointer:
		if r.IsNil() {
			return nil
		}
		return plainValue(r.Elem().Interface())
	}
	return v
}

// sameValue reports whether plainValue left a value alone. Only what it never
// changes is compared.
func sameValue(plain, v any) bool {
	switch b := v.(type) {
	case nil, bool, string, json.Number, int, int64, float64, map[string]any, Record:
		return true
	case []any:
		a, _ := plain.([]any)
		return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
	}
	return false
}

// isScalar reports whether v is null, a truth value, a text or a number.
func isScalar(v any) bool {
	switch v.(type) {
	case nil, bool, string:
		return true
	}
	_, ok := decimalOf(v)
	return ok
}
