package recordsync_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/recordsync"
)

var all = []string{"name", "email", "amount", "parent_id", "friend_ids"}

func (j *journal) must(t *testing.T, values adapter.Record) adapter.ID {
	t.Helper()
	id, err := j.make(t.Context(), values)
	require.NoError(t, err)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.people[id] = true
	return id
}

// decide answers the questions that a run leaves, as somebody who can tell would.
func (w *world) decide(t *testing.T) (asked int) {
	t.Helper()
	conflicts, err := recordsync.ListConflicts(t.Context(), w.links, model, 0, 0)
	require.NoError(t, err)
	chosen := map[string]bool{}
	for _, l := range conflicts {
		require.Equal(t, recordsync.Doubtful, l.Conflict.Kind)
		at, choice := recordsync.Source, recordsync.ChoiceCreate
		if l.IDs[recordsync.Target].IsZero() {
			at = recordsync.Target
		}
		j := w.sides[at]
		for _, id := range l.Conflict.Candidates {
			found, err := w.links.Find(t.Context(), model, at, []adapter.ID{id})
			require.NoError(t, err)
			taken := len(found) > 0 && !found[0].IDs[0].IsZero() && !found[0].IDs[1].IsZero()
			if key := fmt.Sprint(at, id); !j.people[id] && !taken && !chosen[key] {
				choice = id.String()
			}
		}
		chosen[fmt.Sprint(at, choice)] = true
		_, err := recordsync.Resolve(t.Context(), w.links, model, l.ID, choice)
		require.NoError(t, err)
	}
	return len(conflicts)
}

func TestOneWay(t *testing.T) {
	w := newWorld()
	a := w.sides[0]
	var last adapter.ID
	for i := range 30 {
		values := adapter.Record{"name": fmt.Sprint("n", i), "amount": i}
		if i%3 == 0 && !last.IsZero() {
			values["parent_id"] = last
		}
		last = a.must(t, values)
	}
	// A cycle, which no order of creation can follow.
	require.NoError(t, a.change(t.Context(), adapter.IntID(1), adapter.Record{"parent_id": last, "friend_ids": []any{2, 3}}))
	p := w.pair(t)
	p.Page = 7
	sums, _ := run(t, p)
	assert.Equal(t, 30, sums.Created)
	assert.Equal(t, 30, sums.Total)
	w.equal(t, all...)

	sums, _ = run(t, p)
	assert.Zero(t, sums.Wrote(), "a second run changes nothing")

	require.NoError(t, a.change(t.Context(), last, adapter.Record{"email": "x@example.com", "amount": 77}))
	sums, outcomes := run(t, p)
	assert.Equal(t, 1, sums.Updated)
	assert.Len(t, outcomes, 1)
	assert.Len(t, outcomes[0].Changes, 2)
	w.equal(t, all...)
}

var rounds = flag.Int("rounds", 50, "random worlds to synchronise")

// Whatever is changed on both sides, and whenever the process dies or an answer
// gets lost: at rest both sides are the same, nothing is there twice, and nothing
// is missing.
func TestRandomEditsAndCrashes(t *testing.T) {
	for seed := range *rounds {
		t.Run(strconv.Itoa(seed), func(t *testing.T) { t.Parallel(); storm(t, uint64(seed)) }) //nolint:gosec // small
	}
}

func storm(t *testing.T, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 6)) //nolint:gosec // a test
	w := newWorld()
	w.random = rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // a test
	deletions := []recordsync.Deletions{recordsync.Ignore, recordsync.Propagate}[seed%2]
	policy := []recordsync.Policy{recordsync.SourceWins, recordsync.TargetWins}[seed/2%2]
	expected := 0
	edit := func() {
		at := r.IntN(2)
		j := w.sides[at]
		ids := slices.SortedFunc(maps.Keys(j.table(t)), func(a, b adapter.ID) int { x, _ := a.Int(); y, _ := b.Int(); return int(x - y) })
		switch what := r.IntN(10); {
		case what < 4 || len(ids) == 0:
			// Twins are wanted: they are two records.
			values := adapter.Record{"name": fmt.Sprint("made by ", at, " ", r.IntN(4)), "amount": r.IntN(3)}
			if len(ids) > 0 && r.IntN(2) == 0 {
				values["parent_id"] = ids[r.IntN(len(ids))]
			}
			j.must(t, values)
			expected++
		case what < 9 || deletions == recordsync.Ignore:
			values := adapter.Record{}
			switch r.IntN(4) {
			case 0:
				values["email"] = fmt.Sprint("e", r.IntN(5))
			case 1:
				values["amount"] = r.IntN(5)
			case 2:
				values["parent_id"] = ids[r.IntN(len(ids))]
			default:
				values["friend_ids"] = []any{ids[r.IntN(len(ids))].Value()}
			}
			require.NoError(t, j.change(t.Context(), ids[r.IntN(len(ids))], values))
		default:
			require.NoError(t, j.remove(t.Context(), ids[r.IntN(len(ids))]))
		}
	}
	process := func() error {
		p := w.pair(t)
		p.Bidirectional, p.Policy, p.Deletions, p.Page = true, policy, deletions, 1+r.IntN(6)
		_, err := p.Run(t.Context(), nil)
		return err
	}
	for range 6 {
		for range 1 + r.IntN(12) {
			edit()
		}
		if r.IntN(4) == 0 {
			for _, j := range w.sides {
				j.forget = len(j.log) // cursors are too old
			}
		}
		w.mu.Lock()
		w.fuse = r.IntN(60)
		w.lost = func() bool { return w.chance(12) }
		w.mu.Unlock()
		t.Log(process())
		w.revive()
	}
	w.lost = nil
	for i := range 8 {
		p := w.pair(t)
		p.Bidirectional, p.Policy, p.Deletions, p.Page = true, policy, deletions, 5
		sums, outcomes := run(t, p)
		if w.decide(t) == 0 && sums.Wrote() == 0 {
			break
		}
		require.Less(t, i, 7, "it comes to rest: %v", outcomes)
	}
	w.equal(t, all...)
	if deletions == recordsync.Ignore {
		require.Len(t, w.sides[0].table(t), expected, "nothing twice, nothing lost")
	}
}
