package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
)

// Excel's own bounds.
const (
	MaxXLSXRows  = 1_048_576 - 10 // header and totals included
	maxCellChars = 32_767
	maxSheetName = 31
)

// TooManyRows is the error of a table with more rows than a format holds.
type TooManyRows struct {
	Format Format
	Most   int
}

// Error says what to do.
func (e *TooManyRows) Error() string {
	other := CSV
	if e.Format == PDF {
		other = XLSX
	}
	return fmt.Sprintf("there are more rows than the %d that %s may have; narrow the filter or use %s", e.Most, e.Format, other)
}

// workbook is one workbook being written.
type workbook struct {
	t      *Table
	file   *excelize.File
	out    *excelize.StreamWriter
	styles []int          // of the columns
	units  map[string]int // styles of columns with a unit, by column and unit
	bold   int
	totals []int // styles of the columns in total rows
	row    int   // the next one
}

// writeXLSX streams the rows through a temporary file.
func writeXLSX(w io.Writer, t *Table) (rows int, err error) {
	b := &workbook{t: t, file: excelize.NewFile(), units: map[string]int{}, row: 1}
	defer func() {
		if e := b.file.Close(); err == nil {
			err = e
		}
	}()
	if err := b.begin(); err != nil {
		return 0, err
	}
	var total sums
	for row, err := range t.Rows {
		if err != nil {
			return rows, err
		}
		if b.row >= MaxXLSXRows {
			return rows, &TooManyRows{XLSX, MaxXLSXRows}
		}
		total.add(t.Columns, row)
		if err := b.write(row, b.styles); err != nil {
			return rows, err
		}
		rows++
	}
	for _, row := range total.rows(t) {
		if err := b.write(row, b.totals); err != nil {
			return rows, err
		}
	}
	if err := b.out.Flush(); err != nil {
		return rows, err
	}
	return rows, b.file.Write(w)
}

// begin makes the sheet, its styles and the header, which stays in sight and
// stands on every printed page.
func (b *workbook) begin() error {
	name := sheetName(b.t.Title)
	if err := b.file.SetSheetName("Sheet1", name); err != nil {
		return err
	}
	rtl := b.t.Locale.RTL()
	if err := b.file.SetSheetView(name, 0, &excelize.ViewOptions{RightToLeft: &rtl}); err != nil {
		return err
	}
	landscape := "landscape"
	wide := len(b.t.Columns) > 6
	fit, pages := true, 0
	if wide {
		if err := b.file.SetPageLayout(name, &excelize.PageLayoutOptions{Orientation: &landscape, FitToHeight: &pages}); err != nil {
			return err
		}
		if err := b.file.SetSheetProps(name, &excelize.SheetPropsOptions{FitToPage: &fit}); err != nil {
			return err
		}
	}
	if err := b.file.SetHeaderFooter(name, &excelize.HeaderFooterOptions{OddFooter: "&C&P / &N"}); err != nil {
		return err
	}
	if err := b.file.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: "'" + strings.ReplaceAll(name, "'", "''") + "'!$1:$1", Scope: name}); err != nil {
		return err
	}
	var err error
	if b.out, err = b.file.NewStreamWriter(name); err != nil {
		return err
	}
	if err := b.makeStyles(); err != nil {
		return err
	}
	for i := range b.t.Columns {
		width := float64(min(max(utf8.RuneCountInString(b.t.Columns[i].Label)+4, widths[b.t.Columns[i].Kind]), 60))
		if err := b.out.SetColWidth(i+1, i+1, width); err != nil {
			return err
		}
	}
	if err := b.out.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	header := make([]any, len(b.t.Columns))
	for i := range b.t.Columns {
		header[i] = excelize.Cell{StyleID: b.bold, Value: b.t.Columns[i].Label}
	}
	return b.set(header)
}

// widths of columns by kind, in characters.
var widths = map[Kind]int{Text: 28, Integer: 12, Number: 14, Money: 18, Date: 14, DateTime: 20, Bool: 8}

func (b *workbook) makeStyles() (err error) {
	b.bold, err = b.file.NewStyle(&excelize.Style{
		Font: &excelize.Font{Bold: true, Family: "Calibri", Size: 11}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E7E9EE"}},
		Border: []excelize.Border{{Type: "bottom", Color: "808080", Style: 1}}, Alignment: &excelize.Alignment{Vertical: "center", WrapText: true, Horizontal: b.start()},
	})
	for i := range b.t.Columns {
		for _, total := range [...]bool{false, true} {
			if err != nil {
				return err
			}
			var style int
			if style, err = b.style(&b.t.Columns[i], "", total); total {
				b.totals = append(b.totals, style)
			} else {
				b.styles = append(b.styles, style)
			}
		}
	}
	return err
}

// start is the side at which texts begin. Where that is the right one it must be
// said, else a text in Latin letters begins at the left.
func (b *workbook) start() string {
	if b.t.Locale.RTL() {
		return "right"
	}
	return ""
}

func (b *workbook) style(c *Column, unit string, total bool) (int, error) {
	s := &excelize.Style{}
	format := ""
	script := b.t.Locale.script()
	switch {
	case c.Kind.numeric():
		if format = c.excelNumber(); unit != "" {
			quoted := `"` + strings.ReplaceAll(unit, `"`, "") + `"`
			if script.unitFirst {
				format = quoted + " " + format
			} else {
				format += " " + quoted
			}
		}
	case c.Kind == Date:
		format = script.excelDate
	case c.Kind == DateTime:
		format = script.excelDateTime
	}
	if format != "" {
		s.CustomNumFmt = &format
	}
	if side := b.start(); side != "" && !c.Kind.numeric() {
		s.Alignment = &excelize.Alignment{Horizontal: side}
	}
	if total {
		s.Font = &excelize.Font{Bold: true, Family: "Calibri", Size: 11}
		s.Border = []excelize.Border{{Type: "top", Color: "808080", Style: 1}}
	}
	return b.file.NewStyle(s)
}

// maxUnits bounds the styles of a workbook: units beyond it stand in no format.
const maxUnits = 200

func (b *workbook) write(row []any, styles []int) error {
	cells := make([]any, len(b.t.Columns))
	for i := range b.t.Columns {
		c := &b.t.Columns[i]
		cell := excelize.Cell{StyleID: styles[i]}
		if i < len(row) {
			cell.Value = b.value(c, row[i])
			if q, ok := row[i].(Quantity); ok && q.Unit != "" {
				key := fmt.Sprint(i, " ", styles[i], " ", q.Unit)
				style, known := b.units[key]
				if !known && len(b.units) < maxUnits {
					var err error
					if style, err = b.style(c, q.Unit, styles[i] == b.totals[i]); err != nil {
						return err
					}
					b.units[key] = style
					known = true
				}
				if known {
					cell.StyleID = style
				}
			}
		}
		cells[i] = cell
	}
	return b.set(cells)
}

// value is what a cell holds: numbers and times as such, so that Excel can
// reckon with them. Texts are never formulas.
func (b *workbook) value(c *Column, v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case json.Number:
		return excelNumber(v)
	case Quantity:
		if v.Number == "" {
			return nil
		}
		return excelNumber(v.Number)
	case bool:
		if c.Kind != Bool && !v {
			return nil
		}
	case string:
		if c.Kind == Date || c.Kind == DateTime {
			if at, ok := moment(v, b.t.Locale.zone(c.Kind)); ok {
				// Excel knows no time zones: the wall clock counts.
				return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), 0, time.UTC)
			}
		}
	}
	text := strings.Map(printable, b.t.text(c, v))
	if utf8.RuneCountInString(text) > maxCellChars {
		text = string([]rune(text)[:maxCellChars-1]) + "…"
	}
	return text
}

// excelNumber is a number as Excel keeps it; one with more digits than it
// keeps stays a text, whole.
func excelNumber(n json.Number) any {
	digits := strings.Trim(strings.TrimLeft(string(n), "-0."), ".")
	if strings.ContainsAny(digits, "eE") {
		if f, err := n.Float64(); err == nil {
			return f
		}
		return string(n)
	}
	if len(strings.ReplaceAll(digits, ".", "")) > 15 && !strings.Contains(digits, ".") {
		return string(n)
	}
	f, err := n.Float64()
	if err != nil {
		return string(n)
	}
	return f
}

// printable drops the control characters that XML can't hold.
func printable(r rune) rune {
	if r < ' ' && r != '\n' && r != '\t' || r == 0xfffe || r == 0xffff {
		return -1
	}
	return r
}

func (b *workbook) set(cells []any) error {
	at, err := excelize.CoordinatesToCellName(1, b.row)
	if err != nil {
		return err
	}
	b.row++
	return b.out.SetRow(at, cells)
}

// sheetName is the title as far as Excel takes it.
func sheetName(title string) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`:\/?*[]`, r) || r < ' ' {
			return ' '
		}
		return r
	}, title)
	name = strings.Trim(strings.TrimSpace(name), "'")
	if runes := []rune(name); len(runes) > maxSheetName {
		name = strings.TrimSpace(string(runes[:maxSheetName]))
	}
	if name == "" {
		return "Report"
	}
	return name
}
