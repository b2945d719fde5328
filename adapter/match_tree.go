package adapter

import (
	"errors"
	"strconv"
)

func itoa(n int) string { return strconv.Itoa(n) }

// maxAncestors bounds a walk up a hierarchy, so that one that bites its tail
// ends.
const maxAncestors = 10_000

// tree is where a child_of or parent_of looks.
type tree struct {
	model  string // of the hierarchy
	parent string // its field, "" if it has none
	self   bool   // the condition is on the records themselves, not on a relation
}

func (c *compiler) tree(cond Cond, model string, field Field) (tree, error) {
	t := tree{model: model, self: cond.Field == "id" || cond.Field == "Id"}
	if !t.self {
		t.model = field.Relation
	}
	if c.Resolver == nil || t.model == "" {
		return t, &Error{Code: Unsupported, Model: model, Field: cond.Field, Message: "operator \"" + string(cond.Op) + "\" on " + quote(cond.Field) + " needs the hierarchy of the records, which is not at hand here", Err: errors.ErrUnsupported}
	}
	t.parent = c.Resolver.ParentField(t.model)
	return t, nil
}

// roots are the records that a hierarchy operator starts from.
type roots struct {
	ids   *wanted
	names []pattern // a text asks for display names that contain it
	list  []ID
}

func rootsOf(v any) roots {
	values, ok := v.([]any)
	if !ok {
		values = []any{v}
	}
	rs := roots{ids: newWanted()}
	for _, v := range values {
		if IsEmpty(v) {
			continue
		}
		if s, ok := v.(string); ok {
			rs.names = append(rs.names, compilePattern(s, false, true))
		}
		if id, ok := IDOf(v); ok {
			rs.ids.add(id.Value())
			rs.list = append(rs.list, id)
		}
	}
	return rs
}

func (rs roots) has(r Record) bool {
	id := r.ID()
	if n, isInt := id.Int(); isInt && rs.ids.has(mustDecimal(n).key()) || !isInt && rs.ids.has(key{kind: 's', text: id.text}) {
		return true
	}
	name := displayName(r)
	for _, p := range rs.names {
		if p.match(name) {
			return true
		}
	}
	return false
}

func mustDecimal(n int64) decimal {
	d, _ := decimalOf(n)
	return d
}

// childOf holds for the given records and all below them.
func (c *compiler) childOf(cond Cond, model string, field Field) (test, error) {
	rs := rootsOf(cond.Value)
	if len(rs.list) == 0 {
		return always(false), nil
	}
	t, err := c.tree(cond, model, field)
	if err != nil {
		return nil, err
	}
	return func(r Record) (bool, error) {
		start, err := c.start(t, model, r, cond.Field)
		if err != nil {
			return false, err
		}
		found := false
		err = c.ancestors(t, start, func(r Record) bool {
			found = rs.has(r)
			return !found
		})
		return found, err
	}, nil
}

// parentOf holds for the given records and all above them.
func (c *compiler) parentOf(cond Cond, model string, field Field) (test, error) {
	rs := rootsOf(cond.Value)
	if len(rs.list) == 0 {
		return always(false), nil
	}
	t, err := c.tree(cond, model, field)
	if err != nil {
		return nil, err
	}
	start, err := c.Resolver.Read(t.model, rs.list)
	if err != nil {
		return nil, err
	}
	if len(start) == 0 && len(rs.names) > 0 {
		return nil, &Error{Code: Unsupported, Model: model, Field: cond.Field, Message: "operator \"parent_of\" needs ids here, not a name", Err: errors.ErrUnsupported}
	}
	above := map[ID]bool{}
	err = c.ancestors(t, start, func(r Record) bool {
		above[r.ID()] = true
		return true
	})
	if err != nil {
		return nil, err
	}
	return func(r Record) (bool, error) {
		start, err := c.start(t, model, r, cond.Field)
		if err != nil {
			return false, err
		}
		for _, r := range start {
			if above[r.ID()] {
				return true, nil
			}
		}
		return false, nil
	}, nil
}

// start returns the records of the hierarchy that r stands for.
func (c *compiler) start(t tree, model string, r Record, field string) ([]Record, error) {
	if t.self {
		return []Record{r}, nil
	}
	if IsEmpty(r[field]) && r[field] != nil {
		return nil, nil
	}
	return c.Resolver.Related(model, r, field)
}

// ancestors visits the records and everything above them, each once, until
// visit returns false.
func (c *compiler) ancestors(t tree, start []Record, visit func(Record) bool) error {
	seen := map[ID]bool{}
	queue := start
	for len(queue) > 0 && len(seen) < maxAncestors {
		r := queue[0]
		queue = queue[1:]
		if seen[r.ID()] {
			continue
		}
		seen[r.ID()] = true
		if !visit(r) {
			return nil
		}
		if t.parent == "" {
			continue
		}
		parents, err := c.Resolver.Related(t.model, r, t.parent)
		if err != nil {
			return err
		}
		queue = append(queue, parents...)
	}
	return nil
}
