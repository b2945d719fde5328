package adaptertest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

// Nesting is what of an [adapter.Nester] the suite may use.
type Nesting struct {
	// Up is a relation of the harness's model to one record, as paths name it,
	// and UpText a text there. What leads there is written to the harness's
	// Reference: UpText reads the names of its Targets.
	Up, UpText string
	// Lines is a relation to many that new records may bring along, LineText a
	// text field of the lines.
	Lines, LineText string
	// LineValues returns what a new line needs besides. May be nil.
	LineValues func() adapter.Record
}

func (s *suite) line(text string) map[string]any {
	line := adapter.Record{}
	if s.Nest.LineValues != nil {
		line = s.Nest.LineValues()
	}
	line[s.Nest.LineText] = s.name(text)
	return line
}

func testNested(t *testing.T, s *suite) {
	t.Helper()
	if !adapter.Nests(s.Adapter) {
		t.Skip("the adapter is no Nester")
	}
	if s.Nest == nil {
		t.Skip("the harness names no Nest")
	}
	if s.Nest.Up != "" && len(s.Targets) > 0 {
		t.Run("to one", func(t *testing.T) { testNestedOne(t, s) })
	}
	if s.Nest.Lines != "" {
		t.Run("to many", func(t *testing.T) { testNestedMany(t, s) })
	}
}

func testNestedOne(t *testing.T, s *suite) {
	t.Helper()
	path := s.Nest.Up + "." + s.Nest.UpText
	with := s.create(t, "with", adapter.Record{s.Reference: s.Targets[0].ID.Value()})
	without := s.create(t, "without")
	r := s.get(t, with, path)
	up, ok := r[s.Nest.Up].(map[string]any)
	require.True(t, ok, "%s is an object: %#v", s.Nest.Up, r[s.Nest.Up])
	assert.Equal(t, s.Targets[0].Name, up[s.Nest.UpText])
	assert.Nil(t, s.get(t, without, path)[s.Nest.Up], "a relation to nothing")

	ids, err := adapter.SearchIDs(t.Context(), s.Adapter, adapter.Query{Model: s.Model, Filter: adapter.And{
		s.only(with, without), adapter.Cond{Field: path, Op: adapter.Equal, Value: s.Targets[0].Name},
	}})
	require.NoError(t, err, "a condition on a path")
	assert.Equal(t, []adapter.ID{with}, ids)

	_, err = s.Adapter.Query(t.Context(), adapter.Query{Model: s.Model, Fields: []string{s.Nest.Up + ".no_such_field"}})
	requireNames(t, "no_such_field", err, "an unknown field behind a relation")
}

func testNestedMany(t *testing.T, s *suite) {
	t.Helper()
	ctx := t.Context()
	path := s.Nest.Lines + "." + s.Nest.LineText
	with := s.create(t, "with", adapter.Record{s.Nest.Lines: []any{s.line("first"), s.line("second")}})
	without := s.create(t, "without")
	texts := func(id adapter.ID) []string {
		t.Helper()
		r := s.get(t, id, path)
		list, ok := r[s.Nest.Lines].([]any)
		require.True(t, ok, "%s is a list: %#v", s.Nest.Lines, r[s.Nest.Lines])
		out := []string{}
		for _, item := range list {
			line, ok := item.(map[string]any)
			require.True(t, ok, "a line is an object: %#v", item)
			out = append(out, adapter.Record(line).String(s.Nest.LineText))
		}
		return out
	}
	assert.ElementsMatch(t, []string{s.name("first"), s.name("second")}, texts(with))
	assert.Empty(t, texts(without), "no lines are an empty list")

	bad := s.line("bad")
	bad["no_such_field"] = 1
	_, err := s.Adapter.Create(ctx, s.Model, s.values("never", adapter.Record{s.Nest.Lines: []any{s.line("good"), bad}}))
	requireNames(t, "no_such_field", err, "an unknown field in a line")
	s.requireNone(t, "never")

	err = s.Adapter.Update(ctx, s.Model, []adapter.ID{with}, adapter.Record{s.Nest.Lines: []any{s.line("third")}})
	e := errorOf(t, adapter.Unsupported, err, "lines in an update")
	assert.Contains(t, e.Field+" "+e.Message, s.Nest.Lines, "the error must name the field")
	assert.ElementsMatch(t, []string{s.name("first"), s.name("second")}, texts(with), "a refused update changes nothing")
}

// testStream holds the system's own way to stream against reading by pages.
func testStream(t *testing.T, s *suite) {
	t.Helper()
	if _, ok := s.Adapter.(adapter.Streamer); !ok {
		t.Skip("the adapter is no Streamer")
	}
	ids := s.createNamed(t, "a", "b", "c", "d")
	q := adapter.Query{Model: s.Model, Filter: s.only(ids...), Fields: []string{s.Text}, Plain: true}
	page, err := s.Adapter.Query(t.Context(), q)
	require.NoError(t, err)
	var streamed []adapter.Record
	for r, err := range adapter.All(t.Context(), s.Adapter, q) {
		require.NoError(t, err)
		streamed = append(streamed, r)
	}
	assert.ElementsMatch(t, page.Records, streamed, "streamed records are those of pages")

	for _, err := range adapter.All(t.Context(), s.Adapter, q) {
		require.NoError(t, err)
		break // leaving early leaks nothing; the packages' own tests see to that
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n := 0
	for r, err := range adapter.All(ctx, s.Adapter, q) {
		n++
		assert.Nil(t, r)
		requireCode(t, adapter.Canceled, err, "All in a context that is over")
	}
	assert.Equal(t, 1, n)
	q.Fields = []string{"no_such_field"}
	for _, err := range adapter.All(t.Context(), s.Adapter, q) {
		requireNames(t, "no_such_field", err, "All with an unknown field")
	}
}
