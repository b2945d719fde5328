package mapping_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

// hostile are texts that other languages would take for more than a text.
var hostile = []string{
	`' OR Name LIKE '%`, `x') or ('1' eq '1`, `"],["id",">",0],["x","=","`, `\'`, `\\`, "a\x00b", "\u202e", "{{7*7}}", "$(id)", "' --", "\n---\n", "%_",
}

// A value stays one value, as it was, whatever it looks like.
func TestHostileValues(t *testing.T) {
	s, err := mapping.Parse("m.yaml", []byte("universal: m\nfields: {plain: char, other: char}\n---\nmapping: m\nsystem: s\nmodel: M\nfields: {plain: p, other: {path: q, empty: none}}"))
	require.NoError(t, err)
	p, err := s.Compile("s", "", "m", mapping.Options{})
	require.NoError(t, err)
	for _, text := range hostile {
		for field, own := range map[string]string{"plain": "p", "other": "q"} {
			f, err := p.Filter(t.Context(), adapter.Cond{Field: field, Op: adapter.Equal, Value: text})
			require.NoError(t, err)
			require.Equal(t, adapter.Cond{Field: own, Op: adapter.Equal, Value: text}, f)
			v, err := p.Create(t.Context(), adapter.Record{field: text})
			require.NoError(t, err)
			require.Equal(t, adapter.Record{own: text}, v.Record)
		}
		// As a field's name it is none.
		_, err := p.Filter(t.Context(), adapter.Cond{Field: text, Op: adapter.Equal, Value: 1})
		require.ErrorIs(t, err, adapter.ErrInvalidArgument, text)
		_, err = p.Order([]adapter.Order{{Field: text}})
		require.ErrorIs(t, err, adapter.ErrInvalidArgument, text)
	}
}

// What a part of a text is looked for with holds no wildcards of the caller's.
func TestHostilePatterns(t *testing.T) {
	s, err := mapping.Parse("m.yaml", []byte(`universal: m
fields: {first: char, last: char}
---
mapping: m
system: s
model: M
fields:
  first: {split: {path: p, part: 1, of: 2, sep: " "}}
  last: {split: {path: p, part: 2, of: 2, sep: " "}}`))
	require.NoError(t, err)
	p, err := s.Compile("s", "", "m", mapping.Options{})
	require.NoError(t, err)
	for _, text := range []string{"%", "_", `\`, `\%`, "%_%"} {
		f, err := p.Filter(t.Context(), adapter.Cond{Field: "first", Op: adapter.Equal, Value: text})
		require.NoError(t, err)
		for held, want := range map[string]bool{text + " b": true, text: true, "ab b": false, "a b": false, "a": false} {
			ok, err := adapter.Match(f, adapter.Record{"p": held}, adapter.MatchOptions{})
			require.NoError(t, err)
			assert.Equal(t, want, ok, "%s on %q", adapter.AppendDomainJSON(nil, f), held)
		}
	}
}

// Long lists stay one condition.
func TestLongLists(t *testing.T) {
	s, err := mapping.Parse("m.yaml", []byte("universal: m\nfields: {r: {type: ref, relation: m}, n: float, c: char}\n---\nmapping: m\nsystem: s\nmodel: M\nfields: {r: {path: p, as: text}, n: {path: q, scale: 100}, c: c}"))
	require.NoError(t, err)
	p, err := s.Compile("s", "", "m", mapping.Options{})
	require.NoError(t, err)
	list := make([]any, 10_000)
	for i := range list {
		list[i] = num(strconv.Itoa(i))
	}
	for _, field := range []string{"id", "r", "n", "c"} {
		f, err := p.Filter(t.Context(), adapter.Cond{Field: field, Op: adapter.In, Value: list})
		require.NoError(t, err)
		c, ok := f.(adapter.Cond)
		require.True(t, ok, "%T", f)
		require.Len(t, c.Value, len(list))
	}
	require.Equal(t, num("9999"), list[9999], "the caller's list was changed")
}

// Files that grow when they are read, nest or repeat are refused, with the
// place.
func TestHostileFiles(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("universal: m\nfields:\n  a: &a [x, x, x, x, x, x, x, x, x]\n")
	for c := 'b'; c < 'k'; c++ {
		fmt.Fprintf(&bomb, "  %c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", c-1), 9), ", "))
	}
	for name, text := range map[string]string{
		"a bomb":     bomb.String(),
		"a merge":    "universal: m\nfields:\n  <<: {a: char}\n",
		"deep":       "universal: m\nfields: " + strings.Repeat("{a: ", 5000) + "x" + strings.Repeat("}", 5000),
		"deep lists": "universal: m\nfields:\n" + strings.Repeat("- ", 5000),
		"bytes":      "universal: \xff\xfe\nfields: {a: char}",
		"5 MB":       "universal: m\ndoc: " + strings.Repeat("x", 5<<20) + "\nfields: {a: char}",
	} {
		_, err := mapping.Parse("h.yaml", []byte(text))
		require.Error(t, err, name)
		require.ErrorIs(t, err, adapter.ErrInvalidArgument, name)
		assert.Contains(t, err.Error(), "h.yaml:", name)
		assert.Less(t, len(err.Error()), 20_000, name)
	}
}
