package transfer_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/transfer"
)

// bare is a pair of systems without demo records, in three languages.
func bare(t *testing.T, from, to string) *pair {
	t.Helper()
	start := func(version string) *odootest.Server {
		s, err := odootest.Start(odootest.Config{Version: version, NoDemo: true, Languages: map[string]odootest.Terms{"fr_FR": {}, "ar_001": {}}})
		require.NoError(t, err)
		t.Cleanup(s.Close)
		return s
	}
	p := &pair{source: start(from), target: start(to)}
	p.connect(t)
	return p
}

func (p *pair) change(t *testing.T, model string, id int64, values map[string]any) {
	t.Helper()
	_, err := p.source.Call(model, "write", []any{id}, values)
	require.NoError(t, err)
}

// carried is the target's record of one of the source, in a language.
func (p *pair) carried(t *testing.T, model, to string, id int64, language string, fields ...string) adapter.Record {
	t.Helper()
	found, err := p.new.LiveQuery(t.Context(), adapter.Query{Model: "ir.model.data", Fields: []string{"res_id"}, Filter: adapter.Cond{Field: "name", Op: adapter.Equal, Value: p.old.ExternalName(model, adapter.IntID(id))}})
	require.NoError(t, err)
	require.Len(t, found, 1, "%s %d is not there once", model, id)
	scope := p.new.Scope()
	scope.Language = language
	at, _ := adapter.IDOf(found[0]["res_id"])
	records, err := p.new.WithScope(scope).LiveRead(t.Context(), to, []adapter.ID{at}, fields)
	require.NoError(t, err)
	require.Len(t, records, 1)
	return records[0]
}

// twice runs a transfer, and sees that a second run writes nothing.
func (p *pair) twice(t *testing.T, tr transfer.Transfer) *transfer.Report {
	t.Helper()
	if tr.Resume == nil {
		tr.Resume = &transfer.State{}
	}
	report, err := tr.Run(t.Context())
	require.NoError(t, err)
	p.writes = 0
	again, err := tr.Run(t.Context())
	require.NoError(t, err)
	assert.Zero(t, again.Writes, "the second run writes nothing")
	assert.Zero(t, p.writes)
	return report
}

func TestMapSaysWhichRecordIsMeant(t *testing.T) {
	p := bare(t, "16.0", "19.0")
	tag := p.make(t, "res.partner.category", map[string]any{"name": "Customer"})
	other, err := p.target.Create("res.partner.category", map[string]any{"name": "Client"})
	require.NoError(t, err)
	partner := p.make(t, "res.partner", map[string]any{"name": "Tagged", "category_id": []any{[]any{6, 0, []any{tag}}}})
	tr := p.transfer("res.partner")
	tr.LeaveUnmatched = false
	tr.Map = map[string]adapter.ID{fmt.Sprintf("res.partner.category:%d", tag): adapter.IntID(other)}
	report := p.twice(t, tr)
	assert.Empty(t, report.Unmatched)
	assert.Equal(t, []adapter.ID{adapter.IntID(other)}, p.carried(t, "res.partner", "res.partner", partner, "", "category_id").IDs("category_id"))

	for name, m := range map[string]map[string]adapter.ID{
		"a record that is not there": {fmt.Sprintf("res.partner.category:%d", tag): adapter.IntID(99999)},
		"a model that is not there":  {"no.such.model:1": adapter.IntID(1)},
	} {
		tr.Map = m
		_, err := tr.Survey(t.Context())
		require.ErrorIs(t, err, adapter.ErrInvalidArgument, name)
		assert.Contains(t, err.Error(), "map", name)
	}
}

// Models that were carried along are followed by later runs too, though all of
// their records are there then.
func TestWhatWentAlongIsFollowed(t *testing.T) {
	p := bare(t, "16.0", "19.0")
	tag := p.make(t, "res.partner.category", map[string]any{"name": "Only here"})
	p.make(t, "res.partner", map[string]any{"name": "Tagged", "category_id": []any{[]any{6, 0, []any{tag}}}})
	tr := p.transfer("res.partner")
	tr.Dependencies = true
	tr.Resume = &transfer.State{}
	report := p.twice(t, tr)
	assert.Contains(t, report.Order, "res.partner.category")
	p.change(t, "res.partner.category", tag, map[string]any{"name": "Client"})
	report = p.twice(t, tr)
	assert.Equal(t, 1, of(report, "res.partner.category").Changed)
	assert.Equal(t, "Client", p.carried(t, "res.partner.category", "res.partner.category", tag, "", "name").String("name"))
	checked, err := tr.Verify(t.Context())
	require.NoError(t, err)
	assert.Contains(t, checked.Order, "res.partner.category")
}

// A record of such a model that the target had already is the same one after
// the run was broken off, though it has no external id.
func TestWhatWentAlongStaysMatched(t *testing.T) {
	start := func() *pair {
		p := bare(t, "16.0", "19.0")
		p.along = true
		_, err := p.target.Create("res.partner.category", map[string]any{"name": "On both sides"})
		require.NoError(t, err)
		for i, name := range []string{"On both sides", "Only here"} {
			tag := p.make(t, "res.partner.category", map[string]any{"name": name})
			p.make(t, "res.partner", map[string]any{"name": fmt.Sprint("Tagged ", i), "category_id": []any{[]any{6, 0, []any{tag}}}})
		}
		return p
	}
	counts := func(p *pair) [3]int {
		return [3]int{p.count(t, "res.partner.category"), p.count(t, "res.partner"), p.count(t, "ir.model.data")}
	}
	whole := start()
	var state []byte
	_, err := whole.kept(t, &state, "res.partner")()
	require.NoError(t, err)
	want := counts(whole)
	for at := 1; at <= 3; at++ {
		p := start()
		var state []byte
		run := p.kept(t, &state, "res.partner")
		p.breakAt, p.after = at, true
		_, err := run()
		require.Error(t, err)
		p.connect(t)
		for range 2 {
			_, err = run()
			require.NoError(t, err)
			assert.Equal(t, want, counts(p), "broken off at %d", at)
		}
	}
}

func TestTheStateOfOrdersGoesAlongWhereAskedFor(t *testing.T) {
	for _, asked := range []bool{false, true} {
		t.Run(strconv.FormatBool(asked), func(t *testing.T) {
			p := bare(t, "16.0", "19.0")
			orders := map[string]int64{}
			for _, state := range []string{"draft", "sale", "done", "cancel"} {
				partner := p.make(t, "res.partner", map[string]any{"name": "Buyer " + state})
				orders[state] = p.make(t, "sale.order", map[string]any{"partner_id": partner})
				p.change(t, "sale.order", orders[state], map[string]any{"state": state})
			}
			tr := p.transfer("res.partner", "sale.order")
			tr.State = asked
			report := p.twice(t, tr)
			assert.Equal(t, 4, of(report, "sale.order").Created)
			for was, want := range map[string]string{"draft": "draft", "sale": "sale", "done": "sale", "cancel": "cancel"} {
				if !asked {
					want = "draft"
				}
				got := p.carried(t, "sale.order", "sale.order", orders[was], "", "state", "locked")
				assert.Equal(t, want, got.String("state"), was)
				assert.Equal(t, asked && was == "done", got.Bool("locked"), "17.0 made of done a lock")
			}
		})
	}
}

func TestFilesGoAlongWhereAskedFor(t *testing.T) {
	for _, asked := range []bool{false, true} {
		t.Run(strconv.FormatBool(asked), func(t *testing.T) {
			p := bare(t, "16.0", "19.0")
			dot := base64.StdEncoding.EncodeToString([]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"))
			partner := p.make(t, "res.partner", map[string]any{"name": "Seen", "image_1920": dot})
			tr := p.transfer("res.partner")
			tr.Binary = asked
			p.twice(t, tr)
			got := p.carried(t, "res.partner", "res.partner", partner, "", "image_1920")
			if asked {
				assert.Equal(t, dot, got["image_1920"])
			} else {
				assert.True(t, adapter.IsEmpty(got["image_1920"]))
			}
		})
	}
}

func TestTextsGoAlongInEveryLanguage(t *testing.T) {
	p := bare(t, "16.0", "19.0")
	names := map[string]string{"en_US": "Chair", "fr_FR": "Chaise", "ar_001": "كرسي"}
	chair := p.make(t, "product.template", map[string]any{"name": names["en_US"]})
	say := func(language, name string) {
		scope := p.old.Scope()
		scope.Language = language
		require.NoError(t, p.old.WithScope(scope).Update(t.Context(), "product.template", []adapter.ID{adapter.IntID(chair)}, adapter.Record{"name": name}))
	}
	say("fr_FR", names["fr_FR"])
	say("ar_001", names["ar_001"])
	tr := p.transfer("product.template")
	report := p.twice(t, tr)
	assert.Equal(t, []string{"ar_001", "fr_FR"}, report.Languages)
	for language, name := range names {
		assert.Equal(t, name, p.carried(t, "product.template", "product.template", chair, language, "name").String("name"), language)
	}

	say("fr_FR", "Fauteuil")
	names["fr_FR"] = "Fauteuil"
	dry, err := tr.Survey(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, of(dry, "product.template").Changed, "a dry run says what would be done in other languages too")
	report = p.twice(t, tr)
	assert.Equal(t, 1, of(report, "product.template").Changed)
	assert.Equal(t, 1, report.Writes)
	for language, name := range names {
		assert.Equal(t, name, p.carried(t, "product.template", "product.template", chair, language, "name").String("name"), language)
	}
}

// order makes an order with lines of these names.
func (p *pair) order(t *testing.T, names ...string) (order int64, lines []int64) {
	t.Helper()
	order = p.make(t, "sale.order", map[string]any{"partner_id": p.make(t, "res.partner", map[string]any{"name": "Buyer"})})
	for _, name := range names {
		lines = append(lines, p.line(t, order, name))
	}
	return order, lines
}

func (p *pair) line(t *testing.T, order int64, name string) int64 {
	t.Helper()
	return p.make(t, "sale.order.line", map[string]any{"order_id": order, "name": name, "display_type": "line_note"})
}

// lines are the names of an order's lines in the target.
func (p *pair) lines(t *testing.T, order int64) []string {
	t.Helper()
	ids := p.carried(t, "sale.order", "sale.order", order, "", "order_line").IDs("order_line")
	records, err := p.new.LiveRead(t.Context(), "sale.order.line", ids, []string{"name"})
	require.NoError(t, err)
	names := []string{}
	for _, rec := range records {
		names = append(names, rec.String("name"))
	}
	return names
}

func TestLinesAreFollowed(t *testing.T) {
	p := bare(t, "16.0", "19.0")
	order, lines := p.order(t, "one", "two", "two", "four")
	tr := p.transfer("res.partner", "sale.order")
	tr.Resume = &transfer.State{}
	p.twice(t, tr)
	require.ElementsMatch(t, []string{"one", "two", "two", "four"}, p.lines(t, order))

	at := p.carried(t, "sale.order", "sale.order", order, "", "id").ID()
	_, err := p.target.Create("sale.order.line", map[string]any{"order_id": at.Value(), "name": "somebody else's", "display_type": "line_note"})
	require.NoError(t, err)
	p.change(t, "sale.order.line", lines[1], map[string]any{"name": "changed"})
	_, err = p.source.Call("sale.order.line", "unlink", []any{lines[3]})
	require.NoError(t, err)
	added := p.line(t, order, "added")
	p.line(t, order, "added")

	dry, err := tr.Survey(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, of(dry, "sale.order").Changed)
	report := p.twice(t, tr)
	assert.Equal(t, 1, of(report, "sale.order").Changed)
	assert.Equal(t, 2, report.Writes, "the order with its lines, and the external ids of new ones")
	assert.ElementsMatch(t, []string{"one", "changed", "two", "added", "added", "somebody else's"}, p.lines(t, order))

	// A line that was added later is followed like the others.
	p.change(t, "sale.order.line", added, map[string]any{"name": "added, then changed"})
	p.twice(t, tr)
	assert.ElementsMatch(t, []string{"one", "changed", "two", "added, then changed", "added", "somebody else's"}, p.lines(t, order))
}

// kept runs transfers whose state is kept as a program would.
func (p *pair) kept(t *testing.T, kept *[]byte, models ...string) func() (*transfer.Report, error) {
	t.Helper()
	return func() (*transfer.Report, error) {
		tr := p.transfer(models...)
		tr.Dependencies = p.along
		if *kept != nil {
			tr.Resume = &transfer.State{}
			require.NoError(t, json.Unmarshal(*kept, tr.Resume))
		}
		tr.Save = func(s *transfer.State) (err error) {
			if p.dead {
				return errKilled
			}
			*kept, err = json.Marshal(s)
			return err
		}
		return tr.Run(t.Context())
	}
}

// A run that added lines to orders that were there is killed before and after
// each of its calls: no line is there twice, none is missing.
func TestLinesAddedByARunThatWasKilledAreNotDoubled(t *testing.T) {
	for at := 1; at <= 2; at++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d %t", at, after), func(t *testing.T) {
				p := bare(t, "16.0", "19.0")
				a, _ := p.order(t, "one")
				b, _ := p.order(t, "one", "two")
				var state []byte
				run := p.kept(t, &state, "res.partner", "sale.order")
				_, err := run()
				require.NoError(t, err)
				for _, order := range []int64{a, b} {
					p.line(t, order, "twin")
					p.line(t, order, "twin")
					p.line(t, order, "last")
				}
				p.connect(t)
				p.breakAt, p.after = at, after
				_, err = run()
				require.Error(t, err)
				p.connect(t)
				// Meanwhile somebody adds a line of their own in the target.
				own := p.carried(t, "sale.order", "sale.order", a, "", "id").ID()
				_, err = p.target.Create("sale.order.line", map[string]any{"order_id": own.Value(), "name": "somebody else's", "display_type": "line_note"})
				require.NoError(t, err)
				_, err = run()
				require.NoError(t, err)
				assert.ElementsMatch(t, []string{"one", "twin", "twin", "last", "somebody else's"}, p.lines(t, a))
				assert.ElementsMatch(t, []string{"one", "two", "twin", "twin", "last"}, p.lines(t, b))
				again, err := run()
				require.NoError(t, err)
				assert.Zero(t, again.Writes)
			})
		}
	}
}

// What was made and not noted is found however much was made in between.
func TestKilledTwiceFarApart(t *testing.T) {
	for _, second := range []int{9, 11} { // within pages that follow the one that is found
		t.Run(strconv.Itoa(second), func(t *testing.T) {
			p := bare(t, "16.0", "19.0")
			const partners = 40 // several pages
			for i := range partners {
				p.make(t, "res.partner", map[string]any{"name": fmt.Sprint("Partner ", i)})
			}
			want := p.count(t, "res.partner")
			var state []byte
			run := p.kept(t, &state, "res.partner")
			for _, at := range []int{3, second} {
				p.breakAt, p.after = at, true
				_, err := run()
				require.Error(t, err)
				p.connect(t)
			}
			report, err := run()
			require.NoError(t, err)
			assert.Equal(t, want+of(report, "res.partner").Created, p.count(t, "res.partner"))
			assert.GreaterOrEqual(t, of(report, "res.partner").Created, partners)
			again, err := run()
			require.NoError(t, err)
			assert.Zero(t, again.Writes)
		})
	}
}

// A variant that both systems were delivered with stays where it is, if the
// templates are not the same.
func TestAVariantIsNotTakenFromItsTemplate(t *testing.T) {
	p := bare(t, "16.0", "19.0")
	deliver := func(s *odootest.Server, name string) (template, variant int64) {
		template, err := s.Create("product.template", map[string]any{"name": name})
		require.NoError(t, err)
		found, err := s.Call("product.product", "search", []any{[]any{"product_tmpl_id", "=", template}})
		require.NoError(t, err)
		variant = found.([]any)[0].(int64)
		_, err = s.Create("ir.model.data", map[string]any{"module": "product", "name": "the_variant", "model": "product.product", "res_id": variant})
		require.NoError(t, err)
		return template, variant
	}
	old, oldVariant := deliver(p.source, "Theirs")
	mine, variant := deliver(p.target, "Ours")
	p.twice(t, p.transfer("product.template"))
	kept, err := p.new.LiveRead(t.Context(), "product.product", []adapter.ID{adapter.IntID(variant)}, []string{"product_tmpl_id"})
	require.NoError(t, err)
	of, _ := adapter.IDOf(kept[0]["product_tmpl_id"])
	assert.Equal(t, adapter.IntID(mine), of)
	template := p.carried(t, "product.template", "product.template", old, "", "product_variant_ids")
	assert.Equal(t, []adapter.ID{p.carried(t, "product.product", "product.product", oldVariant, "", "id").ID()}, template.IDs("product_variant_ids"))
}
