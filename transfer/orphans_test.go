package transfer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/transfer"
)

// broken starts a run whose write of a number is broken off, and returns what
// goes on where it stopped, in a new process.
func (p *pair) broken(t *testing.T, state *[]byte, at int, after bool, models ...string) func() *transfer.Report {
	t.Helper()
	run := p.kept(t, state, models...)
	p.breakAt, p.after = at, after
	_, err := run()
	require.Error(t, err)
	p.connect(t)
	return func() *transfer.Report {
		report, err := run()
		require.NoError(t, err)
		again, err := run()
		require.NoError(t, err)
		assert.Zero(t, again.Writes)
		return report
	}
}

// full is a contact with values enough to be told by.
func full(name, comment string) map[string]any {
	return map[string]any{"name": name, "comment": comment, "street": "1 Long Lane", "zip": "12345", "city": "Springfield", "phone": "+1 555 0199", "email": "twin@example.com"}
}

// What was there before the run, and what others brought meanwhile, is not what
// the run left behind, though it be alike. Of what somebody makes by hand
// meanwhile nothing tells.
func TestWhatOthersMadeIsNotTaken(t *testing.T) {
	for _, name := range []string{"before", "by an import meanwhile", "by hand meanwhile"} {
		t.Run(name, func(t *testing.T) {
			p := bare(t, "16.0", "19.0")
			partner := p.make(t, "res.partner", full("Twin", ""))
			var theirs int64
			if name == "before" {
				theirs = p.there(t, "res.partner", full("Twin", ""))
			}
			var state []byte
			again := p.broken(t, &state, 1, false, "res.partner")
			if name != "before" {
				theirs = p.there(t, "res.partner", full("Twin", ""))
			}
			if name == "by an import meanwhile" {
				called(t, p.target, "res.partner", theirs, "__import__.twin")
			}
			again()
			assert.Equal(t, name == "by hand meanwhile", p.at(t, "res.partner", partner) == theirs)
		})
	}
}

// A record whose required references are others is another one.
func TestWhatIsLeftBehindIsToldByRequiredReferences(t *testing.T) {
	for _, unit := range []int{1, 2} {
		t.Run(fmt.Sprint("unit ", unit), func(t *testing.T) {
			p := bare(t, "16.0", "19.0")
			for _, s := range []func(*testing.T, string, map[string]any) int64{p.make, p.there} {
				s(t, "uom.uom", map[string]any{"name": "Thousands"})
			}
			desk := p.make(t, "product.template", map[string]any{"name": "Desk", "uom_id": 1, "uom_po_id": 1})
			var state []byte
			again := p.broken(t, &state, 1, false, "product.template")
			mine := p.there(t, "product.template", map[string]any{"name": "Desk", "uom_id": unit})
			again()
			assert.Equal(t, unit == 1, p.at(t, "product.template", desk) == mine)
		})
	}
}

// Of several records that a run left behind each is found again by what it is
// most like, and no two are the same.
func TestWhatIsLeftBehindIsFound(t *testing.T) {
	p := bare(t, "16.0", "19.0")
	dot := "R0lGODlhAQABAAAAACwAAAAAAQABAAA7"
	comments := []string{"<p>a</p>", "<p>b</p>", "<p>b</p>", "<p>c</p>"}
	var partners []int64
	for _, comment := range comments {
		values := full("Twin", comment)
		values["image_1920"] = dot
		partners = append(partners, p.make(t, "res.partner", values))
	}
	want := p.count(t, "res.partner")
	var state []byte
	again := p.broken(t, &state, 4, true, "res.partner") // the second page was made
	require.GreaterOrEqual(t, p.count(t, "res.partner"), want+len(partners), "they were made, and not noted")
	p.asked = nil
	report := again()
	assert.Equal(t, want+of(report, "res.partner").Created, p.count(t, "res.partner"))
	seen := map[int64]bool{}
	for i, id := range partners {
		assert.Equal(t, comments[i], p.carried(t, "res.partner", "res.partner", id, "", "comment").String("comment"))
		seen[p.at(t, "res.partner", id)] = true
	}
	assert.Len(t, seen, len(partners))
	for _, call := range p.asked {
		assert.NotContains(t, call, "image_1920", "no files are read to tell records apart")
	}
}

// A line that was noted before the run was broken off is not looked for among
// those that were not.
func TestLinesThatWereNotedStay(t *testing.T) {
	p := bare(t, "16.0", "19.0")
	order, lines := p.order(t, "one")
	var state []byte
	_, err := p.kept(t, &state, "res.partner", orders)()
	require.NoError(t, err)
	noted := p.at(t, orderLines, lines[0])
	p.line(t, order, "two")
	p.connect(t)
	again := p.broken(t, &state, 1, false, "res.partner", orders)
	p.there(t, orderLines, note(p.at(t, orders, order), "one"))
	again()
	assert.Equal(t, noted, p.at(t, orderLines, lines[0]))
	assert.Equal(t, "one one two", strings.Join(p.lines(t, order), " "))
	assert.Empty(t, p.noted(t, orderLines, p.named(t, "one")[1]), "nobody took it for one of the source")
}

// noted are the external ids of a record of the target.
func (p *pair) noted(t *testing.T, model string, id int64) []adapter.Record {
	t.Helper()
	found, err := p.new.LiveQuery(t.Context(), adapter.Query{Model: "ir.model.data", Fields: []string{"name"}, Filter: adapter.And{adapter.Cond{Field: "model", Op: adapter.Equal, Value: model}, adapter.Cond{Field: "res_id", Op: adapter.Equal, Value: id}}})
	require.NoError(t, err)
	return found
}
