package salesforce

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/bridgecore/bridgecore/adapter"
)

// draft is a record that is about to be written, with what is created along
// with it.
type draft struct {
	object   *object
	values   map[string]any
	parents  []*kin // created before it
	children []*kin // created after it
}

// kin is a record that a draft refers to, or that refers to it, along a
// reference.
type kin struct {
	reference string // of the one that refers
	draft     *draft
}

// nested reports whether more than one record is created.
func (d *draft) nested() bool { return len(d.parents) > 0 || len(d.children) > 0 }

// size counts the records.
func (d *draft) size() int {
	n := 1
	for _, list := range [...][]*kin{d.parents, d.children} {
		for _, k := range list {
			n += k.draft.size()
		}
	}
	return n
}

// draft prepares a record: every field is one of the object's that may be
// written, every value in Salesforce's form. The caller's map is not kept.
func (c *Client) draft(ctx context.Context, o *object, values adapter.Record, creating bool, depth int) (*draft, error) {
	if depth > pathDepth {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Model: o.Name, NothingSent: true, Message: "the records are nested more than 5 deep"}
	}
	d := &draft{object: o, values: make(map[string]any, len(values))}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := c.draftValue(ctx, d, name, values[name], creating, depth); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (c *Client) draftValue(ctx context.Context, d *draft, name string, v any, creating bool, depth int) error {
	f, ok := d.object.field(name)
	if !ok {
		d.object, f, ok = c.lookUp(ctx, d.object, name)
	}
	o := d.object
	if ok {
		if err := f.writable(o, creating); err != nil {
			return err
		}
		value, err := f.writeValue(o, v)
		d.values[f.Name] = value
		return err
	}
	if f, ok := o.relations[name]; ok {
		return c.draftParent(ctx, d, f, v, creating, depth)
	}
	children, ok := o.children[name]
	if !ok {
		return notSent(adapter.UnknownField(o.schema, name))
	}
	if !creating {
		return &adapter.Error{
			Code: adapter.Unsupported, Model: o.Name, Field: name, NothingSent: true,
			Message: "the records of " + quote(name) + " can't be written along with an update: create, update or delete them as records of " + children.Object,
		}
	}
	return c.draftChildren(ctx, d, children, v, depth)
}

func (f *field) writable(o *object, creating bool) error {
	switch {
	case creating && f.Createable, !creating && f.Updateable:
		return nil
	case creating && f.Updateable:
		return badValue(o, f.Name, "can't be set when the record is created, only afterwards")
	case !creating && f.Createable:
		return badValue(o, f.Name, "can only be set when the record is created")
	}
	return badValue(o, f.Name, "can't be written: Salesforce sets the field, or the user may not")
}

// draftParent takes what a relationship's name is set to: {"External_Id__c":
// "7"} refers to the record of that external id, as in Salesforce's own API; a
// reference or an id is the same as for the field that holds it; and an object
// of further fields is a record to be created.
func (c *Client) draftParent(ctx context.Context, d *draft, f *field, v any, creating bool, depth int) error {
	if err := f.writable(d.object, creating); err != nil {
		return err
	}
	m, ok := v.(map[string]any)
	if r, isRecord := v.(adapter.Record); isRecord {
		m, ok = r, true
	}
	if id, isID := idValue(v); isID || !ok {
		if isID {
			v = id
		}
		value, err := f.writeValue(d.object, v)
		d.values[f.Name] = value
		return err
	}
	target, err := c.target(ctx, f)
	if err != nil {
		return err
	}
	if len(m) == 1 {
		for key, value := range m {
			if by, ok := target.field(key); ok && by.key() {
				text, err := by.writeValue(target, value)
				if err != nil {
					return err
				}
				d.values[f.Relationship] = map[string]any{by.Name: text}
				return nil
			}
		}
	}
	if !creating {
		return &adapter.Error{
			Code: adapter.Unsupported, Model: d.object.Name, Field: f.Relationship, NothingSent: true,
			Message: "an update can't create the record of " + quote(f.Relationship) + ": create it first and set " + f.Name,
		}
	}
	parent, err := c.draft(ctx, target, m, true, depth+1)
	if err != nil {
		return err
	}
	d.parents = append(d.parents, &kin{reference: f.Name, draft: parent})
	return nil
}

// key reports whether Salesforce finds records by the field.
func (f *field) key() bool { return f.ExternalID || f.IDLookup && f.Type != "id" }

func (c *Client) draftChildren(ctx context.Context, d *draft, children *child, v any, depth int) error {
	list, err := recordList(v)
	if err != nil {
		return badValue(d.object, children.Relationship, "must be a list of records")
	}
	if len(list) == 0 {
		return nil
	}
	target, err := c.object(ctx, children.Object)
	if err != nil {
		return err
	}
	for i, values := range list {
		line, err := c.draft(ctx, target, values, true, depth+1)
		if err != nil {
			return inLine(err, children.Relationship, i)
		}
		d.children = append(d.children, &kin{reference: children.Field, draft: line})
	}
	return nil
}

// inLine says which of several nested records an error is about.
func inLine(err error, relationship string, i int) error {
	e, ok := err.(*adapter.Error) //nolint:errorlint // only our own, as it was made
	if !ok {
		return err
	}
	own := *e
	own.Field = relationship + "[" + strconv.Itoa(i) + "]"
	if e.Field != "" {
		own.Field += "." + e.Field
	}
	return &own
}

var errNoList = fmt.Errorf("salesforce: no list of records")

// recordList reads a list of records in any of the forms that callers have.
func recordList(v any) ([]adapter.Record, error) {
	var out []adapter.Record
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []adapter.Record:
		return v, nil
	case []map[string]any:
		for _, m := range v {
			out = append(out, m)
		}
		return out, nil
	case []any:
		for _, item := range v {
			switch item := item.(type) {
			case map[string]any:
				out = append(out, item)
			case adapter.Record:
				out = append(out, item)
			default:
				return nil, errNoList
			}
		}
		return out, nil
	}
	return nil, errNoList
}
