package odootest

import (
	"slices"
	"strings"
)

// Role says what a user of the simulated database may do.
type Role string

// The roles.
const (
	// RoleAdmin may do everything.
	RoleAdmin Role = "admin"
	// RoleUser works with contacts, products, sales, purchases, invoices and
	// transfers, in the first company only, and changes no settings.
	RoleUser Role = "user"
	// RoleLimited reads contacts and products and little else.
	RoleLimited Role = "limited"
)

// account is a user as the server knows it.
type account struct {
	id        int64
	login     string
	password  string
	apiKey    string
	role      Role
	companies []int64
}

// settings are the models that only an administrator changes, and those in
// secret that only one may see.
var (
	settings = names("res.users res.company res.groups res.country res.country.state res.currency res.lang ir.model ir.model.fields ir.model.data account.account account.journal account.tax uom.uom uom.category stock.warehouse stock.location stock.picking.type product.pricelist")
	secret   = names("ir.model.access ir.config_parameter")
	// readable is what a limited user may read, writable what he may change.
	readable = names("res.partner res.partner.category res.partner.title res.users res.company res.country res.country.state res.currency res.lang res.groups product.product product.template product.category product.pricelist uom.uom uom.category ir.model ir.model.fields ir.model.data ir.attachment mail.message")
	writable = names("ir.attachment mail.message")
	// hidden are the fields that a limited user may not read.
	hidden = map[string]map[string]bool{"res.partner": names("credit debit credit_limit total_invoiced")}
)

// may tells whether the user has a right on a model: "read", "write", "create"
// or "unlink".
func (e *env) may(model, right string) bool {
	if e.depth > 0 || e.user == nil || e.user.role == RoleAdmin {
		return true
	}
	switch {
	case secret[model]:
		return false
	case e.user.role == RoleLimited && right == "read":
		return readable[model]
	case e.user.role == RoleLimited:
		return writable[model]
	case right == "read":
		return true
	}
	return !settings[model]
}

var rightVerbs = map[string]string{"read": "access", "write": "modify", "create": "create", "unlink": "delete"}

// allow refuses a call on a model.
func (e *env) allow(t *table, right string) error {
	if e.may(t.model, right) {
		return nil
	}
	return e.forbidden(t.model, t.label, right)
}

func (e *env) forbidden(model, label, right string) error {
	verb := rightVerbs[right]
	group := "Administration/Access Rights"
	switch {
	case e.major >= 19 && !settings[model] && !secret[model]:
		group = "Role / Administrator"
	case e.major >= 19:
		group = "Access Rights"
	}
	if e.major == 13 {
		return raise(accessError, "Sorry, you are not allowed to %s documents of type '%s' (%s). This operation is allowed for the groups:\n\t- %s - (Operation: %s, User: %d)", verb, label, model, group, right, e.uid())
	}
	return raise(accessError, "You are not allowed to %s '%s' (%s) records.\n\nThis operation is allowed for the following groups:\n\t- %s\n\nContact your administrator to request access if necessary.", verb, label, model, group)
}

// allowRow refuses a call on a record that a rule hides.
func (e *env) allowRow(t *table, id int64, right string) error {
	if e.mayRow(t, id) {
		return nil
	}
	if e.major == 13 {
		return raise(accessError, "The requested operation cannot be completed due to security restrictions. Please contact your system administrator.\n\n(Document type: %s, Operation: %s) - (Records: [%d], User: %d)", t.model, right, id, e.uid())
	}
	return raise(accessError, "Due to security restrictions, you are not allowed to %s '%s' (%s) records.\n\nContact your administrator to request access if necessary.", rightVerbs[right], t.label, t.model)
}

// mayRow is the one record rule: records of another company are hidden.
func (e *env) mayRow(t *table, id int64) bool {
	if e.depth > 0 || e.user == nil || t.model == "res.users" || t.model == "res.company" {
		return true
	}
	company, _ := t.rows[id]["company_id"].(int64)
	return company == 0 || slices.Contains(e.companies(), company)
}

// companies are those that the call is for.
func (e *env) companies() []int64 {
	if list := listOf(e.context["allowed_company_ids"]); len(list) > 0 {
		ids := make([]int64, 0, len(list))
		for _, item := range list {
			if id, ok := intOf(item); ok {
				ids = append(ids, id)
			}
		}
		return ids
	}
	return e.user.companies
}

// company is the current one.
func (e *env) company() int64 {
	if e.user != nil {
		if ids := e.companies(); len(ids) > 0 {
			return ids[0]
		}
	}
	return 1
}

// checkContext refuses a context that the version would refuse.
func (e *env) checkContext() error {
	if e.major >= 18 {
		if lang, ok := e.context["lang"].(string); ok && lang != "" && !e.installed(lang) {
			return raise(userError, "Invalid language code: %s", lang)
		}
	}
	if e.major >= 14 && e.user != nil {
		for _, id := range e.companies() {
			if !slices.Contains(e.user.companies, id) {
				return raise(accessError, "Access to unauthorized or invalid companies.")
			}
		}
	}
	return nil
}

// installed reports whether a language is one of the database's: a record of
// res.lang that is not archived.
func (e *env) installed(lang string) bool { return slices.Contains(e.languages(), lang) }

func (e *env) languages() []string {
	t := e.get("res.lang")
	var codes []string
	for _, id := range t.ids {
		if code, ok := t.rows[id]["code"].(string); ok && t.rows[id]["active"] == true {
			codes = append(codes, code)
		}
	}
	return codes
}

// translation is the language of the context, if values are translated for it:
// they stand in a row beside those in English, under "name@ar_001". A language
// that is not installed is passed over, where it is no error.
func (e *env) translation() string {
	lang, _ := e.context["lang"].(string)
	if lang == "" || lang == "en_US" || !e.installed(lang) {
		return ""
	}
	return lang
}

// allowField refuses to read a field that the user's groups may not see.
func (e *env) allowField(t *table, field string) error {
	if e.depth > 0 || e.user == nil || e.user.role != RoleLimited || !hidden[t.model][field] {
		return nil
	}
	switch {
	case e.major == 13:
		return nil
	case e.major <= 15:
		return e.forbidden("account.move.line", "Journal Item", "read")
	case e.major <= 17:
		return raise(accessError, "The requested operation can not be completed due to security restrictions.\n\nDocument type: %s (%s)\nOperation: read\nUser: %d\nFields:\n- %s (allowed for groups 'Technical / Show Full Accounting Features')", t.label, t.model, e.uid(), field)
	}
	return raise(accessError, "You do not have enough rights to access the field \"%s\" on %s (%s). Please contact your system administrator.\n\nOperation: read\nUser: %d", field, t.label, t.model, e.uid())
}

// private tells whether a method is none of a caller's business, and why.
func (e *env) private(model, method string) error {
	since, listed := privateSince[method]
	if closed := listed && e.major >= since; !closed && !strings.HasPrefix(method, "_") {
		return nil
	}
	if e.major >= 18 {
		return raise(accessError, "Private methods (such as '%s.%s') cannot be called remotely.", model, method)
	}
	return raise(accessError, "Private methods (such as %s) cannot be called remotely.", method)
}

// privateSince are methods that the given version closed to callers.
var privateSince = map[string]int{
	"sudo": 18, "with_context": 18, "with_user": 18, "with_env": 18, "with_company": 18, "flush_recordset": 18, "flush_model": 18,
	"mapped": 18, "filtered": 18, "filtered_domain": 18, "sorted": 18, "invalidate_recordset": 18, "modified": 18, "concat": 18, "union": 18,
	"exists": 19, "browse": 19, "search_fetch": 19, "check_access": 19, "ensure_one": 18, "fetch": 19,
}
