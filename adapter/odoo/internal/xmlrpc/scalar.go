package xmlrpc

import (
	"bytes"
	"encoding/json"
	"time"
)

// scalar reads a value that holds text, and has write put it into dst, whose
// part from mark on is the text.
func (s *scanner) scalar(t tag, write func(dst []byte, mark int) ([]byte, string)) error {
	mark := len(s.dst)
	if !t.empty {
		name := scalarNames[string(t.name)]
		if _, err := s.text(); err != nil {
			return err
		}
		if err := s.shut(name); err != nil {
			return err
		}
	}
	dst, problem := write(s.dst, mark)
	if problem != "" {
		return s.wrong("%s", problem)
	}
	s.dst = dst
	return nil
}

// scalarNames keeps the names of types where reading on can't change them.
var scalarNames = func() map[string]string {
	m := map[string]string{}
	for _, name := range []string{
		"int", "i4", "i8", "i1", "i2", "biginteger", "boolean", "double", "float", "bigdecimal", "base64", "dateTime.iso8601",
	} {
		m[name] = name
	}
	return m
}()

func scalarInt(dst []byte, mark int) ([]byte, string) {
	text := trim(dst[mark:])
	negative := false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		negative, text = text[0] == '-', text[1:]
	}
	if !isDigits(text) {
		return dst, "an integer that is none"
	}
	return appendInt(dst[:mark], negative, text), ""
}

// appendInt appends digits, which may overlap dst, without leading zeros.
func appendInt(dst []byte, negative bool, digits []byte) []byte {
	for len(digits) > 1 && digits[0] == '0' {
		digits = digits[1:]
	}
	if !negative || string(digits) == "0" {
		// What is moved lies behind where it goes.
		return append(dst, digits...)
	}
	return append(append(dst, '-'), digits...)
}

func scalarBool(dst []byte, mark int) ([]byte, string) {
	switch string(trim(dst[mark:])) {
	case "0":
		return append(dst[:mark], "false"...), ""
	case "1":
		return append(dst[:mark], "true"...), ""
	}
	return dst, "a boolean that is neither 0 nor 1"
}

func scalarDouble(dst []byte, mark int) ([]byte, string) {
	text := trim(dst[mark:])
	if json.Valid(text) && (text[0] == '-' || '0' <= text[0] && text[0] <= '9') {
		n := copy(dst[mark:], text)
		return dst[:mark+n], ""
	}
	// What Python and C read and JSON does not: +1, .5, 5., 007.
	literal := string(text)
	negative := false
	if literal != "" && (literal[0] == '-' || literal[0] == '+') {
		negative, literal = literal[0] == '-', literal[1:]
	}
	mantissa, exponent := literal, ""
	for i := range len(literal) {
		if literal[i] == 'e' || literal[i] == 'E' {
			mantissa, exponent = literal[:i], literal[i:]
			break
		}
	}
	whole, fraction := mantissa, ""
	for i := range len(mantissa) {
		if mantissa[i] == '.' {
			whole, fraction = mantissa[:i], mantissa[i+1:]
			break
		}
	}
	if whole == "" && fraction == "" {
		return dst, "a double that is no finite number"
	}
	if whole == "" {
		whole = "0"
	}
	if fraction == "" {
		fraction = "0"
	}
	if !isDigits([]byte(whole)) || !isDigits([]byte(fraction)) {
		return dst, "a double that is no finite number"
	}
	dst = dst[:mark]
	if negative {
		dst = append(dst, '-')
	}
	dst = appendInt(dst, false, []byte(whole))
	dst = append(append(append(dst, '.'), fraction...), exponent...)
	if !json.Valid(dst[mark:]) {
		return dst, "a double that is no finite number"
	}
	return dst, ""
}

func scalarBase64(dst []byte, mark int) ([]byte, string) {
	// The text was written as the inside of a JSON string, so that a line
	// break reads \n.
	text := dst[mark:]
	padding := 0
	kept := text[:0]
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == ' ':
			continue
		case c == '\\' && i+1 < len(text) && (text[i+1] == 'n' || text[i+1] == 'r' || text[i+1] == 't'):
			i++
			continue
		case c == '=':
			padding++
		case !isBase64(c) || padding > 0:
			return dst, "base64 that is none"
		}
		kept = append(kept, c)
	}
	n := len(kept)
	if n%4 != 0 || padding > 2 {
		return dst, "base64 that is none"
	}
	dst = append(dst[:mark+n], '"', '"')
	copy(dst[mark+1:], dst[mark:mark+n])
	dst[mark] = '"'
	return dst, ""
}

func isBase64(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}

// times are the forms of dateTime.iso8601 in use; one without a zone is UTC,
// as in all of Odoo.
var times = [...]string{
	"20060102T15:04:05", "2006-01-02T15:04:05", "20060102T15:04:05Z07:00", "2006-01-02T15:04:05Z07:00", "20060102T150405", "2006-01-02 15:04:05",
}

func scalarTime(dst []byte, mark int) ([]byte, string) {
	text := string(trim(dst[mark:]))
	for _, layout := range times {
		if t, err := time.Parse(layout, text); err == nil {
			t = t.UTC()
			if t.Year() < 1 || t.Year() > 9999 {
				break
			}
			return t.AppendFormat(dst[:mark], `"2006-01-02 15:04:05"`), ""
		}
	}
	return dst, "a date and time in an unknown form"
}

// trim cuts white space, as JSON strings write it, from both ends.
func trim(b []byte) []byte {
	for {
		n := len(b)
		b = bytes.Trim(b, " ")
		for _, escape := range [...]string{`\n`, `\r`, `\t`} {
			b = bytes.TrimSuffix(bytes.TrimPrefix(b, []byte(escape)), []byte(escape))
		}
		if len(b) == n {
			return b
		}
	}
}

func isDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}
