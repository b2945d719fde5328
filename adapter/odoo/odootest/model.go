package odootest

import (
	"strings"

	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
)

// orderTerm is one sort key of a search.
type orderTerm struct {
	field string
	desc  bool
}

// modelLabels are the models' descriptions where their names don't say them.
// The second is that of 13.0 to 15.0, if it differs.
var modelLabels = map[string][2]string{
	"res.partner":          {"Contact"},
	"res.users":            {"User", "Users"},
	"res.company":          {"Companies"},
	"res.country":          {"Country"},
	"res.country.state":    {"Country state"},
	"res.currency":         {"Currency"},
	"res.groups":           {"Access Groups"},
	"res.partner.category": {"Partner Tags"},
	"product.template":     {"Product", "Product Template"},
	"product.product":      {"Product Variant", "Product"},
	"product.category":     {"Product Category"},
	"sale.order":           {"Sales Order"},
	"sale.order.line":      {"Sales Order Line"},
	"purchase.order":       {"Purchase Order"},
	"purchase.order.line":  {"Purchase Order Line"},
	"account.move":         {"Journal Entry", "Journal Entry"},
	"account.move.line":    {"Journal Item"},
	"account.journal":      {"Journal"},
	"account.tax":          {"Tax"},
	"account.account":      {"Account"},
	"account.payment":      {"Payments"},
	"stock.picking":        {"Transfer"},
	"stock.picking.type":   {"Picking Type"},
	"stock.move":           {"Stock Move"},
	"stock.move.line":      {"Product Moves (Stock Move Line)"},
	"stock.location":       {"Inventory Locations"},
	"stock.warehouse":      {"Warehouse"},
	"stock.quant":          {"Quants"},
	"uom.uom":              {"Product Unit of Measure"},
	"uom.category":         {"Product UoM Categories"},
	"ir.model":             {"Models"},
	"ir.model.fields":      {"Fields"},
	"ir.model.data":        {"Model Data"},
	"ir.attachment":        {"Attachment"},
	"mail.message":         {"Message"},
}

func modelLabel(model string, major int) string {
	l, ok := modelLabels[model]
	switch {
	case !ok:
		words := strings.Split(model, ".")
		for i, w := range words {
			if w != "" {
				words[i] = strings.ToUpper(w[:1]) + w[1:]
			}
		}
		return strings.Join(words, " ")
	case major <= 15 && l[1] != "":
		return l[1]
	}
	return l[0]
}

// className is what Python calls the class that answers for a model.
func className(model string, major int) string {
	if major < 19 && model == "res.users" {
		return "Users"
	}
	var b strings.Builder
	for w := range strings.SplitSeq(model, ".") {
		if w != "" {
			b.WriteString(strings.ToUpper(w[:1]) + w[1:])
		}
	}
	return b.String()
}

// orders are the models' default orders; what is missing is ordered by id. A
// field that the version lacks is left out.
var orders = map[string]string{
	"res.partner":          "complete_name, id desc",
	"res.users":            "name, login",
	"res.company":          "sequence, name",
	"res.country":          "name",
	"res.country.state":    "code",
	"res.currency":         "active desc, name",
	"res.partner.category": "name",
	"res.groups":           "name",
	"res.lang":             "active desc, name",
	"product.template":     "name",
	"product.product":      "default_code, name, id",
	"product.category":     "complete_name",
	"sale.order":           "date_order desc, id desc",
	"sale.order.line":      "order_id, sequence, id",
	"purchase.order":       "date_order desc, id desc",
	"purchase.order.line":  "order_id, sequence, id",
	"account.move":         "date desc, name desc, id desc",
	"account.move.line":    "date desc, move_name desc, id",
	"account.journal":      "sequence, type, code",
	"account.account":      "code",
	"account.tax":          "sequence, id",
	"stock.picking":        "priority desc, scheduled_date, id desc",
	"stock.move":           "sequence, id",
	"stock.location":       "complete_name",
	"stock.warehouse":      "sequence, id",
	"stock.picking.type":   "sequence, id",
	"uom.category":         "name",
	"ir.model":             "model",
	"ir.model.fields":      "name",
	"ir.attachment":        "id desc",
	"mail.message":         "id desc",
	"product.supplierinfo": "sequence, id",
	"product.pricelist":    "sequence, id",
}

func defaultOrder(model string, major int, fields map[string]schemas.Field) []orderTerm {
	var terms []orderTerm
	for part := range strings.SplitSeq(orders[model], ",") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		if words[0] == "complete_name" && fields["complete_name"].Type == "" {
			words[0] = "display_name"
		}
		if _, ok := fields[words[0]]; ok {
			terms = append(terms, orderTerm{words[0], len(words) == 2})
		}
	}
	return append(terms, orderTerm{field: "id"})
}

// inherits lists the models whose records contain one of another model and
// show its fields as their own.
var inherits = map[string]struct{ parent, link string }{
	"product.product": {"product.template", "product_tmpl_id"},
	"res.users":       {"res.partner", "partner_id"},
}

// ownFields are the fields that an inheriting model keeps itself, although the
// model it contains has fields of the same names.
var ownFields = map[string]map[string]bool{
	"product.product": names("id display_name active default_code barcode weight volume standard_price product_tmpl_id lst_price create_uid create_date write_uid write_date __last_update code partner_ref price price_extra qty_available virtual_available message_ids activity_ids"),
	"res.users":       names("id display_name active login password share partner_id company_id company_ids groups_id group_ids all_group_ids action_id signature create_uid create_date write_uid write_date __last_update user_ids users log_ids state notification_type res_users_settings_ids accesses_count groups_count rules_count login_date new_password api_key_ids"),
}

func names(s string) map[string]bool {
	set := map[string]bool{}
	for _, n := range strings.Fields(s) {
		set[n] = true
	}
	return set
}

// parentFields are the fields that make a model a hierarchy.
var parentFields = map[string]string{
	"res.partner":          "parent_id",
	"res.partner.category": "parent_id",
	"product.category":     "parent_id",
	"stock.location":       "location_id",
	"res.company":          "parent_id",
}

// wizardModels are the dialogs that some business methods answer with.
var wizardModels = map[string]map[string]schemas.Field{
	"stock.immediate.transfer":     wizardFields,
	"stock.backorder.confirmation": wizardFields,
}

var wizardFields = map[string]schemas.Field{
	"id":           {Type: "integer", Readonly: true, Stored: true, Searchable: true, Sortable: true},
	"display_name": {Type: "char", Readonly: true},
	"pick_ids":     {Type: "many2many", Relation: "stock.picking", Stored: true, Searchable: true},
	"create_date":  {Type: "datetime", Readonly: true, Stored: true, Searchable: true, Sortable: true},
	"create_uid":   {Type: "many2one", Relation: "res.users", Readonly: true, Stored: true, Searchable: true, Sortable: true},
	"write_date":   {Type: "datetime", Readonly: true, Stored: true, Searchable: true, Sortable: true},
	"write_uid":    {Type: "many2one", Relation: "res.users", Readonly: true, Stored: true, Searchable: true, Sortable: true},
}
