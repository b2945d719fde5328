package bridge

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

// lensed is a system seen through a lens: an adapter that takes questions in
// the words of one version and puts them to a system of another.
type lensed struct {
	own    adapter.Adapter
	system *System
	pin    *pin
	server string // the system's version
}

// lensedCaller is lensed for systems whose methods can be called.
type lensedCaller struct{ *lensed }

// through returns the adapter as the caller's version sees it.
func (s *System) through(a adapter.Adapter) adapter.Adapter {
	version := a.Info().Version
	if s.pin == nil || version == s.pin.version {
		return a
	}
	l := &lensed{own: a, system: s, pin: s.pin, server: version}
	if _, ok := a.(adapter.Caller); ok {
		return lensedCaller{l}
	}
	return l
}

// lens translates calls on a model, named as version from does.
func (l *lensed) lens(model, from, to string) (*migrate.Lens, error) {
	lens, err := l.system.link.lenses.get(lensKey{model, from, to}, func() (*migrate.Lens, error) {
		options := migrate.LensOptions{}
		if from == l.pin.version {
			options.Relation = l.relation
		} else {
			options.Relation = func(model, field string) string {
				if s := l.pin.schema(from, model); s != nil {
					return s.Fields[field].Relation
				}
				return ""
			}
		}
		return l.pin.Pack.Lens(model, from, to, options)
	})
	if err != nil {
		return nil, single(err)
	}
	return lens, nil
}

// relation is the model that a field leads to, both in the caller's words, as
// far as it was learned.
func (l *lensed) relation(model, field string) string {
	if s := l.pin.schema(l.pin.version, model); s != nil && s.Fields[field].Relation != "" {
		return s.Fields[field].Relation
	}
	if s := l.system.link.schemas.get(l.system.memo(model)); s != nil {
		return s.Fields[field].Relation
	}
	return ""
}

// learn is relation with a look at the system where that is needed.
func (l *lensed) learn(ctx context.Context, model, field string) string {
	if r := l.relation(model, field); r != "" || l.system.link.schemas.get(l.system.memo(model)) != nil {
		return r
	}
	s, err := l.Schema(adapter.WithScope(ctx, adapter.Scope{}), model)
	if err != nil {
		return "" // then the path is handed on as it is, with a warning
	}
	l.system.link.schemas.set(l.system.memo(model), s)
	return s.Fields[field].Relation
}

// view is one model through the lens.
type view struct {
	*lensed
	lens  *migrate.Lens
	model string // the caller's name
	off   bool   // nothing may be left out
}

// view prepares a call on a model: with its context come the defaults that the
// context has for the model's fields, translated.
func (l *lensed) view(ctx context.Context, model string) (context.Context, *view, error) {
	scope := adapter.ScopeFrom(ctx)
	v, err := l.viewOf(model, scope.Fallback)
	if err != nil {
		return ctx, nil, err
	}
	if model != v.lens.Model() {
		adapter.Warn(ctx, adapter.Warning{
			Code: adapter.WarnFieldReplaced, Model: model, Used: v.lens.Model(),
			Message: "version " + l.server + " has the model " + model + " as " + v.lens.Model(),
		})
	}
	values, err := v.context(ctx, scope.Values)
	if err != nil {
		return ctx, nil, err
	}
	scope.Values = values
	return adapter.WithScope(ctx, scope), v, nil
}

func (l *lensed) viewOf(model string, fallback adapter.Fallback) (*view, error) {
	lens, err := l.lens(model, l.pin.version, l.server)
	if err != nil {
		return nil, err
	}
	return &view{lensed: l, lens: lens, model: model, off: fallback == adapter.FallbackOff}, nil
}

// other is a view of another model on behalf of the same call.
func (v *view) other(model string) (*view, error) {
	o, err := v.viewOf(model, "")
	if err == nil {
		o.off = v.off
	}
	return o, err
}

const defaultPrefix = "default_"

// context translates the defaults in a context, and the name of the model that
// it calls active.
func (v *view) context(ctx context.Context, values map[string]any) (map[string]any, error) {
	defaults := adapter.Record{}
	for name, value := range values {
		if field, ok := strings.CutPrefix(name, defaultPrefix); ok {
			defaults[field] = value
		}
	}
	active, _ := values["active_model"].(string)
	if len(defaults) == 0 && active == "" {
		return values, nil
	}
	out := maps.Clone(values)
	if active != "" && checkModel(active) == nil {
		if other, err := v.lensed.lens(active, v.pin.version, v.server); err == nil {
			out["active_model"] = other.Model()
		}
	}
	if len(defaults) == 0 {
		return out, nil
	}
	translated, err := v.values(ctx, defaults)
	if err != nil {
		return nil, err
	}
	for field := range defaults {
		delete(out, defaultPrefix+field)
	}
	for field, value := range translated {
		out[defaultPrefix+field] = value
	}
	return out, nil
}

func (v *view) warn(ctx context.Context, notes []adapter.Warning) {
	for _, n := range notes {
		adapter.Warn(ctx, n)
	}
}

// single gives an error of package migrate the form of all others. Of several
// it is the first.
func single(err error) error {
	if e, ok := errors.AsType[*adapter.Error](err); ok {
		return e
	}
	return err
}

// fields translates a list of fields to read. Lost are those without
// counterpart, which stay empty in the answer.
func (v *view) fields(ctx context.Context, asked []string) (fields, lost []string, err error) {
	if asked == nil {
		return nil, nil, nil
	}
	fields, notes, err := v.lens.Fields(asked)
	v.warn(ctx, notes)
	if err != nil {
		all, ok := errors.AsType[migrate.LensErrors](err)
		if !ok || v.off {
			return nil, nil, single(err)
		}
		for _, e := range all {
			lost = append(lost, e.Field)
			adapter.Warn(ctx, adapter.Warning{
				Code: adapter.WarnFieldDropped, Model: v.model, Field: e.Field,
				Message: "field \"" + e.Field + "\": " + e.Reason + "; it is empty in the answer",
			})
		}
	}
	if len(fields) == 0 && len(asked) > 0 {
		fields = []string{"id"}
	}
	return fields, lost, nil
}

func (v *view) filter(ctx context.Context, f adapter.Filter) (adapter.Filter, error) {
	v.learnPaths(ctx, v.model, f)
	out, notes, err := v.lens.Filter(f)
	v.warn(ctx, notes)
	return out, single(err)
}

// learnPaths sees to it that the models are known that the paths of a filter
// lead through.
func (l *lensed) learnPaths(ctx context.Context, model string, f adapter.Filter) {
	adapter.Walk(f, func(c adapter.Cond) bool {
		at := model
		sub, nested := c.Value.(adapter.Filter)
		segments := strings.Split(c.Field, ".")
		for i, field := range segments {
			if i == len(segments)-1 && !nested {
				return true
			}
			if at = l.learn(ctx, at, field); at == "" {
				return true
			}
		}
		l.learnPaths(ctx, at, sub)
		return true
	})
}

// values translates values to write, those of new or changed related records
// included.
func (v *view) values(ctx context.Context, values adapter.Record) (adapter.Record, error) {
	values, err := v.commands(ctx, values, func(o *view, r adapter.Record) (adapter.Record, error) { return o.values(ctx, r) })
	if err != nil {
		return nil, err
	}
	out, notes, err := v.lens.Values(ctx, values)
	if err != nil {
		return nil, single(err)
	}
	for _, n := range notes {
		if v.off && n.Code == adapter.WarnFieldDropped {
			return nil, &adapter.Error{Code: adapter.InvalidArgument, Model: v.model, Field: n.Field, Message: n.Message}
		}
	}
	v.warn(ctx, notes)
	return out, nil
}

// commands returns values with those of records in commands for relations,
// such as [0, 0, {...}], translated by the related model's lens. The values
// themselves are not changed.
func (v *view) commands(ctx context.Context, values adapter.Record, translate func(*view, adapter.Record) (adapter.Record, error)) (adapter.Record, error) {
	out, copied := values, false
	for field, value := range values {
		list, _ := value.([]any)
		var fresh []any
		for i, item := range list {
			command, _ := item.([]any)
			if len(command) != 3 {
				continue
			}
			inner, ok := command[2].(map[string]any)
			if !ok {
				continue
			}
			relation := v.learn(ctx, v.model, field)
			if relation == "" {
				break
			}
			o, err := v.other(relation)
			if err != nil {
				return nil, err
			}
			got, err := translate(o, inner)
			if err != nil {
				return nil, err
			}
			if fresh == nil {
				fresh = slices.Clone(list)
			}
			fresh[i] = []any{command[0], command[1], map[string]any(got)}
		}
		if fresh != nil {
			if !copied {
				out, copied = maps.Clone(values), true
			}
			out[field] = fresh
		}
	}
	return out, nil
}

// Info describes the system itself.
func (l *lensed) Info() adapter.Info { return l.own.Info() }

// Close does nothing: the link closes the system's own adapter.
func (l *lensed) Close() error { return nil }

// Clock is the system's, which is the same in every version.
func (l *lensed) Clock() (time.Time, bool) { return adapter.Clock(l.own) }

// Query reads records.
func (l *lensed) Query(ctx context.Context, q adapter.Query) (adapter.Page, error) {
	ctx, v, err := l.view(ctx, q.Model)
	if err != nil {
		return adapter.Page{}, err
	}
	asked := q.Fields
	q, lost, err := v.query(ctx, q)
	if err != nil {
		return adapter.Page{}, err
	}
	page, err := l.own.Query(ctx, q)
	if err != nil {
		return page, err
	}
	page.Records, err = v.records(ctx, page.Records, asking{fields: asked, lost: lost, plain: q.Plain})
	return page, err
}

func (v *view) query(ctx context.Context, q adapter.Query) (adapter.Query, []string, error) {
	var lost []string
	var err error
	q.Model = v.lens.Model()
	if q.Filter, err = v.filter(ctx, q.Filter); err != nil {
		return q, nil, err
	}
	if q.Fields, lost, err = v.fields(ctx, q.Fields); err != nil {
		return q, nil, err
	}
	if q.Order != nil {
		var notes []adapter.Warning
		q.Order, notes, err = v.lens.Order(q.Order)
		v.warn(ctx, notes)
	}
	return q, lost, single(err)
}

// Create makes a record.
func (l *lensed) Create(ctx context.Context, model string, values adapter.Record) (adapter.ID, error) {
	ctx, v, err := l.view(ctx, model)
	if err != nil {
		return adapter.ID{}, err
	}
	if values, err = v.values(ctx, values); err != nil {
		return adapter.ID{}, err
	}
	return l.own.Create(ctx, v.lens.Model(), values)
}

// CreateMany makes records.
func (l *lensed) CreateMany(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	ctx, v, err := l.view(ctx, model)
	if err != nil {
		return nil, err
	}
	all := make([]adapter.Record, len(values))
	for i := range values {
		if all[i], err = v.values(ctx, values[i]); err != nil {
			return nil, err
		}
	}
	return adapter.CreateMany(ctx, l.own, v.lens.Model(), all)
}

// CreateEach makes records, each on its own account.
func (l *lensed) CreateEach(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	ctx, v, err := l.view(ctx, model)
	if err != nil {
		return nil, err
	}
	return eachTranslated(values,
		func(r adapter.Record) (adapter.Record, error) { return v.values(ctx, r) },
		func(all []adapter.Record) ([]adapter.ID, error) {
			return adapter.CreateEach(ctx, l.own, v.lens.Model(), all)
		})
}

// ETag tells whether a record has changed.
func (l *lensed) ETag(ctx context.Context, model string, id adapter.ID) (string, error) {
	ctx, v, err := l.view(ctx, model)
	if err != nil {
		return "", err
	}
	return adapter.ETag(ctx, l.own, v.lens.Model(), id)
}

// UpdateIf changes a record that still has the tag.
func (l *lensed) UpdateIf(ctx context.Context, model string, id adapter.ID, etag string, values adapter.Record) error {
	ctx, v, err := l.view(ctx, model)
	if err != nil {
		return err
	}
	if values, err = v.values(ctx, values); err != nil {
		return err
	}
	return adapter.UpdateIf(ctx, l.own, v.lens.Model(), id, etag, values)
}

// DeleteIf removes a record that still has the tag.
func (l *lensed) DeleteIf(ctx context.Context, model string, id adapter.ID, etag string) error {
	ctx, v, err := l.view(ctx, model)
	if err != nil {
		return err
	}
	return adapter.DeleteIf(ctx, l.own, v.lens.Model(), id, etag)
}

// Update changes records.
func (l *lensed) Update(ctx context.Context, model string, ids []adapter.ID, values adapter.Record) error {
	ctx, v, err := l.view(ctx, model)
	if err != nil {
		return err
	}
	if values, err = v.values(ctx, values); err != nil {
		return err
	}
	return l.own.Update(ctx, v.lens.Model(), ids, values)
}

// Delete removes records.
func (l *lensed) Delete(ctx context.Context, model string, ids []adapter.ID) error {
	ctx, v, err := l.view(ctx, model)
	if err != nil {
		return err
	}
	return l.own.Delete(ctx, v.lens.Model(), ids)
}

// Count counts records.
func (l *lensed) Count(ctx context.Context, model string, filter adapter.Filter) (int64, error) {
	ctx, v, err := l.view(ctx, model)
	if err != nil {
		return 0, err
	}
	if filter, err = v.filter(ctx, filter); err != nil {
		return 0, err
	}
	return adapter.Count(ctx, l.own, v.lens.Model(), filter)
}

// SearchIDs finds ids.
func (l *lensed) SearchIDs(ctx context.Context, q adapter.Query) ([]adapter.ID, error) {
	ctx, v, err := l.view(ctx, q.Model)
	if err != nil {
		return nil, err
	}
	q.Fields = nil
	if q, _, err = v.query(ctx, q); err != nil {
		return nil, err
	}
	return adapter.SearchIDs(ctx, l.own, q)
}

// Read reads records by their ids.
func (l *lensed) Read(ctx context.Context, model string, ids []adapter.ID, fields []string) ([]adapter.Record, error) {
	ctx, v, err := l.view(ctx, model)
	if err != nil {
		return nil, err
	}
	used, lost, err := v.fields(ctx, fields)
	if err != nil {
		return nil, err
	}
	records, err := adapter.Read(ctx, l.own, v.lens.Model(), ids, used)
	if err != nil {
		return nil, err
	}
	return v.records(ctx, records, asking{fields: fields, lost: lost})
}

// NameSearch finds records by their display name.
func (l *lensed) NameSearch(ctx context.Context, model, name string, filter adapter.Filter, limit int) ([]adapter.Ref, error) {
	ctx, v, err := l.view(ctx, model)
	if err != nil {
		return nil, err
	}
	if filter, err = v.filter(ctx, filter); err != nil {
		return nil, err
	}
	return adapter.NameSearch(ctx, l.own, v.lens.Model(), name, filter, limit)
}
