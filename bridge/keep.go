package bridge

import (
	"context"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// Keep holds what cursors of [System.Changes] are too small for: sets of ids,
// by the hash of their content. A text that is kept twice is the same text.
type Keep interface {
	// Put keeps a content under a name for about [KeepFor], counted from now
	// also where it is kept already.
	Put(ctx context.Context, system SystemConfig, name string, content []byte) error
	// Get returns what is kept, or ErrNotFound; then the cursor is too old. What
	// was asked for is kept on for about KeepFor.
	Get(ctx context.Context, system SystemConfig, name string) ([]byte, error)
}

// KeepFor is how long a Keep holds what nobody asks for: cursors that nobody
// used for so long may be too old.
const KeepFor = 30 * 24 * time.Hour

// keepMost bounds what a memoryKeep holds, in bytes.
const keepMost = 64 << 20

// memoryKeep is a Keep in the memory of the process: the default. Where there
// is too much it forgets what was not asked for longest.
type memoryKeep struct {
	mu   sync.Mutex
	size int
	held map[keepName]*holding
}

type keepName struct{ tenant, system, name string }

type holding struct {
	content []byte
	used    time.Time
}

func newMemoryKeep() *memoryKeep { return &memoryKeep{held: map[keepName]*holding{}} }

// Put implements [Keep].
func (m *memoryKeep) Put(_ context.Context, system SystemConfig, name string, content []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := keepName{system.Tenant, system.ID, name}
	if k := m.held[key]; k != nil {
		k.used = time.Now()
		return nil
	}
	m.held[key] = &holding{content, time.Now()}
	m.size += len(content)
	for m.size > keepMost && len(m.held) > 1 {
		var oldest keepName
		var at time.Time
		for name, k := range m.held {
			if name != key && (at.IsZero() || k.used.Before(at)) {
				oldest, at = name, k.used
			}
		}
		m.size -= len(m.held[oldest].content)
		delete(m.held, oldest)
	}
	return nil
}

// Get implements [Keep].
func (m *memoryKeep) Get(_ context.Context, system SystemConfig, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.held[keepName{system.Tenant, system.ID, name}]
	if k == nil || time.Since(k.used) > KeepFor {
		return nil, adapter.Errorf(adapter.NotFound, "nothing is kept under this name")
	}
	k.used = time.Now()
	return k.content, nil
}
