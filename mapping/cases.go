package mapping

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Direction says which way a test goes.
type Direction string

// The directions.
const (
	Both        Direction = "both"
	ToSystem    Direction = "to_system"
	ToUniversal Direction = "to_universal"
)

// Case is a test beside a mapping; the package's comment has its form.
type Case struct {
	Name      string
	Universal map[string]any
	System    map[string]any
	Written   map[string]any
	Direction Direction
	Operation string
	Version   string
	Lookup    map[string][]map[string]any
	Warnings  []string
	Error     string
	IsFilter  bool
	Filter    adapter.Filter
	Gives     adapter.Filter
	Fields    []string
	Reads     []string
	Pos       Position
}

// TestResult is what became of a test in one version.
type TestResult struct {
	Model    string
	System   string
	Version  string
	Case     Case
	Problems []string // why it failed
}

// Passed reports whether the test passed.
func (r TestResult) Passed() bool { return len(r.Problems) == 0 }

// String returns "file:line: model of system version, name: ok", or the
// problems.
func (r TestResult) String() string {
	at := strings.TrimSpace(r.System + " " + r.Version)
	s := fmt.Sprintf("%s: %s of %s, %s: ", r.Case.Pos, r.Model, at, r.Case.Name)
	if r.Passed() {
		return s + "ok"
	}
	return s + strings.Join(r.Problems, "; ")
}

// Test runs the tests that stand beside the mappings.
func (s *Set) Test(ctx context.Context) []TestResult {
	var out []TestResult
	for i, l := range s.layers {
		for _, m := range l.mappings {
			for _, c := range m.Tests {
				versions := s.ends(i, m)
				if c.Version != "" {
					versions = []string{c.Version}
				}
				for _, v := range versions {
					if holder := s.find(m.Universal, m.System, v); i < len(s.layers)-1 && (holder == nil || holder.Pos != m.Pos) {
						continue // a layer above has its own
					}
					r := TestResult{Model: m.Universal, System: m.System, Version: v, Case: c}
					plan, err := s.Compile(m.System, v, m.Universal, Options{})
					if err != nil {
						r.Problems = []string{err.Error()}
					} else {
						r.Problems = c.run(ctx, plan)
					}
					out = append(out, r)
				}
			}
		}
	}
	return out
}

// ends are the versions at which the tests of a mapping run.
func (s *Set) ends(layer int, m *Mapping) []string {
	if m.extends && m.Versions.All() {
		if below := s.under(layer, m); below != nil {
			return below.Versions.ends()
		}
	}
	return m.Versions.ends()
}

// trial is one run of a test.
type trial struct {
	c        Case
	plan     *Plan
	problems []string
	notes    []adapter.Warning
	failed   bool // with the error that is expected
}

func (c Case) run(ctx context.Context, plan *Plan) []string {
	t := &trial{c: c, plan: plan}
	tables := Tables{}
	for model, records := range c.Lookup {
		for _, r := range records {
			tables[model] = append(tables[model], r)
		}
	}
	ctx = WithLookup(ctx, tables)
	switch {
	case c.IsFilter:
		t.filter(ctx)
	case c.Fields != nil:
		t.fields()
	default:
		if c.Direction != ToSystem {
			t.toUniversal(ctx)
		}
		if c.Direction != ToUniversal && (c.Universal != nil || c.Error == "") {
			t.toSystem(ctx)
		}
	}
	if c.Error != "" && !t.failed {
		t.problem("there is no error with %q", c.Error)
	}
	if c.Warnings != nil {
		var got []string
		for _, n := range t.notes {
			if !slices.Contains(got, n.Field) {
				got = append(got, n.Field)
			}
		}
		want := slices.Clone(c.Warnings)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.problem("warnings name %v, not %v", got, want)
		}
	}
	return t.problems
}

func (t *trial) problem(format string, args ...any) {
	t.problems = append(t.problems, fmt.Sprintf(format, args...))
}

// erred treats an error: is it the one that is expected?
func (t *trial) erred(what string, err error) bool {
	if err == nil {
		return false
	}
	if t.c.Error == "" || !strings.Contains(err.Error(), t.c.Error) {
		t.problem("%s: %s", what, err)
	}
	t.failed = true
	return true
}

func (t *trial) toUniversal(ctx context.Context) {
	if t.c.System == nil {
		return
	}
	got, notes, err := t.plan.ToUniversal(ctx, t.c.System, nil)
	if t.erred("to universal", err) {
		return
	}
	t.notes = append(t.notes, notes...)
	if t.c.Error != "" && t.c.Universal == nil {
		return
	}
	withoutUnsupported(t.plan, got, t.c.Universal)
	t.compare("universal", got, t.c.Universal)
}

// withoutUnsupported leaves out what need not be expected: fields that the
// system lacks.
func withoutUnsupported(p *Plan, got, want map[string]any) {
	for name, v := range got {
		if _, wanted := want[name]; !wanted && v == nil && p.Unsupported(name) != "" {
			delete(got, name)
		}
		child, ok := p.Lines(name)
		if !ok {
			continue
		}
		lines, _ := v.([]any)
		expected, _ := want[name].([]any)
		for i, line := range lines {
			inner, ok := recordOf(line)
			if !ok || i >= len(expected) {
				continue
			}
			if other, ok := recordOf(expected[i]); ok {
				withoutUnsupported(child, inner, other)
			}
		}
	}
}

func (t *trial) toSystem(ctx context.Context) {
	write := t.plan.Create
	if t.c.Operation == "update" {
		write = t.plan.Update
	}
	v, err := write(ctx, t.c.Universal)
	if t.erred("to the system", err) {
		return
	}
	t.notes = append(t.notes, v.Notes...)
	want := t.c.Written
	if want == nil {
		want = t.c.System
	}
	if want == nil {
		return
	}
	want = maps.Clone(want)
	delete(want, t.plan.idField)
	t.compare("written", v.Whole(), want)
}

// compare names every field that differs.
func (t *trial) compare(what string, got adapter.Record, want map[string]any) {
	names := slices.Sorted(maps.Keys(got))
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if _, there := got[name]; !there {
			t.problem("%s: %s is missing, want %s", what, name, brief(want[name]))
		}
	}
	for _, name := range names {
		w, there := want[name]
		switch {
		case !there:
			t.problem("%s: %s is %s, and not expected", what, name, brief(got[name]))
		case !same(got[name], w):
			t.problem("%s: %s is %s, want %s", what, name, brief(got[name]), brief(w))
		}
	}
}

func (t *trial) filter(ctx context.Context) {
	c := &call{ctx: ctx, plan: t.plan}
	got, err := t.plan.filter(c, t.c.Filter)
	if t.erred("filter", err) {
		return
	}
	t.notes = c.notes
	if t.c.Error != "" {
		return
	}
	a, b := adapter.AppendDomainJSON(nil, got), adapter.AppendDomainJSON(nil, t.c.Gives)
	var x, y any
	if adapter.DecodeJSON(a, &x) != nil || adapter.DecodeJSON(b, &y) != nil || !same(x, y) {
		t.problem("the filter is %s, want %s", a, b)
	}
}

func (t *trial) fields() {
	got, notes, err := t.plan.Fields(t.c.Fields)
	if t.erred("fields", err) {
		return
	}
	t.notes = notes
	want := slices.Clone(t.c.Reads)
	slices.Sort(got)
	slices.Sort(want)
	if t.c.Error == "" && !slices.Equal(got, want) {
		t.problem("the fields are %v, want %v", got, want)
	}
}
