package salesforce

import (
	"context"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// selection is what a query reads of each record: a tree along its
// relationships.
type selection struct {
	object *object
	fields []*field
	asked  map[string]bool // of the fields: those that the answer shows
	one    []*relation     // to one record
	many   []*relation     // to many
}

// relation is a step from a record to another, or to many.
type relation struct {
	name      string
	reference *field // of a step to one
	child     *child // of a step to many
	selection *selection
	// asRef gives the record as [id, name], and the many as their ids: what
	// a relation reads as whose fields were not asked for.
	asRef bool
	shown bool // the answer shows it
}

// pathDepth is how many references a path may follow, as Salesforce has it.
const pathDepth = 5

func newSelection(o *object) *selection { return &selection{object: o, asked: map[string]bool{}} }

// selectOnly selects the id and one field, which is not a path.
func selectOnly(o *object, name string) *selection {
	s := newSelection(o)
	s.show("Id")
	s.show(name)
	return s
}

func (s *selection) show(name string) bool {
	if !s.add(name) {
		return false
	}
	if name == "id" {
		name = "Id"
	}
	s.asked[name] = true
	return true
}

// add reads a field without showing it.
func (s *selection) add(name string) bool {
	f, ok := s.object.field(name)
	if !ok {
		return false
	}
	if !slices.Contains(s.fields, f) {
		s.fields = append(s.fields, f)
	}
	return true
}

// selectFields prepares what was asked for; nil asks for every field of the
// records themselves.
func (c *Client) selectFields(ctx context.Context, o *object, fields []string) (*selection, error) {
	s := newSelection(o)
	s.show("Id")
	if fields == nil {
		for i := range o.Fields {
			s.show(o.Fields[i].Name)
		}
		return s, nil
	}
	for _, path := range fields {
		if err := c.selectPath(ctx, s, path, true, 0); err != nil {
			return nil, withModel(err, o.Name)
		}
	}
	return s, nil
}

// selectPath adds a path to the selection.
func (c *Client) selectPath(ctx context.Context, s *selection, path string, shown bool, depth int) error {
	name, rest, more := strings.Cut(path, ".")
	if !more {
		if shown && s.show(name) || !shown && s.add(name) {
			return nil
		}
		if o, _, ok := c.lookUp(ctx, s.object, name); ok {
			s.object = o
			s.show(name)
			return nil
		}
	}
	if depth > pathDepth {
		return badField(s.object, path, "follows more than 5 references, which Salesforce does not")
	}
	if f, ok := s.object.relations[name]; ok {
		return c.selectOne(ctx, s, f, rest, shown, depth)
	}
	if children, ok := s.object.children[name]; ok {
		if depth > 0 {
			return badField(s.object, path, "leads to many records behind another record: read those in a query of their own")
		}
		return c.selectMany(ctx, s, children, rest, depth)
	}
	if f, ok := s.object.field(name); ok {
		if f.Relationship != "" {
			return badField(s.object, path, "holds an id; the fields of the record are behind "+quote(f.Relationship+"."+rest))
		}
		return badField(s.object, path, "leads to no other record")
	}
	return adapter.UnknownField(s.object.schema, name)
}

func badField(o *object, path, problem string) error {
	return &adapter.Error{
		Code: adapter.InvalidArgument, Model: o.Name, Field: clip(path, 80), NothingSent: true,
		Message: "the field " + quote(path) + " " + problem,
	}
}

func (c *Client) selectOne(ctx context.Context, s *selection, f *field, rest string, shown bool, depth int) error {
	r := find(&s.one, f.Relationship)
	if r.selection == nil {
		target, err := c.target(ctx, f)
		if err != nil {
			return err
		}
		r.reference, r.selection = f, newSelection(target)
	}
	r.shown = r.shown || shown
	if rest != "" {
		return c.selectPath(ctx, r.selection, rest, shown, depth+1)
	}
	r.asRef = len(r.selection.asked) == 0
	r.selection.show("Id")
	if name := r.selection.object.nameField; name != "" {
		r.selection.show(name)
	}
	return nil
}

func (c *Client) selectMany(ctx context.Context, s *selection, children *child, rest string, depth int) error {
	r := find(&s.many, children.Relationship)
	if r.selection == nil {
		target, err := c.object(ctx, children.Object)
		if err != nil {
			return err
		}
		r.child, r.selection, r.shown = children, newSelection(target), true
	}
	if rest != "" {
		r.asRef = false
		return c.selectPath(ctx, r.selection, rest, true, depth+1)
	}
	r.asRef = len(r.selection.asked) == 0
	r.selection.show("Id")
	return nil
}

// find returns the relation of a name, adding it if need be.
func find(list *[]*relation, name string) *relation {
	for _, r := range *list {
		if r.name == name {
			return r
		}
	}
	r := &relation{name: name}
	*list = append(*list, r)
	return r
}

// columns are the paths of all fields that SOQL selects, but for child
// records.
func (s *selection) columns(prefix string, out []string) []string {
	for _, f := range s.fields {
		out = append(out, prefix+f.Name)
	}
	for _, r := range s.one {
		out = r.selection.columns(prefix+r.name+".", out)
	}
	return out
}

// list is the list of a SELECT.
func (s *selection) list() string {
	parts := s.columns("", nil)
	for _, r := range s.many {
		inner := r.selection
		if len(inner.fields) == 0 && len(inner.one) == 0 {
			inner.add("Id")
		}
		parts = append(parts, "(SELECT "+inner.list()+" FROM "+r.name+" ORDER BY Id)")
	}
	return strings.Join(parts, ", ")
}

// flat reports whether a table can hold what is selected, as the Bulk API
// needs it: no child records and no compound fields.
func (s *selection) flat() bool {
	if len(s.many) > 0 {
		return false
	}
	for _, f := range s.fields {
		switch f.Type {
		case "address", "location", "base64", "complexvalue", "json":
			return false
		}
	}
	for _, r := range s.one {
		if !r.selection.flat() {
			return false
		}
	}
	return true
}

// shape turns a record as Salesforce wrote it into what was asked for.
// Everything that was read is kept in hidden form until then, for the filter.
func (s *selection) shape(raw map[string]any, plain bool) adapter.Record {
	r := make(adapter.Record, len(s.asked)+len(s.one)+len(s.many))
	for _, f := range s.fields {
		if s.asked[f.Name] {
			r[f.Name] = f.readValue(raw[f.Name], plain)
		}
	}
	for _, rel := range s.one {
		if rel.shown {
			r[rel.name] = rel.shapeOne(raw[rel.name], plain)
		}
	}
	for _, rel := range s.many {
		r[rel.name] = rel.shapeMany(raw[rel.name], plain)
	}
	return r
}

func (r *relation) shapeOne(v any, plain bool) any {
	raw, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	shaped := r.selection.shape(raw, plain)
	if !r.asRef {
		return map[string]any(shaped)
	}
	name, _ := shaped[r.selection.object.nameField].(string)
	return []any{shaped["Id"], name}
}

func (r *relation) shapeMany(v any, plain bool) any {
	list, _ := v.([]any)
	if nested, ok := v.(map[string]any); ok {
		list, _ = nested["records"].([]any)
	}
	out := make([]any, 0, len(list))
	for _, item := range list {
		raw, ok := item.(map[string]any)
		if !ok {
			continue
		}
		shaped := r.selection.shape(raw, plain)
		if r.asRef {
			out = append(out, shaped["Id"])
			continue
		}
		out = append(out, map[string]any(shaped))
	}
	return out
}

// whole turns a record into the form that conditions are held against: all
// that was read, shown or not.
func (s *selection) whole(raw map[string]any) adapter.Record {
	r := make(adapter.Record, len(s.fields)+len(s.one))
	for _, f := range s.fields {
		r[f.Name] = f.readValue(raw[f.Name], true)
	}
	for _, rel := range s.one {
		if nested, ok := raw[rel.name].(map[string]any); ok {
			r[rel.name] = map[string]any(rel.selection.whole(nested))
			continue
		}
		r[rel.name] = nil
	}
	return r
}
