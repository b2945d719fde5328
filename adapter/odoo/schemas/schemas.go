// Package schemas knows the fields of Odoo's common models in every version
// from 13.0 to 19.0, the other names that fields and models had in other
// versions, and nothing about any one database.
//
// The data are the files in data: a row per field and run of versions in which
// it is the same. Those of models listed in data/byhand.tsv were written by
// hand and hold only the fields that matter; all others were generated from
// what fields_get answers on a database with the modules contacts, product,
// sale, purchase, stock and account (see the test's -update flag).
package schemas

import (
	"maps"
	"slices"
	"strings"
)

// First and Last are the versions of Odoo that the data cover.
const (
	First = 13
	Last  = 19
)

// Field is a field of a model in one version.
type Field struct {
	Type       string // Odoo's word: "char", "many2one", ...
	Relation   string // the model that a relation leads to
	Inverse    string // the many2one behind a one2many
	Required   bool
	Readonly   bool
	Stored     bool
	Searchable bool
	Sortable   bool
	Translate  bool
	// Selection holds the keys of a selection, in order. It is empty where
	// they depend on the database.
	Selection []string
}

// Models lists the models whose fields are known, by the name of the newest
// version that has them, sorted.
func Models() []string {
	return slices.Sorted(maps.Keys(load().models))
}

// Complete reports whether all the fields are known that a model has on a
// database with the modules above. Of the others the data hold some.
func Complete(model string) bool {
	m, ok := load().models[canonical(model)]
	return ok && m.complete
}

// Fields returns the fields of a model in a version, nil where either is
// unknown or the version lacks the model. The model may go by the name of any
// version. The map is shared: do not change it.
func Fields(model string, major int) map[string]Field {
	if major < First || major > Last {
		return nil
	}
	m, ok := load().models[canonical(model)]
	if !ok {
		return nil
	}
	return m.versions[major-First]
}

// Known lists the versions whose model has the field, in ascending order.
func Known(model, field string) []int {
	m, ok := load().models[canonical(model)]
	if !ok {
		return nil
	}
	var versions []int
	for i, fields := range m.versions {
		if _, ok := fields[field]; ok {
			versions = append(versions, First+i)
		}
	}
	return versions
}

// Counterpart returns the name under which a version keeps what other versions
// keep in field, and whether there is one. It is field itself where the
// version has it. Only fields whose values carry over unchanged are
// counterparts: what needs a conversion has none.
//
// Two fields may share one counterpart (mobile and phone are both phone in
// 19.0): a caller that writes both must choose.
func Counterpart(model, field string, major int) (string, bool) {
	fields := Fields(model, major)
	if fields == nil {
		return "", false
	}
	if _, ok := fields[field]; ok {
		return field, true
	}
	// Renames form short chains; a breadth-first walk finds the nearest name
	// that the version has.
	edges := load().counterparts[canonical(model)]
	seen := map[string]bool{field: true}
	for queue := []string{field}; len(queue) > 0; queue = queue[1:] {
		for _, e := range edges {
			if major > e.until {
				continue
			}
			var next string
			switch {
			case e.old == queue[0]:
				next = e.new
			case e.new == queue[0] && !e.oneWay:
				next = e.old
			default:
				continue
			}
			if seen[next] {
				continue
			}
			seen[next] = true
			if _, ok := fields[next]; ok {
				return next, true
			}
			queue = append(queue, next)
		}
	}
	return "", false
}

// ModelName returns the name that a version has for a model, which may be
// given by the name of any version, and whether that version is known to have
// it. An unknown model keeps its name.
func ModelName(model string, major int) (string, bool) {
	if major < First || major > Last {
		return model, false
	}
	d := load()
	if names, ok := d.renames[model]; ok {
		name := names[major-First]
		if name == "" {
			return model, false
		}
		return name, true
	}
	m, ok := d.models[model]
	return model, ok && m.versions[major-First] != nil
}

// Label derives a label for people from the name of a field: "partner_id" is
// "Partner", "order_line" is "Order Line".
func Label(field string) string {
	words := strings.Split(field, "_")
	if n := len(words); n > 1 && (words[n-1] == "id" || words[n-1] == "ids") {
		words = words[:n-1]
	}
	label := make([]string, 0, len(words))
	for _, w := range words {
		if w != "" {
			label = append(label, strings.ToUpper(w[:1])+w[1:])
		}
	}
	if len(label) == 0 {
		return field
	}
	return strings.Join(label, " ")
}

// canonical returns the newest name of a model.
func canonical(model string) string {
	names, ok := load().renames[model]
	if !ok {
		return model
	}
	for _, name := range slices.Backward(names[:]) {
		if name != "" {
			return name
		}
	}
	return model
}
