package odoo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
)

// modelName checks the name of a model and returns the one that the connected
// version has for it.
func (c *Client) modelName(ctx context.Context, name string) (string, error) {
	if err := checkModelName(name); err != nil {
		return "", err
	}
	scope := adapter.ScopeFrom(ctx)
	if scope.Fallback == adapter.FallbackOff {
		return name, nil
	}
	used, ok := schemas.ModelName(name, c.known())
	if !ok || used == name {
		return name, nil
	}
	adapter.Warn(ctx, adapter.Warning{
		Code: adapter.WarnFieldReplaced, Model: name, Used: used,
		Message: fmt.Sprintf("Odoo %s has the model %q as %q", c.version, name, used),
	})
	return used, nil
}

func checkModelName(name string) error {
	ok := name != "" && len(name) <= 128 && !strings.HasPrefix(name, ".") && !strings.Contains(name, "..")
	for _, r := range []byte(name) {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '_':
		default:
			ok = false
		}
	}
	if ok {
		return nil
	}
	e := adapter.Errorf(adapter.InvalidArgument, "%s is no name of a model; it must read like \"res.partner\"", quote(name))
	e.Field = "model"
	return e
}

// outcome is what becomes of a field.
type outcome int

const (
	exact    outcome = iota // the model has it
	renamed                 // the model has it under another name
	doubtful                // this version has it, this user or database may not: the server shall say
	absent                  // other versions have it, or it is a custom field
	unknown                 // nobody has heard of it
)

// resolved is a field as the connected server knows it.
type resolved struct {
	name  string
	field adapter.Field
	how   outcome
}

// resolve finds a field of a model, by the scope's Fallback.
func (c *Client) resolve(ctx context.Context, name, field string) (resolved, error) {
	m, err := c.modelOf(ctx, name)
	if err != nil {
		return resolved{}, err
	}
	r := c.resolveIn(ctx, m, field)
	if r.how >= absent && time.Since(m.loaded) >= freshFor {
		// It may be new: a module was installed, a field made.
		c.schemas.drop(m)
		if m, err = c.modelOf(ctx, name); err != nil {
			return resolved{}, err
		}
		r = c.resolveIn(ctx, m, field)
	}
	return r, nil
}

func (c *Client) resolveIn(ctx context.Context, m *model, field string) resolved {
	if f, ok := m.Fields[field]; ok {
		return resolved{name: field, field: f, how: exact}
	}
	if field == "id" {
		return resolved{name: field, field: adapter.Field{Type: adapter.Integer, Stored: true, Searchable: true, Sortable: true}}
	}
	fallback := adapter.ScopeFrom(ctx).Fallback
	major := c.known()
	if f, ok := schemas.Fields(m.Model, major)[field]; ok && !m.isDenied(field) {
		return resolved{name: field, how: doubtful, field: adapter.Field{
			Type: adapter.FieldType(f.Type), Relation: f.Relation, Inverse: f.Inverse,
			Stored: f.Stored, Searchable: true, Sortable: true,
		}}
	}
	if fallback == adapter.FallbackOff {
		return resolved{name: field, how: unknown}
	}
	if other, ok := schemas.Counterpart(m.Model, field, major); ok && other != field {
		if f, ok := m.Fields[other]; ok {
			return resolved{name: other, field: f, how: renamed}
		}
	}
	if fallback == adapter.FallbackAll || strings.HasPrefix(field, "x_") || len(schemas.Known(m.Model, field)) > 0 {
		return resolved{name: field, how: absent}
	}
	return resolved{name: field, how: unknown}
}

// contradicted reports whether err is the server's word that a model lacks
// a field, and learns from it: the same call, made again, will treat the field
// accordingly. A refused field is learned once, so this ends.
func (c *Client) contradicted(ctx context.Context, name string, err error) bool {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok || e.Code != adapter.InvalidArgument || e.Field == "" || e.Native == "" || !strings.HasPrefix(e.Message, "Invalid field") {
		return false
	}
	if e.Model != "" {
		name = e.Model
	}
	m := c.schemas.cached(schemaKey{model: name})
	if m == nil {
		return false
	}
	if !m.Has(e.Field) {
		return m.deny(e.Field)
	}
	if time.Since(m.loaded) < freshFor {
		return false
	}
	// The schema is out of date. The new one either lacks the field or the
	// server contradicts itself, which is not asked a second time.
	c.schemas.drop(m)
	now, err := c.modelOf(ctx, name)
	return err == nil && !now.Has(e.Field)
}

// attempts bounds how often a call is made anew because the server denied one
// more field.
const attempts = 6

// settle makes a call until the server denies no further field. It sees to it
// that the model is known first, so that one that is not gives the same error
// everywhere.
func (c *Client) settle(ctx context.Context, name string, call func() error) error {
	_, err := c.modelOf(ctx, name)
	if err != nil {
		return err
	}
	for range attempts {
		if err = call(); err == nil || !c.contradicted(ctx, name, err) {
			break
		}
	}
	return err
}

func (c *Client) warnReplaced(ctx context.Context, name, field, used string) {
	adapter.Warn(ctx, adapter.Warning{
		Code: adapter.WarnFieldReplaced, Model: name, Field: field, Used: used,
		Message: fmt.Sprintf("Odoo %s has field %q of %s as %q", c.version, field, name, used),
	})
}

func (c *Client) warnDropped(ctx context.Context, name, field string) {
	adapter.Warn(ctx, adapter.Warning{
		Code: adapter.WarnFieldDropped, Model: name, Field: field,
		Message: fmt.Sprintf("Odoo %s has no field %q on %s here%s; it was left out", c.version, clip(field), name, versionsOf(name, field)),
	})
}

// versionsOf says in which versions a field exists, in parentheses.
func versionsOf(name, field string) string {
	versions := schemas.Known(name, field)
	if len(versions) == 0 {
		return ""
	}
	// The versions that have a field need not be in one run, so each run is
	// named.
	var runs []string
	for i := 0; i < len(versions); {
		j := i
		for j+1 < len(versions) && versions[j+1] == versions[j]+1 {
			j++
		}
		run := strconv.Itoa(versions[i]) + ".0"
		if j > i {
			run += " to " + strconv.Itoa(versions[j]) + ".0"
		}
		runs = append(runs, run)
		i = j + 1
	}
	return " (" + strings.Join(runs, ", ") + " may)"
}

// noField is the error for a field that can be neither found nor left out.
func (c *Client) noField(ctx context.Context, name, field string) *adapter.Error {
	e := &adapter.Error{
		Code: adapter.InvalidArgument, Model: name, Field: field,
		Message: fmt.Sprintf("Invalid field '%s' on model '%s'", clip(field), name),
	}
	switch versions := versionsOf(name, field); {
	case versions != "":
		e.Message += fmt.Sprintf(": Odoo %s does not have it here%s", c.version, versions)
	default:
		if m, err := c.modelOf(ctx, name); err == nil {
			if near := adapter.Nearest(field, slices.Sorted(maps.Keys(m.Fields))); near != "" {
				e.Message += fmt.Sprintf("; did you mean '%s'?", near)
			}
		}
	}
	return e
}

// clip shortens what a caller sent for an error message.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

func quote(s string) string { return strconv.Quote(clip(s)) }

// kindOf names the kind of a value as JSON calls it.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return quote(v)
	case json.Number, int, int64, float64:
		return "the number " + clip(fmt.Sprint(v))
	case []any:
		return "a list"
	case map[string]any, adapter.Record:
		return "an object"
	}
	return "that"
}

// textOf is a value as text: a string as it is, anything else as printed.
func textOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return fmt.Sprint(v)
}
