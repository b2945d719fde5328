package schemas

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed data
var files embed.FS

// data is everything the files say.
type data struct {
	models       map[string]*model
	renames      map[string]*[Last - First + 1]string // by each name, the names in all versions
	counterparts map[string][]counterpart
}

type model struct {
	versions [Last - First + 1]map[string]Field // nil where the version lacks the model
	complete bool                               // its rows were generated
}

// counterpart says that a field is called new from the version since on, and
// that this holds for versions up to until. One that is one-way also existed
// beside its counterpart before.
type counterpart struct {
	since, until int
	old, new     string
	oneWay       bool
}

// load parses the files once. They are part of the program, so that a mistake
// in them is a mistake in the program, which the tests find.
var load = sync.OnceValue(func() *data {
	d := &data{models: map[string]*model{}, renames: map[string]*[Last - First + 1]string{}, counterparts: map[string][]counterpart{}}
	for _, row := range rows("data/models.tsv") {
		names := &[Last - First + 1]string{}
		for i := 1; i < len(row); i += 2 {
			for _, v := range parseVersions(row[i]) {
				names[v-First] = row[i-1]
			}
			d.renames[row[i-1]] = names
		}
	}
	for _, row := range rows("data/counterparts.tsv") {
		span := parseVersions(row[1])
		c := counterpart{since: span[0], until: span[len(span)-1], old: row[2], new: row[3], oneWay: len(row) > 4 && row[4] == "one-way"}
		for name := range strings.SplitSeq(row[0], ",") {
			d.counterparts[name] = append(d.counterparts[name], c)
		}
	}
	generated, err := files.ReadDir("data/fields")
	if err != nil {
		panic(err) //nolint:forbidigo // the files are part of the program
	}
	for _, f := range generated {
		m := &model{complete: true}
		for _, row := range rows("data/fields/" + f.Name()) {
			m.add(row)
		}
		d.models[strings.TrimSuffix(f.Name(), path.Ext(f.Name()))] = m
	}
	for _, row := range rows("data/byhand.tsv") {
		m := d.models[row[0]]
		if m == nil {
			m = &model{}
			d.models[row[0]] = m
		}
		m.add(row[1:])
	}
	return d
})

// Columns of a field's row: name, versions, type, flags, relation, inverse,
// selection keys. Trailing ones may be absent.
func (m *model) add(row []string) {
	row = append(slices.Clip(row), make([]string, 7-len(row))...)
	f := Field{
		Type:       row[2],
		Required:   strings.Contains(row[3], "R"),
		Readonly:   strings.Contains(row[3], "o"),
		Stored:     strings.Contains(row[3], "s"),
		Searchable: strings.Contains(row[3], "f"),
		Sortable:   strings.Contains(row[3], "t"),
		Translate:  strings.Contains(row[3], "T"),
		Relation:   row[4],
		Inverse:    row[5],
	}
	if row[6] != "" {
		f.Selection = strings.Split(row[6], "|")
	}
	for _, v := range parseVersions(row[1]) {
		if m.versions[v-First] == nil {
			m.versions[v-First] = map[string]Field{}
		}
		m.versions[v-First][row[0]] = f
	}
}

func (f Field) row(name, versions string) string {
	var flags strings.Builder
	for _, flag := range []struct {
		set  bool
		text string
	}{{f.Required, "R"}, {f.Readonly, "o"}, {f.Stored, "s"}, {f.Searchable, "f"}, {f.Sortable, "t"}, {f.Translate, "T"}} {
		if flag.set {
			flags.WriteString(flag.text)
		}
	}
	row := []string{name, versions, f.Type, flags.String(), f.Relation, f.Inverse, strings.Join(f.Selection, "|")}
	return strings.TrimRight(strings.Join(row, "\t"), "\t")
}

// rows reads a file of tab-separated values; "#" begins a comment line.
func rows(name string) [][]string {
	b, err := files.ReadFile(name)
	if err != nil {
		panic(err) //nolint:forbidigo // the files are part of the program
	}
	var list [][]string
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		if line != "" && !strings.HasPrefix(line, "#") {
			list = append(list, strings.Split(line, "\t"))
		}
	}
	return list
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
		if err1 != nil || err2 != nil || a < First || b > Last || a > b {
			panic(fmt.Sprintf("schemas: versions %q", s)) //nolint:forbidigo // the files are part of the program
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
		if i == j {
			parts = append(parts, strconv.Itoa(versions[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", versions[i], versions[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}
