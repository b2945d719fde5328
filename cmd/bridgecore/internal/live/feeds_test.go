package live

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

// Of a record that bears the same date all day its versions say what was told: it
// may come back to an earlier one, and what another server told is not told again.
func TestFeederTellsVersionsOfOneDate(t *testing.T) {
	id := adapter.StringID("1000000001")
	version := func(v string) bridge.FeedChange {
		return bridge.FeedChange{ID: id, Operation: bridge.FeedWrite, At: 1_767_312_000, Version: v}
	}
	event := func(ch bridge.FeedChange) *change {
		return &change{Operation: ch.Operation, IDs: []adapter.ID{ch.ID}, Dates: []int64{ch.At}, Versions: []string{ch.Version}}
	}
	leads, waits := newFeeder(feedKey{}), newFeeder(feedKey{})
	for i, v := range []string{"a", "b", "a"} {
		ch := version(v)
		assert.Equal(t, []bridge.FeedChange{ch}, leads.fresh([]bridge.FeedChange{ch}, true), "change %d", i)
		assert.Empty(t, waits.fresh([]bridge.FeedChange{ch}, false))
		leads.note(event(ch))
		waits.note(event(ch))
		assert.Empty(t, leads.fresh([]bridge.FeedChange{ch}, true), "change %d again", i)
	}
	// The one that led is gone, and had told one of two.
	waits.fresh([]bridge.FeedChange{version("c")}, false)
	waits.note(event(version("c")))
	waits.fresh([]bridge.FeedChange{version("d")}, false)
	assert.Equal(t, []bridge.FeedChange{version("d")}, waits.fresh(nil, true))
}
