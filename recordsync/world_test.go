package recordsync_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/recordsync"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const model = "thing"

// schemas are those of both systems.
func schemas() []adapter.Schema {
	return []adapter.Schema{
		{Model: model, Fields: map[string]adapter.Field{
			"name": {Type: adapter.Char, Required: true}, "email": {Type: adapter.Char}, "amount": {Type: adapter.Integer}, "active": {Type: adapter.Boolean},
			"parent_id": {Type: adapter.Many2One, Relation: model}, "friend_ids": {Type: adapter.Many2Many, Relation: model},
			"kind_id": {Type: adapter.Many2One, Relation: "kind"}, "tag_ids": {Type: adapter.Many2Many, Relation: "kind"}, "ext": {Type: adapter.Char}, "write_date": {Type: adapter.DateTime},
		}},
		{Model: "kind", Fields: map[string]adapter.Field{"name": {Type: adapter.Char}}},
	}
}

// world is two systems and the links between them, of which any call may go
// wrong.
type world struct {
	sides [2]*journal
	links *recordsync.Memory
	kind  string // of both systems; "" is "memory"

	mu sync.Mutex
	// fuse is how many calls there are until everything dies; negative for
	// never. dead says that it did.
	fuse int
	dead bool
	// lost says of a change that its answer gets lost, late of one that it is not
	// made at all.
	lost   func() bool
	random *rand.Rand
}

func newWorld() *world {
	w := &world{links: recordsync.NewMemory(), fuse: -1}
	for i := range w.sides {
		w.sides[i] = &journal{Adapter: memory.New(schemas()...), world: w, now: time.Now, people: map[adapter.ID]bool{}}
	}
	return w
}

var errDead = &adapter.Error{Code: adapter.Unavailable, Message: "the process is dead"}

// step is a call. It reports whether it takes effect and whether its answer
// arrives.
func (w *world) step(changes bool) (effect, answer bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return false, false
	}
	if w.fuse == 0 {
		w.dead = true
		return w.chance(2), false
	}
	if w.fuse > 0 {
		w.fuse--
	}
	if changes && w.lost != nil && w.lost() {
		return w.chance(2), false
	}
	return true, true
}

func (w *world) chance(n int) bool { return w.random == nil || w.random.IntN(n) == 0 }

func (w *world) revive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead, w.fuse = false, -1
}

// Save, and so on, are those of Links that die with the process.
type mortal struct {
	recordsync.Links
	world *world
}

func (m mortal) Save(ctx context.Context, model string, links []*recordsync.Link, state *recordsync.State) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	effect, answer := m.world.step(false)
	var err error
	if effect {
		err = m.Links.Save(ctx, model, links, state)
	}
	if !answer {
		return errDead
	}
	return err
}

// journal is a system in memory that tells what changed, and refuses what its
// test says.
type journal struct {
	*memory.Adapter
	world  *world
	refuse func(adapter.Record) error
	now    func() time.Time
	tells  bool // what time it is

	mu      sync.Mutex
	people  map[adapter.ID]bool // records that people made
	log     []adapter.Change
	forget  int // cursors before are too old
	creates int // calls
	updates int
	fates   []fate                   // of the next writes
	made    []adapter.ID             // what CreateEach made
	whole   error                    // what CreateEach answers to all at once
	unread  func(model string) error // what reading a model answers
	hidden  string                   // a field that can't be searched by
}

func (j *journal) Schema(ctx context.Context, model string) (*adapter.Schema, error) {
	s, err := j.Adapter.Schema(ctx, model)
	if err == nil && s.Has(j.hidden) {
		f, shown := s.Fields[j.hidden], *s
		shown.Fields = maps.Clone(s.Fields)
		f.Stored, f.Searchable = false, false
		shown.Fields[j.hidden] = f
		s = &shown
	}
	return s, err
}

func (j *journal) Info() adapter.Info { return adapter.Info{Kind: "memory", Version: "1"} }

// Clock implements adapter.Clocked.
func (j *journal) Clock() (time.Time, bool) { return j.now(), j.tells }

func (j *journal) noted(id adapter.ID, deleted bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.log = append(j.log, adapter.Change{ID: id, Deleted: deleted})
}

func (j *journal) Changes(ctx context.Context, q adapter.ChangeQuery) (adapter.ChangePage, error) {
	if _, answer := j.world.step(false); !answer {
		return adapter.ChangePage{}, errDead
	}
	j.mu.Lock()
	log := slices.Clone(j.log)
	forget := j.forget
	j.mu.Unlock()
	at := len(log)
	if q.Cursor != "" {
		at, _ = strconv.Atoi(q.Cursor)
	}
	if at < forget {
		return adapter.ChangePage{}, &adapter.Error{Code: adapter.PreconditionFailed, Message: "too old"}
	}
	end := len(log)
	if q.Limit > 0 {
		end = min(end, at+q.Limit)
	}
	page := adapter.ChangePage{Next: strconv.Itoa(end), More: end < len(log)}
	for _, c := range log[at:end] {
		records, err := j.Read(ctx, q.Model, []adapter.ID{c.ID}, q.Fields)
		if err != nil {
			return page, err
		}
		if len(records) == 0 {
			c.Deleted = true
		} else {
			c.Deleted, c.Record = false, records[0]
		}
		page.Changes = append(page.Changes, c)
	}
	return page, nil
}

func (j *journal) Query(ctx context.Context, q adapter.Query) (adapter.Page, error) {
	if _, answer := j.world.step(false); !answer {
		return adapter.Page{}, errDead
	}
	if err := ctx.Err(); err != nil {
		return adapter.Page{}, err
	}
	if j.unread != nil {
		if err := j.unread(q.Model); err != nil {
			return adapter.Page{}, err
		}
	}
	return j.Adapter.Query(ctx, q)
}

// make creates a record, past everything that goes wrong.
func (j *journal) make(ctx context.Context, values adapter.Record) (adapter.ID, error) {
	if j.refuse != nil {
		if err := j.refuse(values); err != nil {
			return adapter.ID{}, err
		}
	}
	id, err := j.Adapter.Create(ctx, model, j.dated(values))
	if err == nil {
		j.noted(id, false)
	}
	return id, err
}

func (j *journal) dated(values adapter.Record) adapter.Record {
	out := adapter.Record{"write_date": j.now().UTC().Format(time.DateTime)}
	for name, v := range values {
		if j.world.kind == "odoo" {
			v = stored(name, v)
		}
		out[name] = v
	}
	return out
}

// stored is what Odoo keeps of a value that was written to it.
func stored(name string, v any) any {
	if v == false && name != "active" {
		return nil
	}
	if commands, many := v.([]any); many && len(commands) == 1 {
		if set, is := commands[0].([]any); is {
			return set[2]
		}
	}
	return v
}

func (j *journal) change(ctx context.Context, id adapter.ID, values adapter.Record) error {
	if j.refuse != nil {
		if err := j.refuse(values); err != nil {
			return err
		}
	}
	err := j.Adapter.Update(ctx, model, []adapter.ID{id}, j.dated(values))
	if err == nil {
		j.noted(id, false)
	}
	return err
}

func (j *journal) remove(ctx context.Context, id adapter.ID) error {
	err := j.Adapter.Delete(ctx, model, []adapter.ID{id})
	if err != nil {
		return err
	}
	j.noted(id, true)
	// Whoever referred to it does not any more, which is a change of his.
	for r, err := range adapter.All(ctx, j.Adapter, adapter.Query{Model: model}) {
		if err != nil {
			return err
		}
		values := adapter.Record{}
		if ref, ok := r.Ref("parent_id"); ok && ref.ID == id {
			values["parent_id"] = nil
		}
		if friends := r.IDs("friend_ids"); slices.Contains(friends, id) {
			left := []any{}
			for _, f := range friends {
				if f != id {
					left = append(left, f.Value())
				}
			}
			values["friend_ids"] = left
		}
		if len(values) > 0 {
			if err := j.change(ctx, r.ID(), values); err != nil {
				return err
			}
		}
	}
	return nil
}

var errLost = &adapter.Error{Code: adapter.UnknownOutcome, Message: "the answer got lost"}

func (j *journal) CreateEach(ctx context.Context, _ string, values []adapter.Record) ([]adapter.ID, error) {
	j.mu.Lock()
	j.creates++
	whole := j.whole
	j.mu.Unlock()
	if whole != nil {
		return nil, whole
	}
	ids := make([]adapter.ID, len(values))
	failed := map[int]error{}
	for i, v := range values {
		v = maps.Clone(v)
		effect, answer := j.fate(v)
		var err error
		if effect {
			if ids[i], err = j.make(ctx, v); err == nil {
				j.made = append(j.made, ids[i])
			}
		}
		if answer != nil {
			ids[i], err = adapter.ID{}, answer
		}
		if err != nil && !errors.Is(err, errSilent) {
			failed[i] = err
		}
	}
	if len(failed) > 0 {
		return ids, &adapter.PartialError{Done: ids, Failed: failed}
	}
	return ids, nil
}

func (j *journal) Create(context.Context, string, adapter.Record) (adapter.ID, error) {
	panic("one by one")
}

func (j *journal) Update(ctx context.Context, _ string, ids []adapter.ID, values adapter.Record) (err error) {
	j.mu.Lock()
	j.updates++
	j.mu.Unlock()
	effect, answer := j.fate(values)
	if effect {
		err = j.change(ctx, ids[0], values)
	}
	return cmp.Or(answer, err)
}

func (j *journal) Delete(ctx context.Context, _ string, ids []adapter.ID) (err error) {
	effect, answer := j.fate(nil)
	if effect {
		err = j.remove(ctx, ids[0])
	}
	return cmp.Or(answer, err)
}

// pair is the two systems by a new process.
func (w *world) pair(t *testing.T) recordsync.Pair {
	t.Helper()
	kind := cmp.Or(w.kind, "memory")
	b, err := bridge.New(bridge.Config{
		Source: bridge.Static(
			bridge.SystemConfig{Tenant: "acme", ID: "a", Kind: kind, Connection: w.sides[0]},
			bridge.SystemConfig{Tenant: "acme", ID: "b", Kind: kind, Connection: w.sides[1]},
		),
		Openers: map[string]bridge.Opener{kind: func(_ context.Context, c bridge.SystemConfig) (adapter.Adapter, error) {
			return unclosed{c.Connection.(*journal)}, nil
		}},
		Retries: -1, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.Close() })
	p := recordsync.Pair{Model: model, Fields: []string{"name", "email", "amount", "parent_id", "friend_ids"}, Links: mortal{w.links, w}, Settle: -1, Holder: "test"}
	caller := bridge.Caller{Tenant: "acme", User: "sara"}
	p.Source, err = b.System(t.Context(), caller, "a")
	require.NoError(t, err)
	p.Target, err = b.System(t.Context(), caller, "b")
	require.NoError(t, err)
	return p
}

// unclosed outlives the bridge.
type unclosed struct{ *journal }

func (unclosed) Close() error { return nil }

// run runs, and returns the outcomes.
func run(t *testing.T, p recordsync.Pair) (recordsync.Sums, []recordsync.Outcome) {
	t.Helper()
	var all []recordsync.Outcome
	sums, err := p.Run(t.Context(), func(o recordsync.Outcome) { all = append(all, o) })
	require.NoError(t, err)
	return sums, all
}

// table is what a system has.
func (j *journal) table(t *testing.T) map[adapter.ID]adapter.Record {
	t.Helper()
	out := map[adapter.ID]adapter.Record{}
	for r, err := range adapter.All(t.Context(), j.Adapter, adapter.Query{Model: model}) {
		require.NoError(t, err)
		out[r.ID()] = r
	}
	return out
}

// equal fails unless both systems have the same records, by the links.
func (w *world) equal(t *testing.T, fields ...string) {
	t.Helper()
	a, b := w.sides[0].table(t), w.sides[1].table(t)
	links, err := w.links.Select(t.Context(), model, recordsync.Want{Kind: recordsync.WantAll})
	require.NoError(t, err)
	over := map[adapter.ID]adapter.ID{}
	for _, l := range links {
		if !l.IDs[0].IsZero() && !l.IDs[1].IsZero() {
			over[l.IDs[0]] = l.IDs[1]
		}
	}
	if len(a) != len(b) {
		for _, l := range links {
			t.Logf("%d: %v %v gone %v late %v intent %v conflict %+v refusal %v", l.ID, l.IDs[0], l.IDs[1], l.Gone, l.Late, l.Intent, l.Conflict, l.Refusal)
		}
		for i := range w.sides {
			for id := range w.sides[i].table(t) {
				if got, _ := w.links.Find(t.Context(), model, recordsync.Side(i), []adapter.ID{id}); len(got) == 0 {
					t.Logf("%d has %v without a link", i, id)
				}
			}
		}
	}
	require.Len(t, b, len(a), "as many records on both sides")
	show := func(r adapter.Record, name string, m map[adapter.ID]adapter.ID) string {
		switch name {
		case "parent_id":
			ref, _ := r.Ref(name)
			if m != nil && !ref.ID.IsZero() {
				return m[ref.ID].String()
			}
			return ref.ID.String()
		case "friend_ids":
			var ids []string
			for _, id := range r.IDs(name) {
				if m != nil {
					id = m[id]
				}
				ids = append(ids, id.String())
			}
			slices.Sort(ids)
			return fmt.Sprint(ids)
		}
		if adapter.IsEmpty(r[name]) {
			return ""
		}
		return fmt.Sprint(r[name])
	}
	seen := map[adapter.ID]bool{}
	for id, r := range a {
		to, linked := over[id]
		require.True(t, linked, "record %s has a counterpart", id)
		require.False(t, seen[to], "one counterpart each")
		seen[to] = true
		require.Contains(t, b, to)
		for _, name := range fields {
			require.Equal(t, show(r, name, over), show(b[to], name, nil), "%s of %s and %s", name, id, to)
		}
	}
}
