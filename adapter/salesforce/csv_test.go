package salesforce

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func readTable(t require.TestingT, text string) [][]string {
	r := newCSVReader(strings.NewReader(text))
	var rows [][]string
	for {
		row, err := r.read(nil)
		if errors.Is(err, io.EOF) {
			return rows
		}
		require.NoError(t, err)
		rows = append(rows, row)
	}
}

func TestCSV(t *testing.T) {
	for text, want := range map[string][][]string{
		"":                                   nil,
		"\n\n":                               nil,
		"a,b\n1,2\n":                         {{"a", "b"}, {"1", "2"}},
		"a,b\r\n1,2":                         {{"a", "b"}, {"1", "2"}},
		"\"a\",\"\"\r\n":                     {{"a", ""}},
		"\"\"\n":                             {{""}},
		",\n":                                {{"", ""}},
		"a,":                                 {{"a", ""}},
		"\"x \"\"y\"\", z\",\"1\r\n2\"\n3,4": {{`x "y", z`, "1\r\n2"}, {"3", "4"}},
	} {
		assert.Equal(t, want, readTable(t, text), "%q", text)
	}
	for _, bad := range []string{`"open`, `"a"b`, "\"a\"\rb"} {
		_, err := newCSVReader(strings.NewReader(bad)).read(nil)
		assert.ErrorIs(t, err, errCSV, "%q", bad)
	}
	r := newCSVReader(strings.NewReader(strings.Repeat("x", 200)))
	r.limit = 100
	_, err := r.read(nil)
	assert.ErrorIs(t, err, errCSV, "a value without end")
}

func TestCSVRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.SliceOfN(rapid.String(), 2, 2), 1, 5).Draw(t, "rows")
		var b []byte
		for _, row := range rows {
			b = append(appendCSV(append(appendCSV(b, row[0]), ','), row[1]), '\n')
		}
		require.Equal(t, rows, readTable(t, string(b)))
	})
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{"", "a,b\n1,2\n", "\"x\"\"\",\r\n", "\"open", "\"a\"b", "\x00,\xff\n\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := newCSVReader(strings.NewReader(text))
		for range len(text) + 2 {
			row, err := r.read(nil)
			if err != nil {
				return
			}
			require.NotEmpty(t, row)
		}
		require.Fail(t, "more rows than bytes")
	})
}

// FuzzCursors has no cursor do anything but be refused or understood.
func FuzzCursors(f *testing.F) {
	o := &object{Name: "Thing__c"}
	p := &plan{object: o, sum: 7, byID: 1}
	f.Add(p.cursor("ia01000000000001AAA"))
	f.Add((&window{from: time.Unix(1_700_000_000, 0)}).cursor(o))
	for _, s := range []string{"", "AAAA", "aS43", "MXxUaGluZ19fY3wxfDA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		for _, byID := range []int8{0, 1} {
			p := &plan{object: o, sum: 7, byID: byID}
			if at, ok := p.resume(cursor); ok && byID == 1 {
				require.True(t, isRecordID(at.after))
			} else if ok && at.url != "" {
				require.Regexp(t, nextBatch, at.url)
			}
		}
		if w, ok := readWindow(o, cursor); ok {
			require.False(t, w.from.IsZero())
		}
	})
}

func TestSplitFault(t *testing.T) {
	for text, want := range map[string]fault{
		"REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --":      {StatusCode: "REQUIRED_FIELD_MISSING", Message: "Required fields are missing: [Name]", Fields: []string{"Name"}},
		"DUPLICATE_VALUE:duplicate value found: Key__c duplicates x: 1:Key__c --": {StatusCode: "DUPLICATE_VALUE", Message: "duplicate value found: Key__c duplicates x: 1", Fields: []string{"Key__c"}},
		"FIELD_CUSTOM_VALIDATION_EXCEPTION:It is 12:30 already:--":                {StatusCode: "FIELD_CUSTOM_VALIDATION_EXCEPTION", Message: "It is 12:30 already"},
		"UNABLE_TO_LOCK_ROW:busy": {StatusCode: "UNABLE_TO_LOCK_ROW", Message: "busy"},
		"InvalidBatch : INVALID_FIELD:No such column 'X' on entity 'Thing__c':--": {StatusCode: "INVALID_FIELD", Message: "No such column 'X' on entity 'Thing__c'"},
	} {
		got, ok := splitFault(text)
		if assert.True(t, ok, text) {
			assert.Equal(t, want, *got, text)
		}
	}
	for _, text := range []string{"", "no code here", "Some words: and more", ":"} {
		_, ok := splitFault(text)
		assert.False(t, ok, text)
	}
}
