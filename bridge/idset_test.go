package bridge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

// A set does what a map does, and is the same when it was written and read.
func TestIDSet(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6)) //nolint:gosec // a test
	some := func() (ids []adapter.ID) {
		for range random.IntN(40) {
			if n := random.Int64N(100) - 10; random.IntN(3) > 0 {
				ids = append(ids, adapter.IntID(n))
			} else {
				ids = append(ids, adapter.StringID(fmt.Sprintf("k%02d", n)))
			}
		}
		return ids
	}
	model := map[adapter.ID]bool{}
	s := newIDSet(nil)
	for range 300 {
		more, less := some(), some()
		isNew := slices.ContainsFunc(more, func(id adapter.ID) bool { return !model[id] })
		assert.Equal(t, isNew, s.add(more...))
		for _, id := range more {
			model[id] = true
		}
		was := slices.ContainsFunc(less, func(id adapter.ID) bool { return model[id] })
		assert.Equal(t, was, s.remove(less...))
		for _, id := range less {
			delete(model, id)
		}
		require.Equal(t, len(model), s.len())
		for _, id := range slices.Concat(more, less) {
			require.Equal(t, model[id], s.has(id))
		}
		other := newIDSet(some())
		for _, id := range s.minus(other) {
			assert.True(t, model[id] && !other.has(id))
		}
		assert.Len(t, s.minus(other), s.len()-(other.len()-len(other.minus(s))))
		read, err := decodeIDSet(s.encode(), s.len())
		require.NoError(t, err)
		require.Equal(t, s.minus(&idSet{}), read.minus(&idSet{}))
		if s.len() > 0 {
			_, err = decodeIDSet(s.encode(), s.len()-1)
			require.ErrorIs(t, err, errNoIDSet, "more than may be")
		}
	}
	for _, bad := range [][]byte{nil, {0}, []byte("garbage"), deflate(nil), deflate([]byte{1, 2}), deflate([]byte{1, 2, 0, 0, 9}), deflate([]byte{0, 1, 3, 1, 'a'})} {
		_, err := decodeIDSet(bad, 100)
		require.Error(t, err)
	}
	run := make([]adapter.ID, 100_000)
	for i := range run {
		run[i] = adapter.IntID(int64(i + 1))
	}
	assert.Less(t, len(newIDSet(run).encode()), 50, "a run is small")
}

// What was told is the same when it was written and read; of too many the newest
// are kept, and of those of one date the highest ids.
func TestTellings(t *testing.T) {
	told := &tellings{}
	for i := range int64(300) {
		assert.True(t, told.put(adapter.IntID(i-3), i%7, adapter.Record{"name": i}))
		assert.True(t, told.put(adapter.StringID(fmt.Sprint("k", i)), 100-i, nil))
	}
	read, err := decodeTellings(told.encode())
	require.NoError(t, err)
	assert.Equal(t, told.list, read.list)
	assert.False(t, read.put(adapter.IntID(5), 50, adapter.Record{"name": 8}), "the date alone is no news")
	assert.True(t, read.put(adapter.IntID(5), 50, nil))
	encoded := told.encode()
	for n := range encoded {
		_, err := decodeTellings(encoded[:n])
		require.Error(t, err)
	}
	_, err = decodeTellings(append(told.encode(), 0))
	require.Error(t, err)
	read.before(50)
	assert.True(t, read.put(adapter.StringID("k99"), 1, nil))
	assert.False(t, read.put(adapter.StringID("k50"), 1, nil))

	told = &tellings{}
	for i := range int64(tellingsMost + 10) {
		told.put(adapter.IntID(i), 5, nil)
	}
	told.put(adapter.IntID(0), 6, nil)
	read, err = decodeTellings(told.encode())
	require.NoError(t, err)
	require.Len(t, read.list, tellingsMost)
	assert.Contains(t, read.list, adapter.IntID(0))
	assert.NotContains(t, read.list, adapter.IntID(11-1))
	assert.Contains(t, read.list, adapter.IntID(11))
}
