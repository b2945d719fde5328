package adaptertest

import (
	"encoding/json"
	"maps"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

func testInfo(t *testing.T, s *suite) {
	t.Helper()
	info := s.Adapter.Info()
	assert.NotEmpty(t, info.Kind)
	assert.NotEmpty(t, info.Version)
	assert.NotContains(t, info.URL, "@", "a URL with user information")
	assert.Equal(t, info, s.Adapter.Info())
}

func testSchema(t *testing.T, s *suite) {
	t.Helper()
	schema, err := s.Adapter.Schema(t.Context(), s.Model)
	require.NoError(t, err)
	assert.Equal(t, s.Model, schema.Model)
	numbers := []adapter.FieldType{adapter.Float, adapter.Monetary}
	texts := []adapter.FieldType{adapter.Char, adapter.Text}
	for _, want := range []struct {
		field string
		types []adapter.FieldType
	}{
		{s.Text, texts},
		{s.OptionalText, texts},
		{s.Integer, []adapter.FieldType{adapter.Integer}},
		{s.Float, numbers},
		{s.Boolean, []adapter.FieldType{adapter.Boolean}},
		{s.Date, []adapter.FieldType{adapter.Date}},
		{s.DateTime, []adapter.FieldType{adapter.DateTime}},
		{s.Reference, []adapter.FieldType{adapter.Many2One}},
		{s.Lines, []adapter.FieldType{adapter.One2Many}},
	} {
		if want.field == "" {
			continue
		}
		field, ok := schema.Fields[want.field]
		if assert.True(t, ok, "the schema lacks %q", want.field) {
			assert.Contains(t, want.types, field.Type, want.field)
			assert.Equal(t, field.Type.Relational(), field.Relation != "", "%q: a relation leads to a model", want.field)
		}
	}
	assert.True(t, schema.Has(s.IDField))
	assert.False(t, schema.Has("no_such_field"))

	_, err = s.Adapter.Schema(t.Context(), "no.such.model")
	requireCode(t, adapter.NotFound, err, "Schema of an unknown model")

	// What one caller does to its schema is no other caller's business.
	clear(schema.Fields)
	again, err := s.Adapter.Schema(t.Context(), s.Model)
	require.NoError(t, err)
	assert.True(t, again.Has(s.Text), "a schema handed out is shared")
}

func testLifecycle(t *testing.T, s *suite) {
	t.Helper()
	id := s.create(t, "first")
	other := s.create(t, "other")
	assert.NotEqual(t, id, other)

	r := s.get(t, id)
	assert.Equal(t, id, r.ID(), "the id always comes along")
	assert.Equal(t, s.name("first"), r.String(s.Text))

	// Asking for no fields is asking for all.
	all := s.query(t, adapter.Query{Model: s.Model, Filter: s.only(id)})
	require.Len(t, all, 1)
	assert.Greater(t, len(all[0]), 2)
	assert.Equal(t, s.name("first"), all[0].String(s.Text))

	require.NoError(t, s.Adapter.Update(t.Context(), s.Model, []adapter.ID{id}, adapter.Record{s.Text: s.name("second")}))
	assert.Equal(t, s.name("second"), s.get(t, id).String(s.Text))
	assert.Equal(t, s.name("other"), s.get(t, other).String(s.Text), "only the records of the ids change")

	require.NoError(t, s.Adapter.Update(t.Context(), s.Model, []adapter.ID{id, other}, adapter.Record{s.Text: s.name("both")}))
	assert.Equal(t, s.name("both"), s.get(t, id).String(s.Text))
	assert.Equal(t, s.name("both"), s.get(t, other).String(s.Text))

	require.NoError(t, s.Adapter.Delete(t.Context(), s.Model, []adapter.ID{id}))
	assert.Empty(t, s.query(t, adapter.Query{Model: s.Model, Filter: s.only(id), Fields: []string{s.Text}}))
	assert.Len(t, s.query(t, adapter.Query{Model: s.Model, Filter: s.only(id, other), Fields: []string{s.Text}}), 1)
}

func testEmptyValues(t *testing.T, s *suite) {
	t.Helper()
	fields := map[string]any{}
	for field, value := range map[string]any{s.OptionalText: "something", s.Date: "2025-03-14", s.DateTime: "2025-03-14 15:09:26"} {
		if field != "" {
			fields[field] = value
		}
	}
	if s.Reference != "" && len(s.Targets) > 0 {
		fields[s.Reference] = s.Targets[0].ID.Value()
	}
	if len(fields) == 0 {
		t.Skip("the harness names no optional fields")
	}
	id := s.create(t, "empty")
	for field, value := range fields {
		assert.True(t, s.get(t, id, field).Empty(field), "%q was not given", field)
		for _, nothing := range []any{nil, false} {
			require.NoError(t, s.Adapter.Update(t.Context(), s.Model, []adapter.ID{id}, adapter.Record{field: value}))
			assert.False(t, s.get(t, id, field).Empty(field), "%q was set", field)
			require.NoError(t, s.Adapter.Update(t.Context(), s.Model, []adapter.ID{id}, adapter.Record{field: nothing}))
			assert.True(t, s.get(t, id, field).Empty(field), "%q was cleared with %v", field, nothing)
		}
	}
	for _, number := range []string{s.Integer, s.Float} {
		if number == "" {
			continue
		}
		require.NoError(t, s.Adapter.Update(t.Context(), s.Model, []adapter.ID{id}, adapter.Record{number: 0}))
		assert.Zero(t, s.get(t, id, number).Float(number))
		assert.False(t, s.get(t, id, number).Empty(number), "0 in %q is a value", number)
	}
}

// texts are what encodings get wrong.
var texts = []string{
	"plain",
	"accents éàüñ ß Å",
	"decomposed e\u0301",
	"Arabic مرحبا بالعالم",
	"Hebrew שלום",
	"Chinese 你好，世界",
	"emoji 😀 👩‍👩‍👧 🇫🇷",
	`quotes ' " ” ''`,
	`back\slash \n \\`,
	"line\nbreak\ttab",
	"<b>&amp; &lt;x&gt; ]]> <!-- -->",
	"100% _ sure %s %d {0} ${x}",
	"semi;colon, comma: [1, 2] {\"a\": 1}",
	"' OR 1=1 --",
	"null", "false", "0", "1e3",
}

func testTexts(t *testing.T, s *suite) {
	t.Helper()
	for _, text := range texts {
		id := s.create(t, text)
		want := s.name(text)
		assert.Equal(t, want, s.get(t, id).String(s.Text))
		// It can be looked for, too.
		found := s.query(t, adapter.Query{Model: s.Model, Fields: []string{s.Text}, Filter: adapter.And{
			adapter.Cond{Field: s.Text, Op: adapter.Equal, Value: want}, s.only(s.made...)}})
		if assert.Len(t, found, 1, "a filter for %q", want) {
			assert.Equal(t, id, found[0].ID())
		}
	}
	if s.OptionalText != "" {
		// Texts that look like other values stay texts.
		for _, text := range []string{"null", "false", "0", "12345", "2025-03-14"} {
			id := s.create(t, "alike", adapter.Record{s.OptionalText: text})
			assert.Equal(t, any(text), s.get(t, id, s.OptionalText)[s.OptionalText])
		}
	}
	long := strings.Repeat("é", 60-len(s.mark)-1)
	id := s.create(t, long)
	assert.Equal(t, s.name(long), s.get(t, id).String(s.Text))
}

func testNumbers(t *testing.T, s *suite) {
	t.Helper()
	if s.Integer == "" && s.Float == "" {
		t.Skip("the harness names no Integer and no Float")
	}
	check := func(field string, literals []string) {
		for _, literal := range literals {
			for _, value := range goNumbers(literal) {
				id := s.create(t, "number", adapter.Record{field: value})
				got := s.get(t, id, field)[field]
				number, ok := got.(json.Number)
				if !assert.True(t, ok, "%s in %q is read as %T, not json.Number", literal, field, got) {
					continue
				}
				assert.True(t, sameNumber(literal, number.String()), "%s (a %T) in %q is read as %s", literal, value, field, number)
			}
		}
	}
	if s.Integer != "" {
		integers := s.Integers
		if integers == nil {
			integers = []string{"0", "1", "-1", "1000000", "2147483647"}
		}
		check(s.Integer, integers)
	}
	if s.Float != "" {
		decimals := s.Decimals
		if decimals == nil {
			decimals = []string{"0", "0.5", "-1.25", "10.1", "123456.75"}
		}
		check(s.Float, decimals)
	}
}

// goNumbers returns the forms in which a program may write a number.
func goNumbers(literal string) []any {
	forms := []any{json.Number(literal)}
	n := json.Number(literal)
	if i, err := n.Int64(); err == nil {
		return append(forms, i, int(i))
	}
	if f, err := n.Float64(); err == nil && sameNumber(literal, big.NewFloat(f).Text('g', -1)) {
		forms = append(forms, f)
	}
	return forms
}

func sameNumber(a, b string) bool {
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	return okX && okY && x.Cmp(y) == 0
}

func testTimes(t *testing.T, s *suite) {
	t.Helper()
	if s.Date == "" && s.DateTime == "" {
		t.Skip("the harness names no Date and no DateTime")
	}
	if s.Date != "" {
		for _, day := range []string{"2025-03-14", "2024-02-29", "1999-12-31"} {
			id := s.create(t, "day", adapter.Record{s.Date: day})
			r := s.get(t, id, s.Date)
			assert.Equal(t, day, r.Time(s.Date).Format(time.DateOnly))
			assert.True(t, r.Time(s.Date).Equal(r.Time(s.Date).Truncate(24*time.Hour)), "a date has no time")
		}
	}
	if s.DateTime != "" {
		want := time.Date(2025, 3, 14, 15, 9, 26, 0, time.UTC)
		for _, text := range []string{"2025-03-14 15:09:26", "2025-03-14T15:09:26Z", "2025-03-14T16:09:26+01:00"} {
			id := s.create(t, "moment", adapter.Record{s.DateTime: text})
			got := s.get(t, id, s.DateTime).Time(s.DateTime)
			assert.True(t, want.Equal(got), "%s is read as %s", text, got)
		}
	}
}

func testPlain(t *testing.T, s *suite) {
	t.Helper()
	values := adapter.Record{}
	if s.DateTime != "" {
		values[s.DateTime] = "2025-03-14 15:09:26"
	}
	id := s.create(t, "plain", values)
	fields := []string{s.Text}
	for _, name := range []string{s.OptionalText, s.DateTime, s.Date, s.Reference, s.Boolean} {
		if name != "" {
			fields = append(fields, name)
		}
	}
	records := s.query(t, adapter.Query{Model: s.Model, Filter: s.only(id), Fields: fields, Plain: true})
	require.Len(t, records, 1)
	r := records[0]
	for _, name := range []string{s.OptionalText, s.Date, s.Reference} {
		if name != "" {
			v, present := r[name]
			assert.True(t, present, "%q was asked for", name)
			assert.Nil(t, v, "%q is empty", name)
		}
	}
	if s.DateTime != "" {
		at, err := time.Parse(time.RFC3339, r.String(s.DateTime))
		if assert.NoError(t, err, s.DateTime) {
			assert.True(t, at.Equal(time.Date(2025, 3, 14, 15, 9, 26, 0, time.UTC)), "%s", at)
		}
	}
	if s.Boolean != "" {
		assert.IsType(t, true, r[s.Boolean], "a truth value stays one")
	}
}

func testReferences(t *testing.T, s *suite) {
	t.Helper()
	need(t, "Reference", s.Reference)
	require.GreaterOrEqual(t, len(s.Targets), 2, "the harness names no Targets")
	first, second := s.Targets[0], s.Targets[1]
	id := s.create(t, "reference", adapter.Record{s.Reference: first.ID.Value()})
	read := func() adapter.Ref {
		t.Helper()
		ref, ok := s.get(t, id, s.Reference).Ref(s.Reference)
		require.True(t, ok, "the reference is set")
		return ref
	}
	update := func(value any) {
		t.Helper()
		require.NoError(t, s.Adapter.Update(t.Context(), s.Model, []adapter.ID{id}, adapter.Record{s.Reference: value}))
	}
	got := read()
	assert.Equal(t, first.ID, got.ID)
	if !s.BareReferences {
		assert.Equal(t, first.Name, got.Name)
	}

	update(second.ID.Value())
	assert.Equal(t, second.ID, read().ID)
	// What was read can be written back.
	pair := s.get(t, id, s.Reference)[s.Reference]
	update(first.ID.Value())
	update(pair)
	assert.Equal(t, second.ID, read().ID, "the value as it was read, written back")
	update(nil)
	assert.True(t, s.get(t, id, s.Reference).Empty(s.Reference))

	err := s.Adapter.Update(t.Context(), s.Model, []adapter.ID{id}, adapter.Record{s.Reference: s.MissingID.Value()})
	require.Error(t, err, "a reference to nothing")
	assert.Contains(t, []adapter.Code{adapter.InvalidArgument, adapter.NotFound}, adapter.CodeOf(err), "%v", err)
}

func testLines(t *testing.T, s *suite) {
	t.Helper()
	need(t, "Lines", s.Lines, "LineModel", s.LineModel, "LineInverse", s.LineInverse)
	id := s.create(t, "lines")
	assert.Empty(t, s.get(t, id, s.Lines).IDs(s.Lines))
	var lines []adapter.ID
	for range 2 {
		values := adapter.Record{}
		if s.LineValues != nil {
			values = s.LineValues()
		}
		values[s.LineInverse] = id.Value()
		line, err := s.Adapter.Create(t.Context(), s.LineModel, values)
		require.NoError(t, err)
		lines = append(lines, line)
		s.inverse = append(s.inverse, line)
	}
	assert.ElementsMatch(t, lines, s.get(t, id, s.Lines).IDs(s.Lines))
}

func testMissingIDs(t *testing.T, s *suite) {
	t.Helper()
	id := s.create(t, "here")
	both := []adapter.ID{id, s.MissingID}
	err := s.Adapter.Update(t.Context(), s.Model, both, adapter.Record{s.Text: s.name("changed")})
	requireCode(t, adapter.NotFound, err, "Update of a missing id")
	err = s.Adapter.Update(t.Context(), s.Model, []adapter.ID{s.MissingID}, adapter.Record{s.Text: s.name("changed")})
	requireCode(t, adapter.NotFound, err, "Update of a missing id")
	if !s.DeletesMissing {
		err = s.Adapter.Delete(t.Context(), s.Model, []adapter.ID{s.MissingID})
		requireCode(t, adapter.NotFound, err, "Delete of a missing id")
	}
	require.NoError(t, s.Adapter.Delete(t.Context(), s.Model, []adapter.ID{id}))
	err = s.Adapter.Update(t.Context(), s.Model, []adapter.ID{id}, adapter.Record{s.Text: s.name("changed")})
	requireCode(t, adapter.NotFound, err, "Update of a deleted record")
	if !s.DeletesMissing {
		err = s.Adapter.Delete(t.Context(), s.Model, []adapter.ID{id})
		requireCode(t, adapter.NotFound, err, "Delete of a deleted record")
	}
	assert.NoError(t, s.Adapter.Update(t.Context(), s.Model, nil, adapter.Record{s.Text: "x"}), "no ids is a no-op")
	assert.NoError(t, s.Adapter.Delete(t.Context(), s.Model, nil), "no ids is a no-op")
}

func testCallersMaps(t *testing.T, s *suite) {
	t.Helper()
	values := s.values("mine")
	if s.Reference != "" && len(s.Targets) > 0 {
		values[s.Reference] = []any{s.Targets[0].ID.Value(), s.Targets[0].Name}
	}
	if s.DateTime != "" {
		values[s.DateTime] = "2025-03-14T15:09:26Z"
	}
	before := maps.Clone(values)
	id, err := s.Adapter.Create(t.Context(), s.Model, values)
	require.NoError(t, err)
	s.made = append(s.made, id)
	assert.Equal(t, before, values, "Create changed the caller's map")
	require.NoError(t, s.Adapter.Update(t.Context(), s.Model, []adapter.ID{id}, values))
	assert.Equal(t, before, values, "Update changed the caller's map")

	values[s.Text] = "not meant for the system"
	r := s.get(t, id)
	assert.Equal(t, s.name("mine"), r.String(s.Text), "the caller's map was kept")
	r[s.Text] = "not meant for the system"
	assert.Equal(t, s.name("mine"), s.get(t, id).String(s.Text), "a record handed out is shared")

	q := adapter.Query{Model: s.Model, Filter: s.only(id), Fields: []string{s.Text, s.IDField, s.Text}[:1], Order: []adapter.Order{{Field: s.Text}}}
	s.query(t, q)
	assert.Equal(t, []string{s.Text, s.IDField, s.Text}, q.Fields[:3], "Query wrote behind the caller's fields")
}
