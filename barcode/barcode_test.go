package barcode_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/barcode"
)

func TestParse(t *testing.T) {
	const fnc1 = "\x1d"
	for _, c := range []struct {
		scanned, kind, gtin, elements, problem string
	}{
		{"6281000000120", "EAN-13", "06281000000120", "", ""},
		{" 6281000000120\r\n", "EAN-13", "06281000000120", "", ""},
		{"]E06281000000120", "EAN-13", "06281000000120", "", ""},
		{"6281000000123", "plain", "", "", "the check digit of EAN-13 would be 0"},
		{"036000291452", "UPC-A", "00036000291452", "", ""},
		{"96385074", "EAN-8", "00000096385074", "", ""},
		{"10614141000415", "GTIN-14", "10614141000415", "", ""},
		{"ABC-123", "plain", "", "", ""},
		{"12345", "plain", "", "", ""},
		{"(01)09506000134352(17)261231(10)AB-1", "GS1", "09506000134352", "gtin=09506000134352 expiry=2026-12-31 lot=AB-1", ""},
		{"]C1010950600013435210AB-1" + fnc1 + "17260200", "GS1", "09506000134352", "gtin=09506000134352 lot=AB-1 expiry=2026-02-28", ""},
		{"0109506000134352310300125021SER/1", "GS1", "09506000134352", "gtin=09506000134352 net_weight=1.250kg serial=SER/1", ""},
		{"]d2" + fnc1 + "3922999" + fnc1 + "3932978" + "1050", "GS1", "", "price=9.99 price=10.50978", ""},
		{"(02)09506000134352(37)12", "GS1", "09506000134352", "content=09506000134352 content_count=12", ""},
		{"(10)lot (with brackets)(21)7", "GS1", "", "lot=lot (with brackets) serial=7", ""},
		{"https://id.gs1.org/01/9506000134352/10/A%2FB?17=261231&other=1", "GS1", "09506000134352", "gtin=09506000134352 lot=A/B expiry=2026-12-31", ""},
		{"https://example.com/product/17", "plain", "", "", ""},
		{"(01)09506000134353", "plain", "", "", "element (01) gtin: the check digit would be 2"},
		{"]C10109506", "plain", "", "", "element (01) gtin is cut off"},
		{"(17)261331", "plain", "", "", "element (17) expiry: 261331 is no date; it reads like YYMMDD"},
		{"]C15501", "plain", "", "", `"5501" begins with no known application identifier`},
		{"(3109)000001", "GS1", "", "", ""},
	} {
		got, err := barcode.Parse(c.scanned)
		require.NoError(t, err, c.scanned)
		if c.scanned == "(3109)000001" {
			// Nine places of six digits.
			assert.Equal(t, "element (3109) net_weight: has fewer digits than decimal places", got.Problem)
			continue
		}
		assert.Equal(t, c.kind, string(got.Kind), c.scanned)
		assert.Equal(t, c.gtin, got.GTIN, c.scanned)
		assert.Equal(t, c.problem, got.Problem, c.scanned)
		var parts []string
		for _, e := range got.Elements {
			value := e.Value
			if e.Date != "" {
				value = e.Date
			}
			if e.Exact != "" {
				value = e.Exact + e.Unit
			}
			parts = append(parts, e.Name+"="+value)
		}
		assert.Equal(t, c.elements, strings.Join(parts, " "), c.scanned)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, scanned := range []string{"", " \n ", "a\x00b", "a\x07", strings.Repeat("1", 5000)} {
		_, err := barcode.Parse(scanned)
		assert.Error(t, err, "%q", scanned)
	}
}

func TestVariants(t *testing.T) {
	for scanned, want := range map[string][]string{
		"036000291452":              {"036000291452", "0036000291452", "00036000291452"},
		"0036000291452":             {"0036000291452", "036000291452", "00036000291452"},
		"96385074":                  {"96385074", "0000096385074", "000096385074", "00000096385074"},
		"10614141000415":            {"10614141000415"},
		"(01)09506000134352(10)AB1": {"9506000134352", "09506000134352", "(01)09506000134352(10)AB1"},
		"SHELF-7":                   {"SHELF-7"},
	} {
		c, err := barcode.Parse(scanned)
		require.NoError(t, err)
		assert.Equal(t, want, c.Variants(), scanned)
	}
}

func TestPiecesOfACarton(t *testing.T) {
	for scanned, want := range map[string]string{"10614141000415": "0614141000418", "6281000000120": "", "(01)19506000134359": "9506000134352", "x": ""} {
		c, err := barcode.Parse(scanned)
		require.NoError(t, err)
		assert.Equal(t, want, c.Piece(), scanned)
	}
}

func TestUPCE(t *testing.T) {
	for code, want := range map[string]string{
		"01245714": "012100004574", "425261": "042100005264", "0123456": "012345000065",
	} {
		got, err := barcode.ExpandUPCE(code)
		if assert.NoError(t, err, code) && want != got {
			t.Errorf("%s gave %s, not %s", code, got, want)
		}
	}
	for _, bad := range []string{"", "12345", "2123456", "abcdef", "01245715"} {
		_, err := barcode.ExpandUPCE(bad)
		assert.Error(t, err, bad)
	}
}

// Any number with its check digit is read as what it is, and is among its own
// variants.
func TestNumbersWithTheirCheckDigit(t *testing.T) {
	kinds := map[int]barcode.Kind{7: barcode.EAN8, 11: barcode.UPCA, 12: barcode.EAN13}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{7, 11, 12}).Draw(t, "digits")
		number := rapid.StringOfN(rapid.RuneFrom([]rune("0123456789")), n, n, -1).Draw(t, "number")
		full := number + string(barcode.CheckDigit(number))
		c, err := barcode.Parse(full)
		if err != nil || c.Kind != kinds[n] || c.GTIN != strings.Repeat("0", 13-n)+full || c.Variants()[0] != full {
			t.Fatalf("%s: %+v %v", full, c, err)
		}
		wrong := full[:n] + string('0'+(full[n]-'0'+1)%10)
		if c, _ := barcode.Parse(wrong); c.Kind != barcode.Plain || c.Problem == "" {
			t.Fatalf("%s: %+v", wrong, c)
		}
	})
}

func TestDraw(t *testing.T) {
	for _, c := range []struct {
		text string
		as   barcode.Symbology
		wide int // modules, the quiet ones included
	}{
		{"6281000000120", barcode.Auto, 95 + 20},
		{"96385074", barcode.Auto, 67 + 20},
		{"036000291452", barcode.DrawEAN, 95 + 20},
		{"ABC-123", barcode.Auto, (1+7+1)*11 + 13 + 20},
		{"(01)09506000134352(10)AB1", barcode.Auto, 0},
		{"نص", barcode.QR, 21 + 8},
		{"ABC", barcode.DataMatrix, 10 + 8},
	} {
		p, err := barcode.Draw(c.text, c.as)
		require.NoError(t, err, c.text)
		var b bytes.Buffer
		require.NoError(t, p.PNG(&b, barcode.Size{Scale: 2, Height: 50}))
		img, err := png.Decode(&b)
		require.NoError(t, err)
		if c.wide > 0 {
			assert.Equal(t, 2*c.wide, img.Bounds().Dx(), c.text)
		}
		black := 0
		for x := range img.Bounds().Dx() {
			if r, _, _, _ := img.At(x, img.Bounds().Dy()/2).RGBA(); r == 0 {
				black++
			}
		}
		assert.Greater(t, black, 10, "%s has bars", c.text)

		b.Reset()
		require.NoError(t, p.SVG(&b, barcode.Size{}))
		for dec := xml.NewDecoder(&b); ; {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if !assert.NoError(t, err, c.text) {
				break
			}
		}
	}
}

func TestDrawRefuses(t *testing.T) {
	for text, as := range map[string]barcode.Symbology{
		"6281000000123": barcode.DrawEAN, "12345": barcode.DrawEAN, "plain": barcode.GS1128, "نص": barcode.Code128,
		"x": "pdf417", "": barcode.QR, strings.Repeat("x", 100): barcode.Code128, strings.Repeat("y", 4000): barcode.QR,
	} {
		_, err := barcode.Draw(text, as)
		assert.Error(t, err, "%q as %s", text, as)
	}
	p, err := barcode.Draw("x", barcode.QR)
	require.NoError(t, err)
	assert.Error(t, p.PNG(io.Discard, barcode.Size{Scale: 10_000}))
	assert.Error(t, p.SVG(io.Discard, barcode.Size{Height: 100_000}))
}

func TestSVGEscapesItsText(t *testing.T) {
	p, err := barcode.Draw(`<script>&"`, barcode.Code128)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, p.SVG(&b, barcode.Size{}))
	assert.NotContains(t, b.String(), "<script>")
	assert.Contains(t, b.String(), "&lt;script&gt;&amp;&quot;")
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"6281000000120", "(01)09506000134352(10)A", "]C1010950600013435210A\x1d17260200", "https://x/01/9506000134352?17=261231", "(", "(01", "91", "]d2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, scanned string) {
		c, err := barcode.Parse(scanned)
		if err != nil {
			return
		}
		for _, v := range c.Variants() {
			if v == "" {
				t.Errorf("%q has an empty variant", scanned)
			}
		}
		if c.Kind == barcode.GS1 && len(c.Elements) == 0 {
			t.Errorf("%q is GS1 without elements", scanned)
		}
	})
}
