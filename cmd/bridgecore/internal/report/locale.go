package report

import (
	"encoding/json"
	"math/big"
	"strings"
	"time"
)

// Locale is how a language writes.
type Locale struct {
	Language string         // "en", "ar", "fr"; any other is written like "en"
	Zone     *time.Location // of date-times; nil is UTC
	Words    Words
}

// Words are the words that a table adds of its own.
type Words struct {
	Total, Yes, No string
	Page           string // "Page %d of %d"
}

// script is how a language writes numbers and dates.
type script struct {
	group, decimal string
	date, dateTime string // Go's layouts
	excelDate      string
	excelDateTime  string
	unitFirst      bool
	rtl            bool
	comma          string
}

const narrowSpace = "\u202f"

var scripts = map[string]script{
	"en": {group: ",", decimal: ".", date: "Jan 2, 2006", dateTime: "Jan 2, 2006 15:04", excelDate: "mmm d, yyyy", excelDateTime: "mmm d, yyyy hh:mm", unitFirst: true, comma: ", "},
	"fr": {group: narrowSpace, decimal: ",", date: "02/01/2006", dateTime: "02/01/2006 15:04", excelDate: "dd/mm/yyyy", excelDateTime: "dd/mm/yyyy hh:mm", comma: ", "},
	// With Latin digits, as business papers in Arabic have them.
	"ar": {group: ",", decimal: ".", date: "02/01/2006", dateTime: "02/01/2006 15:04", excelDate: "dd/mm/yyyy", excelDateTime: "dd/mm/yyyy hh:mm", rtl: true, comma: "، "},
}

func (l *Locale) script() script {
	if s, ok := scripts[l.Language]; ok {
		return s
	}
	return scripts["en"]
}

// RTL reports whether the language is read from right to left.
func (l *Locale) RTL() bool { return l.script().rtl }

// At is a moment as the language writes it, in the zone.
func (l *Locale) At(at time.Time) string { return l.date(at.In(l.zone(DateTime)), DateTime) }

// Day is a day as the language writes it.
func (l *Locale) Day(at time.Time) string { return l.date(at, Date) }

func (l *Locale) comma() string { return l.script().comma }

// zone is where the times of a column are told. Dates have none.
func (l *Locale) zone(k Kind) *time.Location {
	if k == Date || l.Zone == nil {
		return time.UTC
	}
	return l.Zone
}

func (l *Locale) date(at time.Time, k Kind) string {
	s := l.script()
	if k == Date {
		return at.Format(s.date)
	}
	return at.Format(s.dateTime)
}

// number writes a number with the column's digits, rounded half away from
// zero, as money is.
func (l *Locale) number(n json.Number, c *Column) string {
	v, ok := new(big.Rat).SetString(string(n))
	if !ok {
		return string(n)
	}
	digits := c.Digits
	switch c.Kind {
	case Integer:
		digits = 0
	case Text:
		return string(n)
	case Number, Money, Date, DateTime, Bool:
	}
	text := v.FloatString(digits)
	sign := ""
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		sign, text = "-", rest
		if strings.Trim(text, "0.") == "" {
			sign = ""
		}
	}
	whole, fraction, _ := strings.Cut(text, ".")
	s := l.script()
	var b strings.Builder
	b.WriteString(sign)
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteString(s.group)
		}
		b.WriteByte(whole[i])
	}
	if fraction != "" {
		b.WriteString(s.decimal + fraction)
	}
	return b.String()
}

// withUnit puts the unit where the language has it.
func (l *Locale) withUnit(number, unit string) string {
	switch {
	case unit == "":
		return number
	case l.script().unitFirst && unit == strings.ToUpper(unit) && len(unit) == 3:
		return unit + "\u00a0" + number
	}
	return number + "\u00a0" + unit
}

// excelNumber is the number format of a column in Excel's own notation, which
// Excel shows as the reader's language has it.
func (c *Column) excelNumber() string {
	if c.Kind == Integer || c.Digits == 0 {
		return "#,##0"
	}
	return "#,##0." + strings.Repeat("0", c.Digits)
}
