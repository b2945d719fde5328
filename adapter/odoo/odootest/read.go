package odootest

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
)

// readOptions say how values are written.
type readOptions struct {
	bare bool // a many2one as its id instead of a pair
}

// read returns records in the order of ids; missing ones are left out.
func (e *env) read(t *table, ids []int64, fields []string, o readOptions) ([]object, error) {
	if err := e.allow(t, "read"); err != nil {
		return nil, err
	}
	fields, err := e.readable(t, fields, len(ids) > 0)
	if err != nil {
		return nil, err
	}
	records := make([]object, 0, len(ids))
	onlyID := len(fields) == 1 && fields[0] == "id"
	for _, id := range ids {
		if t.rows[id] == nil {
			if onlyID {
				records = append(records, object{{"id", id}})
			}
			continue
		}
		if err := e.allowRow(t, id, "read"); err != nil {
			return nil, err
		}
		record := make(object, 1, len(fields)+1)
		record[0] = member{"id", id}
		for _, name := range fields {
			if name != "id" {
				record = append(record, member{name, e.shown(t, id, name, o)})
			}
		}
		records = append(records, record)
	}
	return records, nil
}

// readable checks the fields of a read. Until 16.0 nobody looked at them while
// there was no record to read.
func (e *env) readable(t *table, fields []string, rows bool) ([]string, error) {
	if len(fields) == 0 {
		all := make([]string, 0, len(t.names))
		for _, name := range t.names {
			if e.allowField(t, name) == nil {
				all = append(all, name)
			}
		}
		return all, nil
	}
	unique := make([]string, 0, len(fields))
	for _, name := range fields {
		if _, ok := t.fields[name]; !ok {
			if rows || e.major >= 17 {
				return nil, e.unknownField(t, name)
			}
			continue
		}
		if err := e.allowField(t, name); err != nil {
			return nil, err
		}
		if !slices.Contains(unique, name) {
			unique = append(unique, name)
		}
	}
	return unique, nil
}

func (e *env) unknownField(t *table, name string) error {
	switch {
	case e.major >= 19:
		return raise(valueError, "Invalid field '%s' on '%s'", name, t.model)
	case e.major == 13:
		return raise(keyError, "%s", name)
	}
	return raise(valueError, "Invalid field '%s' on model '%s'", name, t.model)
}

// shown writes a field's value as read does: false for empty.
func (e *env) shown(t *table, id int64, name string, o readOptions) any {
	f := t.fields[name]
	v := e.value(t, id, name)
	switch f.Type {
	case "many2one":
		n, _ := v.(int64)
		if n == 0 {
			return false
		}
		if o.bare {
			return n
		}
		target := e.get(f.Relation)
		return []any{n, e.displayOr(target, f.Relation, n)}
	case "one2many":
		ids, _ := v.([]int64)
		if ids == nil {
			ids = []int64{}
		}
		return ids
	case "many2many":
		ids, _ := v.([]int64)
		if target := e.get(f.Relation); target != nil {
			ids = e.visible(target, ids)
		}
		if ids == nil {
			ids = []int64{}
		}
		return ids
	case "binary":
		s, _ := v.(string)
		if s == "" {
			return false
		}
		if e.context["bin_size"] == true || e.context["bin_size_"+name] == true {
			return humanSize(binarySize(s))
		}
		return s
	case "datetime":
		s, _ := v.(string)
		if s == "" {
			return false
		}
		return seconds(s)
	case "boolean":
		return v == true
	case "integer", "float", "monetary":
		if v == nil {
			return int64(0)
		}
		return v
	}
	if v == nil {
		return false
	}
	return v
}

// displayOr is the display name of a record, also of a model without records.
func (e *env) displayOr(t *table, model string, id int64) string {
	if t != nil && t.rows[id] != nil {
		return e.display(t, id)
	}
	return fmt.Sprintf("%s,%d", model, id)
}

func binarySize(encoded string) int {
	n := len(encoded) / 4 * 3
	for i := len(encoded); i > 0 && encoded[i-1] == '='; i-- {
		n--
	}
	return n
}

func humanSize(n int) string {
	units := []string{"bytes", "Kb", "Mb", "Gb"}
	size, unit := float64(n), 0
	for size >= 1024 && unit < len(units)-1 {
		size /= 1024
		unit++
	}
	return fmt.Sprintf("%.2f %s", size, units[unit])
}

func round2(f float64) float64 { return math.Round(f*100) / 100 }

// describe is fields_get.
func (e *env) describe(t *table, fields, attributes []string) object {
	var out object
	for _, name := range t.names {
		if len(fields) > 0 && !slices.Contains(fields, name) || e.allowField(t, name) != nil {
			continue
		}
		out = append(out, member{name, e.attributes(t, name, attributes)})
	}
	if out == nil {
		out = object{}
	}
	return out
}

func (e *env) attributes(t *table, name string, only []string) object {
	f := t.fields[name]
	all := object{
		{"type", f.Type}, {"string", e.translated(fieldLabel(t.model, name), t.model, name)}, {"name", name}, {"required", f.Required}, {"readonly", f.Readonly},
		{"store", f.Stored}, {"searchable", f.Searchable}, {"sortable", f.Sortable}, {"company_dependent", false}, {"change_default", false}, {"depends", []any{}}, {"manual", false},
	}
	switch f.Type {
	case "many2one", "one2many", "many2many":
		all = append(all, member{"relation", f.Relation}, member{"domain", []any{}}, member{"context", object{}})
		if f.Type == "one2many" {
			all = append(all, member{"relation_field", f.Inverse})
		}
	case "selection":
		var options []any
		for _, key := range e.selection(t.model, name, f) {
			options = append(options, []any{key, e.translated(optionLabel(key), t.model, name, key)})
		}
		if options == nil {
			options = []any{}
		}
		all = append(all, member{"selection", options})
	case "monetary":
		all = append(all, member{"currency_field", "currency_id"})
	case "float":
		all = append(all, member{"digits", []any{int64(16), int64(2)}})
	case "char":
		all = append(all, member{"translate", f.Translate}, member{"trim", true})
	case "text", "html":
		all = append(all, member{"translate", f.Translate})
	}
	if e.major >= 16 {
		all = append(all, member{"default_export_compatible", false})
	}
	if e.major >= 19 {
		all = append(all, member{"exportable", true}, member{"groupable", f.Stored})
	}
	if e.major < 18 {
		all = slices.DeleteFunc(all, func(m member) bool { return m.key == "name" })
	}
	if len(only) > 0 {
		all = slices.DeleteFunc(all, func(m member) bool { return !slices.Contains(only, m.key) })
	}
	return all
}

// translated is a label in the language of the call, or as it is.
func (e *env) translated(label string, key ...string) string {
	lang, _ := e.context["lang"].(string)
	if t := e.terms[lang][strings.Join(key, ",")]; t != "" {
		return t
	}
	return label
}

// optionLabel derives the label of a selection's key.
func optionLabel(key string) string {
	if l, ok := optionLabels[key]; ok {
		return l
	}
	return schemas.Label(key)
}

var optionLabels = map[string]string{"en_US": "English (US)", "draft": "Quotation", "sent": "Quotation Sent", "sale": "Sales Order", "cancel": "Cancelled", "done": "Locked", "consu": "Consumable", "product": "Storable Product", "person": "Individual"}
