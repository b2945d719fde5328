package bridge

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

// On a real Odoo: edits made past the bridge's own bookkeeping, many in the same
// second, and a copy taken up again from any cursor. Records of others may change
// meanwhile, so only those made here are compared.
func TestChangesOnRealOdoo(t *testing.T) {
	if os.Getenv("BRIDGECORE_ODOO_URL") == "" {
		t.Skip("SKIPPED: no real Odoo. Set BRIDGECORE_ODOO_URL, _DATABASE, _USERNAME and _PASSWORD to test against one.")
	}
	r, u := simulation(t, "odoo real", nil)
	editor, own := r.sys(t), r.sys(t)
	for name, words := range map[string]struct {
		s *System
		q ChangesQuery
	}{
		"own":       {own, ChangesQuery{Model: "res.partner", Fields: []string{"name", "ref", "active"}, Initial: true}},
		"universal": {u, ChangesQuery{Model: "contact", Fields: []string{"name"}, Initial: true}},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // a test
			copied := replica{table: map[adapter.ID]string{}}
			history := []replica{copied.clone()}
			all, live := map[adapter.ID]bool{}, []adapter.ID{}
			told := 0
			for edit := range *edits {
				switch n := random.IntN(10); {
				case n < 3 || len(live) == 0:
					made, err := editor.Create(t.Context(), "res.partner", adapter.Record{"name": fmt.Sprint("chg ", edit)})
					require.NoError(t, err)
					live = append(live, made.ID())
					all[made.ID()] = true
				case n < 9:
					at := random.IntN(len(live))
					require.NoError(t, editor.Update(t.Context(), "res.partner", live[at:at+1], adapter.Record{"name": fmt.Sprint("chg changed ", edit), "active": random.IntN(5) > 0}))
				default:
					at := random.IntN(len(live))
					require.NoError(t, editor.Delete(t.Context(), "res.partner", live[at:at+1]))
					live = append(live[:at:at], live[at+1:]...)
				}
				if random.IntN(6) == 0 {
					words.q.Limit = 5 + random.IntN(100)
					told += len(copied.pull(t, words.s, words.q).Changes)
					history = append(history, copied.clone())
				}
				if random.IntN(60) == 0 {
					copied = history[random.IntN(len(history))].clone()
				}
			}
			words.q.Limit = 0
			told += copied.follow(t, words.s, words.q)
			check := func(what string, got map[adapter.ID]string) {
				t.Helper()
				want := tableOf(t, words.s, words.q.Model, words.q.Fields)
				for id := range all {
					assert.Equal(t, want[id], got[id], "%s: record %v", what, id)
				}
			}
			check("at the end", copied.table)
			for _, i := range []int{0, len(history) / 3, len(history) / 2, len(history) - 1} {
				at := history[i].clone()
				at.follow(t, words.s, words.q)
				check("from an earlier cursor", at.table)
			}
			t.Logf("%d edits, %d changes told, %d records alive, the cursor has %d characters", *edits, told, len(live), len(copied.cursor))
			require.NoError(t, editor.Delete(t.Context(), "res.partner", live))
		})
	}
}

// On a real Odoo and its PostgreSQL: transactions that are held open for some
// seconds, beside plain writes in the same seconds, past Odoo. Somebody follows
// all the while, with small pages.
func TestChangesOnRealOdooWithHeldTransactions(t *testing.T) {
	url := os.Getenv("BRIDGECORE_ODOO_POSTGRES_URL")
	if url == "" || os.Getenv("BRIDGECORE_ODOO_URL") == "" {
		t.Skip("SKIPPED: no real Odoo with its PostgreSQL. Set BRIDGECORE_ODOO_POSTGRES_URL beside what TestChangesOnRealOdoo needs.")
	}
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	defer db.Close()
	r, _ := simulation(t, "odoo real", nil)
	s := r.sys(t)
	var ids []adapter.ID
	for i := range 30 {
		made, err := s.Create(t.Context(), "res.partner", adapter.Record{"name": fmt.Sprint("chg held ", i)})
		require.NoError(t, err)
		ids = append(ids, made.ID())
	}
	q := ChangesQuery{Model: "res.partner", Fields: []string{"name"}, Initial: true}
	copied := replica{table: map[adapter.ID]string{}}
	copied.follow(t, s, q)

	random := chance(t)
	const text = `UPDATE res_partner SET name = $1, write_date = now() AT TIME ZONE 'utc' WHERE id = $2`
	var wg sync.WaitGroup
	var writes atomic.Int64
	for worker := range 10 {
		mine, dice := ids[worker*3:worker*3+3], rand.New(rand.NewPCG(random.Uint64(), 1)) //nolint:gosec // a test
		wg.Go(func() {
			for write := range 20 {
				id, _ := mine[dice.IntN(3)].Int()
				tx, err := db.BeginTx(t.Context(), nil)
				if !assert.NoError(t, err) {
					return
				}
				_, err = tx.ExecContext(t.Context(), text, fmt.Sprintf("chg held %d %d", worker, write), id)
				assert.NoError(t, err)
				if dice.IntN(3) == 0 {
					_, err = tx.ExecContext(t.Context(), "SELECT pg_sleep($1)", dice.Float64()*6)
					assert.NoError(t, err)
				}
				assert.NoError(t, tx.Commit())
				writes.Add(1)
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	told, doubled := 0, 0
	look := func() bool {
		q.Limit = 1 + random.IntN(7)
		q.Cursor = copied.cursor
		page, err := s.Changes(t.Context(), q)
		require.NoError(t, err)
		for _, c := range page.Changes {
			told++
			if c.Deleted {
				delete(copied.table, c.ID)
				continue
			}
			if is := written(t, c.Record); copied.table[c.ID] == is {
				doubled++
			} else {
				copied.table[c.ID] = is
			}
		}
		copied.cursor = page.Next
		return page.More
	}
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		for look() {
		}
	}
	for look() {
	}
	want, missed := tableOf(t, s, q.Model, q.Fields), 0
	for _, id := range ids {
		if want[id] != copied.table[id] {
			missed++
		}
	}
	t.Logf("%d writes, %d changes told, %d of them as they were told already, %d records missed", writes.Load(), told, doubled, missed)
	assert.Zero(t, missed)
	require.NoError(t, s.Delete(t.Context(), "res.partner", ids))
	for look() {
	}
	for _, id := range ids {
		assert.NotContains(t, copied.table, id)
	}
}
