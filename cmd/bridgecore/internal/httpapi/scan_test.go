package httpapi

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStrictJSON(t *testing.T) {
	deep := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	for body, want := range map[string]string{
		`{"a":1,"b":[true,false,null,-1.5e+10,"\u00e9\n"],"c":{}}`: "",
		` [ ] `:               "",
		`0`:                   "",
		deep:                  "",
		"[" + deep + "]":      "deeper than 100 levels",
		``:                    "empty at byte 0",
		`  `:                  "empty",
		`{`:                   "member's name",
		`{"a"`:                "colon",
		`{"a":`:               "should be",
		`{"a":1`:              "comma or a closing brace",
		`{"a":1,}`:            "member's name",
		`[1,]`:                `begins with ']'`,
		`[1 2]`:               "comma or a closing bracket",
		`{"a":1}x`:            "follows",
		`{"a":1,"a":2}`:       `"a" is given twice at byte 7`,
		`{"x":{"a":1,"a":2}}`: `"a" is given twice`,
		`{"a":1,"\u0061":2}`:  `"a" is given twice`,
		`tru`:                 "no value begins",
		`nul`:                 "no value begins",
		`+1`:                  "no value begins",
		`01`:                  "no number",
		`1.`:                  "no number",
		`-`:                   "no number",
		`1e`:                  "no number",
		`"a`:                  "not closed",
		`"\x"`:                "bad escape",
		"\"\n\"":              "control character",
		"\"\xff\"":            "UTF-8",
		`'a'`:                 "no value begins",
	} {
		err := strictJSON([]byte(body))
		if want == "" {
			assert.NoError(t, err, body)
			continue
		}
		require.Error(t, err, body)
		p := problemOf(err)
		assert.Equal(t, 400, p.Status)
		assert.Equal(t, "malformed_json", p.Info.Code)
		assert.Contains(t, p.Detail, want, body)
	}
}

func TestManyMembersAreComparedToo(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"x0":0`)
	for i := range 5000 {
		b.WriteString(`,"y` + strings.Repeat("z", i%50) + string(rune('a'+i%26)) + `-` + json.Number(strings.Repeat("1", 1+i%3)).String() + `-` + string(rune('\u4e00'+i)) + `":1`)
	}
	require.NoError(t, strictJSON([]byte(b.String()+"}")))
	assert.ErrorContains(t, strictJSON([]byte(b.String()+`,"x0":1}`)), "twice")
}

func TestMembers(t *testing.T) {
	got := map[string]string{}
	require.NoError(t, members([]byte(` {"a": [1, {"b":2}] ,"c\"":"d"} `), func(name []byte, value json.RawMessage) error {
		got[string(name)] = string(value)
		return nil
	}))
	assert.Equal(t, map[string]string{"a": `[1, {"b":2}]`, `c"`: `"d"`}, got)
	for _, body := range []string{`[]`, `"x"`, `null`, `1`} {
		p := problemOf(members([]byte(body), nil))
		assert.Equal(t, 422, p.Status, body)
	}
	assert.Equal(t, 400, problemOf(members([]byte(`[`), nil)).Status)
}

// What strictJSON takes encoding/json takes, and what it refuses without a
// reason of its own encoding/json refuses.
func FuzzStrictJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e-3,"x\u0041\\"],"b":null}`, `[[[]]]`, `{"a":1,"a":2}`, `-0`, `"\ud800"`, `{"":{}}`, ` 1 `, "\xff", `tRue`, `1e5`, `[1,2`, `{"a" 1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		err := strictJSON(b)
		valid := json.Valid(b)
		if err == nil {
			if !valid {
				t.Fatalf("took %q", b)
			}
			return
		}
		own := !utf8.Valid(b) || strings.Contains(err.Error(), "twice") || strings.Contains(err.Error(), "deeper")
		if valid && !own {
			t.Fatalf("refused %q: %v", b, err)
		}
	})
}

func BenchmarkStrictJSON(b *testing.B) {
	body := []byte(`{"model":"product.product","domain":[["type","=","consu"],["list_price",">",10]],"fields":["id","name","list_price"],"limit":10}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := strictJSON(body); err != nil {
			b.Fatal(err)
		}
	}
}
