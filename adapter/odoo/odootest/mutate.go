package odootest

import (
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
)

// delegated are fields that a model keeps with a related record.
var delegated = map[string]struct {
	link   string
	model  string
	fields map[string]bool
}{
	"res.company": {"partner_id", "res.partner", names("name email phone mobile street street2 city zip vat website country_id state_id image_1920")},
}

// magic are the fields that only the server writes.
var magic = names("id create_date create_uid write_date write_uid __last_update display_name complete_name")

// inverses write a computed field through to a stored one.
var inverses = map[string]func(v any) (string, any){
	"res.partner.company_type":     func(v any) (string, any) { return "is_company", v == "company" },
	"product.product.lst_price":    func(v any) (string, any) { return "list_price", v },
	"product.template.lst_price":   func(v any) (string, any) { return "list_price", v },
	"ir.attachment.raw":            func(v any) (string, any) { return "datas", v },
	"product.template.image_1024":  func(v any) (string, any) { return "image_1920", v },
	"res.users.new_password":       func(v any) (string, any) { return "password", v },
	"product.template.is_favorite": func(v any) (string, any) { return "is_favorite", v },
}

// create makes one record and returns its id.
func (e *env) create(t *table, values map[string]any) (int64, error) {
	if err := e.allow(t, "create"); err != nil {
		return 0, err
	}
	values = maps.Clone(values)
	if values == nil {
		values = map[string]any{}
	}
	if err := e.checkFields(t, values, true); err != nil {
		return 0, err
	}
	for name, v := range e.defaults(t) {
		if _, given := values[name]; !given && (name != "detailed_type" || values["type"] == nil) {
			values[name] = v
		}
	}
	prepare := beforeCreate[t.model]
	if prepare != nil {
		if err := prepare(e, t, values); err != nil {
			return 0, err
		}
	}
	// The record that this one contains comes first.
	if in, ok := inherits[t.model]; ok && !truthy(values[in.link]) {
		parent := e.get(in.parent)
		inner := map[string]any{}
		for name, v := range values {
			if _, ok := parent.fields[name]; ok && !ownFields[t.model][name] {
				inner[name] = v
				delete(values, name)
			}
		}
		if t.model == "product.product" {
			inner[withoutVariants] = true
		}
		if t.model == "product.product" && !truthy(inner["name"]) {
			return 0, e.lacking(parent, "name")
		}
		id, err := e.create(parent, inner)
		if err != nil {
			return 0, err
		}
		values[in.link] = id
	}
	if d, ok := delegated[t.model]; ok && !truthy(values[d.link]) {
		inner := map[string]any{"is_company": true}
		for name, v := range values {
			if d.fields[name] {
				inner[name] = v
				delete(values, name)
			}
		}
		id, err := e.create(e.get(d.model), inner)
		if err != nil {
			return 0, err
		}
		values[d.link] = id
	}
	skipVariants := truthy(values[withoutVariants])
	delete(values, withoutVariants)

	id := t.next
	t.next++
	r := row{"create_date": e.stamp, "create_uid": e.uid(), "write_date": e.stamp, "write_uid": e.uid()}
	for name, f := range t.fields {
		if f.Stored && f.Type == "boolean" {
			r[name] = false
		}
	}
	if t.fields["active"].Type == "boolean" {
		r["active"] = true
	}
	e.put(t, id, r)
	e.context = maps.Clone(e.context)
	if e.context == nil {
		e.context = map[string]any{}
	}
	e.context[creating] = true
	err := e.assign(t, id, values)
	delete(e.context, creating)
	if err != nil {
		return 0, err
	}
	if t.model == "product.template" && !skipVariants {
		inner := map[string]any{"product_tmpl_id": id}
		for _, name := range []string{"default_code", "barcode", "weight", "volume", "standard_price"} {
			if v, ok := values[name]; ok {
				inner[name] = v
			}
		}
		if err := e.sudo(func() error { _, err := e.create(e.get("product.product"), inner); return err }); err != nil {
			return 0, err
		}
	}
	if err := e.check(t, id, values); err != nil {
		return 0, err
	}
	if after := afterCreate[t.model]; after != nil {
		if err := after(e, t, id); err != nil {
			return 0, err
		}
	}
	return id, e.changed(t, id, values)
}

// withoutVariants keeps a template from making its own variant.
const withoutVariants = "odootest.without_variants"

func (e *env) check(t *table, id int64, values map[string]any) error {
	if err := e.checkRequired(t, id); err != nil {
		return err
	}
	if err := e.checkUnique(t, id); err != nil {
		return err
	}
	return e.checkCycle(t, id, values)
}

// checkFields refuses fields that the model lacks, in the version's words.
func (e *env) checkFields(t *table, values map[string]any, isNew bool) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, ok := t.fields[name]; ok || strings.HasPrefix(name, "odootest.") {
			continue
		}
		switch {
		case e.major >= 19 && isNew:
			return raise(valueError, "Invalid field '%s' in '%s'", name, t.model)
		case e.major >= 19, e.major == 13 && !isNew:
			return raise(keyError, "%s", name)
		case e.major == 13:
			delete(values, name)
			continue
		}
		return raise(valueError, "Invalid field '%s' on model '%s'", name, t.model)
	}
	return nil
}

// write changes records.
func (e *env) write(t *table, ids []int64, values map[string]any) error {
	if len(ids) == 0 {
		return nil
	}
	if err := e.allow(t, "write"); err != nil {
		return err
	}
	for _, id := range ids {
		if t.rows[id] == nil {
			return missing(t.model, id, e.uid())
		}
		if err := e.allowRow(t, id, "write"); err != nil {
			return err
		}
	}
	values = maps.Clone(values)
	if err := e.checkFields(t, values, false); err != nil {
		return err
	}
	for _, id := range ids {
		if t.model == "res.partner" && values["active"] == false {
			if err := e.partnerInUse(t, id, "archive"); err != nil {
				return err
			}
		}
		if err := e.assign(t, id, values); err != nil {
			return err
		}
		if err := e.check(t, id, values); err != nil {
			return err
		}
		if err := e.changed(t, id, values); err != nil {
			return err
		}
	}
	return nil
}

// assign stores values in a record: plain ones at once, those of related
// records and x2many commands after.
func (e *env) assign(t *table, id int64, values map[string]any) error {
	r := maps.Clone(t.rows[id])
	r["write_date"], r["write_uid"] = e.stamp, e.uid()
	type command struct {
		name  string
		field schemas.Field
		value any
	}
	var commands []command
	through := map[string]map[string]any{} // link to values of the record behind it
	behind := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := values[name]
		if magic[name] {
			continue
		}
		if inverse := inverses[t.model+"."+name]; inverse != nil {
			name, v = inverse(v)
		}
		if in, ok := inherits[t.model]; ok && !ownFields[t.model][name] {
			if _, ok := e.get(in.parent).fields[name]; ok {
				if through[in.link] == nil {
					through[in.link] = map[string]any{}
				}
				through[in.link][name] = v
				behind[in.link] = in.parent
				continue
			}
		}
		if d, ok := delegated[t.model]; ok && d.fields[name] {
			if through[d.link] == nil {
				through[d.link] = map[string]any{}
			}
			through[d.link][name] = v
			behind[d.link] = d.model
			continue
		}
		f := t.fields[name]
		if f.Type == "one2many" || f.Type == "many2many" {
			commands = append(commands, command{name, f, v})
			continue
		}
		stored, err := e.convert(t, name, f, v)
		if err != nil {
			return err
		}
		if lang := e.translation(); lang != "" && f.Translate && r[name] != nil {
			name += "@" + lang
		}
		r[name] = stored
	}
	// From 15.0 to 17.0 a product had its type twice.
	if t.model == "product.template" && t.fields["detailed_type"].Type != "" {
		if _, ok := values["detailed_type"]; ok {
			r["type"] = r["detailed_type"]
		} else if _, ok := values["type"]; ok {
			r["detailed_type"] = r["type"]
		}
	}
	e.put(t, id, r)
	for link, inner := range through {
		target, _ := r[link].(int64)
		if target == 0 {
			continue
		}
		if err := e.sudo(func() error { return e.write(e.get(behind[link]), []int64{target}, inner) }); err != nil {
			return err
		}
	}
	for _, c := range commands {
		if err := e.command(t, id, c.name, c.field, c.value); err != nil {
			return err
		}
	}
	if t.model == "product.template" {
		return e.shareWithVariant(t, id, values)
	}
	return nil
}

// variantFields are the fields of a template that are those of its variant,
// as long as it has but one.
var variantFields = []string{"default_code", "barcode", "weight", "volume", "standard_price"}

func (e *env) shareWithVariant(t *table, id int64, values map[string]any) error {
	shared := map[string]any{}
	for _, name := range variantFields {
		if v, ok := values[name]; ok {
			shared[name] = v
		}
	}
	variants := e.get("product.product").children["product_tmpl_id"][id]
	if active, ok := values["active"]; ok {
		if err := e.sudo(func() error {
			return e.write(e.get("product.product"), variants, map[string]any{"active": active})
		}); err != nil {
			return err
		}
	}
	if len(shared) == 0 || len(variants) != 1 {
		return nil
	}
	return e.sudo(func() error { return e.write(e.get("product.product"), variants, shared) })
}

// command carries out a written x2many value. Lists of ids are as good as a
// set command; an empty list does nothing; false and a lone 5 clear.
func (e *env) command(t *table, id int64, name string, f schemas.Field, v any) error {
	target := e.get(f.Relation)
	if target == nil {
		return nil
	}
	list := listOf(v)
	switch v.(type) {
	case nil, bool:
		return e.replace(t, id, name, f, nil)
	case []any, []int64:
	default:
		return raise(valueError, "Wrong value for %s.%s: %s", t.model, name, repr(v))
	}
	var plainIDs []int64
	for _, item := range list {
		if n, ok := item.(int64); ok {
			plainIDs = append(plainIDs, n)
		}
	}
	if len(plainIDs) > 0 {
		return e.replace(t, id, name, f, plainIDs)
	}
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			item = []any{int64(0), int64(0), m}
		}
		cmd := listOf(item)
		if len(cmd) == 0 {
			continue
		}
		op, _ := intOf(cmd[0])
		arg := func(i int) any {
			if i < len(cmd) {
				return cmd[i]
			}
			return nil
		}
		other, _ := intOf(arg(1))
		var err error
		switch op {
		case 0:
			values := maps.Clone(dictOf(arg(2)))
			if values == nil {
				values = map[string]any{}
			}
			if f.Type == "one2many" {
				values[f.Inverse] = id
				if f.Inverse == "res_id" {
					if _, ok := target.fields["res_model"]; ok {
						values["res_model"] = t.model
					}
				}
			}
			var made int64
			if made, err = e.create(target, values); err == nil && f.Type == "many2many" {
				e.link(t, id, name, made)
			}
		case 1:
			err = e.write(target, []int64{other}, dictOf(arg(2)))
		case 2:
			err = e.unlink(target, []int64{other})
		case 3:
			err = e.unlinkFrom(t, id, name, f, []int64{other})
		case 4:
			err = e.linkTo(t, id, name, f, []int64{other})
		case 5:
			err = e.replace(t, id, name, f, nil)
		case 6:
			var ids []int64
			for _, item := range listOf(arg(2)) {
				if n, ok := intOf(item); ok {
					ids = append(ids, n)
				}
			}
			err = e.replace(t, id, name, f, ids)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// replace makes ids the whole of an x2many.
func (e *env) replace(t *table, id int64, name string, f schemas.Field, ids []int64) error {
	var gone []int64
	for _, other := range e.all(t, id, name, f) {
		if !slices.Contains(ids, other) {
			gone = append(gone, other)
		}
	}
	if err := e.unlinkFrom(t, id, name, f, gone); err != nil {
		return err
	}
	return e.linkTo(t, id, name, f, ids)
}

// all returns the ids of an x2many, archived ones among them.
func (e *env) all(t *table, id int64, name string, f schemas.Field) []int64 {
	if f.Type == "many2many" {
		ids, _ := t.rows[id][name].([]int64)
		return ids
	}
	return e.get(f.Relation).children[f.Inverse][id]
}

func (e *env) link(t *table, id int64, name string, other int64) {
	ids, _ := t.rows[id][name].([]int64)
	r := maps.Clone(t.rows[id])
	r[name] = with(slices.Clip(ids), other)
	e.put(t, id, r)
}

func (e *env) linkTo(t *table, id int64, name string, f schemas.Field, ids []int64) error {
	target := e.get(f.Relation)
	for _, other := range ids {
		if target.rows[other] == nil {
			if f.Type == "many2many" {
				return foreignKey(e.major, nil, tableName(t.model)+"_"+tableName(f.Relation)+"_rel_"+strings.TrimSuffix(name, "_ids")+"_fkey", name)
			}
			return missing(f.Relation, other, e.uid())
		}
		if f.Type == "many2many" {
			e.link(t, id, name, other)
		} else if ref(target, other, f.Inverse) != id {
			if err := e.write(target, []int64{other}, map[string]any{f.Inverse: id}); err != nil {
				return err
			}
		}
	}
	return nil
}

// unlinkFrom takes records out of an x2many. Lines that can't be without
// their parent are deleted.
func (e *env) unlinkFrom(t *table, id int64, name string, f schemas.Field, ids []int64) error {
	if f.Type == "many2many" {
		current, _ := t.rows[id][name].([]int64)
		r := maps.Clone(t.rows[id])
		for _, other := range ids {
			current = without(current, other)
		}
		r[name] = current
		e.put(t, id, r)
		return nil
	}
	target := e.get(f.Relation)
	for _, other := range ids {
		if target.rows[other] == nil || ref(target, other, f.Inverse) != id {
			continue
		}
		var err error
		if target.fields[f.Inverse].Required {
			err = e.unlink(target, []int64{other})
		} else {
			err = e.write(target, []int64{other}, map[string]any{f.Inverse: false})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unlink deletes records.
func (e *env) unlink(t *table, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	if err := e.allow(t, "unlink"); err != nil {
		return err
	}
	for _, id := range ids {
		if t.rows[id] == nil {
			if e.major == 13 {
				continue
			}
			return missing(t.model, id, e.uid())
		}
	}
	for _, id := range ids {
		if t.rows[id] == nil {
			continue
		}
		if err := e.allowRow(t, id, "unlink"); err != nil {
			return err
		}
		if err := e.beforeUnlink(t, id); err != nil {
			return err
		}
		for _, c := range cascading[t.model] {
			child := e.get(c[0])
			for _, other := range e.referring(c[0], c[1], id) {
				if err := e.sudo(func() error { return e.unlink(child, []int64{other}) }); err != nil {
					return err
				}
			}
		}
		for _, c := range restricting[t.model] {
			field := e.field(c[0], c[1])
			if len(e.referring(c[0], c[1], id)) == 0 {
				continue
			}
			if t.model == "product.category" && e.major >= 19 {
				continue // the category of a product may be empty there
			}
			return foreignKey(e.major, e.get(c[0]), constraintName(c[0], field), field)
		}
		old := t.rows[id]
		e.detach(t, id)
		e.put(t, id, nil)
		if in, ok := inherits[t.model]; ok && t.model == "product.product" {
			link, _ := old[in.link].(int64)
			if parent := e.get(in.parent); parent.rows[link] != nil && len(t.children[in.link][link]) == 0 {
				e.put(parent, link, nil)
			}
		}
		if parent := totalsOf[t.model]; parent != "" {
			if err := e.recompute(t, old); err != nil {
				return err
			}
		}
	}
	return nil
}

// detach empties the many2ones and many2manys that lead to a record.
func (e *env) detach(t *table, id int64) {
	for _, other := range e.models {
		for name, f := range other.fields {
			if f.Relation != t.model || !f.Stored {
				continue
			}
			switch f.Type {
			case "many2one":
				for _, child := range e.referring(other.model, name, id) {
					r := maps.Clone(other.rows[child])
					delete(r, name)
					e.put(other, child, r)
				}
			case "many2many":
				for _, child := range other.ids {
					if ids, _ := other.rows[child][name].([]int64); slices.Contains(ids, id) {
						r := maps.Clone(other.rows[child])
						r[name] = without(ids, id)
						e.put(other, child, r)
					}
				}
			}
		}
	}
}

// uncopied are fields that a copy does not take over, besides those that only
// the server writes.
var uncopied = map[string]map[string]bool{
	"sale.order":       names("name state date_order invoice_status signed_by signed_on commitment_date origin reference client_order_ref locked"),
	"purchase.order":   names("name state date_order date_approve origin partner_ref"),
	"account.move":     names("name state date invoice_date payment_state invoice_date_due ref payment_reference"),
	"stock.picking":    names("name state date_done origin"),
	"stock.move":       names("state date"),
	"product.template": names("barcode default_code"),
	"product.product":  names("barcode default_code product_tmpl_id"),
	"res.users":        names("login password partner_id"),
	"res.partner":      names("vat user_ids"),
}

// copiedLines are the one2manys that a copy takes over, as copies.
var copiedLines = map[string]string{"sale.order": "order_line", "purchase.order": "order_line", "account.move": "invoice_line_ids"}

// copyRecord duplicates a record.
func (e *env) copyRecord(t *table, id int64, override map[string]any) (int64, error) {
	if t.rows[id] == nil {
		return 0, missing(t.model, id, e.uid())
	}
	values := map[string]any{}
	for name, f := range t.fields {
		if magic[name] || uncopied[t.model][name] || !f.Stored || t.computes[name] != nil || t.model == "product.template" && slices.Contains(variantFields, name) {
			continue
		}
		switch f.Type {
		case "one2many":
		case "many2many":
			if ids, _ := t.rows[id][name].([]int64); len(ids) > 0 {
				values[name] = []any{[]any{int64(6), int64(0), listOf(ids)}}
			}
		default:
			if v := t.rows[id][name]; v != nil {
				values[name] = stripped(v)
			}
		}
	}
	if in, ok := inherits[t.model]; ok {
		parent := e.get(in.parent)
		link := ref(t, id, in.link)
		for name, f := range parent.fields {
			if v := parent.rows[link][name]; v != nil && f.Stored && f.Type != "one2many" && f.Type != "many2many" && !ownFields[t.model][name] && !magic[name] && t.fields[name].Type != "" && !uncopied[t.model][name] && !slices.Contains(variantFields, name) {
				values[name] = stripped(v)
			}
		}
	}
	if f := t.fields["name"]; f.Type == "char" && !uncopied[t.model]["name"] {
		values["name"] = e.text(t, id, "name") + " (copy)"
	}
	if lines := copiedLines[t.model]; lines != "" {
		f := t.fields[lines]
		child := e.get(f.Relation)
		var commands []any
		for _, line := range e.children(t, id, lines) {
			inner := map[string]any{}
			for name, lf := range child.fields {
				v := child.rows[line][name]
				if v == nil || !lf.Stored || magic[name] || name == f.Inverse || lf.Type == "one2many" || lf.Readonly && !lf.Required || name == "state" {
					continue
				}
				if ids, ok := v.([]int64); ok {
					inner[name] = []any{[]any{int64(6), int64(0), listOf(ids)}}
				} else {
					inner[name] = stripped(v)
				}
			}
			commands = append(commands, []any{int64(0), int64(0), inner})
		}
		values[lines] = commands
	}
	maps.Copy(values, override)
	return e.create(t, values)
}

// stripped cuts a time's hidden microseconds, so that it can be written.
func stripped(v any) any {
	if s, ok := v.(string); ok && len(s) == 26 && s[4] == '-' && s[10] == ' ' {
		return seconds(s)
	}
	return v
}
