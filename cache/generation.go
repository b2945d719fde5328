package cache

import (
	"hash/maphash"
	"sync/atomic"
)

// generations counts the changes of subjects within this process. Subjects
// share a fixed number of counters by their hash: memory stays bounded
// however many models are named, and two subjects that meet in one counter
// only cost each other a reload.
type generations [1 << 14]atomic.Uint64

func (g *generations) slot(space uint64, model string) *atomic.Uint64 {
	return &g[mix(space, maphash.String(seed, model))%uint64(len(g))]
}

// of combines the counters of everything that the key depends on. It is
// never zero.
func (g *generations) of(k *Key) Generation {
	h := mix(g.slot(k.space, "").Load(), g.slot(k.space, k.model).Load())
	for _, model := range k.related {
		h = mix(h, g.slot(k.space, model).Load())
	}
	return Generation(h | 1)
}

func (g *generations) bump(subjects ...Subject) {
	for _, s := range subjects {
		g.slot(spaceOf(s.Tenant, s.System), s.Model).Add(1)
	}
}
