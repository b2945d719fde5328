package odootest

import (
	"errors"
	"fmt"
	"html"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// methods are the public methods, by model and name; those of all models have
// no model before the dot.
var methods map[string][]method

const readFormat = "BaseModel._read_format"

func init() {
	methods = map[string][]method{
		".search":       {{params: "domain offset? limit? order? count?@13-16", class: "BaseModel", reads: true, run: search}},
		".search_count": {{params: "domain limit?@16-", class: "BaseModel", reads: true, run: searchCount}},
		".search_read": {
			{until: 14, params: "domain? fields? offset? limit? order?", class: "BaseModel", reads: true, run: searchRead},
			{since: 15, until: 16, params: "domain? fields? offset? limit? order? load?", kwargs: "BaseModel.read", reads: true, run: searchRead},
			{since: 17, params: "domain? fields? offset? limit? order? load?", kwargs: readFormat, reads: true, run: searchRead},
		},
		".read":   {{params: "fields? load?", class: "BaseModel", record: true, reads: true, run: readRecords}},
		".create": {{params: "vals_list", run: create}},
		".write":  {{params: "vals", record: true, run: func(c *call) (any, error) { return true, c.write(c.t, c.ids, dictOf(c.args["vals"])) }}},
		".unlink": {{record: true, run: func(c *call) (any, error) { return true, c.unlink(c.t, c.ids) }}},
		".copy":   {{params: "default?", record: true, run: copyRecords}},
		".exists": {{until: 18, class: "BaseModel", record: true, reads: true, run: func(c *call) (any, error) {
			return slices.DeleteFunc(slices.Clone(c.ids), func(id int64) bool { return c.t.rows[id] == nil }), nil
		}}},
		".name_search": {
			{until: 18, params: "name? args? operator? limit?", class: "BaseModel", reads: true, run: nameSearch},
			{since: 19, params: "name? domain? operator? limit?", class: "BaseModel", reads: true, run: nameSearch},
		},
		".name_get":             {{until: 17, record: true, reads: true, run: nameGet}},
		".name_create":          {{params: "name", run: nameCreate}},
		".fields_get":           {{params: "allfields? attributes?", reads: true, run: fieldsGet}},
		".default_get":          {{until: 18, params: "fields_list", reads: true, run: defaultGet}, {since: 19, params: "fields", reads: true, run: defaultGet}},
		".onchange":             {{until: 16, params: "values field_name field_onchange", record: true, reads: true, run: onchange}, {since: 17, params: "values field_names fields_spec", record: true, reads: true, run: onchange}},
		".read_group":           {{params: "domain fields groupby offset? limit? orderby? lazy?", class: "BaseModel", reads: true, run: readGroup}},
		".formatted_read_group": {{since: 19, params: "domain groupby? aggregates? having? offset? limit? order?", class: "BaseModel", reads: true, run: formattedReadGroup}},
		".web_read_group": {
			{until: 18, params: "domain fields groupby limit? offset? orderby? lazy? expand? expand_limit? expand_orderby?", class: "Base", reads: true, run: webReadGroup},
			{since: 19, params: "domain groupby aggregates? limit? offset? order? auto_unfold? opening_info? unfold_read_specification? unfold_read_default_limit? groupby_read_specification?", class: "Base", reads: true, run: webReadGroup},
		},
		".web_search_read": {
			{until: 15, params: "domain? fields? offset? limit? order?", class: "Base", reads: true, run: webSearchReadFields},
			{since: 16, until: 16, params: "domain? fields? offset? limit? order? count_limit?", class: "Base", reads: true, run: webSearchReadFields},
			{since: 17, params: "domain specification offset? limit? order? count_limit?", class: "Base", reads: true, run: webSearchRead},
		},
		".web_read":        {{since: 17, params: "specification", record: true, reads: true, run: webRead}},
		".web_save":        {{since: 17, params: "vals specification next_id?", record: true, run: webSave}},
		".web_name_search": {{since: 18, params: "name specification domain? operator? limit?", reads: true, run: webNameSearch}},
		".get_metadata":    {{record: true, reads: true, run: metadata}},
		".export_data":     {{params: "fields_to_export raw_data?", record: true, reads: true, run: exportData}},
		".load":            {{params: "fields data", run: load}},
		".check_access_rights": {{params: "operation raise_exception?", reads: true, run: func(c *call) (any, error) {
			right := c.text("operation")
			if c.may(c.t.model, right) {
				return true, nil
			}
			if v, ok := c.args["raise_exception"]; ok && !truthy(v) {
				return false, nil
			}
			return nil, c.forbidden(c.t.model, c.t.label, right)
		}}},
		".check_access_rule": {{params: "operation", record: true, reads: true, run: none}},
		".has_access":        {{since: 18, params: "operation", record: true, reads: true, run: func(c *call) (any, error) { return c.may(c.t.model, c.text("operation")), nil }}},
		".check_access": {{since: 18, until: 18, params: "operation", record: true, reads: true, run: func(c *call) (any, error) {
			return nil, c.allow(c.t, c.text("operation"))
		}}},
		".action_archive":   {{record: true, run: archive(false)}},
		".action_unarchive": {{record: true, run: archive(true)}},
		".toggle_active": {{record: true, run: func(c *call) (any, error) {
			for _, id := range c.ids {
				if err := c.write(c.t, []int64{id}, map[string]any{"active": c.t.rows[id]["active"] == false}); err != nil {
					return nil, err
				}
			}
			return nil, nil
		}}},
		".message_post":    {{params: "body? subject? message_type? subtype_xmlid? partner_ids? attachments? attachment_ids? parent_id? email_from? author_id?", record: true, run: messagePost}},
		".sudo":            {{until: 17, params: "flag?", record: true, reads: true, run: leak}},
		".browse":          {{until: 18, params: "ids?", reads: true, run: func(c *call) (any, error) { return recordset{model: c.t.model}, nil }}},
		".filtered_domain": {{until: 17, params: "domain", record: true, reads: true, run: filteredDomain}},
		".mapped":          {{until: 17, params: "func", record: true, reads: true, run: mapped}},
		".search_fetch":    {{since: 17, until: 18, params: "domain field_names offset? limit? order?", reads: true, run: search}},
		".flush_recordset": {{since: 16, until: 17, params: "fnames?", record: true, reads: true, run: none}},
		".get_views":       {{since: 16, params: "views options?", reads: true, run: getViews}},
		".get_view":        {{since: 16, params: "view_id? view_type?", reads: true, run: getView}},
		".load_views":      {{until: 16, params: "views options?", reads: true, run: getViews}},
		".fields_view_get": {{until: 16, params: "view_id? view_type? toolbar? submenu?", reads: true, run: fieldsViewGet}},
		".get_formview_id": {{params: "access_uid?", record: true, reads: true, run: func(*call) (any, error) { return false, nil }}},

		"res.users.context_get": {{reads: true, run: func(c *call) (any, error) { return c.userContext(), nil }}},
		"res.users.has_group": {
			{until: 17, params: "group_ext_id", reads: true, run: func(c *call) (any, error) { return c.hasGroup(c.user, c.text("group_ext_id")), nil }},
			{since: 18, params: "group_ext_id", record: true, reads: true, run: func(c *call) (any, error) { return c.hasGroup(c.user, c.text("group_ext_id")), nil }},
		},
		"ir.model.data.check_object_reference":    {{params: "module xml_id raise_on_access_error?", reads: true, run: externalID("pair")}},
		"ir.model.data.get_object_reference":      {{until: 14, params: "module xml_id", reads: true, run: externalID("pair")}},
		"ir.model.data.xmlid_to_res_id":           {{until: 14, params: "xmlid raise_if_not_found?", reads: true, run: externalID("id")}},
		"ir.model.data.xmlid_to_res_model_res_id": {{until: 14, params: "xmlid raise_if_not_found?", reads: true, run: externalID("pair")}},

		"res.partner.address_get": {{params: "adr_pref?", record: true, reads: true, run: addressGet}},

		"sale.order.action_confirm": {{record: true, run: onRecords(confirmSale)}},
		"sale.order.action_cancel":  {{record: true, run: onRecords(cancelSale)}},
		"sale.order.action_draft": {{record: true, run: onRecords(func(e *env, t *table, ids []int64) (any, error) {
			for _, id := range ids {
				if s := t.rows[id]["state"]; s == "cancel" || s == "sent" {
					e.setState(t, id, map[string]any{"state": "draft"})
				}
			}
			return true, nil
		})}},
		"sale.order.action_lock":   {{record: true, run: onRecords(lockSale(true))}},
		"sale.order.action_unlock": {{record: true, run: onRecords(lockSale(false))}},
		"sale.order.action_done":   {{until: 16, record: true, run: onRecords(lockSale(true))}},
		"sale.order.action_quotation_sent": {{record: true, run: onRecords(func(e *env, t *table, ids []int64) (any, error) {
			for _, id := range ids {
				e.setState(t, id, map[string]any{"state": "sent"})
			}
			return nil, nil
		})}},
		"sale.order.action_view_invoice": {{params: "invoices?", record: true, reads: true, run: viewInvoice}},

		"purchase.order.button_confirm": {{record: true, run: onRecords(func(e *env, t *table, ids []int64) (any, error) {
			for _, id := range ids {
				if s := t.rows[id]["state"]; s != "draft" && s != "sent" {
					continue
				}
				e.setState(t, id, map[string]any{"state": "purchase", "date_approve": seconds(e.stamp)})
				if err := e.deliver(t, id); err != nil {
					return nil, err
				}
			}
			return true, nil
		})}},
		"purchase.order.button_cancel": {{record: true, run: onRecords(stateSetter("cancel", nil))}},
		"purchase.order.button_draft":  {{record: true, run: onRecords(stateSetter("draft", nil))}},

		"account.move.action_post":   {{record: true, run: onRecords(postMoves)}},
		"account.move.button_draft":  {{record: true, run: onRecords(stateSetter("draft", nil))}},
		"account.move.button_cancel": {{record: true, run: onRecords(stateSetter("cancel", nil))}},

		"stock.picking.action_confirm": {{record: true, run: onRecords(func(e *env, t *table, ids []int64) (any, error) {
			for _, id := range ids {
				if t.rows[id]["state"] == "draft" {
					e.setPicking(id, "confirmed")
				}
			}
			return true, nil
		})}},
		"stock.picking.action_assign": {{record: true, run: onRecords(func(e *env, _ *table, ids []int64) (any, error) {
			for _, id := range ids {
				e.setPicking(id, "assigned")
			}
			return true, nil
		})}},
		"stock.picking.action_cancel": {{record: true, run: onRecords(func(e *env, _ *table, ids []int64) (any, error) {
			for _, id := range ids {
				e.setPicking(id, "cancel")
			}
			return true, nil
		})}},
		"stock.picking.button_validate":        {{record: true, run: onRecords(validatePicking)}},
		"stock.immediate.transfer.process":     {{until: 16, record: true, run: onRecords(processWizard)}},
		"stock.backorder.confirmation.process": {{record: true, run: onRecords(processWizard)}},
	}
}

func none(*call) (any, error) { return nil, nil }

func leak(c *call) (any, error) { return recordset{c.t.model, c.ids}, nil }

// onRecords is a business method: it needs the records and the right to write.
func onRecords(f func(e *env, t *table, ids []int64) (any, error)) func(c *call) (any, error) {
	return func(c *call) (any, error) {
		if err := c.existing(); err != nil {
			return nil, err
		}
		if err := c.allow(c.t, "write"); err != nil {
			return nil, err
		}
		return f(c.env, c.t, c.ids)
	}
}

func search(c *call) (any, error) {
	ids, err := c.search(c.t, c.args["domain"], c.integer("offset"), c.integer("limit"), c.args["order"])
	if err != nil {
		return nil, err
	}
	if truthy(c.args["count"]) {
		return int64(len(ids)), nil
	}
	return ids, nil
}

func searchCount(c *call) (any, error) {
	ids, err := c.search(c.t, c.args["domain"], 0, c.integer("limit"), nil)
	return int64(len(ids)), err
}

func (c *call) options() readOptions {
	v, given := c.args["load"]
	return readOptions{bare: given && v != "_classic_read"}
}

func searchRead(c *call) (any, error) {
	fields := stringsOf(c.args["fields"])
	if c.major >= 17 {
		if _, err := c.readable(c.t, fields, true); err != nil {
			return nil, err
		}
	}
	ids, err := c.search(c.t, c.args["domain"], c.integer("offset"), c.integer("limit"), c.args["order"])
	if err != nil {
		return nil, err
	}
	return c.read(c.t, ids, fields, c.options())
}

func readRecords(c *call) (any, error) {
	return c.read(c.t, c.ids, stringsOf(c.args["fields"]), c.options())
}

func create(c *call) (any, error) {
	list, isList := c.args["vals_list"].([]any)
	if !isList {
		id, err := c.create(c.t, dictOf(c.args["vals_list"]))
		if c.named { // JSON-2 always answers with a list
			return []int64{id}, err
		}
		return id, err
	}
	ids := make([]int64, 0, len(list))
	for _, values := range list {
		id, err := c.create(c.t, dictOf(values))
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func copyRecords(c *call) (any, error) {
	if c.major < 18 && len(c.ids) != 1 {
		_, err := c.one()
		return nil, err
	}
	ids := make([]int64, 0, len(c.ids))
	for _, id := range c.ids {
		copied, err := c.copyRecord(c.t, id, dictOf(c.args["default"]))
		if err != nil {
			return nil, err
		}
		ids = append(ids, copied)
	}
	if c.major < 18 {
		return ids[0], nil
	}
	return ids, nil
}

func nameSearch(c *call) (any, error) {
	if err := c.allow(c.t, "read"); err != nil {
		return nil, err
	}
	domain := c.args["domain"]
	if c.major < 19 {
		domain = c.args["args"]
	}
	ids, err := c.namesLike(c.text("name"), domain, c.text("operator"), c.args["limit"])
	if err != nil {
		return nil, err
	}
	pairs := make([]any, len(ids))
	for i, id := range ids {
		pairs[i] = []any{id, c.display(c.t, id)}
	}
	return pairs, nil
}

func (c *call) namesLike(name string, domain any, operator string, limit any) ([]int64, error) {
	if !truthy(domain) {
		domain = nil
	}
	all, err := c.search(c.t, domain, 0, 0, nil)
	if err != nil {
		return nil, err
	}
	most := int64(100)
	if limit != nil {
		most, _ = intOf(limit)
	}
	ids := make([]int64, 0, 8)
	for _, id := range all {
		part := operator == "" || strings.HasSuffix(operator, "like")
		if name == "" || c.called(id, name, part, operator) {
			if ids = append(ids, id); most > 0 && int64(len(ids)) == most {
				break
			}
		}
	}
	return ids, nil
}

func (c *call) called(id int64, name string, part bool, operator string) bool {
	found := c.env.named(c.t, id, name, part)
	return found != strings.HasPrefix(operator, "not ")
}

func nameGet(c *call) (any, error) {
	if err := c.existing(); err != nil {
		return nil, err
	}
	if err := c.allow(c.t, "read"); err != nil {
		return nil, err
	}
	pairs := make([]any, len(c.ids))
	for i, id := range c.ids {
		pairs[i] = []any{id, c.display(c.t, id)}
	}
	return pairs, nil
}

func nameCreate(c *call) (any, error) {
	id, err := c.create(c.t, map[string]any{"name": c.args["name"]})
	if err != nil {
		return nil, err
	}
	return []any{id, c.display(c.t, id)}, nil
}

func fieldsGet(c *call) (any, error) {
	if err := c.allow(c.t, "read"); err != nil && !c.may(c.t.model, "write") {
		return nil, err
	}
	return c.describe(c.t, stringsOf(c.args["allfields"]), stringsOf(c.args["attributes"])), nil
}

func defaultGet(c *call) (any, error) {
	list := c.args["fields"]
	if c.major < 19 {
		list = c.args["fields_list"]
	}
	return c.defaultValues(stringsOf(list)), nil
}

// defaultValues are the defaults of fields. Until 15.0 more of them were
// defaults, which are computed since.
func (c *call) defaultValues(fields []string) object {
	c.stamp = c.now().UTC().Format("2006-01-02 15:04:05")
	defaults := c.defaults(c.t)
	out := object{}
	for _, name := range fields {
		v, ok := defaults[name]
		if !ok || c.major >= 16 && (name == "user_id" || name == "pricelist_id" || name == "team_id" || name == "currency_id" && c.t.model == "sale.order") {
			continue
		}
		out = append(out, member{name, v})
	}
	return out
}

func onchange(c *call) (any, error) {
	values := dictOf(c.args["values"])
	specification := c.args["fields_spec"]
	if c.major < 17 {
		specification = c.args["field_onchange"]
	}
	value := object{}
	asked := slices.Sorted(maps.Keys(dictOf(specification)))
	product, _ := intOf(values["product_id"])
	if strings.HasSuffix(c.t.model, ".line") && product != 0 && c.get("product.product").rows[product] != nil {
		filled := map[string]any{"product_id": product}
		c.stamp = c.now().UTC().Format("2006-01-02 15:04:05")
		fill := newLine
		if c.t.model == "account.move.line" {
			fill = newMoveLine
		}
		if err := fill(c.env, c.t, filled); err != nil {
			return nil, err
		}
		for _, name := range asked {
			if v, ok := filled[name]; ok && name != "product_id" {
				value = append(value, member{name, c.changedValue(name, v)})
			}
		}
	} else if len(c.ids) == 0 && len(values) == 0 && c.major >= 14 {
		defaults := c.defaultValues(asked)
		for _, name := range asked {
			f, ok := c.t.fields[name]
			if !ok || f.Type == "one2many" || f.Type == "many2many" {
				continue
			}
			v := defaults.get(name)
			if v == nil {
				v = false
			}
			value = append(value, member{name, c.changedValue(name, v)})
		}
	}
	return object{{"value", value}}, nil
}

// changedValue writes a value as onchange does: a many2one with its name.
func (c *call) changedValue(name string, v any) any {
	f := c.t.fields[name]
	id, ok := v.(int64)
	if f.Type != "many2one" || !ok || id == 0 {
		return v
	}
	display := c.displayOr(c.get(f.Relation), f.Relation, id)
	if c.major >= 17 {
		return object{{"id", id}, {"display_name", display}}
	}
	return []any{id, display}
}

func metadata(c *call) (any, error) {
	records := make([]object, 0, len(c.ids))
	for _, id := range c.ids {
		r := c.t.rows[id]
		if r == nil {
			continue
		}
		users := c.get("res.users")
		pair := func(field string) any {
			uid, _ := r[field].(int64)
			return []any{uid, c.display(users, uid)}
		}
		created, _ := r["create_date"].(string)
		written, _ := r["write_date"].(string)
		xmlid := any(false)
		if s := c.xmlidOf(c.t.model, id); s != "" {
			xmlid = s
		}
		record := object{{"id", id}, {"create_uid", pair("create_uid")}, {"create_date", seconds(created)}, {"write_uid", pair("write_uid")}, {"write_date", seconds(written)}, {"xmlid", xmlid}, {"noupdate", false}}
		if c.major >= 16 {
			record = append(record, member{"xmlids", []any{}})
		}
		records = append(records, record)
	}
	return records, nil
}

func exportData(c *call) (any, error) {
	rows := []any{}
	for _, id := range c.ids {
		if c.t.rows[id] == nil {
			continue
		}
		var cells []any
		for _, path := range stringsOf(c.args["fields_to_export"]) {
			cells = append(cells, c.exported(c.t, id, strings.Split(path, "/")))
		}
		rows = append(rows, cells)
	}
	return object{{"datas", rows}}, nil
}

func (c *call) exported(t *table, id int64, path []string) any {
	switch name := path[0]; {
	case name == ".id":
		return strconv.FormatInt(id, 10)
	case name == "id":
		if s := c.xmlidOf(t.model, id); s != "" {
			return s
		}
		return fmt.Sprintf("__export__.%s_%d_0a1b2c3d", tableName(t.model), id)
	case len(path) > 1:
		target := c.get(t.fields[name].Relation)
		other := c.ref(t, id, name)
		if target == nil || target.rows[other] == nil {
			if c.major == 13 {
				return false
			}
			return ""
		}
		return c.exported(target, other, path[1:])
	default:
		v := c.shown(t, id, name, readOptions{})
		if pair, ok := v.([]any); ok && len(pair) == 2 {
			return pair[1]
		}
		if v == false && t.fields[name].Type != "boolean" {
			return ""
		}
		return v
	}
}

// load is the import of a table, all or nothing.
func load(c *call) (any, error) {
	fields := stringsOf(c.args["fields"])
	messages, ids := []any{}, []int64{}
	for i, line := range listOf(c.args["data"]) {
		values := map[string]any{}
		for j, cell := range listOf(line) {
			if j < len(fields) && fields[j] != "id" && truthy(cell) {
				values[fields[j]] = cell
			}
		}
		id, err := c.create(c.t, values)
		if err != nil {
			text := err.Error()
			if x := (*exception)(nil); errors.As(err, &x) {
				text = strings.TrimPrefix(x.text, "The operation cannot be completed: ")
			}
			messages = append(messages, object{{"rows", object{{"from", int64(i)}, {"to", int64(i)}}}, {"record", int64(i)}, {"type", "error"}, {"message", text}})
			continue
		}
		ids = append(ids, id)
	}
	if len(messages) > 0 {
		c.rollback()
		return object{{"ids", false}, {"messages", messages}, {"nextrow", int64(0)}}, nil
	}
	return object{{"ids", ids}, {"messages", messages}, {"nextrow", int64(0)}}, nil
}

func archive(active bool) func(c *call) (any, error) {
	return func(c *call) (any, error) {
		return nil, c.write(c.t, c.ids, map[string]any{"active": active})
	}
}

func messagePost(c *call) (any, error) {
	id, err := c.one()
	if err != nil {
		return nil, err
	}
	body := c.text("body")
	if c.major >= 17 {
		body = html.EscapeString(body)
	}
	kind := c.text("message_type")
	if kind == "" {
		kind = "notification"
	}
	messages := c.get("mail.message")
	values := map[string]any{"model": c.t.model, "res_id": id, "body": body, "message_type": kind, "record_name": c.display(c.t, id)}
	if s := c.text("subject"); s != "" {
		values["subject"] = s
	}
	if list := listOf(c.args["attachment_ids"]); len(list) > 0 {
		values["attachment_ids"] = []any{[]any{int64(6), int64(0), list}}
	}
	var message int64
	err = c.sudo(func() error {
		var err error
		message, err = c.create(messages, values)
		return err
	})
	if err != nil {
		return nil, err
	}
	if c.major >= 19 {
		return []int64{message}, nil
	}
	return message, nil
}

func filteredDomain(c *call) (any, error) {
	match, err := c.domain(c.t, c.args["domain"])
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, id := range c.ids {
		if c.t.rows[id] != nil && match(c.env, c.t, id) {
			ids = append(ids, id)
		}
	}
	return recordset{c.t.model, ids}, nil
}

func mapped(c *call) (any, error) {
	name := c.text("func")
	f, ok := c.t.fields[name]
	if !ok {
		return nil, raise(keyError, "%s", name)
	}
	var values []any
	var ids []int64
	for _, id := range c.ids {
		if f.Relation != "" {
			ids = append(ids, c.related(c.t, id, name)...)
			continue
		}
		values = append(values, c.shown(c.t, id, name, readOptions{}))
	}
	if f.Relation != "" {
		return recordset{f.Relation, ids}, nil
	}
	return values, nil
}

func (e *env) userContext() object {
	o := object{{"lang", "en_US"}, {"tz", "Europe/Brussels"}}
	if e.major != 14 && e.major != 15 {
		o = append(o, member{"uid", e.uid()})
	}
	return o
}

// hasGroup tells whether a user has a group, by the group's external id.
func (e *env) hasGroup(user *account, group string) bool {
	switch user.role {
	case RoleAdmin:
		return true
	case RoleUser:
		return group != "base.group_system" && group != "base.group_erp_manager" && !strings.HasPrefix(group, "base.group_portal")
	}
	return group == "base.group_user"
}

func externalID(shape string) func(c *call) (any, error) {
	return func(c *call) (any, error) {
		xmlid := c.text("xmlid")
		if c.has("module") {
			xmlid = c.text("module") + "." + c.text("xml_id")
		}
		for _, id := range c.t.ids {
			r := c.t.rows[id]
			if fmt.Sprint(r["module"], ".", r["name"]) != xmlid {
				continue
			}
			if shape == "id" {
				return r["res_id"], nil
			}
			return []any{r["model"], r["res_id"]}, nil
		}
		if shape == "id" {
			return false, nil
		}
		return nil, raise(valueError, "External ID not found in the system: %s", xmlid)
	}
}

func (e *env) xmlidOf(model string, id int64) string {
	t := e.get("ir.model.data")
	for _, at := range t.ids {
		if r := t.rows[at]; r["model"] == model && r["res_id"] == id {
			return fmt.Sprint(r["module"], ".", r["name"])
		}
	}
	return ""
}

func addressGet(c *call) (any, error) {
	kinds := stringsOf(c.args["adr_pref"])
	if !slices.Contains(kinds, "contact") {
		kinds = append(kinds, "contact")
	}
	out := map[string]any{}
	for _, id := range c.ids {
		for _, kind := range kinds {
			out[kind] = id
			for _, child := range c.children(c.t, id, "child_ids") {
				if c.t.rows[child]["type"] == kind && kind != "contact" {
					out[kind] = child
				}
			}
		}
	}
	return out, nil
}

func cancelSale(e *env, t *table, ids []int64) (any, error) {
	for _, id := range ids {
		if t.rows[id]["locked"] == true {
			return nil, raise(userError, "You cannot cancel a locked order. Please unlock it first.")
		}
		if t.rows[id]["state"] != "draft" && e.major >= 16 && e.major <= 18 && e.context["disable_cancel_warning"] != true {
			wizard := object{{"default_template_id", int64(1)}, {"default_order_id", id}, {"mark_so_as_canceled", true}, {"default_email_layout_xmlid", "mail.mail_notification_layout"}, {"model_description", "Sales Order"}}
			if e.major == 16 {
				wizard = append(object{{"default_use_template", true}}, wizard...)
			}
			return object{{"name", "Cancel Sales Order"}, {"view_mode", "form"}, {"res_model", "sale.order.cancel"}, {"view_id", int64(1)}, {"type", "ir.actions.act_window"}, {"context", wizard}, {"target", "new"}}, nil
		}
		e.setState(t, id, map[string]any{"state": "cancel", "invoice_status": "no"})
		for _, picking := range e.deliveries(t, id) {
			if e.get("stock.picking").rows[picking]["state"] != "done" {
				e.setPicking(picking, "cancel")
			}
		}
	}
	return true, nil
}

// deliveries are the transfers made for an order.
func (e *env) deliveries(t *table, id int64) []int64 {
	pickings := e.get("stock.picking")
	var ids []int64
	for _, p := range pickings.ids {
		if pickings.rows[p]["origin"] == t.rows[id]["name"] {
			ids = append(ids, p)
		}
	}
	return ids
}

// lockSale returns nothing, which XML-RPC can't say.
func lockSale(lock bool) func(e *env, t *table, ids []int64) (any, error) {
	return func(e *env, t *table, ids []int64) (any, error) {
		for _, id := range ids {
			switch {
			case t.fields["locked"].Type != "":
				e.setState(t, id, map[string]any{"state": t.rows[id]["state"], "locked": lock})
			case lock:
				e.setState(t, id, map[string]any{"state": "done"})
			default:
				e.setState(t, id, map[string]any{"state": "sale"})
			}
		}
		return nil, nil
	}
}

func viewInvoice(c *call) (any, error) {
	id, err := c.one()
	if err != nil {
		return nil, err
	}
	kind, term, origin := "default_move_type", any(nil), c.t.rows[id]["name"]
	if c.major == 13 {
		kind, term, origin = "default_type", false, []any{origin}
	}
	partner := c.ref(c.t, id, "partner_id")
	context := object{{kind, "out_invoice"}, {"default_partner_id", partner}, {"default_partner_shipping_id", partner}, {"default_invoice_payment_term_id", term}}
	if c.major <= 18 {
		context = append(context, member{"default_invoice_origin", origin})
	}
	if c.major == 13 || c.major == 15 {
		context = append(context, member{"default_user_id", c.ref(c.t, id, "user_id")})
	}
	return object{{"type", "ir.actions.act_window_close"}, {"context", context}}, nil
}

func stateSetter(state string, result any) func(e *env, t *table, ids []int64) (any, error) {
	return func(e *env, t *table, ids []int64) (any, error) {
		for _, id := range ids {
			e.setState(t, id, map[string]any{"state": state})
		}
		return result, nil
	}
}

func postMoves(e *env, t *table, ids []int64) (any, error) {
	for _, id := range ids {
		r := t.rows[id]
		if r["state"] == "posted" {
			return nil, raise(userError, "The entry %s (id %d) must be in draft.", e.display(t, id), id)
		}
		kind := e.text(t, id, e.field(t.model, "move_type"))
		if kind != "entry" && r["partner_id"] == nil {
			return nil, raise(userError, "The field 'Customer' is required, please complete it to validate the Customer Invoice.")
		}
		if kind != "entry" && len(e.moveLines(id)) == 0 {
			return nil, raise(userError, "You need to add a line before posting.")
		}
		values := map[string]any{"state": "posted", "posted_before": true}
		date := seconds(e.stamp)[:10]
		if r["invoice_date"] == nil && kind != "entry" {
			values["invoice_date"] = date
		}
		if name := e.text(t, id, "name"); name == "" || name == "/" {
			prefix := map[string]string{"out_invoice": "INV", "out_refund": "RINV", "in_invoice": "BILL", "in_refund": "RBILL"}[kind]
			if prefix == "" {
				prefix = "MISC"
			}
			n := e.number("account.move." + prefix)
			switch e.major {
			case 13:
				values["name"] = fmt.Sprintf("%s/%s/%04d", prefix, date[:4], n)
			case 14:
				values["name"] = fmt.Sprintf("%s/%s/%s/%04d", prefix, date[:4], date[5:7], n)
			default:
				values["name"] = fmt.Sprintf("%s/%s/%05d", prefix, date[:4], n)
			}
		}
		for name := range values {
			if t.fields[name].Type == "" {
				delete(values, name)
			}
		}
		e.setState(t, id, values)
	}
	if e.major == 13 {
		return true, nil
	}
	return false, nil
}

// moveLines lists the lines of a journal entry.
func (e *env) moveLines(id int64) []int64 {
	return e.get("account.move.line").children["move_id"][id]
}

// validatePicking is button_validate: until 16.0 it asks first what to do with
// a transfer whose quantities nobody entered.
func validatePicking(e *env, t *table, ids []int64) (any, error) {
	moves := e.get("stock.move")
	done := e.field("stock.move", "quantity")
	for _, id := range ids {
		if t.rows[id]["state"] == "done" {
			return nil, raise(userError, "You cannot validate a transfer that is done.")
		}
		lines := moves.children["picking_id"][id]
		if len(lines) == 0 {
			return nil, raise(userError, "Please add some items to move.")
		}
		entered := false
		for _, move := range lines {
			entered = entered || floatOf(moves.rows[move][done]) > 0
		}
		if !entered && e.major <= 16 {
			wizard := object{{"name", "Immediate Transfer?"}, {"type", "ir.actions.act_window"}, {"view_mode", "form"}, {"res_model", "stock.immediate.transfer"}, {"views", []any{[]any{int64(1), "form"}}}, {"view_id", int64(1)}, {"target", "new"}}
			if e.major == 13 {
				made, err := e.create(e.get("stock.immediate.transfer"), map[string]any{"pick_ids": []any{[]any{int64(4), id}}})
				return append(wizard, member{"res_id", made}, member{"context", object{}}), err
			}
			return append(wizard, member{"context", object{{"default_show_transfers", false}, {"default_pick_ids", []any{[]any{int64(4), id}}}, {"button_validate_picking_ids", ids}}}), nil
		}
		e.setPicking(id, "done")
	}
	return true, nil
}

func processWizard(e *env, t *table, ids []int64) (any, error) {
	for _, id := range ids {
		pickings, _ := t.rows[id]["pick_ids"].([]int64)
		if len(pickings) == 0 {
			for _, item := range listOf(e.context["button_validate_picking_ids"]) {
				if n, ok := intOf(item); ok {
					pickings = append(pickings, n)
				}
			}
		}
		for _, p := range pickings {
			if e.get("stock.picking").rows[p] != nil {
				e.setPicking(p, "done")
			}
		}
	}
	return true, nil
}
