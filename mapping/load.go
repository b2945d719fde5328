package mapping

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bridgecore/bridgecore/adapter"
)

// LoadError is one mistake in a file.
type LoadError struct {
	Pos     Position
	Field   string // the universal field it is about, if any
	Message string
}

// Error returns "file:line: field: message".
func (e *LoadError) Error() string {
	if e.Field == "" {
		return e.Pos.String() + ": " + e.Message
	}
	return e.Pos.String() + ": " + e.Field + ": " + e.Message
}

// LoadErrors are all mistakes found, in order of file and line. It unwraps to
// them and to an [*adapter.Error] of code InvalidArgument.
type LoadErrors []*LoadError

// Error gives every mistake, one a line.
func (e LoadErrors) Error() string {
	lines := make([]string, len(e))
	for i, m := range e {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the mistakes and their code.
func (e LoadErrors) Unwrap() []error {
	first := adapter.Errorf(adapter.InvalidArgument, "the mapping has %d mistakes, the first: %s", len(e), e[0].Error())
	if len(e) == 1 {
		first.Message = "the mapping has a mistake: " + e[0].Error()
	}
	first.Field = e[0].Field
	errs := []error{first}
	for _, m := range e {
		errs = append(errs, m)
	}
	return errs
}

// Option says how files are loaded.
type Option func(*options)

type options struct{ base *Set }

// Over lays what is loaded over a set: the files may map its universal models,
// and the result holds both, see [Set.With]. nil changes nothing.
func Over(base *Set) Option { return func(o *options) { o.base = base } }

// Load reads all .yaml and .yml files of a file system, its folders included.
// Mistakes are [LoadErrors].
func Load(fsys fs.FS, opts ...Option) (*Set, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ext := path.Ext(name); d.IsDir() || (ext != ".yaml" && ext != ".yml") {
			return nil
		}
		b, err := fs.ReadFile(fsys, name)
		files[name] = b
		return err
	})
	if err != nil {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Message: "the mappings could not be read", Err: err}
	}
	return LoadFiles(files, opts...)
}

// Parse reads one file, YAML or JSON; name stands in errors. A file that maps
// universal models of another set needs [Over].
func Parse(name string, content []byte, opts ...Option) (*Set, error) {
	return LoadFiles(map[string][]byte{name: content}, opts...)
}

// LoadFiles is [Load] for files in memory: content by name.
func LoadFiles(files map[string][]byte, opts ...Option) (*Set, error) {
	if len(files) == 0 {
		return nil, adapter.Errorf(adapter.InvalidArgument, "there is no .yaml file with a mapping")
	}
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	var errs LoadErrors
	layer := &layer{models: map[string]*Model{}}
	hash := []byte{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		l := &loader{file: name, layer: layer}
		l.parse(files[name])
		errs = append(errs, l.errs...)
		hash = append(append(append(hash, name...), 0), files[name]...)
	}
	if len(errs) > 0 {
		return nil, sorted(errs)
	}
	layer.hash = hash
	s := &Set{}
	if o.base != nil {
		s.layers = slices.Clone(o.base.layers)
	}
	s.layers = append(s.layers, layer)
	return s.resolve()
}

func sorted(errs LoadErrors) LoadErrors {
	slices.SortStableFunc(errs, func(a, b *LoadError) int { return byPosition(a.Pos, b.Pos) })
	return errs
}

// layer is what one call of LoadFiles read.
type layer struct {
	models   map[string]*Model
	partial  map[string]bool // models that extend
	gone     map[string][]string
	mappings []*Mapping
	hash     []byte
}

// loader reads one file.
type loader struct {
	file  string
	field string // the universal field at hand
	layer *layer
	errs  LoadErrors
}

func (l *loader) pos(n *yaml.Node) Position { return Position{File: l.file, Line: max(n.Line, 1)} }

// most bounds the mistakes reported for a file.
const most = 100

func (l *loader) fail(n *yaml.Node, format string, args ...any) {
	if len(l.errs) < most {
		l.errs = append(l.errs, &LoadError{Pos: l.pos(n), Field: l.field, Message: fmt.Sprintf(format, args...)})
	}
}

// The limits of a file.
const (
	deepest  = 40
	largest  = 4 << 20 // bytes
	mostDocs = 1000
)

// bad finds what no file may have: values that nest too deep, aliases and
// anchors.
func (l *loader) bad(n *yaml.Node, depth int) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		l.fail(n, "aliases are not supported: write the value out")
		return true
	case n.Anchor != "":
		l.fail(n, "anchors are not supported: write the value out where it is needed")
		return true
	case depth > deepest:
		l.fail(n, "values nest too deep")
		return true
	}
	for _, c := range n.Content {
		if l.bad(c, depth+1) {
			return true
		}
	}
	return false
}

func (l *loader) parse(b []byte) {
	if len(b) > largest {
		l.fail(&yaml.Node{}, "the file is larger than %d MiB", largest>>20)
		return
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	docs := 0
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			l.fail(&yaml.Node{Line: lineOf(err)}, "not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
			return
		}
		if docs++; docs > mostDocs {
			l.fail(&doc, "the file has more than %d documents", mostDocs)
			return
		}
		if len(doc.Content) != 1 || doc.Content[0].Tag == "!!null" {
			continue // nothing between two separators
		}
		if l.bad(&doc, 0) {
			return
		}
		l.document(doc.Content[0])
		l.field = ""
	}
	if docs == 0 {
		l.fail(&yaml.Node{}, "the file is empty")
	}
}

func lineOf(err error) int {
	_, rest, ok := strings.Cut(err.Error(), "line ")
	if !ok {
		return 1
	}
	digits, _, _ := strings.Cut(rest, ":")
	n, _ := strconv.Atoi(digits)
	return n
}

func (l *loader) document(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		l.fail(n, `a document is a mapping that begins with "universal: NAME" or "mapping: NAME"`)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch n.Content[i].Value {
		case "universal":
			l.universal(n)
			return
		case "mapping":
			l.mapping(n)
			return
		}
	}
	l.fail(n, `a document has "universal" (a model) or "mapping" (how a system has it)`)
}

func (l *loader) universal(n *yaml.Node) {
	m, ok := l.keys(n, "a universal model", "universal", "extends", "doc", "fields")
	if !ok {
		return
	}
	model := &Model{Name: l.name(m["universal"]), Doc: l.text(m["doc"]), Fields: map[string]Field{}, Pos: l.pos(n)}
	if model.Name == "" {
		return
	}
	if other := l.layer.models[model.Name]; other != nil {
		l.fail(n, "universal model %s is defined at %s already", model.Name, other.Pos)
		return
	}
	if m["fields"] == nil {
		l.fail(n, `universal model %s has no "fields"`, model.Name)
		return
	}
	for name, node := range l.pairs(m["fields"], "fields") {
		l.field = name
		switch {
		case !isName(name):
			l.fail(node, "%q is no field name", name)
		case name == "id" || name == "extra":
			l.fail(node, "every model has %q, it can't be defined", name)
		case node.Tag == "!!null" && l.boolean(m["extends"]):
			if l.layer.gone == nil {
				l.layer.gone = map[string][]string{}
			}
			l.layer.gone[model.Name] = append(l.layer.gone[model.Name], name)
		default:
			if f, ok := l.universalField(node); ok {
				model.Fields[name] = f
				model.Order = append(model.Order, name)
			}
		}
		l.field = ""
	}
	l.layer.models[model.Name] = model
	if l.boolean(m["extends"]) {
		if l.layer.partial == nil {
			l.layer.partial = map[string]bool{}
		}
		l.layer.partial[model.Name] = true
	}
}

func (l *loader) universalField(n *yaml.Node) (Field, bool) {
	f := Field{Pos: l.pos(n)}
	typeNode := n
	if n.Kind == yaml.MappingNode {
		m, ok := l.keys(n, "a universal field", "type", "doc", "relation", "required", "readonly", "values")
		if !ok {
			return f, false
		}
		f.Doc, f.Relation = l.text(m["doc"]), l.text(m["relation"])
		f.Required, f.Readonly = l.boolean(m["required"]), l.boolean(m["readonly"])
		f.Values = l.texts(m["values"])
		if typeNode = m["type"]; typeNode == nil {
			l.fail(n, `"type" is missing: one of %s`, strings.Join(typeNames(), ", "))
			return f, false
		}
	}
	f.Type = Type(l.text(typeNode))
	switch {
	case !slices.Contains(types, f.Type):
		l.fail(typeNode, "there is no type %q%s; there are %s", f.Type, nearest(string(f.Type), typeNames()), strings.Join(typeNames(), ", "))
		return f, false
	case f.Relation == "" && f.Type == Lines:
		l.fail(n, `type %s needs "relation": the universal model it leads to`, f.Type)
		return f, false
	case f.Relation != "" && f.Type != Lines && f.Type != Ref && f.Type != Refs:
		l.fail(n, "type %s has no relation", f.Type)
	case f.Values != nil && f.Type != Selection:
		l.fail(n, "type %s has no values", f.Type)
	case f.Values == nil && f.Type == Selection:
		l.fail(n, `type selection needs "values"`)
	}
	return f, true
}

func (l *loader) mapping(n *yaml.Node) {
	m, ok := l.keys(n, "a mapping", "mapping", "system", "versions", "model", "id", "doc", "where", "set", "fields", "tests", "extends", "read_only", "unsupported")
	if !ok {
		return
	}
	out := &Mapping{
		Universal: l.name(m["mapping"]), System: l.name(m["system"]), Model: l.text(m["model"]), ID: l.text(m["id"]), Doc: l.text(m["doc"]),
		Fields: map[string][]*Rule{}, Pos: l.pos(n), extends: l.boolean(m["extends"]),
		ReadOnly: l.text(m["read_only"]), Unsupported: l.text(m["unsupported"]),
	}
	if m["unsupported"] != nil {
		for _, key := range []string{"model", "id", "where", "set", "fields", "tests", "extends", "read_only"} {
			if m[key] != nil {
				l.fail(m[key], "%q does not go with \"unsupported\"", key)
			}
		}
		if out.Unsupported == "" {
			l.fail(m["unsupported"], `"unsupported" says why`)
		}
		if m["versions"] != nil {
			out.Versions = l.versions(m["versions"])
		}
		l.layer.mappings = append(l.layer.mappings, out)
		return
	}
	for _, key := range []string{"system", "model", "fields"} {
		if m[key] == nil && (!out.extends || key == "system") {
			l.fail(n, `mapping %s has no %q`, out.Universal, key)
		}
	}
	if out.ID != "" && !isName(out.ID) {
		l.fail(m["id"], "%q is no field name", out.ID)
	}
	if v := m["versions"]; v != nil {
		out.Versions = l.versions(v)
	}
	if w := m["where"]; w != nil {
		out.Where = l.domain(w)
	}
	if m["set"] != nil {
		for name, node := range l.pairs(m["set"], "set") {
			if p, ok := l.pathOf(node, name); ok {
				a := Assignment{Path: p, Pos: l.pos(node)}
				l.assignment(&a, node)
				out.Set = append(out.Set, a)
			}
		}
	}
	if m["fields"] != nil {
		for name, node := range l.pairs(m["fields"], "fields") {
			l.field = name
			l.fieldRules(out, name, node)
			l.field = ""
		}
	}
	for _, item := range l.list(m["tests"], "tests") {
		if c, ok := l.test(item); ok {
			out.Tests = append(out.Tests, c)
		}
	}
	l.layer.mappings = append(l.layer.mappings, out)
}

// assignment reads a value of "set", or the lookup that finds it.
func (l *loader) assignment(a *Assignment, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		a.Value = l.value(n)
		return
	}
	m, ok := l.keys(n, `a value of "set"`, "lookup")
	if !ok {
		return
	}
	look, ok := l.keys(m["lookup"], "lookup", "model", "by", "value")
	if !ok {
		return
	}
	a.Lookup = &LookupRule{Model: l.text(look["model"]), By: l.text(look["by"])}
	if a.Lookup.Model == "" || a.Lookup.By == "" || look["value"] == nil {
		l.fail(n, `a lookup here has "model", "by" and "value"`)
		return
	}
	a.Value = l.value(look["value"])
}

func (l *loader) fieldRules(out *Mapping, name string, n *yaml.Node) {
	if n.Tag == "!!null" && out.extends {
		out.removed = append(out.removed, name)
		return
	}
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		if items = n.Content; len(items) == 0 {
			l.fail(n, "the list of alternatives is empty")
		}
	}
	for _, item := range items {
		before := len(l.errs)
		if r := l.rule(name, item); r != nil && len(l.errs) == before {
			out.Fields[name] = append(out.Fields[name], r)
		}
	}
	if name == "id" {
		l.fail(n, `"id" always is the record's id; the system's field is named by "id" beside "mapping"`)
	}
	out.Order = append(out.Order, name)
}

func (l *loader) domain(n *yaml.Node) adapter.Filter {
	f, err := adapter.ParseDomain(l.value(n))
	if err != nil {
		l.fail(n, "%s", messageOf(err))
	}
	return f
}

func messageOf(err error) string {
	if e, ok := errors.AsType[*adapter.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

func (l *loader) versions(n *yaml.Node) Range {
	r, err := parseRange(l.text(n))
	if err != nil {
		l.fail(n, "%s", err)
	}
	return r
}

func (l *loader) pathOf(n *yaml.Node, s string) (Path, bool) {
	p, err := parsePath(s)
	if err != nil {
		l.fail(n, "%s", err)
	}
	return p, err == nil
}

// keys returns the values of a mapping whose keys must be among allowed.
func (l *loader) keys(n *yaml.Node, what string, allowed ...string) (map[string]*yaml.Node, bool) {
	if n.Kind != yaml.MappingNode {
		l.fail(n, "%s must be a mapping with the keys %s", what, strings.Join(allowed, ", "))
		return nil, false
	}
	m := make(map[string]*yaml.Node, len(n.Content)/2)
	good := true
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode || !slices.Contains(allowed, key.Value):
			l.fail(key, "%s has no key %q%s; there are %s", what, key.Value, nearest(key.Value, allowed), strings.Join(allowed, ", "))
			good = false
		case m[key.Value] != nil:
			l.fail(key, "key %q appears twice", key.Value)
			good = false
		default:
			m[key.Value] = n.Content[i+1]
		}
	}
	return m, good
}

// nearest is a hint for a name that is unknown, "" if none is near.
func nearest(name string, known []string) string {
	if near := adapter.Nearest(name, known); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

// pairs yields a mapping's keys, as text, and values, in the file's order.
func (l *loader) pairs(n *yaml.Node, what string) func(func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			l.fail(n, "%s must be a mapping", what)
			return
		}
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			switch {
			case key.Kind != yaml.ScalarNode || key.Value == "":
				l.fail(key, "%s: a key must be a name", what)
			case seen[key.Value]:
				l.fail(key, "key %q appears twice", key.Value)
			default:
				seen[key.Value] = true
				if !yield(key.Value, n.Content[i+1]) {
					return
				}
			}
		}
	}
}

func (l *loader) list(n *yaml.Node, what string) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		l.fail(n, "%s must be a list", what)
		return nil
	}
	return n.Content
}

// name reads a text that must be there.
func (l *loader) name(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	s := l.text(n)
	if !isName(s) {
		l.fail(n, "%q is no name: letters, digits and _", s)
		return ""
	}
	return s
}

func (l *loader) text(n *yaml.Node) string {
	if n == nil || n.Tag == "!!null" {
		return ""
	}
	if n.Kind != yaml.ScalarNode {
		l.fail(n, "expected a text")
		return ""
	}
	return n.Value
}

// texts reads one text or a list of them.
func (l *loader) texts(n *yaml.Node) []string {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		if s := l.text(n); s != "" {
			return []string{s}
		}
		return nil
	}
	out := []string{}
	for _, item := range n.Content {
		s := l.text(item)
		switch {
		case s == "":
			l.fail(item, "expected a text that is not empty")
		case slices.Contains(out, s):
			l.fail(item, "%q appears twice", s)
		default:
			out = append(out, s)
		}
	}
	return out
}

func (l *loader) boolean(n *yaml.Node) bool {
	if n == nil {
		return false
	}
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		l.fail(n, "expected true or false")
		return false
	}
	return strings.EqualFold(n.Value, "true")
}

func (l *loader) record(n *yaml.Node) map[string]any {
	if n == nil {
		return nil
	}
	v, ok := l.value(n).(map[string]any)
	if !ok {
		l.fail(n, "expected a record: a mapping of field names to values")
	}
	return v
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
			l.fail(n, "%s is not a number that JSON can write; put it in quotes if it is a text", n.Value)
			return nil
		}
		return json.Number(n.Value)
	}
	return n.Value
}
