package mapping

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// scalar is equal for equal scalars and differs for scalars of other types:
// true, 1 and "1" are three.
type scalar struct {
	kind byte // n empty, t true, f false, s text, d number
	text string
}

// scalarOf returns a value as a scalar; a reference such as [5, "Name"] counts
// as its id.
func scalarOf(v any) (scalar, bool) {
	switch v := v.(type) {
	case nil:
		return scalar{kind: 'n'}, true
	case bool:
		if v {
			return scalar{kind: 't'}, true
		}
		return scalar{kind: 'f'}, true
	case string:
		return scalar{'s', v}, true
	case []any, map[string]any, adapter.Record:
		if ref, ok := refOf(v); ok {
			return scalarOf(ref.ID.Value())
		}
		return scalar{}, false
	case adapter.ID:
		return scalarOf(v.Value())
	}
	if literal, ok := literalOf(v); ok {
		return scalar{'d', canonical(literal)}, true
	}
	return scalar{}, false
}

func refOf(v any) (adapter.Ref, bool) {
	if r, ok := v.(adapter.Record); ok {
		v = map[string]any(r)
	}
	if m, ok := v.(map[string]any); ok && m["id"] == nil && m["Id"] != nil {
		id, ok := adapter.IDOf(m["Id"])
		name, _ := m["Name"].(string)
		return adapter.Ref{ID: id, Name: name}, ok
	}
	return adapter.RefOf(v)
}

// literalOf returns the literal of a number.
func literalOf(v any) (string, bool) {
	switch v := v.(type) {
	case json.Number:
		return v.String(), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), v-v == 0
	case int8, int16, int32, uint, uint8, uint16, uint32, uint64, float32:
		return fmt.Sprint(v), true
	}
	return "", false
}

// textOf returns a scalar as text, true for what is text, number or truth.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case adapter.ID:
		return v.String(), true
	}
	return literalOf(v)
}

// A decimal is n / 10^places.
type decimal struct {
	n      *big.Int
	places int
}

// longest bounds the numbers that are calculated with: 1e999999999 would not
// fit in memory.
const longest = 400

// decimalOf reads a number, or a text that is one.
func decimalOf(v any) (decimal, bool) {
	s, ok := v.(string)
	if !ok {
		if s, ok = literalOf(v); !ok {
			return decimal{}, false
		}
	}
	return parseDecimal(s)
}

func parseDecimal(s string) (decimal, bool) {
	s = strings.TrimSpace(s)
	if len(s) == 0 || len(s) > longest {
		return decimal{}, false
	}
	exponent := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil || e > longest || e < -longest {
			return decimal{}, false
		}
		s, exponent = s[:i], e
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits := whole + fraction
	if unsigned := strings.TrimLeft(digits, "+-"); unsigned == "" || len(digits)-len(unsigned) > 1 || strings.Trim(unsigned, "0123456789") != "" {
		return decimal{}, false
	}
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		return decimal{}, false
	}
	d := decimal{n, len(fraction) - exponent}
	if d.places < 0 {
		d.n.Mul(d.n, tenTo(-d.places))
		d.places = 0
	}
	return d, true
}

// short is a decimal of few digits, for which machine words do.
type short struct {
	n      int64
	places int
}

// shortest is the number of digits that fit twice: a product of two shorts
// does not overflow.
const shortest = 9

// shortOf reads a plain literal of few digits.
func shortOf(s string) (short, bool) {
	var d short
	negative := false
	if s != "" && s[0] == '-' {
		negative, s = true, s[1:]
	}
	if s == "" || len(s) > shortest+1 {
		return short{}, false
	}
	digits, point := 0, false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.' && !point && i > 0:
			point = true
		case c >= '0' && c <= '9':
			d.n = d.n*10 + int64(c-'0')
			if digits++; point {
				d.places++
			}
		default:
			return short{}, false
		}
	}
	if negative {
		d.n = -d.n
	}
	return d, digits > 0 && digits <= shortest
}

// mul multiplies; both have at most shortest digits.
func (d short) mul(e short) json.Number {
	n, places := d.n*e.n, d.places+e.places
	for places > 0 && n%10 == 0 {
		n /= 10
		places--
	}
	negative := n < 0
	if negative {
		n = -n
	}
	var buffer [48]byte
	at := len(buffer)
	for i := 0; n > 0 || i <= places; i++ {
		if i == places && places > 0 {
			at--
			buffer[at] = '.'
		}
		at--
		buffer[at] = byte('0' + n%10)
		n /= 10
	}
	if negative {
		at--
		buffer[at] = '-'
	}
	return json.Number(buffer[at:])
}

func tenTo(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// trim takes zeros off the end of the fraction.
func (d decimal) trim() decimal {
	ten, rest := big.NewInt(10), new(big.Int)
	n := new(big.Int).Set(d.n)
	for d.places > 0 {
		q, r := new(big.Int).QuoRem(n, ten, rest)
		if r.Sign() != 0 {
			break
		}
		n = q
		d.places--
	}
	return decimal{n, d.places}
}

// String returns the shortest literal.
func (d decimal) String() string {
	d = d.trim()
	s := new(big.Int).Abs(d.n).String()
	if d.places > 0 {
		if len(s) <= d.places {
			s = strings.Repeat("0", d.places-len(s)+1) + s
		}
		s = s[:len(s)-d.places] + "." + s[len(s)-d.places:]
	}
	if d.n.Sign() < 0 {
		s = "-" + s
	}
	return s
}

func (d decimal) number() json.Number { return json.Number(d.String()) }

func (d decimal) mul(e decimal) decimal {
	return decimal{new(big.Int).Mul(d.n, e.n), d.places + e.places}
}

func (d decimal) add(e decimal) decimal {
	places := max(d.places, e.places)
	a := new(big.Int).Mul(d.n, tenTo(places-d.places))
	b := new(big.Int).Mul(e.n, tenTo(places-e.places))
	return decimal{a.Add(a, b), places}
}

func (d decimal) neg() decimal { return decimal{new(big.Int).Neg(d.n), d.places} }

// inverse returns 1/d, if it is a decimal.
func (d decimal) inverse() (decimal, bool) {
	// 10^k / n must be whole for some k.
	n := new(big.Int).Abs(d.n)
	if n.Sign() == 0 {
		return decimal{}, false
	}
	k := 0
	power := big.NewInt(1)
	for new(big.Int).Rem(power, n).Sign() != 0 {
		if k++; k > longest {
			return decimal{}, false
		}
		power.Mul(power, big.NewInt(10))
	}
	out := decimal{power.Quo(power, new(big.Int).Set(d.n)), k}
	// 1/(n/10^places) = 10^places/n
	if d.places > 0 {
		out.n.Mul(out.n, tenTo(d.places))
	}
	return out.trim(), true
}

// divide returns d/e to so many digits after the point, half to even.
func (d decimal) divide(e decimal, digits int) decimal {
	// d.n/10^dp / (e.n/10^ep) * 10^digits
	num := new(big.Int).Mul(d.n, tenTo(digits+e.places))
	den := new(big.Int).Mul(e.n, tenTo(d.places))
	if den.Sign() < 0 {
		num.Neg(num)
		den.Neg(den)
	}
	q, r := new(big.Int).QuoRem(num, den, new(big.Int))
	twice := new(big.Int).Abs(r)
	twice.Lsh(twice, 1)
	if c := twice.Cmp(den); c > 0 || (c == 0 && q.Bit(0) == 1) {
		one := big.NewInt(int64(num.Sign()))
		q.Add(q, one)
	}
	return decimal{q, digits}
}

// canonical makes equal numbers equal texts.
func canonical(literal string) string {
	plain := literal != "" && literal != "-0"
	for i := 0; plain && i < len(literal); i++ {
		c := literal[i]
		plain = c >= '0' && c <= '9' || (i == 0 && c == '-')
	}
	if plain {
		return literal
	}
	if d, ok := parseDecimal(literal); ok {
		return d.String()
	}
	return literal
}

// same compares two values, numbers by value.
func same(a, b any) bool {
	if ma, ok := recordOf(a); ok {
		mb, ok := recordOf(b)
		if !ok || len(ma) != len(mb) {
			return false
		}
		for k, v := range ma {
			w, there := mb[k]
			if !there || !same(v, w) {
				return false
			}
		}
		return true
	}
	if la, ok := a.([]any); ok {
		lb, ok := b.([]any)
		if !ok || len(la) != len(lb) {
			return false
		}
		for i := range la {
			if !same(la[i], lb[i]) {
				return false
			}
		}
		return true
	}
	switch b.(type) {
	case []any, map[string]any, adapter.Record:
		return false
	}
	x, ok := scalarOf(a)
	y, ok2 := scalarOf(b)
	return ok && ok2 && x == y
}

// brief writes a value for a message.
func brief(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	const most = 60
	if len(b) > most {
		return strings.ToValidUTF8(string(b[:most]), "") + "..."
	}
	return string(b)
}
