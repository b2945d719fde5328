package adapter

import (
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"
)

// FormatDomain writes f as an Odoo domain: a list of conditions and prefix
// operators, ready for encoding/json. A nil Filter is the empty list. It writes
// the form that [Normalize] describes, so that [ParseDomain] reads the same
// filter back.
func FormatDomain(f Filter) []any {
	out := []any{}
	for _, part := range topTerms(f) {
		out = appendTerm(out, part)
	}
	return out
}

// topTerms returns the terms that a domain joins by "and" without saying so.
func topTerms(f Filter) []Filter {
	if !isNormal(f) {
		f = Normalize(f)
	}
	switch f := f.(type) {
	case nil:
		return nil
	case And:
		return f
	}
	return []Filter{f}
}

// isNormal reports whether Normalize would leave the groups of f as they are.
func isNormal(f Filter) bool {
	switch f := f.(type) {
	case And:
		for _, part := range f {
			if _, same := part.(And); same || part == nil || !isNormal(part) {
				return false
			}
		}
		return len(f) > 1
	case Or:
		for _, part := range f {
			if _, same := part.(Or); same || part == nil || !isNormal(part) {
				return false
			}
		}
		return len(f) > 1
	case Not:
		switch f.Part.(type) {
		case nil, Not, Always:
			return false
		}
		return isNormal(f.Part)
	case nil, Always, Cond:
		return true
	}
	return false
}

func appendTerm(out []any, f Filter) []any {
	switch f := f.(type) {
	case And:
		return appendGroup(out, "&", f)
	case Or:
		return appendGroup(out, "|", f)
	case Not:
		return appendTerm(append(out, "!"), f.Part)
	case Always:
		return append(out, constant(bool(f)))
	case Cond:
		return append(out, formatCond(f))
	}
	return out
}

// appendGroup writes n parts behind n-1 operators.
func appendGroup(out []any, op string, parts []Filter) []any {
	for range len(parts) - 1 {
		out = append(out, op)
	}
	for _, part := range parts {
		out = appendTerm(out, part)
	}
	return out
}

func constant(b bool) []any {
	if b {
		return []any{1, "=", 1}
	}
	return []any{0, "=", 1}
}

func formatCond(c Cond) []any {
	c = normalCond(c)
	if nested, ok := c.Value.(Filter); ok || isNested(c) {
		return []any{c.Field, string(c.Op), FormatDomain(nested)}
	}
	return []any{c.Field, string(c.Op), c.Value}
}

// isNested reports whether c is an Any without a condition.
func isNested(c Cond) bool { return c.Value == nil && (c.Op == Any || c.Op == NotAny) }

// AppendDomainJSON appends f to dst as the JSON text of an Odoo domain, as
// encoding/json would write [FormatDomain] (without its escapes for HTML). A
// value that JSON can't hold (NaN, a channel) is written as null.
func AppendDomainJSON(dst []byte, f Filter) []byte {
	dst = append(dst, '[')
	for i, part := range topTerms(f) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendTermJSON(dst, part)
	}
	return append(dst, ']')
}

func appendTermJSON(dst []byte, f Filter) []byte {
	switch f := f.(type) {
	case And:
		return appendGroupJSON(dst, `"&",`, f)
	case Or:
		return appendGroupJSON(dst, `"|",`, f)
	case Not:
		return appendTermJSON(append(dst, `"!",`...), f.Part)
	case Always:
		return appendConstantJSON(dst, bool(f))
	case Cond:
		return appendCondJSON(dst, f)
	}
	return dst
}

func appendGroupJSON(dst []byte, op string, parts []Filter) []byte {
	for range len(parts) - 1 {
		dst = append(dst, op...)
	}
	for i, part := range parts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendTermJSON(dst, part)
	}
	return dst
}

func appendConstantJSON(dst []byte, b bool) []byte {
	if b {
		return append(dst, `[1,"=",1]`...)
	}
	return append(dst, `[0,"=",1]`...)
}

func appendCondJSON(dst []byte, c Cond) []byte {
	c = normalCond(c)
	dst = append(dst, '[')
	dst = appendStringJSON(dst, c.Field)
	dst = append(dst, ',')
	dst = appendStringJSON(dst, string(c.Op))
	dst = append(dst, ',')
	if nested, ok := c.Value.(Filter); ok || isNested(c) {
		dst = AppendDomainJSON(dst, nested)
	} else {
		dst = appendValueJSON(dst, c.Value)
	}
	return append(dst, ']')
}

func appendValueJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case string:
		return appendStringJSON(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case json.Number:
		if isNumberLiteral(string(v)) {
			return append(dst, v...)
		}
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) && v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return strconv.AppendInt(dst, int64(v), 10)
		}
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValueJSON(dst, item)
		}
		return append(dst, ']')
	}
	b, err := json.Marshal(v)
	if err != nil {
		return append(dst, "null"...)
	}
	return append(dst, b...)
}

// isNumberLiteral reports whether s is plainly a JSON number; what it is not
// sure of goes to encoding/json.
func isNumberLiteral(s string) bool {
	digits := s
	if digits != "" && digits[0] == '-' {
		digits = digits[1:]
	}
	return digits != "" && allDigits(digits) && (digits[0] != '0' || len(digits) == 1)
}

const hexDigits = "0123456789abcdef"

func appendStringJSON(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
