// Package xmlrpc writes XML-RPC calls and reads the answers, as Odoo speaks
// the protocol.
//
// Answers are not decoded into Go values but rewritten as JSON while they
// stream in, so that an answer looks the same to callers whichever way it
// came. Calls take the values that encoding/json would write.
package xmlrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// The defaults of Limits.
const (
	DefaultDepth = 512
	DefaultBytes = 64 << 20
)

// Limits bound what Transcode reads.
type Limits struct {
	Depth int   // of arrays and structs in each other; 0 is DefaultDepth
	Bytes int64 // of the document; 0 is DefaultBytes
}

// ErrTooLarge is returned for a document of more than Limits.Bytes.
var ErrTooLarge = errors.New("xmlrpc: document too large")

// SyntaxError is returned for what is no XML-RPC answer.
type SyntaxError struct {
	Offset int64 // bytes read before the mistake was noticed
	Reason string
}

// Error tells the reason and the place.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("xmlrpc: %s at byte %d", e.Reason, e.Offset)
}

// Fault is the answer to a call that failed.
type Fault struct {
	Code   string // a number, or the text that Odoo's old interface sends
	String string
}

// Error returns the fault's text.
func (f *Fault) Error() string { return "xmlrpc fault " + f.Code + ": " + f.String }

// Transcode reads an answer from r and appends its value to dst as JSON:
// numbers as they are written, nil as null, base64 as the string it is,
// without line breaks, and dates as Odoo writes them, "2006-01-02 15:04:05".
// An answer without a value is null. A fault is returned in place of a value.
//
// Documents are UTF-8. A DTD is refused, and so are infinite and undefined
// doubles, which JSON does not have. Raw control characters are let through:
// XML forbids them, but some servers send what their databases hold. For the
// same reason line ends stay as they are.
//
// Besides *SyntaxError and ErrTooLarge it returns the errors of r. Then the
// returned slice is dst, unchanged in its length.
func Transcode(dst []byte, r io.Reader, limits Limits) ([]byte, *Fault, error) {
	if limits.Depth <= 0 {
		limits.Depth = DefaultDepth
	}
	if limits.Bytes <= 0 {
		limits.Bytes = DefaultBytes
	}
	s := scanner{r: r, dst: dst, left: limits.Bytes, depthLeft: limits.Depth, buf: make([]byte, 32<<10)}
	isFault, err := s.document()
	if err != nil {
		return dst, nil, err
	}
	if isFault {
		fault, err := s.fault(s.dst[len(dst):])
		return dst, fault, err
	}
	return s.dst, nil, nil
}

// scanner reads a document through a window. What a method reads it appends
// to dst as JSON.
type scanner struct {
	r         io.Reader
	buf       []byte
	pos, end  int   // the unread part of buf
	off       int64 // of buf[0] in the document
	left      int64 // bytes that may still be read
	readErr   error
	dst       []byte
	depthLeft int
}

func (s *scanner) wrong(format string, args ...any) error {
	return &SyntaxError{Offset: s.off + int64(s.pos), Reason: fmt.Sprintf(format, args...)}
}

// more reads more into the window, keeping what is unread. It returns io.EOF
// at the end of the document.
func (s *scanner) more() error {
	if s.readErr != nil {
		return s.readErr
	}
	if s.pos > 0 {
		copy(s.buf, s.buf[s.pos:s.end])
		s.off += int64(s.pos)
		s.end -= s.pos
		s.pos = 0
	}
	if s.end == len(s.buf) {
		return s.wrong("a tag of more than %d bytes", len(s.buf))
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		if int64(n) > s.left {
			s.readErr = ErrTooLarge
			return ErrTooLarge
		}
		s.left -= int64(n)
		s.end += n
		s.readErr = err
		switch {
		case n > 0:
			return nil
		case err != nil:
			return err
		}
	}
	s.readErr = io.ErrNoProgress
	return s.readErr
}

// need makes sure that n bytes are in the window.
func (s *scanner) need(n int) error {
	for s.end-s.pos < n {
		if err := s.more(); err != nil {
			return err
		}
	}
	return nil
}

// cut is the error for a document that ended too early.
func (s *scanner) cut(err error) error {
	if errors.Is(err, io.EOF) {
		return s.wrong("the document ends too early")
	}
	return err
}

// tag is an opening, closing or empty tag. Its name is valid until the next
// read.
type tag struct {
	name  []byte
	close bool // </name>
	empty bool // <name/>
}

func (t tag) opens(name string) bool { return !t.close && string(t.name) == name }

func (t tag) String() string {
	if t.close {
		return "</" + string(t.name) + ">"
	}
	return "<" + string(t.name) + ">"
}

// next skips white space, comments and instructions and reads a tag. It
// returns io.EOF at the end of the document.
func (s *scanner) next() (tag, error) {
	for {
		for s.pos < s.end && isSpace(s.buf[s.pos]) {
			s.pos++
		}
		if s.pos == s.end {
			if err := s.more(); err != nil {
				return tag{}, err
			}
			continue
		}
		if s.buf[s.pos] != '<' {
			return tag{}, s.wrong("text where a tag should be")
		}
		if skipped, err := s.aside(); err != nil {
			return tag{}, err
		} else if skipped {
			continue
		}
		return s.tag()
	}
}

// aside skips a comment or an instruction at the current '<', and refuses a
// declaration. It reports whether there was one. CDATA is left to the caller.
func (s *scanner) aside() (bool, error) {
	if err := s.need(2); err != nil {
		return false, s.cut(err)
	}
	switch s.buf[s.pos+1] {
	case '?':
		return true, s.skipPast("?>")
	case '!':
		if err := s.need(4); err != nil {
			return false, s.cut(err)
		}
		switch {
		case s.buf[s.pos+2] == '-' && s.buf[s.pos+3] == '-':
			s.pos += 4
			return true, s.skipPast("-->")
		case s.buf[s.pos+2] == '[':
			return false, nil
		}
		return false, s.wrong("a document type declaration, which is refused")
	}
	return false, nil
}

func (s *scanner) skipPast(end string) error {
	for {
		if i := bytes.Index(s.buf[s.pos:s.end], []byte(end)); i >= 0 {
			s.pos += i + len(end)
			return nil
		}
		// Keep what may be the beginning of end.
		s.pos = max(s.pos, s.end-len(end)+1)
		if err := s.more(); err != nil {
			return s.cut(err)
		}
	}
}

// tag reads the tag at the current '<'.
func (s *scanner) tag() (tag, error) {
	from := 1
	for {
		i := bytes.IndexByte(s.buf[s.pos+from:s.end], '>')
		if i >= 0 {
			body := s.buf[s.pos+1 : s.pos+from+i]
			t, ok := parseTag(body)
			if !ok {
				return tag{}, s.wrong("a malformed tag")
			}
			s.pos += from + i + 1
			return t, nil
		}
		from = max(1, s.end-s.pos)
		if err := s.more(); err != nil {
			return tag{}, s.cut(err)
		}
	}
}

// parseTag takes apart what stands between < and >. Attributes mean nothing
// in XML-RPC and are skipped; one that holds a > is not understood.
func parseTag(b []byte) (tag, bool) {
	var t tag
	if len(b) > 0 && b[0] == '/' {
		t.close, b = true, b[1:]
	}
	if len(b) > 0 && b[len(b)-1] == '/' {
		t.empty, b = true, b[:len(b)-1]
	}
	n := 0
	for n < len(b) && isNameByte(b[n]) {
		n++
	}
	t.name = b[:n]
	if n == 0 || t.close && t.empty {
		return t, false
	}
	if rest := b[n:]; len(rest) > 0 {
		if !isSpace(rest[0]) || bytes.IndexByte(rest, '<') >= 0 ||
			bytes.Count(rest, []byte(`"`))%2 != 0 || bytes.Count(rest, []byte(`'`))%2 != 0 ||
			t.close && len(bytes.TrimSpace(rest)) > 0 {
			return t, false
		}
	}
	return t, true
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == ':' || c == '-'
}

// exactly skips white space and then the tag, if it is in the window and
// written as servers write it: the short way for most tags.
func (s *scanner) exactly(prefix, name string) bool {
	i := s.pos
	for i < s.end && isSpace(s.buf[i]) {
		i++
	}
	n := len(prefix) + len(name)
	if s.end-i <= n || s.buf[i+n] != '>' || string(s.buf[i+len(prefix):i+n]) != name || string(s.buf[i:i+len(prefix)]) != prefix {
		return false
	}
	s.pos = i + n + 1
	return true
}

// open reads the opening tag of the name.
func (s *scanner) open(name string) (tag, error) {
	if s.exactly("<", name) {
		return tag{}, nil
	}
	t, err := s.next()
	if err == nil && !t.opens(name) {
		err = s.wrong("%s where <%s> should be", t, name)
	}
	return t, s.cut(err)
}

// shut reads the closing tag of the name.
func (s *scanner) shut(name string) error {
	if s.exactly("</", name) {
		return nil
	}
	t, err := s.next()
	if err == nil && (!t.close || string(t.name) != name) {
		err = s.wrong("%s where </%s> should be", t, name)
	}
	return s.cut(err)
}

// document reads everything, and reports whether the value is a fault's.
func (s *scanner) document() (fault bool, err error) {
	if err := s.prolog(); err != nil {
		return false, err
	}
	t, err := s.open("methodResponse")
	if err != nil {
		return false, err
	}
	if t.empty {
		return false, s.wrong("an empty answer")
	}
	t, err = s.next()
	switch {
	case err != nil:
		return false, s.cut(err)
	case t.opens("fault") && !t.empty:
		if err := s.valueElement(); err != nil {
			return false, err
		}
		if err := s.shut("fault"); err != nil {
			return false, err
		}
		fault = true
	case t.opens("params"):
		if err := s.params(t.empty); err != nil {
			return false, err
		}
	default:
		return false, s.wrong("%s where <params> or <fault> should be", t)
	}
	if err := s.shut("methodResponse"); err != nil {
		return false, err
	}
	t, err = s.next()
	switch {
	case errors.Is(err, io.EOF):
		return fault, nil
	case err == nil:
		return false, s.wrong("%s after the answer", t)
	}
	return false, err
}

func (s *scanner) params(empty bool) error {
	if empty {
		s.dst = append(s.dst, "null"...)
		return nil
	}
	t, err := s.next()
	switch {
	case err != nil:
		return s.cut(err)
	case t.close && string(t.name) == "params":
		s.dst = append(s.dst, "null"...)
		return nil
	case !t.opens("param") || t.empty:
		return s.wrong("%s where <param> should be", t)
	}
	if err := s.valueElement(); err != nil {
		return err
	}
	if err := s.shut("param"); err != nil {
		return err
	}
	return s.shut("params")
}

// prolog skips a byte order mark and looks at the encoding.
func (s *scanner) prolog() error {
	if err := s.need(5); err != nil {
		return s.cut(err)
	}
	switch b := s.buf[s.pos:]; {
	case b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF:
		s.pos += 3
	case b[0] == 0xFE && b[1] == 0xFF, b[0] == 0xFF && b[1] == 0xFE, b[0] == 0, b[1] == 0:
		return s.wrong("an encoding other than UTF-8")
	}
	if err := s.need(5); err != nil {
		return s.cut(err)
	}
	if string(s.buf[s.pos:s.pos+5]) != "<?xml" {
		return nil
	}
	var end int
	for {
		if end = bytes.Index(s.buf[s.pos:s.end], []byte("?>")); end >= 0 {
			break
		}
		if err := s.more(); err != nil {
			return s.cut(err)
		}
	}
	declaration := s.buf[s.pos : s.pos+end]
	if _, rest, found := bytes.Cut(declaration, []byte("encoding")); found {
		name := bytes.ToLower(bytes.Trim(bytes.TrimSpace(rest), "= \t\r\n"))
		if len(name) > 1 {
			if i := bytes.IndexByte(name[1:], name[0]); i >= 0 {
				name = name[1 : 1+i]
			}
		}
		switch string(name) {
		case "utf-8", "utf8", "us-ascii", "ascii":
		default:
			return s.wrong("the encoding %.40q, only UTF-8 is understood", name)
		}
	}
	s.pos += end + 2
	return nil
}

// valueElement reads <value>...</value>.
func (s *scanner) valueElement() error {
	t, err := s.open("value")
	if err != nil {
		return err
	}
	return s.value(t.empty)
}

// value reads what follows <value>, to its end. Without a type it is a
// string, of which white space is a part.
func (s *scanner) value(empty bool) error {
	if empty {
		s.dst = append(s.dst, '"', '"')
		return nil
	}
	mark := len(s.dst)
	s.dst = append(s.dst, '"')
	blank, err := s.text()
	if err != nil {
		return err
	}
	t, err := s.tag()
	if err != nil {
		return err
	}
	if t.close {
		if string(t.name) != "value" {
			return s.wrong("%s where </value> should be", t)
		}
		return s.endString(mark)
	}
	if !blank {
		return s.wrong("text before %s", t)
	}
	s.dst = s.dst[:mark]
	if err := s.typed(t); err != nil {
		return err
	}
	return s.shut("value")
}

// endString closes a JSON string that began at mark.
func (s *scanner) endString(mark int) error {
	if !utf8.Valid(s.dst[mark:]) {
		return s.wrong("text that is not UTF-8")
	}
	s.dst = append(s.dst, '"')
	return nil
}

// typed reads the element of a type, of which t was the opening tag.
func (s *scanner) typed(t tag) error {
	switch string(t.name) {
	case "string":
		mark := len(s.dst)
		s.dst = append(s.dst, '"')
		if !t.empty {
			if _, err := s.text(); err != nil {
				return err
			}
			if err := s.shut("string"); err != nil {
				return err
			}
		}
		return s.endString(mark)
	case "int", "i4", "i8", "i1", "i2", "biginteger":
		return s.scalar(t, scalarInt)
	case "boolean":
		return s.scalar(t, scalarBool)
	case "double", "float", "bigdecimal":
		return s.scalar(t, scalarDouble)
	case "base64":
		return s.scalar(t, scalarBase64)
	case "dateTime.iso8601":
		return s.scalar(t, scalarTime)
	case "nil", "ex:nil":
		s.dst = append(s.dst, "null"...)
		if t.empty {
			return nil
		}
		return s.shut(string(t.name))
	case "array":
		return s.nested(t, s.array)
	case "struct":
		return s.nested(t, s.structure)
	}
	return s.wrong("the unknown type <%.40s>", t.name)
}

func (s *scanner) nested(t tag, read func(empty bool) error) error {
	if s.depthLeft == 0 {
		return s.wrong("arrays and structs too deep in each other")
	}
	s.depthLeft--
	err := read(t.empty)
	s.depthLeft++
	return err
}

// array reads what follows <array>.
func (s *scanner) array(empty bool) error {
	s.dst = append(s.dst, '[')
	if !empty {
		t, err := s.open("data")
		if err != nil {
			return err
		}
		if !t.empty {
			for first := true; ; first = false {
				t, err := s.next()
				if err != nil {
					return s.cut(err)
				}
				if t.close && string(t.name) == "data" {
					break
				}
				if !t.opens("value") {
					return s.wrong("%s in an array", t)
				}
				if !first {
					s.dst = append(s.dst, ',')
				}
				if err := s.value(t.empty); err != nil {
					return err
				}
			}
		}
		if err := s.shut("array"); err != nil {
			return err
		}
	}
	s.dst = append(s.dst, ']')
	return nil
}

// structure reads what follows <struct>.
func (s *scanner) structure(empty bool) error {
	s.dst = append(s.dst, '{')
	if !empty {
		for first := true; ; first = false {
			t, err := s.next()
			if err != nil {
				return s.cut(err)
			}
			if t.close && string(t.name) == "struct" {
				break
			}
			if !t.opens("member") || t.empty {
				return s.wrong("%s in a struct", t)
			}
			if !first {
				s.dst = append(s.dst, ',')
			}
			if err := s.member(); err != nil {
				return err
			}
		}
	}
	s.dst = append(s.dst, '}')
	return nil
}

// member reads what follows <member>.
func (s *scanner) member() error {
	t, err := s.open("name")
	if err != nil {
		return err
	}
	mark := len(s.dst)
	s.dst = append(s.dst, '"')
	if !t.empty {
		if _, err := s.text(); err != nil {
			return err
		}
		if err := s.shut("name"); err != nil {
			return err
		}
	}
	if err := s.endString(mark); err != nil {
		return err
	}
	s.dst = append(s.dst, ':')
	if err := s.valueElement(); err != nil {
		return err
	}
	return s.shut("member")
}

// fault reads the members of a fault from its JSON.
func (s *scanner) fault(value []byte) (*Fault, error) {
	var members struct {
		Code   json.RawMessage `json:"faultCode"`
		String json.RawMessage `json:"faultString"`
	}
	if err := json.Unmarshal(value, &members); err != nil || members.Code == nil {
		return nil, s.wrong("a fault without a code")
	}
	text := func(b json.RawMessage) string {
		var t string
		if json.Unmarshal(b, &t) == nil {
			return t
		}
		return string(b)
	}
	return &Fault{Code: text(members.Code), String: text(members.String)}, nil
}
