package odootest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// defaults are the values of a new record that the caller did not give, under
// this version's names.
func (e *env) defaults(t *table) map[string]any {
	out := map[string]any{}
	set := func(name string, v any) {
		if field := e.field(t.model, name); field != "" {
			out[field] = v
		}
	}
	now := seconds(e.stamp)
	switch t.model {
	case "res.partner":
		set("type", "contact")
		set("lang", "en_US")
		set("color", int64(0))
	case "res.users":
		set("company_id", int64(1))
		set("company_ids", []any{int64(1)})
		set("notification_type", "email")
	case "res.country":
		set("address_format", "%(street)s\n%(city)s %(zip)s\n%(country_name)s")
	case "product.category":
		for _, name := range []string{"property_cost_method", "property_valuation"} {
			if f := t.fields[name]; len(f.Selection) > 0 {
				out[name] = f.Selection[0]
			}
		}
	case "product.template":
		set("sale_ok", true)
		set("purchase_ok", true)
		set("list_price", 1.0)
		set("uom_id", int64(1))
		set("uom_po_id", int64(1))
		if e.major < 19 {
			set("categ_id", int64(1))
		}
		out["type"] = "consu"
		if e.major >= 15 && e.major <= 17 {
			delete(out, "type")
			set("detailed_type", "consu")
		}
		set("tracking", "none")
	case "sale.order":
		set("date_order", now)
		set("state", "draft")
		set("company_id", e.company())
		set("user_id", e.uid())
		set("currency_id", e.companyCurrency())
		set("pricelist_id", int64(1))
		set("warehouse_id", int64(1))
		set("picking_policy", "direct")
		set("team_id", int64(1))
		set("invoice_status", "no")
		set("currency_rate", 1.0)
	case "sale.order.line", "purchase.order.line":
		set("product_uom_qty", 1.0)
		set("product_qty", 1.0)
		set("sequence", int64(10))
		set("customer_lead", 0.0)
	case "purchase.order":
		set("date_order", now)
		set("state", "draft")
		set("company_id", e.company())
		set("user_id", e.uid())
		set("currency_id", e.companyCurrency())
		set("picking_type_id", int64(1))
		set("invoice_status", "no")
	case "account.move":
		set("move_type", "entry")
		set("state", "draft")
		set("date", now[:10])
		set("journal_id", int64(1))
		set("company_id", e.company())
		set("currency_id", e.companyCurrency())
		set("payment_state", "not_paid")
		set("auto_post", "no")
		if e.major <= 17 {
			set("name", "/")
		}
		if e.major <= 15 {
			delete(out, "auto_post")
		}
	case "account.move.line":
		set("quantity", 1.0)
		set("company_id", e.company())
		set("currency_id", e.companyCurrency())
		set("account_id", int64(1))
	case "stock.picking":
		set("state", "draft")
		set("company_id", e.company())
		set("scheduled_date", now)
		set("move_type", "direct")
		set("priority", "0")
	case "stock.move":
		set("state", "draft")
		set("company_id", e.company())
		set("date", now)
		set("product_uom_qty", 1.0)
		set("procure_method", "make_to_stock")
		set("sequence", int64(10))
	case "stock.location":
		set("usage", "internal")
	case "ir.attachment":
		set("type", "binary")
		set("company_id", e.company())
	case "mail.message":
		set("date", now)
		set("message_type", "email")
		set("author_id", e.get("res.users").rows[e.uid()]["partner_id"])
	}
	// Company-wide default values that the context may give: default_FIELD.
	for key, v := range e.context {
		if name, ok := strings.CutPrefix(key, "default_"); ok {
			if _, exists := t.fields[name]; exists {
				out[name] = v
			}
		}
	}
	return out
}

// beforeCreate completes the values of a new record.
var beforeCreate map[string]func(e *env, t *table, values map[string]any) error

// afterCreate completes a new record once it is stored.
var afterCreate map[string]func(e *env, t *table, id int64) error

// totalsOf names, for each model of lines, that of the documents whose totals
// they make.
var totalsOf = map[string]string{"sale.order.line": "sale.order", "purchase.order.line": "purchase.order", "account.move.line": "account.move"}

func init() {
	beforeCreate = map[string]func(e *env, t *table, values map[string]any) error{
		"sale.order":          newOrder("sale.order", "S%05d"),
		"purchase.order":      newOrder("purchase.order", "P%05d"),
		"sale.order.line":     newLine,
		"purchase.order.line": newLine,
		"account.move.line":   newMoveLine,
		"stock.picking":       newPicking,
		"stock.move":          newStockMove,
		"ir.attachment":       newAttachment,
		"account.move": func(e *env, t *table, values map[string]any) error {
			if kind, _ := values[e.field(t.model, "move_type")].(string); strings.HasPrefix(kind, "in_") && values["journal_id"] == int64(1) {
				values["journal_id"] = int64(2)
			}
			return nil
		},
	}
	afterCreate = map[string]func(e *env, t *table, id int64) error{
		"res.users": func(e *env, t *table, id int64) error {
			partner := e.get("res.partner")
			p := ref(t, id, "partner_id")
			if login := e.text(t, id, "login"); strings.Contains(login, "@") && e.text(partner, p, "email") == "" {
				return e.sudo(func() error { return e.write(partner, []int64{p}, map[string]any{"email": login}) })
			}
			return nil
		},
	}
}

func newOrder(model, format string) func(e *env, t *table, values map[string]any) error {
	return func(e *env, t *table, values map[string]any) error {
		if name, _ := values["name"].(string); name == "" || name == "New" || name == "/" {
			values["name"] = fmt.Sprintf(format, e.number(model))
		}
		if partner, ok := intOf(values["partner_id"]); ok && partner != 0 {
			for _, name := range []string{"partner_invoice_id", "partner_shipping_id"} {
				if _, exists := t.fields[name]; exists && values[name] == nil {
					values[name] = partner
				}
			}
		}
		return nil
	}
}

// newLine takes from the product what the caller left out.
func newLine(e *env, t *table, values map[string]any) error {
	product, _ := intOf(values["product_id"])
	products := e.get("product.product")
	if truthy(values["display_type"]) || product == 0 || products.rows[product] == nil {
		if !truthy(values["name"]) {
			values["name"] = "Line"
		}
		return nil
	}
	uom := e.field(t.model, "product_uom_id")
	price := "list_price"
	if t.model == "purchase.order.line" {
		price = "standard_price"
	}
	for name, v := range map[string]any{
		"name":       e.display(products, product),
		"price_unit": e.value(products, product, price),
		uom:          e.value(products, product, "uom_id"),
	} {
		if _, given := values[name]; !given && name != "" {
			values[name] = v
		}
	}
	if _, ok := t.fields["date_planned"]; ok && values["date_planned"] == nil {
		values["date_planned"] = seconds(e.stamp)
	}
	return nil
}

func newMoveLine(e *env, t *table, values map[string]any) error {
	product, _ := intOf(values["product_id"])
	products := e.get("product.product")
	if products.rows[product] != nil {
		if _, given := values["name"]; !given {
			values["name"] = e.display(products, product)
		}
		if _, given := values["price_unit"]; !given {
			values["price_unit"] = e.value(products, product, "list_price")
		}
	}
	if t.fields["display_type"].Type != "" && e.major >= 16 && values["display_type"] == nil {
		values["display_type"] = "product"
	}
	moves := e.get("account.move")
	if move, _ := intOf(values["move_id"]); moves.rows[move] != nil {
		for _, name := range []string{"date", "partner_id", "journal_id"} {
			if _, ok := t.fields[name]; ok && values[name] == nil {
				values[name] = moves.rows[move][name]
			}
		}
	}
	return nil
}

func newPicking(e *env, t *table, values map[string]any) error {
	kinds := e.get("stock.picking.type")
	kind, _ := intOf(values["picking_type_id"])
	if kinds.rows[kind] == nil {
		return nil
	}
	code, _ := kinds.rows[kind]["sequence_code"].(string)
	if !truthy(values["name"]) || values["name"] == "/" {
		values["name"] = fmt.Sprintf("WH/%s/%05d", code, e.number("stock.picking."+code))
	}
	for name, from := range map[string]string{"location_id": "default_location_src_id", "location_dest_id": "default_location_dest_id"} {
		if values[name] == nil {
			values[name] = kinds.rows[kind][from]
		}
	}
	return nil
}

func newStockMove(e *env, t *table, values map[string]any) error {
	product, _ := intOf(values["product_id"])
	products := e.get("product.product")
	if products.rows[product] != nil {
		for name, v := range map[string]any{"name": e.display(products, product), "product_uom": e.value(products, product, "uom_id")} {
			if _, ok := t.fields[name]; ok && values[name] == nil {
				values[name] = v
			}
		}
	}
	pickings := e.get("stock.picking")
	if picking, _ := intOf(values["picking_id"]); pickings.rows[picking] != nil {
		for _, name := range []string{"location_id", "location_dest_id"} {
			if values[name] == nil {
				values[name] = pickings.rows[picking][name]
			}
		}
		if t.fields["reference"].Type != "" {
			values["reference"] = pickings.rows[picking]["name"]
		}
	}
	return nil
}

// changed keeps up what depends on a record that was created or written.
func (e *env) changed(t *table, id int64, values map[string]any) error {
	switch t.model {
	case "sale.order.line", "purchase.order.line", "account.move.line":
		if err := e.lineTotals(t, id, values); err != nil {
			return err
		}
		return e.recompute(t, t.rows[id])
	case "ir.attachment":
		return e.attachmentChanged(t, id, values)
	case "account.move":
		if t.rows[id]["invoice_date"] != nil && t.rows[id]["invoice_date_due"] == nil {
			r := maps.Clone(t.rows[id])
			r["invoice_date_due"] = r["invoice_date"]
			e.put(t, id, r)
		}
	}
	return nil
}

// lineTotals computes a line's own amounts from quantity, price and taxes.
func (e *env) lineTotals(t *table, id int64, values map[string]any) error {
	for _, name := range []string{"price_subtotal", "price_total", "price_tax"} {
		if _, given := values[name]; given {
			return nil // written on purpose, and accepted
		}
	}
	quantity := "product_uom_qty"
	switch t.model {
	case "purchase.order.line":
		quantity = "product_qty"
	case "account.move.line":
		quantity = "quantity"
	}
	r := maps.Clone(t.rows[id])
	subtotal := round2(floatOf(r[quantity]) * floatOf(r["price_unit"]) * (1 - floatOf(r["discount"])/100))
	rate := 0.0
	taxes := e.get("account.tax")
	ids, _ := r[e.field(t.model, "tax_ids")].([]int64)
	for _, tax := range ids {
		rate += floatOf(taxes.rows[tax]["amount"])
	}
	tax := round2(subtotal * rate / 100)
	for name, v := range map[string]any{"price_subtotal": subtotal, "price_tax": tax, "price_total": round2(subtotal + tax)} {
		if f := t.fields[name]; f.Type != "" {
			r[name] = v
		}
	}
	if t.model == "purchase.order.line" {
		r["product_uom_qty"] = r["product_qty"]
	}
	// A line shows some fields of its document.
	parents := e.get(totalsOf[t.model])
	link := "order_id"
	if t.model == "account.move.line" {
		link = "move_id"
	}
	if parent, _ := r[link].(int64); parents.rows[parent] != nil {
		for line, document := range map[string]string{"state": "state", "currency_id": "currency_id", "company_id": "company_id", "order_partner_id": "partner_id", "salesman_id": "user_id", "move_name": "name", "parent_state": "state"} {
			if t.fields[line].Type != "" {
				r[line] = parents.rows[parent][document]
			}
		}
	}
	e.put(t, id, r)
	return nil
}

// recompute makes the totals of the document that a line belongs to.
func (e *env) recompute(t *table, line row) error {
	parents := e.get(totalsOf[t.model])
	link := "order_id"
	if t.model == "account.move.line" {
		link = "move_id"
	}
	parent, _ := line[link].(int64)
	if parents.rows[parent] == nil {
		return nil
	}
	untaxed, total := 0.0, 0.0
	for _, id := range t.children[link][parent] {
		untaxed += floatOf(t.rows[id]["price_subtotal"])
		total += floatOf(t.rows[id]["price_total"])
	}
	r := maps.Clone(parents.rows[parent])
	amounts := map[string]float64{"amount_untaxed": untaxed, "amount_total": total, "amount_tax": total - untaxed}
	if t.model == "account.move.line" {
		amounts["amount_residual"] = total
	}
	for name, v := range amounts {
		if parents.fields[name].Type != "" {
			r[name] = round2(v)
		}
	}
	e.put(parents, parent, r)
	return nil
}

// setState changes the state of a document and of its lines.
func (e *env) setState(t *table, id int64, values map[string]any) {
	r := maps.Clone(t.rows[id])
	maps.Copy(r, values)
	r["write_date"], r["write_uid"] = e.stamp, e.uid()
	e.put(t, id, r)
	lines := map[string]string{"sale.order": "sale.order.line", "purchase.order": "purchase.order.line"}[t.model]
	if lines == "" {
		return
	}
	child := e.get(lines)
	for _, line := range child.children["order_id"][id] {
		lr := maps.Clone(child.rows[line])
		lr["state"] = values["state"]
		e.put(child, line, lr)
	}
}

// confirmSale is sale.order's action_confirm.
func confirmSale(e *env, t *table, ids []int64) (any, error) {
	var wrong []string
	for _, id := range ids {
		if state, _ := t.rows[id]["state"].(string); state != "draft" && state != "sent" && e.major >= 17 {
			wrong = append(wrong, e.text(t, id, "name"))
		}
	}
	switch {
	case len(wrong) > 0 && e.major >= 18:
		return nil, raise(userError, "Some orders are not in a state requiring confirmation.")
	case len(wrong) > 0:
		return nil, raise(userError, "The following orders are not in a state requiring confirmation: %s", strings.Join(wrong, ", "))
	}
	for _, id := range ids {
		if t.rows[id]["state"] == "sale" || t.rows[id]["state"] == "done" {
			continue
		}
		e.setState(t, id, map[string]any{"state": "sale", "date_order": seconds(e.stamp), "invoice_status": "to invoice"})
		if err := e.deliver(t, id); err != nil {
			return nil, err
		}
	}
	return true, nil
}

// deliver makes the transfer of a confirmed order's goods.
func (e *env) deliver(t *table, id int64) error {
	pickings, moves := e.get("stock.picking"), e.get("stock.move")
	incoming := t.model == "purchase.order"
	kind, quantity, source := int64(2), "product_uom_qty", "sale_id"
	if incoming {
		kind, quantity, source = 1, "product_qty", "purchase_id"
	}
	lines := e.get(t.model + ".line")
	products := e.get("product.product")
	return e.sudo(func() error {
		var picking int64
		for _, line := range lines.children["order_id"][id] {
			product := ref(lines, line, "product_id")
			if products.rows[product] == nil || e.text(products, product, "type") == "service" {
				continue
			}
			if picking == 0 {
				values := map[string]any{"picking_type_id": kind, "partner_id": t.rows[id]["partner_id"], "origin": t.rows[id]["name"]}
				if pickings.fields[source].Type == "many2one" {
					values[source] = id
				}
				var err error
				if picking, err = e.create(pickings, values); err != nil {
					return err
				}
			}
			values := map[string]any{"product_id": product, "product_uom_qty": lines.rows[line][quantity], "picking_id": picking}
			if link := map[bool]string{false: "sale_line_id", true: "purchase_line_id"}[incoming]; moves.fields[link].Type == "many2one" {
				values[link] = line
			}
			if _, err := e.create(moves, values); err != nil {
				return err
			}
		}
		if picking != 0 {
			e.setPicking(picking, "assigned")
			r := maps.Clone(t.rows[id])
			if t.fields["picking_ids"].Type == "many2many" {
				ids, _ := r["picking_ids"].([]int64)
				r["picking_ids"] = with(slices.Clip(ids), picking)
			}
			e.put(t, id, r)
		}
		return nil
	})
}

// setPicking changes the state of a transfer and of its moves.
func (e *env) setPicking(id int64, state string) {
	pickings, moves := e.get("stock.picking"), e.get("stock.move")
	values := map[string]any{"state": state}
	if state == "done" {
		values["date_done"] = seconds(e.stamp)
	}
	e.setState(pickings, id, values)
	done := e.field("stock.move", "quantity")
	for _, move := range moves.children["picking_id"][id] {
		r := maps.Clone(moves.rows[move])
		r["state"] = state
		if state == "done" {
			r[done] = r["product_uom_qty"]
			if moves.fields["picked"].Type != "" {
				r["picked"] = true
			}
			e.move(r)
		}
		e.put(moves, move, r)
	}
}

// move changes the stock by a done move.
func (e *env) move(r row) {
	quants := e.get("stock.quant")
	product, _ := r["product_id"].(int64)
	for field, sign := range map[string]float64{"location_id": -1, "location_dest_id": 1} {
		location, _ := r[field].(int64)
		found := int64(0)
		for _, id := range quants.ids {
			if ref(quants, id, "product_id") == product && ref(quants, id, "location_id") == location {
				found = id
			}
		}
		q := maps.Clone(quants.rows[found])
		if q == nil {
			found = quants.next
			quants.next++
			q = row{"product_id": product, "location_id": location, "company_id": int64(1), "create_date": e.stamp, "create_uid": e.uid(), "in_date": seconds(e.stamp)}
		}
		q["quantity"] = floatOf(q["quantity"]) + sign*floatOf(r["product_uom_qty"])
		q["write_date"], q["write_uid"] = e.stamp, e.uid()
		e.put(quants, found, q)
	}
}
