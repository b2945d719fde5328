package odootest

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
)

// database is the simulated PostgreSQL: the tables of all models that the
// version has.
type database struct {
	major  int
	now    func() time.Time
	mu     sync.RWMutex // held by a call for its whole length
	models map[string]*table
	seq    map[string]int64
	last   string // the last write time, so that each is later

	terms map[string]Terms // beside English
}

// row is a record's stored values by field: nil for empty, int64 for a
// many2one, []int64 for a many2many, strings for dates and binaries.
type row map[string]any

// table is a model and its records.
type table struct {
	model  string
	label  string
	fields map[string]schemas.Field
	names  []string // of the fields, in the order in which answers have them
	rows   map[int64]row
	ids    []int64 // ascending
	next   int64
	order  []orderTerm
	// children index the many2ones behind one2manys: field, parent, ids.
	children map[string]map[int64][]int64
	computes map[string]func(e *env, t *table, id int64) any
	lazy     func() // fills the table at its first use
	once     sync.Once
}

func newDatabase(major int, now func() time.Time) *database {
	db := &database{major: major, now: now, models: map[string]*table{}, seq: map[string]int64{}}
	for _, known := range schemas.Models() {
		name, ok := schemas.ModelName(known, major)
		if !ok {
			continue
		}
		db.add(name, schemas.Fields(name, major))
	}
	for name, fields := range wizardModels {
		db.add(name, fields)
	}
	// Index every many2one that some one2many reads backwards.
	for _, t := range db.models {
		for _, f := range t.fields {
			if child := db.models[f.Relation]; f.Type == "one2many" && f.Inverse != "" && child != nil && child.fields[f.Inverse].Type == "many2one" {
				child.children[f.Inverse] = map[int64][]int64{}
			}
		}
	}
	return db
}

func (db *database) add(name string, fields map[string]schemas.Field) {
	t := &table{model: name, label: modelLabel(name, db.major), fields: fields, rows: map[int64]row{}, next: 1, children: map[string]map[int64][]int64{}}
	t.names = slices.Sorted(maps.Keys(fields))
	slices.SortStableFunc(t.names, func(a, b string) int { return nameRank(a) - nameRank(b) })
	t.computes = map[string]func(e *env, t *table, id int64) any{}
	for _, field := range t.names {
		if compute := computes[name+"."+field]; compute != nil {
			t.computes[field] = compute
		} else if compute := computes["."+field]; compute != nil {
			t.computes[field] = compute
		}
	}
	t.order = defaultOrder(name, db.major, fields)
	db.models[name] = t
}

func nameRank(field string) int {
	switch field {
	case "id":
		return 0
	case "display_name":
		return 1
	case "create_uid", "create_date", "write_uid", "write_date", "__last_update":
		return 3
	}
	return 2
}

// get returns the table of a model, nil if the version lacks it.
func (db *database) get(model string) *table {
	t := db.models[model]
	if t != nil && t.lazy != nil {
		t.once.Do(t.lazy)
	}
	return t
}

// set stores a row under an id (nil removes it) and returns what was there.
func (t *table) set(id int64, r row) row {
	old := t.rows[id]
	for field, index := range t.children {
		before, _ := old[field].(int64)
		after, _ := r[field].(int64)
		if before == after {
			continue
		}
		if before != 0 {
			index[before] = without(index[before], id)
		}
		if after != 0 {
			index[after] = with(index[after], id)
		}
	}
	if r == nil {
		delete(t.rows, id)
		t.ids = without(t.ids, id)
		return old
	}
	t.rows[id] = r
	if old == nil {
		t.ids = with(t.ids, id)
	}
	return old
}

// with and without return new slices: readers may hold the old ones.
func with(ids []int64, id int64) []int64 {
	if n := len(ids); n == 0 || ids[n-1] < id {
		return append(ids, id)
	}
	i, found := slices.BinarySearch(ids, id)
	if found {
		return ids
	}
	return slices.Insert(slices.Clone(ids), i, id)
}

func without(ids []int64, id int64) []int64 {
	i, found := slices.BinarySearch(ids, id)
	if !found {
		return ids
	}
	return slices.Delete(slices.Clone(ids), i, i+1)
}

// env is one call's view of the database: who calls, with which context, and
// how to undo what the call did.
type env struct {
	*database
	user    *account
	context map[string]any
	stamp   string // of all that the call writes
	undo    []func()
	depth   int // of sudo
}

func (e *env) uid() int64 {
	if e.user == nil {
		return 1
	}
	return e.user.id
}

// put stores a row so that a failing call can take it back.
func (e *env) put(t *table, id int64, r row) {
	old := t.set(id, r)
	e.undo = append(e.undo, func() { t.set(id, old) })
}

// rollback takes back all that the call did.
func (e *env) rollback() {
	for _, undo := range slices.Backward(e.undo) {
		undo()
	}
	e.undo = nil
}

// sudo runs f without access rights.
func (e *env) sudo(f func() error) error {
	e.depth++
	defer func() { e.depth-- }()
	return f()
}

// number returns the next number of a sequence. Like PostgreSQL's, it does not
// go back when the call fails.
func (e *env) number(name string) int64 {
	e.seq[name]++
	return e.seq[name]
}

// field is the name that this version has for a field, given the name of any
// version; "" where there is none.
func (e *env) field(model, name string) string {
	if t := e.models[model]; t != nil {
		if _, ok := t.fields[name]; ok {
			return name
		}
	}
	counterpart, _ := schemas.Counterpart(model, name, e.major)
	return counterpart
}

// timestamp is the time of the call with microseconds, as PostgreSQL keeps it,
// and later than any before it, unless the clock was put back.
func (db *database) timestamp() string {
	const layout = "2006-01-02 15:04:05.000000"
	t := db.now().UTC()
	s := t.Format(layout)
	if s[20:] == "000000" {
		s = t.Add(time.Microsecond).Format(layout)
	}
	if last, _ := time.Parse(layout, db.last); s <= db.last && last.Sub(t) < time.Second {
		s = last.Add(time.Microsecond).Format(layout)
	}
	db.last = s
	return s
}

// seconds cuts the microseconds off, as reading does.
func seconds(stamp string) string {
	if len(stamp) > 19 {
		return stamp[:19]
	}
	return stamp
}
