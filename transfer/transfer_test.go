package transfer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	rules "github.com/bridgecore/bridgecore/migrate/odoo"
	"github.com/bridgecore/bridgecore/transfer"
)

// pair is two simulated systems. Calls that write to the target can be broken
// off before or after they take effect.
type pair struct {
	old, new        *bridge.System
	source, target  *odootest.Server
	writes, breakAt int  // writes so far; which of them breaks, 0 for none
	after           bool // it breaks after it took effect
	dead            bool
	over            string            // the transport of the source; "" is JSON-RPC
	along           bool              // dependencies go along, in runs that keep their state
	asked           []string          // what the target was asked
	then            func(call string) // what else happens in the target when a call that writes took effect; nil for nothing
}

var errKilled = errors.New("the process was killed")

type breaking struct {
	http.RoundTripper
	p *pair
}

func (b breaking) RoundTrip(req *http.Request) (*http.Response, error) {
	if b.p.dead {
		return nil, errKilled
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	b.p.asked = append(b.p.asked, string(body))
	if !bytes.Contains(body, []byte(`"create"`)) && !bytes.Contains(body, []byte(`"write"`)) || bytes.Contains(body, []byte(`"check_access_rights"`)) {
		return b.RoundTripper.RoundTrip(req)
	}
	b.p.writes++
	if b.p.writes != b.p.breakAt {
		answer, err := b.RoundTripper.RoundTrip(req)
		if err == nil && b.p.then != nil {
			b.p.then(string(body))
		}
		return answer, err
	}
	b.p.dead = true
	if b.p.after {
		if answer, err := b.RoundTripper.RoundTrip(req); err == nil {
			_ = answer.Body.Close()
		}
	}
	return nil, errKilled
}

func newPair(t *testing.T, from, to string) *pair {
	t.Helper()
	p := &pair{source: odootest.New(t, from), target: odootest.New(t, to)}
	p.connect(t)
	return p
}

// connect is what a new process does.
func (p *pair) connect(tb testing.TB) {
	tb.Helper()
	p.dead, p.writes, p.breakAt, p.asked = false, 0, 0, nil
	b, err := bridge.New(bridge.Config{
		Source: bridge.Static(bridge.SystemConfig{Tenant: "t", ID: "old", Kind: "odoo"}, bridge.SystemConfig{Tenant: "t", ID: "new", Kind: "odoo"}),
		Openers: map[string]bridge.Opener{"odoo": func(ctx context.Context, c bridge.SystemConfig) (adapter.Adapter, error) {
			s, over, wrap := p.source, p.over, func(rt http.RoundTripper) http.RoundTripper { return rt }
			if c.ID == "new" {
				s, over, wrap = p.target, odoo.TransportJSONRPC, func(rt http.RoundTripper) http.RoundTripper { return breaking{rt, p} }
			}
			if over == "" {
				over = odoo.TransportJSONRPC
			}
			client, err := odoo.Dial(ctx, odoo.Config{URL: s.URL, Database: s.Database, Username: s.Username, Password: s.Password, Transport: over, WrapTransport: wrap})
			if err != nil {
				return nil, err
			}
			return client, nil
		}},
		Retries: -1, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = b.Close() })
	caller := bridge.Caller{Tenant: "t", User: "u"}
	p.old, err = b.System(tb.Context(), caller, "old")
	require.NoError(tb, err)
	p.new, err = b.System(tb.Context(), caller, "new")
	require.NoError(tb, err)
}

func (p *pair) transfer(models ...string) transfer.Transfer {
	tr := transfer.Transfer{Pack: rules.Community(), Source: p.old, Target: p.new, Models: models, LeaveUnmatched: true, Page: 7}
	if slices.Contains(models, "product.template") {
		tr.LeaveOut = []string{"barcode"} // the demo of the target has the same ones, which are unique
	}
	return tr
}

func (p *pair) make(t *testing.T, model string, values map[string]any) int64 {
	t.Helper()
	id, err := p.source.Create(model, values)
	require.NoError(t, err)
	return id
}

// count counts records of the target, archived ones too.
func (p *pair) count(t *testing.T, model string) int {
	t.Helper()
	records, err := p.new.LiveQuery(t.Context(), adapter.Query{Model: model, Fields: []string{"id"}, Limit: 5000})
	require.NoError(t, err)
	return len(records)
}

func of(r *transfer.Report, model string) *transfer.ModelReport {
	for _, m := range r.Models {
		if m.Model == model {
			return m
		}
	}
	return &transfer.ModelReport{}
}

var shop = []string{"sale.order", "product.template", "res.partner", "product.category"}

func TestATransferIsWholeAndTheSecondWritesNothing(t *testing.T) {
	for _, versions := range [][2]string{{"13.0", "19.0"}, {"16.0", "19.0"}, {"13.0", "16.0"}} {
		t.Run(versions[0]+" to "+versions[1], func(t *testing.T) {
			p := newPair(t, versions[0], versions[1])
			archived := p.make(t, "res.partner", map[string]any{"name": "Gone", "active": false})
			tr := p.transfer(shop...)
			tr.CreateDelivered = true
			state := &transfer.State{}
			tr.Resume = state
			partners, orders := p.count(t, "res.partner"), p.count(t, "sale.order")

			dry, err := tr.Survey(t.Context())
			require.NoError(t, err)
			assert.Equal(t, partners, p.count(t, "res.partner"), "a dry run writes nothing")
			assert.Zero(t, p.writes)

			report, err := tr.Run(t.Context())
			require.NoError(t, err)
			for _, m := range report.Models {
				assert.Empty(t, m.Refusals, m.Model)
				if m.LinesOf == "" {
					assert.Equal(t, m.Records, m.Created+m.Changed+m.Unchanged+m.Refused, m.Model)
					assert.Len(t, m.Results, m.Records, m.Model)
				}
			}
			assert.Equal(t, of(dry, "sale.order").Created, of(report, "sale.order").Created)
			assert.Equal(t, partners+of(report, "res.partner").Records, p.count(t, "res.partner"))
			assert.Equal(t, orders+of(report, "sale.order").Records, p.count(t, "sale.order"))
			gone, err := p.new.LiveQuery(t.Context(), adapter.Query{Model: "ir.model.data", Fields: []string{"res_id"}, Filter: adapter.Cond{Field: "name", Op: adapter.Equal, Value: p.old.ExternalName("res.partner", adapter.IntID(archived))}})
			require.NoError(t, err)
			require.Len(t, gone, 1, "archived records go along")

			p.writes = 0
			again, err := tr.Run(t.Context())
			require.NoError(t, err)
			assert.Zero(t, again.Writes)
			assert.Zero(t, p.writes)
			checked, err := tr.Verify(t.Context())
			require.NoError(t, err)
			for _, m := range checked.Models {
				assert.Zero(t, m.Created, m.Model)
			}

			// After a change only the changed record is written.
			_, err = p.source.Call("res.partner", "write", []any{archived}, map[string]any{"comment": "back again"})
			require.NoError(t, err)
			third, err := tr.Run(t.Context())
			require.NoError(t, err)
			assert.Equal(t, 1, third.Writes)
			assert.Equal(t, 1, of(third, "res.partner").Changed)
		})
	}
}

func TestModelsAreOrderedByWhatTheyReferTo(t *testing.T) {
	p := newPair(t, "16.0", "19.0")
	tr := p.transfer(shop...)
	report, err := tr.Survey(t.Context())
	require.NoError(t, err)
	at := map[string]int{}
	for i, m := range report.Order {
		at[m] = i
	}
	assert.Less(t, at["product.category"], at["product.template"])
	assert.Less(t, at["product.template"], at["product.product"])
	assert.Less(t, at["res.partner"], at["sale.order"])
	assert.Less(t, at["product.product"], at["sale.order"], "the lines refer to products")
	assert.Equal(t, "sale.order", of(report, "sale.order.line").LinesOf)
}

// A circle within a model is broken, and closed in the second pass.
func TestCirclesAreClosedInTheSecondPass(t *testing.T) {
	p := newPair(t, "16.0", "19.0")
	first := p.make(t, "product.category", map[string]any{"name": "First"})
	second := p.make(t, "product.category", map[string]any{"name": "Second", "parent_id": first})
	// The record with the lower id refers to the higher one.
	third := p.make(t, "product.category", map[string]any{"name": "Third"})
	_, err := p.source.Call("product.category", "write", []any{first}, map[string]any{"parent_id": third})
	require.NoError(t, err)
	tr := p.transfer("product.category")
	tr.CreateDelivered = true
	report, err := tr.Run(t.Context())
	require.NoError(t, err)
	require.Empty(t, of(report, "product.category").Refusals)
	ids := map[string]adapter.ID{}
	for _, r := range of(report, "product.category").Results {
		ids[r.Source.String()] = r.ID
	}
	records, err := p.new.LiveRead(t.Context(), "product.category", []adapter.ID{ids[adapter.IntID(second).String()], ids[adapter.IntID(first).String()]}, []string{"parent_id"})
	require.NoError(t, err)
	for i, want := range []int64{first, third} {
		parent, ok := records[i].Ref("parent_id")
		assert.True(t, ok)
		assert.Equal(t, ids[adapter.IntID(want).String()], parent.ID)
	}
}

func TestWhatHasNoCounterpartIsSaidFirst(t *testing.T) {
	p := newPair(t, "16.0", "19.0")
	tag := p.make(t, "res.partner.category", map[string]any{"name": "Only here"})
	p.make(t, "res.partner", map[string]any{"name": "Tagged", "category_id": []any{[]any{6, 0, []any{tag}}}})
	tr := p.transfer("res.partner")
	tr.LeaveUnmatched = false
	_, err := tr.Run(t.Context())
	var unmatched *transfer.UnmatchedError
	require.ErrorAs(t, err, &unmatched)
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	assert.Contains(t, err.Error(), "res.partner.category")
	assert.Contains(t, err.Error(), "res.partner.category_id")
	assert.Zero(t, p.writes, "nothing is written")

	tr.Dependencies = true
	tr.LeaveUnmatched = true
	report, err := tr.Run(t.Context())
	require.NoError(t, err)
	assert.Contains(t, report.Order, "res.partner.category")
	assert.Positive(t, of(report, "res.partner.category").Created)
	assert.NotContains(t, fmt.Sprint(report.Unmatched), "Only here")
}

func TestARefusedRecordDoesNotStopTheRest(t *testing.T) {
	p := newPair(t, "16.0", "19.0")
	p.make(t, "res.partner", map[string]any{"name": "Refused by the target"})
	tr := p.transfer("res.partner")
	p.target.SetFault(odootest.Fault{Contains: `"name":"Refused by the target"`, Body: `{"jsonrpc":"2.0","id":1,"error":{"code":200,"message":"Odoo Server Error","data":{"name":"odoo.exceptions.ValidationError","message":"Such a name is not for us.","arguments":["Such a name is not for us."],"context":{},"debug":"Traceback (most recent call last):"}}}`, ContentType: "application/json"})
	report, err := tr.Run(t.Context())
	require.NoError(t, err)
	m := of(report, "res.partner")
	require.Len(t, m.Refusals, 1)
	assert.Contains(t, m.Refusals[0].Message, "Such a name is not for us.")
	assert.NotContains(t, m.Refusals[0].Message, "Traceback")
	assert.Equal(t, m.Records, m.Created+m.Changed+m.Unchanged+1)
}

// At how many of its calls TestBrokenOffAnywhere breaks a run off; all of them
// take minutes:
//
//	go test ./transfer -run TestBrokenOffAnywhere -breaks 100
var breaks = flag.Int("breaks", 2, "at how many calls a run is broken off")

// TestBrokenOffAnywhere kills a run before and after each call that writes, and
// goes on with what was saved: the target is that of an unbroken run.
func TestBrokenOffAnywhere(t *testing.T) {
	fill := func(p *pair) {
		boss := p.make(t, "res.partner", map[string]any{"name": "Boss"})
		for range 2 { // twins, that nothing tells apart
			p.make(t, "res.partner", map[string]any{"name": "Twin", "parent_id": boss})
		}
		desk := p.make(t, "product.template", map[string]any{"name": "Desk"})
		variants, err := p.source.Call("product.product", "search", []any{[]any{"product_tmpl_id", "=", desk}})
		require.NoError(t, err)
		order := p.make(t, "sale.order", map[string]any{"partner_id": boss})
		for i := range 2 {
			p.make(t, "sale.order.line", map[string]any{"order_id": order, "name": fmt.Sprint("line ", i), "product_id": variants.([]any)[0], "product_uom_qty": i + 1})
		}
	}
	counted := []string{"res.partner", "product.template", "product.product", "product.category", "sale.order", "sale.order.line", "ir.model.data"}
	counts := func(p *pair) map[string]int {
		out := map[string]int{}
		for _, m := range counted {
			out[m] = p.count(t, m)
		}
		return out
	}
	whole := newPair(t, "16.0", "19.0")
	fill(whole)
	tr := whole.transfer(shop...)
	tr.CreateDelivered = true
	report, err := tr.Run(t.Context())
	require.NoError(t, err)
	want, calls := counts(whole), whole.writes
	created, _, _, _ := report.Count()
	require.Greater(t, calls, 20)
	step := max(1, calls / *breaks)
	broken := 0
	for at := 1; at <= calls; at += step {
		for _, after := range []bool{false, true} {
			p := newPair(t, "16.0", "19.0")
			fill(p)
			var kept []byte
			run := func() (*transfer.Report, error) {
				tr := p.transfer(shop...)
				tr.CreateDelivered = true
				if kept != nil {
					tr.Resume = &transfer.State{}
					require.NoError(t, json.Unmarshal(kept, tr.Resume))
				}
				tr.Save = func(s *transfer.State) (err error) {
					if p.dead {
						return errKilled
					}
					kept, err = json.Marshal(s)
					return err
				}
				return tr.Run(t.Context())
			}
			p.breakAt, p.after = at, after
			_, err := run()
			require.Error(t, err, "at %d", at)
			broken++
			p.connect(t)
			report, err := run()
			require.NoError(t, err)
			assert.Equal(t, want, counts(p), "broken at write %d, after: %t", at, after)
			got, _, _, refused := report.Count()
			assert.Equal(t, created, got, "at %d, after: %t", at, after)
			assert.Zero(t, refused)
			again, err := run()
			require.NoError(t, err)
			assert.Zero(t, again.Writes, "at %d, after: %t", at, after)
		}
	}
	t.Logf("broken off %d times, over %d calls that write", broken, calls)
}

func TestMistakes(t *testing.T) {
	p := newPair(t, "16.0", "19.0")
	for name, tc := range map[string]struct {
		change func(*transfer.Transfer)
		want   string
	}{
		"no pack":       {func(t *transfer.Transfer) { t.Pack = nil }, "rules"},
		"no models":     {func(t *transfer.Transfer) { t.Models = nil }, "models"},
		"no target":     {func(t *transfer.Transfer) { t.Target = nil }, "write"},
		"unknown model": {func(t *transfer.Transfer) { t.Models = []string{"no.such"} }, "source \"old\" has no model no.such"},
		"backwards":     {func(t *transfer.Transfer) { t.Source, t.Target = t.Target, t.Source }, "change places"},
		"no such field": {func(t *transfer.Transfer) { t.LeaveOut = []string{"res.partner.colour"} }, "res.partner.colour"},
		"not there":     {func(t *transfer.Transfer) { t.Models = []string{"res.partner.title"} }, "titles of persons are gone"},
		"wrong lines":   {func(t *transfer.Transfer) { t.Lines = map[string][]string{"res.partner": {"name"}} }, "lines"},
		"too large":     {func(t *transfer.Transfer) { t.Page = 5000 }, "page"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := p.transfer("res.partner")
			tc.change(&tr)
			_, err := tr.Survey(t.Context())
			require.Error(t, err)
			assert.Contains(t, err.Error(), tc.want)
		})
	}
}
