// Package report writes tables as CSV, JSON lines, Excel workbooks and PDF:
// with labels, numbers and dates as a language has them, and from right to left
// where it is read so. CSV, JSON lines and Excel are written as the rows come,
// in memory that does not grow with them.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math/big"
	"strings"
	"time"
)

// Format is what a table is written as.
type Format string

// The formats.
const (
	CSV    Format = "csv"
	JSONL  Format = "jsonl"
	XLSX   Format = "xlsx"
	PDF    Format = "pdf"
	ofText        = "text/plain; charset=utf-8"
)

// Formats are all formats.
var Formats = []Format{PDF, XLSX, CSV, JSONL}

// ParseFormat reads the name of a format, "excel" and "ndjson" among them.
func ParseFormat(s string) (Format, bool) {
	switch f := Format(strings.ToLower(s)); f {
	case CSV, JSONL, XLSX, PDF:
		return f, true
	case "excel":
		return XLSX, true
	case "ndjson":
		return JSONL, true
	}
	return "", false
}

// MIMEType is the format's media type.
func (f Format) MIMEType() string {
	switch f {
	case CSV:
		return "text/csv; charset=utf-8"
	case JSONL:
		return "application/x-ndjson"
	case XLSX:
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case PDF:
		return "application/pdf"
	}
	return ofText
}

// Kind is what a column holds.
type Kind int

// The kinds of columns.
const (
	Text     Kind = iota
	Integer       // whole numbers
	Number        // decimal numbers, Digits after the point
	Money         // decimal numbers with a unit, the currency
	Date          // "2006-01-02"
	DateTime      // "2006-01-02 15:04:05" or RFC 3339, UTC
	Bool
)

// numeric kinds stand at the side of units and can be summed up.
func (k Kind) numeric() bool { return k == Integer || k == Number || k == Money }

// Column is one column of a table.
type Column struct {
	Name   string // the field's name: the key in JSON lines
	Label  string // for people
	Kind   Kind
	Digits int  // after the decimal point: Number and Money
	Total  bool // sum it up
}

// Quantity is a number with its unit: an amount of a currency, a quantity of
// pieces.
type Quantity struct {
	Number json.Number
	Unit   string
}

// MarshalJSON writes the number alone.
func (q Quantity) MarshalJSON() ([]byte, error) {
	if q.Number == "" {
		return []byte("null"), nil
	}
	return []byte(q.Number), nil
}

// Table is what is written. A row has a value for each column: nil, a bool, a
// text, a json.Number or a Quantity; a list is written with commas between.
type Table struct {
	Title    string
	Subtitle string // what was asked for, when and by whom
	Columns  []Column
	Rows     iter.Seq2[[]any, error]
	Locale   Locale
	// BOM puts a byte order mark before CSV, without which Excel takes it for
	// something else than UTF-8.
	BOM bool
}

// Write writes the table and returns how many rows it has.
func Write(w io.Writer, f Format, t *Table) (rows int, err error) {
	switch f {
	case CSV:
		return writeCSV(w, t)
	case JSONL:
		return writeJSONL(w, t)
	case XLSX:
		return writeXLSX(w, t)
	case PDF:
		return writePDF(w, t)
	}
	return 0, fmt.Errorf("%q is no format", f)
}

// text is a value for people.
func (t *Table) text(c *Column, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return t.Locale.Words.Yes
		}
		if c.Kind == Bool {
			return t.Locale.Words.No
		}
		return "" // Odoo's word for nothing
	case string:
		switch c.Kind {
		case Date, DateTime:
			if at, ok := moment(v, t.Locale.zone(c.Kind)); ok {
				return t.Locale.date(at, c.Kind)
			}
		}
		return v
	case json.Number:
		return t.Locale.number(v, c)
	case Quantity:
		if v.Number == "" {
			return ""
		}
		return t.Locale.withUnit(t.Locale.number(v.Number, c), v.Unit)
	case []any:
		parts := make([]string, 0, len(v))
		for _, item := range v {
			if s := t.text(&Column{}, item); s != "" {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, t.Locale.comma())
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// moment reads a date or date-time.
func moment(s string, zone *time.Location) (time.Time, bool) {
	for _, layout := range [...]string{time.DateOnly, time.DateTime, time.RFC3339Nano} {
		if at, err := time.Parse(layout, s); err == nil {
			if layout == time.DateOnly {
				return at, true
			}
			return at.In(zone), true
		}
	}
	return time.Time{}, false
}

// sums are the totals of the columns by unit, exact.
type sums struct {
	units []string // in order of appearance
	by    map[string][]*big.Rat
}

func (s *sums) add(columns []Column, row []any) {
	for i := range columns {
		if !columns[i].Total || i >= len(row) {
			continue
		}
		n, unit := json.Number(""), ""
		switch v := row[i].(type) {
		case json.Number:
			n = v
		case Quantity:
			n, unit = v.Number, v.Unit
		}
		value, ok := new(big.Rat).SetString(string(n))
		if !ok {
			continue
		}
		if s.by == nil {
			s.by = map[string][]*big.Rat{}
		}
		list := s.by[unit]
		if list == nil {
			list = make([]*big.Rat, len(columns))
			s.by[unit] = list
			s.units = append(s.units, unit)
		}
		if list[i] == nil {
			list[i] = new(big.Rat)
		}
		list[i].Add(list[i], value)
	}
}

// rows are the total rows, one for each unit. What has no unit stands in the
// first.
func (s *sums) rows(t *Table) [][]any {
	var out [][]any
	for _, unit := range s.units {
		if unit == "" && len(s.units) > 1 {
			continue
		}
		row := make([]any, len(t.Columns))
		for i := range t.Columns {
			sum, unit := s.by[unit][i], unit
			if sum == nil && len(out) == 0 && s.by[""] != nil {
				sum, unit = s.by[""][i], ""
			}
			if sum == nil {
				continue
			}
			digits := t.Columns[i].Digits
			if t.Columns[i].Kind == Integer {
				digits = 0
			}
			row[i] = Quantity{json.Number(sum.FloatString(digits)), unit}
		}
		if row[0] == nil {
			row[0] = t.Locale.Words.Total
		}
		out = append(out, row)
	}
	return out
}
