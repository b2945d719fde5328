package sap

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
)

func TestValuesAsTheyAreRead(t *testing.T) {
	v2 := modelOf(t, scripted(t, thingsV2, nil), "S.Things")
	v4 := modelOf(t, scripted(t, thingsV4, nil), "S.Things")
	for _, test := range []struct {
		m           *model
		field, raw  string
		want, plain any
	}{
		{v2, "Title", `"x"`, "x", "x"},
		{v2, "Title", `""`, nil, nil},
		{v2, "Title", `null`, nil, nil},
		{v2, "Title", `"0000000010"`, "0000000010", "0000000010"},
		{v2, "Amount", `"10.500"`, json.Number("10.500"), json.Number("10.500")},
		{v2, "Amount", `"123456789012345678901234567890.123"`, json.Number("123456789012345678901234567890.123"), nil},
		{v2, "Amount", `10.50`, json.Number("10.50"), nil},
		{v2, "Amount", `" .5"`, json.Number("0.5"), nil},
		{v2, "Big", `"9007199254740993"`, json.Number("9007199254740993"), nil},
		{v2, "Double", `"1.5000000000000000E+00"`, json.Number("1.5000000000000000E+00"), nil},
		{v2, "Day", `"/Date(1741910400000)/"`, "2025-03-14", "2025-03-14"},
		{v2, "At", `"/Date(1741964966000)/"`, "2025-03-14 15:09:26", "2025-03-14T15:09:26Z"},
		{v2, "At", `"2025-03-14T15:09:26"`, "2025-03-14 15:09:26", "2025-03-14T15:09:26Z"},
		{v2, "Stamp", `"/Date(1741964966123+0060)/"`, "2025-03-14 15:09:26.123", "2025-03-14T15:09:26.123Z"},
		{v2, "Stamp", `"/Date(-1000)/"`, "1969-12-31 23:59:59", "1969-12-31T23:59:59Z"},
		{v2, "Stamp", `"/Date(253402300799000)/"`, "9999-12-31 23:59:59", nil},
		{v2, "Clock", `"PT15H09M26S"`, "15:09:26", nil},
		{v2, "Clock", `"PT00H00M00S"`, "00:00:00", nil},
		{v2, "Yes", `true`, true, true},
		{v4, "Stamp", `"2025-03-14T16:09:26.1234567+01:00"`, "2025-03-14 15:09:26.1234567", "2025-03-14T15:09:26.1234567Z"},
		{v4, "Day", `"2025-03-14"`, "2025-03-14", "2025-03-14"},
		{v4, "Clock", `"15:09:26.000"`, "15:09:26", nil},
		{v4, "Amount", `"10.500"`, json.Number("10.500"), nil},
		{v4, "Tags", `["a","b"]`, []any{"a", "b"}, nil},
	} {
		var raw any
		require.NoError(t, adapter.DecodeJSON([]byte(test.raw), &raw))
		p := test.m.typ.Prop(test.field)
		require.NotNil(t, p, test.field)
		assert.Equal(t, test.want, decoder{meta: test.m.meta.Metadata}.value(p, raw), "%s %s", test.field, test.raw)
		if test.plain != nil {
			assert.Equal(t, test.plain, decoder{meta: test.m.meta.Metadata, plain: true}.value(p, raw), "%s %s", test.field, test.raw)
		}
	}
}

func TestValuesAsTheyAreWritten(t *testing.T) {
	v2 := modelOf(t, scripted(t, thingsV2, nil), "S.Things")
	v4 := modelOf(t, scripted(t, thingsV4, nil), "S.Things")
	at := time.Date(2025, 3, 14, 16, 9, 26, 0, time.FixedZone("", 3600))
	for _, test := range []struct {
		m     *model
		field string
		value any
		want  string // "" is refused
	}{
		{v2, "Title", "it's \"x\"", `"it's \"x\""`},
		{v2, "Title", nil, `null`},
		{v2, "Title", false, `null`},
		{v2, "Title", 5, `"5"`},
		{v2, "Title", "this text is longer than forty characters are", ""},
		{v2, "ID", nil, `""`},
		{v2, "Amount", json.Number("10.500"), `"10.500"`},
		{v2, "Amount", 10.5, `"10.5"`},
		{v2, "Amount", 1e21, `"1000000000000000000000"`},
		{v2, "Amount", "x", ""},
		{v2, "Big", int64(9007199254740993), `"9007199254740993"`},
		{v2, "Big", 1.5, ""},
		{v2, "Double", 1.5, `1.5`},
		{v2, "Day", "2025-03-14", `"/Date(1741910400000)/"`},
		{v2, "Day", at, `"/Date(1741910400000)/"`},
		{v2, "At", "2025-03-14 15:09:26", `"/Date(1741964966000)/"`},
		{v2, "Stamp", at, `"/Date(1741964966000+0000)/"`},
		{v2, "Stamp", "tomorrow", ""},
		{v2, "Clock", "15:09:26", `"PT15H09M26S"`},
		{v2, "Clock", "25:00:00", ""},
		{v2, "Yes", true, `true`},
		{v2, "Yes", "yes", ""},
		{v2, "Token", "x", ""},
		{v2, "Born", "x", ""}, // neither on creation nor later
		{v4, "Stamp", at, `"2025-03-14T15:09:26Z"`},
		{v4, "Day", "2025-03-14 10:00:00", `"2025-03-14"`},
		{v4, "Clock", "15:09", `"15:09:00"`},
		{v4, "Amount", 1, ""}, // computed
		{v4, "Tags", []string{"a"}, `["a"]`},
		{v4, "Tags", "a", ""},
		{v4, "Kind", "Red", `"Red"`},
	} {
		w := writing{m: test.m, create: true}
		out, err := w.values(map[string]any{test.field: test.value})
		if test.want == "" {
			assert.ErrorIs(t, err, adapter.ErrInvalidArgument, "%s %v", test.field, test.value)
			assert.ErrorContains(t, err, test.field)
			continue
		}
		if assert.NoError(t, err, "%s %v", test.field, test.value) {
			b, err := test.m.marshal(out[test.field])
			require.NoError(t, err)
			assert.Equal(t, test.want, string(b), "%s %v", test.field, test.value)
		}
	}
}

// A date-time of v2 keeps every millisecond, a decimal every digit.
func TestDatesAndDecimalsAreExact(t *testing.T) {
	m := modelOf(t, scripted(t, thingsV2, nil), "S.Things")
	d := decoder{meta: m.meta.Metadata}
	rapid.Check(t, func(rt *rapid.T) {
		ms := rapid.Int64Range(-62135596800000, 253402300799999).Draw(rt, "ms")
		zone := rapid.SampledFrom([]string{"", "+0000", "+0060", "-0480"}).Draw(rt, "zone")
		p := m.typ.Prop("Stamp")
		read := d.value(p, fmt.Sprintf("/Date(%d%s)/", ms, zone))
		written, err := m.encode(p, read)
		require.NoError(rt, err)
		require.Equal(rt, fmt.Sprintf("/Date(%d+0000)/", ms), written)

		digits := rapid.StringMatching(`-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,10})?`).Draw(rt, "digits")
		amount := m.typ.Prop("Amount")
		number := d.value(amount, digits)
		require.Equal(rt, json.Number(digits), number)
		written, err = m.encode(amount, number)
		require.NoError(rt, err)
		n, ok := parseNumber(digits)
		require.True(rt, ok)
		if !n.zero() {
			require.Equal(rt, digits, written)
		}
	})
}

func TestSchema(t *testing.T) {
	client := scripted(t, thingsV2, nil)
	s, err := client.Schema(t.Context(), "Things")
	require.NoError(t, err)
	assert.Equal(t, "S.Things", s.Model)
	assert.Equal(t, "Ding", s.Label)
	types := map[string]adapter.FieldType{
		"id": adapter.Char, "ID": adapter.Char, "Title": adapter.Char, "Amount": adapter.Monetary, "Big": adapter.Integer,
		"Double": adapter.Float, "Day": adapter.Date, "At": adapter.DateTime, "Stamp": adapter.DateTime, "Clock": adapter.Char,
		"Raw": adapter.Binary, "Yes": adapter.Boolean, "Blind": adapter.Text, "to_Part": adapter.One2Many,
	}
	for name, want := range types {
		assert.Equal(t, want, s.Fields[name].Type, name)
	}
	assert.Equal(t, "Titel", s.Fields["Title"].Label)
	assert.Equal(t, 40, s.Fields["Title"].Size)
	assert.True(t, s.Fields["Born"].Readonly)
	assert.False(t, s.Fields["Fixed"].Readonly)
	assert.False(t, s.Fields["Blind"].Searchable)
	assert.False(t, s.Fields["Blind"].Sortable)
	assert.Equal(t, "S.Parts", s.Fields["to_Part"].Relation)
	assert.Equal(t, "to_Thing", s.Fields["to_Part"].Inverse)
	assert.Equal(t, "Edm.DateTimeOffset", s.Fields["Stamp"].Native)

	client = scripted(t, thingsV4, nil)
	s, err = client.Schema(t.Context(), "S.Things")
	require.NoError(t, err)
	assert.Equal(t, adapter.Selection, s.Fields["Kind"].Type)
	assert.Equal(t, []adapter.Option{{Value: "Red", Label: "Red"}, {Value: "Blue", Label: "Blue"}}, s.Fields["Kind"].Selection)
	assert.Equal(t, "Titel", s.Fields["Title"].Label)
	assert.True(t, s.Fields["Amount"].Readonly, "computed")
	assert.False(t, s.Fields["Blind"].Searchable)
	assert.Equal(t, adapter.JSON, s.Fields["Tags"].Type)

	_, err = client.Schema(t.Context(), "S.Thingz")
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	assert.ErrorContains(t, err, `"Things"`)
	_, err = client.Schema(t.Context(), "X.Things")
	assert.ErrorIs(t, err, adapter.ErrNotFound)
}

func TestNumbers(t *testing.T) {
	for in, want := range map[string]string{
		"1": "1", "-0": "0", "007": "7", "1.50": "1.50", "1e3": "1000", "1.5e1": "15", "1.5e-3": "0.0015", "+2": "2", "-.5": "-0.5", "5.": "5",
		"": "", "x": "", "1e999999": "", "1_0": "", "0x1": "", "--1": "", "1.2.3": "", "e5": "",
	} {
		n, ok := parseNumber(in)
		assert.Equal(t, want != "", ok, in)
		if ok {
			assert.Equal(t, want, n.String(), in)
		}
	}
	_, err := literal(&edmx.Metadata{}, "Edm.Int32", json.Number("2147483648"))
	assert.ErrorIs(t, err, errNever)
}
