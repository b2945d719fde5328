package migrate

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/bridgecore/bridgecore/adapter"
)

// This file reads JSON without decoding it: where a value starts and ends is
// all that a renamed field needs.

// deepestJSON bounds how deep values of records may nest.
const deepestJSON = 1000

type syntaxError struct {
	at   int
	what string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.what, e.at) }

func badJSON(at int, what string) error { return &syntaxError{at: at, what: what} }

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// plainChar are the bytes of a string that need no second look.
var plainChar = func() (t [256]bool) {
	for i := range t {
		t[i] = i >= 0x20 && i != '"' && i != '\\'
	}
	return t
}()

// skipString returns the place after the string that starts at b[i], and
// whether it has escapes.
func skipString(b []byte, i int) (end int, escaped bool, err error) {
	j := i + 1
	for {
		for j+8 <= len(b) && plainChar[b[j]] && plainChar[b[j+1]] && plainChar[b[j+2]] && plainChar[b[j+3]] &&
			plainChar[b[j+4]] && plainChar[b[j+5]] && plainChar[b[j+6]] && plainChar[b[j+7]] {
			j += 8
		}
		for j < len(b) && plainChar[b[j]] {
			j++
		}
		if j >= len(b) {
			return 0, false, badJSON(i, "a string without end")
		}
		switch b[j] {
		case '"':
			return j + 1, escaped, nil
		case '\\':
			escaped = true
			if j+1 >= len(b) {
				return 0, false, badJSON(i, "a string without end")
			}
			switch b[j+1] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				j += 2
			case 'u':
				if j+6 > len(b) {
					return 0, false, badJSON(j, "a broken escape")
				}
				for _, c := range b[j+2 : j+6] {
					if !isHex(c) {
						return 0, false, badJSON(j, "a broken escape")
					}
				}
				j += 6
			default:
				return 0, false, badJSON(j, "a broken escape")
			}
		default:
			return 0, false, badJSON(j, "a control character in a string")
		}
	}
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// skipNumber returns the place after the number that starts at b[i].
func skipNumber(b []byte, i int) (int, error) {
	start := i
	if b[i] == '-' {
		i++
	}
	switch {
	case i < len(b) && b[i] == '0':
		i++
	case i < len(b) && isDigit(b[i]):
		for i < len(b) && isDigit(b[i]) {
			i++
		}
	default:
		return 0, badJSON(start, "a broken number")
	}
	if i < len(b) && b[i] == '.' {
		i++
		if i >= len(b) || !isDigit(b[i]) {
			return 0, badJSON(start, "a broken number")
		}
		for i < len(b) && isDigit(b[i]) {
			i++
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if i >= len(b) || !isDigit(b[i]) {
			return 0, badJSON(start, "a broken number")
		}
		for i < len(b) && isDigit(b[i]) {
			i++
		}
	}
	return i, nil
}

func skipWord(b []byte, i int, word string) (int, error) {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return 0, badJSON(i, "an unknown word")
	}
	return i + len(word), nil
}

// skipValue returns the place after the value that starts at b[i].
func skipValue(b []byte, i, depth int) (int, error) {
	if i >= len(b) {
		return 0, badJSON(i, "a missing value")
	}
	switch c := b[i]; c {
	case '"':
		end, _, err := skipString(b, i)
		return end, err
	case 't':
		return skipWord(b, i, "true")
	case 'f':
		return skipWord(b, i, "false")
	case 'n':
		return skipWord(b, i, "null")
	case '[', '{':
		return skipNested(b, i, depth)
	default:
		if c == '-' || isDigit(c) {
			return skipNumber(b, i)
		}
		return 0, badJSON(i, "an unexpected character")
	}
}

func skipNested(b []byte, i, depth int) (int, error) {
	if depth >= deepestJSON {
		return 0, badJSON(i, "values nested too deep")
	}
	object := b[i] == '{'
	closing := byte(']')
	if object {
		closing = '}'
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == closing {
		return i + 1, nil
	}
	for {
		var err error
		if object {
			if i >= len(b) || b[i] != '"' {
				return 0, badJSON(i, "a missing key")
			}
			if i, _, err = skipString(b, i); err != nil {
				return 0, err
			}
			if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
				return 0, badJSON(i, "a missing colon")
			}
			i = skipSpace(b, i+1)
		}
		if i, err = skipValue(b, i, depth+1); err != nil {
			return 0, err
		}
		i = skipSpace(b, i)
		if i >= len(b) {
			return 0, badJSON(i, "a value without end")
		}
		switch b[i] {
		case closing:
			return i + 1, nil
		case ',':
			i = skipSpace(b, i+1)
		default:
			return 0, badJSON(i, "a missing comma")
		}
	}
}

// eachField calls visit for every field of the JSON object b: its key as
// written, with quotes, the key's text, and the value as written.
func eachField(b []byte, visit func(quotedKey, name, value []byte) error) error {
	if !utf8.Valid(b) {
		return badJSON(0, "text that is not UTF-8")
	}
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != '{' {
		return badJSON(i, "no JSON object")
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return nothingAfter(b, i+1)
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return badJSON(i, "a missing key")
		}
		end, escaped, err := skipString(b, i)
		if err != nil {
			return err
		}
		quotedKey := b[i:end]
		name := b[i+1 : end-1]
		if escaped {
			var s string
			if err := json.Unmarshal(quotedKey, &s); err != nil {
				return badJSON(i, "a broken key")
			}
			name = []byte(s)
		}
		if i = skipSpace(b, end); i >= len(b) || b[i] != ':' {
			return badJSON(i, "a missing colon")
		}
		i = skipSpace(b, i+1)
		if end, err = skipValue(b, i, 1); err != nil {
			return err
		}
		if err := visit(quotedKey, name, b[i:end]); err != nil {
			return err
		}
		if i = skipSpace(b, end); i >= len(b) {
			return badJSON(i, "an object without end")
		}
		switch b[i] {
		case '}':
			return nothingAfter(b, i+1)
		case ',':
			i = skipSpace(b, i+1)
		default:
			return badJSON(i, "a missing comma")
		}
	}
}

func nothingAfter(b []byte, i int) error {
	if i = skipSpace(b, i); i < len(b) {
		return badJSON(i, "text after the record")
	}
	return nil
}

// decodeValue decodes a value that was found to be right.
func decodeValue(b []byte) (any, error) {
	switch b[0] {
	case 'n':
		return nil, nil
	case 't':
		return true, nil
	case 'f':
		return false, nil
	case '"':
		for _, c := range b {
			if c == '\\' {
				var s string
				err := json.Unmarshal(b, &s)
				return s, err
			}
		}
		return string(b[1 : len(b)-1]), nil
	case '[', '{':
		if len(b) == 2 && b[0] == '[' {
			return []any{}, nil
		}
		var v any
		err := adapter.DecodeJSON(b, &v)
		return v, err
	}
	return json.Number(b), nil
}

// decodeFields decodes a record; unlike encoding/json it refuses a key that
// appears twice and text that is not UTF-8.
func decodeFields(b []byte) (adapter.Record, error) {
	rec := adapter.Record{}
	err := eachField(b, func(_, name, value []byte) error {
		if _, twice := rec[string(name)]; twice {
			return twiceError(name)
		}
		v, err := decodeValue(value)
		rec[string(name)] = v
		return err
	})
	if err != nil {
		return nil, err
	}
	return rec, nil
}

func twiceError(name []byte) error { return fmt.Errorf("field %s appears twice", quoted(string(name))) }
