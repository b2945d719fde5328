package adapter_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
)

func TestID(t *testing.T) {
	for _, test := range []struct {
		id    adapter.ID
		text  string
		json  string
		value any
	}{
		{adapter.ID{}, "", "null", nil},
		{adapter.StringID(""), "", "null", nil},
		{adapter.IntID(7), "7", "7", int64(7)},
		{adapter.IntID(-1), "-1", "-1", int64(-1)},
		{adapter.IntID(math.MaxInt64), "9223372036854775807", "9223372036854775807", int64(math.MaxInt64)},
		{adapter.StringID("001xx"), "001xx", `"001xx"`, "001xx"},
		{adapter.StringID("7"), "7", `"7"`, "7"},
		{adapter.StringID(`a"b`), `a"b`, `"a\"b"`, `a"b`},
	} {
		assert.Equal(t, test.text, test.id.String())
		assert.Equal(t, test.value, test.id.Value())
		assert.Equal(t, test.value == nil, test.id.IsZero())
		b, err := json.Marshal(test.id)
		require.NoError(t, err)
		assert.Equal(t, test.json, string(b))
		var back adapter.ID
		require.NoError(t, json.Unmarshal(b, &back))
		assert.Equal(t, test.id, back)
		n, isInt := test.id.Int()
		_, want := test.value.(int64)
		assert.Equal(t, want, isInt)
		if isInt {
			assert.Equal(t, test.value, n)
		}
	}
	assert.NotEqual(t, adapter.IntID(7), adapter.StringID("7"))
	for _, bad := range []string{"1.5", "true", "[]", "{}", "1e3", "99999999999999999999"} {
		var id adapter.ID
		assert.Error(t, json.Unmarshal([]byte(bad), &id), bad)
	}
}

func TestIDOf(t *testing.T) {
	for _, test := range []struct {
		value any
		want  adapter.ID
	}{
		{7, adapter.IntID(7)}, {int32(7), adapter.IntID(7)}, {int64(7), adapter.IntID(7)}, {7.0, adapter.IntID(7)}, {num("7"), adapter.IntID(7)},
		{"abc", adapter.StringID("abc")}, {adapter.IntID(7), adapter.IntID(7)}, {[]any{num("7"), "Name"}, adapter.IntID(7)},
		{nil, adapter.ID{}}, {true, adapter.ID{}}, {false, adapter.ID{}}, {"", adapter.ID{}}, {1.5, adapter.ID{}}, {num("1.5"), adapter.ID{}},
		{[]any{}, adapter.ID{}}, {[]any{1, 2, 3}, adapter.ID{}}, {[]any{[]any{1, 2}, 2}, adapter.ID{}}, {map[string]any{}, adapter.ID{}},
		{math.Inf(1), adapter.ID{}}, {math.NaN(), adapter.ID{}}, {adapter.ID{}, adapter.ID{}},
	} {
		got, ok := adapter.IDOf(test.value)
		assert.Equal(t, test.want, got, "%v", test.value)
		assert.Equal(t, !test.want.IsZero(), ok, "%v", test.value)
	}
}

const odooRecord = `{"id": 7, "name": "Azure", "email": false, "active": true, "amount": 10.50, "count": 3, "big": 9007199254740993,
	"parent_id": [3, "Parent"], "user_id": false, "country": {"id": 2, "display_name": "France"}, "bare": 5, "child_ids": [1, 2], "none_ids": [],
	"date": "2025-03-14", "at": "2025-03-14 15:09:26", "iso": "2025-03-14T16:09:26.5+01:00", "decimal": "12.50", "null": null, "zero": 0, "json": {"a": 1}}`

func TestRecordAccessors(t *testing.T) {
	r := record(t, odooRecord)
	assert.Equal(t, adapter.IntID(7), r.ID())
	assert.Equal(t, adapter.StringID("001"), adapter.Record{"Id": "001"}.ID())
	assert.True(t, adapter.Record{}.ID().IsZero())

	for field, want := range map[string]bool{"email": true, "null": true, "none_ids": true, "absent": true, "zero": false, "name": false, "active": false, "user_id": true} {
		assert.Equal(t, want, r.Empty(field), field)
	}
	for field, want := range map[string]string{
		"name": "Azure", "email": "", "active": "true", "amount": "10.50", "parent_id": "Parent", "user_id": "", "null": "", "absent": "",
		"country": "France", "child_ids": "[1,2]", "json": `{"a":1}`,
	} {
		assert.Equal(t, want, r.String(field), field)
	}
	assert.Equal(t, "5", adapter.Record{"n": 5}.String("n"))
	for field, want := range map[string]int64{"id": 7, "count": 3, "big": 9007199254740993, "amount": 0, "name": 0, "email": 0, "parent_id": 3, "country": 2, "absent": 0} {
		assert.Equal(t, want, r.Int(field), field)
	}
	for _, v := range []any{5, int64(5), 5.0, num("5.0")} {
		assert.EqualValues(t, 5, adapter.Record{"n": v}.Int("n"), "%T", v)
	}
	for _, v := range []any{math.NaN(), math.Inf(1), 1e300, num("1e300"), num("x"), 5.5} {
		assert.Zero(t, adapter.Record{"n": v}.Int("n"), "%v", v)
	}
	for field, want := range map[string]float64{"amount": 10.5, "count": 3, "decimal": 12.5, "email": 0, "name": 0} {
		assert.InDelta(t, want, r.Float(field), 0, field)
	}
	assert.True(t, r.Bool("active"))
	assert.False(t, r.Bool("email"))
	assert.False(t, r.Bool("name"))

	ref, ok := r.Ref("parent_id")
	assert.Equal(t, adapter.Ref{ID: adapter.IntID(3), Name: "Parent"}, ref)
	assert.True(t, ok)
	ref, ok = r.Ref("country")
	assert.Equal(t, adapter.Ref{ID: adapter.IntID(2), Name: "France"}, ref)
	assert.True(t, ok)
	ref, ok = r.Ref("bare")
	assert.Equal(t, adapter.Ref{ID: adapter.IntID(5)}, ref)
	assert.True(t, ok)
	for _, field := range []string{"user_id", "null", "absent", "child_ids", "active", "json"} {
		_, ok = r.Ref(field)
		assert.False(t, ok, field)
	}
	assert.Equal(t, []adapter.ID{adapter.IntID(1), adapter.IntID(2)}, r.IDs("child_ids"))
	assert.Empty(t, r.IDs("none_ids"))
	assert.Empty(t, r.IDs("email"))

	at := time.Date(2025, 3, 14, 15, 9, 26, 0, time.UTC)
	assert.Equal(t, at, r.Time("at"))
	assert.Equal(t, at.Add(500*time.Millisecond), r.Time("iso"))
	assert.Equal(t, at.Truncate(24*time.Hour), r.Time("date"))
	for _, field := range []string{"email", "name", "null", "count"} {
		assert.True(t, r.Time(field).IsZero(), field)
	}
}

func TestRecordAccessorsNeverPanic(t *testing.T) {
	values := rapid.SampledFrom([]any{nil, true, false, "", "x", num("1"), num(""), 1, 1.5, []any{}, []any{nil, nil}, []any{1, "x"}, []any{[]any{1}, "x"},
		map[string]any{"id": nil}, map[string]any{"id": map[string]any{}}, struct{}{}, make(chan int), adapter.Ref{}, adapter.ID{}})
	rapid.Check(t, func(t *rapid.T) {
		r := adapter.Record{"f": values.Draw(t, "value"), "id": values.Draw(t, "id")}
		_, _, _, _, _, _, _, _ = r.ID(), r.Empty("f"), r.String("f"), r.Int("f"), r.Float("f"), r.Bool("f"), r.IDs("f"), r.Time("f")
		r.Ref("f")
		var target struct {
			F string `json:"f"`
			N int    `json:"id"`
		}
		_ = r.Decode(&target)
		_, _ = adapter.Match(adapter.Cond{Field: "f", Op: adapter.ILike, Value: "x"}, r, adapter.MatchOptions{})
		_, _ = adapter.Match(adapter.Cond{Field: "f", Op: adapter.Less, Value: 1}, r, adapter.MatchOptions{})
		_, _ = adapter.Match(adapter.Cond{Field: "f", Op: adapter.In, Value: []any{1, "x", false}}, r, adapter.MatchOptions{})
	})
}

// Embedded is embedded by pointer in a target of Decode.
type Embedded struct {
	Name string `json:"name"`
}

func TestDecode(t *testing.T) {
	type base struct {
		Name string `json:"name"`
	}
	var p struct {
		base

		ID       int64          `json:"id"`
		Email    string         `json:"email"`
		Active   bool           `json:"active"`
		Amount   float64        `json:"amount"`
		Big      json.Number    `json:"big"`
		Parent   adapter.Ref    `json:"parent_id"`
		ParentID adapter.ID     `json:"-"`
		User     adapter.Ref    `json:"user_id"`
		Children []int64        `json:"child_ids"`
		JSON     map[string]any `json:"json"`
		Null     *string        `json:"null"`
		Absent   string         `json:"absent"`
		Raw      any            `json:"email_raw"`
	}
	p.Email, p.Absent = "old", "kept"
	p.User = adapter.Ref{Name: "old"}
	require.NoError(t, record(t, odooRecord).Decode(&p))
	assert.Equal(t, "Azure", p.Name)
	assert.EqualValues(t, 7, p.ID)
	assert.Empty(t, p.Email, "false is the empty text")
	assert.True(t, p.Active)
	assert.InDelta(t, 10.5, p.Amount, 0)
	assert.Equal(t, num("9007199254740993"), p.Big)
	assert.Equal(t, adapter.Ref{ID: adapter.IntID(3), Name: "Parent"}, p.Parent)
	assert.Zero(t, p.User)
	assert.Equal(t, []int64{1, 2}, p.Children)
	assert.Nil(t, p.Null)
	assert.Equal(t, "kept", p.Absent, "what the record lacks stays")

	var ids struct {
		Parent  adapter.ID `json:"parent_id"`
		Number  int32      `json:"-"`
		Country int        `json:"bare"`
	}
	require.NoError(t, record(t, odooRecord).Decode(&ids))
	assert.Equal(t, adapter.IntID(3), ids.Parent)
	assert.Equal(t, 5, ids.Country)
	var pair struct {
		Parent int32 `json:"parent_id"`
	}
	require.NoError(t, record(t, odooRecord).Decode(&pair))
	assert.EqualValues(t, 3, pair.Parent)
	var name struct {
		Parent string `json:"parent_id"`
	}
	require.NoError(t, record(t, odooRecord).Decode(&name))
	assert.Equal(t, "Parent", name.Parent)

	var wrong struct {
		Name int `json:"name"`
	}
	var e *adapter.Error
	require.ErrorAs(t, record(t, odooRecord).Decode(&wrong), &e)
	assert.Equal(t, "name", e.Field)
	assert.ErrorIs(t, adapter.Record{}.Decode(nil), adapter.ErrInvalidArgument)
	assert.ErrorIs(t, adapter.Record{}.Decode(wrong), adapter.ErrInvalidArgument)

	var embedded struct{ *Embedded }
	require.NoError(t, record(t, `{"name": "x"}`).Decode(&embedded))
	assert.Equal(t, "x", embedded.Name)
	type hidden struct {
		Name string `json:"name"`
	}
	var unreachable struct{ *hidden }
	assert.ErrorIs(t, record(t, `{"name": "x"}`).Decode(&unreachable), adapter.ErrInvalidArgument)

	var asMap map[string]any
	require.NoError(t, record(t, `{"a": "x"}`).Decode(&asMap))
	assert.Equal(t, map[string]any{"a": "x"}, asMap)
}

func TestDecodeJSON(t *testing.T) {
	r, err := adapter.DecodeRecord([]byte(` {"n": 1.10, "big": 123456789012345678901234567890} `))
	require.NoError(t, err)
	assert.Equal(t, adapter.Record{"n": num("1.10"), "big": num("123456789012345678901234567890")}, r)
	for _, bad := range []string{``, `{`, `[]`, `{} {}`, `{}x`} {
		_, err := adapter.DecodeRecord([]byte(bad))
		assert.Error(t, err, bad)
	}
}

func TestParseOrder(t *testing.T) {
	orders, err := adapter.ParseOrder(" name desc,  id , date ASC ")
	require.NoError(t, err)
	assert.Equal(t, []adapter.Order{{Field: "name", Desc: true}, {Field: "id"}, {Field: "date"}}, orders)
	assert.Equal(t, "name desc, id, date", adapter.FormatOrder(orders))
	orders, err = adapter.ParseOrder("  ")
	require.NoError(t, err)
	assert.Nil(t, orders)
	for _, bad := range []string{",", "name,", "name up", "name desc nulls last", "na me desc x", "1name", "name;drop", "name..x", "náme", `"name"`} {
		_, err := adapter.ParseOrder(bad)
		var e *adapter.Error
		require.ErrorAs(t, err, &e, bad)
		assert.Equal(t, adapter.InvalidArgument, e.Code)
		assert.Equal(t, "order", e.Field)
	}
}

func ExampleRecord_Decode() {
	r := adapter.Record{"id": json.Number("7"), "name": "Azure", "email": false, "country_id": []any{json.Number("75"), "France"}}
	var partner struct {
		ID      adapter.ID  `json:"id"`
		Name    string      `json:"name"`
		Email   string      `json:"email"`
		Country adapter.Ref `json:"country_id"`
	}
	err := r.Decode(&partner)
	fmt.Printf("%s %q %q %s %v\n", partner.ID, partner.Name, partner.Email, partner.Country.Name, err)
	// Output: 7 "Azure" "" France <nil>
}

func ExampleParseOrder() {
	orders, err := adapter.ParseOrder("name desc, id")
	fmt.Println(orders, err)
	_, err = adapter.ParseOrder("name; drop table")
	fmt.Println(errors.Is(err, adapter.ErrInvalidArgument))
	// Output:
	// [{name true} {id false}] <nil>
	// true
}
