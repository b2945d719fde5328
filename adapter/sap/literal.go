package sap

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
)

// errNever is the error of a value that no property of the type can have, such
// as a word for a GUID: it can be looked for, and is never found.
var errNever = errors.New("sap: no value of the type")

// literal writes a value as it stands in addresses and filters. The value is
// one that plainValue gave.
func (m *model) literal(p *edmx.Property, v any) (string, error) {
	return literal(m.meta.Metadata, p.Type, v)
}

func literal(meta *edmx.Metadata, edm string, v any) (string, error) {
	switch edm {
	case "Edm.String":
		s, ok := textOf(v)
		if !ok {
			return "", errNever
		}
		return quoted(s), nil
	case "Edm.Boolean":
		if b, ok := v.(bool); ok {
			return strconv.FormatBool(b), nil
		}
		return "", errNever
	case "Edm.Guid":
		s, _ := v.(string)
		if !guid.MatchString(s) {
			return "", errNever
		}
		return typed(meta.V4, "guid", s), nil
	case "Edm.Binary":
		return binaryLiteral(meta.V4, v)
	case "Edm.Date", "Edm.DateTime", "Edm.DateTimeOffset":
		at, ok := momentOf(v)
		if !ok {
			return "", errNever
		}
		return momentLiteral(meta.V4, edm, at.at), nil
	case "Edm.Time", "Edm.TimeOfDay", "Edm.Duration":
		return timeLiteral(edm, v)
	}
	if e := meta.Enums[edm]; e != nil {
		s, _ := v.(string)
		for _, member := range e.Members {
			if member == s {
				return e.Name + quoted(s), nil
			}
		}
		return "", errNever
	}
	if _, number := edmTypes[edm]; !number {
		return "", errNever
	}
	n, ok := numberOf(v)
	if !ok {
		return "", errNever
	}
	return numberLiteral(meta.V4, edm, n)
}

// quoted writes a text as a literal.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// typed writes a literal of v2 with its type's name, and of v4 without.
func typed(v4 bool, name, s string) string {
	if v4 {
		return s
	}
	return name + "'" + s + "'"
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

func binaryLiteral(v4 bool, v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", errNever
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return "", errNever
	}
	if v4 {
		return "binary'" + base64.URLEncoding.EncodeToString(b) + "'", nil
	}
	return "X'" + strings.ToUpper(hex.EncodeToString(b)) + "'", nil
}

// fraction is the layout of a second's parts, which are left out where there
// are none.
const fraction = ".9999999"

func momentLiteral(v4 bool, edm string, at time.Time) string {
	switch {
	case edm == "Edm.Date":
		return at.Format(time.DateOnly)
	case edm == "Edm.DateTime":
		return "datetime'" + at.Format("2006-01-02T15:04:05"+fraction) + "'"
	}
	return typed(v4, "datetimeoffset", at.Format("2006-01-02T15:04:05"+fraction)+"Z")
}

func timeLiteral(edm string, v any) (string, error) {
	s, _ := v.(string)
	if edm == "Edm.Duration" {
		if !duration.MatchString(s) {
			return "", errNever
		}
		return "duration'" + s + "'", nil
	}
	at, ok := clockOf(s)
	if !ok {
		return "", errNever
	}
	if edm == "Edm.Time" {
		return "time'" + isoDuration(at) + "'", nil
	}
	return at.Format("15:04:05" + fraction), nil
}

var duration = regexp.MustCompile(`^-?P(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$`)

// clockOf reads a time of day: "15:04:05", "15:04", "PT15H04M05S".
func clockOf(s string) (time.Time, bool) {
	for _, layout := range [...]string{"15:04:05", "15:04"} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, true
		}
	}
	if !strings.HasPrefix(s, "PT") || !duration.MatchString(s) || len(s) > 40 {
		return time.Time{}, false
	}
	d, err := time.ParseDuration(strings.ToLower(strings.TrimPrefix(s, "PT")))
	if err != nil || d < 0 || d >= 24*time.Hour {
		return time.Time{}, s == "PT"
	}
	return time.Time{}.Add(d), true
}

func isoDuration(at time.Time) string { return at.Format("PT15H04M05" + fraction + "S") }

// number is a decimal number: its digits as they were written, without an
// exponent.
type number struct {
	neg   bool
	whole string // without leading zeros; "" for 0
	frac  string // as written, which may end in zeros
}

// maxDigits bounds the numbers that are written out: no type of OData's has
// more.
const maxDigits = 400

// numberOf reads a number of JSON or Go, or a text that holds one.
func numberOf(v any) (number, bool) {
	switch v := v.(type) {
	case json.Number:
		return parseNumber(string(v))
	case string:
		return parseNumber(strings.TrimSpace(v))
	case int:
		return parseNumber(strconv.Itoa(v))
	case int64:
		return parseNumber(strconv.FormatInt(v, 10))
	case uint64:
		return parseNumber(strconv.FormatUint(v, 10))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return number{}, false
		}
		return parseNumber(strconv.FormatFloat(v, 'f', -1, 64))
	}
	return number{}, false
}

func parseNumber(s string) (number, bool) {
	var n number
	if s != "" && (s[0] == '-' || s[0] == '+') {
		n.neg, s = s[0] == '-', s[1:]
	}
	exponent := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil || e > maxDigits || e < -maxDigits {
			return number{}, false
		}
		exponent, s = e, s[:i]
	}
	whole, frac, _ := strings.Cut(s, ".")
	if whole == "" && frac == "" || len(whole)+len(frac) > maxDigits || strings.Trim(whole+frac, "0123456789") != "" {
		return number{}, false
	}
	switch {
	case exponent > 0:
		frac += strings.Repeat("0", max(exponent-len(frac), 0))
		whole, frac = whole+frac[:exponent], frac[exponent:]
	case exponent < 0:
		whole = strings.Repeat("0", max(-exponent-len(whole), 0)) + whole
		at := len(whole) + exponent
		whole, frac = whole[:at], whole[at:]+frac
	}
	n.whole, n.frac = strings.TrimLeft(whole, "0"), frac
	return n, true
}

func (n number) zero() bool { return n.whole == "" && strings.Trim(n.frac, "0") == "" }

func (n number) integral() bool { return strings.Trim(n.frac, "0") == "" }

// String writes the number with all the digits it has.
func (n number) String() string {
	s := n.whole
	if s == "" {
		s = "0"
	}
	if n.frac != "" {
		s += "." + n.frac
	}
	if n.neg && !n.zero() {
		s = "-" + s
	}
	return s
}

// ranges are the smallest and the greatest value of the integer types.
var ranges = map[string][2]int64{
	"Edm.Byte": {0, math.MaxUint8}, "Edm.SByte": {math.MinInt8, math.MaxInt8},
	"Edm.Int16": {math.MinInt16, math.MaxInt16}, "Edm.Int32": {math.MinInt32, math.MaxInt32},
	"Edm.Int64": {math.MinInt64, math.MaxInt64},
}

// suffixes of the literals of v2.
var suffixes = map[string]string{"Edm.Decimal": "M", "Edm.Int64": "L", "Edm.Double": "d", "Edm.Single": "f"}

func numberLiteral(v4 bool, edm string, n number) (string, error) {
	s := n.String()
	if r, integer := ranges[edm]; integer {
		if !n.integral() {
			return "", errNever
		}
		s, _, _ = strings.Cut(s, ".")
		i, err := strconv.ParseInt(s, 10, 64)
		if err != nil || i < r[0] || i > r[1] {
			return "", errNever
		}
	}
	if v4 {
		return s, nil
	}
	return s + suffixes[edm], nil
}

// textOf is the text of a value that a text property may be compared with.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return string(v), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	case nil:
		return "", true
	}
	return "", false
}

// moment is a date or a date-time in UTC.
type moment struct {
	at  time.Time
	day bool // a date, without a time
}

// momentOf reads a date or a date-time: as Odoo writes it, or RFC 3339.
func momentOf(v any) (moment, bool) {
	s, ok := v.(string)
	if !ok {
		return moment{}, false
	}
	if at, err := time.Parse(time.DateOnly, s); err == nil {
		return moment{at: at, day: true}, true
	}
	for _, layout := range [...]string{time.DateTime, time.RFC3339, "2006-01-02T15:04:05"} {
		// A fraction of a second is read even where the layout has none.
		if at, err := time.Parse(layout, s); err == nil {
			return moment{at: at.UTC()}, true
		}
	}
	return moment{}, false
}

func (m moment) dayOf() time.Time { return m.at.Truncate(24 * time.Hour) }

// isNumber reports whether properties of the type hold numbers.
func isNumber(edm string) bool {
	switch edmTypes[edm] {
	case adapter.Integer, adapter.Float:
		return true
	}
	return false
}
