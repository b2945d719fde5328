package sap

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

func cond(field string, op adapter.Op, value any) adapter.Cond {
	return adapter.Cond{Field: field, Op: op, Value: value}
}

func TestFilters(t *testing.T) {
	v2 := modelOf(t, scripted(t, thingsV2, nil), "S.Things")
	v4 := modelOf(t, scripted(t, thingsV4, nil), "S.Things")
	v2.service.lower.Store(lowerKnown)
	v4.service.lower.Store(lowerKnown)
	const id = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
	tests := []struct {
		m      *model
		filter adapter.Filter
		want   string // "" is everything, "-" nothing
	}{
		{v2, nil, ""},
		{v2, adapter.Always(false), "-"},
		{v2, cond("Title", "=", "it's"), "Title eq 'it''s'"},
		{v2, cond("Title", "!=", "x"), "Title ne 'x' or Title eq null"},
		{v2, cond("ID", "!=", "x"), "ID ne 'x'"},
		{v2, cond("Title", "=", false), "Title eq '' or Title eq null"},
		{v2, cond("Title", "!=", false), "Title ne '' and Title ne null"},
		{v2, cond("Title", "in", []any{"a", "b", false}), "Title eq 'a' or Title eq 'b' or (Title eq '' or Title eq null)"},
		{v2, adapter.Not{Part: cond("Title", "in", []any{"a", "b"})}, "(Title ne 'a' and Title ne 'b') or Title eq null"},
		{v2, cond("Title", "in", []any{}), "-"},
		{v2, adapter.And{cond("Title", "=", "a"), adapter.Or{cond("ID", "=", "1"), cond("ID", "=", "2")}}, "Title eq 'a' and (ID eq '1' or ID eq '2')"},
		{v2, adapter.Not{Part: adapter.And{cond("ID", "=", "1"), cond("ID", "!=", "2")}}, "ID ne '1' or ID eq '2'"},
		{v2, cond("id", "in", []any{"1", adapter.StringID("2")}), "ID eq '1' or ID eq '2'"},
		{v2, cond("Title", "like", "a'b"), "substringof('a''b',Title)"},
		{v2, cond("Title", "not like", "a"), "not substringof('a',Title) or Title eq null"},
		{v2, cond("Title", "ilike", "ÄB"), "substringof('äb',tolower(Title))"},
		{v2, cond("Title", "=like", "a%"), "startswith(Title,'a')"},
		{v2, cond("Title", "=ilike", "%A"), "endswith(tolower(Title),'a')"},
		{v2, cond("Title", "=like", `a\%`), "Title eq 'a%'"},
		{v2, cond("Title", "=like", "a%b"), "startswith(Title,'a') and endswith(Title,'b')"},
		{v2, cond("Title", "like", ""), ""},
		{v2, cond("Title", "<", "m"), "Title lt 'm' and Title ne ''"},
		{v2, cond("Amount", "=", json.Number("1.50")), "Amount eq 1.50M"},
		{v2, cond("Amount", "=", 0), "Amount eq 0M or Amount eq null"},
		{v2, cond("Amount", "<", 2), "Amount lt 2M or Amount eq null"},
		{v2, cond("Amount", ">", 2), "Amount gt 2M"},
		{v2, cond("Amount", "=", "1e3"), "Amount eq 1000M"},
		{v2, cond("Big", "=", json.Number("9007199254740993")), "Big eq 9007199254740993L"},
		{v2, cond("Big", ">", 1.5), "Big gt 1L"},
		{v2, cond("Big", "=", 1.5), "-"},
		{v2, cond("Big", "<", json.Number("99999999999999999999")), ""},
		{v2, cond("Double", ">=", 0.5), "Double ge 0.5d"},
		{v2, cond("Day", "=", "2025-03-14"), "Day eq datetime'2025-03-14T00:00:00'"},
		{v2, cond("Day", "=", "2025-03-14 10:00:00"), "Day eq datetime'2025-03-14T00:00:00'"},
		{v2, cond("At", ">", "2025-03-14"), "At ge datetime'2025-03-15T00:00:00'"},
		{v2, cond("At", "<=", "2025-03-14"), "At lt datetime'2025-03-15T00:00:00'"},
		{v2, cond("Stamp", "=", "2025-03-14T16:09:26.123+01:00"), "Stamp eq datetimeoffset'2025-03-14T15:09:26.123Z'"},
		{v2, cond("Clock", "=", "15:09:26"), "Clock eq time'PT15H09M26S'"},
		{v2, cond("Token", "=", id), "Token eq guid'" + id + "'"},
		{v2, cond("Token", "=", "') or 1 eq 1"), "-"},
		{v2, cond("Token", "!=", "nonsense"), ""},
		{v2, cond("Yes", "=", true), "Yes eq true"},
		{v2, cond("Yes", "=", false), "Yes eq false or Yes eq null"},

		{v4, cond("Title", "like", "a"), "contains(Title,'a')"},
		{v4, cond("id", "=", id), "ID eq " + id},
		{v4, cond("id", "=", "no guid"), "-"},
		{v4, cond("Amount", "=", json.Number("1.50")), "Amount eq 1.50"},
		{v4, cond("Day", ">", "2025-03-14"), "Day gt 2025-03-14"},
		{v4, cond("Stamp", ">=", "2025-03-14 15:09:26"), "Stamp ge 2025-03-14T15:09:26Z"},
		{v4, cond("Clock", "=", "15:09"), "Clock eq 15:09:00"},
		{v4, cond("Kind", "=", "Red"), "Kind eq T.Kind'Red'"},
		{v4, cond("Kind", "=", "Green' or 1 eq 1"), "-"},
		{v4, cond("Parts.Name", "=", "a"), "Parts/any(x0:x0/Name eq 'a')"},
		{v4, cond("Parts", "not any", adapter.And{cond("Name", "=", "a"), cond("ID", ">", 1)}), "not Parts/any(x0:x0/Name eq 'a' and x0/ID gt 1)"},
		{v4, cond("Parts", "=", false), "not Parts/any()"},
	}
	for _, test := range tests {
		plan, err := test.m.planFilter(t.Context(), test.filter)
		if !assert.NoError(t, err, "%v", test.filter) {
			continue
		}
		got := plan.text
		if plan.never {
			got = "-"
		}
		assert.Equal(t, test.want, got, "%v", test.filter)
	}
	parts := modelOf(t, v4.service.client, "S.Parts")
	plan, err := parts.planFilter(t.Context(), cond("Thing.Title", "!=", "x"))
	require.NoError(t, err)
	assert.Equal(t, "Thing/Title ne 'x' or Thing/Title eq null or Thing/ID eq null", strings.NewReplacer("(", "", ")", "").Replace(negatedForm(t, parts)))
	assert.Equal(t, "(Thing/Title ne 'x' or Thing/Title eq null) and Thing/ID ne null", plan.text)
}

func negatedForm(t *testing.T, m *model) string {
	t.Helper()
	plan, err := m.planFilter(t.Context(), adapter.Not{Part: cond("Thing.Title", "=", "x")})
	require.NoError(t, err)
	return plan.text
}

func TestFiltersThatAreRefused(t *testing.T) {
	client := scripted(t, thingsV2, nil)
	things, walls := modelOf(t, client, "S.Things"), modelOf(t, client, "S.Walls")
	for _, test := range []struct {
		m      *model
		filter adapter.Filter
		code   adapter.Code
		names  string
	}{
		{things, cond("Nope", "=", 1), adapter.InvalidArgument, "Nope"},
		{things, cond("Blind", "=", "x"), adapter.InvalidArgument, "Blind"},
		{things, cond("to_Part.Name", "=", "x"), adapter.Unsupported, "to_Part"},
		{things, cond("id", "child_of", "1"), adapter.Unsupported, "id"},
		{things, cond("Amount", "like", "1"), adapter.InvalidArgument, "Amount"},
		{things, cond("Day", "=", "today"), adapter.InvalidArgument, "Day"},
		{things, cond("Day", "<", "today -1d"), adapter.InvalidArgument, "Day"},
		{things, cond("Day.year_number", "=", 2025), adapter.Unsupported, "Day"},
		{things, cond("Title) or (ID ne '", "=", "x"), adapter.InvalidArgument, "Title"},
		{walls, nil, adapter.InvalidArgument, "Plant"},
		{walls, cond("id", "=", "1"), adapter.InvalidArgument, "ID"},
	} {
		_, err := test.m.planFilter(t.Context(), test.filter)
		assert.Equal(t, test.code, adapter.CodeOf(err), "%v: %v", test.filter, err)
		assert.ErrorContains(t, err, test.names)
	}
}

// However a value reads, what the service gets is one filter with one literal.
func FuzzLiterals(f *testing.F) {
	for _, s := range []string{"", "'", "''", "a' or 1 eq 1 or 'b", "\x00", "é", "%27", "\xff", "1", "1e5", "2025-01-01", "null"} {
		f.Add(s)
	}
	client := scripted(f, thingsV2, nil)
	m := modelOf(f, client, "S.Things")
	f.Fuzz(func(t *testing.T, s string) {
		for _, p := range m.typ.Props {
			text, err := m.literal(p, s)
			if err != nil {
				continue
			}
			back, ok := unliteral(p, text)
			if p.Type == "Edm.String" {
				require.True(t, ok)
				require.Equal(t, s, back)
			}
			// One literal: outside of quotes there is no space.
			inside, quotes := false, 0
			for _, c := range []byte(text) {
				if c == '\'' {
					inside, quotes = !inside, quotes+1
				}
				require.False(t, !inside && c == ' ', "%q", text)
			}
			require.Zero(t, quotes%2, "%q", text)
		}
		// As an id it comes back as it went.
		if s == "" {
			return
		}
		k, err := m.parseID(adapter.StringID(s))
		require.NoError(t, err)
		path, err := m.path(k)
		require.NoError(t, err)
		require.NotContains(t, strings.TrimPrefix(path, "/Things("), "/")
		unescaped, err := url.PathUnescape(path)
		require.NoError(t, err)
		require.Equal(t, "/Things("+quoted(s)+")", unescaped)
		again, ok := m.keyFromPath("http://host" + path)
		require.True(t, ok)
		require.Equal(t, k, again)
	})
}

func FuzzCompositeIDs(f *testing.F) {
	f.Add("ID='1',No=10")
	f.Add("No=10,ID='a,b=''c'")
	f.Add("ID='1'")
	f.Add("ID=',No=1")
	client := scripted(f, thingsV2, nil)
	m := modelOf(f, client, "S.Parts")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := m.parseID(adapter.StringID(s))
		if err != nil {
			return
		}
		id, err := m.id(k)
		require.NoError(t, err)
		again, err := m.parseID(id)
		require.NoError(t, err, "%q of %q", id, s)
		same, err := m.id(again)
		require.NoError(t, err)
		require.Equal(t, id, same)
	})
}
