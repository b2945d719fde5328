package odootest

import (
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
)

// convert turns a written value into a stored one, by the field's type and
// with all that Odoo accepts without a word. x2many commands are not for it.
func (e *env) convert(t *table, name string, f schemas.Field, v any) (any, error) {
	if c, ok := converters[f.Type]; ok {
		return c(e, t, name, f, v)
	}
	if !truthy(v) && f.Type != "json" {
		return nil, nil
	}
	return v, nil
}

type converter func(e *env, t *table, name string, f schemas.Field, v any) (any, error)

var converters = map[string]converter{
	"char":      toText,
	"text":      toText,
	"html":      toHTML,
	"integer":   toInteger,
	"float":     toFloat,
	"monetary":  toFloat,
	"boolean":   func(_ *env, _ *table, _ string, _ schemas.Field, v any) (any, error) { return truthy(v), nil },
	"date":      toDate,
	"datetime":  toDatetime,
	"selection": toSelection,
	"many2one":  toMany2one,
	"binary":    toBinary,
}

func toText(_ *env, _ *table, _ string, _ schemas.Field, v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case bool:
		if !v {
			return nil, nil
		}
		return "True", nil
	case string:
		return v, nil
	}
	return repr(v), nil
}

var scripts = regexp.MustCompile(`(?is)<script\b.*?</script\s*>`)

func toHTML(e *env, t *table, name string, f schemas.Field, v any) (any, error) {
	s, err := toText(e, t, name, f, v)
	text, ok := s.(string)
	if !ok || err != nil || text == "" {
		return s, err
	}
	text = scripts.ReplaceAllString(text, "")
	if !strings.Contains(text, "<") {
		text = "<p>" + text + "</p>"
	}
	return text, nil
}

func toInteger(_ *env, _ *table, _ string, _ schemas.Field, v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return int64(0), nil
	case float64:
		return int64(v), nil
	case string:
		if v == "" {
			return int64(0), nil
		}
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		if err != nil {
			return nil, raise(valueError, "invalid literal for int() with base 10: %s", repr(v))
		}
		return n, nil
	case []any, map[string]any:
		return nil, raise(typeError, "int() argument must be a string, a bytes-like object or a real number, not '%s'", pyType(v))
	}
	n, _ := intOf(v)
	return n, nil
}

func toFloat(_ *env, _ *table, _ string, _ schemas.Field, v any) (any, error) {
	switch v := v.(type) {
	case string:
		if v == "" {
			return 0.0, nil
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err != nil {
			return nil, raise(valueError, "could not convert string to float: %s", repr(v))
		}
		return f, nil
	case []any, map[string]any:
		return nil, raise(typeError, "float() argument must be a string or a real number, not '%s'", pyType(v))
	}
	return floatOf(v), nil
}

func pyType(v any) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []any:
		return "list"
	}
	return "dict"
}

func toDate(_ *env, _ *table, _ string, _ schemas.Field, v any) (any, error) {
	if !truthy(v) {
		return nil, nil
	}
	s, ok := v.(string)
	if !ok {
		return nil, raise(typeError, "strptime() argument 1 must be str, not %s", pyType(v))
	}
	s = s[:min(len(s), 10)]
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return nil, raise(valueError, "time data %s does not match format '%%Y-%%m-%%d'", repr(s))
	}
	return s, nil
}

func toDatetime(_ *env, _ *table, _ string, _ schemas.Field, v any) (any, error) {
	if !truthy(v) {
		return nil, nil
	}
	s, ok := v.(string)
	if !ok {
		return nil, raise(typeError, "strptime() argument 1 must be str, not %s", pyType(v))
	}
	if len(s) == len(time.DateOnly) {
		if _, err := time.Parse(time.DateOnly, s); err == nil {
			return s + " 00:00:00", nil
		}
		return nil, raise(valueError, "time data %s does not match format '%%Y-%%m-%%d'", repr(s))
	}
	// Go would take a fraction that the layout does not name.
	if len(s) > 19 {
		if _, err := time.Parse(time.DateTime, s[:19]); err == nil {
			return nil, raise(valueError, "unconverted data remains: %s", s[19:])
		}
	}
	if _, err := time.Parse(time.DateTime, s); err != nil {
		return nil, raise(valueError, "time data %s does not match format '%%Y-%%m-%%d %%H:%%M:%%S'", repr(s))
	}
	return s, nil
}

func toSelection(e *env, t *table, name string, f schemas.Field, v any) (any, error) {
	if !truthy(v) {
		return nil, nil
	}
	s, ok := v.(string)
	if !ok {
		s = repr(v)
	}
	keys := e.selection(t.model, name, f)
	for _, key := range keys {
		if key == s {
			return s, nil
		}
	}
	if len(keys) == 0 || name == "lang" && e.major >= 18 {
		return s, nil
	}
	return nil, raise(valueError, "Wrong value for %s.%s: %s", t.model, name, repr(v))
}

// selection returns the keys of a selection field, also of those that depend
// on the database.
func (e *env) selection(_, name string, f schemas.Field) []string {
	if name == "lang" && f.Type == "selection" {
		return e.languages()
	}
	return f.Selection
}

func toMany2one(e *env, t *table, name string, f schemas.Field, v any) (any, error) {
	if !truthy(v) {
		return nil, nil
	}
	target := e.get(f.Relation)
	switch v := v.(type) {
	case []any:
		// A pair as read: every version clears the field without a word.
		return nil, nil
	case string:
		switch {
		case e.major >= 16:
			return nil, nil
		case e.major == 13:
			return nil, raise(invalidText, "invalid input syntax for type integer: \"%s\"\nLINE 1: UPDATE \"%s\" SET \"%s\"='%s'\n", v, tableName(t.model), name, v)
		}
		return nil, raise(invalidText, "invalid input syntax for type integer: \"%s\"\nLINE 1: ...FROM \"%s\" WHERE \"%s\".id IN ('%s')\n", v, tableName(f.Relation), tableName(f.Relation), v)
	case map[string]any:
		if e.major >= 16 {
			return nil, nil
		}
		return nil, raise(programmingError, "can't adapt type 'NewId'")
	}
	id, ok := intOf(v)
	if !ok {
		return nil, nil
	}
	if target == nil || target.rows[id] != nil {
		return id, nil
	}
	if e.major == 13 || e.context[creating] == true && e.major <= 15 {
		return nil, foreignKey(e.major, t, tableName(t.model)+"_"+name+"_fkey", name)
	}
	return nil, missing(f.Relation, id, e.uid())
}

// creating is a key of the context that tells converters that the record is
// new: 14.0 and 15.0 word a missing many2one differently then.
const creating = "odootest.creating"

func tableName(model string) string { return strings.ReplaceAll(model, ".", "_") }

func toBinary(e *env, _ *table, name string, _ schemas.Field, v any) (any, error) {
	if !truthy(v) {
		return nil, nil
	}
	s, ok := v.(string)
	if !ok {
		s = repr(v)
	}
	if strings.HasPrefix(name, "image_") {
		if _, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), "")); err != nil {
			if e.major >= 16 {
				return nil, raise(userError, "Image is not encoded in base64.")
			}
			return nil, raise(userError, "This file could not be decoded as an image file. Please try with a different file.")
		}
	}
	return s, nil
}
