package bridge_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
	"github.com/bridgecore/bridgecore/bridge"
)

// model is one of a kind of system, and how somebody changes it.
type model struct {
	kind, name string
	text       string // the field that is changed
	values     adapter.Record
	deletes    bool
	late       time.Duration // how long a transaction may last
	pause      time.Duration // the longest between changes
}

// models are one that is dated by moments and one by days, on SAP, and one whose
// changes Salesforce tells.
var models = []model{
	{"sap", "ZSAMPLE_SRV.Samples", "Name", adapter.Record{}, true, 9 * time.Minute, 4 * time.Second},
	{"sap", "A_BusinessPartner", "SearchTerm1", adapter.Record{"BusinessPartnerCategory": "2", "OrganizationBPName1": "Late"}, false, 9 * time.Minute, 4 * time.Second},
	{"salesforce", "Sample__c", "Name", adapter.Record{}, true, 100 * time.Second, 4 * time.Second},
}

// apart is a simulated system whose clock a test moves, as it does ours, with one
// bridge for the feed and one for those who change something: what the system
// says to them, in a transaction that began some time ago, the feed does not hear.
type apart struct {
	model
	*clock

	ago, ahead atomic.Int64
	feed       *bridge.Feed
	follows    *bridge.System
	changes    *bridge.System
}

func newApart(t *testing.T, m model, skew time.Duration) *apart {
	t.Helper()
	a := &apart{model: m, clock: &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)}}
	now := func() time.Time {
		return a.now().Add(skew - time.Duration(a.ago.Load()) + time.Duration(a.ahead.Load()))
	}
	var open bridge.Opener
	if m.kind == "sap" {
		srv := saptest.NewServer(saptest.Config{Now: now})
		t.Cleanup(srv.Close)
		open = func(ctx context.Context, _ bridge.SystemConfig) (adapter.Adapter, error) {
			return sap.Dial(ctx, sap.Config{URL: srv.URL, Username: srv.Username, Password: srv.Password, Client: srv.Client, Services: append(sap.DefaultServices(), sap.Service{Name: "ZSAMPLE_SRV"})})
		}
	} else {
		srv := salesforcetest.NewServer(salesforcetest.Config{Now: now, TokenLifetime: 30 * 24 * time.Hour})
		t.Cleanup(srv.Close)
		open = func(ctx context.Context, _ bridge.SystemConfig) (adapter.Adapter, error) {
			return salesforce.Dial(ctx, salesforce.Config{URL: srv.URL, ClientID: srv.ClientID, ClientSecret: srv.ClientSecret})
		}
	}
	systems := [2]*bridge.System{}
	for i := range systems {
		b, err := bridge.New(bridge.Config{
			Source:  bridge.Static(bridge.SystemConfig{Tenant: "acme", ID: "main", Kind: m.kind, Revision: "1"}),
			Openers: map[string]bridge.Opener{m.kind: open}, Logger: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		t.Cleanup(func() { _ = b.Close() })
		systems[i], err = b.System(t.Context(), bridge.Caller{Tenant: "acme", User: "1"}, "main")
		require.NoError(t, err)
	}
	a.follows, a.changes = systems[0], systems[1]
	a.pass(time.Hour) // the demo data are of before
	return a
}

func (a *apart) begin(t *testing.T) {
	t.Helper()
	var err error
	a.feed, err = a.follows.Feed(a.name, bridge.FeedOptions{Now: a.now})
	require.NoError(t, err)
	begin(t, a.feed, a.clock)
}

// create makes a record.
func (a *apart) create(t *testing.T, text string) adapter.ID {
	t.Helper()
	values := adapter.Record{a.text: text}
	for name, v := range a.values {
		values[name] = v
	}
	made, err := a.changes.Create(t.Context(), a.name, values)
	require.NoError(t, err)
	return made.ID()
}

func (a *apart) write(t *testing.T, id adapter.ID, text string) {
	t.Helper()
	require.NoError(t, a.changes.Update(t.Context(), a.name, []adapter.ID{id}, adapter.Record{a.text: text}))
}

func (a *apart) remove(t *testing.T, id adapter.ID) {
	t.Helper()
	require.NoError(t, a.changes.Delete(t.Context(), a.name, []adapter.ID{id}))
}

// commit ends a transaction that began at a time.
func (a *apart) commit(began time.Time, do func()) {
	a.ago.Store(int64(a.now().Sub(began)))
	do()
	a.ago.Store(0)
}

// polled polls a number of times, some seconds apart, as it is in life.
func (a *apart) polled(t *testing.T, times int) (told []bridge.FeedChange) {
	t.Helper()
	for range times {
		a.pass(5 * time.Second)
		page, err := a.feed.Poll(t.Context())
		require.NoError(t, err)
		require.False(t, page.Lost)
		told = append(told, page.Changes...)
	}
	return told
}

// What is seen minutes after its date is told all the same, and once, though later
// changes were told before.
func TestFeedTellsOfLateCommits(t *testing.T) {
	for _, m := range models {
		t.Run(m.kind+" "+m.name, func(t *testing.T) {
			t.Parallel()
			a := newApart(t, m, 0)
			mine, other := a.create(t, "mine"), a.create(t, "other")
			a.pass(30 * time.Minute)
			a.begin(t)
			for n := range 6 {
				if n%2 == 0 { // a day begins meanwhile
					a.pass(a.now().Truncate(24 * time.Hour).Add(48*time.Hour - m.late/3).Sub(a.now()))
				}
				began := a.now()
				a.pass(m.late / 2)
				a.write(t, other, fmt.Sprint("later ", n))
				told := a.polled(t, 20)
				require.Len(t, told, 1, "round %d", n)
				assert.Equal(t, other, told[0].ID)
				if rest := m.late - a.now().Sub(began); rest > 0 {
					a.pass(rest)
				}
				began = began.Add(max(a.now().Sub(began)-m.late, 0))
				made := adapter.ID{}
				a.commit(began, func() { a.write(t, mine, fmt.Sprint("late ", n)); made = a.create(t, fmt.Sprint("made ", n)) })
				told = a.polled(t, 20)
				ids := []adapter.ID{}
				for _, ch := range told {
					ids = append(ids, ch.ID)
				}
				require.ElementsMatch(t, []adapter.ID{mine, made}, ids, "round %d", n)
			}
			assert.Empty(t, a.polled(t, 100), "a quiet system has nothing to tell")
		})
	}
}

// A feed begins sharply on each kind of system.
func TestFeedOfEachKindBeginsSharply(t *testing.T) {
	for _, m := range models {
		t.Run(m.kind+" "+m.name, func(t *testing.T) {
			t.Parallel()
			a := newApart(t, m, 0)
			old, older := a.create(t, "old"), a.create(t, "older")
			a.pass(20 * time.Second)
			a.write(t, older, "just before")
			a.begin(t)
			a.write(t, old, "just after")
			made := a.create(t, "new")
			told := a.polled(t, 60)
			slices.SortFunc(told, func(x, y bridge.FeedChange) int { return compareIDs(x.ID, y.ID) })
			require.Len(t, told, 2, "%v", told)
			want := []adapter.ID{old, made}
			slices.SortFunc(want, compareIDs)
			for i, id := range want {
				assert.Equal(t, id, told[i].ID)
				if id == made && m.kind == "sap" {
					assert.Equal(t, bridge.FeedCreate, told[i].Operation)
				} else {
					assert.Equal(t, bridge.FeedWrite, told[i].Operation)
				}
			}
		})
	}
}

func compareIDs(a, b adapter.ID) int { return slices.Compare([]byte(a.String()), []byte(b.String())) }

// One record that is dated in the future, of an hour in which the system's clock
// was wrong, hides nothing: whether it was there before the feed, or comes while
// it is followed.
func TestFeedOfEachKindBesideRecordsOfTheFuture(t *testing.T) {
	for _, m := range models {
		for _, wrong := range []time.Duration{10 * time.Hour, 400 * 24 * time.Hour} {
			for _, before := range []bool{true, false} {
				t.Run(fmt.Sprint(m.kind, " ", m.name, " ", wrong, " before ", before), func(t *testing.T) {
					t.Parallel()
					a := newApart(t, m, 0)
					made := func() adapter.ID {
						a.ahead.Store(int64(wrong))
						defer a.ahead.Store(0)
						return a.create(t, "future")
					}
					own := a.create(t, "own")
					var future adapter.ID
					if before {
						future = made()
						a.pass(time.Hour)
					}
					a.begin(t)
					if !before {
						future = made()
						told := a.polled(t, 10)
						if m.kind == "sap" { // Salesforce tells it when its time has come
							require.Len(t, told, 1)
							assert.Equal(t, future, told[0].ID)
						}
					}
					for n := range 4 {
						a.write(t, own, fmt.Sprint("now ", n))
						told := a.polled(t, 40)
						require.Len(t, told, 1, "round %d: %v", n, told)
						assert.Equal(t, own, told[0].ID)
					}
					if m.deletes && m.kind == "sap" {
						return // the simulator dates it a millisecond later, rather than now
					}
					a.write(t, future, "corrected")
					told := a.polled(t, 40)
					require.Len(t, told, 1)
					assert.Equal(t, future, told[0].ID)
				})
			}
		}
	}
}

// transaction is one that has begun and not ended.
type transaction struct {
	began time.Time
	id    adapter.ID // its record, which nobody else can change; zero makes one
	text  string
}

// Several change a model, in transactions of which some last for minutes: whatever
// they do is heard, and nothing that they did not do since it was last heard.
func TestFeedOfEachKindMissesNothingAndTellsNothingTwice(t *testing.T) {
	for _, m := range models {
		for _, skew := range []time.Duration{0, -5 * time.Hour, 7 * time.Hour} {
			t.Run(fmt.Sprint(m.kind, " ", m.name, " skew ", skew), func(t *testing.T) {
				t.Parallel()
				a := newApart(t, m, skew)
				a.begin(t)
				hearAll(t, a, rand.New(rand.NewPCG(5, uint64(skew)))) //nolint:gosec // a test
			})
		}
	}
}

func hearAll(t *testing.T, a *apart, random *rand.Rand) {
	t.Helper()
	untold := map[adapter.ID]int{} // changes since it was last told
	heard := map[adapter.ID]bool{}
	var live, removed []adapter.ID
	var open []transaction
	take := func(changes []bridge.FeedChange) {
		for _, ch := range changes {
			if ch.Operation == bridge.FeedUnlink {
				at := slices.Index(removed, ch.ID)
				require.GreaterOrEqual(t, at, 0, "record %v was not deleted, or told twice", ch.ID)
				removed = slices.Delete(removed, at, at+1)
				continue
			}
			require.Positive(t, untold[ch.ID], "%s of record %v was told without a change", ch.Operation, ch.ID)
			untold[ch.ID], heard[ch.ID] = 0, true
		}
	}
	look := func() {
		page, err := a.feed.Poll(t.Context())
		require.NoError(t, err)
		require.False(t, page.Lost)
		take(page.Changes)
		if random.IntN(4) == 0 {
			gone, err := a.feed.Sweep(t.Context())
			require.NoError(t, err)
			take(gone)
		}
	}
	end := func(at int) {
		tx := open[at]
		open = slices.Delete(open, at, at+1)
		a.commit(tx.began, func() {
			if tx.id.IsZero() {
				tx.id = a.create(t, tx.text)
			} else {
				a.write(t, tx.id, tx.text)
			}
		})
		untold[tx.id]++
		live = append(live, tx.id)
	}
	wait := func(d time.Duration) {
		for i := len(open) - 1; i >= 0; i-- {
			if rest := a.late - a.now().Sub(open[i].began); rest < d {
				a.pass(max(rest, 0))
				d -= max(rest, 0)
				end(i)
			}
		}
		a.pass(d)
	}
	for n := range 120 {
		text := fmt.Sprint("Change ", n)
		at := 0
		if len(live) > 0 {
			at = random.IntN(len(live))
		}
		switch what := random.IntN(12); {
		case what < 2:
			open = append(open, transaction{began: a.now(), text: text})
		case what < 4 || len(live) == 0:
			id := a.create(t, text)
			live = append(live, id)
			untold[id]++
		case what < 6:
			open = append(open, transaction{a.now(), live[at], text})
			live = slices.Delete(live, at, at+1)
		case what < 11 || !a.deletes:
			a.write(t, live[at], text)
			untold[live[at]]++
		default:
			a.remove(t, live[at])
			removed = append(removed, live[at])
			live = slices.Delete(live, at, at+1)
		}
		if len(open) > 0 && random.IntN(4) == 0 {
			end(random.IntN(len(open)))
		}
		wait(time.Duration(random.Int64N(int64(a.pause))))
		if random.IntN(30) == 0 {
			wait(time.Duration(random.IntN(10)) * time.Minute)
		}
		if random.IntN(3) == 0 {
			look()
		}
	}
	for len(open) > 0 {
		end(0)
	}
	for range 40 {
		a.pass(5 * time.Second)
		look()
		gone, err := a.feed.Sweep(t.Context())
		require.NoError(t, err)
		take(gone)
	}
	for _, id := range live {
		assert.Zero(t, untold[id], "record %v: its last changes were missed", id)
	}
	for _, id := range removed {
		// One that was never heard of need not be told to be gone.
		assert.False(t, heard[id], "record %v: its deletion was missed", id)
	}
	assert.Empty(t, a.polled(t, 40), "a quiet system has nothing to tell")
}

// What the caller made himself is not told, though it was seen before the caller
// said so; what others make of the same record after it is.
func TestFeedOfEachKindLeavesOutMarkedChanges(t *testing.T) {
	for _, m := range models {
		if m.kind == "salesforce" {
			continue // what it tells is told at once
		}
		t.Run(m.kind+" "+m.name, func(t *testing.T) {
			t.Parallel()
			a := newApart(t, m, 0)
			a.begin(t)
			a.pass(500 * time.Millisecond)
			id := a.create(t, "ours")
			page, err := a.feed.Poll(t.Context())
			require.NoError(t, err)
			require.Empty(t, page.Changes)
			require.True(t, page.Pending)
			a.feed.Mark(bridge.FeedCreate, []adapter.ID{id})
			assert.Empty(t, a.polled(t, 10))
			a.write(t, id, "theirs")
			told := a.polled(t, 10)
			require.Len(t, told, 1)
			assert.Equal(t, id, told[0].ID)
			assert.Equal(t, bridge.FeedWrite, told[0].Operation)
		})
	}
}

// Many changes at once, more than Salesforce's cursor remembers, are told once.
func TestFeedOfEachKindTellsManyOnce(t *testing.T) {
	for _, m := range models {
		t.Run(m.kind+" "+m.name, func(t *testing.T) {
			t.Parallel()
			a := newApart(t, m, 0)
			a.begin(t)
			values := make([]adapter.Record, 300)
			for i := range values {
				values[i] = adapter.Record{a.text: fmt.Sprint("Many ", i)}
				for name, v := range a.values {
					values[i][name] = v
				}
			}
			made, err := a.changes.CreateMany(t.Context(), a.name, values)
			require.NoError(t, err)
			heard := map[adapter.ID]int{}
			for _, ch := range a.polled(t, 60) {
				heard[ch.ID]++
			}
			assert.Len(t, heard, len(made))
			for _, id := range made {
				assert.Equal(t, 1, heard[id], "record %v", id)
			}
		})
	}
}
