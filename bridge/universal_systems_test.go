package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
	"github.com/bridgecore/bridgecore/mapping/standard"
)

// simulated are the systems that the standard mappings lead to.
var simulated = []string{"odoo 13.0", "odoo 17.0", "odoo 19.0", "sap", "salesforce"}

// simulation is a bridge to one of them.
func simulation(tb testing.TB, name string, change func(*Config)) (*rig, *System) {
	tb.Helper()
	kind, version, _ := strings.Cut(name, " ")
	var open func(context.Context) (adapter.Adapter, error)
	switch {
	case version == "real":
		open = func(ctx context.Context) (adapter.Adapter, error) {
			return odoo.Dial(ctx, odoo.Config{
				URL: os.Getenv("BRIDGECORE_ODOO_URL"), Database: os.Getenv("BRIDGECORE_ODOO_DATABASE"),
				Username: os.Getenv("BRIDGECORE_ODOO_USERNAME"), Password: os.Getenv("BRIDGECORE_ODOO_PASSWORD"),
			})
		}
	case kind == "odoo":
		srv := odootest.New(tb, version)
		open = func(ctx context.Context) (adapter.Adapter, error) {
			return odoo.Dial(ctx, odoo.Config{URL: srv.URL, Database: srv.Database, Username: srv.Username, Password: srv.Password})
		}
	case kind == "sap":
		srv := saptest.New(tb)
		open = func(ctx context.Context) (adapter.Adapter, error) {
			return sap.Dial(ctx, sap.Config{URL: srv.URL, Username: srv.Username, Password: srv.Password, Client: srv.Client})
		}
	default:
		var looks atomic.Int64
		start := time.Now()
		srv := salesforcetest.NewServer(salesforcetest.Config{Now: func() time.Time { return start.Add(time.Duration(looks.Add(1)) * time.Second) }})
		tb.Cleanup(srv.Close)
		open = func(ctx context.Context) (adapter.Adapter, error) {
			return salesforce.Dial(ctx, salesforce.Config{URL: srv.URL, ClientID: srv.ClientID, ClientSecret: srv.ClientSecret})
		}
	}
	r := build(tb, func(c *Config) {
		c.Mappings = standard.Set()
		c.Openers[kind] = func(ctx context.Context, _ SystemConfig) (adapter.Adapter, error) { return open(ctx) }
		if change != nil {
			change(c)
		}
	}, SystemConfig{Tenant: "acme", ID: "main", Kind: kind, Revision: "1"})
	s, err := r.sys(tb).Universal(UniversalOptions{})
	require.NoError(tb, err)
	return r, s
}

func onEach(t *testing.T, test func(t *testing.T, name string, r *rig, s *System)) {
	t.Helper()
	for _, name := range simulated {
		t.Run(name, func(t *testing.T) {
			r, s := simulation(t, name, nil)
			test(t, name, r, s)
		})
	}
}

// onReal runs the test on a real Odoo too, if the environment names one.
func onReal(t *testing.T, test func(t *testing.T, name string, r *rig, s *System)) {
	t.Helper()
	onEach(t, test)
	t.Run("real", func(t *testing.T) {
		if os.Getenv("BRIDGECORE_ODOO_URL") == "" {
			t.Skip("SKIPPED: no real Odoo. Set BRIDGECORE_ODOO_URL, _DATABASE, _USERNAME and _PASSWORD to test against one.")
		}
		r, s := simulation(t, "odoo real", nil)
		test(t, "odoo real", r, s)
	})
}

// sale makes a contact, a product and an order with two lines.
func sale(t *testing.T, s *System, reference string) scene {
	t.Helper()
	var sc scene
	sc.contact = create(t, s, "contact", adapter.Record{"name": "Customer " + reference, "city": "Riyadh", "country": "SA", "phone": "+966 11 123"})
	sc.product = create(t, s, "product", adapter.Record{"name": "Desk " + reference, "default_code": "D-" + reference})
	line := func(quantity int, price float64) map[string]any {
		return map[string]any{"product_id": sc.product, "quantity": quantity, "unit_price": price}
	}
	sc.order = create(t, s, "sale_order", adapter.Record{
		"partner_id": sc.contact, "customer_reference": reference, "date_order": "2026-03-14T00:00:00Z",
		"order_lines": []any{line(2, 10.5), line(3, 99)},
	})
	return sc
}

// Every standard model can be read whole, described and counted, and its
// mapping names nothing that the system lacks.
func TestStandardModelsRead(t *testing.T) {
	onReal(t, func(t *testing.T, _ string, _ *rig, s *System) {
		t.Helper()
		sale(t, s, "R1")
		for _, m := range standard.Set().Models() {
			a, err := s.Read(t.Context(), Reading{Query: adapter.Query{Model: m.Name, Limit: 5}})
			if adapter.CodeOf(err) == adapter.Unsupported {
				t.Logf("%s: %v", m.Name, err)
				continue
			}
			if !assert.NoError(t, err, m.Name) {
				continue
			}
			for _, w := range a.Warnings {
				assert.NotContains(t, w.Message, "of this system lacks", m.Name)
			}
			_, err = s.Fields(t.Context(), m.Name)
			assert.NoError(t, err, m.Name)
			_, err = s.Count(t.Context(), m.Name, nil)
			assert.NoError(t, err, m.Name)
		}
	})
}

// 250 contacts of which three are bad, each for another reason.
func TestStandardCreateEach(t *testing.T) {
	onEach(t, func(t *testing.T, _ string, _ *rig, s *System) {
		t.Helper()
		values := make([]adapter.Record, 250)
		for i := range values {
			values[i] = adapter.Record{"name": fmt.Sprintf("each %d", i), "country": "SA"}
		}
		values[3] = adapter.Record{"city": "nobody's"}
		values[120] = adapter.Record{"name": map[string]any{"$ne": 1}}
		values[249] = adapter.Record{"name": "x", "is_company": "perhaps"}
		ids, err := s.CreateEach(t.Context(), "contact", values)
		var partial *adapter.PartialError
		require.ErrorAs(t, err, &partial)
		require.Len(t, ids, 250)
		seen := map[adapter.ID]bool{}
		for i, id := range ids {
			bad := i == 3 || i == 120 || i == 249
			require.Equal(t, bad, id.IsZero(), "%d: %v", i, partial.Failed[i])
			if bad {
				assert.Equal(t, adapter.InvalidArgument, code(t, partial.Failed[i]), i)
			} else {
				require.False(t, seen[id])
				seen[id] = true
			}
		}
		require.Len(t, partial.Failed, 3)
		n, err := s.Count(t.Context(), "contact", adapter.Cond{Field: "name", Op: adapter.Like, Value: "each "})
		require.NoError(t, err)
		assert.EqualValues(t, 247, n)
		for _, i := range []int{0, 119, 248} {
			r := read(t, s, "contact", []string{"name", "country"}, fmt.Sprintf(`[["id","=",%s]]`, quoteID(ids[i])))
			require.Len(t, r, 1)
			assert.Equal(t, fmt.Sprintf("each %d", i), r[0]["name"], "the id is that of its record")
			assert.Equal(t, "SA", r[0]["country"])
		}
	})
}

func TestStandardUpdatesOfLines(t *testing.T) {
	onReal(t, func(t *testing.T, _ string, _ *rig, s *System) {
		t.Helper()
		sc := sale(t, s, "R1")
		lines := func() (text string, ids []adapter.ID) {
			r := read(t, s, "sale_order", []string{"customer_reference", "order_lines.quantity", "order_lines.unit_price"}, fmt.Sprintf(`[["id","=",%s]]`, quoteID(sc.order)))
			require.Len(t, r, 1)
			parts := []string{r[0].String("customer_reference")}
			for _, l := range r[0]["order_lines"].([]any) {
				line := adapter.Record(l.(map[string]any))
				parts = append(parts, fmt.Sprintf("%g at %g", line.Float("quantity"), line.Float("unit_price")))
				ids = append(ids, line.ID())
			}
			return strings.Join(parts, ", "), ids
		}
		text, ids := lines()
		require.Equal(t, "R1, 2 at 10.5, 3 at 99", text)
		require.NoError(t, s.Update(t.Context(), "sale_order", []adapter.ID{sc.order}, adapter.Record{
			"customer_reference": "R2",
			"order_lines": []any{
				map[string]any{"id": ids[0], "quantity": 7, "unit_price": 11},
				map[string]any{"id": ids[1], "_delete": true},
				map[string]any{"product_id": sc.product, "quantity": 1, "unit_price": 5},
			},
		}))
		text, _ = lines()
		assert.Equal(t, "R2, 7 at 11, 1 at 5", text)
	})
}

// What lies in records behind the contact on one system, and in the contact on
// another, is changed alike.
func TestStandardUpdatesOfContacts(t *testing.T) {
	onReal(t, func(t *testing.T, name string, _ *rig, s *System) {
		t.Helper()
		id := create(t, s, "contact", adapter.Record{"name": "Azure"})
		fields := []string{"name", "phone", "street", "city", "country"}
		see := func() any {
			r := read(t, s, "contact", fields, fmt.Sprintf(`[["id","=",%s]]`, quoteID(id)))
			require.Len(t, r, 1)
			return withoutIDs(map[string]any(r[0]))
		}
		for _, values := range []adapter.Record{
			{"phone": "1", "street": "Main St", "city": "Riyadh", "country": "SA"},
			{"phone": "2", "city": "Jeddah"},
			{"name": "Deco", "street": "King Fahd Rd"},
		} {
			require.NoError(t, s.Update(t.Context(), "contact", []adapter.ID{id}, values), name)
		}
		assert.Equal(t, map[string]any{"name": "Deco", "phone": "2", "street": "King Fahd Rd", "city": "Jeddah", "country": "SA"}, see())
	})
}

// Texts that would be code in a domain, in SOQL or in OData, if they were put
// together with it, are texts.
func TestStandardTextsAreTexts(t *testing.T) {
	texts := []string{
		`O'Brien`, `"; DROP TABLE a;--`, `back\slash`, `' or 1 eq 1 or '' eq '`, `x' OR Name LIKE '%`, `100%`, `a_b`, `{"$ne": null}`, "日本語 🎉 é", `</script>&amp;`, `\' OR Name != '`, `a') or (true`,
	}
	onEach(t, func(t *testing.T, _ string, _ *rig, s *System) {
		t.Helper()
		for _, text := range texts {
			made := create(t, s, "contact", adapter.Record{"name": text})
			for _, op := range []string{"=", "in"} {
				var value any = text
				if op == "in" {
					value = []any{text, `'`}
				}
				domain, err := json.Marshal([]any{[]any{"name", op, value}})
				require.NoError(t, err)
				found := read(t, s, "contact", []string{"name"}, string(domain))
				if assert.Len(t, found, 1, "%s %s", op, text) {
					assert.Equal(t, made, found[0].ID())
					assert.Equal(t, text, found[0]["name"])
				}
			}
		}
		for _, field := range []string{`name" or 1=1`, "name eq 'x' or name", "Name", "name;x", "__class__", "id)//", "name.x"} {
			domain, err := json.Marshal([]any{[]any{field, "=", "x"}})
			require.NoError(t, err)
			_, err = s.Read(t.Context(), Reading{Query: adapter.Query{Model: "contact", Fields: []string{"name"}}, Domain: domain})
			assert.Equal(t, adapter.InvalidArgument, code(t, err), field)
			_, err = s.Read(t.Context(), Reading{Query: adapter.Query{Model: "contact", Fields: []string{"name"}, Order: []adapter.Order{{Field: field}}}})
			assert.Equal(t, adapter.InvalidArgument, code(t, err), field)
		}
	})
}

func TestStandardTenThousandIDs(t *testing.T) {
	onEach(t, func(t *testing.T, _ string, _ *rig, s *System) {
		t.Helper()
		made := create(t, s, "contact", adapter.Record{"name": "in the list"})
		list := make([]any, 10_000)
		_, numbers := made.Int()
		for i := range list {
			list[i] = fmt.Sprintf("%015d", i)
			if numbers {
				list[i] = 100_000 + i
			}
			if text := made.String(); strings.HasPrefix(text, "001") {
				list[i] = fmt.Sprintf("001000000%06dAAA", i)
			}
		}
		list[7777] = made.Value()
		domain, err := json.Marshal([]any{[]any{"id", "in", list}})
		require.NoError(t, err)
		found := read(t, s, "contact", []string{"name"}, string(domain))
		require.Len(t, found, 1)
		assert.Equal(t, made, found[0].ID())
	})
}

// What one system keeps in the record and another in records behind it is
// filtered by alike.
func TestStandardFilters(t *testing.T) {
	onEach(t, func(t *testing.T, _ string, _ *rig, s *System) {
		t.Helper()
		one, two := sale(t, s, "R1"), sale(t, s, "R2")
		require.NoError(t, s.Update(t.Context(), "contact", []adapter.ID{two.contact}, adapter.Record{"city": "Jeddah", "phone": "7"}))
		mine := fmt.Sprintf(`["id","in",[%s,%s]]`, quoteID(one.contact), quoteID(two.contact))
		for domain, want := range map[string][]adapter.ID{
			`[["city","=","Riyadh"],` + mine + `]`:                    {one.contact},
			`[["city","=","Jeddah"]]`:                                 {two.contact},
			`[["city","in",["Jeddah","Riyadh"]],` + mine + `]`:        {one.contact, two.contact},
			`[["city","like","edda"],["country","=","SA"]]`:           {two.contact},
			`["&",["country","=","SA"],["phone","=","7"]]`:            {two.contact},
			`["|",["phone","=","7"],["name","=","Customer R1"]]`:      {one.contact, two.contact},
			`["&","!",["city","=","Riyadh"],` + mine + `]`:            {two.contact},
			`[["city","=","Nowhere"]]`:                                {},
			`["|",["city","=","Nowhere"],["name","=","Customer R1"]]`: {one.contact},
		} {
			var got []adapter.ID
			for _, r := range read(t, s, "contact", []string{"name"}, domain) {
				got = append(got, r.ID())
			}
			assert.ElementsMatch(t, want, got, domain)
		}
		var got []adapter.ID
		for _, r := range read(t, s, "product", []string{"name"}, `[["name","=","Desk R2"]]`) {
			got = append(got, r.ID())
		}
		assert.Equal(t, []adapter.ID{two.product}, got)
		n, err := s.Count(t.Context(), "contact", adapter.Cond{Field: "city", Op: adapter.Equal, Value: "Jeddah"})
		require.NoError(t, err)
		assert.EqualValues(t, 1, n)
	})
}

// A change in the system's own words is seen at once, and a kept answer is
// used until then.
func TestStandardAnswersAreFresh(t *testing.T) {
	native := map[string]struct{ contact, name string }{
		"odoo": {"res.partner", "name"}, "sap": {"API_BUSINESS_PARTNER.A_BusinessPartner", "OrganizationBPName1"}, "salesforce": {"Account", "Name"},
	}
	onReal(t, func(t *testing.T, _ string, r *rig, s *System) {
		t.Helper()
		sc := sale(t, s, "R1")
		ask := func() Answer {
			a, err := s.Read(t.Context(), Reading{Query: adapter.Query{Model: "contact", Fields: []string{"name"}}, Domain: json.RawMessage(fmt.Sprintf(`[["id","=",%s]]`, quoteID(sc.contact)))})
			require.NoError(t, err)
			return a
		}
		assert.False(t, ask().Cached)
		assert.True(t, ask().Cached)
		own := native[s.Kind()]
		require.NoError(t, r.sys(t).Update(t.Context(), own.contact, []adapter.ID{sc.contact}, adapter.Record{own.name: "Renamed"}))
		a := ask()
		assert.False(t, a.Cached)
		assert.Contains(t, string(a.Result), "Renamed")
		assert.True(t, ask().Cached)
	})
}
