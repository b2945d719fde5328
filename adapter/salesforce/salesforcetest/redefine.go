package salesforcetest

import (
	"fmt"
	"slices"
	"strings"
)

// redefine changes an object's definition and takes its records over.
func (s *Server) redefine(name string, change func(*Object) error) error {
	old := s.db.object(name)
	if old == nil {
		return fmt.Errorf("there is no object %s", name)
	}
	d := old.Object
	d.Fields = slices.Clone(old.Fields[systemFields:])
	if err := change(&d); err != nil {
		return err
	}
	made, err := newObject(d)
	if err != nil {
		return err
	}
	for i := range made.Fields {
		for _, to := range made.Fields[i].ReferenceTo {
			if s.db.object(to) == nil {
				return fmt.Errorf("%s.%s refers to %s, which is no object", d.Name, made.Fields[i].Name, to)
			}
		}
	}
	made.rules, made.children = old.rules, old.children
	for _, r := range old.table.rows {
		moved := make(row, len(made.Fields))
		for i := range made.Fields {
			if at := old.at(made.Fields[i].Name); at >= 0 {
				moved[i] = r[at]
			} else if made.Fields[i].Type == TypeBoolean {
				moved[i] = false
			}
		}
		made.table.put(moved)
	}
	made.table.next = old.table.next
	for at, n := range old.table.counter {
		if to := made.at(old.Fields[at].Name); to >= 0 {
			made.table.counter[to] = n
		}
	}
	s.db.objects[strings.ToLower(d.Name)] = made
	for _, o := range s.db.objects {
		o.children = slices.DeleteFunc(o.children, func(c childRelationship) bool { return c.object == old })
	}
	s.changed[made.Name] = s.config.Now()
	return s.db.relate(made)
}
