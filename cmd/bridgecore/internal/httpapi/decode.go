package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

// shape is what a body may hold: the members of a struct type T, by their JSON
// names. Those of embedded structs are members too.
type shape[T any] struct {
	members map[string]member
	names   []string // sorted
}

// member is a field of a struct.
type member struct {
	name  string
	index []int
}

func shapeOf[T any]() *shape[T] {
	s := &shape[T]{members: map[string]member{}}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if f.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		s.members[name] = member{name, f.Index}
		s.names = append(s.names, name)
	}
	slices.Sort(s.names)
	return s
}

// decode reads a body, which must be one JSON object with members of the
// shape, into target. It passes over those that are named apart, and returns
// the names of the members that are not null. The error is a *Problem that
// names what is wrong.
func (s *shape[T]) decode(body []byte, target *T, apart ...string) (given []string, err error) {
	v := reflect.ValueOf(target).Elem()
	given = make([]string, 0, 8)
	err = members(body, func(name []byte, value json.RawMessage) error {
		if slices.Contains(apart, string(name)) {
			return nil
		}
		m, known := s.members[string(name)]
		if !known {
			return s.unknown(string(name))
		}
		if string(value) == "null" {
			return nil
		}
		given = append(given, m.name)
		if err := decodeMember(value, v.FieldByIndex(m.index).Addr().Interface()); err != nil {
			return unfit(m.name, err)
		}
		return nil
	})
	return given, err
}

func (s *shape[T]) unknown(name string) error {
	message := "there is no such member"
	if near := adapter.Nearest(name, s.names); near != "" {
		message += "; did you mean " + near + "?"
	} else if len(s.names) <= 20 {
		message += "; there are " + strings.Join(s.names, ", ")
	}
	return invalid(clip(name), "%s", message)
}

// decodeMember stores a value in what target points to. The value is valid
// JSON, so that the common types need no decoder.
func decodeMember(value json.RawMessage, target any) error {
	switch target := target.(type) {
	case *json.RawMessage:
		*target = value
		return nil
	case *string:
		if text, ok := plainText(value); ok {
			*target = text
			return nil
		}
	case *bridge.Names:
		if list, ok := plainTexts(value); ok {
			*target = list
			return nil
		}
	}
	return json.Unmarshal(value, target)
}

// plainText reads a string without escapes.
func plainText(value []byte) (string, bool) {
	if value[0] != '"' || bytes.IndexByte(value, '\\') >= 0 {
		return "", false
	}
	return string(value[1 : len(value)-1]), true
}

// plainTexts reads a list of strings without escapes.
func plainTexts(value []byte) ([]string, bool) {
	if value[0] != '[' || bytes.IndexByte(value, '\\') >= 0 {
		return nil, false
	}
	list := make([]string, 0, bytes.Count(value, []byte{','})+1)
	value = value[1 : len(value)-1]
	for {
		start := bytes.IndexByte(value, '"')
		if start < 0 {
			return list, len(bytes.Trim(value, " \t\r\n")) == 0
		}
		if len(bytes.Trim(value[:start], ", \t\r\n")) > 0 {
			return nil, false // something else is in the list
		}
		end := start + 1 + bytes.IndexByte(value[start+1:], '"')
		list = append(list, string(value[start+1:end]))
		value = value[end+1:]
	}
}

// unfit says why a value does not fit its member.
func unfit(name string, err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if e.Field != "" {
			name += "." + e.Field
		}
		return invalid(name, "must be %s, not %s", typeInWords(e.Type), e.Value)
	}
	return invalid(name, "%s", err.Error())
}

func typeInWords(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "an object"
	}
	return "a " + t.Kind().String()
}

// readBody reads a body of bounded size.
func (a *API) readBody(r *http.Request) ([]byte, error) {
	size := r.ContentLength
	if size < 0 {
		size = 512
	}
	b := make([]byte, 0, size+1)
	for {
		n, err := r.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > a.MaxBody:
			return nil, tooLarge(a.MaxBody)
		case err == io.EOF:
			return b, nil
		case err != nil:
			p := newProblem(http.StatusBadRequest, "", "the body could not be read to its end")
			if errors.Is(err, os.ErrDeadlineExceeded) {
				p = newProblem(http.StatusRequestTimeout, "", "the body took too long to arrive")
			}
			p.cause = err
			return nil, p
		case len(b) == cap(b):
			b = append(b, 0)[:len(b)]
		}
	}
}

func clip(name string) string {
	const most = 60
	if len(name) > most {
		return strings.ToValidUTF8(name[:most], "") + "..."
	}
	return name
}
