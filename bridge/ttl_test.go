package bridge_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cache"
)

// ttls is a store that notes for how long it was asked to keep values.
type ttls struct {
	cache.Store
	seen []time.Duration
}

func (s *ttls) Set(_ context.Context, _ cache.Key, _ cache.Generation, _ cache.Value, ttl time.Duration) {
	s.seen = append(s.seen, ttl)
}

func TestRecordTTL(t *testing.T) {
	for _, want := range []time.Duration{0, 10 * time.Second} {
		store := &ttls{Store: cache.NewMemory(0)}
		kept := cache.New(store)
		b, err := bridge.New(bridge.Config{
			Source: bridge.Static(bridge.SystemConfig{Tenant: "a", ID: "main", Kind: "memory"}),
			Openers: map[string]bridge.Opener{"memory": func(context.Context, bridge.SystemConfig) (adapter.Adapter, error) {
				return memory.New(adapter.Schema{Model: "m", Fields: map[string]adapter.Field{"name": {Type: adapter.Char, Stored: true, Searchable: true}}}), nil
			}},
			Cache: kept, RecordTTL: want,
		})
		require.NoError(t, err)
		sys, err := b.System(t.Context(), bridge.Caller{Tenant: "a", User: "u"}, "main")
		require.NoError(t, err)
		_, err = sys.Read(t.Context(), bridge.Reading{Query: adapter.Query{Model: "m"}})
		require.NoError(t, err)
		if want == 0 {
			want = 5 * time.Minute
		}
		require.NotEmpty(t, store.seen)
		assert.InDelta(t, want.Seconds(), store.seen[len(store.seen)-1].Seconds(), want.Seconds()/9, "a tenth more or less")
		require.NoError(t, b.Close())
		require.NoError(t, kept.Close())
	}
	_, err := bridge.New(bridge.Config{Source: bridge.Static(), Openers: map[string]bridge.Opener{"x": func(context.Context, bridge.SystemConfig) (adapter.Adapter, error) { return nil, nil }}, RecordTTL: -1})
	assert.Error(t, err)
}
