package saptest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// database holds the records of all services. Who reads holds the lock for
// reading until the answer is written out in memory; changes happen in a
// transaction that holds it alone.
type database struct {
	mu      sync.RWMutex
	tables  map[string]*table
	numbers map[string]int64 // number ranges
	streams map[*record]stream
}

// table holds the records of an entity set, in the order of their keys.
type table struct {
	db      *database
	ent     *entity // the one that is over no other
	rows    map[string]*record
	order   []*record
	dead    int // how many of order are deleted
	indexes map[string]*index
	checks  []Check
	// The simulator's own rules, in the same form for all tables.
	before, after rule
	locks         map[string]string // key: who has it
}

// record is a row. Its values are replaced as a whole, never changed.
type record struct {
	key  string
	vals []any
	dead bool
}

// stream is the content of a media entity.
type stream struct {
	kind    string
	content []byte
}

// index finds records by the values of some columns.
type index struct {
	columns []int
	rows    map[string][]*record
}

func newDatabase() *database {
	return &database{tables: map[string]*table{}, numbers: map[string]int64{}, streams: map[*record]stream{}}
}

// add makes the tables of a service. Entities that are over others share
// theirs.
func (db *database) add(s *Service) error {
	for _, e := range s.entities {
		if e.over == "" {
			for i, p := range e.props {
				p.column = i
			}
			e.table = &table{db: db, ent: e, rows: map[string]*record{}, indexes: map[string]*index{}, locks: map[string]string{}}
			db.tables[e.model()] = e.table
			continue
		}
		below := db.tables[e.over]
		if below == nil {
			return fmt.Errorf("%s is over the unknown entity set %q", e.model(), e.over)
		}
		e.table = below
		for _, p := range e.props {
			name := p.name
			if p.of != "" {
				name = p.of
			}
			column := below.ent.byName[name]
			if column == nil {
				return fmt.Errorf("%s.%s is over the unknown property %q", e.model(), p.name, name)
			}
			p.column, p.nullable = column.column, column.nullable
		}
	}
	return nil
}

// keyOf is the key of values, in a form whose order is that of the key.
func (t *table) keyOf(vals []any) string {
	if len(t.ent.keys) == 1 {
		return keyPart(t.ent.keys[0], vals[t.ent.keys[0].column])
	}
	var b strings.Builder
	for i, k := range t.ent.keys {
		if i > 0 {
			b.WriteByte(0)
		}
		b.WriteString(keyPart(k, vals[k.column]))
	}
	return b.String()
}

func keyPart(p *property, v any) string {
	switch v := v.(type) {
	case string:
		if p.alpha {
			return padZeros(v)
		}
		return v
	case int64:
		return fmt.Sprintf("%020d", uint64(v)+1<<63) //nolint:gosec // shifts negative numbers below positive ones
	case bool:
		if v {
			return "1"
		}
		return "0"
	case time.Time:
		return v.Format("2006-01-02T15:04:05.000000000")
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

// get finds a record by its key.
func (t *table) get(key string) *record { return t.rows[key] }

// position is where the first record of a key of at least this would stand.
func (t *table) position(key string) int {
	at, _ := slices.BinarySearchFunc(t.order, key, func(r *record, key string) int { return strings.Compare(r.key, key) })
	return at
}

func indexName(columns []int) string { return fmt.Sprint(columns) }

// indexed makes sure that there is an index of the columns, which is done
// when services are added.
func (t *table) indexed(columns []int) {
	name := indexName(columns)
	if t.indexes[name] != nil {
		return
	}
	x := &index{columns: columns, rows: map[string][]*record{}}
	for _, r := range t.order {
		if !r.dead {
			x.add(r)
		}
	}
	t.indexes[name] = x
}

func (x *index) key(vals []any) string {
	var b strings.Builder
	for i, c := range x.columns {
		if i > 0 {
			b.WriteByte(0)
		}
		if s, ok := vals[c].(string); ok {
			b.WriteString(s)
		} else {
			fmt.Fprint(&b, vals[c])
		}
	}
	return b.String()
}

func (x *index) add(r *record) {
	k := x.key(r.vals)
	x.rows[k] = append(x.rows[k], r)
}

func (x *index) remove(r *record) {
	k := x.key(r.vals)
	rows := x.rows[k]
	at := slices.Index(rows, r)
	if at < 0 {
		return
	}
	if len(rows) == 1 {
		delete(x.rows, k)
		return
	}
	x.rows[k] = slices.Delete(slices.Clone(rows), at, at+1)
}

// lookup returns the records whose columns have these values, by key.
func (t *table) lookup(columns []int, vals []any) []*record {
	x := t.indexes[indexName(columns)]
	if x == nil {
		return nil
	}
	probe := index{columns: make([]int, len(vals))}
	for i := range vals {
		if vals[i] == nil {
			return nil
		}
		probe.columns[i] = i
	}
	rows := x.rows[probe.key(vals)]
	if len(rows) > 1 {
		rows = slices.Clone(rows)
		slices.SortFunc(rows, func(a, b *record) int { return strings.Compare(a.key, b.key) })
	}
	return rows
}

func (t *table) link(r *record) {
	t.rows[r.key] = r
	r.dead = false
	for _, x := range t.indexes {
		x.add(r)
	}
}

func (t *table) unlink(r *record) {
	for _, x := range t.indexes {
		x.remove(r)
	}
	delete(t.rows, r.key)
	r.dead = true
}

// place puts a record where its key belongs in the order.
func (t *table) place(r *record) {
	if n := len(t.order); n == 0 || t.order[n-1].key < r.key {
		t.order = append(t.order, r)
		return
	}
	t.order = slices.Insert(t.order, t.position(r.key), r)
}

// sweep takes deleted records out of the order once they are many.
func (t *table) sweep() {
	if t.dead = 0; len(t.order) == 0 {
		return
	}
	for _, r := range t.order {
		if r.dead {
			t.dead++
		}
	}
	if t.dead*4 > len(t.order) {
		t.order = slices.DeleteFunc(t.order, func(r *record) bool { return r.dead })
		t.dead = 0
	}
}

// tx is a transaction: who makes it, and how to take it back.
type tx struct {
	db   *database
	call *call
	undo []func()
	gone map[*table]int
	etag time.Time // the last stamp given, as stamps of one record must differ
}

func (t *tx) insert(tab *table, vals []any) (*record, error) {
	r := &record{key: tab.keyOf(vals), vals: vals}
	if tab.rows[r.key] != nil {
		return nil, t.fail(400, "/IWBEP/CX_SD_GEN_DPC_BUSINS/010", text{"%s %s already exists", "%s %s ist bereits vorhanden"}, label(tab.ent.set), displayKey(tab.ent, vals))
	}
	tab.link(r)
	tab.place(r)
	t.undo = append(t.undo, func() { tab.unlink(r); tab.sweep() })
	return r, nil
}

func (t *tx) update(tab *table, r *record, vals []any) {
	old := r.vals
	set := func(v []any) {
		for _, x := range tab.indexes {
			x.remove(r)
		}
		r.vals = v
		for _, x := range tab.indexes {
			x.add(r)
		}
	}
	set(vals)
	t.undo = append(t.undo, func() { set(old) })
}

func (t *tx) remove(tab *table, r *record) {
	tab.unlink(r)
	if t.gone == nil {
		t.gone = map[*table]int{}
	}
	t.gone[tab]++
	t.undo = append(t.undo, func() { tab.link(r) })
}

// rollback takes back what was done since there were n steps.
func (t *tx) rollback(n int) {
	for len(t.undo) > n {
		t.undo[len(t.undo)-1]()
		t.undo = t.undo[:len(t.undo)-1]
	}
}

func (t *tx) commit() {
	for tab, n := range t.gone {
		if tab.dead += n; tab.dead*4 > len(tab.order) {
			tab.sweep()
		}
	}
}

// number takes the next of a number range.
func (t *tx) number(name string, first int64) int64 {
	n, ok := t.db.numbers[name]
	if !ok {
		n = first - 1
	}
	// Numbers of what was rolled back are lost, as buffered ranges lose them.
	t.db.numbers[name] = n + 1
	return n + 1
}

// displayKey is a key for people.
func displayKey(e *entity, vals []any) string {
	parts := make([]string, len(e.keys))
	for i, k := range e.keys {
		parts[i] = fmt.Sprint(vals[k.column])
	}
	return strings.Join(parts, "/")
}

// find looks a record up by the values of its table's key.
func (db *database) find(model string, key ...any) *record {
	t := db.tables[model]
	if t == nil {
		return nil
	}
	vals := make([]any, len(t.ent.props))
	for i, k := range t.ent.keys {
		vals[k.column] = key[i]
	}
	return t.rows[t.keyOf(vals)]
}

// related returns the records that a navigation leads to from a record.
func (n *navigation) related(vals []any) []*record {
	if n.to.table == nil {
		return nil
	}
	columns, want := make([]int, len(n.foreign)), make([]any, len(n.foreign))
	for i := range n.foreign {
		columns[i], want[i] = n.foreign[i].column, n.value(i, vals)
		if want[i] == "" && !n.many {
			return nil
		}
	}
	rows := n.to.table.lookup(columns, want)
	if !n.many && len(rows) > 1 {
		rows = rows[:1]
	}
	return rows
}

// value is what the i-th property on the far side must equal.
func (n *navigation) value(i int, vals []any) any {
	if n.local[i] == nil {
		return n.fixed[i]
	}
	return vals[n.local[i].column]
}
