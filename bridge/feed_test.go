package bridge_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cache"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// followed is a simulated Odoo whose clock is ahead of ours, and a feed of its
// partners.
func followed(t *testing.T, version string, skew time.Duration) (*odootest.Server, *bridge.System, *bridge.Feed, *clock) {
	t.Helper()
	c := &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)}
	server := odootest.NewServer(odootest.Config{Version: version, Now: func() time.Time { return c.now().Add(skew) }})
	t.Cleanup(server.Close)
	sys := systemAt(t, server, server.URL)
	feed, err := sys.Feed("res.partner", bridge.FeedOptions{Now: c.now})
	require.NoError(t, err)
	c.pass(time.Hour) // the demo data are of before
	begin(t, feed, c)
	return server, sys, feed, c
}

// systemAt is a simulated Odoo as a system, reached by an address.
func systemAt(t *testing.T, server *odootest.Server, url string) *bridge.System {
	t.Helper()
	kept := cache.New(cache.NewMemory(0))
	t.Cleanup(func() { _ = kept.Close() })
	b, err := bridge.New(bridge.Config{
		Source: bridge.Static(bridge.SystemConfig{Tenant: "acme", ID: "main", Kind: "odoo", Revision: "1"}),
		Openers: map[string]bridge.Opener{"odoo": func(ctx context.Context, _ bridge.SystemConfig) (adapter.Adapter, error) {
			return odoo.Dial(ctx, odoo.Config{URL: url, Database: server.Database, Username: server.Username, Password: server.Password})
		}},
		Cache: kept, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.Close() })
	sys, err := b.System(t.Context(), bridge.Caller{Tenant: "acme", User: "1"}, "main")
	require.NoError(t, err)
	return sys
}

// begin polls until the feed has begun.
func begin(t *testing.T, feed *bridge.Feed, c *clock) {
	t.Helper()
	for range 3 {
		page, err := feed.Poll(t.Context())
		require.NoError(t, err)
		require.Empty(t, page.Changes, "what was there before is not told")
		if page.Begun {
			return
		}
		require.True(t, page.Pending)
		c.pass(1100 * time.Millisecond)
	}
	require.Fail(t, "it did not begin")
}

// A feed begins sharply, whatever the clocks: what changed a moment before is
// not told, what changes a moment after is.
func TestFeedBeginsSharply(t *testing.T) {
	for name, skew := range map[string]time.Duration{"one clock": 0, "hours behind": -5 * time.Hour, "hours ahead": 7 * time.Hour} {
		for date, off := range map[string]time.Duration{"dated by the system": 0, "dated by a proxy": -skew} {
			t.Run(name+", "+date, func(t *testing.T) {
				c := &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 100_000_000, time.UTC)}
				server := odootest.NewServer(odootest.Config{Version: "17.0", Now: func() time.Time { return c.now().Add(skew) }})
				t.Cleanup(server.Close)
				front := httptest.NewServer(dating{server, func() time.Time { return c.now().Add(skew + off) }})
				t.Cleanup(front.Close)
				sys := systemAt(t, server, front.URL)
				c.pass(time.Hour)
				make := func(name string) adapter.ID {
					id, err := server.Create("res.partner", map[string]any{"name": name})
					require.NoError(t, err)
					return adapter.IntID(id)
				}
				write := func(id adapter.ID) {
					number, _ := id.Int()
					_, err := server.Call("res.partner", "write", []any{number}, map[string]any{"ref": c.now().String()})
					require.NoError(t, err)
				}
				for round := range 5 {
					old, older := make("old"), make("older")
					feed, err := sys.Feed("res.partner", bridge.FeedOptions{Now: c.now})
					require.NoError(t, err)
					c.pass(time.Duration(round) * 200 * time.Millisecond)
					write(older)
					begin(t, feed, c)
					write(old) // perhaps in the second in which it began
					made := make("new")
					var told []bridge.FeedChange
					for range 4 {
						c.pass(1100 * time.Millisecond)
						page, err := feed.Poll(t.Context())
						require.NoError(t, err)
						told = append(told, page.Changes...)
					}
					require.Len(t, told, 2, "round %d: %v", round, told)
					assert.Equal(t, old, told[0].ID)
					assert.Equal(t, bridge.FeedWrite, told[0].Operation)
					assert.Equal(t, made, told[1].ID)
					assert.Equal(t, bridge.FeedCreate, told[1].Operation)
				}
			})
		}
	}
}

// dating is a proxy that dates answers by its own clock.
type dating struct {
	http.Handler
	now func() time.Time
}

func (d dating) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.Handler.ServeHTTP(dated{w, d.now}, r)
}

type dated struct {
	http.ResponseWriter
	now func() time.Time
}

func (d dated) WriteHeader(status int) {
	d.Header().Set("Date", d.now().UTC().Format(http.TimeFormat))
	d.ResponseWriter.WriteHeader(status)
}

func (d dated) Write(b []byte) (int, error) {
	d.Header().Set("Date", d.now().UTC().Format(http.TimeFormat))
	return d.ResponseWriter.Write(b)
}

// Records that are dated in the future, of a day on which the system's clock
// was wrong, hide nothing.
func TestFeedBesideRecordsOfTheFuture(t *testing.T) {
	c := &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 100_000_000, time.UTC)}
	var ahead atomic.Int64
	server := odootest.NewServer(odootest.Config{Version: "17.0", Now: func() time.Time { return c.now().Add(time.Duration(ahead.Load())) }})
	t.Cleanup(server.Close)
	ahead.Store(int64(10 * time.Hour))
	future, err := server.Create("res.partner", map[string]any{"name": "Future"})
	require.NoError(t, err)
	ahead.Store(0)
	c.pass(time.Hour)
	feed, err := systemAt(t, server, server.URL).Feed("res.partner", bridge.FeedOptions{Now: c.now})
	require.NoError(t, err)
	begin(t, feed, c)
	told := func() []bridge.FeedChange {
		var all []bridge.FeedChange
		for range 3 {
			c.pass(1100 * time.Millisecond)
			page, err := feed.Poll(t.Context())
			require.NoError(t, err)
			all = append(all, page.Changes...)
		}
		return all
	}
	require.Empty(t, told())
	beside := func() {
		for range 3 {
			id, err := server.Create("res.partner", map[string]any{"name": "Now"})
			require.NoError(t, err)
			all := told()
			require.Len(t, all, 1)
			assert.Equal(t, adapter.IntID(id), all[0].ID)
			c.pass(time.Minute)
		}
	}
	beside()
	ahead.Store(int64(20 * time.Hour))
	another, err := server.Create("res.partner", map[string]any{"name": "Future"})
	require.NoError(t, err)
	ahead.Store(0)
	all := told()
	require.Len(t, all, 1)
	assert.Equal(t, adapter.IntID(another), all[0].ID)
	beside()
	_, err = server.Call("res.partner", "write", []any{future}, map[string]any{"ref": "corrected"})
	require.NoError(t, err)
	all = told()
	require.Len(t, all, 1)
	assert.Equal(t, adapter.IntID(future), all[0].ID)
}

// A transaction is dated by its beginning: what is seen minutes later is told
// all the same, once.
func TestFeedTellsOfLongTransactions(t *testing.T) {
	c := &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 100_000_000, time.UTC)}
	var ago atomic.Int64
	server := odootest.NewServer(odootest.Config{Version: "17.0", Now: func() time.Time { return c.now().Add(-time.Duration(ago.Load())) }})
	t.Cleanup(server.Close)
	c.pass(time.Hour)
	feed, err := systemAt(t, server, server.URL).Feed("res.partner", bridge.FeedOptions{Now: c.now})
	require.NoError(t, err)
	begin(t, feed, c)
	var told []bridge.FeedChange
	poll := func(times int) {
		for range times {
			c.pass(5 * time.Second)
			page, err := feed.Poll(t.Context())
			require.NoError(t, err)
			told = append(told, page.Changes...)
		}
	}
	want := map[adapter.ID]bool{}
	for n := range 12 {
		_, err := server.Create("res.partner", map[string]any{"name": "Keeps it busy"})
		require.NoError(t, err)
		poll(10)
		told = nil
		ago.Store(int64(time.Duration(n) * time.Minute))
		id, err := server.Create("res.partner", map[string]any{"name": "Long"})
		require.NoError(t, err)
		ago.Store(0)
		poll(20)
		require.Len(t, told, 1, "%d minutes", n)
		assert.Equal(t, adapter.IntID(id), told[0].ID)
		want[told[0].ID] = true
	}
	assert.Len(t, want, 12)
}

func TestFeedMissesNothingAndTellsNothingTwice(t *testing.T) {
	for i, version := range []string{"13.0", "17.0", "19.0"} {
		for j, skew := range []time.Duration{0, -90 * time.Second, 2 * time.Minute} {
			if testing.Short() && i != j {
				continue
			}
			t.Run(fmt.Sprintf("%s skew %s", version, skew), func(t *testing.T) {
				server, _, feed, c := followed(t, version, skew)
				random := rand.New(rand.NewPCG(7, uint64(skew)))
				live := map[adapter.ID]int{} // edits since the last time it was told, of records made here
				told := map[adapter.ID][]string{}
				var waiting []adapter.ID // deleted, not told yet
				take := func(changes []bridge.FeedChange) {
					for _, ch := range changes {
						told[ch.ID] = append(told[ch.ID], ch.Operation)
						if ch.Operation == bridge.FeedUnlink {
							i := slices.Index(waiting, ch.ID)
							require.GreaterOrEqual(t, i, 0, "record %v was not deleted, or told twice", ch.ID)
							waiting = slices.Delete(waiting, i, i+1)
							continue
						}
						n, ours := live[ch.ID]
						if !ours && slices.Contains(waiting, ch.ID) {
							continue // changed, told, and deleted meanwhile
						}
						require.Positive(t, n, "%s of record %v was told without an edit", ch.Operation, ch.ID)
						live[ch.ID] = 0
					}
				}
				poll := func() bool {
					page, err := feed.Poll(t.Context())
					require.NoError(t, err)
					require.False(t, page.Lost)
					take(page.Changes)
					return page.Pending
				}
				for edit := range 1000 {
					switch n := random.IntN(10); {
					case n < 3 || len(live) == 0:
						id, err := server.Create("res.partner", map[string]any{"name": fmt.Sprint("Partner ", edit)})
						require.NoError(t, err)
						live[adapter.IntID(id)] = 1
					case n < 9:
						id := anyOf(random, live)
						number, _ := id.Int()
						_, err := server.Call("res.partner", "write", []any{number}, map[string]any{"ref": strconv.Itoa(edit)})
						require.NoError(t, err)
						live[id]++
					default:
						id := anyOf(random, live)
						number, _ := id.Int()
						_, err := server.Call("res.partner", "unlink", []any{number})
						require.NoError(t, err)
						if ops := told[id]; len(ops) > 0 {
							waiting = append(waiting, id)
						}
						delete(live, id)
					}
					c.pass(time.Duration(random.IntN(400)) * time.Millisecond)
					switch random.IntN(8) {
					case 0:
						poll()
					case 1:
						gone, err := feed.Sweep(t.Context())
						require.NoError(t, err)
						take(gone)
					}
				}
				for range 2 {
					c.pass(1100 * time.Millisecond)
					poll()
					_, err := feed.Sweep(t.Context())
					require.NoError(t, err)
				}
				c.pass(1100 * time.Millisecond)
				assert.False(t, poll())
				for id, edits := range live {
					assert.Zero(t, edits, "record %v: the last edits were missed", id)
				}
				assert.Empty(t, waiting, "deletions that were missed")
				for id, ops := range told {
					assert.Equal(t, bridge.FeedCreate, ops[0], "record %v", id)
					assert.Equal(t, 1, times(ops, bridge.FeedCreate), "record %v", id)
				}
				c.pass(10 * time.Second)
				page, err := feed.Poll(t.Context())
				require.NoError(t, err)
				assert.Empty(t, page.Changes, "a quiet system has nothing to tell")
			})
		}
	}
}

func anyOf(random *rand.Rand, live map[adapter.ID]int) adapter.ID {
	ids := make([]adapter.ID, 0, len(live))
	for id := range live {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b adapter.ID) int {
		x, _ := a.Int()
		y, _ := b.Int()
		return int(x - y)
	})
	return ids[random.IntN(len(ids))]
}

func times(list []string, what string) (n int) {
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}

// What the caller made himself is not told again; what others make of the same
// record after it is.
func TestFeedLeavesOutMarkedChanges(t *testing.T) {
	server, sys, feed, c := followed(t, "17.0", 0)
	ctx := t.Context()
	made, err := sys.Create(ctx, "res.partner", adapter.Record{"name": "Ours"})
	require.NoError(t, err)
	feed.Mark("create", []adapter.ID{made.ID()})
	next := func() []bridge.FeedChange {
		var all []bridge.FeedChange
		for range 3 {
			c.pass(5 * time.Second) // as polls come in life
			page, err := feed.Poll(ctx)
			require.NoError(t, err)
			all = append(all, page.Changes...)
			gone, err := feed.Sweep(ctx)
			require.NoError(t, err)
			all = append(all, gone...)
		}
		return all
	}
	assert.Empty(t, next())
	id, _ := made.ID().Int()
	_, err = server.Call("res.partner", "write", []any{id}, map[string]any{"ref": "theirs"})
	require.NoError(t, err)
	told := next()
	require.Len(t, told, 1)
	assert.Equal(t, bridge.FeedChange{ID: made.ID(), Operation: bridge.FeedWrite, At: told[0].At}, told[0])
	assert.NotZero(t, told[0].At)
	require.NoError(t, sys.Delete(ctx, "res.partner", []adapter.ID{made.ID()}))
	feed.Mark("unlink", []adapter.ID{made.ID()})
	assert.Empty(t, next())
}

// What others change is not served from the cache once it was noticed.
func TestFeedDropsWhatIsStale(t *testing.T) {
	server, sys, feed, c := followed(t, "17.0", 0)
	ctx := t.Context()
	id, err := server.Create("res.partner", map[string]any{"name": "Before"})
	require.NoError(t, err)
	read := func() string {
		a, err := sys.Read(ctx, bridge.Reading{Query: adapter.Query{Model: "res.partner", Fields: []string{"name"}, Filter: adapter.Cond{Field: "id", Op: adapter.Equal, Value: id}}})
		require.NoError(t, err)
		return string(a.Result)
	}
	require.Contains(t, read(), "Before")
	_, err = server.Call("res.partner", "write", []any{id}, map[string]any{"name": "After"})
	require.NoError(t, err)
	for range 3 {
		c.pass(1100 * time.Millisecond)
		_, err := feed.Poll(ctx)
		require.NoError(t, err)
	}
	assert.Contains(t, read(), "After")
}
