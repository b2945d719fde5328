package migrate

import (
	"encoding/json"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// scalarKey returns a text that is equal for equal scalars and differs for
// scalars of other types: true, 1 and "1" are three. A reference such as
// [5, "Name"] counts as its id. It is false for what is no scalar.
func scalarKey(v any) (string, bool) {
	switch v := v.(type) {
	case nil, absent:
		return "n", true
	case bool:
		if v {
			return "t", true
		}
		return "f", true
	case string:
		return "s" + v, true
	case json.Number:
		return numberKey(v.String()), true
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		b, err := json.Marshal(v)
		return numberKey(string(b)), err == nil
	case adapter.ID:
		return scalarKey(v.Value())
	case []any:
		if ref, ok := adapter.RefOf(v); ok {
			return scalarKey(ref.ID.Value())
		}
	case json.RawMessage:
		return scalarKey(decoded(v))
	}
	return "", false
}

// numberKey makes equal numbers equal texts: 1, 1.0 and 1e0 are the same.
func numberKey(literal string) string {
	plain := true
	for _, c := range []byte(literal) {
		if c != '-' && (c < '0' || c > '9') {
			plain = false
			break
		}
	}
	if plain {
		if literal == "-0" {
			return "d0"
		}
		return "d" + literal
	}
	if r, ok := parseNumber(literal); ok {
		return "d" + r.RatString()
	}
	return "d" + literal
}

func tupleKey(values []any) (string, bool) {
	if len(values) == 1 {
		return scalarKey(values[0])
	}
	var b strings.Builder
	for _, v := range values {
		k, ok := scalarKey(v)
		if !ok {
			return "", false
		}
		b.WriteString(strconv.Itoa(len(k)))
		b.WriteByte(':')
		b.WriteString(k)
	}
	return b.String(), true
}

// largestExponent bounds the numbers that rules calculate with: 1e999999999
// as a fraction would not fit in memory.
const largestExponent = 400

func parseNumber(literal string) (*big.Rat, bool) {
	if len(literal) > 400 {
		return nil, false
	}
	if i := strings.IndexAny(literal, "eE"); i >= 0 {
		e, err := strconv.Atoi(literal[i+1:])
		if err != nil || e > largestExponent || e < -largestExponent {
			return nil, false
		}
	}
	if r := shortDecimal(literal); r != nil {
		return r, true
	}
	if !json.Valid([]byte(literal)) {
		return nil, false
	}
	return new(big.Rat).SetString(literal)
}

var powersOfTen = [...]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// shortDecimal reads the plain numbers that most are, nil for any other.
func shortDecimal(s string) *big.Rat {
	i, negative := 0, false
	if s != "" && s[0] == '-' {
		i, negative = 1, true
	}
	if len(s)-i > len(powersOfTen) || i >= len(s) || (s[i] == '0' && i+1 < len(s) && s[i+1] != '.') {
		return nil
	}
	var n int64
	point := -1
	for j := i; j < len(s); j++ {
		switch c := s[j]; {
		case '0' <= c && c <= '9':
			n = n*10 + int64(c-'0')
		case c == '.' && point < 0 && j > i && j+1 < len(s):
			point = j
		default:
			return nil
		}
	}
	if negative {
		n = -n
	}
	if point < 0 {
		return new(big.Rat).SetInt64(n)
	}
	return big.NewRat(n, powersOfTen[len(s)-1-point])
}

// numberOf reads a number; texts are none.
func numberOf(v any) (*big.Rat, bool) {
	switch v := v.(type) {
	case json.Number:
		return parseNumber(v.String())
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		b, err := json.Marshal(v)
		if err != nil {
			return nil, false
		}
		return parseNumber(string(b))
	}
	return nil, false
}

// formatNumber writes a fraction in decimal: exactly where it ends, otherwise
// with 17 significant digits or so.
func formatNumber(r *big.Rat) json.Number {
	if r.IsInt() {
		return json.Number(r.Num().String())
	}
	if digits, exact := r.FloatPrec(); exact && digits <= 40 {
		return json.Number(r.FloatString(digits))
	}
	f, _ := r.Float64()
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
}

// same reports whether two values are equal as data: numbers by value and
// literal, absent only to absent.
func same(a, b any) bool {
	if isAbsent(b) {
		return isAbsent(a)
	}
	switch x := a.(type) {
	case nil:
		return b == nil
	case string:
		y, ok := b.(string)
		return ok && x == y
	case bool:
		y, ok := b.(bool)
		return ok && x == y
	case json.Number:
		y, ok := b.(json.Number)
		return ok && x == y
	case absent:
		return false
	}
	return reflect.DeepEqual(a, b)
}

// equalData is same for values that may have come through different decoders:
// numbers are compared by value.
func equalData(a, b any) bool {
	switch x := a.(type) {
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !equalData(x[i], y[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k := range x {
			v, there := y[k]
			if !there || !equalData(x[k], v) {
				return false
			}
		}
		return true
	}
	if ra, ok := numberOf(a); ok {
		rb, ok := numberOf(b)
		return ok && ra.Cmp(rb) == 0
	}
	return reflect.DeepEqual(a, b)
}

// absent stands for a field that a record does not have.
type absent struct{}

// Absent is what a [Func] sees for a field that the record does not have, and
// returns for one it shall not get.
var Absent any = absent{}

func isAbsent(v any) bool { _, ok := v.(absent); return ok }

// decoded turns raw JSON into values; anything else is returned as it is.
func decoded(v any) any {
	raw, ok := v.(json.RawMessage)
	if !ok {
		return v
	}
	var out any
	if err := adapter.DecodeJSON(raw, &out); err != nil {
		return nil
	}
	return out
}
