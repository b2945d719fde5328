package bridge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Systems whose records nest create an order with its lines, but change the
// lines one by one, as records of a model of their own.

// deed is one change of a record that belongs to another.
type deed struct {
	method string // create, write, unlink
	id     adapter.ID
	values adapter.Record
}

// apart are the changes of the records behind one relation.
type apart struct {
	field    string // universal, for people
	parent   string // the system's model of the whole
	relation string // its field that leads to the records
	whole    adapter.ID
	model    string // of the records
	inverse  string // their field that leads to the whole, "" where it is not known
	deeds    []deed
}

// relationOf finds the model behind a relation, and the field that leads back.
func (t *topic) relationOf(ctx context.Context, model, field string) (relation, inverse string, err error) {
	described, err := t.schema(ctx, model)
	if err != nil {
		return "", "", err
	}
	f, ok := described.Fields[field]
	if !ok || f.Relation == "" {
		return "", "", &adapter.Error{
			Code: adapter.Unsupported, Model: model, Field: field,
			Message: "the mapping writes through " + field + " of " + model + ", which this system has not as a relation",
		}
	}
	return f.Relation, f.Inverse, nil
}

// mayDeeds asks whether the caller may make all of the changes, before the
// first is made.
func (t *topic) mayDeeds(ctx context.Context, all []apart) error {
	for _, a := range all {
		for _, d := range a.deeds {
			if err := t.allowed(ctx, a.model, d.method); err != nil {
				return err
			}
		}
	}
	return nil
}

// belong sees to it that the lines that a caller names are those of the record.
func (t *topic) belong(ctx context.Context, a apart) error {
	if a.inverse == "" {
		return nil
	}
	var ids []adapter.ID
	for _, d := range a.deeds {
		if !d.id.IsZero() && !slices.Contains(ids, d.id) {
			ids = append(ids, d.id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	there, err := t.idsThat(ctx, a.model, adapter.And{
		idCondition(t.idField(), ids), adapter.Cond{Field: a.inverse, Op: adapter.Equal, Value: a.whole.Value()},
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !slices.Contains(there, id) {
			return &adapter.Error{
				Code: adapter.NotFound, Model: t.model, Field: a.field,
				Message: fmt.Sprintf("%s: record %s of %s is none of %s", a.field, id, a.model, a.whole),
			}
		}
	}
	return nil
}

// idsThat asks the system for the ids that a condition fits, and not the cache.
func (t *topic) idsThat(ctx context.Context, model string, f adapter.Filter) ([]adapter.ID, error) {
	var ids []adapter.ID
	scope := t.archivedToo().caller.Scope
	ctx = t.scoped(ctx, &scope)
	err := t.do(ctx, work{operation: "search", model: model, run: func(ctx context.Context, a adapter.Adapter) (err error) {
		ids, err = adapter.SearchIDs(ctx, a, adapter.Query{Model: model, Filter: f})
		return err
	}})
	return ids, err
}

// archivedToo is the topic with what Odoo has archived, which its searches hide
// and its other methods don't.
func (t *topic) archivedToo() *topic {
	other := *t
	other.System = t.System.archivedToo()
	return &other
}

func (s *System) archivedToo() *System {
	scope := s.caller.Scope
	scope.Values = maps.Clone(scope.Values)
	if scope.Values == nil {
		scope.Values = map[string]any{}
	}
	scope.Values["active_test"] = false
	return s.WithScope(scope)
}

// carryOut makes the changes, one after the other. The first that fails ends
// it, with an error that says what was done: the record itself, if wholeToo,
// and the changes before.
func (t *topic) carryOut(ctx context.Context, whole adapter.ID, wholeToo bool, all []apart) error {
	done, total := 0, 0
	for _, a := range all {
		total += len(a.deeds)
	}
	for _, a := range all {
		for i, d := range a.deeds {
			if err := t.carry(ctx, a, d); err != nil {
				return t.halfway(err, whole, wholeToo, progress{a.field, i, done, total})
			}
			done++
		}
	}
	return nil
}

func (t *topic) carry(ctx context.Context, a apart, d deed) error {
	switch d.method {
	case "create":
		return t.add(ctx, a, d.values)
	case "unlink":
		return t.Delete(ctx, a.model, []adapter.ID{d.id})
	default:
		return t.Update(ctx, a.model, []adapter.ID{d.id}, d.values)
	}
}

// add makes a record that belongs to the whole.
func (t *topic) add(ctx context.Context, a apart, values adapter.Record) error {
	if !t.nature.adds {
		var err error
		if values, err = t.leadingBack(ctx, a, values); err != nil {
			return err
		}
		_, err = t.Create(ctx, a.model, values)
		return err
	}
	var id adapter.ID
	err := t.changeModels(ctx, "create", a.model, []string{a.parent}, func(ctx context.Context, sys adapter.Adapter) (err error) {
		id, err = adapter.Add(ctx, sys, a.parent, a.whole, a.relation, values)
		return err
	})
	if err == nil {
		t.changed(ctx, "create", a.model, []adapter.ID{id}, values)
	}
	return err
}

// leadingBack gives a new line what makes it one of the whole: the field that
// leads back and, where the whole has several keys, those that the line has
// too.
func (t *topic) leadingBack(ctx context.Context, a apart, values adapter.Record) (adapter.Record, error) {
	out := make(adapter.Record, len(values)+1)
	for name, v := range values {
		out[name] = v
	}
	keys := keysOf(a.whole)
	if len(keys) == 0 {
		if a.inverse == "" {
			return nil, &adapter.Error{
				Code: adapter.Unsupported, Model: t.model, Field: a.field,
				Message: "nothing says how a record of " + a.model + " is added to an existing one; name \"inverse\" in the mapping of " + a.field,
			}
		}
		out[a.inverse] = a.whole.Value()
		return out, nil
	}
	described, err := t.schema(ctx, a.model)
	if err != nil {
		return nil, err
	}
	for name, value := range keys {
		if _, given := out[name]; !given && described.Has(name) {
			out[name] = value
		}
	}
	return out, nil
}

// keysOf reads an id made of several keys, SalesOrder='1',SalesOrderItem='10';
// nil for any other.
func keysOf(id adapter.ID) map[string]any {
	out := map[string]any{}
	for rest := id.String(); ; {
		name, after, ok := strings.Cut(rest, "=")
		if !ok || name == "" || strings.ContainsAny(name, "',") {
			return nil
		}
		value, after, ok := literal(after)
		if !ok {
			return nil
		}
		out[name] = value
		if after == "" {
			return out
		}
		if rest, ok = strings.CutPrefix(after, ","); !ok {
			return nil
		}
	}
}

// literal reads 'it”s', guid'...' or 10, and returns what follows.
func literal(s string) (value, rest string, ok bool) {
	end := strings.IndexAny(s, "',=")
	if end >= 0 && s[end] == '=' {
		return "", "", false
	}
	if end < 0 {
		return s, "", s != ""
	}
	if s[end] == ',' {
		return s[:end], s[end:], end > 0
	}
	var b strings.Builder
	for s = s[end+1:]; ; {
		part, after, closed := strings.Cut(s, "'")
		if !closed {
			return "", "", false
		}
		b.WriteString(part)
		if !strings.HasPrefix(after, "'") {
			return b.String(), after, true
		}
		b.WriteByte('\'') // doubled
		s = after[1:]
	}
}

// progress is how far a change came.
type progress struct {
	field       string
	at          int // the item of the field
	done, total int
}

// halfway is the error of a change that failed in the midst. It can't be
// repeated as it is.
func (t *topic) halfway(err error, whole adapter.ID, wholeToo bool, p progress) error {
	if p.done == 0 && !wholeToo {
		return err
	}
	made := fmt.Sprintf("%d of %d changes behind it were made", p.done, p.total)
	if wholeToo {
		made = "the record was changed and " + made
	}
	out := &adapter.Error{Code: adapter.CodeOf(err), Model: t.model, Field: p.field, Err: err}
	reason := err.Error()
	if e, ok := errors.AsType[*adapter.Error](err); ok {
		reason, out.Native = e.Message, e.Native
	}
	out.Message = fmt.Sprintf("%s %s was changed in part: %s; item %d of %s failed: %s", t.model, whole, made, p.at, p.field, reason)
	return out
}
