package saptest

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// filtered is a server with records to filter.
func filtered(t *testing.T) *browser {
	t.Helper()
	b := open(t, Config{NoDemo: true})
	day := func(d int) time.Time { return time.Date(2026, 1, d, 0, 0, 0, 0, time.UTC) }
	rows := []map[string]any{
		{"SampleID": "1", "Name": "Anna", "Note": "it's", "Count": 1, "BigCount": int64(1) << 53, "Amount": "1.50", "Ratio": "0.1", "Factor": 0.5, "Flag": true, "Day": day(1), "Moment": day(1).Add(10 * time.Hour), "Clock": 9 * time.Hour, "Token": "0050568d-393c-1ed4-9d97-e65f0f3fcc23"},
		{"SampleID": "2", "Name": "bob", "Count": 2, "Amount": "10", "Flag": false, "Day": day(2), "Moment": day(2), "ParentID": "1"},
		{"SampleID": "10", "Name": "Ärger", "Note": "", "Count": -3, "Amount": "-2.25", "Day": day(31), "ParentID": "2"},
		{"SampleID": "11", "Name": "a%b_c+d&e/f", "ParentID": "1"},
	}
	require.NoError(t, b.s.Seed("ZSAMPLE_SRV.Samples", len(rows), func(i int) map[string]any { return rows[i] }))
	require.NoError(t, b.s.Seed("ZSAMPLE_SRV.Lines", 3, func(i int) map[string]any {
		return map[string]any{"SampleID": []string{"1", "1", "2"}[i], "LineNo": i + 1, "Text": fmt.Sprint("line", i), "Quantity": i}
	}))
	return b
}

func TestFilters(t *testing.T) {
	b := filtered(t)
	for _, test := range []struct {
		versions int // 2, 4, or 24
		filter   string
		want     string // the names' first letters, by key
	}{
		{24, "Name eq 'Anna'", "A"}, {24, "Name eq 'anna'", ""}, {24, "Name ne 'Anna'", "bÄa"}, {24, "'Anna' eq Name", "A"}, {24, "Note eq 'it''s'", "A"},
		{24, "Name eq 'a%b_c+d&e/f'", "a"}, {24, "Note eq null", "ba"}, {24, "Note ne null", "AÄ"}, {24, "Note eq ''", "Ä"}, {24, "not (Name eq 'Anna')", "bÄa"},
		{24, "Count gt 0", "Ab"}, {24, "Count ge 2", "b"}, {24, "Count lt 0", "Ä"}, {24, "Count le -3", "Ä"}, {24, "Count eq null", "a"}, {24, "Count add 1 eq 2", "A"},
		{24, "Count mul 2 sub 1 eq 3", "b"}, {24, "Count div 2 eq 1", "b"}, {24, "Count mod 2 eq 1", "A"}, {24, "-Count eq 3", "Ä"}, {24, "Count gt 0 and Flag eq true", "A"},
		{24, "Flag", "A"}, {24, "Flag eq false", "b"}, {24, "not Flag", "b"}, {24, "Count eq 1 or Count eq 2 and Flag eq true", "A"}, {24, "(Count eq 1 or Count eq 2) and Flag eq false", "b"},
		{2, "Amount eq 1.5M", "A"}, {2, "Amount eq 1.50", "A"}, {2, "Amount gt 1.5m", "b"}, {2, "BigCount eq 9007199254740992L", "A"}, {2, "BigCount gt 9007199254740992L", ""},
		{4, "BigCount eq 9007199254740992", "A"}, {4, "BigCount eq 9007199254740993", ""}, {4, "Amount lt -2.249", "Ä"}, {24, "Factor eq 0.5", "A"}, {24, "Ratio eq 0.1000", "A"},
		{2, "Day eq datetime'2026-01-02T00:00:00'", "b"}, {2, "Day gt datetime'2026-01-01T23:59'", "bÄ"}, {2, "Moment eq datetimeoffset'2026-01-01T12:00:00+02:00'", "A"}, {2, "Clock ge time'PT9H'", "A"},
		{2, "Token eq guid'0050568D-393C-1ED4-9D97-E65F0F3FCC23'", "A"}, {4, "Token eq 0050568d-393c-1ed4-9d97-e65f0f3fcc23", "A"},
		{4, "Day eq 2026-01-02", "b"}, {4, "Moment ge 2026-01-01T10:00:00Z", "Ab"}, {4, "Moment eq 2026-01-01T12:00:00+02:00", "A"}, {4, "Clock eq 09:00:00", "A"}, {4, "date(Moment) eq 2026-01-01", "A"}, {4, "Moment lt now()", "Ab"},
		{2, "substringof('nn',Name)", "A"}, {2, "substringof('nn',Name) eq true", "A"}, {2, "not substringof('n',Name)", "bÄa"}, {4, "contains(Name,'nn')", "A"}, {24, "startswith(tolower(Name),'a')", "Aa"},
		{24, "endswith(Name,'b')", "b"}, {24, "toupper(Name) eq 'ÄRGER'", "Ä"}, {24, "length(Name) eq 5", "Ä"}, {24, "indexof(Name,'ger') eq 2", "Ä"}, {24, "concat(Name,'!') eq 'bob!'", "b"},
		{24, "substring(Name,1) eq 'ob'", "b"}, {24, "substring(Name,1,2) eq 'nn'", "A"}, {24, "trim(' x ') eq 'x'", "AbÄa"}, {24, "year(Day) eq 2026 and month(Day) eq 1 and day(Day) eq 31", "Ä"},
		{24, "hour(Moment) eq 10", "A"}, {24, "round(Amount) eq 2", "A"}, {24, "floor(Amount) eq -3", "Ä"}, {24, "ceiling(Amount) eq -2", "Ä"}, {2, "replace(Name,'b','c') eq 'coc'", "b"},
		{24, "Parent/Name eq 'Anna'", "ba"}, {24, "Parent/Parent/Name eq 'Anna'", "Ä"}, {24, "Parent/Count gt 1 or Count eq 1", "AÄ"},
		{4, "Name in ('Anna','bob')", "Ab"}, {4, "Count in (1,-3)", "AÄ"}, {4, "Note in ('',null)", "bÄa"}, {4, "not (Name in ('Anna'))", "bÄa"},
		{4, "Lines/any()", "Ab"}, {4, "Lines/any(l:l/LineNo eq 2)", "A"}, {4, "Lines/all(l:l/LineNo gt 1)", "bÄa"}, {4, "Lines/any(l:l/Quantity gt Count)", ""}, {4, "Children/any(c:c/Lines/any(l:l/LineNo eq 3))", "A"},
		{4, "Lines/any(l:l/Text eq 'line0' and l/Sample/Name eq 'Anna')", "A"}, {4, "not Lines/any()", "Äa"},
		{24, "SampleID eq '0000000001'", "A"}, {24, "SampleID gt '2'", "Äa"}, {24, "ParentID eq '01'", "ba"},
	} {
		for version, path := range map[string]string{"2": sampleV2, "4": sampleV4} {
			if !strings.Contains(strconv.Itoa(test.versions), version) {
				continue
			}
			var got strings.Builder
			for _, name := range b.get(path + "Samples?$filter=" + q(test.filter)).list("Name") {
				got.WriteString(string([]rune(name.(string))[:1]))
			}
			assert.Equal(t, test.want, got.String(), "v%s: %s", version, test.filter)
		}
	}
}

func TestWrongFilters(t *testing.T) {
	b := filtered(t)
	for _, test := range []struct {
		versions int
		filter   string
	}{
		{24, "Name"}, {24, "Name eq"}, {24, "Name eq 'x"}, {24, "eq 'x'"}, {24, "(Name eq 'x'"}, {24, "Name eq 'x')"}, {24, "Name eq 'x' and"}, {24, "Name eq x"}, {24, "Name = 'x'"},
		{24, "Name eq 1"}, {24, "Count eq '1'"}, {24, "Flag eq 'true'"}, {24, "Count eq true"}, {24, "Name and Flag"}, {24, "not Name"}, {24, "Name add 1 eq 2"}, {24, "nope(Name) eq 1"}, {24, "length(Count) eq 1"},
		{24, "length(Name,Name) eq 1"}, {24, "Children/Name eq 'x'"}, {24, "Parent eq null"}, {24, "Parent/Nope eq 1"}, {24, "Name/Nope eq 1"}, {24, "Name eq 'x' or 1"}, {24, "1"}, {24, "true and 'x'"},
		{24, "Name eq \"x\""}, {24, "Name eq 'x' ' or '1' eq '1'"}, {24, "Day eq 'x'"},
		{2, "contains(Name,'x')"}, {2, "Name in ('x')"}, {2, "Lines/any()"}, {2, "Day eq 2026-01-02"}, {2, "Day eq datetime'nope'"}, {2, "Day eq datetimeoffset'2026-01-01T00:00:00Z'"}, {2, "Token eq '0050568d-393c-1ed4-9d97-e65f0f3fcc23'"},
		{4, "substringof('x',Name)"}, {4, "Day eq datetime'2026-01-01T00:00:00'"}, {4, "Day eq 2026-01-01T00:00:00Z"}, {4, "Count eq 1L"}, {4, "Name in ()"}, {4, "Name in ('x'"}, {4, "Name in (Note)"}, {4, "Lines/all()"},
		{4, "Lines/any(l:l/Nope eq 1)"}, {4, "Lines/any(l:l)"}, {4, "l/LineNo eq 1"}, {24, strings.Repeat("(", 5000)}, {24, strings.Repeat("not ", 1000) + "Flag"}, {24, strings.Repeat("-", 3000) + "Count eq 1"},
	} {
		for version, path := range map[string]string{"2": sampleV2, "4": sampleV4} {
			if strings.Contains(strconv.Itoa(test.versions), version) {
				r := b.get(path + "Samples?$filter=" + q(test.filter))
				assert.Equal(t, 400, r.status, "v%s: %s", version, test.filter)
			}
		}
	}
	b.get(filesAPI + "AttachmentContentSet").want(405)
	b.get(salesAPI + "A_SalesOrderText?$filter=" + q("LongText eq 'x'")).want(400)
}

func TestLongFilters(t *testing.T) {
	b := filtered(t)
	var terms []string
	for i := range 2000 {
		terms = append(terms, fmt.Sprintf("SampleID eq '%d'", i))
	}
	path := sampleV2 + "Samples?$filter=" + q(strings.Join(terms, " or "))
	assert.Equal(t, 414, b.get(path).status)
	roomy := open(t, Config{NoDemo: true, MaxURL: 1 << 20})
	require.NoError(t, roomy.s.Seed("ZSAMPLE_SRV.Samples", 2, func(i int) map[string]any { return map[string]any{"SampleID": strconv.Itoa(i + 1), "Name": "x"} }))
	assert.Len(t, roomy.get(path).list("Name"), 2)
}

func TestExpandAndSelect(t *testing.T) {
	b := filtered(t)
	r := b.get(sampleV2 + "Samples('1')?$expand=Lines,Children/Lines&$select=Name,Lines/LineNo,Children/Name,Children/Lines").want(200)
	assert.Equal(t, "Anna", r.at("d/Name"))
	assert.NotContains(t, r.at("d"), "Count")
	assert.NotContains(t, r.at("d"), "Parent", "no link to what wasn't selected")
	assert.Len(t, r.at("d/Lines/results"), 2)
	assert.NotContains(t, r.at("d/Lines/results/0"), "Text")
	assert.Equal(t, "bob", r.at("d/Children/results/0/Name"))
	assert.Equal(t, "line2", r.at("d/Children/results/0/Lines/results/0/Text"))
	r = b.get(sampleV2 + "Samples('1')?$expand=Lines&$select=Name").want(200)
	assert.NotContains(t, r.at("d"), "Lines", "expanded but not selected")
	r = b.get(sampleV2 + "Samples('1')?$select=Name,Lines").want(200)
	assert.NotNil(t, r.at("d/Lines/__deferred/uri"))
	assert.Nil(t, b.get(sampleV2+"Samples('1')?$expand=Parent").at("d/Parent"))

	r = b.get(sampleV4 + "Samples('1')?$select=Name&$expand=" + q("Lines($select=LineNo;$orderby=LineNo desc;$top=1;$count=true),Children($filter=contains(Name,';');$expand=Lines),Parent")).want(200)
	assert.Equal(t, "2", fmt.Sprint(r.at("Lines@odata.count")))
	assert.Len(t, r.at("Lines"), 1)
	assert.Equal(t, "2", fmt.Sprint(r.at("Lines/0/LineNo")))
	assert.Empty(t, r.at("Children"))
	assert.Nil(t, r.at("Parent"))
	for _, bad := range []string{"Lines(", "Lines)", "Lines($nope=1)", "Lines($select=Nope)", "Nope($top=1)", "Lines($filter=Nope eq 1)"} {
		b.get(sampleV4 + "Samples?$expand=" + q(bad)).want(400)
	}
	b.get(sampleV4 + "Samples('1')/Parent").want(204)
	b.get(sampleV2 + "Samples('1')/Parent").want(404)
	assert.Equal(t, "Anna", b.get(sampleV2+"Samples('2')/Parent").at("d/Name"))
	assert.Equal(t, "line0", b.get(sampleV4+"Samples('1')/Lines(SampleID='1',LineNo=1)").at("Text"))
	b.get(sampleV4 + "Samples('1')/Lines(SampleID='2',LineNo=3)").want(404)
	assert.Equal(t, []any{"line1"}, b.get(sampleV2+"Samples('1')/Lines?$filter="+q("LineNo gt 1")).list("Text"))
	assert.Equal(t, "2", b.get(sampleV4+"Samples('1')/Lines/$count").body)
}

// Decimals compare as their values do, however they are written.
func TestDecimals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		literal := rapid.StringMatching(`-?[0-9]{1,12}(\.[0-9]{1,6})?`)
		a, b := literal.Draw(t, "a"), literal.Draw(t, "b")
		x, okA := parseDecimal(a)
		y, okB := parseDecimal(b)
		require.True(t, okA && okB)
		p, _ := new(big.Rat).SetString(a)
		r, _ := new(big.Rat).SetString(b)
		assert.Equal(t, p.Cmp(r), x.compare(y), "%s %s", a, b)
		assert.Zero(t, x.rat().Cmp(p))
		if strings.Contains(a, ".") {
			assert.True(t, strings.HasSuffix(string(x), a[strings.IndexByte(a, '.'):]), "the places stay as written")
		}
	})
	for _, bad := range []string{"", "-", ".", "1.", "x", "1e99999", "--1", "1.2.3", "0x1", strings.Repeat("1", 101)} {
		_, ok := parseDecimal(bad)
		assert.False(t, ok, bad)
	}
	d, ok := parseDecimal("1.5e2")
	assert.True(t, ok)
	assert.Equal(t, decimal("150"), d)
}

// Keys order as their values do.
func TestKeyOrder(t *testing.T) {
	alpha, number := &property{kind: kindString, alpha: true}, &property{kind: kindInt32}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int32().Draw(t, "a"), rapid.Int32().Draw(t, "b")
		assert.Equal(t, a < b, keyPart(number, int64(a)) < keyPart(number, int64(b)))
		if a >= 0 && b >= 0 {
			assert.Equal(t, a < b, keyPart(alpha, strconv.Itoa(int(a))) < keyPart(alpha, strconv.Itoa(int(b))))
			assert.Equal(t, keyPart(alpha, strconv.Itoa(int(a))), keyPart(alpha, fmt.Sprintf("%020d", a)))
		}
	})
}

// Whatever the text, compiling a filter ends, and what compiles can be
// evaluated and says yes or no.
func FuzzFilter(f *testing.F) {
	s, err := Start(Config{NoDemo: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	for _, seed := range []string{
		"Name eq 'x' and (Count gt 1 or not Flag)", "substringof('a',tolower(Name))", "Day ge datetime'2026-01-01T00:00:00'", "Lines/any(l:l/LineNo eq 1 and l/Sample/Name ne null)",
		"Name in ('a','b''c')", "Amount div 3 mod 2 lt -1.5e3M", "Parent/Parent/Name eq null", "Token eq guid'0050568D-393C-1ED4-9D97-E65F0F3FCC23'", "length(trim(concat(Name,'ü'))) add 1 eq 2", "((((", "'", "-", "not",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	row := map[string]any{"SampleID": "1", "Name": "x", "Count": 1, "Amount": "2.5", "Flag": true}
	if err := s.Seed("ZSAMPLE_SRV.Samples", 1, func(int) map[string]any { return row }); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, four bool) {
		model, version := "ZSAMPLE_SRV.Samples", 2
		if four {
			model, version = "zsample.Samples", 4
		}
		e := s.entity(model)
		x, err := compileFilter(text, e, version, time.Unix(0, 0))
		if err != nil {
			var refused *Error
			require.ErrorAs(t, err, &refused)
			return
		}
		for _, r := range e.table.order {
			v := x.eval(&env{vals: r.vals})
			_, ok := v.(bool)
			assert.True(t, ok || v == nil, "%s gave %T", text, v)
		}
	})
}
