package xmlrpc

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// sentValue encodes a call with one argument and reads the argument back, by
// dressing the call up as an answer.
func sentValue(t require.TestingT, v any) []byte {
	doc, err := EncodeCall("execute_kw", v)
	require.NoError(t, err)
	answer := strings.NewReplacer("<methodCall><methodName>execute_kw</methodName>", "<methodResponse>", "</methodCall>", "</methodResponse>").Replace(string(doc))
	got, _, err := Transcode(nil, strings.NewReader(answer), Limits{})
	require.NoError(t, err, "%s", doc)
	return got
}

func TestEncodeCall(t *testing.T) {
	type partner struct {
		Name string `json:"name"`
		Skip string `json:"-"`
	}
	tests := []struct {
		name  string
		value any
		want  string // the parameter
	}{
		{"nil", nil, `<nil/>`},
		{"nil inside", []any{nil, map[string]any{"a": nil}}, `<array><data><value><nil/></value><value><struct><member><name>a</name><value><nil/></value></member></struct></value></data></array>`},
		{"what stands for nil", "nil", `<string>nil</string>`},
		{"markup in text", `<value><base64>nil</base64></value>`, `<string>&lt;value&gt;&lt;base64&gt;nil&lt;/base64&gt;&lt;/value&gt;</string>`},
		{"markup in a key", map[string]any{"</name>&": true}, `<struct><member><name>&lt;/name&gt;&amp;</name><value><boolean>1</boolean></value></member></struct>`},
		{"bytes are base64 text", []byte("Hello"), `<string>SGVsbG8=</string>`},
		{"integer literal", json.Number("9999999999"), `<int>9999999999</int>`},
		{"large unsigned", uint64(math.MaxUint64), `<i4>18446744073709551615</i4>`},
		{"double literal", json.Number("10.50"), `<double>10.5</double>`},
		{"exponent literal", json.Number("1e3"), `<double>1000</double>`},
		{"whole float", 5.0, `<int>5</int>`},
		{"float", 2.5, `<double>2.5</double>`},
		{"raw JSON", json.RawMessage(`{"a": [1, 2.5, null]}`), `<struct><member><name>a</name><value><array><data><value><int>1</int></value><value><double>2.5</double></value><value><nil/></value></data></array></value></member></struct>`},
		{"list of integers", []int64{1, 2}, `<array><data><value><int>1</int></value><value><int>2</int></value></data></array>`},
		{"a nil list", []any(nil), `<nil/>`},
		{"struct by its JSON names", partner{Name: "x", Skip: "y"}, `<struct><member><name>name</name><value><string>x</string></value></member></struct>`},
		{"pointer", &partner{Name: "x"}, `<struct><member><name>name</name><value><string>x</string></value></member></struct>`},
		{"time as JSON has it", time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), `<string>2020-01-02T03:04:05Z</string>`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			doc, err := EncodeCall("execute_kw", test.value)
			require.NoError(t, err)
			want := `<?xml version="1.0" encoding="UTF-8"?><methodCall><methodName>execute_kw</methodName><params><param><value>` + test.want + `</value></param></params></methodCall>`
			require.Equal(t, want, string(doc))
		})
	}
}

func TestEncodeCallRefuses(t *testing.T) {
	deep := any(1)
	for range 1000 {
		deep = []any{deep}
	}
	loop := map[string]any{}
	loop["again"] = loop
	tests := []struct {
		name, method string
		value        any
		want         string
	}{
		{"control character", "x", []any{1, map[string]any{"name": "a\x00b"}}, `the character U+0000 can't be sent over XML-RPC (at [0][1].name)`},
		{"control character in a key", "x", map[string]any{"a\x01": 1}, `the character U+0001 can't be sent over XML-RPC (at [0]."a\x01")`},
		{"broken UTF-8", "x", "a\xff", `text that is not UTF-8 can't be sent (at [0])`},
		{"half a character", "x", "\uFFFE", `the character U+FFFE can't be sent over XML-RPC (at [0])`},
		{"infinity", "x", math.Inf(1), `a number that is not finite can't be sent (at [0])`},
		{"not a number, nested", "x", []float64{math.NaN()}, `can't be sent`},
		{"no number", "x", json.Number("0x10"), `"0x10" is no number (at [0])`},
		{"an empty number", "x", json.Number(""), `"" is no number (at [0])`},
		{"a huge integer", "x", json.Number("99999999999999999999999"), `an integer of more than 64 bits can't be sent (at [0])`},
		{"a huge double", "x", json.Number("1e999"), `a number that large can't be sent (at [0])`},
		{"a channel", "x", make(chan int), `can't be sent`},
		{"broken JSON", "x", json.RawMessage(`{`), `can't be sent`},
		{"too deep", "x", deep, `too deep`},
		{"a loop", "x", loop, `too deep`},
		{"markup in the method", "x</methodName>", 1, `is no name of a method`},
		{"no method", "", 1, `is no name of a method`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := EncodeCall(test.method, test.value)
			var wrong *ValueError
			require.ErrorAs(t, err, &wrong)
			require.Contains(t, err.Error(), test.want)
		})
	}
}

// genValue draws what callers send.
func genValue(depth int) *rapid.Generator[any] {
	text := rapid.String().Filter(func(s string) bool { return checkText(s) == nil })
	leaves := []*rapid.Generator[any]{
		rapid.Just[any](nil),
		rapid.Bool().AsAny(),
		text.AsAny(),
		rapid.Int64().AsAny(),
		rapid.Float64Range(-1e300, 1e300).AsAny(),
		rapid.SliceOf(rapid.Byte()).AsAny(),
		rapid.SliceOf(text).AsAny(),
		rapid.Map(rapid.Int64(), func(n int64) any { return json.Number(mustJSON(n)) }),
		rapid.Map(text, func(s string) any { return json.RawMessage(mustJSON(map[string]any{s: []any{s, 1, nil}})) }),
	}
	if depth > 0 {
		leaves = append(leaves,
			rapid.SliceOfN(genValue(depth-1), 0, 4).AsAny(),
			rapid.MapOfN(text, genValue(depth-1), 0, 4).AsAny())
	}
	return rapid.OneOf(leaves...)
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// What is sent over XML-RPC is what encoding/json would have sent.
func TestEncodeCallSendsWhatJSONWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := genValue(3).Draw(t, "value")
		got, want := sentValue(t, v), mustJSON(v)
		assert.Equal(t, plainNumbers(decodeJSON(t, want)), plainNumbers(decodeJSON(t, got)))
	})
}

// plainNumbers turns literals into floats where that loses nothing, so that
// two spellings of one number are equal.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, _ := v.Float64()
		if n, err := v.Int64(); err == nil && math.Abs(f) < 1<<63 && int64(f) != n {
			return n
		}
		return f
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plainNumbers(v[k])
		}
	}
	return v
}

func FuzzEncodeCall(f *testing.F) {
	for _, seed := range []string{
		`null`, `[]`, `{}`, `[1, 2.5, "x", null, true]`, `{"<a>": {"b": [[[]]]}}`, `"\u0001"`, `1e400`, `-0`, `12345678901234567890123`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			t.Skip()
		}
		doc, err := EncodeCall("m", json.RawMessage(raw))
		if err != nil {
			return
		}
		answer := bytes.NewReader([]byte(strings.NewReplacer("<methodCall><methodName>m</methodName>", "<methodResponse>", "</methodCall>", "</methodResponse>").Replace(string(doc))))
		got, _, err := Transcode(nil, answer, Limits{Depth: 2 * maxDepth})
		require.NoError(t, err, "%s", doc)
		require.Equal(t, plainNumbers(decodeJSON(t, mustJSON(json.RawMessage(raw)))), plainNumbers(decodeJSON(t, got)))
	})
}

func FuzzTranscode(f *testing.F) {
	for _, value := range []string{
		"<value/>", "<value>a<![CDATA[b]]>&#65;&lt;</value>", "<value><double>.5e+3</double></value>",
		"<value><base64>SGVs\nbG8=</base64></value>", "<value><struct><member><name>a</name><value><nil/></value></member></struct></value>",
		"<value><array><data><value><int>-0</int></value></data></array></value>", "<value><dateTime.iso8601>20200131T23:59:58</dateTime.iso8601></value>",
	} {
		f.Add([]byte(response(value)))
	}
	f.Add([]byte("<methodResponse><fault><value><struct><member><name>faultCode</name><value>x</value></member></struct></value></fault></methodResponse>"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, fault, err := Transcode(nil, bytes.NewReader(doc), Limits{Depth: 50})
		if err != nil {
			require.Nil(t, fault)
			require.Empty(t, got)
		} else if fault == nil {
			require.True(t, json.Valid(got), "%q from %q", got, doc)
		}
		// How the document arrives makes no difference.
		for name, wrap := range readers {
			again, againFault, againErr := Transcode(nil, wrap(bytes.NewReader(doc)), Limits{Depth: 50})
			require.Equal(t, err == nil, againErr == nil, name)
			require.Equal(t, string(got), string(again), name)
			require.Equal(t, fault, againFault, name)
		}
	})
}
