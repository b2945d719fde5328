package sap

import (
	"net/url"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
)

// key is the key of a record: a value for each of the key properties, in the
// order of the metadata.
type key []any

// keyProps are the key properties.
func (m *model) keyProps() []*edmx.Property {
	props := make([]*edmx.Property, 0, len(m.typ.Keys))
	for _, name := range m.typ.Keys {
		if p := m.typ.Prop(name); p != nil {
			props = append(props, p)
		}
	}
	return props
}

// keyOf takes the key out of a record as it was decoded.
func (m *model) keyOf(values map[string]any) (key, bool) {
	props := m.keyProps()
	k := make(key, len(props))
	for i, p := range props {
		v, ok := values[p.Name]
		if !ok || v == nil && p.Type != "Edm.String" {
			return nil, false
		}
		k[i] = v
	}
	return k, len(k) > 0
}

// id is the key as the adapter hands it out: a single key's value as a text,
// of several the predicate without its parentheses.
func (m *model) id(k key) (adapter.ID, error) {
	props := m.keyProps()
	if len(props) == 1 {
		if s, ok := textOf(k[0]); ok {
			return adapter.StringID(s), nil
		}
	}
	s, err := m.predicate(k)
	return adapter.StringID(s), err
}

// predicate is the key as a predicate without parentheses:
// SalesOrder='1',SalesOrderItem='10'. A single key has no name.
func (m *model) predicate(k key) (string, error) {
	props := m.keyProps()
	parts := make([]string, len(props))
	for i, p := range props {
		s, err := m.literal(p, k[i])
		if err != nil {
			return "", err
		}
		parts[i] = s
		if len(props) > 1 {
			parts[i] = p.Name + "=" + s
		}
	}
	return strings.Join(parts, ","), nil
}

// parseID reads an id that id made, or that a caller wrote in that form.
// errNever is the error of one that no record can have.
func (m *model) parseID(id adapter.ID) (key, error) {
	props := m.keyProps()
	text := id.String()
	switch {
	case len(props) == 0:
		return nil, m.unsupported(idField, "%s has no key, so its records can't be addressed", m.name)
	case text == "":
		return nil, m.wrong(idField, "the id is empty")
	case len(props) == 1:
		if _, err := m.literal(props[0], text); err != nil && props[0].Type != "Edm.Boolean" {
			return nil, err
		}
		return key{text}, nil
	}
	values, ok := splitPredicate(text)
	if !ok || len(values) != len(props) {
		return nil, m.wrong(idField, "%s is no id of %s; it must read like %s", quote(text), m.name, m.exampleID())
	}
	k := make(key, len(props))
	for i, p := range props {
		raw, ok := values[p.Name]
		if !ok {
			return nil, m.wrong(idField, "the id %s lacks %s; it must read like %s", quote(text), p.Name, m.exampleID())
		}
		v, ok := unliteral(p, raw)
		if !ok {
			return nil, m.wrong(idField, "the id %s has no value that %s can have", quote(text), p.Name)
		}
		if _, err := m.literal(p, v); err != nil {
			return nil, err
		}
		k[i] = v
	}
	return k, nil
}

// exampleID shows what an id looks like.
func (m *model) exampleID() string {
	var parts []string
	for _, p := range m.keyProps() {
		example := "1"
		if p.Type == "Edm.String" {
			example = "'1'"
		}
		parts = append(parts, p.Name+"="+example)
	}
	return strings.Join(parts, ",")
}

// splitPredicate takes a predicate of several keys apart. A quote within a
// text is doubled.
func splitPredicate(s string) (map[string]string, bool) {
	values := map[string]string{}
	for s != "" {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			return nil, false
		}
		end, quoted := len(rest), false
		for i := range len(rest) {
			if rest[i] == '\'' {
				quoted = !quoted
			}
			if rest[i] == ',' && !quoted {
				end = i
				break
			}
		}
		if quoted && end == len(rest) && strings.Count(rest, "'")%2 != 0 {
			return nil, false
		}
		name = strings.TrimSpace(name)
		if _, twice := values[name]; twice {
			return nil, false
		}
		values[name] = strings.TrimSpace(rest[:end])
		if end == len(rest) {
			break
		}
		s = rest[end+1:]
	}
	return values, true
}

// unliteral reads the value out of a literal.
func unliteral(p *edmx.Property, s string) (any, bool) {
	inner, isQuoted := s, false
	if i := strings.IndexByte(s, '\''); i >= 0 {
		if len(s) < i+2 || s[len(s)-1] != '\'' {
			return nil, false
		}
		inner, isQuoted = strings.ReplaceAll(s[i+1:len(s)-1], "''", "'"), true
	}
	switch {
	case p.Type == "Edm.String":
		return inner, isQuoted
	case p.Type == "Edm.Boolean":
		return s == "true", s == "true" || s == "false"
	case isNumber(p.Type):
		return strings.TrimRight(inner, "MmLlDdFf"), true
	}
	return inner, true
}

// path is the address of a record within its service.
func (m *model) path(k key) (string, error) {
	predicate, err := m.predicate(k)
	if err != nil {
		return "", err
	}
	return m.root() + "(" + escapePath(predicate) + ")", nil
}

// escapePath percent-encodes what may not stand in a segment of a path as it
// is. A slash in a key is not one of the path.
func escapePath(s string) string {
	const plain = "'(),=:"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~', strings.IndexByte(plain, c) >= 0:
			b.WriteByte(c)
		default:
			const digits = "0123456789ABCDEF"
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}

// escapeQuery percent-encodes the value of a query option. Spaces are %20: not
// all servers read + as one.
func escapeQuery(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// keyFromPath reads the key out of an address such as a Location header.
func (m *model) keyFromPath(address string) (key, bool) {
	open := strings.LastIndexByte(address, '(')
	end := strings.LastIndexByte(address, ')')
	if open < 0 || end < open {
		return nil, false
	}
	predicate, err := url.PathUnescape(address[open+1 : end])
	if err != nil {
		return nil, false
	}
	props := m.keyProps()
	if len(props) != 1 {
		k, err := m.parseID(adapter.StringID(predicate))
		return k, err == nil
	}
	predicate = strings.TrimPrefix(predicate, props[0].Name+"=")
	v, ok := unliteral(props[0], predicate)
	return key{v}, ok && v != ""
}

// missing is the error for a record that is not there.
func (m *model) missing(id adapter.ID) error {
	return &adapter.Error{Code: adapter.NotFound, Model: m.name, Field: idField, Message: "record " + quote(id.String()) + " does not exist or has been deleted"}
}
