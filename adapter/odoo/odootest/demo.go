package odootest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
)

// populate makes the records that every database has, the users, and the demo
// data. It uses the same create as callers do, so that what Odoo computes is
// computed.
func (s *Server) populate() error {
	p := &populating{env: &env{database: s.db, depth: 1}, s: s}
	p.stamp = s.db.timestamp()
	p.base()
	p.users()
	if !s.config.NoDemo {
		p.trade()
	}
	p.directory()
	return p.err
}

// populating makes records and remembers the first error.
type populating struct {
	*env
	s   *Server
	err error
}

// add makes a record. Fields go by the name of any version; those that this
// version lacks are left out, and so is the record if it lacks the model.
func (p *populating) add(model string, values map[string]any) int64 {
	if p.err != nil {
		return 0
	}
	name, _ := schemas.ModelName(model, p.major)
	t := p.get(name)
	if t == nil {
		return 0
	}
	known := map[string]any{}
	for field, v := range values {
		if f := p.field(name, field); f != "" {
			known[f] = v
		}
	}
	id, err := p.create(t, known)
	if err != nil {
		p.err = fmt.Errorf("%s %v: %w", model, known, err)
	}
	return id
}

func (p *populating) base() {
	// The records refer to each other in a circle: the company's currency and
	// partner, and the user who made them all.
	us := p.add("res.country", map[string]any{"name": "United States", "code": "US", "phone_code": 1})
	for _, c := range []struct {
		name, code string
		phone      int64
	}{
		{"Saudi Arabia", "SA", 966}, {"United Arab Emirates", "AE", 971}, {"Egypt", "EG", 20}, {"Germany", "DE", 49}, {"France", "FR", 33},
		{"United Kingdom", "GB", 44}, {"Spain", "ES", 34}, {"India", "IN", 91}, {"Japan", "JP", 81}, {"Brazil", "BR", 55}, {"Türkiye", "TR", 90},
	} {
		p.add("res.country", map[string]any{"name": c.name, "code": c.code, "phone_code": c.phone})
	}
	for _, st := range [][2]string{{"California", "CA"}, {"New York", "NY"}, {"Texas", "TX"}, {"Washington", "WA"}} {
		p.add("res.country.state", map[string]any{"name": st[0], "code": st[1], "country_id": us})
	}
	currencies := [][3]string{{"USD", "$", "before"}, {"EUR", "€", "after"}, {"SAR", "SR", "after"}, {"AED", "AED", "after"}, {"GBP", "£", "before"}}
	for _, c := range currencies {
		p.add("res.currency", map[string]any{"name": c[0], "symbol": c[1], "position": c[2], "rounding": 0.01, "rate": 1.0})
	}
	p.add("res.lang", map[string]any{"name": "English (US)", "code": "en_US", "iso_code": "en", "direction": "ltr"})
	for _, code := range slices.Sorted(maps.Keys(p.terms)) {
		iso, _, _ := strings.Cut(code, "_")
		p.add("res.lang", map[string]any{"name": code, "code": code, "iso_code": iso})
	}
	p.add("res.company", map[string]any{"name": "Cedar Trading", "currency_id": int64(1), "email": "info@cedar.example", "phone": "+1 555 0100", "street": "1 Harbour Road", "city": "San Diego", "zip": "92101", "country_id": us, "website": "https://cedar.example"})
	p.add("res.company", map[string]any{"name": "Cedar Trading Gulf", "currency_id": int64(1), "country_id": int64(2), "city": "الرياض"})
	for _, g := range []string{"Internal User", "Settings", "Sales / User", "Purchase / User", "Inventory / User", "Invoicing"} {
		p.add("res.groups", map[string]any{"name": g})
	}

	category := p.add("uom.category", map[string]any{"name": "Unit"})
	weight := p.add("uom.category", map[string]any{"name": "Weight"})
	for _, u := range []struct {
		name     string
		category int64
		kind     string
		factor   float64
	}{{"Units", category, "reference", 1}, {"Dozens", category, "bigger", 1.0 / 12}, {"kg", weight, "reference", 1}, {"g", weight, "smaller", 1000}} {
		p.add("uom.uom", map[string]any{"name": u.name, "category_id": u.category, "uom_type": u.kind, "factor": u.factor, "rounding": 0.01, "relative_factor": 1.0})
	}
	all := int64(0)
	if p.major < 19 {
		all = p.add("product.category", map[string]any{"name": "All"})
	}
	for _, name := range []string{"Saleable", "Office", "Services"} {
		p.add("product.category", map[string]any{"name": name, "parent_id": all})
	}
	p.add("product.pricelist", map[string]any{"name": "Public Pricelist", "currency_id": int64(1)})
	p.add("crm.team", map[string]any{"name": "Sales"})
	p.add("account.account", map[string]any{"name": "Product Sales", "code": "400000", "account_type": "income"})
	p.add("account.account", map[string]any{"name": "Account Receivable", "code": "121000", "account_type": "asset_receivable", "reconcile": true})
	p.add("account.journal", map[string]any{"name": "Customer Invoices", "code": "INV", "type": "sale", "company_id": int64(1)})
	p.add("account.journal", map[string]any{"name": "Vendor Bills", "code": "BILL", "type": "purchase", "company_id": int64(1)})
	p.add("account.journal", map[string]any{"name": "Bank", "code": "BNK1", "type": "bank", "company_id": int64(1)})
	p.add("account.tax", map[string]any{"name": "15%", "amount": 15.0, "amount_type": "percent", "type_tax_use": "sale", "company_id": int64(1)})
	p.add("account.tax", map[string]any{"name": "15% P", "amount": 15.0, "amount_type": "percent", "type_tax_use": "purchase", "company_id": int64(1)})
	p.add("account.payment.term", map[string]any{"name": "30 Days"})

	vendors := p.add("stock.location", map[string]any{"name": "Vendors", "usage": "supplier"})
	customers := p.add("stock.location", map[string]any{"name": "Customers", "usage": "customer"})
	wh := p.add("stock.location", map[string]any{"name": "WH", "usage": "view", "company_id": int64(1)})
	stock := p.add("stock.location", map[string]any{"name": "Stock", "usage": "internal", "location_id": wh, "company_id": int64(1)})
	p.add("stock.warehouse", map[string]any{"name": "Cedar Warehouse", "code": "WH", "company_id": int64(1), "lot_stock_id": stock, "view_location_id": wh})
	for _, k := range []struct {
		name, code, prefix string
		from, to           int64
	}{{"Receipts", "incoming", "IN", vendors, stock}, {"Delivery Orders", "outgoing", "OUT", stock, customers}, {"Internal Transfers", "internal", "INT", stock, stock}} {
		p.add("stock.picking.type", map[string]any{"name": k.name, "code": k.code, "sequence_code": k.prefix, "warehouse_id": int64(1), "company_id": int64(1), "default_location_src_id": k.from, "default_location_dest_id": k.to})
	}
	for _, c := range []string{"Vendor", "Customer", "Prospect", "VIP"} {
		p.add("res.partner.category", map[string]any{"name": c})
	}
}

// users makes OdooBot and those that may log in.
func (p *populating) users() {
	p.add("res.users", map[string]any{"login": "__system__", "name": "OdooBot", "email": "odoobot@example.com", "active": false})
	list := []User{
		{Login: "admin", Name: "Mira Admin", Role: RoleAdmin},
		{Login: "demo", Name: "Sami Demo", Role: RoleUser},
		{Login: "limited", Name: "Lena Limited", Role: RoleLimited},
	}
	for _, u := range p.s.config.Users {
		if i := slices.IndexFunc(list, func(known User) bool { return known.Login == u.Login }); i >= 0 {
			if u.Role == "" {
				u.Role = list[i].Role
			}
			if u.Name == "" {
				u.Name = list[i].Name
			}
			list[i] = u
		} else {
			list = append(list, u)
		}
	}
	for _, u := range list {
		a := &account{login: u.Login, password: u.Password, apiKey: u.APIKey, role: u.Role, companies: []int64{1}}
		if a.role == "" {
			a.role = RoleUser
		}
		if a.password == "" {
			a.password = u.Login
		}
		if a.apiKey == "" {
			a.apiKey = token()
		}
		if a.role == RoleAdmin {
			a.companies = []int64{1, 2}
		}
		if u.Name == "" {
			u.Name = u.Login
		}
		groups := []any{int64(1)}
		if a.role == RoleAdmin {
			groups = append(groups, int64(2))
		}
		if a.role != RoleLimited {
			groups = append(groups, int64(3), int64(4), int64(5), int64(6))
		}
		a.id = p.add("res.users", map[string]any{"login": u.Login, "name": u.Name, "email": u.Login + "@cedar.example", "company_ids": listOf(a.companies), "groups_id": []any{[]any{int64(6), int64(0), groups}}})
		p.s.accounts = append(p.s.accounts, a)
	}
	p.user = p.s.accounts[0]
}

func (p *populating) trade() {
	// Contacts: companies and their people, some beyond ASCII.
	type contact struct {
		name, email, phone, city string
		country                  int64
		people                   []string
	}
	var companies []int64
	for _, c := range []contact{
		{"Blue Harbor Foods", "orders@blueharbor.example", "+1 555 0111", "Seattle", 1, []string{"Ana Kowalski", "Peter Blum"}},
		{"Qamar Medical", "hello@qamar.example", "+966 11 555 0112", "Riyadh", 2, []string{"Huda Salem", "Omar Nasser"}},
		{"شركة النور للتجارة", "info@alnoor.example", "+966 12 555 0113", "جدة", 2, []string{"أحمد العتيبي", "سارة القحطاني"}},
		{"Brüder Groß GmbH", "kontakt@gross.example", "+49 30 555 0114", "Berlin", 5, []string{"Jörg Groß"}},
		{"Lumière & Fils", "bonjour@lumiere.example", "+33 1 5555 0115", "Lyon", 6, []string{"Zoé Lumière"}},
		{"東京商事", "info@tokyo.example", "+81 3 5555 0116", "東京", 10, []string{"田中 花子"}},
		{"O'Neill <Tools> \"Pro\"", "sales@oneill.example", "+44 20 5555 0117", "Leeds", 7, []string{"Nora O'Neill"}},
		{"Verde Papelería", "hola@verde.example", "+34 91 555 0118", "Madrid", 8, nil},
		{"Delta Office Supply", "team@delta.example", "+1 555 0119", "Austin", 1, []string{"Ruth Okafor", "Ivan Petrov"}},
		{"Nile Logistics", "ops@nile.example", "+20 2 5555 0120", "Cairo", 4, []string{"Mona Adel"}},
	} {
		id := p.add("res.partner", map[string]any{"name": c.name, "is_company": true, "email": c.email, "phone": c.phone, "city": c.city, "country_id": c.country, "street": "12 Market Street", "zip": "10001", "category_id": []any{[]any{int64(6), int64(0), []any{int64(2)}}}, "customer_rank": int64(1), "vat": fmt.Sprintf("VAT%07d", 1000+len(companies)), "comment": "Regular customer", "credit_limit": 1000.0})
		companies = append(companies, id)
		for i, person := range c.people {
			p.add("res.partner", map[string]any{"name": person, "parent_id": id, "function": []string{"Buyer", "Director"}[i%2], "email": fmt.Sprintf("person%d-%d@contacts.example", id, i), "mobile": fmt.Sprintf("+1 555 1%03d", id*3+int64(i)), "country_id": c.country, "city": c.city})
		}
	}
	p.add("res.partner", map[string]any{"name": "Closed Shop Ltd", "is_company": true, "active": false})
	p.add("res.partner", map[string]any{"parent_id": companies[0], "type": "delivery", "street": "Dock 4", "city": "Seattle"})

	// Products, goods that are kept in stock and services.
	goods := map[string]any{"type": "product"}
	switch {
	case p.major >= 18:
		goods = map[string]any{"type": "consu", "is_storable": true}
	case p.major >= 15:
		goods = map[string]any{"detailed_type": "product"}
	}
	service := map[string]any{"type": "service"}
	if p.major >= 15 && p.major <= 17 {
		service = map[string]any{"detailed_type": "service"}
	}
	office := int64(3)
	if p.major >= 19 {
		office = 2
	}
	var products []int64
	for i, d := range []struct {
		name, code string
		price      float64
		cost       float64
		kind       map[string]any
	}{
		{"Walnut Desk", "DSK-100", 480, 300, goods}, {"Standing Desk", "DSK-200", 799.9, 500, goods}, {"Office Chair", "CHR-100", 149.5, 90, goods},
		{"Desk Lamp", "LMP-010", 39.99, 18, goods}, {"Paper A4, 500 sheets", "PAP-A4", 4.25, 2.5, goods}, {"Whiteboard 90×120", "WHB-090", 85, 41, goods},
		{"كرسي مكتب", "CHR-200", 210, 120, goods}, {"Monitor Arm", "ARM-001", 120, 70, goods}, {"Assembly", "SRV-ASM", 60, 0, service},
		{"Consulting, per hour", "SRV-CON", 110, 0, service}, {"Cable \"USB-C\" <2 m>", "CBL-002", 12.5, 4, goods}, {"Notebook 📓", "NTB-001", 3.2, 1.1, goods},
	} {
		values := map[string]any{"name": d.name, "default_code": d.code, "list_price": d.price, "standard_price": d.cost, "categ_id": office, "barcode": fmt.Sprintf("40000000%04d", i+1), "weight": float64(i) / 2, "description_sale": "Sold by the piece"}
		maps.Copy(values, d.kind)
		template := p.add("product.template", values)
		if p.err != nil {
			return
		}
		variant := p.get("product.product").children["product_tmpl_id"][template][0]
		products = append(products, variant)
		if d.cost > 0 {
			p.move(row{"product_id": variant, "location_id": int64(1), "location_dest_id": int64(4), "product_uom_qty": float64(10 * (i + 1))})
		}
		p.add("product.supplierinfo", map[string]any{"partner_id": companies[i%len(companies)], "product_tmpl_id": template, "price": d.cost, "min_qty": 1.0, "delay": int64(3), "currency_id": int64(1), "company_id": int64(1)})
	}
	// A product of two variants.
	table := map[string]any{"name": "Conference Table", "list_price": 1450.0, "categ_id": office}
	maps.Copy(table, goods)
	template := p.add("product.template", table)
	for i, color := range []string{"Oak", "White"} {
		v := map[string]any{"product_tmpl_id": template, "default_code": fmt.Sprintf("TBL-%d", i+1)}
		id := p.add("product.product", v)
		if p.err != nil {
			return
		}
		r := maps.Clone(p.get("product.product").rows[id])
		r["combination_indices"] = color
		p.put(p.get("product.product"), id, r)
	}
	if p.err != nil {
		return
	}
	first := p.get("product.product").children["product_tmpl_id"][template][0]
	p.put(p.get("product.product"), first, nil) // the one that was made with the template

	orders := p.get("sale.order")
	for i := range 12 {
		id := p.add("sale.order", map[string]any{"partner_id": companies[i%len(companies)], "date_order": fmt.Sprintf("2026-%02d-%02d 09:30:00", i%9+1, i+3), "client_order_ref": fmt.Sprintf("PO-%03d", i)})
		for j := range i%3 + 1 {
			p.add("sale.order.line", map[string]any{"order_id": id, "product_id": products[(i+j)%len(products)], "product_uom_qty": float64(j + 1), "tax_ids": []any{[]any{int64(6), int64(0), []any{int64(1)}}}})
		}
		if p.err != nil {
			return
		}
		if i%3 == 0 {
			if _, err := confirmSale(p.env, orders, []int64{id}); err != nil {
				p.err = err
			}
		}
	}
	for i := range 5 {
		id := p.add("purchase.order", map[string]any{"partner_id": companies[(i+4)%len(companies)], "date_order": fmt.Sprintf("2026-03-%02d 10:00:00", i+1)})
		p.add("purchase.order.line", map[string]any{"order_id": id, "product_id": products[i], "product_qty": float64(10 + i), "price_unit": 7.5, "tax_ids": []any{[]any{int64(6), int64(0), []any{int64(2)}}}})
		if p.err == nil && i%2 == 0 {
			p.setState(p.get("purchase.order"), id, map[string]any{"state": "purchase"})
			p.err = p.deliver(p.get("purchase.order"), id)
		}
	}
	moves := p.get("account.move")
	for i := range 6 {
		kind := "out_invoice"
		if i >= 4 {
			kind = "in_invoice"
		}
		id := p.add("account.move", map[string]any{"move_type": kind, "partner_id": companies[i], "invoice_date": fmt.Sprintf("2026-04-%02d", i+1)})
		for j := range 2 {
			values := map[string]any{"move_id": id, "product_id": products[(i+j)%len(products)], "quantity": float64(j + 1), "account_id": int64(1), "tax_ids": []any{[]any{int64(6), int64(0), []any{int64(1)}}}}
			p.add("account.move.line", values)
		}
		if p.err == nil && i%2 == 0 {
			_, p.err = postMoves(p.env, moves, []int64{id})
		}
	}
	p.add("ir.attachment", map[string]any{"name": "terms.txt", "datas": "VGVybXM6IDMwIGRheXMuCg==", "res_model": "sale.order", "res_id": int64(1)})
	p.add("ir.attachment", map[string]any{"name": "note.txt", "datas": "2YXYsdit2KjYpwo=", "res_model": "res.partner", "res_id": companies[2]})
}

// directory fills the models that describe the database itself.
func (p *populating) directory() {
	data := []struct {
		module, name, model string
		id                  int64
	}{
		{"base", "main_company", "res.company", 1}, {"base", "main_partner", "res.partner", 1}, {"base", "user_root", "res.users", 1}, {"base", "user_admin", "res.users", 2},
		{"base", "us", "res.country", 1}, {"base", "USD", "res.currency", 1}, {"base", "EUR", "res.currency", 2}, {"base", "lang_en", "res.lang", 1},
		{"uom", "product_uom_unit", "uom.uom", 1}, {"stock", "stock_location_stock", "stock.location", 4}, {"stock", "warehouse0", "stock.warehouse", 1},
	}
	for _, d := range data {
		p.add("ir.model.data", map[string]any{"module": d.module, "name": d.name, "model": d.model, "res_id": d.id})
	}
	for _, name := range p.modelNames() {
		p.add("ir.model", map[string]any{"model": name, "name": p.models[name].label, "state": "base"})
	}
	if fields := p.models["ir.model.fields"]; fields != nil {
		db, stamp := p.database, p.stamp
		fields.lazy = func() { db.describeFields(stamp) }
	}
}

// describeFields fills ir.model.fields, which is large and seldom asked for.
func (db *database) describeFields(stamp string) {
	t := db.models["ir.model.fields"]
	for _, model := range db.modelNames() {
		of := db.models[model]
		for _, name := range of.names {
			f := of.fields[name]
			id := t.next
			t.next++
			t.set(id, row{
				"name": name, "model": model, "field_description": fieldLabel(model, name), "ttype": f.Type, "relation": orNil(f.Relation), "relation_field": orNil(f.Inverse),
				"required": f.Required, "readonly": f.Readonly, "store": f.Stored, "translate": f.Translate, "state": "base",
				"create_date": stamp, "write_date": stamp, "create_uid": int64(1), "write_uid": int64(1),
			})
		}
	}
}
