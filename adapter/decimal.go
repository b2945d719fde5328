package adapter

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// decimal is a number as it was written, for exact comparison: its value is
// 0.digits times ten to the exp. digits has no zeros at either end, and is
// empty for zero.
type decimal struct {
	neg     bool
	exp     int
	digits  string
	literal string
}

// decimalOf reads a Go or JSON number. Texts are not numbers; NaN and the
// infinities neither.
func decimalOf(v any) (decimal, bool) {
	switch v := v.(type) {
	case json.Number:
		return parseDecimal(string(v))
	case int:
		return parseDecimal(strconv.Itoa(v))
	case int64:
		return parseDecimal(strconv.FormatInt(v, 10))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return decimal{}, false
		}
		return parseDecimal(strconv.FormatFloat(v, 'g', -1, 64))
	case float32:
		return decimalOf(float64(v))
	case int32:
		return decimalOf(int64(v))
	case int16:
		return decimalOf(int64(v))
	case int8:
		return decimalOf(int64(v))
	case uint:
		return parseDecimal(strconv.FormatUint(uint64(v), 10))
	case uint64:
		return parseDecimal(strconv.FormatUint(v, 10))
	case uint32:
		return decimalOf(int64(v))
	case uint16:
		return decimalOf(int64(v))
	case uint8:
		return decimalOf(int64(v))
	}
	return decimal{}, false
}

// parseDecimal reads a decimal literal: sign, digits, fraction, exponent.
func parseDecimal(s string) (decimal, bool) {
	d := decimal{literal: s}
	rest := s
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		d.neg = rest[0] == '-'
		rest = rest[1:]
	}
	whole, exponent := rest, 0
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		whole = rest[:i]
		n, err := strconv.Atoi(rest[i+1:])
		if err != nil {
			// Out of any range: only its sign matters still.
			if digits := strings.TrimLeft(rest[i+1:], "+-"); digits == "" || !allDigits(digits) {
				return decimal{}, false
			}
			if n = math.MaxInt32; strings.HasPrefix(rest[i+1:], "-") {
				n = -n
			}
		}
		exponent = min(max(n, -math.MaxInt32), math.MaxInt32)
	}
	before, after, _ := strings.Cut(whole, ".")
	if before == "" && after == "" || !allDigits(before) || !allDigits(after) {
		return decimal{}, false
	}
	before = strings.TrimLeft(before, "0")
	switch {
	case before == "":
		trimmed := strings.TrimLeft(after, "0")
		d.exp = exponent - (len(after) - len(trimmed))
		d.digits = strings.TrimRight(trimmed, "0")
	case after == "":
		d.exp = exponent + len(before)
		d.digits = strings.TrimRight(before, "0")
	default:
		d.exp = exponent + len(before)
		d.digits = strings.TrimRight(before+after, "0")
	}
	if d.digits == "" {
		d.neg, d.exp = false, 0
	}
	return d, true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func (d decimal) isZero() bool { return d.digits == "" }

// compare returns -1, 0 or +1.
func (d decimal) compare(e decimal) int {
	switch ds, es := d.sign(), e.sign(); {
	case ds != es:
		if ds < es {
			return -1
		}
		return 1
	case ds == 0:
		return 0
	}
	c := 0
	switch {
	case d.exp != e.exp:
		c = 1
		if d.exp < e.exp {
			c = -1
		}
	default:
		c = strings.Compare(d.digits, e.digits)
	}
	if d.neg {
		return -c
	}
	return c
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.neg:
		return -1
	}
	return 1
}
