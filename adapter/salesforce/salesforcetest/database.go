package salesforcetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// database is the objects and records of an org. Its caller holds the lock of
// the server.
type database struct {
	objects map[string]*object // by lower-case name
	names   []string           // in alphabetic order
	now     func() time.Time
	user    string         // the id of the user whose calls they are
	locked  map[string]int // how many more writes of a record fail
	faults  []*recordStrike
	custom  int // how many custom objects got a key prefix

	standardPricebook string
}

// apiError is an error as the API answers it.
type apiError struct {
	status  int // 0 is 400
	code    string
	message string
	fields  []string // nil leaves the member out
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func (e *apiError) httpStatus() int {
	if e.status == 0 {
		return 400
	}
	return e.status
}

// tx is a transaction: what to undo when it fails.
type tx struct {
	db   *database
	undo []func()
	when moment
}

func (db *database) begin() *tx { return &tx{db: db, when: moment(db.now().Unix())} }

// mark is a point to roll back to.
func (t *tx) mark() int { return len(t.undo) }

func (t *tx) rollback(mark int) {
	for i := len(t.undo) - 1; i >= mark; i-- {
		t.undo[i]()
	}
	t.undo = t.undo[:mark]
}

// put stores a record so that it can be undone.
func (t *tx) put(o *object, r row) {
	if old, known := o.table.get(r.id()); known {
		t.undo = append(t.undo, func() { o.table.put(old) })
	} else {
		id := r.id()
		t.undo = append(t.undo, func() { o.table.take(id) })
	}
	o.table.put(r)
}

func newDatabase(now func() time.Time) *database {
	return &database{objects: map[string]*object{}, now: now, locked: map[string]int{}}
}

// add adds objects that may refer to each other.
func (db *database) add(definitions ...Object) error {
	added := map[string]*object{}
	for _, d := range definitions {
		if d.KeyPrefix == "" {
			db.custom++
			d.KeyPrefix = fmt.Sprintf("a%02d", db.custom)
		}
		o, err := newObject(d)
		if err != nil {
			return err
		}
		key := strings.ToLower(d.Name)
		if db.objects[key] != nil || added[key] != nil {
			return fmt.Errorf("there is an object %s already", d.Name)
		}
		if other := db.byPrefix(d.KeyPrefix); len(d.KeyPrefix) != 3 || other != nil {
			return fmt.Errorf("the key prefix %q of %s is taken, or not of three characters", d.KeyPrefix, d.Name)
		}
		o.rules = rulesOf(d.Name)
		added[key] = o
	}
	for key, o := range added {
		db.objects[key] = o
		db.names = append(db.names, o.Name)
	}
	slices.Sort(db.names)
	for _, d := range definitions {
		if err := db.relate(db.object(d.Name)); err != nil {
			for key := range added {
				delete(db.objects, key)
			}
			db.names = slices.DeleteFunc(db.names, func(n string) bool { return added[strings.ToLower(n)] != nil })
			return err
		}
	}
	return nil
}

// relate enters an object's references as relationships of those they lead to.
func (db *database) relate(o *object) error {
	for i := range o.Fields {
		f := &o.Fields[i]
		for _, to := range f.ReferenceTo {
			target := db.object(to)
			if target == nil {
				return fmt.Errorf("%s.%s refers to %s, which is no object", o.Name, f.Name, to)
			}
			if i < systemFields || slices.Contains([]string{"OwnerId"}, f.Name) {
				continue
			}
			target.children = append(target.children, childRelationship{name: f.Children, object: o, field: i})
		}
	}
	return nil
}

func (db *database) object(name string) *object { return db.objects[strings.ToLower(name)] }

func (db *database) byPrefix(prefix string) *object {
	for _, o := range db.objects {
		if o.KeyPrefix == prefix {
			return o
		}
	}
	return nil
}

// find returns the record of an id of 15 or 18, whichever object it is of.
func (db *database) find(text string) (*object, row, bool) {
	id, ok := parseID(text)
	if !ok {
		return nil, nil, false
	}
	o := db.byPrefix(id[:3])
	if o == nil {
		return nil, nil, false
	}
	r, ok := o.table.get(id)
	return o, r, ok
}

// parent follows a reference; nil when it is empty or leads nowhere.
func (db *database) parent(o *object, r row, field int) (*object, row) {
	if r == nil || field < 0 {
		return nil, nil
	}
	target, found, ok := db.find(r.text(field))
	if !ok {
		return nil, nil
	}
	return target, found
}

// number makes the next automatic number of a shape such as "INV-{00000}".
func (t *table) number(field int, shape string) string {
	t.counter[field]++
	before, rest, _ := strings.Cut(shape, "{")
	zeros, after, _ := strings.Cut(rest, "}")
	digits := strconv.Itoa(t.counter[field])
	return before + strings.Repeat("0", max(0, len(zeros)-len(digits))) + digits + after
}
