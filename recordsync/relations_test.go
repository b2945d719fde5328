package recordsync_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
	"github.com/bridgecore/bridgecore/recordsync"
)

// related are the fields but one, which is 0 where nothing was said.
var related = []string{"name", "email", "parent_id", "friend_ids"}

// named makes a record of a model that is not synchronised.
func (j *journal) named(t *testing.T, values adapter.Record) adapter.ID {
	t.Helper()
	id, err := j.Adapter.Create(t.Context(), "kind", values)
	require.NoError(t, err)
	return id
}

// A relation to a model that is not synchronised leads to the record of the same
// name, if there is one and no more. Otherwise it is left out, which is said.
func TestARelationToARecordOfTheSameName(t *testing.T) {
	unread := func(code adapter.Code) func(string) error {
		return func(model string) error {
			if model == "kind" {
				return &adapter.Error{Code: code, Message: "not to be read"}
			}
			return nil
		}
	}
	type values = adapter.Record
	for _, c := range []struct {
		name    string
		whole   bool // with names that say it all
		source  values
		target  []values // the first is the one, if there is one
		arrange func(a, b *journal)
		reason  string // why there is none
	}{
		{name: "one", source: values{"name": "k"}, target: []values{{"name": "k"}, {"name": "other"}}},
		{name: "none", source: values{"name": "k"}, target: []values{{"name": "other"}}, reason: `no kind named "k"`},
		{name: "two", source: values{"name": "k"}, target: []values{{"name": "k"}, {"name": "k"}}, reason: `2 kind named "k"`},
		{name: "without names", source: values{"name": ""}, target: []values{{"name": ""}}, reason: `no kind named ""`},
		{name: "by the whole name", whole: true, source: values{"name": "k", "complete_name": "a / k"}, target: []values{{"name": "k", "complete_name": "a / k"}, {"name": "k", "complete_name": "b / k"}}},
		{name: "whole names that one side can't search", whole: true, source: values{"name": "k", "complete_name": "a / k"}, target: []values{{"name": "k"}, {"name": "other"}}, arrange: func(_, b *journal) { b.hidden = "complete_name" }},
		{name: "whole names that the other side can't search", whole: true, source: values{"name": "k"}, target: []values{{"name": "k", "complete_name": "a / k"}}, arrange: func(a, _ *journal) { a.hidden = "complete_name" }},
		{name: "not to be read", source: values{"name": "k"}, target: []values{{"name": "k"}}, arrange: func(_, b *journal) { b.unread = unread(adapter.PermissionDenied) }, reason: "not found"},
		{name: "not there", source: values{"name": "k"}, target: []values{{"name": "k"}}, arrange: func(a, _ *journal) { a.unread = unread(adapter.NotFound) }, reason: "not found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			a, b := w.sides[0], w.sides[1]
			if c.whole {
				for _, j := range w.sides {
					j.Adapter = memory.New(append(schemas(), adapter.Schema{Model: "kind", Fields: map[string]adapter.Field{"name": {Type: adapter.Char}, "complete_name": {Type: adapter.Char}}})...)
				}
			}
			b.named(t, values{"name": "first"}) // the ids differ
			kind := a.named(t, c.source)
			var there adapter.ID
			for i, v := range c.target {
				if id := b.named(t, v); i == 0 {
					there = id
				}
			}
			a.must(t, values{"name": "n", "kind_id": kind.Value(), "tag_ids": []any{kind.Value()}})
			p := w.pair(t)
			p.Fields = []string{"name", "kind_id", "tag_ids"}
			if c.arrange != nil {
				c.arrange(a, b)
			}
			sums, outcomes := run(t, p)
			require.Equal(t, 1, sums.Created, "%v", outcomes)
			made := b.table(t)[b.made[0]]
			kindOf, _ := made.Ref("kind_id")
			if c.reason == "" {
				assert.Empty(t, outcomes[0].LeftOut)
				assert.Equal(t, there, kindOf.ID)
				assert.Equal(t, []adapter.ID{there}, made.IDs("tag_ids"))
			} else {
				assert.Empty(t, kindOf.ID)
				assert.Empty(t, made.IDs("tag_ids"))
				require.Len(t, outcomes[0].LeftOut, 2)
				assert.Contains(t, outcomes[0].LeftOut[0].Reason, c.reason)
			}
			w.rests(t, p)
		})
	}
}

// What can't be read for now ends the step. Done again, it finds what it lacked.
func TestARelationThatCouldNotBeReadForNow(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	kind := a.named(t, adapter.Record{"name": "k"})
	b.named(t, adapter.Record{"name": "k"})
	a.must(t, adapter.Record{"name": "n", "kind_id": kind.Value()})
	p := w.pair(t)
	p.Fields = []string{"name", "kind_id"}
	s, err := recordsync.Open(t.Context(), p)
	require.NoError(t, err)
	for at := (recordsync.Progress{}); at.Phase != recordsync.PhaseDone; {
		if at.Phase == recordsync.PhaseSource && b.unread == nil {
			b.unread = func(model string) error {
				if model == "kind" {
					return errBusy
				}
				return nil
			}
			_, err := s.Step(t.Context(), &at)
			require.ErrorIs(t, err, errBusy)
			b.unread = func(string) error { return nil }
		}
		_, err := s.Step(t.Context(), &at)
		require.NoError(t, err)
	}
	require.Len(t, b.made, 1)
	assert.False(t, adapter.IsEmpty(b.table(t)[b.made[0]]["kind_id"]))
}

// Of a list whose records the other side has none of, nothing is written: what it
// has stays.
func TestAListOfWhichNothingIsThere(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	known, unknown := a.named(t, adapter.Record{"name": "k"}), a.named(t, adapter.Record{"name": "unknown"})
	b.named(t, adapter.Record{"name": "k"})
	id := a.must(t, adapter.Record{"name": "n", "tag_ids": []any{known.Value()}})
	p := w.pair(t)
	p.Fields = []string{"name", "tag_ids"}
	_, _ = run(t, p)
	require.NoError(t, a.change(t.Context(), id, adapter.Record{"tag_ids": []any{unknown.Value()}}))
	_, outcomes := run(t, p)
	assert.Len(t, b.table(t)[b.made[0]].IDs("tag_ids"), 1, "%v", outcomes)
	assert.Contains(t, outcomes[0].LeftOut[0].Reason, "unknown")
}

// Two Odoo systems know what a module brought by its external id, whatever it is
// called and whatever else has that id.
func TestARelationToWhatAModuleBrought(t *testing.T) {
	w := newWorld()
	w.kind = "odoo"
	a, b := w.sides[0], w.sides[1]
	for _, j := range w.sides {
		j.Adapter = memory.New(append(schemas(), adapter.Schema{Model: "ir.model.data", Fields: map[string]adapter.Field{
			"model": {Type: adapter.Char}, "module": {Type: adapter.Char}, "name": {Type: adapter.Char}, "res_id": {Type: adapter.Integer},
		}})...)
	}
	b.named(t, adapter.Record{"name": "k"}) // of the same name, and another
	kind, there := a.named(t, adapter.Record{"name": "k"}), b.named(t, adapter.Record{"name": "translated"})
	for j, id := range map[*journal]adapter.ID{a: kind, b: there} {
		for of, res := range map[string]any{"kind": id.Value(), "thing": 77} {
			_, err := j.Adapter.Create(t.Context(), "ir.model.data", adapter.Record{"model": of, "module": "base", "name": "the_" + map[string]string{"kind": "one", "thing": "other"}[of], "res_id": res})
			require.NoError(t, err)
		}
	}
	a.must(t, adapter.Record{"name": "n", "kind_id": kind.Value()})
	p := w.pair(t)
	p.Fields = []string{"name", "kind_id"}
	_, outcomes := run(t, p)
	require.Len(t, b.made, 1, "%v", outcomes)
	ref, _ := b.table(t)[b.made[0]].Ref("kind_id")
	assert.Equal(t, there, ref.ID)
}

// A relation to a model that is synchronised along waits for its record, and is
// found by the same run once that is there.
func TestARelationToAModelThatIsSynchronisedAlong(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	kind := a.named(t, adapter.Record{"name": "k"})
	b.named(t, adapter.Record{"name": "k"})
	there := b.named(t, adapter.Record{"name": "k"})
	a.must(t, adapter.Record{"name": "n", "kind_id": kind.Value()})
	p := w.pair(t)
	p.Fields, p.Along = []string{"name", "kind_id"}, []string{"kind"}
	p.Watch = func(s recordsync.Standing) {
		if s.Phase == recordsync.PhaseLate && len(w.all(t, recordsync.WantLate)) == 1 {
			assert.True(t, adapter.IsEmpty(b.table(t)[b.made[0]]["kind_id"]), "it waits")
			_ = w.links.Save(t.Context(), "kind", []*recordsync.Link{{Model: "kind", IDs: [2]adapter.ID{kind, there}}}, nil)
		}
	}
	sums, _ := run(t, p)
	assert.Equal(t, 1, sums.Created)
	ref, _ := b.table(t)[b.made[0]].Ref("kind_id")
	assert.Equal(t, there, ref.ID)
	p.Watch = nil
	w.rests(t, p)
}

// A list of records that are not all there is written once, whole, when they are,
// and until then with those that are: which is no change of the target's own.
func TestAListThatWaits(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	id, known := a.must(t, adapter.Record{"name": "n"}), a.must(t, adapter.Record{"name": "known"})
	p := w.pair(t)
	p.Bidirectional, p.Policy, p.Page = true, recordsync.TargetWins, 1
	_, _ = run(t, p)
	first := a.must(t, adapter.Record{"name": "first"})
	b.updates = 0
	require.NoError(t, a.change(t.Context(), id, adapter.Record{"friend_ids": []any{known.Value(), first.Value()}}))
	a.log = a.log[:len(a.log)-2]
	a.noted(id, false) // before the one that it refers to
	a.noted(first, false)
	_, outcomes := run(t, p)
	assert.Equal(t, 1, b.updates, "%v", outcomes)
	w.equal(t, related...)

	// One is refused for now.
	b.refuse = func(values adapter.Record) error {
		if values["name"] == "second" {
			return errNo
		}
		return nil
	}
	second, third := a.must(t, adapter.Record{"name": "second"}), a.must(t, adapter.Record{"name": "third"})
	require.NoError(t, a.change(t.Context(), id, adapter.Record{"friend_ids": []any{known.Value(), second.Value(), third.Value()}}))
	_, _ = run(t, p)
	assert.Len(t, b.table(t)[b.made[0]].IDs("friend_ids"), 2, "those that are there")
	b.refuse = nil
	p.Retry = true
	_, _ = run(t, p)
	assert.Len(t, a.table(t)[id].IDs("friend_ids"), 3, "the source's list is nobody's change")
	w.equal(t, related...)
	w.rests(t, p)
}

// A relation to a record that was deleted on the other side is left out where
// deletions are ignored, whenever that is noticed.
func TestARelationWhoseTargetWasDeleted(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	parent := a.must(t, adapter.Record{"name": "parent"})
	p := w.pair(t)
	p.Bidirectional, p.Page = true, 1
	_, _ = run(t, p)
	first := a.must(t, adapter.Record{"name": "first", "parent_id": parent.Value()})
	require.NoError(t, a.change(t.Context(), parent, adapter.Record{"amount": 1}))
	second := a.must(t, adapter.Record{"name": "second", "parent_id": parent.Value()})
	p.Watch = func(s recordsync.Standing) {
		if s.Sums.Created == 1 && len(b.table(t)) == 2 {
			require.NoError(t, b.remove(t.Context(), b.made[0]))
		}
	}
	sums, outcomes := run(t, p)
	assert.Equal(t, 2, sums.Created, "%v", outcomes)
	assert.Zero(t, sums.Errors, "%v", outcomes)
	links, err := w.links.Find(t.Context(), model, recordsync.Source, []adapter.ID{first, second})
	require.NoError(t, err)
	require.Len(t, links, 2)
	assert.True(t, adapter.IsEmpty(b.table(t)[links[1].IDs[recordsync.Target]]["parent_id"]))
	said := false
	for _, o := range outcomes {
		for _, l := range o.LeftOut {
			said = said || l.Field == "parent_id"
		}
	}
	assert.True(t, said, "%v", outcomes)
	p.Watch = nil
	w.rests(t, p)
}

// A relation to a record that is made anew leads to the new one.
func TestARelationToARecordThatIsMadeAnew(t *testing.T) {
	for _, both := range []bool{false, true} {
		t.Run(fmt.Sprint("both directions ", both), func(t *testing.T) {
			w := newWorld()
			a, b := w.sides[0], w.sides[1]
			parent, child := a.must(t, adapter.Record{"name": "parent", "amount": 1}), a.must(t, adapter.Record{"name": "child", "amount": 1})
			p := w.pair(t)
			p.Bidirectional, p.Deletions = both, recordsync.Propagate
			_, _ = run(t, p)
			require.NoError(t, b.remove(t.Context(), b.made[0]))
			require.NoError(t, a.change(t.Context(), parent, adapter.Record{"amount": 2}))
			require.NoError(t, a.change(t.Context(), child, adapter.Record{"parent_id": parent.Value()}))
			sums, outcomes := run(t, p)
			assert.Equal(t, 1, sums.Created, "%v", outcomes)
			assert.Zero(t, sums.Errors, "%v", outcomes)
			w.equal(t, related...)
			w.rests(t, p)
		})
	}
}

// Records of a page that refer to each other are made in a bounded number of
// calls; those that refer to none of them, in one.
func TestChainsInOnePage(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	kind := a.named(t, adapter.Record{"name": "k"})
	b.named(t, adapter.Record{"name": "k"})
	p := w.pair(t)
	p.Fields = append([]string{"kind_id"}, all...)
	for i := range 3 {
		values := adapter.Record{"name": fmt.Sprint("flat ", i), "amount": 1}
		if i == 0 {
			values["kind_id"] = kind.Value() // which another of these has as its id too
		}
		a.must(t, values)
	}
	_, _ = run(t, p)
	assert.Equal(t, 1, b.creates)
	b.creates = 0
	var last any
	for i := range 9 {
		last = a.must(t, adapter.Record{"name": fmt.Sprint("n", i), "amount": 1, "parent_id": last}).Value()
	}
	sums, _ := run(t, p)
	assert.Equal(t, 9, sums.Created)
	assert.Equal(t, 5, b.creates)
	w.equal(t, related...)
	w.rests(t, p)
}

// A record with something to write to both sides is written to both, though it was
// told of already.
func TestAWaitingRecordThatTheTargetChanged(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	parent := a.must(t, adapter.Record{"name": "parent"})
	child := a.must(t, adapter.Record{"name": "child", "parent_id": parent.Value()})
	b.fares(answered(false, errLost)) // the parent is made after all others
	p := w.pair(t)
	p.Bidirectional, p.Page = true, 1
	p.Watch = func(s recordsync.Standing) {
		if s.Phase == recordsync.PhaseLate && len(b.made) == 2 && b.updates == 0 {
			require.NoError(t, b.change(t.Context(), b.made[0], adapter.Record{"email": "theirs"}))
		}
	}
	sums, outcomes := run(t, p)
	assert.Equal(t, 2, sums.Created, "%v", outcomes)
	assert.Equal(t, 1, b.updates)
	assert.Equal(t, "theirs", a.table(t)[child].String("email"))
	w.equal(t, related...)
}

// A record that is written in one field and in conflict in another is told once,
// as a conflict.
func TestAChangeBesideAConflict(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	id := a.must(t, adapter.Record{"name": "n", "amount": 1})
	p := w.pair(t)
	p.Bidirectional, p.Policy = true, recordsync.Manual
	_, _ = run(t, p)
	require.NoError(t, a.change(t.Context(), id, adapter.Record{"amount": 2, "email": "e"}))
	require.NoError(t, b.change(t.Context(), b.made[0], adapter.Record{"amount": 3}))
	sums, outcomes := run(t, p)
	require.Len(t, outcomes, 1)
	assert.Equal(t, recordsync.Conflicts, outcomes[0].Action)
	assert.Equal(t, 1, sums.Conflicts)
	assert.Equal(t, "e", b.table(t)[b.made[0]].String("email"))
}

// A change that waited, and broke off, is made by the next run: no change tells of
// it any more.
func TestAWaitingChangeThatBrokeOff(t *testing.T) {
	for _, answer := range []error{errLost, errBusy} {
		t.Run(answer.Error(), func(t *testing.T) {
			w := newWorld()
			a, b := w.sides[0], w.sides[1]
			child := a.must(t, adapter.Record{"name": "child"})
			parent := a.must(t, adapter.Record{"name": "parent"})
			require.NoError(t, a.change(t.Context(), child, adapter.Record{"parent_id": parent.Value()}))
			a.log = a.log[:2] // the child is seen first
			p := w.pair(t)
			p.Page = 1
			b.fares(done, done, answered(false, answer))
			_, err := p.Run(t.Context(), nil)
			require.ErrorIs(t, err, answer)
			sums, outcomes := w.again(t, p)
			assert.Equal(t, 1, sums.Updated, "%v", outcomes)
			w.equal(t, related...)
			w.rests(t, p)
		})
	}
}

// A record that is refused for want of one that waits is tried again once that is
// there.
func TestARefusalForWantOfAnother(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	kind := a.named(t, adapter.Record{"name": "k"})
	there := b.named(t, adapter.Record{"name": "k"})
	a.must(t, adapter.Record{"name": "n", "kind_id": kind.Value()})
	b.refuse = func(values adapter.Record) error {
		if adapter.IsEmpty(values["kind_id"]) {
			return errNo
		}
		return nil
	}
	p := w.pair(t)
	p.Fields, p.Along = []string{"name", "kind_id"}, []string{"kind"}
	sums, outcomes := run(t, p)
	assert.Equal(t, 1, sums.Errors, "%v", outcomes)
	require.NoError(t, w.links.Save(t.Context(), "kind", []*recordsync.Link{{Model: "kind", IDs: [2]adapter.ID{kind, there}}}, nil))
	sums, outcomes = run(t, p)
	assert.Equal(t, 1, sums.Created, "%v", outcomes)
	w.rests(t, p)
}

// A change that is refused for the record that it leads to is tried again with
// another one, however many runs are between.
func TestARefusalForTheRecordReferredTo(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	parent, child := a.must(t, adapter.Record{"name": "parent"}), a.must(t, adapter.Record{"name": "child"})
	p := w.pair(t)
	_, _ = run(t, p)
	tries := 0
	b.refuse = func(values adapter.Record) error {
		if values["parent_id"] == b.made[0].Value() {
			tries++
			return errNo
		}
		return nil
	}
	require.NoError(t, a.change(t.Context(), child, adapter.Record{"parent_id": parent.Value()}))
	for range 3 {
		_, _ = run(t, p)
	}
	assert.Equal(t, 1, tries, "the same is not tried again")
	require.NoError(t, b.remove(t.Context(), b.made[0]))
	require.NoError(t, a.change(t.Context(), parent, adapter.Record{"email": "e"}))
	sums, outcomes := run(t, p)
	assert.Equal(t, 1, sums.Updated, "%v", outcomes)
	w.equal(t, related...)
	w.rests(t, p)
}

// What the target's records refer to is not looked for where nothing of theirs is
// carried over.
func TestRelationsOfTheTargetOneWay(t *testing.T) {
	w := newWorld()
	a, b := w.sides[0], w.sides[1]
	kind := b.named(t, adapter.Record{"name": "k"})
	a.must(t, adapter.Record{"name": "n", "amount": 1})
	b.must(t, adapter.Record{"name": "n", "kind_id": kind.Value()})
	for _, j := range w.sides {
		j.unread = func(model string) error {
			if model == "kind" {
				return errDead
			}
			return nil
		}
	}
	p := w.pair(t)
	p.Fields, p.Match = []string{"name", "amount", "kind_id"}, []string{"name"}
	sums, outcomes := run(t, p)
	assert.Equal(t, 1, sums.Updated, "%v", outcomes)
}
