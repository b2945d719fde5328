package odoo

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/bridgecore/bridgecore/adapter"
)

// Schemas are the models of one version by name.
type Schemas map[string]*adapter.Schema

// Snapshot returns the schemas of the common models in a version ("16.0"), and
// whether there are any of that version. They are what fields_get answered on
// servers of Odoo Community with the modules contacts, product, sale,
// purchase, stock and account, without labels: a server with other modules has
// more fields. The schemas are shared: do not change them.
func Snapshot(version string) (Schemas, bool) {
	i := slices.Index(Versions(), version)
	if i < 0 {
		return nil, false
	}
	return snapshots()[i], true
}

// Schema returns a model of the snapshot of a version, and whether it is known:
// what migrate.Lint asks for.
func Schema(version, model string) (*adapter.Schema, bool) {
	s, _ := Snapshot(version)
	schema, ok := s[model]
	return schema, ok
}

// Models lists the models of the snapshot, sorted.
func (s Schemas) Models() []string { return slices.Sorted(maps.Keys(s)) }

// snapshotText has a section for each model, "[name]", and in it a row for each
// field and run of versions in which it is the same: name, versions, type,
// flags, relation, inverse, keys of a selection; separated by tabs, trailing
// ones left out. The test's flag -update writes it.
//
//go:embed snapshot.tsv
var snapshotText string

// oldest is the first of the versions in snapshotText, which are written "13".
const oldest = 13

var snapshots = sync.OnceValue(func() []Schemas {
	all := make([]Schemas, len(Versions()))
	for i := range all {
		all[i] = Schemas{}
	}
	model := ""
	for line := range strings.Lines(snapshotText) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "[") {
			model = strings.Trim(line, "[]")
			continue
		}
		name, versions, f := parseField(line)
		for _, v := range versions {
			schemas := all[v-oldest]
			if schemas[model] == nil {
				schemas[model] = &adapter.Schema{Model: model, Fields: map[string]adapter.Field{}}
			}
			schemas[model].Fields[name] = f
		}
	}
	return all
})

// flags are the letters of a field's properties.
const flags = "rosftT"

func properties(f *adapter.Field) []*bool {
	return []*bool{&f.Required, &f.Readonly, &f.Stored, &f.Searchable, &f.Sortable, &f.Translate}
}

func parseField(line string) (string, []int, adapter.Field) {
	row := strings.Split(line, "\t")
	row = append(row, make([]string, max(0, 7-len(row)))...)
	f := adapter.Field{Type: adapter.FieldType(row[2]), Relation: row[4], Inverse: row[5]}
	f.Type, f.Native = fieldType(row[2])
	for i, p := range properties(&f) {
		*p = strings.Contains(row[3], flags[i:i+1])
	}
	if row[6] != "" {
		for key := range strings.SplitSeq(row[6], "|") {
			f.Selection = append(f.Selection, adapter.Option{Value: key, Label: key})
		}
	}
	return row[0], parseVersions(row[1]), f
}

func formatField(name string, versions []int, f adapter.Field) string {
	kind := string(f.Type)
	if f.Native != "" {
		kind = f.Native
	}
	var set strings.Builder
	for i, p := range properties(&f) {
		if *p {
			set.WriteByte(flags[i])
		}
	}
	keys := make([]string, len(f.Selection))
	for i, o := range f.Selection {
		keys[i] = o.Value
	}
	row := []string{name, formatVersions(versions), kind, set.String(), f.Relation, f.Inverse, strings.Join(keys, "|")}
	return strings.TrimRight(strings.Join(row, "\t"), "\t")
}

// fieldType returns a type for Odoo's word for it, and that word where it says
// more.
func fieldType(word string) (adapter.FieldType, string) {
	switch t := adapter.FieldType(word); {
	case slices.Contains(fieldTypes, t):
		return t, ""
	case word == "many2one_reference":
		return adapter.Integer, word
	default:
		return adapter.Unknown, word
	}
}

var fieldTypes = []adapter.FieldType{
	adapter.Boolean, adapter.Integer, adapter.Float, adapter.Monetary, adapter.Char, adapter.Text, adapter.HTML, adapter.Date,
	adapter.DateTime, adapter.Binary, adapter.Selection, adapter.Many2One, adapter.One2Many, adapter.Many2Many,
	adapter.Reference, adapter.JSON, adapter.Properties,
}

// parseVersions reads "13-15,17".
func parseVersions(s string) []int {
	var versions []int
	for part := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		a, err1 := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || a < oldest || b >= oldest+len(Versions()) || a > b {
			panic(fmt.Sprintf("odoo: versions %q in the snapshot", s)) //nolint:forbidigo // the file is part of the program
		}
		for v := a; v <= b; v++ {
			versions = append(versions, v)
		}
	}
	return versions
}

func formatVersions(versions []int) string {
	var parts []string
	for i := 0; i < len(versions); {
		j := i
		for j+1 < len(versions) && versions[j+1] == versions[j]+1 {
			j++
		}
		part := strconv.Itoa(versions[i])
		if j > i {
			part += "-" + strconv.Itoa(versions[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ",")
}
