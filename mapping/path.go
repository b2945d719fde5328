package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Path leads to a value in a system's record, through relations.
type Path []Step

// Step is one field on a path.
type Step struct {
	Name string
	Many bool // marked []: the first of many
	Keys []Key
}

// Key is a condition in the mark of a relation to many.
type Key struct{ Field, Value string }

// String returns the path as files have it.
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s.Name)
		if !s.Many {
			continue
		}
		b.WriteByte('[')
		for j, k := range s.Keys {
			if j > 0 {
				b.WriteByte(',')
			}
			b.WriteString(k.Field + "=" + k.Value)
		}
		b.WriteByte(']')
	}
	return b.String()
}

// Plain returns the path without marks, as queries have it.
func (p Path) Plain() string {
	if len(p) == 1 {
		return p[0].Name
	}
	names := make([]string, len(p))
	for i, s := range p {
		names[i] = s.Name
	}
	return strings.Join(names, ".")
}

func (p Path) marked() bool { return slices.ContainsFunc(p, func(s Step) bool { return s.Many }) }

// writable reports whether a new record can be given a value there: relations
// to one can't, unless nested records are meant.
func (p Path) writable(nest bool) bool {
	if len(p) == 0 {
		return false
	}
	for _, s := range p[:len(p)-1] {
		if !s.Many && !nest {
			return false
		}
	}
	return true
}

// needs are the fields that a query must ask for: the path, and what the
// marks look at.
func (p Path) needs() []string {
	out := []string{p.Plain()}
	for i, s := range p {
		for _, k := range s.Keys {
			out = append(out, p[:i+1].Plain()+"."+k.Field)
		}
	}
	return out
}

// parsePath reads a path.
func parsePath(s string) (Path, error) {
	var p Path
	rest := s
	for {
		end := strings.IndexAny(rest, ".[")
		name := rest
		if end >= 0 {
			name = rest[:end]
		}
		if !isName(name) {
			return nil, fmt.Errorf("%q is not a path: %q is no field name", s, name)
		}
		step := Step{Name: name}
		if end >= 0 && rest[end] == '[' {
			mark, after, closed := strings.Cut(rest[end+1:], "]")
			if !closed {
				return nil, fmt.Errorf("%q is not a path: a bracket is not closed", s)
			}
			step.Many = true
			for _, part := range strings.Split(mark, ",") {
				if mark == "" {
					break
				}
				field, value, ok := strings.Cut(part, "=")
				if field = strings.TrimSpace(field); !ok || !isDotted(field) {
					return nil, fmt.Errorf("%q is not a path: a mark reads [] or [Field=value]", s)
				}
				step.Keys = append(step.Keys, Key{field, strings.TrimSpace(value)})
			}
			rest = after
			if rest != "" && rest[0] != '.' {
				return nil, fmt.Errorf("%q is not a path: a dot follows a bracket", s)
			}
			end = 0
			if rest == "" {
				end = -1
			}
		}
		p = append(p, step)
		if len(p) > 10 {
			return nil, fmt.Errorf("%q leads through too many relations", s)
		}
		if end < 0 {
			break
		}
		rest = rest[end+1:]
	}
	if p[len(p)-1].Many {
		return nil, fmt.Errorf("%q ends with a mark: a field of the related record must follow", s)
	}
	return p, nil
}

// isDotted reports whether a text is a name or several with dots between.
func isDotted(s string) bool {
	for name := range strings.SplitSeq(s, ".") {
		if !isName(name) {
			return false
		}
	}
	return true
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 200
}

// get reads the value at the path; there is false where the record says nothing
// of it: it lacks a field on the way. A relation that leads nowhere says null.
func (p Path) get(r map[string]any) (v any, there bool) {
	v, there = r[p[0].Name]
	if len(p) == 1 {
		return v, there
	}
	if !p.marked() {
		if flat, ok := r[p.Plain()]; ok {
			return flat, true
		}
	}
	if !there {
		return nil, false
	}
	return p.inside(v)
}

// inside follows the path from the value of its first step.
func (p Path) inside(v any) (any, bool) {
	step, rest := p[0], p[1:]
	if len(rest) == 0 {
		return v, true
	}
	switch v := v.(type) {
	case map[string]any:
		return rest.get(v)
	case adapter.Record:
		return rest.get(v)
	case []any:
		if step.Many {
			for _, item := range v {
				if r, ok := recordOf(item); ok && step.fits(r) {
					return rest.get(r)
				}
			}
			return nil, true
		}
		if _, pair := adapter.RefOf(v); pair {
			return nil, false
		}
		return rest.all(v), true
	}
	return nil, adapter.IsEmpty(v)
}

// all collects the values behind an unmarked relation to many.
func (p Path) all(items []any) any {
	out := make([]any, 0, len(items))
	for _, item := range items {
		r, ok := recordOf(item)
		if !ok {
			continue
		}
		switch x, _ := p.get(r); x := x.(type) {
		case []any:
			out = append(out, x...)
		default:
			if !adapter.IsEmpty(x) {
				out = append(out, x)
			}
		}
	}
	return out
}

func (s Step) fits(r map[string]any) bool {
	for _, k := range s.Keys {
		if text, ok := textOf(k.of(r)); !ok || text != k.Value {
			return false
		}
	}
	return true
}

// of reads the key's field, which may lie behind relations to one.
func (k Key) of(r map[string]any) any {
	head, rest, dotted := strings.Cut(k.Field, ".")
	for dotted {
		if flat, ok := r[head+"."+rest]; ok {
			return flat
		}
		inner, ok := recordOf(r[head])
		if !ok {
			return nil
		}
		r = inner
		head, rest, dotted = strings.Cut(rest, ".")
	}
	return r[head]
}

func recordOf(v any) (map[string]any, bool) {
	switch v := v.(type) {
	case map[string]any:
		return v, true
	case adapter.Record:
		return v, true
	}
	return nil, false
}

// put writes a value of a new record, making the nested records on its way.
// A value that is there stays.
func (p Path) put(r map[string]any, v any) {
	for _, s := range p[:len(p)-1] {
		r = s.nested(r)
	}
	last := p[len(p)-1].Name
	if _, there := r[last]; !there {
		r[last] = v
	}
}

// nested returns the record that a step of a new one leads to.
func (s Step) nested(r map[string]any) map[string]any {
	if !s.Many {
		if inner, ok := recordOf(r[s.Name]); ok {
			return inner
		}
		inner := map[string]any{}
		r[s.Name] = inner
		return inner
	}
	list, _ := r[s.Name].([]any)
	for _, item := range list {
		if inner, ok := recordOf(item); ok && s.fits(inner) {
			return inner
		}
	}
	inner := make(map[string]any, len(s.Keys)+1)
	for _, k := range s.Keys {
		if isName(k.Field) {
			inner[k.Field] = k.Value
		}
	}
	r[s.Name] = append(list, inner)
	return inner
}
