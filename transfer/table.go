package transfer

import (
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// What is known about Odoo's models, as data.

// lines are the one-to-many fields whose records are part of their parents, by
// the parent's model. The child's required reference to its parent does not say
// so: an order, too, requires its customer.
var lines = map[string][]string{
	"account.payment.term":       {"line_ids"},
	"product.attribute":          {"value_ids"},
	"product.pricelist":          {"item_ids"},
	"product.template":           {"attribute_line_ids"},
	"purchase.order":             {"order_line"},
	"sale.order":                 {"order_line"},
	"sale.order.template":        {"sale_order_template_line_ids"},
	"res.partner":                {},
	"stock.warehouse.orderpoint": {},
}

// companion is a model whose records the target makes with those of another.
type companion struct {
	model   string // of the records that are made
	field   string // of the parent, that leads to them
	inverse string // that leads back
	// tells names the field, and what its records refer to, by which one of
	// several can be told.
	tells, value string
}

// companions are by the parent's model.
var companions = map[string]companion{
	"product.template": {
		model: "product.product", field: "product_variant_ids", inverse: "product_tmpl_id",
		tells: "product_template_attribute_value_ids", value: "product_attribute_value_id",
	},
}

// natural are the fields by which a record can be told, where it is not part
// of the transfer. The first key of which all fields have a value counts, then
// the next. Models that are not listed are told by their name.
var natural = map[string][][]string{
	"account.account":         {{"code"}},
	"account.journal":         {{"code"}},
	"account.tax":             {{"name", "type_tax_use", "amount"}},
	"crm.stage":               {{"name"}},
	"product.attribute.value": {{"attribute_id", "name"}},
	"product.category":        {{"complete_name"}},
	"product.product":         {{"default_code", "name"}, {"barcode"}, {"name"}},
	"product.template":        {{"default_code", "name"}, {"name"}},
	"res.country":             {{"code"}},
	"res.country.state":       {{"code", "country_id"}},
	"res.currency":            {{"name"}},
	"res.groups":              {{"full_name"}},
	"res.lang":                {{"code"}},
	"res.partner":             {{"email", "name"}, {"vat"}, {"ref", "name"}},
	"res.users":               {{"login"}},
	"stock.location":          {{"complete_name"}},
	"stock.picking.type":      {{"name", "code"}},
	"stock.warehouse":         {{"code"}},
}

func naturalKeys(model string) [][]string {
	if keys, ok := natural[model]; ok {
		return keys
	}
	return [][]string{{"name"}}
}

// apart are fields, in any model, that are no part of a record: what a server
// keeps for itself, or what belongs to documents that are not carried.
var apart = map[string]string{
	"access_token":               "it is made by each server",
	"activity_ids":               "activities are not carried",
	"message_follower_ids":       "followers are not carried",
	"message_ids":                "messages are not carried",
	"message_main_attachment_id": "attachments are not carried",
	"message_partner_ids":        "followers are not carried",
	"rating_ids":                 "ratings are not carried",
	"signup_expiration":          "it is made by each server",
	"signup_token":               "it is made by each server",
	"signup_type":                "it is made by each server",
	"website_message_ids":        "messages are not carried",
	"create_date":                "the target notes its own",
	"create_uid":                 "the target notes its own",
	"write_date":                 "the target notes its own",
	"write_uid":                  "the target notes its own",
	"__last_update":              "the target notes its own",
	"display_name":               "it is computed",
	"parent_path":                "it is computed",
}

// apartOf are further ones, by model.
var apartOf = map[string]map[string]string{
	"product.product": {
		"product_template_attribute_value_ids": "the target makes variants of the template's attributes",
		"product_template_variant_value_ids":   "the target makes variants of the template's attributes",
	},
	"res.partner": {
		"channel_ids": "who talks where is not carried",
	},
	"sale.order.line": {
		"invoice_lines":         "invoices are not carried",
		"product_packaging_qty": "it is computed",
	},
	"sale.order": {
		"procurement_group_id": "deliveries are not carried",
		"transaction_ids":      "payments are not carried",
	},
}

func kept(model, field string) (reason string, is bool) {
	if reason, is = apart[field]; is {
		return reason, true
	}
	reason, is = apartOf[model][field]
	return reason, is
}

// stateField is where documents say how far they are. locked goes with it.
const stateField = "state"

var states = []string{stateField, "locked"}

// worthReading reports whether a field of the source is part of a record: it is
// stored, or it is kept by company, which Odoo up to 17.0 does not call stored.
func worthReading(name string, f adapter.Field) bool {
	return f.Stored || !f.Readonly && (strings.HasPrefix(name, "property_") || name == "standard_price")
}

// never are models that are not pulled along: to make users, companies or
// accounts is nobody's dependency.
var never = map[string]bool{
	"res.users": true, "res.company": true, "res.groups": true, "res.currency": true, "res.lang": true, "account.account": true, "account.tax": true, "account.journal": true,
	"account.move": true, "account.move.line": true, "stock.warehouse": true, "stock.location": true, "stock.route": true, "stock.location.route": true, "ir.attachment": true, "ir.model": true, "ir.model.fields": true,
}
