package mapping

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ruleKeys are the keys of a field of a mapping.
var ruleKeys = []string{
	"path", "as", "values", "unknown", "words", "invert", "scale", "round", "default", "empty", "fallback", "lookup", "write",
	"lines", "inverse", "nest", "read_only", "write_only", "create_only", "since", "until", "versions", "doc",
	"split", "join", "table", "constant", "compute", "unsupported",
}

// sources are the keys that say where a field comes from; it has one.
var sources = []string{"path", "split", "join", "table", "constant", "compute", "unsupported"}

// suits are the keys that go with each source, besides those of all.
var suits = map[string][]string{
	"path":        nil, // all
	"split":       {"read_only", "create_only", "nest", "empty"},
	"join":        {"read_only", "create_only", "empty"},
	"table":       {"read_only", "create_only", "nest", "default"},
	"constant":    {},
	"compute":     {},
	"unsupported": {},
}

func (l *loader) rule(name string, n *yaml.Node) *Rule {
	r := &Rule{Field: name, Round: -1, Pos: l.pos(n)}
	switch {
	case n.Tag == "!!null":
		r.Unsupported = "the system has no such field"
		return r
	case n.Kind == yaml.ScalarNode:
		r.Path, _ = l.pathOf(n, l.text(n))
		return r
	}
	m, ok := l.keys(n, "a field", ruleKeys...)
	if !ok {
		return nil
	}
	source := ""
	for _, key := range sources {
		if m[key] == nil {
			continue
		}
		if source != "" {
			l.fail(m[key], "a field comes from one place: %q or %q", source, key)
			return nil
		}
		source = key
	}
	if source == "" {
		l.fail(n, "where the field comes from is missing: one of %s", strings.Join(sources, ", "))
		return nil
	}
	if source != "path" {
		for key, node := range m {
			if key != source && !slices.Contains([]string{"since", "until", "versions", "doc"}, key) && !slices.Contains(suits[source], key) {
				l.fail(node, "%q does not go with %q", key, source)
			}
		}
	}
	r.Doc = l.text(m["doc"])
	r.ReadOnly, r.WriteOnly, r.CreateOnly, r.Nest = l.boolean(m["read_only"]), l.boolean(m["write_only"]), l.boolean(m["create_only"]), l.boolean(m["nest"])
	if r.ReadOnly && (r.WriteOnly || r.CreateOnly) {
		l.fail(m["read_only"], "a field that is for reading can't be for writing only")
	}
	if v := m["empty"]; v != nil {
		r.Empty, r.HasEmpty = l.value(v), true
		if r.Empty == nil {
			l.fail(v, "empty fields read as null already")
		}
	}
	l.since(r, m)
	switch source {
	case "path":
		l.pathRule(r, m)
	case "split":
		l.split(r, m["split"])
	case "join":
		l.join(r, m["join"])
	case "table":
		l.table(r, m["table"])
		l.defaultValue(r, m["default"])
	case "constant":
		r.Constant, r.HasConstant = l.value(m["constant"]), true
	case "compute":
		l.compute(r, m["compute"])
	case "unsupported":
		if r.Unsupported = l.text(m["unsupported"]); r.Unsupported == "" {
			l.fail(m["unsupported"], `"unsupported" says why`)
		}
	}
	return r
}

func (l *loader) since(r *Rule, m map[string]*yaml.Node) {
	since, until, versions := m["since"], m["until"], m["versions"]
	switch {
	case versions != nil && (since != nil || until != nil):
		l.fail(versions, `either "versions" or "since" and "until"`)
	case versions != nil:
		r.Versions = l.versions(versions)
	case since != nil || until != nil:
		n := since
		if n == nil {
			n = until
		}
		v, err := parseRange(l.text(since) + "-" + l.text(until))
		if err != nil {
			l.fail(n, "%s", err)
		}
		r.Versions = v
	}
}

func (l *loader) pathRule(r *Rule, m map[string]*yaml.Node) {
	r.Path, _ = l.pathOf(m["path"], l.text(m["path"]))
	r.As = l.form(m["as"])
	r.WriteAs = r.As
	for _, item := range l.one(m["fallback"]) {
		if p, ok := l.pathOf(item, l.text(item)); ok {
			r.Fallback = append(r.Fallback, p)
		}
	}
	lookup := m["lookup"]
	if w := m["write"]; w != nil {
		if w.Kind == yaml.MappingNode {
			keys, ok := l.keys(w, "write", "path", "lookup", "as")
			if !ok {
				return
			}
			if keys["path"] == nil {
				l.fail(w, `"write" has a "path"`)
				return
			}
			w = keys["path"]
			if keys["lookup"] != nil {
				lookup = keys["lookup"]
			}
			if keys["as"] != nil {
				r.WriteAs = l.form(keys["as"])
			}
		}
		r.Write, _ = l.pathOf(w, l.text(w))
	}
	l.lookup(r, lookup)
	l.values(r, m)
	l.numbers(r, m)
	r.Invert = l.boolean(m["invert"])
	if r.Invert && r.Values != nil {
		l.fail(m["invert"], `"invert" does not go with "values" or "words"`)
	}
	l.defaultValue(r, m["default"])
	r.Lines, r.Inverse = l.text(m["lines"]), l.text(m["inverse"])
	if m["inverse"] != nil && !isName(r.Inverse) {
		l.fail(m["inverse"], `"inverse" names a field of the model of "lines"`)
	}
	if r.Lines != "" || r.Inverse != "" {
		for _, key := range []string{"values", "words", "invert", "scale", "default", "empty", "fallback", "lookup", "write"} {
			if m[key] != nil {
				l.fail(m[key], "%q does not go with lines", key)
			}
		}
		if r.Path.marked() {
			l.fail(m["path"], "lines are all records behind a relation: no mark")
		}
	}
}

// defaultValue reads a universal value, or {now: date} and {now: datetime}.
func (l *loader) defaultValue(r *Rule, n *yaml.Node) {
	if n == nil {
		return
	}
	r.HasDefault = true
	if n.Kind != yaml.MappingNode {
		r.Default = l.value(n)
		return
	}
	m, ok := l.keys(n, "default", "now")
	if !ok {
		return
	}
	r.Now = true
	if word := l.text(m["now"]); word != "date" && word != "datetime" {
		l.fail(n, `"now" is date or datetime`)
	}
}

// table reads a value that the system has in several fields.
func (l *loader) table(r *Rule, n *yaml.Node) {
	m, ok := l.keys(n, "table", "paths", "values")
	if !ok {
		return
	}
	t := &TableRule{}
	for _, item := range l.list(m["paths"], "paths") {
		if p, ok := l.pathOf(item, l.text(item)); ok {
			t.Paths = append(t.Paths, p)
		}
	}
	rows := m["values"]
	if len(t.Paths) < 2 || rows == nil || rows.Kind != yaml.MappingNode || len(rows.Content) == 0 {
		l.fail(n, `table has two "paths" or more, and "values": universal values, each with a list of what the fields hold`)
		return
	}
	for i := 0; i+1 < len(rows.Content); i += 2 {
		key, node := rows.Content[i], rows.Content[i+1]
		cells, ok := l.value(node).([]any)
		if !ok || len(cells) != len(t.Paths) {
			l.fail(node, "a row has one value for each of the %d paths, ~ where it does not matter", len(t.Paths))
			continue
		}
		t.Rows = append(t.Rows, TableRow{Universal: l.value(key), Cells: cells, Pos: l.pos(key)})
	}
	r.Table = t
}

// one reads a list, or one item without brackets.
func (l *loader) one(n *yaml.Node) []*yaml.Node {
	if n != nil && n.Kind == yaml.ScalarNode {
		return []*yaml.Node{n}
	}
	return l.list(n, "fallback")
}

func (l *loader) form(n *yaml.Node) Form {
	if n == nil {
		return FormOwn
	}
	s := l.text(n)
	if !slices.Contains(formNames, s) {
		l.fail(n, "there is no form %q%s; there are %s", s, nearest(s, formNames), strings.Join(formNames, ", "))
	}
	return Form(s)
}

func (l *loader) lookup(r *Rule, n *yaml.Node) {
	if n == nil {
		return
	}
	m, ok := l.keys(n, "lookup", "model", "by", "with", "where", "read")
	if !ok {
		return
	}
	look := &LookupRule{Model: l.text(m["model"]), By: l.text(m["by"]), Read: l.boolean(m["read"])}
	if look.Model == "" || look.By == "" {
		l.fail(n, `a lookup has "model" and "by"`)
		return
	}
	if m["with"] != nil {
		for field, node := range l.pairs(m["with"], "with") {
			look.With = append(look.With, With{Field: field, Universal: l.text(node)})
		}
	}
	if m["where"] != nil {
		for field, node := range l.pairs(m["where"], "where") {
			look.Where = append(look.Where, Where{Field: field, Value: l.value(node)})
		}
	}
	r.Lookup = look
	if len(r.Write) > 0 || look.Read {
		return
	}
	if len(r.Path) < 2 {
		l.fail(n, `"path" reads the key itself, such as country_id.code, or "read: true" asks for it; or "write" says where the id goes`)
		return
	}
	r.Write = r.Path[:len(r.Path)-1]
	if last := r.Write[len(r.Write)-1]; last.Many {
		l.fail(n, `"write" is missing: the field that gets the id`)
	}
}

func (l *loader) values(r *Rule, m map[string]*yaml.Node) {
	n, words := m["values"], false
	if w := m["words"]; w != nil {
		if n != nil {
			l.fail(w, `either "values" or "words"`)
		}
		n, words = w, true
	}
	if u := m["unknown"]; u != nil {
		switch r.Unknown = Unknown(l.text(u)); {
		case u.Tag == "!!null":
			r.Unknown = UnknownNull
		case !slices.Contains([]Unknown{UnknownKeep, UnknownRefuse, UnknownNull}, r.Unknown):
			l.fail(u, `"unknown" is keep, refuse or null`)
		}
		if n == nil {
			l.fail(u, `"unknown" goes with "values"`)
		}
	}
	if n == nil {
		return
	}
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		l.fail(n, "values are a mapping of universal values to the system's")
		return
	}
	r.Values = []Pair{}
	seen := map[scalar]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, node := n.Content[i], n.Content[i+1]
		p := Pair{Universal: l.value(key), Pos: l.pos(key)}
		k, ok := scalarOf(p.Universal)
		switch {
		case !ok || key.Kind != yaml.ScalarNode:
			l.fail(key, "a value is a text, a number, true, false or null")
			continue
		case seen[k]:
			l.fail(key, "value %s appears twice", brief(p.Universal))
			continue
		case words && k.kind != 't' && k.kind != 'f':
			l.fail(key, "words are for true and false")
			continue
		}
		seen[k] = true
		items := []*yaml.Node{node}
		if node.Kind == yaml.SequenceNode {
			items = node.Content
		}
		for _, item := range items {
			v := l.value(item)
			if _, ok := scalarOf(v); !ok || item.Kind != yaml.ScalarNode {
				l.fail(item, "a value is a text, a number, true, false or null")
				continue
			}
			p.System = append(p.System, v)
		}
		if len(items) == 0 {
			l.fail(node, "value %s has no counterpart", brief(p.Universal))
		}
		r.Values = append(r.Values, p)
	}
	if words && len(seen) != 2 {
		l.fail(n, "words has both true and false")
	}
}

func (l *loader) numbers(r *Rule, m map[string]*yaml.Node) {
	if n := m["round"]; n != nil {
		digits, err := strconv.Atoi(l.text(n))
		if err != nil || digits < 0 || digits > 20 {
			l.fail(n, `"round" is a number of digits from 0 to 20`)
			return
		}
		r.Round = digits
		if m["scale"] == nil {
			l.fail(n, `"round" goes with "scale"`)
		}
	}
	n := m["scale"]
	if n == nil {
		return
	}
	r.Scale = l.text(n)
	d, ok := parseDecimal(r.Scale)
	if !ok || d.n.Sign() == 0 || len(r.Scale) > 40 {
		l.fail(n, `"scale" is a number that is not 0, such as 1000 or 0.01`)
		return
	}
	if _, exact := d.inverse(); !exact && r.Round < 0 {
		l.fail(n, `dividing by %s may have no end: say with "round" how many digits are written`, r.Scale)
	}
}

func (l *loader) cut(n *yaml.Node) Cut {
	switch c := Cut(l.text(n)); c {
	case "":
		return CutFirst
	case CutFirst, CutLast:
		return c
	}
	l.fail(n, `"cut" is first or last`)
	return CutFirst
}

func (l *loader) sep(n *yaml.Node) string {
	if n == nil {
		return " "
	}
	s := l.text(n)
	if s == "" {
		l.fail(n, `"sep" is the text between the parts`)
	}
	return s
}

// mostParts bounds how many parts a text may have.
const mostParts = 5

func (l *loader) split(r *Rule, n *yaml.Node) {
	m, ok := l.keys(n, "split", "path", "part", "of", "sep", "cut")
	if !ok {
		return
	}
	s := &SplitRule{Sep: l.sep(m["sep"]), Cut: l.cut(m["cut"])}
	if m["path"] == nil {
		l.fail(n, `split has a "path"`)
		return
	}
	s.Path, _ = l.pathOf(m["path"], l.text(m["path"]))
	s.Part, _ = strconv.Atoi(l.text(m["part"]))
	s.Of, _ = strconv.Atoi(l.text(m["of"]))
	if s.Of < 2 || s.Of > mostParts || s.Part < 1 || s.Part > s.Of {
		l.fail(n, `split has "of", from 2 to %d parts, and "part", from 1 to that`, mostParts)
	}
	r.Split = s
}

func (l *loader) join(r *Rule, n *yaml.Node) {
	m, ok := l.keys(n, "join", "paths", "sep", "cut")
	if !ok {
		return
	}
	j := &JoinRule{Sep: l.sep(m["sep"]), Cut: l.cut(m["cut"])}
	for _, item := range l.list(m["paths"], "paths") {
		if p, ok := l.pathOf(item, l.text(item)); ok {
			j.Paths = append(j.Paths, p)
		}
	}
	if len(j.Paths) < 2 || len(j.Paths) > mostParts {
		l.fail(n, `join has from 2 to %d "paths"`, mostParts)
	}
	r.Join = j
}

var computeKinds = []string{"concat", "sum", "subtract", "multiply", "count", "first"}

func (l *loader) compute(r *Rule, n *yaml.Node) {
	m, ok := l.keys(n, "compute", append(slices.Clone(computeKinds), "sep")...)
	if !ok {
		return
	}
	c := &ComputeRule{Sep: l.sep(m["sep"])}
	for _, kind := range computeKinds {
		if m[kind] == nil {
			continue
		}
		if c.Kind != "" {
			l.fail(m[kind], "a value is computed one way: %q or %q", c.Kind, kind)
		}
		c.Kind = kind
		c.Of = l.texts(m[kind])
	}
	switch {
	case c.Kind == "" || len(c.Of) == 0:
		l.fail(n, "compute has one of %s, with fields of the universal model", strings.Join(computeKinds, ", "))
		return
	case m["sep"] != nil && c.Kind != "concat":
		l.fail(m["sep"], `"sep" goes with "concat"`)
	case c.Kind == "count" && len(c.Of) != 1, c.Kind == "subtract" && len(c.Of) < 2:
		l.fail(n, "%s has another number of fields", c.Kind)
	}
	if c.Kind == "sum" && len(c.Of) == 1 {
		if lines, field, ok := strings.Cut(c.Of[0], "."); ok {
			c.Of[0], c.Line = lines, field
		}
	}
	r.Compute = c
}

func (l *loader) test(n *yaml.Node) (Case, bool) {
	m, ok := l.keys(n, "test", "name", "universal", "system", "written", "direction", "operation", "version", "lookup", "warnings", "error", "filter", "gives", "fields", "reads")
	if !ok {
		return Case{}, false
	}
	c := Case{
		Name: l.text(m["name"]), Universal: l.record(m["universal"]), System: l.record(m["system"]), Written: l.record(m["written"]),
		Direction: Direction(l.text(m["direction"])), Operation: l.text(m["operation"]), Version: l.text(m["version"]), Error: l.text(m["error"]),
		Fields: l.texts(m["fields"]), Reads: l.texts(m["reads"]), Warnings: l.texts(m["warnings"]), Pos: l.pos(n),
	}
	if m["filter"] != nil {
		c.IsFilter, c.Filter = true, l.domain(m["filter"])
	}
	if m["gives"] != nil {
		c.Gives = l.domain(m["gives"])
	}
	if m["lookup"] != nil {
		c.Lookup = map[string][]map[string]any{}
		for model, node := range l.pairs(m["lookup"], "lookup") {
			for _, item := range l.list(node, "lookup") {
				c.Lookup[model] = append(c.Lookup[model], l.record(item))
			}
		}
	}
	switch c.Direction {
	case "":
		c.Direction = Both
	case Both, ToSystem, ToUniversal:
	default:
		l.fail(m["direction"], `"direction" is both, to_system or to_universal`)
	}
	switch c.Operation {
	case "":
		c.Operation = "create"
	case "create", "update":
	default:
		l.fail(m["operation"], `"operation" is create or update`)
	}
	kinds := 0
	for _, is := range []bool{c.IsFilter, c.Fields != nil, m["universal"] != nil || m["system"] != nil} {
		if is {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		l.fail(n, `a test has "universal" and "system", or "filter" and "gives", or "fields" and "reads"`)
	case c.IsFilter && (m["gives"] == nil) == (m["error"] == nil):
		l.fail(n, `a test of a filter has one of "gives" and "error"`)
	case c.Fields != nil && c.Reads == nil && c.Error == "":
		l.fail(n, `a test of a field list has one of "reads" and "error"`)
	case !c.IsFilter && c.Fields == nil && c.Error == "" && (m["universal"] == nil || (m["system"] == nil && m["written"] == nil)):
		l.fail(n, `a test has both "universal" and "system", or an "error"`)
	}
	return c, true
}
