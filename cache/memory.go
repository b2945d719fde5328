package cache

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
)

// Memory is a Store in this process, bounded in bytes.
type Memory struct {
	table table
	gens  generations
}

// DefaultMemoryBytes is the size of a Memory that was not told another.
const DefaultMemoryBytes = 64 << 20

// NewMemory makes a store of at most about maxBytes, 0 for
// DefaultMemoryBytes. Values larger than an eighth of it are not kept.
func NewMemory(maxBytes int64) *Memory {
	return &Memory{table: newTable(maxBytes)}
}

// Get implements Store.
func (m *Memory) Get(_ context.Context, key Key) (Value, Generation, bool) {
	gen := m.gens.of(&key)
	v, ok := m.table.get(&key, gen)
	return v, gen, ok
}

// Set implements Store.
func (m *Memory) Set(_ context.Context, key Key, gen Generation, v Value, ttl time.Duration) {
	if gen == m.gens.of(&key) {
		m.table.set(key, gen, v, ttl)
	}
}

// Bump implements Store.
func (m *Memory) Bump(_ context.Context, subjects ...Subject) { m.gens.bump(subjects...) }

// Clear implements Store.
func (m *Memory) Clear(_ context.Context, s Subject) int {
	m.gens.bump(s)
	return m.table.remove(s)
}

// Count implements Store. It counts values that can still be reached.
func (m *Memory) Count(_ context.Context, tenant, system string) int {
	return m.table.count(Subject{Tenant: tenant, System: system}, m.gens.of)
}

// Close implements Store.
func (m *Memory) Close() error {
	m.table.close()
	return nil
}

// table keeps values with the generation they were stored under.
type table struct {
	cache    *otter.Cache[[20]byte, *entry]
	maxValue int
}

type entry struct {
	key   Key
	gen   Generation
	value Value
	ttl   time.Duration
}

// entryOverhead is about what an entry costs beside its bytes.
const entryOverhead = 320

func (e *entry) size() int { return len(e.value.Body) + len(e.value.Meta) + entryOverhead }

func newTable(maxBytes int64) table {
	if maxBytes <= 0 {
		maxBytes = DefaultMemoryBytes
	}
	cache := otter.Must(&otter.Options[[20]byte, *entry]{
		MaximumWeight: uint64(maxBytes),
		Weigher:       func(_ [20]byte, e *entry) uint32 { return uint32(e.size()) },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[[20]byte, *entry]) time.Duration {
			return e.Value.ttl
		}),
	})
	return table{cache: cache, maxValue: int(min(maxBytes/8, 1<<30))}
}

func (t *table) get(key *Key, gen Generation) (Value, bool) {
	e, ok := t.cache.GetIfPresent(key.sum)
	if !ok || e.gen != gen {
		return Value{}, false
	}
	return e.value, true
}

func (t *table) set(key Key, gen Generation, v Value, ttl time.Duration) {
	e := &entry{key: key, gen: gen, value: v, ttl: ttl}
	if ttl > 0 && e.size() <= t.maxValue {
		t.cache.Set(key.sum, e)
	}
}

func (t *table) remove(s Subject) int {
	var sums [][20]byte
	for sum, e := range t.cache.All() {
		if e.key.concerns(s) {
			sums = append(sums, sum)
		}
	}
	for _, sum := range sums {
		t.cache.Invalidate(sum)
	}
	return len(sums)
}

func (t *table) count(s Subject, gen func(*Key) Generation) int {
	n := 0
	for _, e := range t.cache.All() {
		if e.key.concerns(s) && e.gen == gen(&e.key) {
			n++
		}
	}
	return n
}

func (t *table) close() {
	t.cache.InvalidateAll()
	t.cache.StopAllGoroutines()
}
