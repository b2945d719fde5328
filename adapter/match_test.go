package adapter_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

func record(tb testing.TB, text string) adapter.Record {
	tb.Helper()
	r, err := adapter.DecodeRecord([]byte(text))
	require.NoError(tb, err)
	return r
}

func filter(tb testing.TB, text string) adapter.Filter {
	tb.Helper()
	f, err := adapter.ParseDomainJSON([]byte(text))
	require.NoError(tb, err)
	return f
}

func TestMatch(t *testing.T) {
	const r = `{
		"id": 7, "name": "Azure Interior", "ref": false, "note": "", "email": null, "code": "100%_sure\\",
		"active": true, "archived": false, "zero": 0, "amount": 10.50, "big": 12345678901234567891, "tiny": 1e-400,
		"text_amount": "10.50", "zip": "007", "date": "2025-03-14", "at": "2025-03-14 15:09:26", "utc": "2025-03-14T15:09:26Z",
		"parent_id": [3, "Azure"], "user_id": false, "tag_ids": [4, 5], "line_ids": [], "state": "sale",
		"country": {"id": 2, "display_name": "France", "code": "FR"}, "street": "Straße ÉTÉ"
	}`
	tests := []struct {
		cond string
		want bool
	}{
		// Equality.
		{`["name","=","Azure Interior"]`, true},
		{`["name","=","azure interior"]`, false},
		{`["name","!=","azure interior"]`, true},
		{`["id","=",7]`, true},
		{`["id","=","7"]`, true},
		{`["id","=",7.0]`, true},
		{`["id","in",[1,7]]`, true},
		{`["id","in",[]]`, false},
		{`["id","not in",[]]`, true},
		{`["id","not in",[1,7]]`, false},
		{`["amount","=",10.5]`, true},
		{`["amount","=",1050e-2]`, true},
		{`["amount","=",10.500000000000000001]`, false},
		{`["big","=",12345678901234567891]`, true},
		{`["big","=",12345678901234567890]`, false},
		{`["tiny","=",0]`, false},
		{`["tiny","=",10e-401]`, true},
		{`["zip","=","007"]`, true},
		{`["zip","=",7]`, false},
		{`["zip","=","7"]`, false},
		{`["active","=",true]`, true},
		{`["active","=",false]`, false},
		{`["active","!=",true]`, false},
		{`["active","=",1]`, true},
		{`["archived","=",false]`, true},
		{`["archived","!=",true]`, true},
		{`["archived","=",true]`, false},
		{`["state","in",["draft","sale"]]`, true},
		{`["street","=","Straße ÉTÉ"]`, true},

		// What is not set.
		{`["ref","=",false]`, true},
		{`["note","=",false]`, true},
		{`["email","=",false]`, true},
		{`["absent","=",false]`, true},
		{`["email","=",null]`, true},
		{`["email","=",""]`, true},
		{`["email","!=",false]`, false},
		{`["email","!=","x"]`, true},
		{`["email","not in",["x"]]`, true},
		{`["email","not in",["x",false]]`, false},
		{`["email","in",["x",false]]`, true},
		{`["name","in",["x",false]]`, false},
		{`["name","!=",false]`, true},
		{`["name","=",true]`, true},
		{`["email","=",true]`, false},
		{`["zero","=",false]`, true},
		{`["zero","=",0]`, true},
		{`["zero","=",0.0]`, true},
		{`["zero","=",-0]`, true},
		{`["zero","=",""]`, false},
		{`["absent","=",0]`, true},
		{`["note","=",0]`, false},
		{`["amount","!=",0]`, true},

		// Patterns.
		{`["name","like","Inter"]`, true},
		{`["name","like","inter"]`, false},
		{`["name","ilike","INTER"]`, true},
		{`["name","not ilike","INTER"]`, false},
		{`["name","not like","inter"]`, true},
		{`["email","like","x"]`, false},
		{`["email","not like","x"]`, true},
		{`["email","like",""]`, true},
		{`["email","not like",""]`, false},
		{`["name","like",""]`, true},
		{`["name","=like","Azure%"]`, true},
		{`["name","=like","azure%"]`, false},
		{`["name","=like","Azure"]`, false},
		{`["name","=ilike","azure _nterior"]`, true},
		{`["name","not =ilike","azure%"]`, false},
		{`["name","not =like","azure%"]`, true},
		{`["name","like","A%r"]`, true},
		{`["name","like","A_z"]`, false},
		{`["name","like","A_u"]`, true},
		{`["code","like","100\\%"]`, true},
		{`["name","like","Azure\\%"]`, false},
		{`["code","=like","100\\%\\_sure\\\\"]`, true},
		{`["code","like","sure\\\\"]`, true},
		{`["email","=like",""]`, true},
		{`["name","=like",""]`, false},
		{`["street","ilike","STRASSE"]`, false},
		{`["street","ilike","été"]`, true},
		{`["street","=like","Stra_e %T_"]`, true},
		{`["amount","like","0.5"]`, true},
		{`["id","ilike",7]`, true},

		// Size.
		{`["amount",">",10]`, true},
		{`["amount",">",10.49999999999999999999]`, true},
		{`["amount",">=",10.50]`, true},
		{`["amount","<",10.5]`, false},
		{`["amount","<=","10.5"]`, true},
		{`["big",">",12345678901234567890]`, true},
		{`["big","<",12345678901234567892]`, true},
		{`["tiny",">",0]`, true},
		{`["tiny","<",1e-399]`, true},
		{`["big","<",1e99999999999999999999]`, true},
		{`["big",">",1e-99999999999999999999]`, true},
		{`["big",">",-1e99999999999999999999]`, true},
		{`["zero",">",-1]`, true},
		{`["text_amount",">",9]`, true},
		{`["name",">","Azure"]`, true},
		{`["name","<","B"]`, true},
		{`["email","<","x"]`, false},
		{`["amount",">",false]`, false},
		{`["name",">",5]`, false},

		// Dates.
		{`["date","=","2025-03-14"]`, true},
		{`["date","=","2025-03-14 10:00:00"]`, true},
		{`["date",">","2025-03-13"]`, true},
		{`["date",">","2025-03-14"]`, false},
		{`["date","<=","2025-03-14 00:00:00"]`, true},
		{`["at",">","2025-03-14"]`, false},
		{`["at",">=","2025-03-14"]`, true},
		{`["at","<=","2025-03-14"]`, true},
		{`["at","<","2025-03-14"]`, false},
		{`["at","=","2025-03-14"]`, false},
		{`["at","=","2025-03-14 15:09:26"]`, true},
		{`["at","=","2025-03-14T15:09:26Z"]`, true},
		{`["at","=","2025-03-14T16:09:26+01:00"]`, true},
		{`["utc","=","2025-03-14 15:09:26"]`, true},
		{`["utc","<","2025-03-14 15:09:27"]`, true},
		{`["at",">","2025-03-14T16:09:25+01:00"]`, true},
		{`["at.year_number","=",2025]`, true},
		{`["date.month_number","in",[3]]`, true},
		{`["at.quarter_number",">",1]`, false},
		{`["at.day_of_week","=",5]`, true},
		{`["ref.year_number","=",2025]`, false},

		// Relations.
		{`["parent_id","=",3]`, true},
		{`["parent_id","!=",3]`, false},
		{`["parent_id","in",[1,3]]`, true},
		{`["parent_id","=","Azure"]`, true},
		{`["parent_id","=","azure"]`, false},
		{`["parent_id","=","3"]`, false},
		{`["parent_id","in",["3",3]]`, true},
		{`["parent_id","ilike","azu"]`, true},
		{`["parent_id","not ilike","azu"]`, false},
		{`["parent_id","=ilike","azur_"]`, true},
		{`["parent_id","=",false]`, false},
		{`["parent_id","!=",false]`, true},
		{`["parent_id","=",true]`, true},
		{`["parent_id",">",2]`, true},
		{`["user_id","=",false]`, true},
		{`["user_id","!=",3]`, true},
		{`["user_id","not in",[3]]`, true},
		{`["user_id","ilike","x"]`, false},
		{`["user_id","not ilike","x"]`, true},
		{`["tag_ids","=",4]`, true},
		{`["tag_ids","in",[5,9]]`, true},
		{`["tag_ids","in",[9]]`, false},
		{`["tag_ids","not in",[5]]`, false},
		{`["tag_ids","=",false]`, false},
		{`["tag_ids","!=",false]`, true},
		{`["line_ids","=",false]`, true},
		{`["line_ids","!=",[]]`, false},
		{`["line_ids","=",[]]`, true},
		{`["line_ids","in",[1]]`, false},
		{`["country.code","=","FR"]`, true},
		{`["country.code","!=","FR"]`, false},
		{`["country","any",[["code","in",["FR","BE"]]]]`, true},
		{`["country","not any",[["code","in",["FR","BE"]]]]`, false},
		{`["country","=","France"]`, true},
		{`["parent_id.id","=",3]`, true},
		{`["parent_id.display_name","like","zur"]`, true},
		{`["user_id.name","=","x"]`, false},
		{`["user_id.name","!=","x"]`, false}, // no user, so none with another name
		{`["user_id","any",[]]`, false},
		{`["user_id","not any",[["name","=","x"]]]`, true},
		{`["line_ids.name","=","x"]`, false},

		// The rest.
		{`["name","=?",false]`, true},
		{`["name","=?","x"]`, false},
		{`["name","=?","Azure Interior"]`, true},
		{`["id","child_of",false]`, false},
		{`true`, true},
		{`false`, false},
		{`"|",["id","=",1],["id","=",7]`, true},
		{`"|",["id","=",1],["id","=",2]`, false},
		{`"!",["id","=",1]`, true},
		{`["id","=",7],["name","=","x"]`, false},
		{`"!","&",["id","=",7],["name","=","x"]`, true},
		{``, true},
	}
	for _, test := range tests {
		t.Run(test.cond, func(t *testing.T) {
			r := record(t, r)
			got, err := adapter.Match(filter(t, "["+test.cond+"]"), r, adapter.MatchOptions{})
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestMatchDatesRelativeToNow(t *testing.T) {
	now := time.Date(2025, 3, 14, 15, 9, 26, 0, time.UTC) // a Friday
	at := func(date, value string) string {
		t.Helper()
		// What is not earlier and not later is equal.
		for _, test := range []struct {
			op   adapter.Op
			text string
		}{{"<", "before "}, {">", "after "}} {
			ok, err := adapter.Match(cond("f", test.op, value), adapter.Record{"f": date}, adapter.MatchOptions{Now: now})
			require.NoError(t, err)
			if ok {
				return test.text
			}
		}
		return ""
	}
	for value, want := range map[string]string{
		"now": "2025-03-14 15:09:26", "-1d": "2025-03-13 15:09:26", "+2w": "2025-03-28 15:09:26", "now -1H": "2025-03-14 14:09:26",
		"-1y +1m": "2024-04-14 15:09:26", "+30M": "2025-03-14 15:39:26", "+4S": "2025-03-14 15:09:30", "-13d +1m": "2025-04-01 15:09:26",
		"+17d -1m": "2025-02-28 15:09:26",
		"=1d":      "2025-03-01 00:00:00", "=6m": "2025-06-14 00:00:00", "=3H": "2025-03-14 03:00:00", "=5M": "2025-03-14 15:05:00",
		"=2024y =2m =31d": "2024-02-29 00:00:00",
		"=monday":         "2025-03-10 00:00:00", "+monday": "2025-03-17 00:00:00", "-monday": "2025-03-10 00:00:00", "+friday": "2025-03-14 00:00:00",
		"=week_start": "2025-03-10 00:00:00", "=sunday": "2025-03-16 00:00:00",
	} {
		assert.Empty(t, at(want, value), "%s is not %s", value, want)
	}
	assert.Empty(t, at("2025-03-07", "today -1w"))
	for _, none := range []string{"yesterday", "+", "-d", "+1x", "=13m", "=32d", "+-1d", "1d", "*1d", "=someday", "+999999d"} {
		// Not a date: compared as the text that it is.
		assert.Equal(t, map[bool]string{true: "before ", false: "after "}["2025" < none], at("2025-03-14 00:00:00", none), none)
	}
	w := newWorld(t)
	for domain, want := range map[string]bool{
		`[["seen","=","now"]]`:          true,
		`[["seen","!=","now"]]`:         false,
		`[["born","in",["today -1d"]]]`: true,
		`[["born","=","-1d"]]`:          true,
		`[["seen",">=","today"]]`:       true,
		`[["seen",">","today"]]`:        false, // the whole day
		`[["name","=","today"]]`:        true,
	} {
		ok, err := adapter.Match(filter(t, domain), adapter.Record{"name": "today", "seen": "2025-03-14 15:09:26", "born": "2025-03-13"}, adapter.MatchOptions{Model: "partner", Resolver: w, Now: now})
		require.NoError(t, err)
		assert.Equal(t, want, ok, domain)
	}
}

func TestMatchNeedsAResolverForOtherRecords(t *testing.T) {
	r := record(t, `{"id": 7, "parent_id": [3, "Azure"], "user_id": 5, "tag_ids": [4]}`)
	for _, domain := range []string{
		`[["parent_id.email","=","x"]]`,
		`[["parent_id","any",[["email","=","x"]]]]`,
		`[["user_id","ilike","x"]]`,
		`[["tag_ids","=","x"]]`,
		`[["id","child_of",3]]`,
		`[["parent_id","parent_of",3]]`,
	} {
		_, err := adapter.Match(filter(t, domain), r, adapter.MatchOptions{})
		if domain == `[["user_id","ilike","x"]]` {
			// Without a schema a bare number is a number.
			assert.NoError(t, err)
			continue
		}
		assert.ErrorIs(t, err, adapter.ErrUnsupported, domain)
	}
}

func TestMatchRefusesWhatHasNoMeaning(t *testing.T) {
	for _, f := range []adapter.Filter{
		cond("a", "", 1),
		cond("a", "~~", 1),
		cond("a", "<", []any{1}),
		cond("a", "in", []any{map[string]any{}}),
		cond("a", "any", 5),
		cond("a", "=", struct{}{}),
		adapter.And{cond("a", "=", 1), adapter.Not{Part: cond("a", "foo", 1)}},
	} {
		_, err := adapter.Match(f, adapter.Record{"a": 1}, adapter.MatchOptions{})
		assert.ErrorIs(t, err, adapter.ErrInvalidArgument, "%v", f)
	}
}

func TestMatchTakesGoValues(t *testing.T) {
	r := adapter.Record{"id": 7, "amount": 10.5, "parent_id": []any{num("3"), "Azure"}}
	for _, f := range []adapter.Filter{
		nil,
		adapter.And{},
		adapter.Not{Part: adapter.Or{}},
		cond("id", "=", int64(7)),
		cond("id", "in", []int{1, 7}),
		cond("id", "in", []adapter.ID{adapter.IntID(7)}),
		cond("amount", "<", float32(11)),
		cond("amount", "=", num("10.5")),
		cond("parent_id", "=", adapter.Ref{ID: adapter.IntID(3)}),
		cond("parent_id", "any", []any{[]any{"id", "=", 3}}),
	} {
		ok, err := adapter.Match(f, r, adapter.MatchOptions{})
		require.NoError(t, err)
		assert.True(t, ok, "%v", f)
	}
}

// world resolves relations over a few tables.
type world struct {
	schemas map[string]*adapter.Schema
	tables  map[string][]adapter.Record
}

func (w world) Schema(model string) (*adapter.Schema, error) {
	if s, ok := w.schemas[model]; ok {
		return s, nil
	}
	return nil, adapter.Errorf(adapter.NotFound, "no model %s", model)
}

func (w world) Read(model string, ids []adapter.ID) ([]adapter.Record, error) {
	var found []adapter.Record
	for _, id := range ids {
		for _, r := range w.tables[model] {
			if r.ID() == id {
				found = append(found, r)
			}
		}
	}
	return found, nil
}

func (w world) Related(model string, r adapter.Record, field string) ([]adapter.Record, error) {
	f := w.schemas[model].Fields[field]
	ids := r.IDs(field)
	if f.Type == adapter.Many2One {
		ids = nil
		if ref, ok := r.Ref(field); ok {
			ids = []adapter.ID{ref.ID}
		}
	}
	return w.Read(f.Relation, ids)
}

func (w world) ParentField(model string) string {
	if w.schemas[model].Has("parent_id") {
		return "parent_id"
	}
	return ""
}

func newWorld(t *testing.T) world {
	t.Helper()
	many := func(model string) adapter.Field { return adapter.Field{Type: adapter.Many2One, Relation: model} }
	list := func(model string) adapter.Field { return adapter.Field{Type: adapter.Many2Many, Relation: model} }
	text := adapter.Field{Type: adapter.Char}
	number := adapter.Field{Type: adapter.Float}
	return world{
		schemas: map[string]*adapter.Schema{
			"partner": {Model: "partner", Fields: map[string]adapter.Field{
				"id": {Type: adapter.Integer}, "name": text, "email": text, "parent_id": many("partner"), "country_id": many("country"),
				"tag_ids": list("tag"), "credit": number, "born": {Type: adapter.Date}, "seen": {Type: adapter.DateTime}, "active": {Type: adapter.Boolean},
				"props": {Type: adapter.Properties}, "image": {Type: adapter.Binary},
			}},
			"country": {Model: "country", Fields: map[string]adapter.Field{"id": {Type: adapter.Integer}, "name": text, "code": text}},
			"tag":     {Model: "tag", Fields: map[string]adapter.Field{"id": {Type: adapter.Integer}, "name": text}},
		},
		tables: map[string][]adapter.Record{
			"country": {record(t, `{"id": 1, "name": "France", "code": "FR"}`), record(t, `{"id": 2, "name": "Belgium", "code": "BE"}`)},
			"tag":     {record(t, `{"id": 1, "name": "gold"}`), record(t, `{"id": 2, "name": "silver"}`)},
			"partner": {
				record(t, `{"id": 1, "name": "Root", "country_id": 1, "tag_ids": [1, 2], "credit": null}`),
				record(t, `{"id": 2, "name": "Child", "parent_id": 1, "country_id": [2, "Belgium"], "tag_ids": [], "credit": "7.50"}`),
				record(t, `{"id": 3, "name": "Grandchild", "parent_id": [2, "Child"], "country_id": false, "tag_ids": [2], "credit": 7.5}`),
				record(t, `{"id": 4, "name": "Other", "parent_id": false, "tag_ids": [1]}`),
				record(t, `{"id": 5, "name": "Ring A", "parent_id": 6}`),
				record(t, `{"id": 6, "name": "Ring B", "parent_id": 5}`),
			},
		},
	}
}

func TestMatchWithResolver(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		domain string
		want   string // ids of the partners that match
	}{
		{`[["country_id.code","=","FR"]]`, "1"},
		{`[["country_id.code","!=","FR"]]`, "2"},
		{`["!",["country_id.code","=","FR"]]`, "2 3 4 5 6"},
		{`[["country_id","any",[["code","in",["FR","BE"]]]]]`, "1 2"},
		{`[["country_id","not any",[["code","=","FR"]]]]`, "2 3 4 5 6"},
		{`[["parent_id.country_id.code","=","BE"]]`, "3"},
		{`[["parent_id","any",[["country_id","any",[["name","ilike","bel"]]]]]]`, "3"},
		{`[["country_id","=","France"]]`, "1"},
		{`[["country_id","!=","France"]]`, "2 3 4 5 6"},
		{`[["country_id","ilike","e"]]`, "1 2"},
		{`[["country_id","like",""]]`, "1 2"},
		{`[["country_id","not like",""]]`, "3 4 5 6"},
		{`[["tag_ids","=","gold"]]`, "1 4"},
		{`[["tag_ids","not ilike","GOLD"]]`, "2 3 5 6"},
		{`[["tag_ids.name","=","silver"]]`, "1 3"},
		{`[["tag_ids","in",[2]]]`, "1 3"},
		{`[["tag_ids","=",false]]`, "2 5 6"},
		{`[["id","child_of",1]]`, "1 2 3"},
		{`[["id","child_of",[2,4]]]`, "2 3 4"},
		{`[["id","child_of","root"]]`, "1 2 3"},
		{`[["id","child_of",5]]`, "5 6"},
		{`[["id","child_of",99]]`, ""},
		{`["!",["id","child_of",[]]]`, "1 2 3 4 5 6"},
		{`[["parent_id","child_of",1]]`, "2 3"},
		{`[["id","parent_of",3]]`, "1 2 3"},
		{`[["id","parent_of",[99]]]`, ""},
		{`[["parent_id","parent_of",2]]`, "2 3"},
		{`[["country_id","child_of",1]]`, "1"},
		{`[["country_id","parent_of",[1,2]]]`, "1 2"},
		{`[["parent_id.id","child_of",2]]`, "3"},
		{`[["credit","=",7.5]]`, "2 3"},
		{`[["credit",">",7]]`, "2 3"},
		{`[["credit","<",7]]`, "1 4 5 6"}, // a number that is not set is 0
		{`[["credit","=",false]]`, "1 4 5 6"},
	}
	for _, test := range tests {
		t.Run(test.domain, func(t *testing.T) {
			m, err := adapter.NewMatcher(filter(t, test.domain), adapter.MatchOptions{Model: "partner", Resolver: w})
			require.NoError(t, err)
			var got []string
			for _, r := range w.tables["partner"] {
				ok, err := m.Match(r)
				require.NoError(t, err)
				if ok {
					got = append(got, r.String("id"))
				}
			}
			assert.Equal(t, test.want, strings.Join(got, " "))
		})
	}
	for _, domain := range []string{`[["naem","=",1]]`, `[["name.code","=",1]]`, `[["country_id.cod","=",1]]`, `[["name","any",[]]]`} {
		_, err := adapter.NewMatcher(filter(t, domain), adapter.MatchOptions{Model: "partner", Resolver: w})
		assert.ErrorIs(t, err, adapter.ErrInvalidArgument, domain)
	}
}

func ExampleMatch() {
	f, _ := adapter.ParseDomainJSON([]byte(`[["name", "ilike", "azure"], ["email", "=", false]]`))
	ok, err := adapter.Match(f, adapter.Record{"name": "Azure Interior", "email": false}, adapter.MatchOptions{})
	fmt.Println(ok, err)
	// Output: true <nil>
}
