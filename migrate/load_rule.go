package migrate

import (
	"encoding/json"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// common are the keys that every rule may have, besides its verb.
var common = []string{"when", "unknown", "otherwise", "back", "whole", "source", "severity", "person", "note", "refs"}

// verbs are the verbs with what reads each.
var verbs = map[Verb]func(*loader, *Rule, *yaml.Node) []*Rule{
	Rename:    (*loader).rename,
	Remove:    nil, // has "instead" beside it, see rule
	Map:       (*loader).valueMap,
	Table:     (*loader).table,
	Convert:   (*loader).convert,
	Constant:  (*loader).constant,
	Default:   (*loader).deflt,
	Add:       (*loader).add,
	Split:     (*loader).split,
	Merge:     (*loader).mergeFields,
	Move:      (*loader).move,
	ModelName: (*loader).each,
	Reference: (*loader).each,
	LookupOf:  (*loader).lookup,
	Meaning:   (*loader).each,
	Custom:    (*loader).custom,
}

var verbNames = []string{"rename", "remove", "map", "table", "convert", "constant", "default", "add", "split", "merge", "move", "model_name", "reference", "lookup", "meaning", "func"}

var fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (l *loader) rules(n *yaml.Node, source string) []*Rule {
	var rules []*Rule
	for _, item := range l.list(n, "rules") {
		before := len(l.errs)
		some := l.rule(item, source)
		if len(l.errs) == before {
			rules = append(rules, some...)
		}
	}
	return rules
}

func (l *loader) rule(n *yaml.Node, source string) []*Rule {
	m, ok := l.mapping(n, "a rule", slices.Concat(verbNames, common, []string{"instead"})...)
	if !ok {
		return nil
	}
	var verb Verb
	for _, name := range verbNames {
		if m[name] == nil {
			continue
		}
		if verb != "" {
			l.fail(n, "a rule has one verb, this one has %s and %s", verb, name)
			return nil
		}
		verb = Verb(name)
	}
	if verb == "" {
		l.fail(n, "a rule needs one of the verbs %s", strings.Join(verbNames, ", "))
		return nil
	}
	base := Rule{
		Verb: verb, When: l.when(m["when"]), Source: source, Note: l.text(m["note"]),
		Whole: l.boolean(m["whole"]), Refs: l.texts(m["refs"]), Pos: l.pos(n),
	}
	if p := m["person"]; p != nil && p.Kind == yaml.MappingNode {
		if t, ok := l.condition(p); ok {
			base.Person, base.PersonIf = true, &t
		}
	} else {
		base.Person = l.boolean(p)
	}
	if m["when"] != nil && len(base.When) == 0 {
		l.fail(m["when"], `"when" is empty`)
	}
	if s := l.text(m["source"]); s != "" {
		base.Source = s
	}
	for _, s := range l.texts(m["severity"]) {
		if !slices.Contains([]Severity{Rejected, Lost, Wrong, Harmless}, Severity(s)) {
			l.fail(m["severity"], "severity is rejected, lost, wrong or harmless, not %q", s)
		}
		base.Severity = append(base.Severity, Severity(s))
	}
	l.policy(&base, m)
	var rules []*Rule
	if verb == Remove {
		rules = l.remove(&base, m["remove"], m["instead"])
	} else {
		if m["instead"] != nil {
			l.fail(m["instead"], `"instead" belongs to remove`)
		}
		rules = verbs[verb](l, &base, m[string(verb)])
	}
	for _, r := range rules {
		if r.Key == "" {
			r.Key = string(verb) + " " + strings.Join(slices.Concat(r.From, r.To)[:max(1, len(r.From))], ",")
		}
		l.fields(n, r)
		if len(r.Otherwise) > 0 && len(r.Otherwise) != len(r.To) {
			l.fail(n, `"otherwise" has %d values for the fields %s`, len(r.Otherwise), strings.Join(r.To, ", "))
		}
	}
	if b := m["back"]; b != nil {
		l.back(rules, b)
	}
	if verb == Meaning && base.Note == "" {
		l.fail(n, `meaning needs a "note": what the field means now`)
	}
	return rules
}

func (l *loader) policy(r *Rule, m map[string]*yaml.Node) {
	takes := slices.Contains([]Verb{Map, Table, Convert, Split, ModelName, Reference}, r.Verb)
	n := m["unknown"]
	switch r.Verb {
	case Convert, Split:
		r.Unknown = Refuse
	default:
		r.Unknown = Keep
	}
	if n != nil {
		r.Unknown = Policy(l.text(n))
		if !takes {
			l.fail(n, `"unknown" has no meaning for %s`, r.Verb)
		}
		if !slices.Contains([]Policy{Keep, ToResidue, Refuse, Otherwise}, r.Unknown) {
			l.fail(n, "unknown is keep, residue, error or default, not %q", r.Unknown)
		}
	}
	o := m["otherwise"]
	if (o != nil) != (n != nil && r.Unknown == Otherwise) {
		l.fail(cmpNode(o, n), `"unknown: default" and "otherwise" belong together`)
		return
	}
	if o != nil {
		v := l.value(o)
		if list, ok := v.([]any); ok && r.Verb == Table {
			r.Otherwise = list
		} else {
			r.Otherwise = []any{v}
		}
	}
}

func cmpNode(a, b *yaml.Node) *yaml.Node {
	if a != nil {
		return a
	}
	if b != nil {
		return b
	}
	return &yaml.Node{}
}

func (l *loader) back(rules []*Rule, n *yaml.Node) {
	for _, r := range rules {
		switch r.Verb {
		case Remove, Constant:
			r.BackTo, r.HasBack = l.value(n), true
		case Map:
			r.Back = l.values(n)
		case Add:
			if r.Via == "" {
				l.fail(n, `"back" belongs to an add with "from"`)
				return
			}
			r.Back = l.values(n)
		case Merge:
			if r.Kind != "first" || l.text(n) != "all" {
				l.fail(n, `merge knows "back: all" alone, and by "first" only`)
			}
			r.HasBack = true
		default:
			l.fail(n, `"back" has no meaning for %s`, r.Verb)
			return
		}
	}
}

// fields checks the names of a rule's fields.
func (l *loader) fields(n *yaml.Node, r *Rule) {
	for _, list := range [][]string{r.From, r.To} {
		for i, f := range list {
			if !fieldName.MatchString(f) {
				l.fail(n, "%q is not a field name", f)
			}
			if slices.Contains(list[:i], f) {
				l.fail(n, "field %s appears twice", f)
			}
			if f == "id" && r.Verb != Meaning {
				l.fail(n, `the field "id" stays as it is`)
			}
		}
	}
}

func (l *loader) rename(base *Rule, n *yaml.Node) []*Rule {
	var rules []*Rule
	for old, node := range l.pairs(n, "rename") {
		r := *base
		r.From, r.To = []string{old}, []string{l.text(node)}
		if old == r.To[0] {
			l.fail(node, "field %s is renamed to itself", old)
		}
		r.Pos = l.pos(node)
		r.Key = "rename " + old
		rules = append(rules, &r)
	}
	if len(rules) == 0 {
		l.fail(n, "rename has no fields")
	}
	return rules
}

func (l *loader) remove(base *Rule, n, instead *yaml.Node) []*Rule {
	var rules []*Rule
	for _, f := range l.texts(n) {
		r := *base
		r.From = []string{f}
		r.Key = "remove " + f
		rules = append(rules, &r)
	}
	if len(rules) == 0 {
		l.fail(n, "remove has no field")
		return nil
	}
	if instead == nil {
		return rules
	}
	m, ok := l.mapping(instead, "instead", "to", "values")
	if !ok || m["to"] == nil || m["values"] == nil || len(rules) != 1 {
		l.fail(instead, `"instead" has "to" and "values", and one field is removed`)
		return nil
	}
	r := rules[0]
	to := l.text(m["to"])
	if to == r.From[0] {
		l.fail(instead, "a field can't stand in for itself: use map")
	}
	r.From, r.To = append(r.From, to), []string{to}
	r.Values = l.values(m["values"])
	return rules
}

func (l *loader) each(base *Rule, n *yaml.Node) []*Rule {
	var rules []*Rule
	for _, f := range l.texts(n) {
		r := *base
		r.From, r.To = []string{f}, []string{f}
		if r.Verb == Meaning {
			r.From, r.To, r.Via = nil, nil, f
		}
		r.Key = string(r.Verb) + " " + f
		rules = append(rules, &r)
	}
	if len(rules) == 0 {
		l.fail(n, "%s has no field", base.Verb)
	}
	return rules
}

// parts reads the mapping behind a verb; need are the keys that must be there.
func (l *loader) parts(n *yaml.Node, verb Verb, need []string, may ...string) (map[string]*yaml.Node, bool) {
	m, ok := l.mapping(n, string(verb), slices.Concat(need, may)...)
	if !ok {
		return nil, false
	}
	for _, key := range need {
		if m[key] == nil {
			l.fail(n, "%s needs %q", verb, key)
			ok = false
		}
	}
	return m, ok
}

func (l *loader) valueMap(r *Rule, n *yaml.Node) []*Rule {
	m, ok := l.parts(n, Map, []string{"field", "values"}, "to")
	if !ok {
		return nil
	}
	l.fieldTo(r, m)
	r.Values = l.values(m["values"])
	if len(r.Values) == 0 {
		l.fail(n, "map has no values")
	}
	return []*Rule{r}
}

func (l *loader) fieldTo(r *Rule, m map[string]*yaml.Node) {
	f := l.text(m["field"])
	r.From, r.To = []string{f}, []string{f}
	if to := l.text(m["to"]); to != "" {
		r.To = []string{to}
	}
}

// values reads a table of typed scalars: a mapping of old values to new ones.
func (l *loader) values(n *yaml.Node) []Row {
	if n.Kind != yaml.MappingNode {
		l.fail(n, "expected a table of values: {old: new}")
		return nil
	}
	var rows []Row
	seen := map[scalar]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			l.fail(key, "the old value must be a scalar")
			continue
		}
		old := l.value(key)
		if k, _ := scalarKey(old); seen[k] {
			l.fail(key, "value %s appears twice", key.Value)
			continue
		} else {
			seen[k] = true
		}
		rows = append(rows, Row{From: []any{old}, To: []any{l.value(n.Content[i+1])}, Line: key.Line})
	}
	return rows
}

func (l *loader) table(r *Rule, n *yaml.Node) []*Rule {
	m, ok := l.parts(n, Table, []string{"from", "to", "rows"})
	if !ok {
		return nil
	}
	r.From, r.To = l.texts(m["from"]), l.texts(m["to"])
	seen := map[string]bool{}
	for _, item := range l.list(m["rows"], "rows") {
		halves := l.list(item, "a row")
		if len(halves) != 2 {
			l.fail(item, "a row is a pair: old values, new values")
			continue
		}
		row := Row{From: l.half(halves[0]), To: l.half(halves[1]), Line: item.Line}
		if len(row.From) != len(r.From) || len(row.To) != len(r.To) {
			l.fail(item, "a row has %d old and %d new values", len(r.From), len(r.To))
			continue
		}
		k, scalar := tupleKey(row.From)
		if _, alsoScalar := tupleKey(row.To); !scalar || !alsoScalar {
			l.fail(item, "the values of a row must be scalars")
			continue
		}
		if seen[k] {
			l.fail(item, "these old values appear twice")
		}
		seen[k] = true
		r.Values = append(r.Values, row)
	}
	if len(r.From) == 0 || len(r.To) == 0 || len(r.Values) == 0 {
		l.fail(n, "table has no fields or no rows")
	}
	return []*Rule{r}
}

func (l *loader) half(n *yaml.Node) []any {
	if n.Kind != yaml.SequenceNode {
		return []any{l.value(n)}
	}
	list := make([]any, len(n.Content))
	for i, item := range n.Content {
		list[i] = l.value(item)
	}
	return list
}

// conversions are the kinds of convert with the keys each may have.
var conversions = map[string][]string{
	"text_to_html": nil, "html_to_text": nil,
	"many2one_to_many2many": nil, "many2many_to_many2one": nil,
	"scale": {"by"}, "invert": nil, "not": nil,
	"date_to_datetime": {"time"}, "datetime_to_date": {"time"},
	"scalar_to_list": nil, "list_to_scalar": nil,
	"id_to_keyed": {"value"}, "keyed_to_id": {"value"},
	"number_to_text": nil, "text_to_number": nil,
	"bool_to_text": {"true", "false"},
}

func (l *loader) convert(r *Rule, n *yaml.Node) []*Rule {
	m, ok := l.parts(n, Convert, []string{"field", "as"}, "to", "by", "time", "value", "true", "false")
	if !ok {
		return nil
	}
	l.fieldTo(r, m)
	r.Kind = l.text(m["as"])
	may, known := conversions[r.Kind]
	if !known {
		kinds := make([]string, 0, len(conversions))
		for k := range conversions {
			kinds = append(kinds, k)
		}
		slices.Sort(kinds)
		l.fail(m["as"], "there is no conversion %q; there are %s", r.Kind, strings.Join(kinds, ", "))
		return nil
	}
	for key, node := range m {
		if key != "field" && key != "to" && key != "as" && !slices.Contains(may, key) {
			l.fail(node, "%q has no meaning for %s", key, r.Kind)
		}
	}
	switch r.Kind {
	case "scale":
		by, isNumber := number(nil), false
		if m["by"] != nil {
			by, isNumber = numberOf(l.value(m["by"]))
		}
		if !isNumber || by.Sign() == 0 {
			l.fail(n, `scale needs "by": a number that is not 0`)
			return nil
		}
		r.By, r.by = json.Number(m["by"].Value), by
		r.times, r.through = factorOf(by), factorOf(new(big.Rat).Inv(by))
	case "date_to_datetime", "datetime_to_date":
		r.Time = "00:00:00"
		if m["time"] != nil {
			if r.Time = l.text(m["time"]); !clock.MatchString(r.Time) {
				l.fail(m["time"], `time reads like "23:59:59"`)
			}
		}
	case "id_to_keyed", "keyed_to_id":
		r.Value = json.Number("100")
		if m["value"] != nil {
			r.Value = l.value(m["value"])
		}
	case "bool_to_text":
		r.Texts = [2]string{l.text(m["false"]), l.text(m["true"])}
		if r.Texts[0] == r.Texts[1] {
			l.fail(n, `bool_to_text needs two texts, "true" and "false"`)
		}
	}
	return []*Rule{r}
}

var clock = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$`)

type number = *big.Rat

func (l *loader) constant(r *Rule, n *yaml.Node) []*Rule {
	m, ok := l.parts(n, Constant, []string{"field", "value"})
	if !ok {
		return nil
	}
	l.fieldTo(r, m)
	r.Value, r.HasValue = l.value(m["value"]), true
	return []*Rule{r}
}

func (l *loader) deflt(r *Rule, n *yaml.Node) []*Rule {
	m, ok := l.parts(n, Default, []string{"field", "value"}, "empty")
	if !ok {
		return nil
	}
	l.fieldTo(r, m)
	r.Value, r.HasValue, r.OverEmpty = l.value(m["value"]), true, l.boolean(m["empty"])
	return []*Rule{r}
}

func (l *loader) add(r *Rule, n *yaml.Node) []*Rule {
	m, ok := l.parts(n, Add, []string{"field"}, "value", "from", "values", "empty")
	if !ok {
		return nil
	}
	l.fieldTo(r, m)
	r.Via, r.OverEmpty = l.text(m["from"]), l.boolean(m["empty"])
	if m["value"] != nil {
		r.Value, r.HasValue = l.value(m["value"]), true
	}
	if m["values"] != nil {
		r.Values = l.values(m["values"])
	}
	switch {
	case r.HasValue && r.Via != "":
		l.fail(n, `add has "value" or "from", not both`)
	case m["values"] != nil && r.Via == "":
		l.fail(n, `the "values" of add need "from"`)
	case r.Via != "" && !fieldName.MatchString(r.Via):
		l.fail(n, "%q is not a field name", r.Via)
	}
	return []*Rule{r}
}

func (l *loader) split(r *Rule, n *yaml.Node) []*Rule {
	m, ok := l.parts(n, Split, []string{"field", "to"}, "separator")
	if !ok {
		return nil
	}
	r.From, r.To = []string{l.text(m["field"])}, l.texts(m["to"])
	if len(r.To) != 2 {
		l.fail(n, "split gives two fields")
	}
	r.Separator = " "
	if m["separator"] != nil {
		r.Separator = l.text(m["separator"])
	}
	if r.Separator == "" {
		l.fail(n, "the separator is empty")
	}
	return []*Rule{r}
}

func (l *loader) mergeFields(r *Rule, n *yaml.Node) []*Rule {
	m, ok := l.parts(n, Merge, []string{"from", "to", "by"}, "separator")
	if !ok {
		return nil
	}
	r.From, r.To, r.Kind = l.texts(m["from"]), []string{l.text(m["to"])}, l.text(m["by"])
	r.Separator = " "
	if m["separator"] != nil {
		r.Separator = l.text(m["separator"])
		if r.Kind != "join" || r.Separator == "" {
			l.fail(m["separator"], `a separator belongs to "by: join", and is not empty`)
		}
	}
	if len(r.From) < 2 {
		l.fail(n, "merge takes two fields or more")
	}
	if !slices.Contains([]string{"join", "first", "any", "sum", "union"}, r.Kind) {
		l.fail(m["by"], "merge is by join, first, any, sum or union, not %q", r.Kind)
	}
	return []*Rule{r}
}

func (l *loader) move(r *Rule, n *yaml.Node) []*Rule {
	m, ok := l.parts(n, Move, []string{"field", "model", "to"}, "link")
	if !ok {
		return nil
	}
	r.From = []string{l.text(m["field"])}
	r.Model, r.Side, r.Link = l.text(m["model"]), l.text(m["to"]), l.text(m["link"])
	if !fieldName.MatchString(r.Side) {
		l.fail(m["to"], "%q is not a field name", r.Side)
	}
	return []*Rule{r}
}

func (l *loader) lookup(r *Rule, n *yaml.Node) []*Rule {
	m, ok := l.parts(n, LookupOf, []string{"field", "via", "model", "read"})
	if !ok {
		return nil
	}
	l.fieldTo(r, m)
	r.Via, r.Model, r.Read = l.text(m["via"]), l.text(m["model"]), l.text(m["read"])
	for _, f := range []string{r.Via, r.Read} {
		if !fieldName.MatchString(f) {
			l.fail(n, "%q is not a field name", f)
		}
	}
	return []*Rule{r}
}

func (l *loader) custom(r *Rule, n *yaml.Node) []*Rule {
	m, ok := l.parts(n, Custom, []string{"name", "from", "to"})
	if !ok {
		return nil
	}
	r.Kind, r.From, r.To = l.text(m["name"]), l.texts(m["from"]), l.texts(m["to"])
	r.Key = "func " + r.Kind
	if _, known := l.pack.funcs[r.Kind]; !known {
		l.fail(m["name"], "no Go function %q is registered", r.Kind)
	}
	return []*Rule{r}
}

// when reads a condition.
func (l *loader) when(n *yaml.Node) []Test {
	if n == nil {
		return nil
	}
	var tests []Test
	for f, node := range l.pairs(n, "when") {
		if !fieldName.MatchString(f) {
			l.fail(node, "%q is not a field name", f)
		}
		if t, ok := l.condition(node); ok {
			t.Field = f
			tests = append(tests, t)
		}
	}
	return tests
}

// condition reads what a value must be.
func (l *loader) condition(node *yaml.Node) (t Test, ok bool) {
	if node.Kind == yaml.MappingNode {
		m, ok := l.mapping(node, "a condition", "is", "not", "empty")
		if !ok || len(m) != 1 {
			l.fail(node, `a condition is a value, a list of values, {not: ...} or {empty: true}`)
			return t, false
		}
		if m["empty"] != nil {
			t.Empty = new(l.boolean(m["empty"]))
			return t, true
		}
		t.Not = m["not"] != nil
		node = cmpNode(m["is"], m["not"])
	}
	t.Values = l.half(node)
	for _, v := range t.Values {
		if _, scalar := scalarKey(v); !scalar {
			l.fail(node, "a condition compares with scalars")
		}
	}
	return t, true
}

// value reads any value: mappings, lists, texts, booleans, null, and numbers
// as json.Number with the digits of the file.
func (l *loader) value(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for key, node := range l.pairs(n, "a value") {
			m[key] = l.value(node)
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = l.value(item)
		}
		return list
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return l.boolean(n)
	case "!!int", "!!float":
		if !json.Valid([]byte(n.Value)) {
			l.fail(n, "%s is not a number that JSON can write", n.Value)
			return nil
		}
		return json.Number(n.Value)
	}
	return n.Value
}
