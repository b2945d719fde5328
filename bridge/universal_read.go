package bridge

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

// shape is what reading some universal fields means on a system.
type shape struct {
	fields  []string // universal, in the order of the answer
	paths   []string // the system's, those that it lacks left out
	through []string // the models that the paths lead through
	// related are the models that any field of the mapping leads through: a
	// filter or an order may, too.
	related []string
	expand  *expansion
	lacking []lack
	tail    []byte // what the answer depends on besides the question
	notes   []adapter.Warning
	at      time.Time
}

// lack is a path of a mapping that the system's schema has not.
type lack struct {
	field, path, model string
	whole              bool // nothing else is read for the field
}

// shapes remembers them for a moment: schemas may change.
type shapes struct {
	mu   sync.Mutex
	made map[shapeKey]*shape
}

type shapeKey struct {
	mappings, version, model string
	options                  mapping.Options
	asked                    string
}

func (m *shapes) get(key shapeKey) *shape {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.made[key]; s != nil && time.Since(s.at) < schemasFor {
		return s
	}
	return nil
}

func (m *shapes) set(key shapeKey, s *shape) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.made == nil || len(m.made) >= layerMost {
		m.made = map[shapeKey]*shape{}
	}
	m.made[key] = s
}

// shape says what to read for universal fields, nil for all.
func (t *topic) shape(ctx context.Context, asked []string) (*shape, error) {
	key := shapeKey{t.universal.layer.revision, t.nature.version, t.model, t.universal.options, "*"}
	if asked != nil {
		key.asked = "=" + strings.Join(asked, "\x00")
	}
	memory := &t.link.shapes
	if s := memory.get(key); s != nil && t.mayAll(ctx, s.through) == nil {
		return s, nil
	}
	s, denied, err := t.newShape(ctx, asked)
	if err != nil {
		return nil, err
	}
	if !denied {
		memory.set(key, s)
	}
	return s, nil
}

func (t *topic) mayAll(ctx context.Context, models []string) error {
	for _, m := range models {
		if err := t.allowed(ctx, m, "read"); err != nil {
			return err
		}
	}
	return nil
}

// newShape looks at the schemas. Denied says that fields were left out since
// the caller may not read what they lead to.
func (t *topic) newShape(ctx context.Context, asked []string) (s *shape, denied bool, err error) {
	s = &shape{fields: asked, at: time.Now()}
	if asked == nil {
		s.fields = t.plan.Names()
	}
	_, s.notes, err = t.plan.Fields(asked)
	if err != nil {
		return nil, false, err
	}
	add := func(list *[]string, names ...string) {
		for _, n := range names {
			if !slices.Contains(*list, n) {
				*list = append(*list, n)
			}
		}
	}
	for _, field := range slices.Clone(s.fields) {
		paths, _, err := t.plan.Fields([]string{field})
		if err != nil {
			return nil, false, err
		}
		var there, models []string
		var lacking []lack
		for _, p := range paths {
			through, missing, err := t.walk(ctx, p)
			if err != nil {
				return nil, false, err
			}
			if missing != nil {
				missing.field = field
				lacking = append(lacking, *missing)
				continue
			}
			if p != t.idField() {
				there = append(there, p)
			}
			add(&models, through...)
		}
		if err := t.mayAll(ctx, models); err != nil {
			if asked != nil {
				return nil, false, err
			}
			denied = true
			s.fields = slices.DeleteFunc(slices.Clone(s.fields), func(f string) bool { return f == field })
			s.notes = append(s.notes, adapter.Warning{
				Code: adapter.WarnFieldDropped, Model: t.model, Field: field,
				Message: "field \"" + field + "\" was left out: your role does not allow to read what it leads to",
			})
			continue
		}
		for i := range lacking {
			lacking[i].whole = len(there) == 0
		}
		head, _, _ := strings.Cut(field, ".")
		if _, lines := t.plan.Lines(head); lines && len(there) > 0 {
			relation, _, _ := strings.Cut(there[0], ".")
			add(&there, relation+"."+t.idField())
		}
		s.lacking = append(s.lacking, lacking...)
		add(&s.paths, there...)
		add(&s.through, models...)
	}
	if len(s.paths) == 0 {
		s.paths = []string{t.idField()}
	}
	if s.related, err = t.related(ctx); err != nil {
		return nil, false, err
	}
	for _, part := range [...]string{t.model, t.universal.layer.revision, t.nature.version, string(t.universal.options.Unmapped)} {
		s.tail = appendCanonical(s.tail, part)
	}
	if denied {
		// All fields are not the same for everybody.
		s.tail = appendCanonical(s.tail, Names(s.fields))
	}
	return s, denied, t.expandable(ctx, s)
}

// related are the models that any path of the mapping leads through.
func (t *topic) related(ctx context.Context) ([]string, error) {
	var models []string
	paths, _, err := t.plan.Fields(nil)
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		through, _, err := t.walk(ctx, p)
		if err != nil {
			return nil, err
		}
		for _, m := range through {
			if !slices.Contains(models, m) {
				models = append(models, m)
			}
		}
	}
	return models, nil
}

// expandable prepares the reads through relations that the system can't make
// by itself.
func (t *topic) expandable(ctx context.Context, s *shape) error {
	if t.nature.nests || !slices.ContainsFunc(s.paths, func(p string) bool { return strings.Contains(p, ".") }) {
		return nil
	}
	var err error
	s.expand, _, err = t.expansionTo(ctx, t.plan.SystemModel(), s.paths, ExpandNested, mappingsReach)
	return err
}

// walk follows a path through the schemas: the models that it leads through
// and, if a field on it is missing, which.
func (t *topic) walk(ctx context.Context, path string) (through []string, missing *lack, err error) {
	if path == t.idField() || path == "id" {
		return nil, nil, nil
	}
	model := t.plan.SystemModel()
	rest := path
	for {
		name, after, deeper := strings.Cut(rest, ".")
		described, err := t.schema(ctx, model)
		if err != nil {
			switch adapter.CodeOf(err) {
			case adapter.NotFound, adapter.PermissionDenied:
				if model == t.plan.SystemModel() {
					return nil, nil, err
				}
				return through, &lack{path: path, model: model}, nil
			}
			return nil, nil, err
		}
		f, ok := described.Fields[name]
		if !ok && name != "id" && name != t.idField() {
			return through, &lack{path: path, model: model}, nil
		}
		if !deeper || f.Relation == "" {
			return through, nil, nil // what a relation of many kinds leads to is for the system to know
		}
		model, rest = f.Relation, after
		through = append(through, model)
	}
}

// warnings say what the shape could not read.
func (s *shape) warn(ctx context.Context, t *topic) {
	t.warn(ctx, s.notes)
	for _, l := range s.lacking {
		message := "the mapping of " + t.model + "." + l.field + " reads " + l.path + ", which " + l.model + " of this system lacks"
		if l.whole {
			message += "; it is empty in the answer"
		}
		adapter.Warn(ctx, adapter.Warning{Code: adapter.WarnFieldDropped, Model: t.model, Field: l.field, Message: message})
	}
}

func (s *System) universalRead(ctx context.Context, r Reading) (Answer, error) {
	t, err := s.topic(ctx, r.Model, "search_read")
	if err != nil {
		return Answer{}, err
	}
	ours, err := r.bound()
	if err != nil {
		return Answer{}, err
	}
	if !r.ID.IsZero() {
		t, r.Filter = t.archivedToo(), idCondition("id", []adapter.ID{r.ID})
	}
	return t.read(ctx, r, ours, "model")
}

// read answers a question in the universal vocabulary, from the cache if it is
// there.
func (t *topic) read(ctx context.Context, r Reading, ours int, operation string) (Answer, error) {
	if err := t.allowedUniversal(ctx, &r); err != nil {
		return Answer{}, t.say(err)
	}
	sh, err := t.shape(ctx, r.Fields)
	if err != nil {
		return Answer{}, err
	}
	pooled := scratch.Get().(*[]byte)
	defer scratch.Put(pooled)
	b := r.canonical((*pooled)[:0], ours)
	q := t.question(operation, sh, &b)
	*pooled = b
	query := func(ctx context.Context) (Answer, error) { return t.query(ctx, r, sh, ours) }
	return t.kept(ctx, &t.caller.Scope, q, readOperation, func(ctx context.Context) (Answer, error) {
		if r.ETag {
			return t.tagged(ctx, t.plan.SystemModel(), r.ID, query)
		}
		return query(ctx)
	})
}

// allowedUniversal asks whether the caller may read the models that a filter
// and an order in the universal vocabulary lead to. It comes before the cache,
// which may have the answer for somebody who may.
func (t *topic) allowedUniversal(ctx context.Context, r *Reading) error {
	if !t.restricted() {
		return nil
	}
	own := Reading{Query: adapter.Query{Model: t.plan.SystemModel(), Filter: r.Filter}}
	var err error
	if !isNull(r.Domain) {
		if own.Filter, err = adapter.ParseDomainJSON(r.Domain); err != nil {
			return err
		}
	}
	if own.Filter != nil {
		if own.Filter, err = t.plan.Filter(t.asking(ctx), own.Filter); err != nil {
			return err
		}
	}
	if r.Order != nil {
		if own.Order, err = t.plan.Order(r.Order); err != nil {
			return err
		}
	}
	return t.allowedReading(ctx, &own)
}

// question is one in the universal vocabulary: b has its arguments, to which
// what the answer depends on besides is added.
func (t *topic) question(operation string, sh *shape, b *[]byte) question {
	*b = append(*b, sh.tail...)
	return question{family: "universal", operation: operation, model: t.plan.SystemModel(), related: sh.related, canonical: *b}
}

// query asks the system.
func (t *topic) query(ctx context.Context, r Reading, sh *shape, ours int) (Answer, error) {
	q := r.Query
	if !isNull(r.Domain) {
		f, err := adapter.ParseDomainJSON(r.Domain)
		if err != nil {
			return Answer{}, err
		}
		q.Filter = f
	}
	sh.warn(ctx, t)
	q, err := t.translated(ctx, q)
	if err != nil {
		return Answer{}, err
	}
	page, err := t.universalPage(ctx, q, sh)
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	if a.Result, err = encodeRecords(page.Records, sh.fields); err != nil {
		return Answer{}, err
	}
	a.NextCursor = page.Next
	if ours > 0 && (page.Truncated || page.Next != "") {
		a.Truncated, a.Limit = true, ours
	}
	return a, nil
}

// universalPage asks the system for one page of a query in its own words, and
// translates the records.
func (t *topic) universalPage(ctx context.Context, q adapter.Query, sh *shape) (adapter.Page, error) {
	if q.Fields = sh.paths; sh.expand != nil {
		q.Fields = sh.expand.base
	}
	page, _, err := t.page(ctx, q, nil, adapter.ID{})
	if err != nil {
		return page, t.say(err)
	}
	page.Records, err = t.universals(ctx, page.Records, sh)
	return page, err
}

// translated puts a query, all but its fields, in the system's words.
func (t *topic) translated(ctx context.Context, q adapter.Query) (adapter.Query, error) {
	q.Model, q.Plain = t.plan.SystemModel(), false
	var err error
	if q.Filter, err = t.filter(ctx, q.Filter); err != nil {
		return q, err
	}
	if q.Order == nil {
		return q, nil
	}
	q.Order, err = t.plan.Order(q.Order)
	return q, err
}

func (t *topic) filter(ctx context.Context, f adapter.Filter) (adapter.Filter, error) {
	own, err := t.plan.Filter(t.asking(ctx), f)
	if err != nil {
		return nil, err
	}
	return t.sought(ctx, t.plan.SystemModel(), own)
}

// universals translates records that were read.
func (t *topic) universals(ctx context.Context, own []adapter.Record, sh *shape) ([]adapter.Record, error) {
	if sh.expand != nil {
		if _, err := t.expandRecords(ctx, sh.expand, own, false); err != nil {
			return nil, err
		}
	}
	asking := t.asking(ctx)
	out := make([]adapter.Record, len(own))
	for i, r := range own {
		got, notes, err := t.plan.ToUniversal(asking, r, sh.fields)
		if err != nil {
			return nil, t.say(err)
		}
		t.warn(ctx, notes)
		for _, l := range sh.lacking {
			if _, there := got[l.field]; !there {
				got[l.field] = nil
			}
		}
		out[i] = got
	}
	return out, nil
}

// Count counts the records that match, from the cache if the number is there.
func (s *System) Count(ctx context.Context, model string, filter adapter.Filter) (int64, error) {
	if s.universal != nil {
		t, err := s.topic(ctx, model, "search_count")
		if err != nil {
			return 0, err
		}
		_, n, err := t.count(ctx, filter)
		return n, err
	}
	if err := s.may(ctx, model, "search_count"); err != nil {
		return 0, err
	}
	if err := s.allowedReading(ctx, &Reading{Query: adapter.Query{Model: model, Filter: filter}}); err != nil {
		return 0, err
	}
	b := appendCanonical(nil, json.RawMessage(adapter.AppendDomainJSON(nil, filter)))
	q := question{family: "system", operation: "count", model: model, canonical: b}
	_, n, err := s.counted(ctx, q, func(context.Context) (adapter.Filter, error) { return filter, nil })
	return n, err
}

func (t *topic) count(ctx context.Context, filter adapter.Filter) (Answer, int64, error) {
	if err := t.allowedUniversal(ctx, &Reading{Query: adapter.Query{Filter: filter}}); err != nil {
		return Answer{}, 0, t.say(err)
	}
	sh, err := t.shape(ctx, []string{})
	if err != nil {
		return Answer{}, 0, err
	}
	b := appendCanonical(nil, json.RawMessage(adapter.AppendDomainJSON(nil, filter)))
	q := t.question("count", sh, &b)
	a, n, err := t.counted(ctx, q, func(ctx context.Context) (adapter.Filter, error) { return t.filter(ctx, filter) })
	return a, n, t.say(err)
}

// counted answers a question for a count.
func (s *System) counted(ctx context.Context, q question, filter func(context.Context) (adapter.Filter, error)) (Answer, int64, error) {
	a, err := s.kept(ctx, &s.caller.Scope, q, readOperation, func(ctx context.Context) (Answer, error) {
		f, err := filter(ctx)
		if err != nil {
			return Answer{}, err
		}
		var n int64
		err = s.do(ctx, work{operation: "search_count", model: q.model, run: func(ctx context.Context, a adapter.Adapter) (err error) {
			n, err = adapter.Count(ctx, a, q.model, f)
			return err
		}})
		return Answer{Result: json.RawMessage(strconv.FormatInt(n, 10))}, err
	})
	if err != nil {
		return Answer{}, 0, err
	}
	n, err := strconv.ParseInt(string(a.Result), 10, 64)
	if err != nil {
		return Answer{}, 0, &adapter.Error{Code: adapter.Internal, Model: q.model, Message: "a kept count can't be read", Err: err}
	}
	return a, n, nil
}

func (s *System) universalFields(ctx context.Context, model string) (Answer, error) {
	t, err := s.topic(ctx, model, "fields_get")
	if err != nil {
		return Answer{}, err
	}
	sh, err := t.shape(ctx, []string{})
	if err != nil {
		return Answer{}, err
	}
	b := []byte(nil)
	q := t.question("schema", sh, &b)
	q.kind, q.related = schema, nil
	return t.kept(ctx, &t.caller.Scope, q, schemaOperation, func(ctx context.Context) (Answer, error) {
		described, err := t.described(ctx)
		if err != nil {
			return Answer{}, err
		}
		b, err := encodeJSON(described)
		return Answer{Result: b}, err
	})
}

// described describes the universal model as this system has it: labels and
// what may be searched and sorted by come from the system's own description.
func (t *topic) described(ctx context.Context) (*adapter.Schema, error) {
	out := t.plan.Schema()
	own, err := t.schema(ctx, t.plan.SystemModel())
	if err != nil {
		return nil, err
	}
	for name, f := range out.Fields {
		paths, _, err := t.plan.Fields([]string{name})
		if err != nil {
			return nil, err
		}
		for _, p := range paths {
			head, _, _ := strings.Cut(p, ".")
			source, there := own.Fields[head]
			switch {
			case p == t.idField():
			case !there:
				f.Searchable, f.Sortable, f.Stored = false, false, false
			default:
				f.Searchable = f.Searchable && source.Searchable
				f.Sortable = f.Sortable && source.Sortable && p == head
			}
		}
		out.Fields[name] = f
	}
	return out, nil
}
