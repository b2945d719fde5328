package recordsync_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/recordsync"
)

// A target that refuses half of the records gets the other half. What it refused
// is not sent again as it was, however often it is seen, unless that is asked
// for.
func TestRefusedHalf(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	var ids []adapter.ID
	for i := range 20 {
		ids = append(ids, a.must(t, adapter.Record{"name": fmt.Sprint("n", i), "amount": i}))
	}
	tries, strict := 0, true
	b.refuse = func(values adapter.Record) error {
		tries++
		if n, _ := strconv.Atoi(fmt.Sprint(values["amount"])); strict && n%2 == 1 {
			return &adapter.Error{Code: adapter.InvalidArgument, Field: "amount", Message: "amounts must be even"}
		}
		return nil
	}
	p := w.pair(t)
	p.Page = 6
	sums, outcomes := run(t, p)
	assert.Equal(t, 10, sums.Created)
	assert.Equal(t, 10, sums.Errors)
	assert.Len(t, b.table(t), 10, "the other half arrived")
	for _, o := range outcomes {
		if o.Action == recordsync.Refused {
			assert.Equal(t, "amounts must be even", o.Reason)
			assert.Equal(t, adapter.InvalidArgument, o.Code)
			assert.Equal(t, recordsync.Target, o.Side)
		}
	}
	refused, err := w.links.Select(t.Context(), model, recordsync.Want{Kind: recordsync.WantRefused})
	require.NoError(t, err)
	require.Len(t, refused, 10)
	for _, l := range refused {
		assert.Equal(t, "amounts must be even", l.Refusal.Reason)
	}

	// All are seen again, one with a change in a field that is not carried over.
	tries = 0
	require.NoError(t, a.change(t.Context(), ids[1], adapter.Record{"ext": "elsewhere"}))
	a.forget = len(a.log)
	sums, outcomes = run(t, p)
	assert.Zero(t, sums.Wrote(), "%v", outcomes)
	assert.Zero(t, tries, "none is tried again")
	assert.Equal(t, 10, sums.Skipped)
	for _, o := range outcomes {
		if o.Action == recordsync.Skipped {
			assert.Contains(t, o.Reason, "amounts must be even")
		}
	}

	// Those that changed are tried, whether it helps or not.
	require.NoError(t, a.change(t.Context(), ids[1], adapter.Record{"amount": 100}))
	require.NoError(t, a.change(t.Context(), ids[3], adapter.Record{"amount": 101}))
	sums, outcomes = run(t, p)
	assert.Equal(t, 1, sums.Created, "%v", outcomes)
	assert.Equal(t, 1, sums.Errors, "%v", outcomes)
	assert.Equal(t, 2, tries)

	// An update that is refused: the record stays as it is, and so do the tries.
	tries = 0
	require.NoError(t, a.change(t.Context(), ids[0], adapter.Record{"amount": 7}))
	sums, _ = run(t, p)
	assert.Equal(t, 1, sums.Errors)
	require.NoError(t, a.change(t.Context(), ids[0], adapter.Record{"ext": "again"}))
	a.forget = len(a.log)
	sums, _ = run(t, p)
	assert.Zero(t, sums.Wrote()+sums.Errors)
	assert.Equal(t, 1, tries)

	// The target thinks better of it, which nothing tells but somebody who asks.
	strict, tries = false, 0
	sums, _ = run(t, p)
	assert.Zero(t, sums.Wrote()+tries)
	p.Retry = true
	sums, outcomes = run(t, p)
	assert.Equal(t, 9, sums.Created, "%v", outcomes)
	assert.Equal(t, 1, sums.Updated, "%v", outcomes)
	w.equal(t, all...)
}

// The newest counts by the same clock, though those of the systems are hours
// apart: the order in time is that of the changes, not that of the dates.
func TestNewestByClocksApart(t *testing.T) {
	for _, apart := range [][2]time.Duration{{0, 0}, {5 * time.Hour, -3 * time.Hour}, {-5 * time.Hour, 3 * time.Hour}, {0, 9 * time.Hour}, {0, -9 * time.Hour}} {
		for last := range 2 {
			t.Run(fmt.Sprint(apart, " ", recordsync.Side(last)), func(t *testing.T) {
				w := newWorld()
				now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
				for i, j := range w.sides {
					j.now = func() time.Time { return now.Add(apart[i]) }
				}
				ids := [2]adapter.ID{}
				for i, j := range w.sides {
					ids[i] = j.must(t, adapter.Record{"name": fmt.Sprint("of ", recordsync.Side(i))})
				}
				p := w.pair(t)
				p.Bidirectional, p.Policy, p.Now = true, recordsync.Newest, func() time.Time { return now }
				sums, _ := run(t, p)
				require.Equal(t, 2, sums.Wrote(), "each side is written, which tells its clock")
				now = now.Add(time.Hour)
				over, err := w.links.Find(t.Context(), model, recordsync.Source, ids[:1])
				require.NoError(t, err)
				require.Len(t, over, 1)
				for i := range 2 {
					at := (last + 1 + i) % 2
					now = now.Add(time.Minute)
					require.NoError(t, w.sides[at].change(t.Context(), over[0].IDs[at], adapter.Record{"email": fmt.Sprint(recordsync.Side(at))}))
				}
				now = now.Add(time.Minute)
				sums, outcomes := run(t, p)
				assert.Equal(t, 1, sums.Wrote(), "%v", outcomes)
				for i, j := range w.sides {
					assert.Equal(t, recordsync.Side(last).String(), j.table(t)[over[0].IDs[i]]["email"], "of the %s", recordsync.Side(i))
				}
			})
		}
	}
}

// A deletion archives the other record, told by a cursor or found missing.
func TestDeletionsArchive(t *testing.T) {
	for _, missed := range []bool{false, true} {
		for gone := range 2 {
			t.Run(fmt.Sprint(recordsync.Side(gone), " missed ", missed), func(t *testing.T) {
				w := newWorld()
				for i := range 6 {
					w.sides[0].must(t, adapter.Record{"name": fmt.Sprint("n", i), "active": true})
				}
				p := w.pair(t)
				p.Bidirectional, p.Deletions, p.Page = true, recordsync.Archive, 2
				p.Fields = []string{"name", "amount", "active"}
				_, _ = run(t, p)
				links, err := w.links.Select(t.Context(), model, recordsync.Want{Kind: recordsync.WantAll})
				require.NoError(t, err)
				require.Len(t, links, 6)
				there, living := w.sides[gone], w.sides[1-gone]
				require.NoError(t, there.remove(t.Context(), links[2].IDs[gone]))
				if missed {
					there.forget = len(there.log)
				}
				sums, outcomes := run(t, p)
				assert.Equal(t, 1, sums.Archived+sums.Reverse.Archived, "%v", outcomes)
				assert.Equal(t, 1, sums.Wrote(), "%v", outcomes)
				table := living.table(t)
				require.Len(t, table, 6, "nothing is deleted")
				for i, l := range links {
					assert.Equal(t, i == 2, table[l.IDs[1-gone]]["active"] == false, "record %d", i)
				}
				sums, outcomes = run(t, p)
				assert.Zero(t, sums.Wrote(), "%v", outcomes)
				assert.Len(t, there.table(t), 5, "it does not come back")
			})
		}
	}
}

// What becomes of a record that both sides changed, by the policy.
func TestConflictsByPolicy(t *testing.T) {
	type values = adapter.Record
	const gone = "gone"
	for _, c := range []struct {
		name           string
		policy         recordsync.Policy
		source, target values // changes; nil deletes
		choice         string // of the conflict that is expected
		want           any    // the amount on both sides
		email          any
	}{
		{"different fields", recordsync.SourceWins, values{"amount": 2}, values{"email": "t"}, "", 2, "t"},
		{"different fields", recordsync.TargetWins, values{"amount": 2}, values{"email": "t"}, "", 2, "t"},
		{"different fields", recordsync.Newest, values{"amount": 2}, values{"email": "t"}, "", 2, "t"},
		{"different fields", recordsync.Manual, values{"amount": 2}, values{"email": "t"}, "", 2, "t"},
		{"the same value", recordsync.Manual, values{"amount": 2}, values{"amount": 2}, "", 2, nil},
		{"the same field", recordsync.SourceWins, values{"amount": 2}, values{"amount": 3}, "", 2, nil},
		{"the same field", recordsync.TargetWins, values{"amount": 2}, values{"amount": 3}, "", 3, nil},
		{"the same field", recordsync.Newest, values{"amount": 2}, values{"amount": 3}, "", 3, nil},
		{"the same field", recordsync.Manual, values{"amount": 2}, values{"amount": 3}, "source", 2, nil},
		{"the same field", recordsync.Manual, values{"amount": 2}, values{"amount": 3}, "target", 3, nil},
		{"the same field and another", recordsync.Manual, values{"amount": 2}, values{"amount": 3, "email": "t"}, "source", 2, "t"},
		{"deleted in the source", recordsync.SourceWins, nil, values{"amount": 3}, "", gone, nil},
		{"deleted in the source", recordsync.TargetWins, nil, values{"amount": 3}, "", 3, nil},
		{"deleted in the source", recordsync.Newest, nil, values{"amount": 3}, "", 3, nil},
		{"deleted in the source", recordsync.Manual, nil, values{"amount": 3}, "source", gone, nil},
		{"deleted in the source", recordsync.Manual, nil, values{"amount": 3}, "target", 3, nil},
		{"deleted in the target", recordsync.SourceWins, values{"amount": 2}, nil, "", 2, nil},
		{"deleted in the target", recordsync.TargetWins, values{"amount": 2}, nil, "", gone, nil},
		{"deleted in the target", recordsync.Newest, values{"amount": 2}, nil, "", 2, nil},
	} {
		t.Run(fmt.Sprint(c.name, " ", c.policy, " ", c.choice), func(t *testing.T) {
			w := newWorld()
			now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
			for _, j := range w.sides {
				j.now = func() time.Time { return now }
			}
			w.sides[0].must(t, values{"name": "n", "amount": 1})
			p := w.pair(t)
			p.Bidirectional, p.Policy, p.Deletions, p.Now = true, c.policy, recordsync.Propagate, func() time.Time { return now }
			_, _ = run(t, p)
			links, err := w.links.Select(t.Context(), model, recordsync.Want{Kind: recordsync.WantAll})
			require.NoError(t, err)
			require.Len(t, links, 1)
			for i, change := range []values{c.source, c.target} {
				now = now.Add(time.Minute)
				if change == nil {
					require.NoError(t, w.sides[i].remove(t.Context(), links[0].IDs[i]))
				} else {
					require.NoError(t, w.sides[i].change(t.Context(), links[0].IDs[i], change))
				}
			}
			sums, outcomes := run(t, p)
			conflicts, err := recordsync.ListConflicts(t.Context(), w.links, model, 0, 0)
			require.NoError(t, err)
			if c.choice == "" {
				assert.Empty(t, conflicts)
			} else {
				require.Len(t, conflicts, 1)
				assert.Equal(t, 1, sums.Conflicts, "%v", outcomes)
				_, err := recordsync.Resolve(t.Context(), w.links, model, conflicts[0].ID, c.choice)
				require.NoError(t, err)
				_, _ = run(t, p)
			}
			for i, j := range w.sides {
				table := j.table(t)
				if c.want == gone {
					assert.Empty(t, table, recordsync.Side(i))
					continue
				}
				require.Len(t, table, 1, recordsync.Side(i))
				for _, r := range table {
					assert.Equal(t, fmt.Sprint(c.want), fmt.Sprint(r["amount"]), recordsync.Side(i))
					assert.Equal(t, c.email != nil, !adapter.IsEmpty(r["email"]), recordsync.Side(i))
				}
			}
			sums, outcomes = run(t, p)
			assert.Zero(t, sums.Wrote(), "it comes to rest: %v", outcomes)
			assert.Zero(t, sums.Conflicts)
		})
	}
}

// Before anything is written to a side its clock is what the side says it is: of
// records that were there on both sides already, the one that was changed last
// wins.
func TestNewestByClocksNotMeasuredYet(t *testing.T) {
	for _, apart := range [][2]time.Duration{{0, 0}, {-5 * time.Hour, 0}, {0, -5 * time.Hour}, {5 * time.Hour, -3 * time.Hour}, {-5 * time.Hour, 3 * time.Hour}} {
		for last := range 2 {
			t.Run(fmt.Sprint(apart, " ", recordsync.Side(last)), func(t *testing.T) {
				w := newWorld()
				now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
				var ids [2]adapter.ID
				for i, j := range w.sides {
					j.now, j.tells = func() time.Time { return now.Add(apart[i]) }, true
					ids[i] = j.must(t, adapter.Record{"name": "n", "email": "n@example.com"})
				}
				p := w.pair(t)
				p.Bidirectional, p.Policy, p.Now, p.Match = true, recordsync.Newest, func() time.Time { return now }, []string{"email"}
				sums, outcomes := run(t, p)
				require.Zero(t, sums.Wrote(), "nothing is written that told a clock: %v", outcomes)
				for i := range 2 {
					at := (last + 1 + i) % 2
					now = now.Add(time.Minute)
					require.NoError(t, w.sides[at].change(t.Context(), ids[at], adapter.Record{"name": fmt.Sprint(recordsync.Side(at))}))
				}
				now = now.Add(time.Minute)
				p.DryRun = true
				sums, outcomes = run(t, p)
				assert.Equal(t, 1, sums.Wrote(), "%v", outcomes)
				p.DryRun = false
				_, _ = run(t, p)
				for i, j := range w.sides {
					assert.Equal(t, recordsync.Side(last).String(), j.table(t)[ids[i]]["name"], "of the %s", recordsync.Side(i))
				}
			})
		}
	}
}

// A dry run tells of every record once, with what would be written to both
// sides, and what it tells is what a run does.
func TestDryRunInBothDirections(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	ctx := t.Context()
	for i := range 7 {
		a.must(t, adapter.Record{"name": fmt.Sprint("n", i), "email": fmt.Sprint(i, "@example.com")})
	}
	b.must(t, adapter.Record{"name": "there already", "email": "6@example.com", "amount": 6})
	p := w.pair(t)
	p.Bidirectional, p.Match, p.Page, p.Deletions = true, []string{"email"}, 2, recordsync.Propagate
	same := func(want int) {
		t.Helper()
		p.DryRun = true
		would, told := run(t, p)
		p.DryRun = false
		seen := map[string]int{}
		for _, o := range told {
			if !o.Source.IsZero() {
				seen["source "+o.Source.String()]++
			}
			if !o.Target.IsZero() {
				seen["target "+o.Target.String()]++
			}
		}
		for id, n := range seen {
			assert.Equal(t, 1, n, "%s is told once: %v", id, told)
		}
		told = slices.DeleteFunc(told, func(o recordsync.Outcome) bool { return o.Action == recordsync.Unchanged })
		assert.Len(t, told, want)
		did, outcomes := run(t, p)
		assert.Equal(t, did, would, "%v and %v", outcomes, told)
	}
	same(7)
	links, err := w.links.Select(ctx, model, recordsync.Want{Kind: recordsync.WantAll})
	require.NoError(t, err)
	require.Len(t, links, 7)
	both := func(at int, source, target adapter.Record) {
		require.NoError(t, a.change(ctx, links[at].IDs[0], source))
		require.NoError(t, b.change(ctx, links[at].IDs[1], target))
	}
	both(0, adapter.Record{"name": "other"}, adapter.Record{"amount": 5})            // other fields
	both(1, adapter.Record{"name": "source"}, adapter.Record{"name": "target"})      // the same
	require.NoError(t, a.remove(ctx, links[2].IDs[0]))                               // deleted here, changed there
	require.NoError(t, b.change(ctx, links[2].IDs[1], adapter.Record{"amount": 1}))  //
	require.NoError(t, b.remove(ctx, links[3].IDs[1]))                               // the other way round
	require.NoError(t, a.change(ctx, links[3].IDs[0], adapter.Record{"amount": 1}))  //
	require.NoError(t, b.change(ctx, links[4].IDs[1], adapter.Record{"amount": 44})) // there alone
	same(5)
	p.Policy = recordsync.Manual
	both(1, adapter.Record{"name": "s"}, adapter.Record{"name": "t"})
	same(1)
}

// A dry run tells of what earlier runs left as a run does: what was refused, what
// waits for another record, and what somebody has decided.
func TestDryRunOfWhatIsLeft(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	ctx := t.Context()
	parent := a.must(t, adapter.Record{"name": "parent", "amount": 1})
	child := a.must(t, adapter.Record{"name": "child", "amount": 2, "parent_id": parent})
	both := a.must(t, adapter.Record{"name": "both", "amount": 4})
	strict := true
	b.refuse = func(values adapter.Record) error {
		if n, _ := strconv.Atoi(fmt.Sprint(values["amount"])); strict && n%2 == 1 {
			return &adapter.Error{Code: adapter.InvalidArgument, Field: "amount", Message: "amounts must be even"}
		}
		return nil
	}
	p := w.pair(t)
	p.Bidirectional, p.Policy = true, recordsync.Manual
	sums, outcomes := run(t, p)
	require.Equal(t, []int{2, 1}, []int{sums.Created, sums.Errors}, "%v", outcomes)
	told := func(outcomes []recordsync.Outcome) map[adapter.ID]string {
		said := map[adapter.ID]string{}
		for _, o := range recordsync.Settled(outcomes) {
			if o.Action != recordsync.Unchanged || len(o.Waiting) > 0 {
				said[o.Source] = fmt.Sprint(o.Action, " ", o.Waiting, " ", o.Code)
			}
		}
		return said
	}
	same := func(want map[adapter.ID]string) {
		t.Helper()
		p.DryRun = true
		_, would := run(t, p)
		p.DryRun = false
		seen := map[adapter.ID]int{}
		for _, o := range would {
			seen[o.Source]++
			assert.Equal(t, 1, seen[o.Source], "%v is told once: %v", o.Source, would)
		}
		assert.Equal(t, want, told(would), "%v", would)
		_, did := run(t, p)
		assert.Equal(t, want, told(did), "%v", did)
	}
	waits := "deferred [parent_id] "
	same(map[adapter.ID]string{child: waits})
	require.NoError(t, a.change(ctx, parent, adapter.Record{"ext": "elsewhere"}))
	a.forget = len(a.log) // all are seen again
	same(map[adapter.ID]string{parent: "skipped [] invalid_argument", child: waits})

	links, err := w.links.Find(ctx, model, recordsync.Source, []adapter.ID{both})
	require.NoError(t, err)
	require.NoError(t, a.change(ctx, both, adapter.Record{"name": "source"}))
	require.NoError(t, b.change(ctx, links[0].IDs[1], adapter.Record{"name": "target"}))
	same(map[adapter.ID]string{child: waits, both: "conflict [] "})
	same(map[adapter.ID]string{child: waits})
	_, err = recordsync.Resolve(ctx, w.links, model, links[0].ID, "target")
	require.NoError(t, err)
	same(map[adapter.ID]string{child: waits, both: "updated [] "})
	assert.Equal(t, "target", a.table(t)[both]["name"])

	// What was refused and what somebody decided is in the changes too.
	require.NoError(t, a.change(ctx, both, adapter.Record{"name": "source 2"}))
	require.NoError(t, b.change(ctx, links[0].IDs[1], adapter.Record{"name": "target 2"}))
	same(map[adapter.ID]string{child: waits, both: "conflict [] "})
	_, err = recordsync.Resolve(ctx, w.links, model, links[0].ID, "source")
	require.NoError(t, err)
	require.NoError(t, a.change(ctx, both, adapter.Record{"amount": 6}))
	same(map[adapter.ID]string{child: waits, both: "updated [] "})

	p.Retry = true
	p.DryRun = true
	_, would := run(t, p)
	assert.Equal(t, "created [] ", told(would)[parent])
	p.DryRun, strict = false, false
	_, did := run(t, p)
	assert.Equal(t, "created [] ", told(did)[parent])
	w.equal(t, all...)
}

// A step that takes longer than the lease keeps the pair.
func TestALongStepKeepsThePair(t *testing.T) {
	w := newWorld()
	w.sides[0].must(t, adapter.Record{"name": "n"})
	counted := &leases{Links: w.links, enough: make(chan struct{})}
	w.sides[1].refuse = func(adapter.Record) error {
		<-counted.enough
		return nil
	}
	p := w.pair(t)
	p.Links, p.Lease = counted, 40*time.Millisecond
	sums, _ := run(t, p)
	assert.Equal(t, 1, sums.Created)

	// Somebody else who got it nevertheless ends the run.
	w.sides[0].must(t, adapter.Record{"name": "m"})
	counted.stolen = true
	_, err := p.Run(t.Context(), nil)
	require.ErrorIs(t, err, adapter.ErrConflict)
	held, ok := errors.AsType[*recordsync.Held](err)
	require.True(t, ok)
	assert.Equal(t, "somebody", held.By)
	assert.Contains(t, err.Error(), "somebody")
}

// leases are Links that count how often a lease was taken while a call lasted.
type leases struct {
	recordsync.Links
	taken  atomic.Int64
	enough chan struct{}
	stolen bool
}

func (l *leases) Lease(ctx context.Context, model, holder string, d time.Duration) error {
	if l.stolen && l.taken.Load() > 0 {
		return recordsync.Busy(model, "somebody", time.Now())
	}
	if d > 0 && l.taken.Add(1) == 20 {
		close(l.enough)
	}
	return l.Links.Lease(ctx, model, holder, d)
}
