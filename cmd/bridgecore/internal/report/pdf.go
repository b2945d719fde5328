package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"codeberg.org/go-pdf/fpdf"
	"github.com/go-fonts/dejavu/dejavusans"
	"github.com/go-fonts/dejavu/dejavusansbold"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/report/visual"
)

// MaxPDFRows is how many rows a PDF may have: pages are laid out in memory, and
// nobody reads more.
const MaxPDFRows = 20_000

// The page, in millimetres.
const (
	pageShort, pageLong = 210.0, 297.0
	margin              = 12.0
	padding             = 1.2
	maxLines            = 4 // of one cell; the rest is cut with an ellipsis
	largest, smallest   = 9.0, 5.5
	sample              = 400 // rows that decide the widths of columns
)

const family = "dejavu"

// sheet is one PDF being laid out.
type sheet struct {
	t      *Table
	pdf    *fpdf.Fpdf
	rtl    bool
	width  float64 // of the page
	height float64
	size   float64   // of the font, in points
	widths []float64 // of the columns
	rows   []pdfRow
}

// pdfRow is a row with its cells broken into lines, in logical order.
type pdfRow struct {
	cells [][]string
	lines int
	total bool
}

func writePDF(w io.Writer, t *Table) (int, error) {
	s := &sheet{t: t, rtl: t.Locale.RTL()}
	texts, count, err := s.collect()
	if err != nil {
		return 0, err
	}
	s.begin()
	s.measure(texts, count)
	for i, cells := range texts {
		s.rows = append(s.rows, s.broken(cells, i >= count))
	}
	s.draw()
	if err := s.pdf.Error(); err != nil {
		return 0, fmt.Errorf("write the PDF: %w", err)
	}
	return count, s.pdf.Output(w)
}

// collect reads the rows as texts, the totals after them.
func (s *sheet) collect() (texts [][]string, rows int, err error) {
	var total sums
	add := func(row []any) {
		cells := make([]string, len(s.t.Columns))
		for i := range s.t.Columns {
			if i < len(row) {
				cells[i] = strings.Map(printable, s.t.text(&s.t.Columns[i], row[i]))
			}
		}
		texts = append(texts, cells)
	}
	for row, err := range s.t.Rows {
		if err != nil {
			return nil, 0, err
		}
		if rows++; rows > MaxPDFRows {
			return nil, 0, &TooManyRows{PDF, MaxPDFRows}
		}
		total.add(s.t.Columns, row)
		add(row)
	}
	for _, row := range total.rows(s.t) {
		add(row)
	}
	return texts, rows, nil
}

func (s *sheet) begin() {
	s.width, s.height = pageShort, pageLong
	orientation := "P"
	if len(s.t.Columns) > 5 {
		s.width, s.height, orientation = pageLong, pageShort, "L"
	}
	s.pdf = fpdf.New(orientation, "mm", "A4", "")
	s.pdf.SetMargins(margin, margin, margin)
	s.pdf.SetAutoPageBreak(false, 0)
	s.pdf.AddUTF8FontFromBytes(family, "", dejavusans.TTF)
	s.pdf.AddUTF8FontFromBytes(family, "B", dejavusansbold.TTF)
	s.pdf.SetTitle(strings.Map(inPlane, s.t.Title), true)
	s.pdf.SetProducer("BridgeCore", true)
}

// measure finds the widths of the columns and the largest font in which they
// fit, as the texts of the first rows and of the totals, which come after count
// rows, have it.
func (s *sheet) measure(texts [][]string, count int) {
	room := s.width - 2*margin
	natural := make([]float64, len(s.t.Columns)) // at 1 point
	least := make([]float64, len(s.t.Columns))
	s.pdf.SetFont(family, "B", 10)
	for i := range s.t.Columns {
		natural[i] = s.widest(s.t.Columns[i].Label) / 10
		least[i] = natural[i]
	}
	for i, row := range texts {
		style := ""
		if i >= count {
			style = "B"
		} else if i >= sample {
			continue
		}
		s.pdf.SetFont(family, style, 10)
		for j, cell := range row {
			natural[j] = max(natural[j], s.pdf.GetStringWidth(s.visual(clipText(cell)))/10*1.02)
			if s.t.Columns[j].Kind != Text {
				least[j] = max(least[j], natural[j])
			}
		}
	}
	need := 0.0
	for i := range natural {
		need += natural[i]
	}
	gaps := 2 * padding * float64(len(natural))
	s.size = largest
	if need > 0 {
		s.size = min(largest, max(smallest, (room-gaps)/need))
	}
	s.widths = make([]float64, len(natural))
	spare := room - gaps
	for i := range natural {
		spare -= natural[i] * s.size
	}
	for i := range natural {
		s.widths[i] = natural[i]*s.size + 2*padding
	}
	if spare >= 0 {
		s.spread(spare)
		return
	}
	s.squeeze(natural, least, room)
}

// spread gives the room that is left to the columns of texts.
func (s *sheet) spread(spare float64) {
	var texts []int
	for i := range s.t.Columns {
		if s.t.Columns[i].Kind == Text {
			texts = append(texts, i)
		}
	}
	if len(texts) == 0 {
		for i := range s.widths {
			texts = append(texts, i)
		}
	}
	for _, i := range texts {
		s.widths[i] += spare / float64(len(texts))
	}
}

// squeeze takes what is missing from the columns of texts, which are broken
// into lines, and if need be from all.
func (s *sheet) squeeze(natural, least []float64, room float64) {
	const narrow = 14.0
	fixed, elastic := 0.0, 0.0
	for i := range natural {
		if s.t.Columns[i].Kind == Text {
			elastic += natural[i]
			continue
		}
		fixed += least[i]*s.size + 2*padding
	}
	left := room - fixed
	if elastic == 0 || left < narrow*float64(len(natural))/3 {
		total := 0.0
		for _, w := range s.widths {
			total += w
		}
		for i := range s.widths {
			s.widths[i] *= room / total
		}
		return
	}
	for i := range natural {
		if s.t.Columns[i].Kind == Text {
			s.widths[i] = left * natural[i] / elastic
		} else {
			s.widths[i] = least[i]*s.size + 2*padding
		}
	}
}

// widest is the width of a label's longest word: labels may be broken.
func (s *sheet) widest(label string) float64 {
	w := 0.0
	for word := range strings.FieldsSeq(label) {
		w = max(w, s.pdf.GetStringWidth(s.visual(word)))
	}
	return w * 1.08
}

func clipText(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		return string([]rune(s)[:most])
	}
	return s
}

// visual draws a text in its own direction: a phone number or a reference in an
// Arabic table is not turned around.
func (s *sheet) visual(text string) string {
	return visual.Line(strings.Map(inPlane, text), visual.RTL(text))
}

// inPlane replaces what lies beyond the plane of characters that fpdf and the
// font know, such as emoji: fpdf panics at it.
func inPlane(r rune) rune {
	if r > 0xffff {
		return utf8.RuneError
	}
	return r
}

// broken breaks the cells of a row into lines.
func (s *sheet) broken(cells []string, total bool) pdfRow {
	r := pdfRow{cells: make([][]string, len(cells)), lines: 1, total: total}
	style := ""
	if total {
		style = "B"
	}
	s.pdf.SetFont(family, style, s.size)
	for i, cell := range cells {
		r.cells[i] = s.lines(cell, s.widths[i]-2*padding)
		r.lines = max(r.lines, len(r.cells[i]))
	}
	return r
}

// lines breaks a text where there is space, and inside a word that is too
// long.
func (s *sheet) lines(text string, width float64) []string {
	fits := func(t string) bool { return s.pdf.GetStringWidth(s.visual(t)) <= width }
	var out []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for word := range strings.FieldsFuncSeq(paragraph, func(r rune) bool { return r == ' ' || r == '\t' }) {
			joined := word
			if line != "" {
				joined = line + " " + word
			}
			if fits(joined) {
				line = joined
				continue
			}
			if line != "" {
				out = append(out, line)
			}
			for line = word; !fits(line); {
				runes := []rune(line)
				n := len(runes) - 1
				for n > 1 && !fits(string(runes[:n])) {
					n--
				}
				if n < 1 || len(out) > maxLines {
					break
				}
				out = append(out, string(runes[:n]))
				line = string(runes[n:])
			}
		}
		out = append(out, line)
		if len(out) > maxLines {
			break
		}
	}
	if len(out) > maxLines {
		out = out[:maxLines]
		last := []rune(out[maxLines-1])
		for len(last) > 0 && !fits(string(last)+"…") {
			last = last[:len(last)-1]
		}
		out[maxLines-1] = string(last) + "…"
	}
	return out
}

// draw puts the rows on pages, each with the header and its number.
func (s *sheet) draw() {
	lineHeight := s.size * 0.3528 * 1.3
	s.pdf.SetFont(family, "B", s.size)
	header := pdfRow{cells: make([][]string, len(s.t.Columns)), lines: 1}
	for i := range s.t.Columns {
		header.cells[i] = s.lines(s.t.Columns[i].Label, s.widths[i]-2*padding)
		header.lines = max(header.lines, len(header.cells[i]))
	}
	tall := func(r *pdfRow) float64 { return float64(r.lines)*lineHeight + 2*padding*0.7 }

	// Where the pages begin, to know how many there are.
	head := s.titleHeight()
	starts := []int{0}
	y := margin + head + tall(&header)
	for i := range s.rows {
		h := tall(&s.rows[i])
		if y+h > s.height-margin-6 && i > starts[len(starts)-1] {
			starts = append(starts, i)
			y = margin + tall(&header)
		}
		y += h
	}
	for page, start := range starts {
		end := len(s.rows)
		if page+1 < len(starts) {
			end = starts[page+1]
		}
		s.pdf.AddPage()
		y := margin
		if page == 0 {
			s.title()
			y += head
		}
		y = s.row(&header, y, lineHeight, tall(&header), 'h')
		for i := start; i < end; i++ {
			kind := 'e'
			if (i-start)%2 == 1 {
				kind = 'o'
			}
			if s.rows[i].total {
				kind = 't'
			}
			y = s.row(&s.rows[i], y, lineHeight, tall(&s.rows[i]), kind)
		}
		s.footer(page+1, len(starts))
	}
}

func (s *sheet) titleHeight() float64 {
	h := 9.0
	if s.t.Subtitle != "" {
		h += 6
	}
	return h
}

func (s *sheet) title() {
	align := "L"
	if s.rtl {
		align = "R"
	}
	s.pdf.SetXY(margin, margin)
	s.pdf.SetTextColor(20, 24, 40)
	s.pdf.SetFont(family, "B", 14)
	s.pdf.CellFormat(s.width-2*margin, 7, s.visual(s.t.Title), "", 1, align, false, 0, "")
	if s.t.Subtitle != "" {
		s.pdf.SetFont(family, "", 8)
		s.pdf.SetTextColor(90, 90, 100)
		s.pdf.CellFormat(s.width-2*margin, 5, s.visual(s.t.Subtitle), "", 1, align, false, 0, "")
	}
}

func (s *sheet) footer(page, pages int) {
	s.pdf.SetXY(margin, s.height-margin+1)
	s.pdf.SetFont(family, "", 7)
	s.pdf.SetTextColor(90, 90, 100)
	s.pdf.CellFormat(s.width-2*margin, 4, s.visual(fmt.Sprintf(s.t.Locale.Words.Page, page, pages)), "", 0, "C", false, 0, "")
}

// row draws one row and returns where the next begins. kind is 'h' for the
// header, 't' for totals, 'e' and 'o' for even and odd rows.
func (s *sheet) row(r *pdfRow, y, lineHeight, tall float64, kind rune) float64 {
	style, fill := "", false
	switch kind {
	case 'h':
		style, fill = "B", true
		s.pdf.SetFillColor(224, 228, 238)
	case 't':
		style, fill = "B", true
		s.pdf.SetFillColor(238, 238, 230)
	case 'o':
		fill = true
		s.pdf.SetFillColor(246, 247, 250)
	}
	s.pdf.SetFont(family, style, s.size)
	s.pdf.SetTextColor(20, 24, 40)
	if fill {
		s.pdf.Rect(margin, y, s.width-2*margin, tall, "F")
	}
	x := margin
	if s.rtl {
		x = s.width - margin
	}
	for i, lines := range r.cells {
		if s.rtl {
			x -= s.widths[i]
		}
		c := &s.t.Columns[i]
		// Numbers stand at the end of their column, where their digits meet.
		right := c.Kind.numeric() != s.rtl
		for n, line := range lines {
			text := s.visual(line)
			at := x + padding
			if right {
				at = x + s.widths[i] - padding - s.pdf.GetStringWidth(text)
			}
			s.pdf.Text(at, y+padding*0.7+lineHeight*(float64(n)+0.78), text)
		}
		if !s.rtl {
			x += s.widths[i]
		}
	}
	s.pdf.SetDrawColor(200, 204, 214)
	s.pdf.SetLineWidth(0.1)
	s.pdf.Line(margin, y+tall, s.width-margin, y+tall)
	return y + tall
}
