package odootest

import (
	"fmt"
	"slices"

	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
)

// needed are the required fields that have no default, so that the caller must
// give them. Names are those of any version.
var needed = map[string][]string{
	"product.template":     {"name"},
	"product.product":      {"name"},
	"product.category":     {"name"},
	"res.users":            {"login", "name"},
	"res.company":          {"name"},
	"res.country":          {"name"},
	"res.country.state":    {"name", "code", "country_id"},
	"res.partner.category": {"name"},
	"res.currency":         {"name", "symbol"},
	"res.groups":           {"name"},
	"sale.order":           {"partner_id"},
	"sale.order.line":      {"order_id"},
	"purchase.order":       {"partner_id"},
	"purchase.order.line":  {"order_id"},
	"account.move.line":    {"move_id"},
	"stock.picking":        {"picking_type_id"},
	"stock.move":           {"product_id"},
	"stock.location":       {"name"},
	"uom.uom":              {"name"},
	"ir.attachment":        {"name"},
}

// fieldLabels are the labels that error messages need.
var fieldLabels = map[string]string{
	"sale.order.partner_id":     "Customer",
	"purchase.order.partner_id": "Vendor",
	"res.partner.parent_id":     "Related Company",
	"res.partner.email":         "Email",
}

func fieldLabel(model, field string) string {
	if l := fieldLabels[model+"."+field]; l != "" {
		return l
	}
	if field == "id" {
		return "ID"
	}
	return schemas.Label(field)
}

// checkRequired refuses a record that lacks a required value, in the version's
// own words.
func (e *env) checkRequired(t *table, id int64) error {
	r := t.rows[id]
	if t.model == "res.partner" && r["name"] == nil && (r["type"] == nil || r["type"] == "contact") {
		switch {
		case e.major >= 16:
			return raise(validationError, "The operation cannot be completed: Contacts require a name")
		default:
			return raise(validationError, "res_partner_check_name")
		}
	}
	for _, name := range needed[t.model] {
		field := e.field(t.model, name)
		if field == "" || e.value(t, id, field) != nil {
			continue
		}
		if in, ok := inherits[t.model]; ok && !ownFields[t.model][field] {
			t = e.get(in.parent)
		}
		return e.lacking(t, field)
	}
	return nil
}

// lacking is the error of a required field without a value.
func (e *env) lacking(t *table, field string) error {
	label := fieldLabel(t.model, field)
	switch {
	case e.major >= 19:
		return raise(validationError, "The operation cannot be completed: Missing required value for the field '%s' (%s).\nModel: '%s' (%s)\n- create/update: a mandatory field is not set\n- delete: another model requires the record being deleted, you can archive it instead\n", label, field, t.label, t.model)
	case e.major >= 16:
		return raise(validationError, "The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n- Delete: another model requires the record being deleted. If possible, archive it instead.\n\nModel: %s (%s)\nField: %s (%s)\n", t.label, t.model, label, field)
	}
	return raise(validationError, "The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n- Delete: another model requires the record being deleted. If possible, archive it instead.\n\nModel: %s (%s), Field: %s (%s)", t.label, t.model, label, field)
}

// foreignKey is the error of a reference that the database refuses. t is the
// model with the field, nil for the table of a many2many.
func foreignKey(major int, t *table, constraint, field string) *exception {
	model, label := "unknown", "Unknown"
	if t != nil {
		model, label = t.model, t.label
	} else if major <= 15 {
		model = "Unknown"
	}
	switch {
	case major >= 19 && t != nil:
		return raise(validationError, "The operation cannot be completed: Another model is using the record you are trying to delete.\n\nThe troublemaker is: '%s' (%s)\nThanks to the following constraint: '%s' (%s)\nHow about archiving the record instead?", label, model, fieldLabel(model, field), field)
	case major >= 19:
		return raise(validationError, "The operation cannot be completed: Another model is using the record you are trying to delete.\n\nThe troublemaker is: Unknown\nThanks to the following constraint: %s\nHow about archiving the record instead?", constraint)
	case major >= 16:
		return raise(validationError, "The operation cannot be completed: another model requires the record being deleted. If possible, archive it instead.\n\nModel: %s (%s)\nConstraint: %s\n", label, model, constraint)
	}
	return raise(validationError, "The operation cannot be completed: another model requires the record being deleted. If possible, archive it instead.\n\nModel: %s (%s), Constraint: %s", label, model, constraint)
}

// restricting are the many2ones that keep what they refer to from being
// deleted: model, field of the referring records. Those of fields not listed
// are set to empty, those in cascading go along.
var restricting = map[string][][2]string{
	"res.partner":      {{"sale.order", "partner_id"}, {"purchase.order", "partner_id"}, {"account.move", "partner_id"}, {"res.users", "partner_id"}, {"res.company", "partner_id"}},
	"product.product":  {{"stock.move", "product_id"}, {"sale.order.line", "product_id"}, {"purchase.order.line", "product_id"}, {"stock.quant", "product_id"}},
	"product.template": {},
	"product.category": {{"product.template", "categ_id"}},
	"res.country":      {{"res.partner", "country_id"}},
	"res.currency":     {{"res.company", "currency_id"}, {"sale.order", "currency_id"}},
	"uom.uom":          {{"product.template", "uom_id"}},
	"res.company":      {{"res.users", "company_id"}},
	"stock.location":   {{"stock.quant", "location_id"}, {"stock.move", "location_id"}, {"stock.move", "location_dest_id"}},
	"account.journal":  {{"account.move", "journal_id"}},
}

// cascading are the records that are deleted with the one they belong to.
var cascading = map[string][][2]string{
	"sale.order":           {{"sale.order.line", "order_id"}},
	"purchase.order":       {{"purchase.order.line", "order_id"}},
	"account.move":         {{"account.move.line", "move_id"}},
	"stock.picking":        {{"stock.move", "picking_id"}},
	"stock.move":           {{"stock.move.line", "move_id"}},
	"product.template":     {{"product.product", "product_tmpl_id"}, {"product.supplierinfo", "product_tmpl_id"}},
	"product.category":     {{"product.category", "parent_id"}},
	"res.partner.category": {{"res.partner.category", "parent_id"}},
	"res.country":          {{"res.country.state", "country_id"}},
}

// beforeUnlink holds the business rules of deletion.
func (e *env) beforeUnlink(t *table, id int64) error {
	r := t.rows[id]
	switch t.model {
	case "sale.order":
		if state, _ := r["state"].(string); state != "draft" && state != "cancel" {
			return raise(userError, "You can not delete a sent quotation or a confirmed sales order. You must first cancel it.")
		}
	case "purchase.order":
		if r["state"] != "cancel" {
			return raise(userError, "In order to delete a purchase order, you must cancel it first.")
		}
	case "account.move":
		if r["state"] == "posted" {
			return raise(userError, "You cannot delete an entry which has been posted once.")
		}
	case "stock.picking", "stock.move":
		if r["state"] == "done" {
			return raise(userError, "You can not delete a done transfer.")
		}
	case "res.partner":
		return e.partnerInUse(t, id, "delete")
	case "uom.uom":
		if id == 1 && e.major >= 15 {
			return raise(userError, "The following units of measure are used by the system and cannot be deleted: %s\nYou can archive them instead.", e.display(t, id))
		}
		if id == 1 && e.major == 14 {
			return raise(userError, "You cannot delete this UoM as it is used by the system. You should rather archive it.")
		}
	}
	return nil
}

// partnerInUse refuses to delete or archive the contact of a user.
func (e *env) partnerInUse(t *table, id int64, verb string) error {
	users := e.get("res.users")
	for _, u := range users.ids {
		if ref(users, u, "partner_id") != id || users.rows[u]["active"] == false {
			continue
		}
		name := e.text(t, id, "name")
		switch {
		case e.major >= 15 && verb == "delete":
			return e.redirect("You cannot delete contacts linked to an active user.\nYou should rather archive them after archiving their associated user.\n\nLinked active users : " + name)
		case e.major >= 15:
			return e.redirect("You cannot archive contacts linked to an active user.\nYou first need to archive their associated user.\n\nLinked active users : " + name)
		case verb == "archive" && e.major == 14:
			return raise(validationError, "You cannot archive a contact linked to a portal or internal user.")
		case verb == "archive":
			return raise(validationError, "You cannot archive a contact linked to an internal user.")
		}
	}
	return nil
}

func (e *env) redirect(text string) *exception {
	x := raise(redirectWarning, "%s", text)
	x.action = object{{"type", "ir.actions.act_window"}, {"res_model", "res.users"}, {"context", object{{"create", false}}}, {"view_mode", "form"}, {"views", []any{[]any{false, "form"}}}}
	return x
}

// checkUnique holds the unique constraints.
func (e *env) checkUnique(t *table, id int64) error {
	switch t.model {
	case "ir.model.data":
		module, name := t.rows[id]["module"], t.rows[id]["name"]
		for _, other := range t.ids {
			if other != id && t.rows[other]["module"] == module && t.rows[other]["name"] == name {
				return raise(validationError, "The operation cannot be completed: duplicate key value violates unique constraint \"ir_model_data_module_name_uniq_index\"\nDETAIL:  Key (module, name)=(%v, %v) already exists.\n", module, name)
			}
		}
	case "res.users":
		login := t.rows[id]["login"]
		for _, other := range t.ids {
			if other == id || t.rows[other]["login"] != login {
				continue
			}
			switch {
			case e.major >= 17:
				return raise(validationError, "The operation cannot be completed: You can not have two users with the same login!")
			case e.major == 16:
				return raise(validationError, "The operation cannot be completed: You can not have two users with the same login !")
			}
			return raise(validationError, "res_users_login_key")
		}
	case "product.product":
		code, _ := t.rows[id]["barcode"].(string)
		if code == "" {
			return nil
		}
		for _, other := range t.ids {
			if other == id || t.rows[other]["barcode"] != code {
				continue
			}
			a, b := e.text(t, other, "name"), e.text(t, id, "name")
			switch {
			case e.major >= 18:
				return raise(validationError, "Barcode(s) already assigned:\n\n- Barcode \"%s\" already assigned to product(s): %s and %s\n\nNote: products that you don't have access to will not be shown above.", code, a, b)
			case e.major == 17:
				return raise(validationError, "Barcode(s) already assigned:\n\n- Barcode \"%s\" already assigned to product(s): %s, %s\n\nNote: products that you don't have access to will not be shown above.", code, a, b)
			case e.major == 16:
				return raise(validationError, "Barcode(s) already assigned:\n\n- Barcode \"%s\" already assigned to product(s): %s, %s", code, a, b)
			}
			return raise(validationError, "product_product_barcode_uniq")
		}
	}
	return nil
}

// checkCycle refuses a hierarchy that contains itself.
func (e *env) checkCycle(t *table, id int64, values map[string]any) error {
	parent := parentFields[t.model]
	if parent == "" || values[parent] == nil {
		return nil
	}
	at := id
	for range len(t.ids) + 1 {
		at = ref(t, at, parent)
		switch at {
		case 0:
			return nil
		case id:
			if t.model == "res.partner" {
				return raise(validationError, recursiveHierarchy)
			}
			return raise(validationError, "You cannot create recursive %s.", t.label)
		}
	}
	return nil
}

// referring returns the records of a model whose many2one field leads to id.
func (e *env) referring(model, field string, id int64) []int64 {
	t := e.get(model)
	if t == nil {
		return nil
	}
	field = e.field(model, field)
	if index, ok := t.children[field]; ok {
		return slices.Clone(index[id])
	}
	var ids []int64
	for _, other := range t.ids {
		if t.rows[other][field] == id {
			ids = append(ids, other)
		}
	}
	return ids
}

// constraintName is PostgreSQL's name for a foreign key.
func constraintName(model, field string) string {
	return fmt.Sprintf("%s_%s_fkey", tableName(model), field)
}
