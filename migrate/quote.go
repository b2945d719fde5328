package migrate

import (
	"bytes"
	"encoding/json"
	"slices"
)

// quoted is a text as JSON writes it.
func quoted(s string) []byte { return appendText(nil, s) }

// appendText appends a text as JSON writes it; <, > and & stand as they are.
func appendText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; !plainChar[c] || c >= 0x80 {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			if enc.Encode(s) != nil {
				return append(dst, `""`...)
			}
			return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// appendValue appends a value as JSON, keys in order.
func appendValue(dst []byte, v any) ([]byte, error) {
	var err error
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		if v {
			return append(dst, "true"...), nil
		}
		return append(dst, "false"...), nil
	case string:
		return appendText(dst, v), nil
	case json.RawMessage:
		return append(dst, v...), nil
	case json.Number:
		return append(dst, v...), nil
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendValue(dst, item); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case map[string]any:
		return appendObject(dst, v)
	}
	b, err := json.Marshal(v)
	return append(dst, b...), err
}

func appendObject(dst []byte, m map[string]any) ([]byte, error) {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, name), ':')
		var err error
		if dst, err = appendValue(dst, m[name]); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// appendKept appends what a residue keeps, as encoding/json would write it.
func appendKept(dst []byte, kept []Kept) ([]byte, error) {
	dst = append(dst, '[')
	for i, k := range kept {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"at":`...)
		dst = appendText(dst, k.At)
		dst = append(dst, `,"rule":`...)
		dst = appendText(dst, k.Rule)
		dst = append(dst, `,"old":`...)
		var err error
		if dst, err = appendObject(dst, k.Old); err != nil {
			return dst, err
		}
		for j, g := range k.Gone {
			if j == 0 {
				dst = append(dst, `,"gone":[`...)
			} else {
				dst = append(dst, ',')
			}
			dst = appendText(dst, g)
			if j == len(k.Gone)-1 {
				dst = append(dst, ']')
			}
		}
		if len(k.New) > 0 {
			dst = append(dst, `,"new":`...)
			if dst, err = appendObject(dst, k.New); err != nil {
				return dst, err
			}
		}
		dst = append(dst, '}')
	}
	return append(dst, ']'), nil
}
