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
	"time"
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
	if err == io.EOF {
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
	switch err {
	case io.EOF:
		return fault, nil
	case nil:
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
	end := -1
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

// special marks the bytes of text that can't be copied into a JSON string as
// they are: markup, and what JSON escapes.
var special = func() (t [256]bool) {
	for c := range 0x20 {
		t[c] = true
	}
	t['<'], t['&'], t['"'], t['\\'] = true, true, true, true
	return t
}()

// text appends the text up to the next tag, as the inside of a JSON string,
// and reports whether it was nothing but white space. It stops at the '<'.
func (s *scanner) text() (blank bool, err error) {
	blank = true
	for {
		from := s.pos
		i := from
		for i < s.end && !special[s.buf[i]] {
			if s.buf[i] != ' ' {
				blank = false
			}
			i++
		}
		s.dst = append(s.dst, s.buf[from:i]...)
		s.pos = i
		if i == s.end {
			if err := s.more(); err != nil {
				return false, s.cut(err)
			}
			continue
		}
		switch c := s.buf[i]; c {
		case '<':
			stop, err := s.markup(&blank)
			if stop || err != nil {
				return blank, err
			}
		case '&':
			blank = false
			if err := s.entity(); err != nil {
				return false, err
			}
		default:
			if !isSpace(c) {
				blank = false
			}
			s.dst = appendJSONByte(s.dst, c)
			s.pos++
		}
	}
}

// markup handles a '<' in text: CDATA, comments and instructions belong to
// the text, anything else ends it.
func (s *scanner) markup(blank *bool) (stop bool, err error) {
	if err := s.need(2); err != nil {
		return false, s.cut(err)
	}
	if c := s.buf[s.pos+1]; c != '!' && c != '?' {
		return true, nil
	}
	skipped, err := s.aside()
	if skipped || err != nil {
		return false, err
	}
	const begin, end = "<![CDATA[", "]]>"
	if err := s.need(len(begin)); err != nil {
		return false, s.cut(err)
	}
	if string(s.buf[s.pos:s.pos+len(begin)]) != begin {
		return false, s.wrong("an unknown declaration")
	}
	s.pos += len(begin)
	*blank = false
	for {
		chunk := s.buf[s.pos:s.end]
		i := bytes.Index(chunk, []byte(end))
		if i < 0 {
			// Keep what may be the beginning of the end.
			i = max(0, len(chunk)-len(end)+1)
			s.cdata(chunk[:i])
			if err := s.more(); err != nil {
				return false, s.cut(err)
			}
			continue
		}
		s.cdata(chunk[:i])
		s.pos += len(end)
		return false, nil
	}
}

func (s *scanner) cdata(b []byte) {
	for _, c := range b {
		if c < 0x20 || c == '"' || c == '\\' {
			s.dst = appendJSONByte(s.dst, c)
		} else {
			s.dst = append(s.dst, c)
		}
	}
	s.pos += len(b)
}

// entity reads a reference at the current '&'.
func (s *scanner) entity() error {
	const longest = len("&#x0010FFFF;")
	n := -1
	for {
		window := s.buf[s.pos:min(s.end, s.pos+longest)]
		if n = bytes.IndexByte(window, ';'); n >= 0 {
			break
		}
		if len(window) == longest {
			return s.wrong("an unknown reference")
		}
		if err := s.more(); err != nil {
			return s.cut(err)
		}
	}
	name := s.buf[s.pos+1 : s.pos+n]
	var r rune
	switch string(name) {
	case "lt":
		r = '<'
	case "gt":
		r = '>'
	case "amp":
		r = '&'
	case "quot":
		r = '"'
	case "apos":
		r = '\''
	default:
		var ok bool
		if r, ok = numericReference(name); !ok {
			return s.wrong("an unknown reference")
		}
	}
	s.pos += n + 1
	if r < utf8.RuneSelf {
		s.dst = appendJSONByte(s.dst, byte(r))
	} else {
		s.dst = utf8.AppendRune(s.dst, r)
	}
	return nil
}

// numericReference reads #65 or #x41.
func numericReference(name []byte) (rune, bool) {
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	digits, base := name[1:], rune(10)
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	var r rune
	for _, c := range digits {
		d := rune(99)
		switch {
		case '0' <= c && c <= '9':
			d = rune(c - '0')
		case 'a' <= c && c <= 'f':
			d = rune(c-'a') + 10
		case 'A' <= c && c <= 'F':
			d = rune(c-'A') + 10
		}
		if d >= base {
			return 0, false
		}
		if r = r*base + d; r > utf8.MaxRune {
			return 0, false
		}
	}
	return r, len(digits) > 0 && r != 0 && utf8.ValidRune(r)
}

// appendJSONByte appends an ASCII character as it stands in a JSON string.
func appendJSONByte(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	if c < 0x20 {
		const hex = "0123456789abcdef"
		return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	}
	return append(dst, c)
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
