package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/report"
)

var (
	english = report.Locale{Language: "en", Words: report.Words{Total: "Total", Yes: "Yes", No: "No", Page: "Page %d of %d"}}
	french  = report.Locale{Language: "fr", Words: report.Words{Total: "Total", Yes: "Oui", No: "Non", Page: "Page %d sur %d"}}
	arabic  = report.Locale{Language: "ar", Words: report.Words{Total: "الإجمالي", Yes: "نعم", No: "لا", Page: "صفحة %d من %d"}, Zone: time.FixedZone("Riyadh", 3*3600)}
)

func rows(list ...[]any) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for _, row := range list {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func orders(l report.Locale) *report.Table {
	riyal := func(n string) report.Quantity { return report.Quantity{Number: json.Number(n), Unit: "SAR"} }
	return &report.Table{
		Title: "Sales", Subtitle: "state = sale", Locale: l, BOM: true,
		Columns: []report.Column{
			{Name: "name", Label: "Order", Kind: report.Text},
			{Name: "partner_id", Label: "Customer", Kind: report.Text},
			{Name: "date_order", Label: "Date", Kind: report.DateTime},
			{Name: "commitment", Label: "Due", Kind: report.Date},
			{Name: "amount_total", Label: "Total", Kind: report.Money, Digits: 2, Total: true},
			{Name: "lines", Label: "Lines", Kind: report.Integer, Total: true},
			{Name: "paid", Label: "Paid", Kind: report.Bool},
			{Name: "tags", Label: "Tags", Kind: report.Text},
		},
		Rows: rows(
			[]any{"S0001", "شركة النور", "2024-01-15 22:30:00", "2024-01-31", riyal("1234567.891"), json.Number("3"), true, []any{"a", "b"}},
			[]any{"S0002", "=1+1", "2024-01-16T08:00:00Z", nil, riyal("-0.10"), json.Number("1"), false, nil},
			[]any{"S0003", "+966 50", nil, false, report.Quantity{Number: "5", Unit: "EUR"}, nil, nil, []any{}},
		),
	}
}

func TestCSV(t *testing.T) {
	var b bytes.Buffer
	n, err := report.Write(&b, report.CSV, orders(english))
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	text, bom := strings.CutPrefix(b.String(), "\ufeff")
	assert.True(t, bom)
	got, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, [][]string{
		{"Order", "Customer", "Date", "Due", "Total", "Lines", "Paid", "Tags"},
		{"S0001", "شركة النور", "2024-01-15 22:30:00", "2024-01-31", "1234567.891", "3", "true", "a, b"},
		{"S0002", "'=1+1", "2024-01-16T08:00:00Z", "", "-0.10", "1", "false", ""},
		{"S0003", "'+966 50", "", "", "5", "", "", ""},
	}, got, "numbers and dates for programs, formulas made harmless")
	table := orders(english)
	table.BOM = false
	b.Reset()
	_, err = report.Write(&b, report.CSV, table)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(b.String(), "Order,"))
}

func TestFormulasAreTexts(t *testing.T) {
	for _, text := range []string{"=cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "+1", " =1", "\t=1", "|x", "%0A"} {
		for _, f := range []report.Format{report.CSV, report.XLSX} {
			var b bytes.Buffer
			_, err := report.Write(&b, f, &report.Table{Title: text, Locale: english, Columns: []report.Column{{Name: "x", Label: text}}, Rows: rows([]any{text})})
			require.NoError(t, err)
			if f == report.CSV {
				for line := range strings.SplitSeq(strings.TrimRight(b.String(), "\r\n"), "\r\n") {
					assert.Contains(t, "'\"", line[:1], "%q", line)
				}
				continue
			}
			file, err := excelize.OpenReader(&b)
			require.NoError(t, err)
			for _, cell := range []string{"A1", "A2"} {
				formula, err := file.GetCellFormula(file.GetSheetName(0), cell)
				require.NoError(t, err)
				assert.Empty(t, formula)
			}
		}
	}
}

func TestJSONLines(t *testing.T) {
	var b bytes.Buffer
	n, err := report.Write(&b, report.JSONL, orders(english))
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	require.Len(t, lines, 3)
	assert.JSONEq(t, `{"name":"S0001","partner_id":"شركة النور","date_order":"2024-01-15 22:30:00","commitment":"2024-01-31","amount_total":1234567.891,"lines":3,"paid":true,"tags":["a","b"]}`, lines[0])
}

func TestExcel(t *testing.T) {
	var b bytes.Buffer
	n, err := report.Write(&b, report.XLSX, orders(arabic))
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	if dir := os.Getenv("BRIDGECORE_REPORT_DIR"); dir != "" {
		require.NoError(t, os.WriteFile(dir+"/sales-ar.xlsx", b.Bytes(), 0o600))
	}
	f, err := excelize.OpenReader(&b)
	require.NoError(t, err)
	sheet := f.GetSheetName(0)
	assert.Equal(t, "Sales", sheet)
	view, err := f.GetSheetView(sheet, 0)
	require.NoError(t, err)
	assert.True(t, *view.RightToLeft)
	raw := func(cell string) string {
		v, err := f.GetCellValue(sheet, cell, excelize.Options{RawCellValue: true})
		require.NoError(t, err)
		return v
	}
	shown := func(cell string) string {
		v, err := f.GetCellValue(sheet, cell)
		require.NoError(t, err)
		return v
	}
	assert.Equal(t, "1234567.891", raw("E2"), "a number, whole")
	assert.Equal(t, "1,234,567.89 SAR", shown("E2"))
	assert.Equal(t, "16/01/2024 01:30", shown("C2"), "the wall clock of Riyadh")
	assert.Equal(t, "31/01/2024", shown("D2"))
	assert.Equal(t, "=1+1", raw("B3"))
	assert.Equal(t, "الإجمالي", raw("A5"))
	assert.Equal(t, "1,234,567.79 SAR", shown("E5"), "one total for each currency")
	assert.Equal(t, "4", raw("F5"), "what has no unit stands in the first")
	assert.Equal(t, "5.00 EUR", shown("E6"))
	names := f.GetDefinedName()
	require.Len(t, names, 1)
	assert.Equal(t, "_xlnm.Print_Titles", names[0].Name)
}

func TestNumbersThatExcelCantKeepAreTexts(t *testing.T) {
	var b bytes.Buffer
	_, err := report.Write(&b, report.XLSX, &report.Table{Locale: english, Columns: []report.Column{{Name: "n", Label: "n", Kind: report.Integer}}, Rows: rows([]any{json.Number("12345678901234567890")})})
	require.NoError(t, err)
	f, err := excelize.OpenReader(&b)
	require.NoError(t, err)
	v, err := f.GetCellValue("Report", "A2", excelize.Options{RawCellValue: true})
	require.NoError(t, err)
	assert.Equal(t, "12345678901234567890", v)
}

func TestPDF(t *testing.T) {
	for _, l := range []report.Locale{english, french, arabic} {
		var b bytes.Buffer
		n, err := report.Write(&b, report.PDF, orders(l))
		require.NoError(t, err)
		assert.Equal(t, 3, n)
		assert.True(t, bytes.HasPrefix(b.Bytes(), []byte("%PDF-")))
		assert.Equal(t, 1, pages(b.Bytes()))
		if dir := os.Getenv("BRIDGECORE_REPORT_DIR"); dir != "" {
			require.NoError(t, os.WriteFile(dir+"/sales-"+l.Language+".pdf", b.Bytes(), 0o600))
		}
	}
}

// Characters beyond U+FFFF are replaced: fpdf has no place for them.
func TestPDFWithEmoji(t *testing.T) {
	table := simple(0)
	table.Title, table.Subtitle = "Sales 🎉", "𝕊 🇸🇦"
	table.Columns[0].Label = "Name 😀"
	table.Rows = func(yield func([]any, error) bool) {
		for _, text := range []string{"🎉", "a😀b", "مرحبا 🎉 بكم", strings.Repeat("😀", 500), "\U0010ffff", "\xf0\x9f"} {
			if !yield([]any{text, json.Number("1")}, nil) {
				return
			}
		}
	}
	var b bytes.Buffer
	n, err := report.Write(&b, report.PDF, table)
	require.NoError(t, err)
	assert.Equal(t, 6, n)
}

func pages(pdf []byte) int { return bytes.Count(pdf, []byte("/Type /Page\n")) }

func many(n int) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for i := range n {
			if !yield([]any{fmt.Sprint("row ", i), json.Number("1.5")}, nil) {
				return
			}
		}
	}
}

func simple(n int) *report.Table {
	return &report.Table{
		Title: "Many", Locale: english, Rows: many(n),
		Columns: []report.Column{{Name: "name", Label: "Name"}, {Name: "n", Label: "N", Kind: report.Number, Digits: 1, Total: true}},
	}
}

func TestPDFOfManyPages(t *testing.T) {
	var b bytes.Buffer
	n, err := report.Write(&b, report.PDF, simple(500))
	require.NoError(t, err)
	assert.Equal(t, 500, n)
	assert.Greater(t, pages(b.Bytes()), 5)

	_, err = report.Write(&b, report.PDF, simple(report.MaxPDFRows+1))
	var tooMany *report.TooManyRows
	require.ErrorAs(t, err, &tooMany)
	assert.Contains(t, err.Error(), "use xlsx")
}

func TestAnErrorOfTheRowsComesThrough(t *testing.T) {
	broken := errors.New("the system went away")
	for _, f := range report.Formats {
		table := simple(0)
		table.Rows = func(yield func([]any, error) bool) {
			if yield([]any{"a", json.Number("1")}, nil) {
				yield(nil, broken)
			}
		}
		_, err := report.Write(&bytes.Buffer{}, f, table)
		assert.ErrorIs(t, err, broken, f)
	}
}

func TestNumbersByLocale(t *testing.T) {
	for _, c := range []struct {
		l    report.Locale
		want string
	}{{english, "SAR\u00a01,234,567.89"}, {french, "1\u202f234\u202f567,89\u00a0SAR"}, {arabic, "1,234,567.89\u00a0SAR"}} {
		assert.Equal(t, c.want, report.Shown(&c.l, &report.Column{Kind: report.Money, Digits: 2}, report.Quantity{Number: "1234567.885", Unit: "SAR"}))
		assert.Empty(t, report.Shown(&c.l, &report.Column{Kind: report.Text}, false), "Odoo's false is nothing")
	}
	assert.Equal(t, "0.00", report.Shown(&english, &report.Column{Kind: report.Number, Digits: 2}, json.Number("-0.001")), "no minus before nothing")
	assert.Equal(t, "Oui", report.Shown(&french, &report.Column{Kind: report.Bool}, true))
	assert.Equal(t, "15/01/2024", report.Shown(&french, &report.Column{Kind: report.Date}, "2024-01-15"))
	assert.Equal(t, "Jan 15, 2024 22:30", report.Shown(&english, &report.Column{Kind: report.DateTime}, "2024-01-15 22:30:00"))
	assert.Equal(t, "أ، ب", report.Shown(&arabic, &report.Column{Kind: report.Text}, []any{"أ", "ب"}))
}

// discard counts what is written.
type discard struct{ n int64 }

func (d *discard) Write(p []byte) (int, error) { d.n += int64(len(p)); return len(p), nil }

// BenchmarkMemory writes many rows and tells by how much the heap grew at its
// highest.
func BenchmarkMemory(b *testing.B) {
	for _, c := range []struct {
		format report.Format
		rows   int
	}{{report.CSV, 1_000_000}, {report.JSONL, 1_000_000}, {report.XLSX, 200_000}} {
		b.Run(fmt.Sprint(c.format, "-", c.rows), func(b *testing.B) {
			for b.Loop() {
				runtime.GC()
				var before, now runtime.MemStats
				runtime.ReadMemStats(&before)
				highest := uint64(0)
				table := simple(0)
				table.Rows = func(yield func([]any, error) bool) {
					i := 0
					for row, err := range many(c.rows) {
						if i++; i%20_000 == 0 {
							runtime.ReadMemStats(&now)
							highest = max(highest, now.HeapInuse)
						}
						if !yield(row, err) {
							return
						}
					}
				}
				n, err := report.Write(&discard{}, c.format, table)
				require.NoError(b, err)
				require.Equal(b, c.rows, n)
				b.ReportMetric(float64(int64(highest)-int64(before.HeapInuse))/(1<<20), "MiB-growth")
			}
			b.ReportMetric(float64(c.rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
