package migrate

import (
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// scalar is equal for equal scalars and differs for scalars of other types:
// true, 1 and "1" are three.
type scalar struct {
	kind byte // n null, t true, f false, s string, d number
	text string
}

// scalarKey returns a value as a scalar. A reference such as [5, "Name"] counts
// as its id. It is false for what is no scalar.
func scalarKey(v any) (scalar, bool) {
	switch v := v.(type) {
	case nil, absent:
		return scalar{kind: 'n'}, true
	case bool:
		if v {
			return scalar{kind: 't'}, true
		}
		return scalar{kind: 'f'}, true
	case string:
		return scalar{'s', v}, true
	case json.Number:
		return scalar{'d', plainNumber(v.String())}, true
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		b, err := json.Marshal(v)
		return scalar{'d', plainNumber(string(b))}, err == nil
	case adapter.ID:
		return scalarKey(v.Value())
	case []any:
		if ref, ok := adapter.RefOf(v); ok {
			return scalarKey(ref.ID.Value())
		}
	case json.RawMessage:
		return scalarKey(decoded(v))
	}
	return scalar{}, false
}

// plainNumber makes equal numbers equal texts: 1, 1.0 and 1e0 are the same.
func plainNumber(literal string) string {
	plain := true
	for _, c := range []byte(literal) {
		if c != '-' && (c < '0' || c > '9') {
			plain = false
			break
		}
	}
	if plain {
		if literal == "-0" {
			return "0"
		}
		return literal
	}
	if r, ok := parseNumber(literal); ok {
		return r.RatString()
	}
	return literal
}

// tupleKey is a text that is equal for equal scalars in the same order.
func tupleKey(values []any) (string, bool) {
	var b strings.Builder
	for _, v := range values {
		k, ok := scalarKey(v)
		if !ok {
			return "", false
		}
		b.WriteByte(k.kind)
		b.WriteString(strconv.Itoa(len(k.text)))
		b.WriteByte(':')
		b.WriteString(k.text)
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

// decimalOf reads the plain numbers that most are: n / 10^places.
func decimalOf(s string) (n int64, places int, ok bool) {
	i, negative := 0, false
	if s != "" && s[0] == '-' {
		i, negative = 1, true
	}
	if len(s)-i > len(powersOfTen) || i >= len(s) || (s[i] == '0' && i+1 < len(s) && s[i+1] != '.') {
		return 0, 0, false
	}
	point := -1
	for j := i; j < len(s); j++ {
		switch c := s[j]; {
		case '0' <= c && c <= '9':
			n = n*10 + int64(c-'0')
		case c == '.' && point < 0 && j > i && j+1 < len(s):
			point = j
		default:
			return 0, 0, false
		}
	}
	if negative {
		n = -n
	}
	if point >= 0 {
		places = len(s) - 1 - point
	}
	return n, places, true
}

// shortDecimal reads plain numbers, nil for any other.
func shortDecimal(s string) *big.Rat {
	n, places, ok := decimalOf(s)
	if !ok {
		return nil
	}
	return big.NewRat(n, powersOfTen[places])
}

// factor multiplies by mul / 10^places, without fractions; one whose mul is 0
// can't be used.
type factor struct {
	mul    int64
	places int
}

// factorOf returns a factor that is the fraction, a useless one if there is
// none.
func factorOf(r *big.Rat) factor {
	places := slices.IndexFunc(powersOfTen[:], func(p int64) bool { return r.Denom().IsInt64() && r.Denom().Int64() == p })
	if places < 0 || !r.Num().IsInt64() {
		return factor{}
	}
	return factor{r.Num().Int64(), places}
}

// of multiplies a number as JSON has it, where that is simple.
func (f factor) of(v any) (json.Number, bool) {
	literal, ok := v.(json.Number)
	if !ok || f.mul == 0 {
		return "", false
	}
	n, places, ok := decimalOf(literal.String())
	if !ok {
		return "", false
	}
	product := n * f.mul
	if n != 0 && (product/n != f.mul || product == math.MinInt64) {
		return "", false
	}
	places += f.places
	for places > 0 && product%10 == 0 {
		if product == 0 {
			places = 0
			break
		}
		product /= 10
		places--
	}
	digits := strconv.AppendInt(make([]byte, 0, 40), product, 10)
	if places == 0 {
		return json.Number(digits), true
	}
	sign := 0
	if product < 0 {
		sign = 1
	}
	if missing := places + 1 - (len(digits) - sign); missing > 0 {
		digits = slices.Insert(digits, sign, []byte(zeros[:missing])...)
	}
	return json.Number(slices.Insert(digits, len(digits)-places, '.')), true
}

const zeros = "00000000000000000000000000000000000000000000000000000000000000000"

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
