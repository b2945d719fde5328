package visual

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func TestLettersJoin(t *testing.T) {
	for text, want := range map[string][]rune{
		"بيت":  {0xfe91, 0xfef4, 0xfe96},         // initial, medial, final
		"دار":  {0xfea9, 0xfe8d, 0xfead},         // none joins the next
		"باب":  {0xfe91, 0xfe8e, 0xfe8f},         // the last stands alone after an alef
		"سلام": {0xfeb3, 0xfefc, 0xfee1},         // lam and alef are one glyph, after a letter that joins
		"لا":   {0xfefb},                         // and alone
		"ءب":   {0xfe80, 0xfe8f},                 // hamza joins nothing
		"بَيت": {0xfe91, 0x064e, 0xfef4, 0xfe96}, // a mark does not part letters
		"بـ":   {0xfe91, 0x0640},                 // tatweel joins
		"ab":   {'a', 'b'},
	} {
		assert.Equal(t, want, shape([]rune(text)), text)
	}
	assert.Equal(t, []rune{0xfe91}, shape([]rune("ب\u200d")), "a joiner asks for the initial form")
	assert.Equal(t, []rune{0xfe8f, 0xfe8f}, shape([]rune("ب\u200cب")), "a non-joiner parts")
}

// The forms of Unicode decompose to the letters they are forms of: every form
// stands in the table where it belongs.
func TestFormsAreThoseOfUnicode(t *testing.T) {
	for letter, f := range forms {
		for i, glyph := range []rune{f.isolated, f.final, f.initial, f.medial} {
			if glyph != 0 {
				assert.Equal(t, string(letter), norm.NFKC.String(string(glyph)), "form %d of %c", i, letter)
			}
		}
	}
	for alef, f := range lamAlef {
		for _, glyph := range []rune{f.isolated, f.final} {
			assert.Equal(t, "ل"+string(alef), norm.NFKC.String(string(glyph)))
		}
	}
}

func TestOrder(t *testing.T) {
	for _, c := range []struct {
		text string
		rtl  bool
		want string // letters in their plain form
	}{
		{"abc", false, "abc"},
		{"abc", true, "abc"},
		{"אבג", true, "גבא"},
		{"אבג", false, "גבא"},
		{"אב 12.50 גד", true, "דג 12.50 בא"},
		{"אב 12.50 גד", false, "דג 12.50 בא"},
		{"abc אב 123", false, "abc 123 בא"},
		{"abc אב", true, "בא abc"},
		{"(אב)", true, "(בא)"},
		{"אב (cd)", true, "(cd) בא"},
		{"100% אב", true, "בא 100%"},
		{"-5", true, "5-"},
		{"1,234.50", true, "1,234.50"},
		{"אב, גד.", true, ".דג ,בא"},
		{"SO001 - אב", true, "בא - SO001"},
		{"", true, ""},
	} {
		assert.Equal(t, c.want, Line(c.text, c.rtl), "%q rtl=%v", c.text, c.rtl)
	}
	// A number among Arabic letters is an Arabic number, even in a paragraph
	// from left to right: letters, number and letters turn around as one.
	assert.Equal(t, norm.NFKC.String("ب 12 ا"), norm.NFKC.String(Line("ا 12 ب", false)))
	assert.Equal(t, "Total "+"ﺔﻌﺑﺭﺃ", Line("Total أربعة", false))
}

func TestDirectionOfATextByItself(t *testing.T) {
	for text, want := range map[string]bool{"": false, "12": false, "+966 50": false, "abc ا": false, "ا abc": true, "(ا": true, "=1+1": false} {
		assert.Equal(t, want, RTL(text), text)
	}
}

// Drawing loses no letter, and what has no letter from right to left stays as
// it is in a paragraph from left to right.
func TestNothingIsLost(t *testing.T) {
	letters := rapid.SampledFrom([]rune("abc 123.,-()%بتلاأمי אבَ\u064b"))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(letters, 0, 40).Draw(t, "text")
		rtl := rapid.Bool().Draw(t, "rtl")
		got := []rune(Line(string(text), rtl))
		shaped := shape(text)
		want := slices.Clone(shaped)
		unmirror := func(r []rune) []rune {
			out := slices.Clone(r)
			for i, c := range out {
				if c == ')' {
					out[i] = '('
				}
			}
			slices.Sort(out)
			return out
		}
		if !slices.Equal(unmirror(got), unmirror(want)) {
			t.Fatalf("%q became %q", string(text), string(got))
		}
	})
}

// Where a text has no numbers and no brackets, the levels are those of the
// library.
func TestLevelsAreThoseOfTheLibrary(t *testing.T) {
	letters := rapid.SampledFrom([]rune("abcاבתש -!"))
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(letters, 1, 30).Draw(t, "text"))
		rtl := rapid.Bool().Draw(t, "rtl")
		direction := bidi.LeftToRight
		if rtl {
			direction = bidi.RightToLeft
		}
		var p bidi.Paragraph
		if _, err := p.SetString(text, bidi.DefaultDirection(direction)); err != nil {
			t.Fatal(err)
		}
		// The library takes the direction from the first letter: only texts that
		// begin with one of the paragraph's direction can be compared.
		first, _ := bidi.LookupRune([]rune(text)[0])
		if want := first.Class() == bidi.R || first.Class() == bidi.AL; first.Class() != bidi.L && !want || want != rtl {
			return
		}
		o, err := p.Order()
		if err != nil {
			t.Fatal(err)
		}
		got := levels([]rune(text), rtl)
		at := 0
		for i := range o.NumRuns() {
			run := o.Run(i)
			for range []rune(run.String()) {
				odd := run.Direction() == bidi.RightToLeft
				if (got[at]%2 == 1) != odd {
					t.Fatalf("%q rune %d has level %d, the library says %v", text, at, got[at], run.Direction())
				}
				at++
			}
		}
	})
}

func FuzzLine(f *testing.F) {
	f.Add("سلام (abc) 12", true)
	f.Fuzz(func(_ *testing.T, text string, rtl bool) { _ = Line(text, rtl) })
}
