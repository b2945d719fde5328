package migrate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"go.yaml.in/yaml/v3"

	"github.com/bridgecore/bridgecore/adapter"
)

// LoadError is one mistake in a pack's file.
type LoadError struct {
	Pos     Position
	Message string
}

// Error returns "file:line: message".
func (e *LoadError) Error() string { return e.Pos.String() + ": " + e.Message }

// LoadErrors are all mistakes found in a pack, in order of file and line. It
// unwraps to them and to an [*adapter.Error] of code InvalidArgument.
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
	errs := []error{adapter.Errorf(adapter.InvalidArgument, "the rule pack has %d mistakes, the first: %s", len(e), e[0].Error())}
	for _, m := range e {
		errs = append(errs, m)
	}
	return errs
}

// LoadOption adds to what Load reads.
type LoadOption func(*Pack)

// WithFunc registers the Go function that rules name in "func".
func WithFunc(name string, f Func) LoadOption {
	return func(p *Pack) { p.funcs[name] = f }
}

// Load reads a pack from all .yaml and .yml files of a file system, its
// folders included. All mistakes are found here: the error is [LoadErrors].
func Load(fsys fs.FS, options ...LoadOption) (*Pack, error) {
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
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Message: "the rule pack could not be read", Err: err}
	}
	return LoadFiles(files, options...)
}

// LoadFiles is [Load] for files in memory: content by name.
func LoadFiles(files map[string][]byte, options ...LoadOption) (*Pack, error) {
	if len(files) == 0 {
		return nil, adapter.Errorf(adapter.InvalidArgument, "the rule pack has no .yaml file")
	}
	p := &Pack{funcs: map[string]Func{}}
	for _, option := range options {
		option(p)
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	loaders := make([]*loader, len(names))
	for i, name := range names {
		loaders[i] = &loader{pack: p, file: name}
	}
	// Most of the time goes into reading YAML, which files need not wait for
	// each other with.
	var group sync.WaitGroup
	var next atomic.Int64
	for range min(len(names), runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(loaders)); i = next.Add(1) - 1 {
				loaders[i].parse(files[names[i]])
			}
		})
	}
	group.Wait()
	var errs LoadErrors
	for _, l := range loaders {
		if l.root != nil {
			l.load()
		}
		errs = append(errs, l.errs...)
	}
	if len(errs) == 0 {
		errs = p.check()
	}
	if len(errs) > 0 {
		slices.SortStableFunc(errs, func(a, b *LoadError) int { return byPosition(a.Pos, b.Pos) })
		return nil, errs
	}
	return p, nil
}

// loader reads one file.
type loader struct {
	pack *Pack
	file string
	root *yaml.Node // nil where the file could not be parsed
	errs LoadErrors
}

func (l *loader) pos(n *yaml.Node) Position { return Position{File: l.file, Line: max(n.Line, 1)} }

func (l *loader) fail(n *yaml.Node, format string, args ...any) {
	l.errs = append(l.errs, &LoadError{Pos: l.pos(n), Message: fmt.Sprintf(format, args...)})
}

// deepest bounds how deep a file's values may nest.
const deepest = 40

func tooDeep(n *yaml.Node, depth int) *yaml.Node {
	if depth > deepest || n.Kind == yaml.AliasNode {
		return n
	}
	for _, c := range n.Content {
		if bad := tooDeep(c, depth+1); bad != nil {
			return bad
		}
	}
	return nil
}

// parse reads the file's YAML, without a look at the pack.
func (l *loader) parse(b []byte) {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			l.fail(&doc, "the file is empty")
			return
		}
		l.fail(&yaml.Node{Line: lineOf(err)}, "not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	var more yaml.Node
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		l.fail(&doc, "a file holds one document")
		return
	}
	if bad := tooDeep(&doc, 0); bad != nil {
		if bad.Kind == yaml.AliasNode {
			l.fail(bad, "aliases are not supported: write the value out")
		} else {
			l.fail(bad, "values nest too deep")
		}
		return
	}
	if len(doc.Content) != 1 {
		l.fail(&doc, "the file is empty")
		return
	}
	l.root = doc.Content[0]
}

// load adds what the file says to the pack.
func (l *loader) load() {
	root := l.root
	m, ok := l.mapping(root, "the file", "pack", "from", "to", "cost", "source", "models", "skip")
	if !ok {
		return
	}
	p := l.pack
	name := l.text(m["pack"])
	switch {
	case name == "":
		l.fail(root, `"pack" is missing: the name of the pack`)
		return
	case p.Name == "":
		p.Name = name
	case p.Name != name:
		l.fail(m["pack"], "this file belongs to pack %q, the others to %q", name, p.Name)
		return
	}
	l.skips(m["skip"])
	from, to := l.text(m["from"]), l.text(m["to"])
	if from == "" && to == "" && m["models"] == nil {
		return
	}
	if from == "" || to == "" {
		l.fail(root, `"from" and "to" are missing: the versions of the hop`)
		return
	}
	if from == to {
		l.fail(m["to"], "a hop leads from one version to another, not to itself")
		return
	}
	hop := p.hop(from, to)
	if hop == nil {
		hop = &Hop{From: from, To: to, Cost: 1, Models: map[string]*Model{}, Pos: l.pos(root)}
		p.Hops = append(p.Hops, hop)
	}
	if n := m["cost"]; n != nil {
		cost, err := strconv.Atoi(n.Value)
		if err != nil || cost < 1 || cost > 1_000_000 {
			l.fail(n, "cost is a whole number from 1 to 1000000")
		} else {
			hop.Cost = cost
		}
	}
	source := l.text(m["source"])
	if m["models"] == nil {
		return
	}
	for model, node := range l.pairs(m["models"], "models") {
		l.model(hop, model, node, source)
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

func (l *loader) skips(n *yaml.Node) {
	for _, item := range l.list(n, "skip") {
		m, ok := l.mapping(item, "skip", "refs", "reason")
		if !ok {
			continue
		}
		s := Skipped{Refs: l.texts(m["refs"]), Reason: l.text(m["reason"]), Pos: l.pos(item)}
		if len(s.Refs) == 0 || s.Reason == "" {
			l.fail(item, `an entry of skip has "refs" and a "reason"`)
			continue
		}
		l.pack.Skipped = append(l.pack.Skipped, s)
	}
}

func (l *loader) model(hop *Hop, name string, n *yaml.Node, source string) {
	m, ok := l.mapping(n, "model "+name, "to", "removed", "split", "note", "source", "person", "refs", "rules", "tests")
	if !ok {
		return
	}
	part := &Model{Name: name, Removed: l.boolean(m["removed"]), Source: l.text(m["source"]), Person: l.boolean(m["person"]), Refs: l.texts(m["refs"]), Pos: l.pos(n)}
	if part.Source == "" {
		part.Source = source
	}
	if note := l.text(m["note"]); note != "" {
		part.Notes = []string{note}
	}
	if m["to"] != nil {
		if part.To = l.text(m["to"]); part.To == "" {
			l.fail(m["to"], `"to" is the model's name in %s`, hop.To)
		}
	}
	part.Rules = l.rules(m["rules"], part.Source)
	for _, item := range l.list(m["split"], "split") {
		b, ok := l.mapping(item, "split", "to", "when", "rules")
		if !ok {
			continue
		}
		branch := Branch{To: l.text(b["to"]), When: l.when(b["when"]), Rules: l.rules(b["rules"], part.Source), Pos: l.pos(item)}
		if branch.To == "" {
			l.fail(item, `a branch of a split has "to": the model it leads to`)
		}
		part.Branches = append(part.Branches, branch)
	}
	for i, b := range part.Branches {
		if len(b.When) == 0 && i < len(part.Branches)-1 {
			l.errs = append(l.errs, &LoadError{Pos: b.Pos, Message: `only the last branch of a split may lack "when"`})
		}
	}
	ways := 0
	for _, key := range []string{"to", "removed", "split"} {
		if m[key] != nil {
			ways++
		}
	}
	if ways > 1 {
		l.fail(n, `model %s has more than one of "to", "removed", "split"`, name)
	}
	if part.Removed && len(part.Rules) > 0 {
		l.fail(n, "model %s is removed: rules for its fields can't act", name)
	}
	for _, item := range l.list(m["tests"], "tests") {
		if c, ok := l.test(item); ok {
			part.Tests = append(part.Tests, c)
		}
	}
	l.merge(hop, part, n)
}

// merge adds what one file says about a model to what others said.
func (l *loader) merge(hop *Hop, part *Model, n *yaml.Node) {
	whole := hop.Models[part.Name]
	if whole == nil {
		hop.Models[part.Name] = part
		return
	}
	said := func(m *Model) bool { return m.To != "" || m.Removed || len(m.Branches) > 0 }
	if said(part) {
		if said(whole) && (whole.To != part.To || part.To == "") {
			l.fail(n, "%s says something else about where model %s goes", whole.Pos, part.Name)
			return
		}
		whole.To, whole.Removed, whole.Branches, whole.Pos = part.To, part.Removed, part.Branches, part.Pos
	}
	whole.Rules = append(whole.Rules, part.Rules...)
	whole.Notes = append(whole.Notes, part.Notes...)
	whole.Refs = append(whole.Refs, part.Refs...)
	whole.Tests = append(whole.Tests, part.Tests...)
	whole.Person = whole.Person || part.Person
}

func (l *loader) test(n *yaml.Node) (Case, bool) {
	m, ok := l.mapping(n, "test", "name", "up", "gives", "residue", "model", "down", "error", "side")
	if !ok {
		return Case{}, false
	}
	c := Case{
		Name: l.text(m["name"]), Up: l.record(m["up"]), Gives: l.record(m["gives"]), Residue: l.record(m["residue"]),
		Model: l.text(m["model"]), Down: l.record(m["down"]), Error: l.text(m["error"]), Pos: l.pos(n),
	}
	if c.Up == nil || (c.Gives == nil) == (c.Error == "") {
		l.fail(n, `a test has "up" and one of "gives" and "error"`)
		return Case{}, false
	}
	for _, item := range l.list(m["side"], "side") {
		s, ok := l.mapping(item, "side", "model", "link", "values")
		if ok {
			c.Side = append(c.Side, Side{Model: l.text(s["model"]), Link: l.text(s["link"]), Values: l.record(s["values"])})
		}
	}
	return c, true
}

// mapping returns the values of a mapping whose keys must be among allowed.
func (l *loader) mapping(n *yaml.Node, what string, allowed ...string) (map[string]*yaml.Node, bool) {
	if n == nil || n.Kind != yaml.MappingNode {
		if n == nil {
			n = &yaml.Node{}
		}
		l.fail(n, "%s must be a mapping with the keys %s", what, strings.Join(allowed, ", "))
		return nil, false
	}
	m := make(map[string]*yaml.Node, len(n.Content)/2)
	good := true
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case !slices.Contains(allowed, key.Value) || key.Kind != yaml.ScalarNode:
			l.fail(key, "%s has no key %q; there are %s", what, key.Value, strings.Join(allowed, ", "))
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

// pairs yields a mapping's keys, as text, and values, in the file's order.
func (l *loader) pairs(n *yaml.Node, what string) func(func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			if n == nil {
				n = &yaml.Node{}
			}
			l.fail(n, "%s must be a mapping", what)
			return
		}
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || key.Value == "" {
				l.fail(key, "%s: a key must be a name", what)
				continue
			}
			if seen[key.Value] {
				l.fail(key, "key %q appears twice", key.Value)
				continue
			}
			seen[key.Value] = true
			if !yield(key.Value, n.Content[i+1]) {
				return
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
	var out []string
	for _, item := range n.Content {
		s := l.text(item)
		if s == "" {
			l.fail(item, "expected a text that is not empty")
			continue
		}
		if slices.Contains(out, s) {
			l.fail(item, "%q appears twice", s)
			continue
		}
		out = append(out, s)
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
	return n.Value == "true" || n.Value == "True" || n.Value == "TRUE"
}

func (l *loader) record(n *yaml.Node) map[string]any {
	if n == nil {
		return nil
	}
	v, ok := l.value(n).(map[string]any)
	if !ok {
		l.fail(n, "expected a record: a mapping of field names to values")
		return nil
	}
	return v
}
