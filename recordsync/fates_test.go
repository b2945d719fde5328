package recordsync_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/recordsync"
)

// fate is what becomes of one write: whether it takes effect, and what is
// answered.
type fate func(w *world, values adapter.Record) (effect bool, answer error)

// errSilent answers a creation without its id.
var errSilent = errors.New("no id")

func (j *journal) fate(values adapter.Record) (effect bool, answer error) {
	if effect, answers := j.world.step(true); !answers {
		return effect, errLost
	}
	j.mu.Lock()
	var next fate
	if len(j.fates) > 0 {
		next, j.fates = j.fates[0], j.fates[1:]
	}
	j.mu.Unlock()
	if next == nil {
		return true, nil
	}
	return next(j.world, values)
}

func done(*world, adapter.Record) (bool, error) { return true, nil }

func answered(effect bool, answer error) fate {
	return func(*world, adapter.Record) (bool, error) { return effect, answer }
}

// died ends the process while the write is under way.
func died(effect bool) fate {
	return func(w *world, _ adapter.Record) (bool, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.dead = true
		return effect, errLost
	}
}

// after has something happen before the write.
func after(f func(), then fate) fate {
	return func(w *world, values adapter.Record) (bool, error) {
		f()
		return then(w, values)
	}
}

var (
	errBusy   = &adapter.Error{Code: adapter.RateLimited, Message: "later"}
	errNo     = &adapter.Error{Code: adapter.InvalidArgument, Message: "not so"}
	errDenied = &adapter.Error{Code: adapter.PermissionDenied, Message: "not you"}
)

// again lets the next process try, and returns what it told.
func (w *world) again(t *testing.T, p recordsync.Pair) (recordsync.Sums, []recordsync.Outcome) {
	t.Helper()
	w.revive()
	fresh := w.pair(t)
	p.Source, p.Target = fresh.Source, fresh.Target
	return run(t, p)
}

// all are the links that there are.
func (w *world) all(t *testing.T, kind recordsync.WantKind) []*recordsync.Link {
	t.Helper()
	links, err := w.links.Select(t.Context(), model, recordsync.Want{Kind: kind})
	require.NoError(t, err)
	return links
}

// rests fails unless another run has nothing to do.
func (w *world) rests(t *testing.T, p recordsync.Pair) {
	t.Helper()
	sums, outcomes := w.again(t, p)
	assert.Zero(t, sums.Wrote(), "it is at rest: %v", outcomes)
	for _, l := range w.all(t, recordsync.WantAll) {
		assert.Nil(t, l.Intent)
		assert.False(t, l.Late)
	}
}

// A creation that broke off is found, or made, once: whatever else is there by
// then. Records that were there before are none of ours, however alike.
func TestACreationThatBrokeOff(t *testing.T) {
	ours := adapter.Record{"name": "n", "email": "e", "active": true}
	for _, c := range []struct {
		name      string
		fate      func(meanwhile func()) fate
		meanwhile adapter.Record // made by somebody else before the write
		later     adapter.Record // made by somebody else after it
		edit      adapter.Record // somebody's change of what was made
		doubtful  int            // candidates
		made      int            // by us, in all
	}{
		{name: "gone before it was sent", fate: func(func()) fate { return died(false) }, made: 1},
		{name: "gone when it was made", fate: func(func()) fate { return died(true) }, made: 1},
		{name: "answer lost, made", fate: func(func()) fate { return answered(true, errLost) }, made: 1},
		{name: "answer lost, not made", fate: func(func()) fate { return answered(false, errLost) }, made: 1},
		{name: "answer without an id", fate: func(func()) fate { return answered(true, errSilent) }, made: 1},
		{name: "somebody made another, ours not", fate: func(func()) fate { return died(false) }, later: adapter.Record{"name": "m", "email": "m"}, made: 1},
		{name: "somebody made another before ours", fate: func(f func()) fate { return after(f, died(true)) }, meanwhile: adapter.Record{"name": "m", "email": "m"}, made: 1},
		{name: "somebody made a namesake before ours", fate: func(f func()) fate { return after(f, died(true)) }, meanwhile: adapter.Record{"name": "n", "email": "m"}, made: 1},
		{name: "somebody made a namesake, ours not", fate: func(func()) fate { return died(false) }, later: adapter.Record{"name": "n", "email": "m"}, doubtful: 1, made: 1},
		{name: "somebody made one that is not active, ours not", fate: func(func()) fate { return died(false) }, later: adapter.Record{"name": "n", "email": "e", "active": false}, doubtful: 1, made: 1},
		{name: "somebody changed ours", fate: func(func()) fate { return died(true) }, edit: adapter.Record{"email": "changed"}, doubtful: 1, made: 1},
		{name: "somebody changed ours and made a namesake", fate: func(f func()) fate { return after(f, died(true)) }, meanwhile: adapter.Record{"name": "n", "email": "m"}, edit: adapter.Record{"email": "changed"}, doubtful: 2, made: 1},
	} {
		for _, kind := range []string{"memory", "odoo"} {
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				w := newWorld()
				w.kind = kind
				a, b := w.sides[0], w.sides[1]
				b.must(t, adapter.Record{"name": "older"})
				twin := b.must(t, ours)
				a.must(t, ours)
				p := w.pair(t)
				p.Fields = []string{"name", "email", "active"}
				others := 0
				somebody := func(values adapter.Record) {
					if values != nil {
						others++
						b.must(t, values)
					}
				}
				b.fares(c.fate(func() { somebody(c.meanwhile) }))
				created := 0
				_, err := p.Run(t.Context(), func(o recordsync.Outcome) {
					if o.Action == recordsync.Created {
						created++
					}
				})
				if w.dead {
					require.Error(t, err)
					somebody(c.later)
					if c.edit != nil {
						require.NoError(t, b.change(t.Context(), b.made[0], c.edit))
					}
					sums, _ := w.again(t, p)
					created += sums.Created
				} else {
					require.NoError(t, err)
				}
				want := 1
				if c.doubtful > 0 {
					assert.Zero(t, created, "nothing is guessed")
					conflicts, err := recordsync.ListConflicts(t.Context(), w.links, model, 0, 0)
					require.NoError(t, err)
					require.Len(t, conflicts, 1)
					assert.Equal(t, recordsync.Doubtful, conflicts[0].Conflict.Kind)
					require.Len(t, conflicts[0].Conflict.Candidates, c.doubtful)
					assert.NotContains(t, conflicts[0].Conflict.Candidates, twin)
					_, _ = w.again(t, p)
					assert.Len(t, b.table(t), 2+others+len(b.made), "still nothing is guessed")
					choice := recordsync.ChoiceCreate
					if len(b.made) > 0 {
						choice = b.made[0].String()
						want = 0
					}
					_, err = recordsync.Resolve(t.Context(), w.links, model, conflicts[0].ID, choice)
					require.NoError(t, err)
					sums, _ := w.again(t, p)
					created += sums.Created
				}
				assert.Equal(t, want, created, "told once")
				require.Len(t, b.made, c.made)
				links := w.all(t, recordsync.WantAll)
				require.Len(t, links, 1)
				assert.Equal(t, b.made[0], links[0].IDs[recordsync.Target])
				assert.Equal(t, "e", b.table(t)[b.made[0]].String("email"))
				w.rests(t, p)
				assert.Len(t, b.table(t), 2+others+1)
			})
		}
	}
}

func (j *journal) fares(fates ...fate) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fates = fates
}

// Of two records alike of which one was made, one is found and the other made.
func TestTwinsThatBrokeOff(t *testing.T) {
	for _, kind := range []string{"memory", "odoo"} {
		for at, fates := range [][]fate{
			{answered(true, errLost), answered(false, errLost)}, {answered(false, errLost), answered(true, errLost)},
			{done, answered(false, errLost)}, {answered(false, errLost), done},
		} {
			t.Run(fmt.Sprint(kind, at), func(t *testing.T) {
				w := newWorld()
				w.kind = kind
				for range 2 {
					w.sides[0].must(t, adapter.Record{"name": "n", "amount": 1})
				}
				w.sides[1].fares(fates...)
				p := w.pair(t)
				sums, outcomes := run(t, p)
				assert.Equal(t, 2, sums.Created, "%v", outcomes)
				assert.Len(t, w.sides[1].table(t), 2)
				w.equal(t, all...)
				w.rests(t, p)
			})
		}
	}
}

// A creation with the source's id in a field of the target is told by nothing
// else, however alike others are.
func TestACreationWithAnExternalIDThatBrokeOff(t *testing.T) {
	for _, kind := range []string{"memory", "odoo"} {
		for _, effect := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, effect), func(t *testing.T) {
				w := newWorld()
				w.kind = kind
				a, b := w.sides[0], w.sides[1]
				a.must(t, adapter.Record{"name": "n"})
				p := w.pair(t)
				p.ExternalID = "ext"
				b.fares(after(func() { b.must(t, adapter.Record{"name": "n"}) }, died(effect)))
				_, err := p.Run(t.Context(), nil)
				require.Error(t, err)
				if effect {
					require.NoError(t, b.change(t.Context(), b.made[0], adapter.Record{"name": "changed"}))
				}
				_, _ = w.again(t, p)
				require.Len(t, b.made, 1)
				assert.Len(t, b.table(t), 2)
				r := b.table(t)[b.made[0]]
				assert.Equal(t, "1", r["ext"])
				assert.Equal(t, "n", r["name"])
				w.rests(t, p)
			})
		}
	}
}

// What no text tells is nobody's guess.
func TestACreationThatNothingTells(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	a.must(t, adapter.Record{"name": "n", "amount": 7})
	b.must(t, adapter.Record{"name": "n", "amount": 7})
	p := w.pair(t)
	p.Fields = []string{"amount"}
	b.refuse = nil
	b.fares(answered(false, errLost))
	sums, outcomes := run(t, p)
	assert.Zero(t, sums.Created, "%v", outcomes)
	conflicts, err := recordsync.ListConflicts(t.Context(), w.links, model, 0, 0)
	require.NoError(t, err)
	require.Len(t, conflicts, 1)
	assert.Empty(t, conflicts[0].Conflict.Candidates)
}

// What a system fills in where nothing was said does not make a record another
// one.
func TestACreationThatTheSystemFilledIn(t *testing.T) {
	w := newWorld()
	w.kind = "odoo"
	a, b := w.sides[0], w.sides[1]
	parent := b.must(t, adapter.Record{"name": "parent"})
	a.must(t, adapter.Record{"name": "n", "email": "e"})
	b.fares(func(w *world, values adapter.Record) (bool, error) {
		for name, v := range values {
			assert.NotNil(t, v, "%s: Odoo takes false for nothing", name)
		}
		values["parent_id"] = parent.Value()
		return died(true)(w, values)
	})
	p := w.pair(t)
	_, err := p.Run(t.Context(), nil)
	require.Error(t, err)
	sums, outcomes := w.again(t, p)
	assert.Equal(t, 1, sums.Created, "%v", outcomes)
	assert.Zero(t, sums.Conflicts)
	assert.Len(t, b.made, 1)
}

// Nothing is looked for as long as it may still arrive.
func TestWhatMayStillArrive(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	a.must(t, adapter.Record{"name": "n"})
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	p := w.pair(t)
	p.Settle, p.Now = time.Minute, func() time.Time { return now }
	s, err := recordsync.Open(t.Context(), p)
	require.NoError(t, err)
	var at recordsync.Progress
	step := func() error {
		_, err := s.Step(t.Context(), &at)
		return err
	}
	// It takes a while until the answer is lost, and the call arrives later still.
	b.fares(after(func() { now = now.Add(50 * time.Second) }, answered(false, errLost)))
	for at.Phase != recordsync.PhaseBefore {
		require.NoError(t, step())
	}
	now = now.Add(59 * time.Second)
	err = step()
	require.Error(t, err)
	assert.Equal(t, time.Second, adapter.RetryAfter(err))
	id := b.must(t, adapter.Record{"name": "n"})
	now = now.Add(time.Second)
	for at.Phase != recordsync.PhaseDone {
		require.NoError(t, step())
	}
	assert.Empty(t, b.made)
	links := w.all(t, recordsync.WantAll)
	require.Len(t, links, 1)
	assert.Equal(t, id, links[0].IDs[recordsync.Target])
}

// A creation that was not made for now ends the run, and is made by the next. What
// is refused to all at once is nothing that a record is refused for.
func TestACreationThatWasNotTaken(t *testing.T) {
	for _, whole := range []error{nil, errBusy, errDenied} {
		t.Run(fmt.Sprint(whole), func(t *testing.T) {
			w := newWorld()
			a, b := w.sides[0], w.sides[1]
			for i := range 3 {
				a.must(t, adapter.Record{"name": fmt.Sprint("n", i), "amount": 1})
			}
			p := w.pair(t)
			b.whole = whole
			// The first is not taken, the second is, and the third is lost though made.
			b.fares(answered(false, errBusy), done, answered(true, errLost))
			_, err := p.Run(t.Context(), nil)
			require.Error(t, err)
			assert.Empty(t, w.all(t, recordsync.WantRefused))
			if whole != nil {
				assert.Empty(t, w.all(t, recordsync.WantAll), "nothing is kept of what was not made")
			}
			b.whole = nil
			b.fares()
			_, _ = w.again(t, p)
			assert.Len(t, b.table(t), 3)
			w.equal(t, all...)
			w.rests(t, p)
		})
	}
}

// A creation that is tried again and not taken for now is not forgotten: no change
// tells of it any more. Nor is what somebody chose of it.
func TestARetriedCreationThatWasNotTaken(t *testing.T) {
	t.Run("late", func(t *testing.T) {
		w := newWorld()
		a, b := w.sides[0], w.sides[1]
		a.must(t, adapter.Record{"name": "n"})
		b.fares(answered(false, errLost), answered(false, errBusy))
		p := w.pair(t)
		_, err := p.Run(t.Context(), nil)
		require.ErrorIs(t, err, errBusy)
		sums, outcomes := w.again(t, p)
		assert.Equal(t, 1, sums.Created, "%v", outcomes)
		w.rests(t, p)
	})
	t.Run("chosen", func(t *testing.T) {
		w := newWorld()
		a, b := w.sides[0], w.sides[1]
		a.must(t, adapter.Record{"name": "n", "email": "e"})
		b.fares(died(false))
		p := w.pair(t)
		_, err := p.Run(t.Context(), nil)
		require.Error(t, err)
		b.must(t, adapter.Record{"name": "n"})
		_, _ = w.again(t, p)
		conflicts := w.all(t, recordsync.WantConflicts)
		require.Len(t, conflicts, 1)
		_, err = recordsync.Resolve(t.Context(), w.links, model, conflicts[0].ID, recordsync.ChoiceCreate)
		require.NoError(t, err)
		b.fares(answered(false, errBusy))
		_, err = p.Run(t.Context(), nil)
		require.ErrorIs(t, err, errBusy)
		sums, outcomes := w.again(t, p)
		assert.Equal(t, 1, sums.Created, "%v", outcomes)
		w.rests(t, p)
	})
}

// A creation that broke off twice, and is doubtful, waits for a choice: neither
// that it waited for others nor that it was refused earlier has it made.
func TestADoubtfulCreationWaits(t *testing.T) {
	for _, first := range []*adapter.Error{errLost, errNo} {
		t.Run(first.Error(), func(t *testing.T) {
			w := newWorld()
			a, b := w.sides[0], w.sides[1]
			a.must(t, adapter.Record{"name": "n", "email": "e"})
			altered := func(_ *world, values adapter.Record) (bool, error) {
				values["email"] = "altered"
				return true, errLost
			}
			b.fares(answered(false, first), altered)
			p := w.pair(t)
			p.Bidirectional = true
			p.Retry = first.Code == adapter.InvalidArgument
			_, _ = run(t, p)
			_, _ = w.again(t, p)
			p.Retry = false
			sums, outcomes := w.again(t, p)
			assert.Zero(t, sums.Conflicts, "it was told: %v", outcomes)
			p.Retry = true
			for range 2 {
				_, _ = w.again(t, p)
			}
			assert.Len(t, b.table(t), 1)
			assert.Len(t, a.table(t), 1, "nor is it taken for the target's own")
			assert.Len(t, w.all(t, recordsync.WantConflicts), 1)
		})
	}
}

// The caller's end while something is written does not lose what became of it.
func TestTheEndOfACaller(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	for i := range 3 {
		a.must(t, adapter.Record{"name": fmt.Sprint("n", i)})
	}
	ctx, end := context.WithCancel(t.Context())
	b.fares(done, answered(false, errNo), after(end, answered(false, errLost)))
	_, err := w.pair(t).Run(ctx, nil)
	require.ErrorIs(t, err, context.Canceled)
	links := w.all(t, recordsync.WantAll)
	require.Len(t, links, 3)
	assert.Nil(t, links[0].Intent)
	assert.Equal(t, b.made[0], links[0].IDs[recordsync.Target])
	assert.NotEmpty(t, links[0].Base[recordsync.Target], "it was read")
	assert.Nil(t, links[1].Intent)
	assert.NotNil(t, links[1].Refusal)
	assert.NotNil(t, links[2].Intent)
}

// What was made and can't be read is compared by the next run.
func TestWhatWasMadeAndCouldNotBeRead(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	a.must(t, adapter.Record{"name": "n"})
	b.fares(after(func() { b.unread = func(string) error { return errDead } }, done))
	p := w.pair(t)
	_, _ = p.Run(t.Context(), nil)
	b.unread = nil
	_, _ = w.again(t, p)
	links := w.all(t, recordsync.WantAll)
	require.Len(t, links, 1)
	assert.Len(t, links[0].Base[recordsync.Target], len(all))
	assert.Len(t, b.table(t), 1)
	w.rests(t, p)
}

// Each fate of a change.
func TestAChangeThatBrokeOff(t *testing.T) {
	for _, c := range []struct {
		name   string
		fate   func(b *journal, id adapter.ID) fate
		later  func(t *testing.T, a, b *journal, source, target adapter.ID)
		amount any // at the end, with the target's changes winning
		failed bool
	}{
		{name: "gone before it was sent", fate: func(*journal, adapter.ID) fate { return died(false) }, amount: 2, failed: true},
		{name: "gone when it was made", fate: func(*journal, adapter.ID) fate { return died(true) }, amount: 2, failed: true},
		{name: "made, and the source changed on", fate: func(*journal, adapter.ID) fate { return died(true) }, failed: true, later: func(t *testing.T, a, _ *journal, source, _ adapter.ID) {
			t.Helper()
			require.NoError(t, a.change(t.Context(), source, adapter.Record{"amount": 3}))
		}, amount: 3},
		{name: "answer lost, made", fate: func(*journal, adapter.ID) fate { return answered(true, errLost) }, amount: 2, failed: true},
		{name: "answer lost, not made", fate: func(*journal, adapter.ID) fate { return answered(false, errLost) }, amount: 2, failed: true},
		{name: "not taken for now", fate: func(*journal, adapter.ID) fate { return answered(false, errBusy) }, amount: 2, failed: true},
		{name: "not taken for now, and the target changed", fate: func(*journal, adapter.ID) fate { return answered(false, errBusy) }, failed: true, later: func(t *testing.T, _, b *journal, _, target adapter.ID) {
			t.Helper()
			require.NoError(t, b.change(t.Context(), target, adapter.Record{"amount": 5}))
		}, amount: 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			a, b := w.sides[0], w.sides[1]
			id := a.must(t, adapter.Record{"name": "n", "amount": 1})
			p := w.pair(t)
			p.Bidirectional, p.Policy = true, recordsync.TargetWins
			_, _ = run(t, p)
			require.NoError(t, a.change(t.Context(), id, adapter.Record{"amount": 2}))
			b.fares(c.fate(b, b.made[0]))
			_, err := p.Run(t.Context(), nil)
			assert.Equal(t, c.failed, err != nil)
			if c.later != nil {
				c.later(t, a, b, id, b.made[0])
			}
			_, _ = w.again(t, p)
			assert.Equal(t, fmt.Sprint(c.amount), fmt.Sprint(b.table(t)[b.made[0]]["amount"]))
			w.equal(t, all...)
			w.rests(t, p)
		})
	}
}

// A record that is deleted while it is being changed is no refusal.
func TestAChangeOfWhatWasDeletedMeanwhile(t *testing.T) {
	for _, deletions := range []recordsync.Deletions{recordsync.Ignore, recordsync.Propagate} {
		t.Run(string(deletions), func(t *testing.T) {
			w := newWorld()
			a, b := w.sides[0], w.sides[1]
			id := a.must(t, adapter.Record{"name": "n", "amount": 1})
			p := w.pair(t)
			p.Bidirectional, p.Deletions = true, deletions
			_, _ = run(t, p)
			require.NoError(t, a.change(t.Context(), id, adapter.Record{"amount": 2}))
			b.fares(after(func() { require.NoError(t, b.remove(t.Context(), b.made[0])) }, done))
			sums, outcomes := run(t, p)
			assert.Zero(t, sums.Errors, "%v", outcomes)
			assert.Empty(t, w.all(t, recordsync.WantRefused))
			// The source wins: it is made anew, unless deletions are nobody's concern.
			_, _ = w.again(t, p)
			want := 1
			if deletions == recordsync.Ignore {
				want = 0
			}
			assert.Len(t, b.table(t), want)
			assert.Len(t, a.table(t), 1)
			w.rests(t, p)
		})
	}
}

// Each fate of a deletion.
func TestADeletionThatBrokeOff(t *testing.T) {
	for _, f := range []struct {
		name string
		fate fate
		want int // records left in the target
	}{
		{"gone before it was sent", died(false), 0},
		{"gone when it was made", died(true), 0},
		{"answer lost, made", answered(true, errLost), 0},
		{"answer lost, not made", answered(false, errLost), 0},
		{"not taken for now", answered(false, errBusy), 0},
		{"refused", answered(false, errNo), 1},
	} {
		t.Run(f.name, func(t *testing.T) {
			w := newWorld()
			a, b := w.sides[0], w.sides[1]
			id := a.must(t, adapter.Record{"name": "n"})
			p := w.pair(t)
			p.Bidirectional, p.Deletions = true, recordsync.Propagate
			_, _ = run(t, p)
			require.NoError(t, a.remove(t.Context(), id))
			b.fares(f.fate)
			_, err := p.Run(t.Context(), nil)
			assert.Equal(t, f.want == 0, err != nil)
			_, _ = w.again(t, p)
			assert.Len(t, b.table(t), f.want)
			assert.Empty(t, a.table(t), "it does not come back")
			assert.Len(t, w.all(t, recordsync.WantRefused), f.want)
			w.rests(t, p)
		})
	}
}

// A creation that broke off while the changes of its side are gone through is one
// of those changes, and no new record.
func TestACreationAmongTheChangesOfItsSide(t *testing.T) {
	for _, effect := range []bool{false, true} {
		t.Run(strconv.FormatBool(effect), func(t *testing.T) {
			w := newWorld()
			a, b := w.sides[0], w.sides[1]
			id := a.must(t, adapter.Record{"name": "n", "amount": 1})
			a.must(t, adapter.Record{"name": "other", "amount": 1})
			p := w.pair(t)
			p.Bidirectional, p.Deletions, p.Page = true, recordsync.Propagate, 1
			_, _ = run(t, p)
			// The source changes what the target deleted, once the source was gone through.
			require.NoError(t, b.remove(t.Context(), b.made[0]))
			require.NoError(t, b.change(t.Context(), b.made[1], adapter.Record{"amount": 2}))
			b.must(t, adapter.Record{"name": "theirs", "amount": 1})
			b.fares(answered(effect, errLost))
			changed := false
			p.Watch = func(s recordsync.Standing) {
				if s.Phase == recordsync.PhaseTarget && !changed {
					changed = true
					require.NoError(t, a.change(t.Context(), id, adapter.Record{"amount": 3}))
				}
			}
			_, outcomes := run(t, p)
			assert.Len(t, a.table(t), 3, "%v", outcomes)
			assert.Len(t, b.table(t), 3, "%v", outcomes)
			p.Watch = nil
			_, _ = w.again(t, p)
			w.equal(t, all...)
			w.rests(t, p)
		})
	}
}
