package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cache"
)

// System is one system as one caller may use it. It is cheap to get from
// [Bridge.System] for every request, and safe for concurrent use.
type System struct {
	bridge *Bridge
	link   *link
	caller Caller
	pin    *pin // nil for the system's own version
	// universal is nil for the system's own words.
	universal *universal
	chosen    string // the language that InLanguage chose
}

// ID returns the system's id within its tenant.
func (s *System) ID() string { return s.link.config.ID }

// Kind returns the kind of the system: "odoo".
func (s *System) Kind() string { return s.link.config.Kind }

// WithContext returns the system for calls in a context of the system's own,
// a JSON object such as {"lang": "fr_FR", "allowed_company_ids": [1]}, laid
// over the caller's scope. null and nothing change nothing.
func (s *System) WithContext(context json.RawMessage) (*System, error) {
	scope, err := withContext(s.caller.Scope, context)
	if err != nil {
		return nil, err
	}
	return s.WithScope(scope), nil
}

// WithScope returns the system for calls in another scope.
func (s *System) WithScope(scope adapter.Scope) *System {
	other := *s
	other.caller.Scope = scope
	return &other
}

// Scope returns the scope of the calls.
func (s *System) Scope() adapter.Scope { return s.caller.Scope }

// Create makes a record and returns its id together with the values sent.
func (s *System) Create(ctx context.Context, model string, values adapter.Record) (adapter.Record, error) {
	if s.universal != nil {
		return s.universalCreate(ctx, model, values)
	}
	if err := s.may(ctx, model, "create"); err != nil {
		return nil, err
	}
	var id adapter.ID
	err := s.change(ctx, "create", model, func(ctx context.Context, a adapter.Adapter) (err error) {
		id, err = a.Create(ctx, model, values)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make(adapter.Record, len(values)+1)
	for name, v := range values {
		out[name] = v
	}
	out["id"] = id
	s.changed(ctx, "create", model, []adapter.ID{id}, values)
	return out, nil
}

// CreateMany makes records, in one call where the system can, and returns
// their ids. A failure in the midst of several calls is an
// [*adapter.PartialError].
func (s *System) CreateMany(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	if s.universal != nil {
		return s.universalCreateMany(ctx, model, values)
	}
	if err := s.may(ctx, model, "create"); err != nil {
		return nil, err
	}
	var ids []adapter.ID
	err := s.change(ctx, "create", model, func(ctx context.Context, a adapter.Adapter) (err error) {
		ids, err = adapter.CreateMany(ctx, a, model, values)
		return err
	})
	s.created(ctx, model, ids, values, err)
	return ids, err
}

// Update changes records. A missing id is ErrNotFound.
func (s *System) Update(ctx context.Context, model string, ids []adapter.ID, values adapter.Record) error {
	if s.universal != nil {
		return s.universalUpdate(ctx, model, ids, values)
	}
	if err := s.may(ctx, model, "write"); err != nil {
		return err
	}
	err := s.change(ctx, "write", model, func(ctx context.Context, a adapter.Adapter) error {
		return a.Update(ctx, model, ids, values)
	})
	if err == nil {
		s.changed(ctx, "write", model, ids, values)
	}
	return err
}

// Delete removes records. A missing id is ErrNotFound, on systems that can
// tell.
func (s *System) Delete(ctx context.Context, model string, ids []adapter.ID) error {
	if s.universal != nil {
		return s.universalDelete(ctx, model, ids)
	}
	if err := s.may(ctx, model, "unlink"); err != nil {
		return err
	}
	err := s.change(ctx, "unlink", model, func(ctx context.Context, a adapter.Adapter) error {
		return a.Delete(ctx, model, ids)
	})
	if err == nil {
		s.changed(ctx, "unlink", model, ids, nil)
	}
	return err
}

// CreateEach makes records, each on its own account: one that is refused does
// not hinder the others. It returns the ids in the order of the values; where
// some failed, their ids are zero and the error is an [*adapter.PartialError].
func (s *System) CreateEach(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	if s.universal != nil {
		return s.universalCreateEach(ctx, model, values)
	}
	if err := s.may(ctx, model, "create"); err != nil {
		return nil, err
	}
	var ids []adapter.ID
	err := s.change(ctx, "create", model, func(ctx context.Context, a adapter.Adapter) (err error) {
		ids, err = adapter.CreateEach(ctx, a, model, values)
		return err
	})
	s.created(ctx, model, ids, values, err)
	return ids, err
}

// created tells observers of those records that were made.
func (s *System) created(ctx context.Context, model string, ids []adapter.ID, values []adapter.Record, err error) {
	partial, some := errors.AsType[*adapter.PartialError](err)
	if err != nil && !some {
		return
	}
	done, written := ids, values
	if some {
		done, written = nil, nil
		for i, id := range partial.Done {
			if !id.IsZero() && i < len(values) {
				done, written = append(done, id), append(written, values[i])
			}
		}
	}
	if len(done) > 0 {
		s.changed(ctx, "create", model, done, written)
	}
}

// ETag returns a text that changes whenever the record does, for UpdateIf and
// DeleteIf. It is asked of the system every time. A system that can't tell is
// ErrUnsupported, a missing record ErrNotFound.
func (s *System) ETag(ctx context.Context, model string, id adapter.ID) (string, error) {
	if s.universal != nil {
		return s.universalETag(ctx, model, id)
	}
	if err := s.may(ctx, model, "read"); err != nil {
		return "", err
	}
	var tag string
	err := s.do(s.scoped(ctx, &s.caller.Scope), work{operation: "etag", model: model, run: func(ctx context.Context, a adapter.Adapter) (err error) {
		tag, err = adapter.ETag(ctx, a, model, id)
		return err
	}})
	return tag, err
}

// UpdateIf changes a record that still has the tag, or with [AnyTag] one that is
// there; one that has changed is
// ErrPreconditionFailed and stays as it is. How sure that is depends on the
// system, see its adapter.
func (s *System) UpdateIf(ctx context.Context, model string, id adapter.ID, etag string, values adapter.Record) error {
	if etag == AnyTag {
		return there(model, s.Update(ctx, model, []adapter.ID{id}, values))
	}
	if s.universal != nil {
		return s.universalUpdateIf(ctx, model, id, etag, values)
	}
	if err := s.may(ctx, model, "write"); err != nil {
		return err
	}
	err := s.change(ctx, "write", model, func(ctx context.Context, a adapter.Adapter) error {
		return adapter.UpdateIf(ctx, a, model, id, etag, values)
	})
	if err == nil {
		s.changed(ctx, "write", model, []adapter.ID{id}, values)
	}
	return err
}

// DeleteIf removes a record that still has the tag, see [System.UpdateIf].
func (s *System) DeleteIf(ctx context.Context, model string, id adapter.ID, etag string) error {
	if etag == AnyTag {
		return there(model, s.Delete(ctx, model, []adapter.ID{id}))
	}
	if s.universal != nil {
		return s.universalDeleteIf(ctx, model, id, etag)
	}
	if err := s.may(ctx, model, "unlink"); err != nil {
		return err
	}
	err := s.change(ctx, "unlink", model, func(ctx context.Context, a adapter.Adapter) error {
		return adapter.DeleteIf(ctx, a, model, id, etag)
	})
	if err == nil {
		s.changed(ctx, "unlink", model, []adapter.ID{id}, nil)
	}
	return err
}

// may refuses what the caller's roles don't allow, and names that are none.
func (s *System) may(ctx context.Context, model, method string) error {
	if err := checkModel(model); err != nil {
		return err
	}
	return s.allowed(ctx, model, method)
}

// scoped prepares the context of a call to the system.
func (s *System) scoped(ctx context.Context, scope *adapter.Scope) context.Context {
	return adapter.WithScope(ctx, *scope)
}

func (s *System) subject(model string) cache.Subject {
	return cache.Subject{Tenant: s.link.config.Tenant, System: s.link.config.ID, Model: model}
}

// change makes a change and sees to it that nothing from before it is served
// after it. The method decides how much that may be.
func (s *System) change(ctx context.Context, method, model string, run func(context.Context, adapter.Adapter) error) error {
	return s.changeModels(ctx, method, model, nil, run)
}

// changeModels is change of records of further models too.
func (s *System) changeModels(ctx context.Context, method, model string, further []string, run func(context.Context, adapter.Adapter) error) error {
	return s.changing(ctx, work{operation: method, model: model, changes: true, run: run}, further)
}

// changing makes a change of a model's records and of further ones.
func (s *System) changing(ctx context.Context, w work, further []string) error {
	var models []string
	for _, name := range slices.Concat(s.names(w.model), further) {
		for _, m := range touched(s.Kind(), name, w.operation) {
			if !slices.Contains(models, m) {
				models = append(models, m)
			}
		}
	}
	subjects := make([]cache.Subject, len(models))
	for i, m := range models {
		subjects[i] = s.subject(m)
	}
	kept := s.bridge.config.Cache
	// Before, so that no read that begins before the change stores what it
	// finds; after, so that none that began during it does.
	kept.Bump(ctx, subjects...)
	defer func() {
		kept.Bump(ctx, subjects...)
		if slices.Contains(models, "") {
			s.link.schemas.clear()
		}
	}()
	err := s.do(s.scoped(ctx, &s.caller.Scope), w)
	if doubtful(err) {
		s.link.doubt.add(models)
	}
	return err
}

// doubtful reports whether a change, or a part of it, may have been made
// without an answer.
func doubtful(err error) bool {
	if partial, ok := errors.AsType[*adapter.PartialError](err); ok {
		for _, err := range partial.Failed {
			if adapter.CodeOf(err) == adapter.UnknownOutcome {
				return true
			}
		}
	}
	return adapter.CodeOf(err) == adapter.UnknownOutcome
}

func (s *System) changed(ctx context.Context, method, model string, ids []adapter.ID, values any) {
	if o := s.bridge.config.Observer; o != nil {
		o.Changed(ctx, ChangeEvent{
			Tenant: s.link.config.Tenant, System: s.link.config.ID, User: s.caller.User,
			Operation: method, Model: model, IDs: ids, Values: values, As: s.PinnedVersion(),
		})
	}
}

// question is a read that may be kept.
type question struct {
	family    string
	operation string
	model     string
	kind      kind
	related   []string
	canonical []byte
}

// kept answers a question from the cache, or by load. The warnings of the
// call to the system are kept with the answer.
func (s *System) kept(ctx context.Context, scope *adapter.Scope, q question, op *operation, load func(context.Context) (Answer, error)) (Answer, error) {
	id, err := identity(&s.link.config, scope)
	if err != nil {
		return Answer{}, err
	}
	subject := q.model
	if s.pin != nil {
		id.Extra = append(slices.Clip(id.Extra), "as "+s.pin.version+" by "+s.pin.id)
		q.related = s.relatedNames(&q)
	}
	if q.kind == schema {
		subject += schemaSuffix
	}
	key, err := cache.NewKey(id, cache.Question{
		Family: q.family, Operation: q.operation, Model: subject, Related: q.related, Arguments: q.canonical,
	})
	if err != nil {
		return Answer{}, err
	}
	ttl := op.ttl
	if ttl == ttlRecords {
		ttl = s.bridge.config.RecordTTL
	}
	v, hit, err := s.bridge.config.Cache.Load(ctx, key, ttl, func(ctx context.Context) (cache.Value, error) {
		ctx, warnings := adapter.WithWarnings(s.scoped(ctx, scope))
		a, err := load(ctx)
		if err != nil {
			return cache.Value{}, err
		}
		a.Warnings = append(a.Warnings, warnings.List()...)
		a.transient = a.transient || s.link.doubt.of(q.model, q.related)
		return a.value(), nil
	})
	if o := s.bridge.config.Observer; o != nil {
		o.Lookup(ctx, LookupEvent{Tenant: id.Tenant, System: id.System, Operation: op.name, Model: q.model, Hit: hit})
	}
	if err != nil {
		return Answer{}, bare(err)
	}
	return answerOf(v, hit)
}

// relatedNames are the further models that a question is kept under: the
// other names of its own and of those it leads to.
func (s *System) relatedNames(q *question) []string {
	var out []string
	add := func(model, suffix string) {
		for _, name := range s.names(model) {
			if name+suffix != q.model && !slices.Contains(out, name+suffix) {
				out = append(out, name+suffix)
			}
		}
	}
	for _, m := range q.related {
		add(m, "")
	}
	if q.kind == schema {
		for _, name := range s.names(q.model)[1:] {
			out = append(out, name+schemaSuffix)
		}
		return out
	}
	add(q.model, "")
	return out
}

// bare gives an error of a context the form of all others.
func bare(err error) error {
	if _, ok := asError(err); ok {
		return err
	}
	switch code := adapter.CodeOf(err); code {
	case adapter.Canceled, adapter.Timeout:
		return &adapter.Error{Code: code, Message: "the call was given up before its end", Err: err}
	}
	return err
}
