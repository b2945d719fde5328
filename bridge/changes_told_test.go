package bridge

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
)

// teller is a system that tells changes but no deletions: what a test has it
// tell, page by page. A cursor is the number of the page.
type teller struct {
	*memory.Adapter
	pages  [][]adapter.Change
	calls  int
	hidden map[adapter.ID]bool // counted, but not readable
	gone   map[adapter.ID]bool // neither, until it comes back
}

func (a *teller) Changes(_ context.Context, q adapter.ChangeQuery) (adapter.ChangePage, error) {
	a.calls++
	if q.Cursor == "" {
		return adapter.ChangePage{Next: strconv.Itoa(len(a.pages)), NoDeletions: true}, nil
	}
	at, err := strconv.Atoi(q.Cursor)
	if err != nil || at >= len(a.pages) {
		return adapter.ChangePage{Next: q.Cursor, NoDeletions: true}, err
	}
	return adapter.ChangePage{Changes: a.pages[at], Next: strconv.Itoa(at + 1), More: at+1 < len(a.pages), NoDeletions: true}, nil
}

func (a *teller) SearchIDs(ctx context.Context, q adapter.Query) (ids []adapter.ID, err error) {
	for r, err := range adapter.All(ctx, a.Adapter, q) {
		if err != nil {
			return nil, err
		}
		if !a.gone[r.ID()] {
			ids = append(ids, r.ID())
		}
	}
	return ids, nil
}

func (a *teller) Count(ctx context.Context, model string, filter adapter.Filter) (int64, error) {
	ids, err := a.SearchIDs(ctx, adapter.Query{Model: model, Filter: filter})
	return int64(len(ids)), err
}

func (a *teller) Query(ctx context.Context, q adapter.Query) (adapter.Page, error) {
	page, err := a.Adapter.Query(ctx, q)
	var seen []adapter.Record
	for _, r := range page.Records {
		if !a.hidden[r.ID()] && !a.gone[r.ID()] {
			seen = append(seen, r)
		}
	}
	page.Records = seen
	return page, err
}

// told follows a teller of the model item, from now on unless all is asked for.
type told struct {
	*teller
	rig   *rig
	sys   *System
	query ChangesQuery
	is    time.Time
}

func newTold(t *testing.T, records int) (*told, []adapter.ID) {
	t.Helper()
	f := &told{teller: &teller{Adapter: memory.New(adapter.Schema{Model: "item", Fields: map[string]adapter.Field{
		"id":   {Type: adapter.Integer, Readonly: true, Stored: true, Searchable: true, Sortable: true},
		"name": {Type: adapter.Char, Stored: true, Searchable: true, Sortable: true},
	}}), hidden: map[adapter.ID]bool{}, gone: map[adapter.ID]bool{}}, query: ChangesQuery{Model: "item"}, is: time.Unix(1_800_000_000, 0)}
	ids := f.make(t, records)
	r := build(t, nil, SystemConfig{Tenant: "acme", ID: "main", Kind: "fake", Revision: "1", Connection: adapter.Adapter(f.teller)})
	r.now = func() time.Time { return f.is }
	f.rig, f.sys = r, r.sys(t)
	return f, ids
}

func (f *told) make(t *testing.T, n int) (ids []adapter.ID) {
	t.Helper()
	for i := range n {
		id, err := f.Create(t.Context(), "item", adapter.Record{"name": fmt.Sprint("item ", i)})
		require.NoError(t, err)
		ids = append(ids, id)
	}
	return ids
}

// tells has the system tell a further page.
func (f *told) tells(changes ...adapter.Change) { f.pages = append(f.pages, changes) }

func (f *told) changed(id adapter.ID) adapter.Change { return adapter.Change{ID: id, At: f.is} }

// next is the next answer: "1" is a record, "-1" one that is gone.
func (f *told) next(t *testing.T) (got []string, more bool) {
	t.Helper()
	f.calls = 0
	page, err := f.sys.Changes(t.Context(), f.query)
	require.NoError(t, err)
	f.query.Cursor = page.Next
	got = []string{}
	for _, c := range page.Changes {
		if !c.Deleted {
			require.NotNil(t, c.Record)
			got = append(got, c.ID.String())
		} else {
			got = append(got, "-"+c.ID.String())
		}
	}
	return got, page.More
}

// wants checks the next answer.
func (f *told) wants(t *testing.T, more bool, want ...string) {
	t.Helper()
	got, again := f.next(t)
	assert.Equal(t, append([]string{}, want...), got)
	assert.Equal(t, more, again, "there is more")
}

func name(id adapter.ID) string { return id.String() }

func TestChangesLimits(t *testing.T) {
	f, _ := newTold(t, MaxChangesLimit+1)
	f.query.Initial, f.query.Limit = true, MaxChangesLimit+1
	got, more := f.next(t)
	assert.Len(t, got, MaxChangesLimit)
	assert.True(t, more)

	_, err := f.sys.Changes(t.Context(), ChangesQuery{Model: "item", Limit: -1})
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	assert.Contains(t, err.Error(), "limit")
}

// Who may not read a model is refused before the system is asked.
func TestChangesAreForWhoMayRead(t *testing.T) {
	f, _ := newTold(t, 1)
	for name, rules := range map[string][]Rule{"nothing": {}, "another model": {{Models: []string{"other"}, Methods: []string{"*"}}}} {
		caller := sara
		caller.Rules = rules
		s, err := f.rig.System(t.Context(), caller, "main")
		require.NoError(t, err)
		for _, initial := range []bool{false, true} {
			_, err = s.Changes(t.Context(), ChangesQuery{Model: "item", Initial: initial})
			require.ErrorIs(t, err, adapter.ErrPermissionDenied, name)
		}
	}
	assert.Zero(t, f.calls)
}

// An answer asks the system a bounded number of times, and not at all for what
// it has no room for.
func TestChangesAskNoMoreThanTheyHaveRoomFor(t *testing.T) {
	f, ids := newTold(t, 2)
	f.wants(t, false)
	f.query.Limit = 1
	f.tells(f.changed(ids[0]))
	f.tells(f.changed(ids[1]))
	f.wants(t, true, name(ids[0]))
	assert.Equal(t, 1, f.calls)
	f.wants(t, true, name(ids[1]))

	for range 2*changesCalls + 1 {
		f.tells()
	}
	f.wants(t, true)
	assert.Equal(t, changesCalls, f.calls)
}

// A run that an earlier answer began is followed by another, which the next
// answer makes if this one can't.
func TestChangesLookOnceMoreAfterARunOfSeveralAnswers(t *testing.T) {
	f, ids := newTold(t, 1)
	f.query.Limit = 1
	f.wants(t, false)
	f.tells(f.changed(ids[0]))
	for range changesCalls/2 + 1 {
		f.tells()
	}
	f.wants(t, true, name(ids[0]))
	f.wants(t, true)
	f.wants(t, false)
}

// What was told is told again where it is not remembered any more.
func TestChangesRememberForAWhile(t *testing.T) {
	f, ids := newTold(t, 2)
	f.wants(t, false)
	then := f.changed(ids[0])
	f.tells(then)
	f.wants(t, false, name(ids[0]))
	f.tells(then)
	f.wants(t, false)
	f.is = f.is.Add(changesNative + time.Second)
	f.tells(f.changed(ids[1]))
	f.wants(t, false, name(ids[1]))
	f.tells(then)
	f.wants(t, false, name(ids[0]))
}

// A record that is told as deleted is deleted, though it could be read or never
// came before; but one that nobody knows is not told of.
func TestChangesTellDeletions(t *testing.T) {
	f, _ := newTold(t, 1)
	f.wants(t, false)
	made := f.make(t, 1)[0]
	f.tells(f.changed(made), adapter.Change{ID: made, Deleted: true, At: f.is}, adapter.Change{ID: adapter.IntID(999), Deleted: true, At: f.is})
	f.query.Limit = 2
	f.wants(t, true, name(made), "-"+name(made))
	require.NoError(t, f.Delete(t.Context(), "item", []adapter.ID{made}))
	f.wants(t, false)
}

// A record that was found to be gone is told when it is back as it was, though
// the number of records does not say so.
func TestChangesTellWhatIsBack(t *testing.T) {
	f, ids := newTold(t, 3)
	f.wants(t, false)
	f.tells(f.changed(ids[0]))
	f.wants(t, false, name(ids[0]))
	f.gone[ids[0]] = true
	f.wants(t, false, "-"+name(ids[0]))
	f.gone[ids[0]], f.gone[ids[1]] = false, true
	f.tells(f.changed(ids[0]))
	f.wants(t, false, name(ids[0]), "-"+name(ids[1]))
}

// What nobody told is found by the number of records, at once, and where that is
// as expected after a while; as much at a time as there is room for.
func TestChangesFindWhatWasNotTold(t *testing.T) {
	f, ids := newTold(t, 5)
	f.wants(t, false)
	require.NoError(t, f.Delete(t.Context(), "item", ids[:1]))
	more := f.make(t, 1)
	f.is = f.is.Add(changesRecheck - time.Second)
	f.wants(t, false)
	f.is = f.is.Add(time.Second)
	f.wants(t, false, name(more[0]), "-"+name(ids[0]))

	// Three for one, of which the first two make up the number.
	require.NoError(t, f.Delete(t.Context(), "item", ids[1:2]))
	more = f.make(t, 3)
	f.query.Limit = 2
	f.wants(t, true, name(more[0]), name(more[1]))
	f.is = f.is.Add(changesRecheck)
	f.wants(t, false, name(more[2]), "-"+name(ids[1]))
	f.wants(t, false)
}

// As long as not all was compared that time does not begin anew.
func TestChangesGoOnComparing(t *testing.T) {
	f, ids := newTold(t, 5)
	f.wants(t, false)
	require.NoError(t, f.Delete(t.Context(), "item", ids[:1]))
	more := f.make(t, 3)
	f.query.Limit = 2
	f.is = f.is.Add(changesRecheck)
	f.wants(t, true, name(more[0]), name(more[1]))
	f.wants(t, false, name(more[2]), "-"+name(ids[0]))
}

// Records that are there, but not for the caller, are none.
func TestChangesOfWhatMayNotBeRead(t *testing.T) {
	f, ids := newTold(t, 2)
	f.wants(t, false)
	hidden := f.make(t, 1)
	f.hidden[hidden[0]] = true
	f.wants(t, false)

	// One that comes back is told, though it is as it was; and so is one that
	// goes again.
	f.tells(f.changed(ids[0]))
	f.wants(t, false, name(ids[0]))
	require.NoError(t, f.Delete(t.Context(), "item", hidden))
	for range 2 {
		f.hidden[ids[0]] = true
		f.tells(f.changed(ids[0]))
		f.wants(t, false, "-"+name(ids[0]))
		f.hidden[ids[0]] = false
		f.wants(t, false, name(ids[0]))
	}
}
