package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep the values of a body may nest. The deepest honest ones
// are domains, where each "any" nests two levels.
const maxDepth = 100

// malformed is a body that is no JSON, or JSON that must not be.
func malformed(at int, format string, args ...any) *Problem {
	return newProblem(http.StatusBadRequest, codeMalformed, fmt.Sprintf("the body is not usable JSON: %s at byte %d", fmt.Sprintf(format, args...), at))
}

// malformedFrom recovers a malformed body's problem from the text that is all
// huma keeps of an error.
func malformedFrom(message string) (*Problem, bool) {
	if !strings.HasPrefix(message, "the body is not usable JSON: ") {
		return nil, false
	}
	return newProblem(http.StatusBadRequest, codeMalformed, message), true
}

// strictJSON checks that b is one JSON value in UTF-8, nested no deeper than
// maxDepth, in which no object names a member twice. The error is a *Problem.
func strictJSON(b []byte) error {
	s := scanner{b: b}
	return s.document(nil)
}

// members calls f for each member of the JSON object b, which it checks like
// strictJSON. The values are parts of b.
func members(b []byte, f func(name []byte, value json.RawMessage) error) error {
	s := scanner{b: b}
	s.space()
	if s.i < len(b) && b[s.i] != '{' {
		if err := strictJSON(b); err != nil {
			return err
		}
		return newProblem(http.StatusUnprocessableEntity, "", "the body must be a JSON object")
	}
	return s.document(f)
}

// scanner walks over JSON without keeping any of it.
type scanner struct {
	b     []byte
	i     int
	depth int
}

func (s *scanner) document(f func([]byte, json.RawMessage) error) error {
	if !utf8.Valid(s.b) {
		return malformed(0, "it is not UTF-8")
	}
	s.space()
	if s.i == len(s.b) {
		return malformed(s.i, "it is empty")
	}
	var err error
	if s.b[s.i] == '{' {
		err = s.object(f)
	} else {
		err = s.value()
	}
	if err != nil {
		return err
	}
	if s.space(); s.i < len(s.b) {
		return malformed(s.i, "something follows the value")
	}
	return nil
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) value() error {
	if s.i == len(s.b) {
		return malformed(s.i, "it ends where a value should be")
	}
	switch c := s.b[s.i]; c {
	case '{':
		return s.object(nil)
	case '[':
		return s.array()
	case '"':
		_, err := s.text()
		return err
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return s.number()
		}
		return malformed(s.i, "no value begins with %q", s.rune())
	}
}

func (s *scanner) rune() rune {
	r, _ := utf8.DecodeRune(s.b[s.i:])
	return r
}

func (s *scanner) enter() error {
	s.i++
	if s.depth++; s.depth > maxDepth {
		return malformed(s.i-1, "it nests deeper than %d levels", maxDepth)
	}
	return nil
}

func (s *scanner) object(f func([]byte, json.RawMessage) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	var seen names
	for first := true; ; first = false {
		s.space()
		if first && s.at('}') {
			break
		}
		if !s.at('"') {
			return malformed(s.i, "a member's name should be here")
		}
		start := s.i
		name, err := s.text()
		if err != nil {
			return err
		}
		if !seen.add(name) {
			return malformed(start, "%q is given twice", clip(string(name)))
		}
		s.space()
		if !s.at(':') {
			return malformed(s.i, "a colon should be here")
		}
		s.i++
		s.space()
		start = s.i
		if err := s.value(); err != nil {
			return err
		}
		if f != nil {
			if err := f(name, s.b[start:s.i:s.i]); err != nil {
				return err
			}
		}
		s.space()
		if s.at(',') {
			s.i++
			continue
		}
		if !s.at('}') {
			return malformed(s.i, "a comma or a closing brace should be here")
		}
		break
	}
	s.i++
	s.depth--
	return nil
}

func (s *scanner) array() error {
	if err := s.enter(); err != nil {
		return err
	}
	for first := true; ; first = false {
		s.space()
		if first && s.at(']') {
			break
		}
		if err := s.value(); err != nil {
			return err
		}
		s.space()
		if s.at(',') {
			s.i++
			continue
		}
		if !s.at(']') {
			return malformed(s.i, "a comma or a closing bracket should be here")
		}
		break
	}
	s.i++
	s.depth--
	return nil
}

func (s *scanner) at(c byte) bool { return s.i < len(s.b) && s.b[s.i] == c }

// text passes over a string and returns what it says.
func (s *scanner) text() ([]byte, error) {
	start, escaped := s.i, false
	for s.i++; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			if !escaped {
				return s.b[start+1 : s.i-1], nil
			}
			var text string
			if json.Unmarshal(s.b[start:s.i], &text) != nil {
				return nil, malformed(start, "this string has a bad escape")
			}
			return []byte(text), nil
		case c == '\\':
			escaped = true
			s.i++
		case c < ' ':
			return nil, malformed(s.i, "a control character must be escaped")
		}
	}
	return nil, malformed(len(s.b), "a string is not closed")
}

func (s *scanner) word(word string) error {
	if !strings.HasPrefix(string(s.b[s.i:min(len(s.b), s.i+len(word))]), word) {
		return malformed(s.i, "no value begins with %q", s.rune())
	}
	s.i += len(word)
	return nil
}

func (s *scanner) number() error {
	start := s.i
	if s.at('-') {
		s.i++
	}
	whole := s.digits()
	bad := whole == 0 || whole > 1 && s.b[s.i-whole] == '0'
	if s.at('.') {
		s.i++
		bad = s.digits() == 0 || bad
	}
	if s.at('e') || s.at('E') {
		s.i++
		if s.at('+') || s.at('-') {
			s.i++
		}
		bad = s.digits() == 0 || bad
	}
	if bad {
		return malformed(start, "this is no number")
	}
	return nil
}

func (s *scanner) digits() int {
	start := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i - start
}

// names is a set that is cheap while it is small.
type names struct {
	few  [16][]byte
	n    int
	many map[string]struct{}
}

func (n *names) add(name []byte) bool {
	if n.many == nil {
		for _, other := range n.few[:n.n] {
			if string(other) == string(name) {
				return false
			}
		}
		if n.n < len(n.few) {
			n.few[n.n] = name
			n.n++
			return true
		}
		n.many = make(map[string]struct{}, 2*len(n.few))
		for _, other := range n.few {
			n.many[string(other)] = struct{}{}
		}
	}
	before := len(n.many)
	n.many[string(name)] = struct{}{}
	return len(n.many) > before
}
