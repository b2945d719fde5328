package xmlrpc

import (
	"bytes"
	"unicode/utf8"
)

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
	var n int
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
