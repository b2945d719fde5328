package odootest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// each runs a test on every version.
func each(t *testing.T, f func(t *testing.T, s *Server, major int)) {
	t.Helper()
	for major := 13; major <= 19; major++ {
		t.Run(fmt.Sprintf("%d.0", major), func(t *testing.T) { f(t, New(t, fmt.Sprintf("%d.0", major)), major) })
	}
}

// do calls a method that must succeed.
func do(t *testing.T, s *Server, model, method string, args ...any) any {
	t.Helper()
	v, err := s.Call(model, method, args...)
	require.NoError(t, err, "%s.%s", model, method)
	return v
}

// fails calls a method that must fail, and returns the exception.
func fails(t *testing.T, s *Server, model, method string, args ...any) *exception {
	t.Helper()
	v, err := s.Call(model, method, args...)
	var x *exception
	require.ErrorAs(t, err, &x, "%s.%s gave %v", model, method, v)
	return x
}

// field reads one field of one record.
func field(t *testing.T, s *Server, model string, id int64, name string) any {
	t.Helper()
	records := listOf(do(t, s, model, "read", []any{id}, []any{name}))
	require.Len(t, records, 1)
	return dictOf(records[0])[name]
}

func made(t *testing.T, s *Server, model string, values map[string]any) int64 {
	t.Helper()
	id, err := s.Create(model, values)
	require.NoError(t, err)
	return id
}

func TestWrittenValuesAreTakenAsOdooTakesThem(t *testing.T) {
	each(t, func(t *testing.T, s *Server, major int) {
		t.Helper()
		id := made(t, s, "res.partner", map[string]any{"name": 12345, "phone": true, "color": 3.9, "country_id": 1})
		assert.Equal(t, "12345", field(t, s, "res.partner", id, "name"))
		assert.Equal(t, "True", field(t, s, "res.partner", id, "phone"))
		assert.EqualValues(t, 3, field(t, s, "res.partner", id, "color"))
		// A pair as it was read silently clears the field, on every version.
		do(t, s, "res.partner", "write", []any{id}, map[string]any{"country_id": []any{2, "x"}})
		assert.Equal(t, false, field(t, s, "res.partner", id, "country_id"))
		do(t, s, "res.partner", "write", []any{id}, map[string]any{"phone": ""})
		assert.Equal(t, any(""), field(t, s, "res.partner", id, "phone"), "not false")
		if major >= 16 {
			do(t, s, "res.partner", "write", []any{id}, map[string]any{"country_id": "US"})
		} else {
			assert.Equal(t, invalidText, fails(t, s, "res.partner", "write", []any{id}, map[string]any{"country_id": "US"}).name)
		}
		for _, bad := range []string{"2026-01-02T03:04:05", "2026-01-02T03:04:05Z", "2026-01-02 03:04:05.5", "soon"} {
			assert.Equal(t, valueError, fails(t, s, "sale.order", "write", []any{1}, map[string]any{"date_order": bad}).name, bad)
		}
		do(t, s, "sale.order", "write", []any{1}, map[string]any{"date_order": "2026-01-02"})
		assert.Equal(t, "2026-01-02 00:00:00", field(t, s, "sale.order", 1, "date_order"))
	})
}

func TestRelationCommands(t *testing.T) {
	each(t, func(t *testing.T, s *Server, _ int) {
		t.Helper()
		id := made(t, s, "res.partner", map[string]any{"name": "P"})
		tags := func() any { return field(t, s, "res.partner", id, "category_id") }
		write := func(v any) { do(t, s, "res.partner", "write", []any{id}, map[string]any{"category_id": v}) }
		for _, step := range []struct {
			name  string
			value any
			want  []any
		}{
			{"plain ids are a set", []any{1, 2}, []any{int64(1), int64(2)}},
			{"an empty list does nothing", []any{}, []any{int64(1), int64(2)}},
			{"link", []any{[]any{4, 3}}, []any{int64(1), int64(2), int64(3)}},
			{"an unknown command does nothing", []any{[]any{9, 1}}, []any{int64(1), int64(2), int64(3)}},
			{"unlink", []any{[]any{3, 1}}, []any{int64(2), int64(3)}},
			{"set", []any{[]any{6, 0, []any{4}}}, []any{int64(4)}},
			{"a lone 5 clears", []any{[]any{5}}, []any{}},
			{"set again", []any{[]any{6, false, []any{2}}}, []any{int64(2)}},
			{"false clears", false, []any{}},
		} {
			write(step.value)
			assert.Equal(t, step.want, tags(), step.name)
		}
		write([]any{[]any{0, 0, map[string]any{"name": "New tag"}}})
		assert.Len(t, tags(), 1)

		// One-to-many: the lines know their order, and vanish with it.
		order := made(t, s, "sale.order", map[string]any{"partner_id": id, "order_line": []any{
			[]any{0, 0, map[string]any{"product_id": 1, "product_uom_qty": 2, "price_unit": 10}},
			[]any{0, "virtual", map[string]any{"product_id": 2, "product_uom_qty": 1, "price_unit": 5.5}},
		}})
		assert.InDelta(t, 25.5, field(t, s, "sale.order", order, "amount_untaxed"), 0.001)
		lines := listOf(field(t, s, "sale.order", order, "order_line"))
		require.Len(t, lines, 2)
		do(t, s, "sale.order", "write", []any{order}, map[string]any{"order_line": []any{[]any{1, lines[0], map[string]any{"product_uom_qty": 3}}, []any{2, lines[1]}}})
		assert.InDelta(t, 30, field(t, s, "sale.order", order, "amount_total"), 0.001)
		assert.Equal(t, lines[:1], field(t, s, "sale.order", order, "order_line"))
		do(t, s, "sale.order", "unlink", []any{order})
		assert.Empty(t, do(t, s, "sale.order.line", "search", []any{[]any{"id", "in", lines}}))
		// A contact's children may be without it.
		child := made(t, s, "res.partner", map[string]any{"name": "C", "parent_id": id})
		do(t, s, "res.partner", "write", []any{id}, map[string]any{"child_ids": []any{[]any{3, child}}})
		assert.Equal(t, false, field(t, s, "res.partner", child, "parent_id"))
	})
}

// A call that fails leaves nothing behind, not even what other records made of
// it.
func TestFailedCallsChangeNothing(t *testing.T) {
	each(t, func(t *testing.T, s *Server, _ int) {
		t.Helper()
		count := func(model string) any { return do(t, s, model, "search_count", []any{}) }
		partners, lines, templates := count("res.partner"), count("sale.order.line"), count("product.template")
		fails(t, s, "res.partner", "create", []any{map[string]any{"name": "good"}, map[string]any{"email": "nameless@example.com"}})
		fails(t, s, "sale.order", "create", map[string]any{"partner_id": 7, "order_line": []any{[]any{0, 0, map[string]any{"product_id": 1}}, []any{0, 0, map[string]any{"product_id": 99999999}}}})
		fails(t, s, "product.product", "create", []any{map[string]any{"name": "a", "barcode": "B1"}, map[string]any{"name": "b", "barcode": "B1"}})
		before := field(t, s, "res.partner", 7, "phone")
		fails(t, s, "res.partner", "write", []any{7, 99999999}, map[string]any{"phone": "changed"})
		assert.Equal(t, before, field(t, s, "res.partner", 7, "phone"))
		assert.Equal(t, partners, count("res.partner"))
		assert.Equal(t, lines, count("sale.order.line"))
		assert.Equal(t, templates, count("product.template"))
	})
}

func TestProductsAndTheirTemplates(t *testing.T) {
	each(t, func(t *testing.T, s *Server, major int) {
		t.Helper()
		template := made(t, s, "product.template", map[string]any{"name": "Shelf", "default_code": "SHF", "list_price": 20})
		variants := listOf(field(t, s, "product.template", template, "product_variant_ids"))
		require.Len(t, variants, 1)
		variant, _ := intOf(variants[0])
		assert.Equal(t, "Shelf", field(t, s, "product.product", variant, "name"))
		assert.Equal(t, "[SHF] Shelf", field(t, s, "product.product", variant, "display_name"))
		do(t, s, "product.product", "write", []any{variant}, map[string]any{"list_price": 22.5, "barcode": "123"})
		assert.InDelta(t, 22.5, field(t, s, "product.template", template, "list_price"), 0)
		assert.Equal(t, "123", field(t, s, "product.template", template, "barcode"))
		do(t, s, "product.template", "write", []any{template}, map[string]any{"default_code": "SHF2", "active": false})
		assert.Equal(t, "SHF2", field(t, s, "product.product", variant, "default_code"))
		assert.Empty(t, do(t, s, "product.product", "search", []any{[]any{"id", "=", variant}}), "archived with its template")

		kind := "type"
		if major >= 15 && major <= 17 {
			kind = "detailed_type"
		}
		service := made(t, s, "product.product", map[string]any{"name": "Advice", kind: "service"})
		assert.Equal(t, "service", field(t, s, "product.product", service, "type"))
		order := made(t, s, "sale.order", map[string]any{"partner_id": 7, "order_line": []any{[]any{0, 0, map[string]any{"product_id": service}}}})
		do(t, s, "sale.order", "action_confirm", []any{order})
		assert.Empty(t, do(t, s, "stock.picking", "search", []any{[]any{"origin", "=", field(t, s, "sale.order", order, "name")}}), "a service is not delivered")

		made(t, s, "product.product", map[string]any{"name": "Alone", "lst_price": 3})
		assert.Len(t, do(t, s, "product.template", "search", []any{[]any{"name", "=", "Alone"}}), 1)
	})
}

func TestArchivedRecordsHide(t *testing.T) {
	each(t, func(t *testing.T, s *Server, _ int) {
		t.Helper()
		parent := made(t, s, "res.partner", map[string]any{"name": "Firm", "is_company": true})
		child := made(t, s, "res.partner", map[string]any{"name": "Gone", "parent_id": parent})
		assert.Equal(t, []any{child}, field(t, s, "res.partner", parent, "child_ids"))
		assert.Nil(t, do(t, s, "res.partner", "action_archive", []any{child}), "it returns nothing")
		assert.Empty(t, do(t, s, "res.partner", "search", []any{[]any{"id", "=", child}}))
		assert.Empty(t, field(t, s, "res.partner", parent, "child_ids"))
		assert.Len(t, do(t, s, "res.partner", "search", []any{[]any{"id", "=", child}, []any{"active", "in", []any{true, false}}}), 1)
		assert.Equal(t, "Gone", field(t, s, "res.partner", child, "name"), "reading finds it")
	})
}

func TestSalesFromOrderToInvoice(t *testing.T) {
	each(t, func(t *testing.T, s *Server, major int) {
		t.Helper()
		order := made(t, s, "sale.order", map[string]any{"partner_id": 7, "order_line": []any{[]any{0, 0, map[string]any{"product_id": 1, "product_uom_qty": 4}}}})
		assert.Regexp(t, `^S\d{5}$`, field(t, s, "sale.order", order, "name"))
		assert.Equal(t, true, do(t, s, "sale.order", "action_confirm", []any{order}))
		assert.Equal(t, "sale", field(t, s, "sale.order", order, "state"))
		if major >= 17 {
			assert.Equal(t, userError, fails(t, s, "sale.order", "action_confirm", []any{order}).name)
		} else {
			assert.Equal(t, true, do(t, s, "sale.order", "action_confirm", []any{order}))
		}
		assert.Equal(t, userError, fails(t, s, "sale.order", "unlink", []any{order}).name)

		// The goods: 16.0 and before ask whether they were all delivered.
		pickings := listOf(do(t, s, "stock.picking", "search", []any{[]any{"origin", "=", field(t, s, "sale.order", order, "name")}}))
		require.Len(t, pickings, 1)
		stock := field(t, s, "product.product", 1, "qty_available").(float64)
		answer := do(t, s, "stock.picking", "button_validate", pickings)
		if major <= 16 {
			assert.Equal(t, "stock.immediate.transfer", dictOf(answer)["res_model"])
			if id, ok := intOf(dictOf(answer)["res_id"]); ok {
				do(t, s, "stock.immediate.transfer", "process", []any{id})
			} else {
				wizard := made(t, s, "stock.immediate.transfer", map[string]any{"pick_ids": pickings})
				do(t, s, "stock.immediate.transfer", "process", []any{wizard})
			}
		} else {
			assert.Equal(t, true, answer)
		}
		assert.InDelta(t, stock-4, field(t, s, "product.product", 1, "qty_available"), 0.001)

		kind := map[bool]string{true: "type", false: "move_type"}[major == 13]
		invoice := made(t, s, "account.move", map[string]any{kind: "out_invoice", "partner_id": 7, "invoice_line_ids": []any{[]any{0, 0, map[string]any{"product_id": 1, "quantity": 4, "price_unit": 10, "account_id": 1}}}})
		draft := map[bool]any{true: "/", false: false}[major <= 17]
		assert.Equal(t, draft, field(t, s, "account.move", invoice, "name"))
		assert.InDelta(t, 40, field(t, s, "account.move", invoice, "amount_total"), 0.001)
		do(t, s, "account.move", "action_post", []any{invoice})
		assert.Equal(t, "posted", field(t, s, "account.move", invoice, "state"))
		assert.Regexp(t, `^INV/\d{4}/`, field(t, s, "account.move", invoice, "name"))
		assert.Equal(t, userError, fails(t, s, "account.move", "unlink", []any{invoice}).name)
	})
}

func TestMethodsOfEachVersion(t *testing.T) {
	each(t, func(t *testing.T, s *Server, major int) {
		t.Helper()
		has := func(model, method string, args ...any) bool {
			_, err := s.Call(model, method, args...)
			var x *exception
			return !errors.As(err, &x) || x.name != attributeError && x.name != accessError
		}
		ids := []any{7}
		for method, want := range map[string]bool{
			"name_get": major <= 17, "web_read": major >= 17, "web_save": major >= 17, "formatted_read_group": major >= 19, "get_view": major >= 16,
			"fields_view_get": major <= 16, "load_views": major <= 16, "has_access": major >= 18, "exists": major <= 18, "sudo": major <= 17, "search_fetch": major == 17 || major == 18,
		} {
			assert.Equal(t, want, has("res.partner", method, ids), method)
		}
		copied := do(t, s, "res.partner", "copy", ids)
		if major >= 18 {
			assert.IsType(t, []any{}, copied)
		} else {
			assert.IsType(t, int64(0), copied)
		}
		if major >= 19 {
			assert.IsType(t, []any{}, do(t, s, "res.partner", "message_post", ids))
		} else {
			assert.IsType(t, int64(0), do(t, s, "res.partner", "message_post", ids))
		}
		assert.Len(t, do(t, s, "mail.message", "search", []any{[]any{"model", "=", "res.partner"}, []any{"res_id", "=", 7}}), 1)
	})
}

func TestWriteDatesHideMicroseconds(t *testing.T) {
	each(t, func(t *testing.T, s *Server, major int) {
		t.Helper()
		id := made(t, s, "res.partner", map[string]any{"name": "Clock"})
		read := field(t, s, "res.partner", id, "write_date")
		assert.Len(t, read, 19)
		after := do(t, s, "res.partner", "search", []any{[]any{"id", "=", id}, []any{"write_date", ">", read}})
		equal := do(t, s, "res.partner", "search", []any{[]any{"id", "=", id}, []any{"write_date", "=", read}})
		if major >= 19 {
			assert.Empty(t, after)
			assert.Len(t, equal, 1)
		} else {
			assert.Len(t, after, 1)
			assert.Empty(t, equal)
		}
	})
}

func TestUsersHaveTheirRights(t *testing.T) {
	each(t, func(t *testing.T, s *Server, major int) {
		t.Helper()
		as := func(login, model, method string, args ...any) error {
			for _, a := range s.accounts {
				if a.login == login {
					_, err := s.db.perform(request{user: a, model: model, method: method, args: plainGo(args).([]any)})
					return err
				}
			}
			return errors.New("no such user")
		}
		denied := func(err error) bool {
			var x *exception
			return errors.As(err, &x) && x.name == accessError
		}
		require.NoError(t, as("demo", "sale.order", "create", map[string]any{"partner_id": 7}))
		assert.True(t, denied(as("demo", "res.users", "write", []any{2}, map[string]any{"name": "x"})))
		require.NoError(t, as("limited", "res.partner", "search", []any{}))
		assert.True(t, denied(as("limited", "sale.order", "search", []any{})))
		assert.True(t, denied(as("limited", "product.product", "create", map[string]any{"name": "x"})))
		assert.Equal(t, major >= 14, denied(as("limited", "res.partner", "read", []any{7}, []any{"credit"})))
		// Records of the other company are hidden from those who are not of it.
		other := made(t, s, "res.partner", map[string]any{"name": "Elsewhere", "company_id": 2})
		assert.True(t, denied(as("demo", "res.partner", "read", []any{other}, []any{"name"})))
		require.NoError(t, as("admin", "res.partner", "read", []any{other}, []any{"name"}))
	})
}

func TestCreateTakesItsValuesFromTheCaller(t *testing.T) {
	s := New(t, "17.0")
	values := map[string]any{"name": "Mine", "child_ids": []any{[]any{0, 0, map[string]any{"name": "Kid"}}}}
	made(t, s, "res.partner", values)
	assert.Equal(t, map[string]any{"name": "Mine", "child_ids": []any{[]any{0, 0, map[string]any{"name": "Kid"}}}}, values)
}

func TestGroups(t *testing.T) {
	each(t, func(t *testing.T, s *Server, major int) {
		t.Helper()
		groups := listOf(do(t, s, "sale.order", "read_group", []any{}, []any{"amount_total:sum"}, []any{"state"}))
		require.NotEmpty(t, groups)
		total, sum := int64(0), 0.0
		for _, g := range groups {
			group := dictOf(g)
			n, _ := intOf(group["state_count"])
			total += n
			sum += floatOf(group["amount_total"])
			found := do(t, s, "sale.order", "search_count", group["__domain"])
			assert.Equal(t, n, found, "the group's domain finds its records")
		}
		assert.Equal(t, do(t, s, "sale.order", "search_count", []any{}), total)
		assert.Positive(t, sum)
		months := listOf(do(t, s, "sale.order", "read_group", []any{}, []any{}, []any{"date_order:month"}))
		for _, g := range months {
			group := dictOf(g)
			assert.Equal(t, group["date_order_count"], do(t, s, "sale.order", "search_count", group["__domain"]))
		}
		if major >= 19 {
			v := do(t, s, "sale.order", "formatted_read_group", []any{}, []any{"partner_id"}, []any{"__count", "amount_total:sum", "amount_total:avg"})
			assert.Contains(t, dictOf(listOf(v)[0]), "amount_total:avg")
		}
	})
}

func TestAttachments(t *testing.T) {
	each(t, func(t *testing.T, s *Server, _ int) {
		t.Helper()
		id := made(t, s, "ir.attachment", map[string]any{"name": "a.txt", "datas": "aGVsbG8=", "res_model": "res.partner", "res_id": 7})
		records := listOf(do(t, s, "ir.attachment", "read", []any{id}, []any{"name", "mimetype", "datas", "file_size", "checksum", "res_model", "res_id"}))
		assert.Equal(t, []any{map[string]any{
			"id": id, "name": "a.txt", "mimetype": "text/plain", "datas": "aGVsbG8=", "file_size": int64(5), "checksum": "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d", "res_model": "res.partner", "res_id": int64(7),
		}}, records)
		assert.Equal(t, binasciiError, fails(t, s, "ir.attachment", "create", map[string]any{"name": "b", "datas": "not base64!"}).name)
	})
}

func TestPurchases(t *testing.T) {
	each(t, func(t *testing.T, s *Server, major int) {
		t.Helper()
		unit := map[bool]string{true: "product_uom_id", false: "product_uom"}[major >= 19]
		order := made(t, s, "purchase.order", map[string]any{"partner_id": 7, "order_line": []any{[]any{0, 0, map[string]any{"product_id": 2, "product_qty": 3, "price_unit": 2.5, unit: 1}}}})
		assert.InDelta(t, 7.5, field(t, s, "purchase.order", order, "amount_total"), 0.001)
		stock := field(t, s, "product.product", 2, "qty_available").(float64)
		do(t, s, "purchase.order", "button_confirm", []any{order})
		assert.Equal(t, "purchase", field(t, s, "purchase.order", order, "state"))
		pickings := listOf(do(t, s, "stock.picking", "search", []any{[]any{"origin", "=", field(t, s, "purchase.order", order, "name")}}))
		require.Len(t, pickings, 1)
		moves := map[bool]string{true: "move_ids", false: "move_lines"}[major >= 16]
		id, _ := intOf(pickings[0])
		lines := listOf(field(t, s, "stock.picking", id, moves))
		require.Len(t, lines, 1)
		done := map[bool]string{true: "quantity", false: "quantity_done"}[major >= 17]
		do(t, s, "stock.move", "write", lines, map[string]any{done: 3})
		assert.Equal(t, true, do(t, s, "stock.picking", "button_validate", pickings), "with quantities entered, nobody asks")
		assert.InDelta(t, stock+3, field(t, s, "product.product", 2, "qty_available"), 0.001)
		assert.Equal(t, userError, fails(t, s, "purchase.order", "unlink", []any{order}).name)
		assert.Nil(t, do(t, s, "purchase.order", "button_cancel", []any{order}), "it returns nothing")
	})
}

func TestCopies(t *testing.T) {
	each(t, func(t *testing.T, s *Server, major int) {
		t.Helper()
		copied := func(model string, id int64) int64 {
			v := do(t, s, model, "copy", []any{id})
			if major >= 18 {
				v = listOf(v)[0]
			}
			made, _ := intOf(v)
			return made
		}
		order := copied("sale.order", 2)
		assert.NotEqual(t, field(t, s, "sale.order", 2, "name"), field(t, s, "sale.order", order, "name"))
		assert.Equal(t, "draft", field(t, s, "sale.order", order, "state"))
		assert.Equal(t, field(t, s, "sale.order", 2, "amount_total"), field(t, s, "sale.order", order, "amount_total"), "with its lines")
		product := copied("product.product", 1)
		assert.Equal(t, "Walnut Desk (copy)", field(t, s, "product.product", product, "name"))
		assert.Equal(t, false, field(t, s, "product.product", product, "barcode"))
	})
}
