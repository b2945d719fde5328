package bridge

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// Systems refuse "partner_id.email" in a list of fields. The bridge reads the
// relation's records itself: one further read for each relation, whatever the
// number of records.

const expandChunk = 500 // records in one read

// reach bounds how far fields lead through relations.
type reach struct {
	depth     int // relations in one path
	relations int // relations in one request
}

// callersReach is that of fields that a request brings. Those of a mapping were
// looked at by people.
var (
	callersReach  = reach{depth: 3, relations: 12}
	mappingsReach = reach{depth: 10, relations: 200}
)

// autoExpand is what search_read fetches along with a partner_id, as it is
// documented to.
const (
	autoField = "partner_id"
	autoModel = "res.partner"
)

var autoFields = []string{"name", "email", "phone"}

// expansion is a tree of relations to follow.
type expansion struct {
	base   Names // what to read of the model itself
	order  []string
	root   *node
	nested bool
	down   bool // the system follows the paths by itself
	auto   bool // nobody asked: it must not fail what was asked for
}

type node struct {
	model     string
	fields    []string // to read
	paths     []string // asked for, in order; each a field or a path on
	relations []*relation
}

type relation struct {
	field string
	many  bool
	asked bool // the field itself was asked for too
	node  *node
}

// planExpansion sees whether fields lead through relations.
func (s *System) planExpansion(ctx context.Context, p *plan, r *OperationRequest, auto bool) error {
	e, related, err := s.expansionOf(ctx, p.model, r.Fields, r.Expand, auto)
	p.expand, p.related = e, related
	return err
}

func (s *System) expansionOf(ctx context.Context, model string, fields []string, how Expand, auto bool) (*expansion, []string, error) {
	dotted := slices.ContainsFunc(fields, func(f string) bool { return strings.Contains(f, ".") })
	switch {
	case dotted:
		return s.expansionTo(ctx, model, fields, how, callersReach)
	case auto && slices.Contains(fields, autoField) && s.allowed(ctx, autoModel, "read") == nil:
		// That partner_id leads to partners is looked up when the system is
		// asked: what is kept must be found without it.
		along := &relation{field: autoField, asked: true, node: &node{model: autoModel, fields: autoFields, paths: autoFields}}
		order := slices.Clone(fields)
		for _, f := range autoFields {
			order = append(order, autoField+"."+f)
		}
		e := &expansion{
			base: fields, order: order, auto: true, nested: how == ExpandNested,
			root: &node{model: model, fields: fields, paths: order, relations: []*relation{along}},
		}
		return e, []string{autoModel}, nil
	}
	return nil, nil, nil
}

func (s *System) expansionTo(ctx context.Context, model string, fields []string, how Expand, most reach) (*expansion, []string, error) {
	root, err := s.nodeOf(ctx, model, fields, most, &reach{})
	if err != nil {
		return nil, nil, err
	}
	var related []string
	root.models(&related)
	e := &expansion{base: root.fields, order: fields, root: root, nested: how == ExpandNested}
	nature, err := s.nature(ctx)
	if nature.nests && s.pin == nil {
		e.down, e.base = true, fields
	}
	return e, related, err
}

// nodeOf resolves paths on a model.
func (s *System) nodeOf(ctx context.Context, model string, paths []string, most reach, gone *reach) (*node, error) {
	n := &node{model: model}
	subs := map[string][]string{}
	var heads []string
	for _, path := range paths {
		if slices.Contains(n.paths, path) {
			continue
		}
		n.paths = append(n.paths, path)
		head, rest, deeper := strings.Cut(path, ".")
		if head == "" || deeper && rest == "" {
			return nil, wrong("fields", "fields: %s is no field", clip(path))
		}
		if !slices.Contains(n.fields, head) {
			n.fields = append(n.fields, head)
		}
		if deeper {
			if subs[head] == nil {
				heads = append(heads, head)
			}
			subs[head] = append(subs[head], rest)
		}
	}
	if len(heads) == 0 {
		return n, nil
	}
	if gone.depth == most.depth {
		return nil, wrong("fields", "fields can lead through at most %d relations", most.depth)
	}
	described, err := s.schema(ctx, model)
	if err != nil {
		return nil, err
	}
	for _, head := range heads {
		if gone.relations++; gone.relations > most.relations {
			return nil, wrong("fields", "fields can lead through at most %d relations in one request", most.relations)
		}
		f, ok := described.Fields[head]
		if !ok {
			return nil, unknownField(described, head)
		}
		if !f.Type.Relational() || f.Relation == "" {
			return nil, &adapter.Error{Code: adapter.InvalidArgument, Model: model, Field: head, Message: "field \"" + head + "\" of " + model + " is no relation, so nothing can be read through it"}
		}
		if err := s.allowed(ctx, f.Relation, "read"); err != nil {
			return nil, err
		}
		gone.depth++
		sub, err := s.nodeOf(ctx, f.Relation, subs[head], most, gone)
		gone.depth--
		if err != nil {
			return nil, err
		}
		n.relations = append(n.relations, &relation{
			field: head, many: f.Type != adapter.Many2One, asked: slices.Contains(paths, head), node: sub,
		})
	}
	return n, nil
}

// unknownField has the words of Odoo, which clients look for.
func unknownField(s *adapter.Schema, name string) error {
	message := "Invalid field '" + name + "' on model '" + s.Model + "'"
	if near := adapter.Nearest(name, slices.Sorted(maps.Keys(s.Fields))); near != "" {
		message += "; did you mean " + near + "?"
	}
	return &adapter.Error{Code: adapter.InvalidArgument, Model: s.Model, Field: name, Message: message}
}

func (n *node) models(out *[]string) {
	for _, r := range n.relations {
		if !slices.Contains(*out, r.node.model) {
			*out = append(*out, r.node.model)
		}
		r.node.models(out)
	}
}

// expandAnswer follows the relations of the records in an answer.
func (s *System) expandAnswer(ctx context.Context, p *plan, a Answer) (Answer, error) {
	records, err := a.Records()
	if err != nil {
		return Answer{}, err
	}
	done, err := s.expandRecords(ctx, p.expand, records, false)
	if err != nil {
		return Answer{}, err
	}
	if done.settled {
		if a.Result, err = encodeRecords(records, p.expand.order); err != nil {
			return Answer{}, err
		}
		a.Optimized = true
	}
	a.transient = done.transient
	return a, nil
}

// expanded is how an expansion ended: settled where it was made, transient where it was
// not but may be another time.
type expanded struct{ settled, transient bool }

func (s *System) expandRecords(ctx context.Context, e *expansion, records []adapter.Record, plain bool) (expanded, error) {
	switch {
	case e.down:
		if !e.nested {
			for _, r := range records {
				lay(r, e.root.paths)
			}
		}
		return expanded{settled: true}, nil
	case !e.auto:
		return expanded{settled: true}, s.follow(ctx, e.root, records, e.nested, plain)
	}
	described, err := s.schema(ctx, e.root.model)
	if err == nil {
		if described.Fields[autoField].Relation != autoModel {
			return expanded{}, nil
		}
		// On a copy, so that a failure half way leaves nothing behind.
		wider := make([]adapter.Record, len(records))
		for i, r := range records {
			wider[i] = make(adapter.Record, len(r)+len(autoFields))
			for name, v := range r {
				wider[i][name] = v
			}
		}
		if err = s.follow(ctx, e.root, wider, e.nested, plain); err == nil {
			copy(records, wider)
			return expanded{settled: true}, nil
		}
	}
	if ctx.Err() != nil {
		return expanded{}, err
	}
	s.bridge.log.Debug("partners were not fetched along", "system", s.link.config, "model", e.root.model, "error", err)
	return expanded{transient: adapter.CodeOf(err) != adapter.PermissionDenied}, nil
}

// lay puts what a system nested under the paths that were asked for.
func lay(r adapter.Record, paths []string) {
	values := make(map[string]any, len(paths))
	for _, path := range paths {
		values[path] = at(map[string]any(r), path)
	}
	for _, path := range paths {
		if head, _, deeper := strings.Cut(path, "."); deeper && !slices.Contains(paths, head) {
			delete(r, head)
		}
	}
	for path, v := range values {
		r[path] = v
	}
}

// at follows a path through nested records; through a list it leads to a list.
func at(v any, path string) any {
	switch v := v.(type) {
	case map[string]any:
		head, rest, deeper := strings.Cut(path, ".")
		if !deeper {
			return v[head]
		}
		return at(v[head], rest)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = at(item, path)
		}
		return out
	}
	return nil
}

// follow reads the relations of a node and puts what it finds into the
// records.
func (s *System) follow(ctx context.Context, n *node, records []adapter.Record, nested, plain bool) error {
	for _, rel := range n.relations {
		var ids []adapter.ID
		seen := map[adapter.ID]bool{}
		for _, r := range records {
			for _, id := range rel.idsOf(r) {
				if !seen[id] {
					seen[id] = true
					ids = append(ids, id)
				}
			}
		}
		found := make(map[adapter.ID]adapter.Record, len(ids))
		for chunk := range slices.Chunk(ids, expandChunk) {
			var others []adapter.Record
			err := s.do(ctx, work{operation: "read", model: rel.node.model, run: func(ctx context.Context, a adapter.Adapter) (err error) {
				others, err = adapter.Read(ctx, a, rel.node.model, chunk, rel.node.fields)
				return err
			}})
			if err != nil {
				return err
			}
			if err := s.follow(ctx, rel.node, others, nested, plain); err != nil {
				return err
			}
			for _, o := range others {
				found[o.ID()] = o
			}
		}
		for _, r := range records {
			if nested {
				rel.nest(r, found)
			} else {
				rel.flatten(r, found, plain)
			}
		}
	}
	return nil
}

func (rel *relation) idsOf(r adapter.Record) []adapter.ID {
	if rel.many {
		return r.IDs(rel.field)
	}
	if ref, ok := r.Ref(rel.field); ok {
		return []adapter.ID{ref.ID}
	}
	return nil
}

// nest puts the records in the place of their ids.
func (rel *relation) nest(r adapter.Record, found map[adapter.ID]adapter.Record) {
	object := func(id adapter.ID) map[string]any {
		out := map[string]any{"id": id}
		for _, name := range rel.node.fields {
			if v, ok := found[id][name]; ok {
				out[name] = v
			}
		}
		return out
	}
	if rel.many {
		list := []any{}
		for _, id := range rel.idsOf(r) {
			list = append(list, object(id))
		}
		r[rel.field] = list
		return
	}
	ref, ok := r.Ref(rel.field)
	if !ok {
		return
	}
	out := object(ref.ID)
	if _, has := out["display_name"]; !has && ref.Name != "" {
		out["display_name"] = ref.Name
	}
	r[rel.field] = out
}

// flatten puts what was asked of the records under its path. What is not
// there is empty as the system writes it.
func (rel *relation) flatten(r adapter.Record, found map[adapter.ID]adapter.Record, plain bool) {
	var empty any = false
	if plain {
		empty = nil
	}
	pick := func(id adapter.ID, path string) any {
		if v, ok := found[id][path]; ok {
			return v
		}
		return empty
	}
	ids := rel.idsOf(r)
	for _, path := range rel.node.paths {
		switch {
		case rel.many:
			list := make([]any, len(ids))
			for i, id := range ids {
				list[i] = pick(id, path)
			}
			r[rel.field+"."+path] = list
		case len(ids) == 0:
			r[rel.field+"."+path] = empty
		default:
			r[rel.field+"."+path] = pick(ids[0], path)
		}
	}
	if !rel.asked {
		delete(r, rel.field)
	}
}

// schemas remembers the models that paths lead through, for a moment: behind
// it are the cache and the system.
type schemas struct {
	mu   sync.Mutex
	made map[string]described
}

type described struct {
	schema *adapter.Schema
	at     time.Time
}

const (
	schemasMost = 256
	schemasFor  = time.Minute
)

func (m *schemas) get(model string) *adapter.Schema {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d, ok := m.made[model]; ok && time.Since(d.at) < schemasFor {
		return d.schema
	}
	return nil
}

func (m *schemas) set(model string, s *adapter.Schema) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.made == nil || len(m.made) >= schemasMost {
		m.made = map[string]described{}
	}
	m.made[model] = described{s, time.Now()}
}

func (m *schemas) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.made = nil
}
