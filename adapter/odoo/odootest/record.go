package odootest

import (
	"fmt"
	"slices"
	"strings"
)

// value returns what a record has in a field, computed if need be. Empty is
// nil, a many2one int64, an x2many []int64.
func (e *env) value(t *table, id int64, field string) any {
	if field == "id" {
		return id
	}
	if compute := t.computes[field]; compute != nil {
		return compute(e, t, id)
	}
	r := t.rows[id]
	if in, ok := inherits[t.model]; ok && !ownFields[t.model][field] {
		if parent := e.get(in.parent); parent != nil {
			if _, ok := parent.fields[field]; ok {
				link, _ := r[in.link].(int64)
				return e.value(parent, link, field)
			}
		}
	}
	f := t.fields[field]
	if f.Type == "one2many" {
		return e.children(t, id, field)
	}
	if lang := e.translation(); lang != "" && f.Translate {
		if v := r[field+"@"+lang]; v != nil {
			return v
		}
	}
	if v, ok := r[field]; ok && v != nil {
		return v
	}
	switch f.Type {
	case "boolean":
		return false
	case "integer":
		return int64(0)
	case "float", "monetary":
		return 0.0
	case "many2many":
		return []int64(nil)
	}
	return nil
}

// children returns the ids behind a one2many, archived ones left out unless
// the context asks for them.
func (e *env) children(t *table, id int64, field string) []int64 {
	f := t.fields[field]
	child := e.get(f.Relation)
	if child == nil {
		return nil
	}
	if f.Inverse == "res_id" && t.model != "mail.message" {
		var ids []int64
		for _, other := range child.ids {
			r := child.rows[other]
			if (r["model"] == t.model || r["res_model"] == t.model) && r["res_id"] == id {
				ids = append(ids, other)
			}
		}
		slices.Reverse(ids)
		return ids
	}
	ids := child.children[f.Inverse][id]
	if len(ids) == 0 {
		return nil
	}
	ids = e.visible(child, ids)
	if child.fields["sequence"].Stored {
		ids = slices.Clone(ids)
		slices.SortStableFunc(ids, func(a, b int64) int {
			x, _ := child.rows[a]["sequence"].(int64)
			y, _ := child.rows[b]["sequence"].(int64)
			return int(x - y)
		})
	}
	return ids
}

// visible drops archived records unless the context asks for them.
func (e *env) visible(t *table, ids []int64) []int64 {
	if !e.activeTest(t) {
		return ids
	}
	for i, id := range ids {
		if t.rows[id]["active"] == false {
			kept := slices.Clone(ids[:i])
			for _, id := range ids[i+1:] {
				if t.rows[id]["active"] != false {
					kept = append(kept, id)
				}
			}
			return kept
		}
	}
	return ids
}

func (e *env) activeTest(t *table) bool {
	if v, ok := e.context["active_test"]; ok && !truthy(v) {
		return false
	}
	return t.fields["active"].Type == "boolean"
}

// text reads a field as a string, "" when it is empty.
func (e *env) text(t *table, id int64, field string) string {
	s, _ := e.value(t, id, field).(string)
	return s
}

// ref reads a many2one, 0 when it is empty.
func (e *env) ref(t *table, id int64, field string) int64 {
	n, _ := e.value(t, id, field).(int64)
	return n
}

// display returns the display name of a record, "" for none.
func (e *env) display(t *table, id int64) string {
	if t == nil || t.rows[id] == nil {
		return ""
	}
	if name := displayNames[t.model]; name != nil {
		return name(e, t, id)
	}
	if t.fields["name"].Type == "char" {
		return e.text(t, id, "name")
	}
	return fmt.Sprintf("%s,%d", t.model, id)
}

var displayNames map[string]func(e *env, t *table, id int64) string

var computes map[string]func(e *env, t *table, id int64) any

// The tables refer to functions that refer to them.
func init() {
	displayNames = map[string]func(e *env, t *table, id int64) string{
		"res.partner":       partnerName,
		"product.product":   productName,
		"product.template":  productName,
		"product.category":  func(e *env, t *table, id int64) string { return e.pathName(t, id, "parent_id", " / ") },
		"stock.location":    func(e *env, t *table, id int64) string { return e.pathName(t, id, "location_id", "/") },
		"res.country.state": stateName,
		"account.account": func(e *env, t *table, id int64) string {
			return e.text(t, id, "code") + " " + e.text(t, id, "name")
		},
		"stock.picking.type": func(e *env, t *table, id int64) string {
			w := e.get("stock.warehouse")
			return e.text(w, e.ref(t, id, "warehouse_id"), "name") + ": " + e.text(t, id, "name")
		},
		"sale.order.line": func(e *env, t *table, id int64) string {
			return e.display(e.get("sale.order"), e.ref(t, id, "order_id")) + " - " + e.text(t, id, "name")
		},
		"account.move": moveName,
		"stock.move":   func(e *env, t *table, id int64) string { return e.text(t, id, "reference") },
		"stock.quant": func(e *env, t *table, id int64) string {
			return e.display(e.get("product.product"), e.ref(t, id, "product_id"))
		},
		"ir.model.fields": func(e *env, t *table, id int64) string {
			return e.text(t, id, "field_description") + " (" + e.text(t, id, "model") + ")"
		},
		"mail.message": func(e *env, t *table, id int64) string { return e.text(t, id, "record_name") },
		"product.supplierinfo": func(e *env, t *table, id int64) string {
			return e.display(e.get("res.partner"), e.ref(t, id, e.field(t.model, "partner_id")))
		},
	}
	computes = map[string]func(e *env, t *table, id int64) any{
		".display_name":  func(e *env, t *table, id int64) any { return orNil(e.display(t, id)) },
		".__last_update": func(e *env, t *table, id int64) any { return t.rows[id]["write_date"] },

		"res.partner.complete_name":      func(e *env, t *table, id int64) any { return orNil(partnerName(e, t, id)) },
		"product.category.complete_name": func(e *env, t *table, id int64) any { return orNil(e.display(t, id)) },
		"stock.location.complete_name":   func(e *env, t *table, id int64) any { return orNil(e.display(t, id)) },
		"res.partner.company_type": func(e *env, t *table, id int64) any {
			if t.rows[id]["is_company"] == true {
				return "company"
			}
			return "person"
		},
		"res.partner.self":                    func(_ *env, _ *table, id int64) any { return id },
		"res.partner.commercial_partner_id":   func(e *env, t *table, id int64) any { return e.commercial(t, id) },
		"res.partner.commercial_company_name": commercialName,
		"res.partner.parent_name":             func(e *env, t *table, id int64) any { return e.value(t, e.ref(t, id, "parent_id"), "name") },
		"res.partner.email_formatted":         emailFormatted,
		"res.partner.email_normalized":        func(e *env, t *table, id int64) any { return orNil(strings.ToLower(e.text(t, id, "email"))) },
		"res.partner.contact_address":         contactAddress,
		"res.partner.active_lang_count":       func(*env, *table, int64) any { return int64(1) },
		"res.partner.tz_offset":               func(*env, *table, int64) any { return "+0000" },
		"res.partner.country_code": func(e *env, t *table, id int64) any {
			return e.value(e.get("res.country"), e.ref(t, id, "country_id"), "code")
		},
		"res.partner.sale_order_count": func(e *env, t *table, id int64) any { return int64(len(e.children(t, id, "sale_order_ids"))) },

		"product.template.product_variant_id": func(e *env, t *table, id int64) any {
			if v := e.children(t, id, "product_variant_ids"); len(v) > 0 {
				return v[0]
			}
			return nil
		},
		"product.template.product_variant_count": func(e *env, t *table, id int64) any { return int64(len(e.children(t, id, "product_variant_ids"))) },
		"product.template.is_product_variant":    func(*env, *table, int64) any { return false },
		"product.product.is_product_variant":     func(*env, *table, int64) any { return true },
		"product.product.lst_price":              func(e *env, t *table, id int64) any { return e.value(t, id, "list_price") },
		"product.product.code":                   func(e *env, t *table, id int64) any { return e.value(t, id, "default_code") },
		"product.product.partner_ref":            func(e *env, t *table, id int64) any { return orNil(e.display(t, id)) },
		"product.template.lst_price":             func(e *env, t *table, id int64) any { return e.value(t, id, "list_price") },
		"product.template.uom_name": func(e *env, t *table, id int64) any {
			return orNil(e.display(e.get("uom.uom"), e.ref(t, id, "uom_id")))
		},
		"product.template.currency_id":       func(e *env, t *table, id int64) any { return e.companyCurrency() },
		"product.product.qty_available":      onHand,
		"product.product.virtual_available":  onHand,
		"product.template.qty_available":     onHand,
		"product.template.virtual_available": onHand,

		"res.users.share":    func(*env, *table, int64) any { return false },
		"res.users.password": func(*env, *table, int64) any { return "" },
		"res.company.name": func(e *env, t *table, id int64) any {
			return e.value(e.get("res.partner"), ref(t, id, "partner_id"), "name")
		},
		"res.company.email":   ofCompanyPartner("email"),
		"res.company.phone":   ofCompanyPartner("phone"),
		"res.company.street":  ofCompanyPartner("street"),
		"res.company.city":    ofCompanyPartner("city"),
		"res.company.zip":     ofCompanyPartner("zip"),
		"res.company.vat":     ofCompanyPartner("vat"),
		"res.company.website": ofCompanyPartner("website"),
		"res.company.country_id": func(e *env, t *table, id int64) any {
			return e.value(e.get("res.partner"), ref(t, id, "partner_id"), "country_id")
		},
		"res.currency.decimal_places":    func(*env, *table, int64) any { return int64(2) },
		"sale.order.amount_undiscounted": func(e *env, t *table, id int64) any { return e.value(t, id, "amount_untaxed") },
		"ir.attachment.raw":              func(e *env, t *table, id int64) any { return t.rows[id]["datas"] },
		"sale.order.picking_ids":         func(e *env, t *table, id int64) any { return e.children(t, id, "picking_ids") },
		"account.move.amount_total_signed": func(e *env, t *table, id int64) any {
			total := floatOf(e.value(t, id, "amount_total"))
			if kind := e.text(t, id, e.field(t.model, "move_type")); kind == "out_refund" || kind == "in_invoice" {
				return -total
			}
			return total
		},
	}
	for _, name := range variantFields {
		computes["product.template."+name] = ofVariant(name)
	}
	for _, size := range []string{"1024", "512", "256", "128"} {
		computes["res.partner.image_"+size] = func(_ *env, t *table, id int64) any { return t.rows[id]["image_1920"] }
		computes["product.template.image_"+size] = computes["res.partner.image_"+size]
	}
}

func ref(t *table, id int64, field string) int64 {
	n, _ := t.rows[id][field].(int64)
	return n
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func partnerName(e *env, t *table, id int64) string {
	r := t.rows[id]
	name, _ := r["name"].(string)
	parent, _ := r["parent_id"].(int64)
	if r["is_company"] != true && (parent != 0 || r["company_name"] != nil) {
		if name == "" {
			kind, _ := r["type"].(string)
			name = addressKinds[kind]
		}
		of, _ := r["company_name"].(string)
		if parent != 0 {
			of, _ = t.rows[parent]["name"].(string)
		}
		if of != "" {
			return of + ", " + name
		}
	}
	return name
}

var addressKinds = map[string]string{"invoice": "Invoice Address", "delivery": "Delivery Address", "other": "Other Address", "private": "Private Address"}

func (e *env) commercial(t *table, id int64) any {
	for range 50 {
		r := t.rows[id]
		parent, _ := r["parent_id"].(int64)
		if parent == 0 || r["is_company"] == true {
			break
		}
		id = parent
	}
	return id
}

func commercialName(e *env, t *table, id int64) any {
	c, _ := e.commercial(t, id).(int64)
	if t.rows[c]["is_company"] == true {
		return t.rows[c]["name"]
	}
	return t.rows[id]["company_name"]
}

func emailFormatted(e *env, t *table, id int64) any {
	email := e.text(t, id, "email")
	if email == "" {
		return nil
	}
	return fmt.Sprintf("%q <%s>", e.text(t, id, "name"), email)
}

func contactAddress(e *env, t *table, id int64) any {
	state := e.text(e.get("res.country.state"), e.ref(t, id, "state_id"), "code")
	return orNil(strings.Join([]string{
		e.text(t, id, "street"), e.text(t, id, "street2"),
		strings.TrimSpace(e.text(t, id, "city") + " " + state + " " + e.text(t, id, "zip")),
		e.text(e.get("res.country"), e.ref(t, id, "country_id"), "name"),
	}, "\n"))
}

func productName(e *env, t *table, id int64) string {
	name := e.text(t, id, "name")
	if code := e.text(t, id, "default_code"); code != "" {
		name = "[" + code + "] " + name
	}
	if t.model == "product.product" {
		if variant, _ := t.rows[id]["combination_indices"].(string); variant != "" {
			name += " (" + variant + ")"
		}
	}
	return name
}

func (e *env) pathName(t *table, id int64, parent, separator string) string {
	name := e.text(t, id, "name")
	for range 50 {
		id, _ = t.rows[id][parent].(int64)
		if id == 0 || t.rows[id] == nil {
			break
		}
		name = e.text(t, id, "name") + separator + name
	}
	return name
}

func stateName(e *env, t *table, id int64) string {
	return fmt.Sprintf("%s (%s)", e.text(t, id, "name"), e.text(e.get("res.country"), e.ref(t, id, "country_id"), "code"))
}

func moveName(e *env, t *table, id int64) string {
	name := e.text(t, id, "name")
	if name == "" || name == "/" {
		return fmt.Sprintf("Draft Invoice (* %d)", id)
	}
	return name
}

func ofCompanyPartner(field string) func(e *env, t *table, id int64) any {
	return func(e *env, t *table, id int64) any {
		return e.value(e.get("res.partner"), ref(t, id, "partner_id"), field)
	}
}

// onHand sums the quants of a product in internal locations.
func onHand(e *env, t *table, id int64) any {
	quants := e.get("stock.quant")
	if quants == nil {
		return 0.0
	}
	variants := []int64{id}
	if t.model == "product.template" {
		variants = e.children(t, id, "product_variant_ids")
	}
	total := 0.0
	for _, q := range quants.ids {
		r := quants.rows[q]
		product, _ := r["product_id"].(int64)
		location, _ := r["location_id"].(int64)
		if slices.Contains(variants, product) && e.text(e.get("stock.location"), location, "usage") == "internal" {
			total += floatOf(r["quantity"])
		}
	}
	return total
}

func (e *env) companyCurrency() any {
	return e.get("res.company").rows[1]["currency_id"]
}

// ofVariant makes a template's field that of its variant, as long as it has
// but one.
func ofVariant(field string) func(e *env, t *table, id int64) any {
	return func(e *env, t *table, id int64) any {
		variants := e.get("product.product")
		if ids := variants.children["product_tmpl_id"][id]; len(ids) == 1 {
			return e.value(variants, ids[0], field)
		}
		if t.fields[field].Type == "char" {
			return nil
		}
		return 0.0
	}
}
