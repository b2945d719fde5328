package standard

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
)

// This file reads the mappings by itself, apart from package mapping, and knows
// what the systems' fields are: from the recorded schemas of Odoo, and for SAP
// and Salesforce from the lists in testdata.

// A file's documents, as far as the tests look at them.
type document struct {
	Universal   string
	Mapping     string
	System      string
	Versions    string
	Model       string
	ID          string
	ReadOnly    string `yaml:"read_only"`
	Unsupported string
	Where       [][]any
	Set         yaml.Node
	Fields      map[string]yaml.Node
	Tests       []yaml.Node
	file        string
}

type rule struct {
	Path        string
	Write       string
	As          string
	Values      yaml.Node
	Unknown     string
	Lookup      *lookup
	Lines       string
	Inverse     string
	Fallback    []string
	ReadOnly    bool `yaml:"read_only"`
	CreateOnly  bool `yaml:"create_only"`
	Unsupported string
	Split       *struct{ Path string }
	Join        *struct{ Paths []string }
	Constant    yaml.Node
	Compute     yaml.Node
	Table       *struct {
		Paths  []string
		Values yaml.Node
	}
	Since, Until, Versions string
}

type lookup struct {
	Model string
	By    string
	With  map[string]string
	Where map[string]any
}

func (r rule) reads() []string {
	switch {
	case r.Split != nil:
		return []string{r.Split.Path}
	case r.Join != nil:
		return r.Join.Paths
	case r.Table != nil:
		return r.Table.Paths
	case r.Path != "":
		return append([]string{r.Path}, r.Fallback...)
	}
	return nil
}

// writes are the paths that are written, without the relation that a lookup fills.
func (r rule) writes() []string {
	switch {
	case r.ReadOnly || r.As == "name" || r.Lines != "":
		return nil
	case r.Write != "":
		return []string{r.Write}
	case r.Lookup != nil:
		return []string{r.Path[:strings.LastIndexByte(r.Path, '.')]}
	case r.Path != "":
		return []string{r.Path}
	}
	return r.reads()
}

// documents reads the files of the package.
func documents(t *testing.T) []document {
	t.Helper()
	names, err := fs.Glob(files, "*.yaml")
	require.NoError(t, err)
	var list []document
	for _, name := range names {
		b, err := files.ReadFile(name)
		require.NoError(t, err)
		dec := yaml.NewDecoder(strings.NewReader(string(b)))
		for {
			var d document
			if err := dec.Decode(&d); err != nil {
				require.EqualError(t, err, "EOF", name)
				break
			}
			d.file = name
			list = append(list, d)
		}
	}
	return list
}

// rules are the alternatives of a field.
func rules(t *testing.T, n yaml.Node) []rule {
	t.Helper()
	switch n.Kind {
	case yaml.ScalarNode:
		return []rule{{Path: n.Value}}
	case yaml.SequenceNode:
		var list []rule
		for _, item := range n.Content {
			list = append(list, rules(t, *item)...)
		}
		return list
	}
	var r rule
	require.NoError(t, n.Decode(&r), "line %d", n.Line)
	return []rule{r}
}

// within reports whether a range of versions such as "13.0-16.0" has a major version.
func within(versions string, major int) bool {
	if versions == "" {
		return true
	}
	from, to, isRange := strings.Cut(versions, "-")
	if !isRange {
		to = from
	}
	number := func(s string, otherwise int) int {
		if s == "" {
			return otherwise
		}
		n, _ := strconv.Atoi(strings.TrimSuffix(s, ".0"))
		return n
	}
	return number(from, 0) <= major && major <= number(to, 99)
}

func (r rule) has(major int) bool {
	switch {
	case r.Since != "":
		return within(r.Since+"-", major)
	case r.Until != "":
		return within("-"+r.Until, major)
	}
	return within(r.Versions, major)
}

// field is what a system says of one of its fields.
type field struct {
	kind      string // "text", "number", "boolean", "date", "datetime", "html", "one", "many", ...
	relation  string
	selection []string
	noCreate  bool
	noUpdate  bool
}

// system is what is known of a system's models.
type system func(model string) map[string]field

// walk follows a path from a model and returns its last field.
func (s system) walk(model, path string) (field, error) {
	var f field
	rest := path
	for rest != "" {
		end := strings.IndexAny(rest, ".[")
		name, mark := rest, ""
		if end >= 0 {
			name, rest = rest[:end], rest[end:]
			if rest[0] == '[' {
				mark, rest, _ = strings.Cut(rest[1:], "]")
			}
			rest = strings.TrimPrefix(rest, ".")
		} else {
			rest = ""
		}
		fields := s(model)
		if fields == nil {
			return f, fmt.Errorf("%s: nothing is known of %s", path, model)
		}
		var ok bool
		if f, ok = fields[name]; !ok {
			return f, fmt.Errorf("%s: %s has no %s", path, model, name)
		}
		if rest == "" {
			break
		}
		if f.relation == "" {
			return f, fmt.Errorf("%s: %s.%s is no relation", path, model, name)
		}
		for key := range strings.SplitSeq(mark, ",") {
			if key, _, found := strings.Cut(key, "="); found {
				if _, err := s.walk(f.relation, key); err != nil {
					return f, err
				}
			}
		}
		model = f.relation
	}
	return f, nil
}

// odooFields is what a version of Odoo has, by the recorded schemas.
func odooFields(major int) system {
	kinds := map[string]string{"char": "text", "text": "text", "integer": "number", "float": "number", "monetary": "number", "many2one": "one", "one2many": "many", "many2many": "many"}
	return func(model string) map[string]field {
		known := schemas.Fields(model, major)
		if known == nil {
			return nil
		}
		fields := make(map[string]field, len(known))
		for name, f := range known {
			kind := f.Type
			if k, ok := kinds[kind]; ok {
				kind = k
			}
			// Odoo's "readonly" of stored fields is a hint to its own screens.
			computed := f.Readonly && !f.Stored
			fields[name] = field{kind: kind, relation: f.Relation, selection: f.Selection, noCreate: computed, noUpdate: computed}
		}
		return fields
	}
}

// listed reads a list in testdata.
func listed(t *testing.T, name string, flagsAt int, kinds map[string]string) system {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	models := map[string]map[string]field{}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		col := append(strings.Split(strings.TrimSuffix(line, "\n"), "\t"), "", "", "")
		if models[col[0]] == nil {
			models[col[0]] = map[string]field{"id": {kind: "id"}}
		}
		f := field{kind: kinds[col[2]]}
		if col[2] == "one" || col[2] == "many" {
			f.kind, f.relation = col[2], col[3]
		} else {
			require.NotEmpty(t, f.kind, line)
			flags := col[flagsAt]
			f.noCreate, f.noUpdate = strings.Contains(flags, "c"), strings.ContainsAny(flags, "uk")
		}
		models[col[0]][col[1]] = f
	}
	return func(model string) map[string]field { return models[model] }
}

func sapFields(t *testing.T) system {
	t.Helper()
	return listed(t, "sap.tsv", 4, map[string]string{"String": "text", "Guid": "text", "Boolean": "boolean", "Decimal": "number", "Double": "number", "Int16": "number", "Int32": "number", "DateTime": "date", "DateTimeOffset": "datetime", "Time": "time"})
}

func salesforceFields(t *testing.T) system {
	t.Helper()
	return listed(t, "salesforce.tsv", 3, map[string]string{"String": "text", "Id": "text", "Decimal": "number", "Integer": "number", "Boolean": "boolean", "Date": "date", "Datetime": "datetime", "Address": "address"})
}

// recordings finds the recorded answers of real Odoo servers beside the repository.
func recordings(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "facts", "odoo")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("SKIPPED: no recorded answers of real Odoo servers at ../shared/facts/odoo; nothing was compared")
	}
	return dir
}

// recordedFields is what fields_get of a real server answered, with the schemas
// where no answer was recorded.
func recordedFields(t *testing.T, dir string, major int) system {
	t.Helper()
	fallback := odooFields(major)
	models := map[string]map[string]field{}
	return func(model string) map[string]field {
		if fields, ok := models[model]; ok {
			return fields
		}
		b, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(major), "fields", model+".json"))
		if err != nil {
			return fallback(model)
		}
		var raw map[string]struct {
			Type      string
			Relation  string
			Selection [][]any
		}
		require.NoError(t, json.Unmarshal(b, &raw), model)
		known := fallback(model)
		fields := map[string]field{}
		for name, r := range raw {
			f := known[name]
			f.relation, f.selection = r.Relation, nil
			for _, option := range r.Selection {
				if key, ok := option[0].(string); ok && name != "tz" {
					f.selection = append(f.selection, key)
				}
			}
			fields[name] = f
		}
		models[model] = fields
		return fields
	}
}

// systemValues are the system's side of a value map, one list for each row.
func systemValues(t *testing.T, n yaml.Node) [][]any {
	t.Helper()
	var list [][]any
	for i := 1; i < len(n.Content); i += 2 {
		var v any
		require.NoError(t, n.Content[i].Decode(&v))
		if row, ok := v.([]any); ok {
			list = append(list, row)
		} else {
			list = append(list, []any{v})
		}
	}
	return list
}

func texts(values []any) []string {
	var list []string
	for _, v := range values {
		if s, ok := v.(string); ok && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}
