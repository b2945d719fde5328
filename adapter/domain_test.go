package adapter_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

func num(s string) json.Number { return json.Number(s) }

func cond(field string, op adapter.Op, value any) adapter.Cond {
	return adapter.Cond{Field: field, Op: op, Value: value}
}

func TestParseDomain(t *testing.T) {
	a, b, c, d := cond("a", "=", num("1")), cond("b", "=", num("2")), cond("c", "=", num("3")), cond("d", "=", num("4"))
	// The words of JSON come first, so that their letters stay.
	letters := strings.NewReplacer("true", "true", "false", "false", "null", "null",
		"a", `["a","=",1]`, "b", `["b","=",2]`, "c", `["c","=",3]`, "d", `["d","=",4]`)
	tests := []struct {
		domain string // of the conditions a, b, c and d
		want   adapter.Filter
	}{
		{`null`, nil},
		{`[]`, nil},
		{``, nil},
		{`[a]`, a},
		{`[a,b]`, adapter.And{a, b}},
		{`["&",a,b]`, adapter.And{a, b}},
		{`["|",a,b]`, adapter.Or{a, b}},
		{`["!",a]`, adapter.Not{Part: a}},
		{`["!",a,b]`, adapter.And{adapter.Not{Part: a}, b}},
		{`["!","!",a]`, a},
		{`["!","!","!",a]`, adapter.Not{Part: a}},
		{`["|",a,b,c]`, adapter.And{adapter.Or{a, b}, c}},
		{`[a,"|",b,c]`, adapter.And{a, adapter.Or{b, c}}},
		{`["|","|",a,b,c]`, adapter.Or{a, b, c}},
		{`["|",a,"|",b,c]`, adapter.Or{a, b, c}},
		{`["&","|",a,b,"|",c,d]`, adapter.And{adapter.Or{a, b}, adapter.Or{c, d}}},
		{`["|","&",a,b,"&",c,d]`, adapter.Or{adapter.And{a, b}, adapter.And{c, d}}},
		{`["|","!",a,b]`, adapter.Or{adapter.Not{Part: a}, b}},
		{`["!","|",a,b]`, adapter.Not{Part: adapter.Or{a, b}}},
		{`["|",a,"!","!","|",b,c]`, adapter.Or{a, b, c}},
		{`[true]`, adapter.Always(true)},
		{`["|",false,a]`, adapter.Or{adapter.Always(false), a}},
		{`[[1,"=",1]]`, adapter.Always(true)},
		{`[[0,"=",1]]`, adapter.Always(false)},
		{`[[1,"!=",1]]`, adapter.Always(false)},
	}
	for _, test := range tests {
		t.Run(test.domain, func(t *testing.T) {
			got, err := adapter.ParseDomainJSON([]byte(letters.Replace(test.domain)))
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestParseDomainConditions(t *testing.T) {
	tests := []struct {
		cond string
		want adapter.Filter
	}{
		{`["partner_id.country_id.code","=","FR"]`, cond("partner_id.country_id.code", "=", "FR")},
		{`["create_date.year_number","=",2026]`, cond("create_date.year_number", "=", num("2026"))},
		{`["amount",">=",1.10]`, cond("amount", ">=", num("1.10"))},
		{`["id","=",12345678901234567890]`, cond("id", "=", num("12345678901234567890"))},
		{`["id","<>",5]`, cond("id", "!=", num("5"))},
		{`["id","==",5]`, cond("id", "=", num("5"))},
		{`["id","NOT  In",[5]]`, cond("id", "not in", []any{num("5")})},
		{`["name","ILIKE","x"]`, cond("name", "ilike", "x")},
		{`["name","not =like","x"]`, cond("name", "not =like", "x")},
		{`["id","in",5]`, cond("id", "in", []any{num("5")})},
		{`["id","in",null]`, cond("id", "in", []any{nil})},
		{`["id","in",[]]`, cond("id", "in", []any{})},
		{`["active","in",true]`, cond("active", "=", true)},
		{`["email","not in",false]`, cond("email", "!=", false)},
		{`["id","=",[1,2]]`, cond("id", "in", []any{num("1"), num("2")})},
		{`["id","!=",[1]]`, cond("id", "not in", []any{num("1")})},
		{`["line_ids","!=",[]]`, cond("line_ids", "not in", []any{false})},
		{`["name","=?",false]`, cond("name", "=?", false)},
		{`["id","child_of",[1,2]]`, cond("id", "child_of", []any{num("1"), num("2")})},
		{`["parent_id","any",[]]`, cond("parent_id", "any", nil)},
		{`["parent_id","any",[["name","=","x"]]]`, cond("parent_id", "any", cond("name", "=", "x"))},
		{`["parent_id","not any",["|",["a","=",1],["b","any",[["c","=",2]]]]]`,
			cond("parent_id", "not any", adapter.Or{cond("a", "=", num("1")), cond("b", "any", cond("c", "=", num("2")))})},
	}
	for _, test := range tests {
		t.Run(test.cond, func(t *testing.T) {
			got, err := adapter.ParseDomainJSON([]byte("[" + test.cond + "]"))
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestParseDomainSaysWhatIsWrongAndWhere(t *testing.T) {
	tests := []struct{ domain, field, message string }{
		{`[["a","=",1]`, "domain", "not valid JSON"},
		{`[] []`, "domain", "not valid JSON"},
		{`"[('name','=','x')]"`, "domain", "must be a list of conditions"},
		{`{"name":1}`, "domain", "not an object"},
		{`7`, "domain", "the number \"7\""},
		{`["name","=","x"]`, "domain", `is a single condition, not a list of conditions; write it as [["name", "=", ...]]`},
		{`["name"]`, "domain[0]", `"name" is neither a condition`},
		{`["OR",["a","=",1],["b","=",1]]`, "domain[0]", `"OR" is neither`},
		{`[["name","="]]`, "domain[0]", "has three elements [field, operator, value], this has 2"},
		{`[["a","=",1],["name","foo","x"]]`, "domain[1][1]", `operator "foo" is unknown; use one of =`},
		{`[["a",1,"x"]]`, "domain[0][1]", "the operator must be a text"},
		{`[["a","=",1],[["b","=",1]]]`, "domain[1]", "three elements"},
		{`[[null,"=",1]]`, "domain[0][0]", "the field must be a text, not null"},
		{`[["na me","=",1]]`, "domain[0][0]", `"na me" is not a field name`},
		{`[["a..b","=",1]]`, "domain[0][0]", "not a field name"},
		{`[["","=",1]]`, "domain[0][0]", "not a field name"},
		{`[["a","<",[1]]]`, "domain[0][2]", `operator "<" takes a single value, not a list`},
		{`[["a","in",[[1]]]]`, "domain[0][2]", "it holds a list"},
		{`[["a","=",{"b":1}]]`, "domain[0][2]", "can't take an object"},
		{`[["a","any",5]]`, "domain[0][2]", "must be a list of conditions"},
		{`[["a","any",null]]`, "domain[0][2]", "needs a domain"},
		{`[["x","=",1],["a","any",[["b","foo",1]]]]`, "domain[1][2][0][1]", `domain[1][2][0][1]: operator "foo"`},
		{`["|",["a","=",1]]`, "domain[0]", "'|' at position 0 needs two terms, has one"},
		{`["|"]`, "domain[0]", "'|' at position 0 needs two terms, has none"},
		{`[["a","=",1],"!"]`, "domain[1]", "'!' at position 1 needs one term, has none"},
		{`["|","|",["a","=",1],["b","=",1]]`, "domain[0]", "'|' at position 0 needs two terms, has one"},
		{`["|","|",["a","=",1]]`, "domain[1]", "'|' at position 1 needs two terms, has one"},
		{`["&",["a","=",1],"|",["b","=",1]]`, "domain[2]", "'|' at position 2 needs two terms, has one"},
	}
	for _, test := range tests {
		t.Run(test.domain, func(t *testing.T) {
			f, err := adapter.ParseDomainJSON([]byte(test.domain))
			require.ErrorIs(t, err, adapter.ErrInvalidArgument)
			assert.Nil(t, f)
			var e *adapter.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, test.field, e.Field)
			assert.Contains(t, e.Message, test.message)
			assert.True(t, strings.HasPrefix(e.Message, "domain"), e.Message)
		})
	}
}

func TestParseDomainLimits(t *testing.T) {
	leaf := `["a","=",1]`
	tests := []struct {
		name, domain string
		ok           bool
	}{
		{"a long chain is flat", "[" + strings.Repeat(`"|",`, 4000) + strings.Repeat(leaf+",", 4000) + leaf + "]", true},
		{"a long chain to the right", "[" + strings.Repeat(`"|",`+leaf+",", 4000) + leaf + "]", true},
		{"many negations", "[" + strings.Repeat(`"!",`, 9000) + leaf + "]", true},
		{"alternating to the limit", "[" + strings.Repeat(`"|","&",`, 50) + strings.Repeat(leaf+",", 100) + leaf + "]", true},
		{"alternating beyond it", "[" + strings.Repeat(`"|","&",`, 51) + strings.Repeat(leaf+",", 102) + leaf + "]", false},
		{"nested any", nested(99), true},
		{"nested any beyond", nested(150), false},
		{"nested lists", strings.Repeat("[", 9000) + strings.Repeat("]", 9000), false},
		{"too many terms", "[" + strings.Repeat(leaf+",", adapter.MaxDomainTerms) + leaf + "]", false},
		{"too many terms by nesting", `[["x","any",[` + strings.Repeat(leaf+",", 6000) + leaf + `]],["y","any",[` + strings.Repeat(leaf+",", 6000) + leaf + `]]]`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := adapter.ParseDomainJSON([]byte(test.domain))
			if test.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, adapter.ErrInvalidArgument)
			assert.Less(t, len(err.Error()), 2000, "the message grows with the input")
		})
	}
}

func nested(levels int) string {
	return strings.Repeat(`[["x","any",`, levels) + "[]" + strings.Repeat(`]]`, levels)
}

func TestParseDomainOfGoValues(t *testing.T) {
	f, err := adapter.ParseDomain([]any{
		[]any{"id", "in", []int64{1, 2}},
		[]any{"partner_id", "=", adapter.IntID(7)},
		adapter.Or{cond("a", "=", 1)},
	})
	require.NoError(t, err)
	assert.Equal(t, adapter.And{
		cond("id", "in", []any{int64(1), int64(2)}),
		cond("partner_id", "=", int64(7)),
		cond("a", "=", 1),
	}, f)
	_, err = adapter.ParseDomain(make(chan int))
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
}

func ExampleParseDomainJSON() {
	f, err := adapter.ParseDomainJSON([]byte(`["|", ["name", "ilike", "azure"], ["id", "in", [1, 2]], ["active", "=", true]]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(adapter.Fields(f))
	fmt.Println(string(adapter.AppendDomainJSON(nil, f)))

	_, err = adapter.ParseDomainJSON([]byte(`["|", ["name", "ilike", "azure"]]`))
	var e *adapter.Error
	if errors.As(err, &e) {
		fmt.Println(e.Code, e.Field)
		fmt.Println(e.Message)
	}
	// Output:
	// [name id active]
	// ["|",["name","ilike","azure"],["id","in",[1,2]],["active","=",true]]
	// invalid_argument domain[0]
	// domain: '|' at position 0 needs two terms, has one
}
