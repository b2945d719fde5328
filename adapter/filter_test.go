package adapter_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

func TestFormatDomain(t *testing.T) {
	a, b, c := cond("a", "=", 1), cond("b", "=", 2), cond("c", "=", 3)
	tests := []struct {
		filter adapter.Filter
		want   string
	}{
		{nil, `[]`},
		{adapter.And{}, `[]`},
		{(*adapter.Cond)(nil), `[]`},
		{a, `[["a","=",1]]`},
		{&a, `[["a","=",1]]`},
		{adapter.And{a, b, c}, `[["a","=",1],["b","=",2],["c","=",3]]`},
		{adapter.And{a, adapter.And{b, nil, c}}, `[["a","=",1],["b","=",2],["c","=",3]]`},
		{adapter.Or{a, b, c}, `["|","|",["a","=",1],["b","=",2],["c","=",3]]`},
		{adapter.Or{adapter.And{a, b}, c}, `["|","&",["a","=",1],["b","=",2],["c","=",3]]`},
		{adapter.Not{Part: adapter.And{a, b}}, `["!","&",["a","=",1],["b","=",2]]`},
		{adapter.Not{}, `[[0,"=",1]]`},
		{adapter.Or{}, `[[0,"=",1]]`},
		{adapter.Or{a, nil}, `["|",["a","=",1],[1,"=",1]]`},
		{adapter.Always(true), `[[1,"=",1]]`},
		{cond("a", "in", []int64{1, 2}), `[["a","in",[1,2]]]`},
		{cond("a", "in", adapter.IntID(5)), `[["a","in",[5]]]`},
		{cond("a", "in", []adapter.Ref{{ID: adapter.StringID("x")}}), `[["a","in",["x"]]]`},
		{cond("a", ">=", time.Date(2025, 3, 14, 16, 9, 26, 0, time.FixedZone("", 3600))), `[["a",">=","2025-03-14 15:09:26"]]`},
		{cond("a", "=", num("1.50")), `[["a","=",1.50]]`},
		{cond("a", "=", 2.5), `[["a","=",2.5]]`},
		{cond("a", "=", uint8(3)), `[["a","=",3]]`},
		{cond("a", "=", "<\"é\\\n\x01\u2028>"), `[["a","=","<\"é\\\n\u0001` + "\u2028" + `>"]]`},
		{cond("a", "=", "bad \xff utf-8"), "[[\"a\",\"=\",\"bad \ufffd utf-8\"]]"},
		{cond("a", "any", nil), `[["a","any",[]]]`},
		{cond("a", "any", adapter.Or{b, c}), `[["a","any",["|",["b","=",2],["c","=",3]]]]`},
		{cond("a", "any", []any{[]any{"b", "=", 2}}), `[["a","any",[["b","=",2]]]]`},
	}
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			assert.Equal(t, test.want, string(adapter.AppendDomainJSON(nil, test.filter)))
			assert.Equal(t, "x"+test.want, string(adapter.AppendDomainJSON([]byte("x"), test.filter)))
		})
	}
	assert.Equal(t, []any{"|", []any{"a", "=", 1}, []any{"b", "in", []any{int64(7)}}},
		adapter.FormatDomain(adapter.Or{a, cond("b", "in", []adapter.ID{adapter.IntID(7)})}))
}

func TestFieldsWalkAndMap(t *testing.T) {
	f := filter(t, `["|",["a","=",1],"!",["b.c","=",2],["a","!=",3],["d","any",[["e","=",1],["f","any",[["g","=",1]]]]],true]`)
	assert.Equal(t, []string{"a", "b.c", "d", "d.e", "d.f", "d.f.g"}, adapter.Fields(f))
	assert.Empty(t, adapter.Fields(nil))

	var seen []string
	adapter.Walk(f, func(c adapter.Cond) bool {
		seen = append(seen, c.Field)
		return c.Field != "b.c"
	})
	assert.Equal(t, []string{"a", "b.c"}, seen, "until it returns false")

	before := string(adapter.AppendDomainJSON(nil, f))
	renamed, err := adapter.Map(f, func(c adapter.Cond) (adapter.Filter, error) {
		if c.Field == "b.c" {
			return nil, nil
		}
		c.Field = strings.ToUpper(c.Field)
		return c, nil
	})
	require.NoError(t, err)
	assert.Equal(t, `["|",["A","=",1],[0,"=",1],["A","!=",3],["D","any",[["e","=",1],["f","any",[["g","=",1]]]]],[1,"=",1]]`, string(adapter.AppendDomainJSON(nil, renamed)))
	assert.Equal(t, before, string(adapter.AppendDomainJSON(nil, f)), "f is not changed")

	boom := errors.New("boom")
	_, err = adapter.Map(f, func(c adapter.Cond) (adapter.Filter, error) {
		if c.Field == "b.c" {
			return nil, boom
		}
		return c, nil
	})
	assert.ErrorIs(t, err, boom)
}

func TestReorderIndexed(t *testing.T) {
	indexed := func(field string) bool { return field == "id" || field == "code" }
	tests := []struct {
		domain, want string // "" where nothing changes
	}{
		{`[["name","=","x"],["id","=",1]]`, `[["id","=",1],["name","=","x"]]`},
		{`[["name","=","x"],["code","=","c"],["ref","=","r"],["id","=",1]]`, `[["code","=","c"],["id","=",1],["name","=","x"],["ref","=","r"]]`},
		{`[["id","=",1],["name","=","x"]]`, ""},
		{`[["name","=","x"]]`, ""},
		{`[]`, ""},
		{`["|",["name","=","x"],["id","=",1]]`, ""},
		{`["!",["name","=","x"],["id","=",1]]`, ""},
		{`[["name","=","x"],"|",["id","=",1],["id","=",2]]`, ""},
		{`[["name","=","x"],["id","=",1],["lines","any",[["id","=",1]]]]`, ""},
		{`[["name","=","x"],["id","=",1],true]`, ""},
		{`["&",["name","=","x"],["id","=",1]]`, `[["id","=",1],["name","=","x"]]`},
	}
	for _, test := range tests {
		got, changed := adapter.ReorderIndexed(filter(t, test.domain), indexed)
		assert.Equal(t, test.want != "", changed, test.domain)
		if test.want == "" {
			test.want = string(adapter.AppendDomainJSON(nil, filter(t, test.domain)))
		}
		assert.Equal(t, test.want, string(adapter.AppendDomainJSON(nil, got)))
	}
}

func TestValidate(t *testing.T) {
	w := newWorld(t)
	for _, domain := range []string{
		`[]`,
		`[["name","ilike","x"],["country_id.code","=","FR"],["country_id","any",[["code","in",["FR"]]]]]`,
		`["|",["credit",">",1.5],["credit","=","7.5"],["credit","=",false]]`,
		`[["born",">=","2020-01-01"],["seen","<","2020-01-01 10:00:00"],["seen",">","2020-01-01T10:00:00Z"],["seen",">=","-1d"],["seen","<","today -1w"]]`,
		`[["seen.year_number","=",2026],["born.month_number","in",[1,2]]]`,
		`[["id","child_of",1],["country_id","child_of",1],["parent_id.id","parent_of",[1]]]`,
		`[["props.anything","=",1],["tag_ids","=","gold"],["tag_ids.name","ilike","x"],["active","=",true],["image","!=",false]]`,
		`[["country_id","=","France"],["id","=","7"],["name","=",5]]`,
	} {
		assert.NoError(t, adapter.Validate(filter(t, domain), w.Schema, "partner"), domain)
	}
	tests := []struct{ domain, field, message string }{
		{`[["naem","=",1]]`, "naem", `unknown field "naem" on partner; did you mean "name"?`},
		{`["|",["name","=",1],"!",["zzz","=",1]]`, "zzz", `unknown field "zzz" on partner`},
		{`[["country_id.cod","=",1]]`, "country_id.cod", `unknown field "cod" on country; did you mean "code"?`},
		{`[["country_id","any",[["nam","=",1]]]]`, "country_id.nam", `unknown field "nam" on country; did you mean "name"?`},
		{`[["name.code","=",1]]`, "name.code", `"name" is char and leads to no other records; remove ".code"`},
		{`[["name","any",[]]]`, "name", `needs a field that leads to other records; "name" is char`},
		{`[["active","like","x"]]`, "active", `is boolean and can't be compared with "like"`},
		{`[["tag_ids",">",1]]`, "tag_ids", `has no order for ">"`},
		{`[["name","child_of",1]]`, "name", "has no hierarchy"},
		{`[["credit",">","many"]]`, "credit", `"many" is no number`},
		{`[["credit","in",[1,"x"]]]`, "credit", `"x" is no number`},
		{`[["born","=","yesterday"]]`, "born", `"yesterday" is no date`},
		{`[["born","=","2025-13-01"]]`, "born", `is no date`},
		{`[["seen","=",5]]`, "seen", `a date is written as a text`},
	}
	for _, test := range tests {
		t.Run(test.domain, func(t *testing.T) {
			err := adapter.Validate(filter(t, test.domain), w.Schema, "partner")
			require.ErrorIs(t, err, adapter.ErrInvalidArgument)
			var e *adapter.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, test.field, e.Field)
			assert.Contains(t, e.Message, test.message)
			assert.NotEmpty(t, e.Model)
		})
	}
	err := adapter.Validate(nil, w.Schema, "nobody")
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	for _, f := range []adapter.Filter{cond("name", "~~", 1), cond("name", "<", []any{1}), cond("country_id", "any", 5), cond("name", "=", struct{}{})} {
		assert.ErrorIs(t, adapter.Validate(f, w.Schema, "partner"), adapter.ErrInvalidArgument)
	}
}

func TestNearest(t *testing.T) {
	w := newWorld(t)
	names := slices.Sorted(maps.Keys(w.schemas["partner"].Fields))
	for name, want := range map[string]string{
		"naem": "name", "emial": "email", "country": "", "country_ids": "country_id", "parentid": "parent_id",
		"x": "", "": "", "xxxxxxxx": "", strings.Repeat("a", 1000): "",
	} {
		assert.Equal(t, want, adapter.Nearest(name, names), name)
	}
}

func ExampleValidate() {
	schemas := map[string]*adapter.Schema{
		"res.partner": {Model: "res.partner", Fields: map[string]adapter.Field{"email": {Type: adapter.Char}}},
	}
	schemaOf := func(model string) (*adapter.Schema, error) { return schemas[model], nil }
	err := adapter.Validate(adapter.Cond{Field: "emial", Op: adapter.Equal, Value: "x"}, schemaOf, "res.partner")
	fmt.Println(err)
	// Output: invalid_argument on res.partner: unknown field "emial" on res.partner; did you mean "email"?
}

func ExampleReorderIndexed() {
	f, _ := adapter.ParseDomainJSON([]byte(`[["name", "ilike", "x"], ["id", "in", [1, 2]]]`))
	f, changed := adapter.ReorderIndexed(f, func(field string) bool { return field == "id" })
	fmt.Println(string(adapter.AppendDomainJSON(nil, f)), changed)
	// Output: [["id","in",[1,2]],["name","ilike","x"]] true
}
