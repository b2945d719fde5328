package transfer_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/transfer"
)

const (
	orders     = "sale.order"
	orderLines = "sale.order.line"
)

func note(order any, name string) map[string]any {
	return map[string]any{"order_id": order, "name": name, "display_type": "line_note"}
}

// at is where a record of the source is in the target.
func (p *pair) at(t *testing.T, model string, id int64) int64 {
	t.Helper()
	n, _ := p.carried(t, model, model, id, "", "id").ID().Int()
	return n
}

// named are the target's lines of a name.
func (p *pair) named(t *testing.T, name string) []int64 {
	t.Helper()
	found, err := p.new.LiveQuery(t.Context(), adapter.Query{Model: orderLines, Fields: []string{"id"}, Filter: adapter.Cond{Field: "name", Op: adapter.Equal, Value: name}, Order: []adapter.Order{{Field: "id"}}})
	require.NoError(t, err)
	var ids []int64
	for _, rec := range found {
		n, _ := rec.ID().Int()
		ids = append(ids, n)
	}
	return ids
}

func (p *pair) gone(t *testing.T, model string, ids ...int64) {
	t.Helper()
	_, err := p.target.Call(model, "unlink", ids)
	require.NoError(t, err)
}

// writesLine reports whether a call writes an order with a line of a name.
func writesLine(call, name string) bool {
	return strings.Contains(call, `"`+orders+`"`) && strings.Contains(call, `"`+name+`"`)
}

// Lines whose model is carried too are not made a second time by their parents.
func TestLinesThatAreCarriedByThemselves(t *testing.T) {
	p := bare(t, "16.0", "19.0")
	order, _ := p.order(t, "one", "two")
	report := p.twice(t, p.transfer("res.partner", orders, orderLines))
	assert.Equal(t, []string{"one", "two"}, p.lines(t, order))
	accounts := 0
	for _, m := range report.Models {
		if m.Model == orderLines {
			accounts++
			assert.Empty(t, m.LinesOf)
			assert.Equal(t, 2, m.Created)
		}
	}
	assert.Equal(t, 1, accounts)
}

func TestLinesWithoutCounterpartAreSaid(t *testing.T) {
	p := bare(t, "16.0", "19.0")
	tr := p.transfer("res.partner", orders)
	tr.Lines = map[string][]string{orders: {"order_line", "sale_order_option_ids"}}
	report, err := tr.Survey(t.Context())
	require.NoError(t, err)
	assert.Contains(t, report.Notes, "sale_order_option_ids of sale.order has no counterpart in 19.0: its lines are left out")
	assert.Equal(t, orders, of(report, orderLines).LinesOf)
}

// What somebody has added in the target stays, and is not taken for a line of
// the source, not even for one that is alike.
func TestLinesOfTheTargetsOwn(t *testing.T) {
	p := bare(t, "16.0", "19.0")
	order, _ := p.order(t, "one")
	tr := p.transfer("res.partner", orders)
	tr.Resume = &transfer.State{}
	p.twice(t, tr)
	own := p.there(t, orderLines, note(p.at(t, orders, order), "by hand"))
	other := p.there(t, orderLines, note(p.at(t, orders, order), "from another source"))
	called(t, p.target, orderLines, other, "__bridgecore__.elsewhere_"+orderLines+"_7")
	added := p.line(t, order, "by hand")
	p.twice(t, tr)
	assert.Equal(t, []string{"one", "by hand", "from another source", "by hand"}, p.lines(t, order))
	assert.Greater(t, p.at(t, orderLines, added), own)

	p.change(t, orderLines, added, map[string]any{"name": "changed"})
	p.twice(t, tr)
	assert.Equal(t, []string{"one", "by hand", "from another source", "changed"}, p.lines(t, order))
}

// A line that somebody removed in the target is made again. One whose external
// id is still there can't be; it would be made by every run.
func TestLinesThatAreGoneInTheTarget(t *testing.T) {
	p := bare(t, "16.0", "19.0")
	order, lines := p.order(t, "one", "two")
	tr := p.transfer("res.partner", orders)
	tr.Resume = &transfer.State{}
	p.twice(t, tr)
	p.gone(t, orderLines, p.at(t, orderLines, lines[1]))
	for range 2 {
		report, err := tr.Run(t.Context())
		require.NoError(t, err)
		require.Len(t, of(report, orders).Refusals, 1)
		assert.Contains(t, of(report, orders).Refusals[0].Message, p.old.ExternalName(orderLines, adapter.IntID(lines[1])))
		assert.Equal(t, []string{"one"}, p.lines(t, order))
	}

	found, err := p.new.LiveQuery(t.Context(), adapter.Query{Model: "ir.model.data", Fields: []string{"id"}, Filter: adapter.Cond{Field: "name", Op: adapter.Equal, Value: p.old.ExternalName(orderLines, adapter.IntID(lines[1]))}})
	require.NoError(t, err)
	require.Len(t, found, 1)
	n, _ := found[0].ID().Int()
	p.gone(t, "ir.model.data", n)
	p.twice(t, tr)
	assert.Equal(t, []string{"one", "two"}, p.lines(t, order))
}

// Lines are told in the order in which they were given, in whatever order the
// target shows them.
func TestLinesThatTheTargetSortsOtherwise(t *testing.T) {
	p := bare(t, "16.0", "19.0")
	order, lines := p.order(t, "one", "two")
	p.then = func(call string) {
		if writesLine(call, "two") {
			for i, name := range []string{"two", "one"} {
				_, err := p.target.Call(orderLines, "write", p.named(t, name), map[string]any{"sequence": i})
				assert.NoError(t, err)
			}
		}
	}
	p.twice(t, p.transfer("res.partner", orders))
	assert.Equal(t, []string{"two", "one"}, p.lines(t, order))
	for i, name := range []string{"one", "two"} {
		assert.Equal(t, name, p.carried(t, orderLines, orderLines, lines[i], "", "name").String("name"))
	}
}

// Lines that the target adds are its own.
func TestLinesThatTheTargetAdds(t *testing.T) {
	p := bare(t, "16.0", "19.0")
	order, lines := p.order(t, "one", "two")
	p.then = func(call string) {
		if writesLine(call, "two") {
			// Before the others, as far as ids tell.
			id, ok := p.of(t, "two")
			assert.True(t, ok)
			p.gone(t, orderLines, p.named(t, "one")...)
			p.there(t, orderLines, note(id, "delivery"))
			p.there(t, orderLines, note(id, "one"))
		}
	}
	tr := p.transfer("res.partner", orders)
	p.twice(t, tr)
	assert.Equal(t, []string{"two", "delivery", "one"}, p.lines(t, order))
	for i, name := range []string{"one", "two"} {
		assert.Equal(t, name, p.carried(t, orderLines, orderLines, lines[i], "", "name").String("name"))
	}
}

// of is the target's order with a line of a name.
func (p *pair) of(t *testing.T, name string) (int64, bool) {
	t.Helper()
	found, err := p.new.LiveRead(t.Context(), orderLines, []adapter.ID{adapter.IntID(p.named(t, name)[0])}, []string{"order_id"})
	require.NoError(t, err)
	id, _ := adapter.IDOf(found[0]["order_id"])
	return id.Int()
}

// Lines that the target keeps back are said, and not written by every run.
func TestLinesThatTheTargetKeepsBack(t *testing.T) {
	p := bare(t, "16.0", "19.0")
	order, lines := p.order(t, "one", "unwanted", "three")
	p.then = func(call string) {
		if writesLine(call, "unwanted") {
			p.gone(t, orderLines, p.named(t, "unwanted")...)
		}
	}
	tr := p.transfer("res.partner", orders)
	tr.Resume = &transfer.State{}
	report := p.twice(t, tr)
	assert.Equal(t, []string{"one", "three"}, p.lines(t, order))
	assert.Equal(t, "three", p.carried(t, orderLines, orderLines, lines[2], "", "name").String("name"))
	require.Len(t, of(report, orderLines).Differences, 1)
	assert.Equal(t, adapter.IntID(lines[1]), of(report, orderLines).Differences[0].Source)

	// A later one is not mistaken for it, though the target names it otherwise.
	four := p.line(t, order, "four")
	p.then = func(call string) {
		if writesLine(call, "four") {
			_, err := p.target.Call(orderLines, "write", p.named(t, "four"), map[string]any{"name": "renamed"})
			assert.NoError(t, err)
		}
	}
	p.twice(t, tr)
	assert.Equal(t, []string{"one", "three", "renamed"}, p.lines(t, order))
	assert.Equal(t, "renamed", p.carried(t, orderLines, orderLines, four, "", "name").String("name"))

	// It is tried again when it changes in the source.
	p.then = nil
	p.change(t, orderLines, lines[1], map[string]any{"name": "wanted"})
	p.twice(t, tr)
	assert.Equal(t, []string{"one", "three", "renamed", "wanted"}, p.lines(t, order))
}
