package salesforcetest

import (
	"slices"
	"strings"
)

// row is the values of a record by the ordinals of its object's fields. It is
// never changed: an update makes a new one, so that whoever holds a result
// keeps what was found.
type row []any

func (r row) id() string { return r[fieldID].(string) }

func (r row) deleted() bool { return r[fieldIsDeleted] == true }

func (r row) text(at int) string {
	if at < 0 {
		return ""
	}
	s, _ := r[at].(string)
	return s
}

func (r row) number(at int) float64 {
	n, _ := r[at].(float64)
	return n
}

// table keeps the records of an object, deleted ones too, in the order in
// which they were made.
type table struct {
	object  *object
	rows    []row
	at      map[string]int              // where a record is, by id
	unique  map[int]map[string][]string // ids by key, of fields that are external ids or unique
	parents map[int]map[string][]int    // where the records are that refer to an id, by field
	counter map[int]int                 // of automatic numbers
	next    int                         // number of the next id
}

func newTable(o *object) *table {
	t := &table{object: o, at: map[string]int{}, unique: map[int]map[string][]string{}, parents: map[int]map[string][]int{}, counter: map[int]int{}, next: 1}
	for i := range o.Fields {
		f := &o.Fields[i]
		if f.Unique || f.ExternalID {
			t.unique[i] = map[string][]string{}
		}
		if f.Type == TypeReference && !slices.Equal(f.ReferenceTo, []string{"User"}) {
			t.parents[i] = map[string][]int{}
		}
	}
	return t
}

// get returns a record by its id of 18, deleted ones too.
func (t *table) get(id string) (row, bool) {
	at, ok := t.at[id]
	if !ok {
		return nil, false
	}
	return t.rows[at], true
}

// key is how a value is compared for being unique.
func (f *Field) key(v any) (string, bool) {
	if v == nil {
		return "", false
	}
	text := f.text(v)
	if !f.CaseSensitive {
		text = strings.ToLower(text)
	}
	return text, true
}

// put stores a record, new or changed.
func (t *table) put(r row) {
	at, known := t.at[r.id()]
	if !known {
		at = len(t.rows)
		t.rows = append(t.rows, r)
		t.at[r.id()] = at
		t.link(at, nil, r)
		return
	}
	old := t.rows[at]
	t.unlink(at, old, r)
	t.rows[at] = r
	t.link(at, old, r)
}

// take removes the record that was put last, when its making is undone.
func (t *table) take(id string) {
	at := t.at[id]
	t.unlink(at, t.rows[at], nil)
	delete(t.at, id)
	t.rows = slices.Delete(t.rows, at, at+1)
}

// link enters a record in the indexes where it differs from the old one.
func (t *table) link(at int, old, r row) {
	for field, index := range t.unique {
		if old != nil && r[field] == old[field] {
			continue
		}
		if key, ok := t.object.Fields[field].key(r[field]); ok {
			index[key] = append(index[key], r.id())
		}
	}
	for field, index := range t.parents {
		if old != nil && r[field] == old[field] {
			continue
		}
		if id, ok := r[field].(string); ok {
			index[id] = append(index[id], at)
		}
	}
}

// unlink takes a record out of the indexes where the new one differs.
func (t *table) unlink(at int, old, r row) {
	for field, index := range t.unique {
		if r != nil && r[field] == old[field] {
			continue
		}
		if key, ok := t.object.Fields[field].key(old[field]); ok {
			index[key] = slices.DeleteFunc(slices.Clone(index[key]), func(id string) bool { return id == old.id() })
		}
	}
	for field, index := range t.parents {
		if r != nil && r[field] == old[field] {
			continue
		}
		if id, ok := old[field].(string); ok {
			index[id] = slices.DeleteFunc(slices.Clone(index[id]), func(i int) bool { return i == at })
		}
	}
}

// referring returns the records, deleted ones left out, whose field leads to
// an id, in the order in which they were made.
func (t *table) referring(field int, id string) []row {
	var found []row
	if index, ok := t.parents[field]; ok {
		list := slices.Clone(index[id])
		slices.Sort(list)
		for _, at := range list {
			if r := t.rows[at]; !r.deleted() {
				found = append(found, r)
			}
		}
		return found
	}
	for _, r := range t.rows {
		if r[field] == id && !r.deleted() {
			found = append(found, r)
		}
	}
	return found
}

// having returns the records, deleted ones left out, that have a value in a
// field that is an external id or unique.
func (t *table) having(field int, v any) []row {
	key, ok := t.object.Fields[field].key(v)
	if !ok {
		return nil
	}
	var found []row
	for _, id := range t.unique[field][key] {
		if r, ok := t.get(id); ok && !r.deleted() {
			found = append(found, r)
		}
	}
	return found
}
