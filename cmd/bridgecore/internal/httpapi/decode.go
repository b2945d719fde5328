package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/labstack/echo/v5"

	"github.com/bridgecore/bridgecore/adapter"
)

// shape is what a body may hold: the members of a struct type, by their JSON
// names.
type shape struct {
	members map[string]reflect.Type
	names   []string
}

func shapeOf(t reflect.Type) *shape {
	s := &shape{members: map[string]reflect.Type{}}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "" || name == "-" {
			continue
		}
		s.members[name] = f.Type
		s.names = append(s.names, name)
	}
	slices.Sort(s.names)
	return s
}

// decode reads a request's body, which must be one JSON object with members of
// the shape, into target, a pointer to the struct of the shape. It returns the
// names of the members that are not null. The error is a *Problem that names
// what is wrong.
func (a *API) decode(c *echo.Context, s *shape, target any) (given []string, err error) {
	b, err := a.readBody(c.Request())
	if err != nil {
		return nil, err
	}
	err = members(b, func(name string, value json.RawMessage) error {
		if _, known := s.members[name]; !known {
			message := "there is no such member"
			if near := adapter.Nearest(name, s.names); near != "" {
				message += "; did you mean " + near + "?"
			} else if len(s.names) <= 20 {
				message += "; there are " + strings.Join(s.names, ", ")
			}
			return invalid(clip(name), "%s", message)
		}
		if string(value) != "null" {
			given = append(given, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(b, target) == nil {
		return given, nil
	}
	// Decode member by member to find the one that does not fit.
	err = members(b, func(name string, value json.RawMessage) error {
		err := json.Unmarshal(value, reflect.New(s.members[name]).Interface())
		if err == nil {
			return nil
		}
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			field := name
			if e.Field != "" {
				field += "." + e.Field
			}
			return invalid(field, "must be %s, not %s", typeInWords(e.Type), e.Value)
		}
		return invalid(name, "%s", err.Error())
	})
	if err != nil {
		return nil, err
	}
	return nil, newProblem(http.StatusUnprocessableEntity, "", "the body does not fit")
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
