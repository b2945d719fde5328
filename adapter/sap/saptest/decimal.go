package saptest

import (
	"cmp"
	"math/big"
	"strconv"
	"strings"
)

// decimal is an exact number as it was written, without an exponent.
type decimal string

// parseDecimal reads a number, of which an exponent is written out. ok is
// false if it is none, or too long to be meant.
func parseDecimal(s string) (d decimal, ok bool) {
	if len(s) > 100 || s == "" {
		return "", false
	}
	s = strings.TrimPrefix(s, "+")
	if strings.ContainsAny(s, "eE") {
		r, ok := ratOf(s)
		if !ok {
			return "", false
		}
		text := strings.TrimRight(r.FloatString(40), "0")
		return decimal(strings.TrimSuffix(text, ".")), true
	}
	digits := strings.TrimPrefix(s, "-")
	whole, fraction, dotted := strings.Cut(digits, ".")
	if !allDigits(whole) || dotted && !allDigits(fraction) {
		return "", false
	}
	trimmed := strings.TrimLeft(whole, "0")
	if trimmed == "" {
		trimmed = "0"
	}
	out := trimmed
	if dotted {
		out += "." + fraction
	}
	if s[0] == '-' && strings.Trim(out, "0.") != "" {
		out = "-" + out
	}
	return decimal(out), true
}

func ratOf(s string) (*big.Rat, bool) {
	if at := strings.IndexAny(s, "eE"); at >= 0 {
		if exponent, err := strconv.Atoi(s[at+1:]); err != nil || exponent > 40 || exponent < -40 {
			return nil, false
		}
	}
	return new(big.Rat).SetString(s)
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// places counts the decimal places that matter.
func (d decimal) places() int {
	_, fraction, _ := strings.Cut(string(d), ".")
	return len(strings.TrimRight(fraction, "0"))
}

// digits counts those before the point.
func (d decimal) digits() int {
	whole, _, _ := strings.Cut(strings.TrimPrefix(string(d), "-"), ".")
	return len(strings.TrimLeft(whole, "0"))
}

func (d decimal) rat() *big.Rat {
	r, ok := new(big.Rat).SetString(string(d))
	if !ok {
		return new(big.Rat)
	}
	return r
}

// compare is without arithmetic, as filters do it for every record.
func (d decimal) compare(other decimal) int {
	a, b := string(d), string(other)
	minusA, minusB := strings.HasPrefix(a, "-"), strings.HasPrefix(b, "-")
	switch {
	case minusA && !minusB:
		return -1
	case !minusA && minusB:
		return 1
	case minusA:
		a, b = b[1:], a[1:]
	}
	wholeA, fractionA, _ := strings.Cut(a, ".")
	wholeB, fractionB, _ := strings.Cut(b, ".")
	if c := cmp.Compare(len(wholeA), len(wholeB)); c != 0 {
		return c
	}
	if c := strings.Compare(wholeA, wholeB); c != 0 {
		return c
	}
	return strings.Compare(strings.TrimRight(fractionA, "0"), strings.TrimRight(fractionB, "0"))
}

// rounded is a number with so many decimal places.
func rounded(r *big.Rat, places int) decimal { return decimal(r.FloatString(places)) }
