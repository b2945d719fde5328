package bridge

import (
	"bytes"
	"encoding/json"
	"iter"
)

// parts yields the elements of a JSON list, or the members of an object, as
// they are written, without looking into them. The text must be valid JSON.
func parts(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		b = bytes.TrimSpace(b)
		if len(b) < 2 {
			return
		}
		depth, start := 0, 1
		inText := false
		for i := 0; i < len(b); i++ {
			c := b[i]
			if inText {
				switch c {
				case '\\':
					i++
				case '"':
					inText = false
				}
				continue
			}
			switch c {
			case '"':
				inText = true
			case '[', '{':
				depth++
			case ',':
				if depth == 1 {
					if !yield(bytes.TrimSpace(b[start:i])) {
						return
					}
					start = i + 1
				}
			case ']', '}':
				if depth--; depth == 0 {
					if last := bytes.TrimSpace(b[start:i]); len(last) > 0 {
						yield(last)
					}
					return
				}
			}
		}
	}
}

// listOf splits a JSON list, and objectOf an object. They are false for
// anything else; null and nothing are empty.
func listOf(b json.RawMessage) ([]json.RawMessage, bool) {
	if isNull(b) {
		return nil, true
	}
	if !json.Valid(b) || bytes.TrimSpace(b)[0] != '[' {
		return nil, false
	}
	list := make([]json.RawMessage, 0, 4)
	for part := range parts(b) {
		list = append(list, part)
	}
	return list, true
}

type jsonMember struct {
	name  string
	value json.RawMessage
}

func objectOf(b json.RawMessage) ([]jsonMember, bool) {
	if isNull(b) {
		return nil, true
	}
	if !json.Valid(b) || bytes.TrimSpace(b)[0] != '{' {
		return nil, false
	}
	list := make([]jsonMember, 0, 8)
	for part := range parts(b) {
		name, rest, ok := leadingText(part)
		if !ok {
			return nil, false
		}
		list = append(list, jsonMember{name, bytes.TrimSpace(bytes.TrimSpace(rest)[1:])})
	}
	return list, true
}

// leadingText reads the text that b begins with, and returns what follows it.
func leadingText(b []byte) (s string, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return "", b, false
	}
	escaped := false
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\':
			escaped = true
			i++
		case c >= 0x80:
			escaped = true // let the decoder see to invalid UTF-8
		case c == '"':
			if !escaped {
				return string(b[1:i]), b[i+1:], true
			}
			ok = json.Unmarshal(b[:i+1], &s) == nil
			return s, b[i+1:], ok
		}
	}
	return "", b, false
}
