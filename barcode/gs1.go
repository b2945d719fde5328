package barcode

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Element is one part of a GS1 code.
type Element struct {
	AI    string `json:"ai"`              // the application identifier, such as "01" or "3103"
	Name  string `json:"name"`            // what it is: "gtin", "lot", "expiry", ...
	Value string `json:"value"`           // as the code has it
	Date  string `json:"date,omitempty"`  // of dates: "2006-01-02"
	Exact string `json:"exact,omitempty"` // of measures and amounts: the number with its decimal point, "1.250"
	Unit  string `json:"unit,omitempty"`  // of measures: "kg", "m", ...; of amounts: the currency's ISO number, if the code has it
}

// separator is FNC1 as scanners send it: the end of an element without a fixed
// length.
const separator = '\x1d'

// symbology is what an AIM identifier before the data says: "]C1" and so on.
type symbology struct{ gs1 bool }

// gs1Symbologies are the identifiers of symbologies that hold GS1 elements.
var gs1Symbologies = map[string]bool{"]C1": true, "]e0": true, "]d2": true, "]Q3": true, "]J1": true}

func cutSymbology(text string) (symbology, string) {
	if len(text) > 3 && text[0] == ']' {
		return symbology{gs1Symbologies[text[:3]]}, text[3:]
	}
	return symbology{}, text
}

// looksLikeGS1 tells element strings from plain texts where no symbology says
// which it is: by brackets, separators, or the address of a Digital Link.
func looksLikeGS1(text string) bool {
	switch {
	case strings.ContainsRune(text, separator):
		return true
	case len(text) > 3 && text[0] == '(':
		end := strings.IndexByte(text, ')')
		return end >= 3 && end <= 5 && digits(text[1:end])
	case isLink(text):
		return true
	case len(text) > 16 && strings.HasPrefix(text, "01") && digits(text[:16]):
		return CheckDigit(text[2:15]) == text[15]
	}
	return false
}

// identifier is a row of the table of application identifiers.
type identifier struct {
	name     string
	min, max int    // characters of the value
	form     string // "n" digits, "x" any, "d" a date, "c" digits with a check digit, "m" a measure, "a" an amount, "i" an amount with its currency
	unit     string
}

// identifiers are those that warehouses and shops meet, by the GS1 General
// Specifications. One whose third or fourth digit tells where the decimal point
// is stands here with an "n" in its place.
var identifiers = map[string]identifier{
	"00": {"sscc", 18, 18, "c", ""}, "01": {"gtin", 14, 14, "c", ""}, "02": {"content", 14, 14, "c", ""},
	"10": {"lot", 1, 20, "x", ""}, "11": {"production_date", 6, 6, "d", ""}, "12": {"due_date", 6, 6, "d", ""},
	"13": {"packaging_date", 6, 6, "d", ""}, "15": {"best_before", 6, 6, "d", ""}, "16": {"sell_by", 6, 6, "d", ""},
	"17": {"expiry", 6, 6, "d", ""}, "20": {"variant", 2, 2, "n", ""}, "21": {"serial", 1, 20, "x", ""},
	"22": {"consumer_variant", 1, 20, "x", ""}, "30": {"count", 1, 8, "n", ""}, "37": {"content_count", 1, 8, "n", ""},
	"240": {"additional_id", 1, 30, "x", ""}, "241": {"customer_part", 1, 30, "x", ""}, "250": {"secondary_serial", 1, 30, "x", ""},
	"251": {"source_reference", 1, 30, "x", ""}, "254": {"location_extension", 1, 20, "x", ""},
	"400": {"order_number", 1, 30, "x", ""}, "401": {"consignment", 1, 30, "x", ""}, "402": {"shipment", 17, 17, "c", ""},
	"403": {"route", 1, 30, "x", ""}, "410": {"ship_to", 13, 13, "c", ""}, "411": {"bill_to", 13, 13, "c", ""},
	"412": {"purchased_from", 13, 13, "c", ""}, "413": {"ship_for", 13, 13, "c", ""}, "414": {"location", 13, 13, "c", ""},
	"415": {"pay_to", 13, 13, "c", ""}, "420": {"ship_to_postal_code", 1, 20, "x", ""}, "421": {"ship_to_country_postal_code", 4, 12, "x", ""},
	"422": {"origin_country", 3, 3, "n", ""}, "7003": {"expiry_time", 10, 10, "n", ""}, "8005": {"unit_price", 6, 6, "n", ""},
	"8008": {"production_time", 8, 12, "n", ""}, "8020": {"payment_slip", 1, 25, "x", ""}, "8200": {"product_url", 1, 70, "x", ""},
	"90":   {"internal", 1, 30, "x", ""},
	"310n": {"net_weight", 6, 6, "m", "kg"}, "311n": {"length", 6, 6, "m", "m"}, "312n": {"width", 6, 6, "m", "m"},
	"313n": {"height", 6, 6, "m", "m"}, "314n": {"area", 6, 6, "m", "m2"}, "315n": {"net_volume", 6, 6, "m", "l"},
	"316n": {"net_volume", 6, 6, "m", "m3"}, "320n": {"net_weight", 6, 6, "m", "lb"}, "321n": {"length", 6, 6, "m", "in"},
	"322n": {"length", 6, 6, "m", "ft"}, "323n": {"length", 6, 6, "m", "yd"}, "330n": {"gross_weight", 6, 6, "m", "kg"},
	"340n": {"gross_weight", 6, 6, "m", "lb"}, "356n": {"net_weight", 6, 6, "m", "troy oz"}, "357n": {"net_weight", 6, 6, "m", "oz"},
	"360n": {"net_volume", 6, 6, "m", "qt"}, "361n": {"net_volume", 6, 6, "m", "gal"}, "390n": {"amount", 1, 15, "a", ""},
	"391n": {"amount", 4, 18, "i", ""}, "392n": {"price", 1, 15, "a", ""}, "393n": {"price", 4, 18, "i", ""},
}

// fixed are the first two digits of identifiers after whose value no separator
// is needed, with the characters of identifier and value together.
var fixed = map[string]int{
	"00": 20, "01": 16, "02": 16, "03": 16, "04": 18, "11": 8, "12": 8, "13": 8, "14": 8, "15": 8, "16": 8, "17": 8,
	"18": 8, "19": 8, "20": 4, "31": 10, "32": 10, "33": 10, "34": 10, "35": 10, "36": 10, "41": 16,
}

// lookup finds the identifier that a text begins with.
func lookup(text string) (ai string, id identifier, ok bool) {
	for n := 2; n <= 4 && n <= len(text); n++ {
		if !digits(text[:n]) {
			break
		}
		if id, ok := identifiers[text[:n]]; ok {
			return text[:n], id, true
		}
		if n == 4 {
			if id, ok := identifiers[text[:3]+"n"]; ok {
				return text[:4], id, true
			}
		}
	}
	// 91 to 99 are a company's own.
	if len(text) >= 2 && text[0] == '9' && text[1] >= '1' && text[1] <= '9' {
		return text[:2], identifier{"internal", 1, 90, "x", ""}, true
	}
	return "", identifier{}, false
}

func parseGS1(text string) ([]Element, error) {
	switch {
	case isLink(text):
		return parseLink(text)
	case strings.HasPrefix(text, "("):
		return parseBracketed(text)
	}
	var elements []Element
	rest := strings.TrimLeft(text, string(separator))
	for rest != "" {
		ai, id, ok := lookup(rest)
		if !ok {
			return nil, fmt.Errorf("%s begins with no known application identifier", strconv.Quote(clip(rest)))
		}
		value := rest[len(ai):]
		if n, isFixed := fixed[ai[:2]]; isFixed {
			if len(rest) < n {
				return nil, fmt.Errorf("element (%s) %s is cut off", ai, id.name)
			}
			value, rest = rest[len(ai):n], rest[n:]
		} else {
			value, rest, _ = strings.Cut(value, string(separator))
		}
		rest = strings.TrimLeft(rest, string(separator))
		e, err := element(ai, id, value)
		if err != nil {
			return nil, err
		}
		elements = append(elements, e)
	}
	if len(elements) == 0 {
		return nil, errors.New("there is no element in it")
	}
	return elements, nil
}

// parseBracketed reads the form for people: (01)09506000134352(10)ABC.
func parseBracketed(text string) ([]Element, error) {
	var elements []Element
	for rest := text; rest != ""; {
		end := strings.IndexByte(rest, ')')
		if rest[0] != '(' || end < 0 {
			return nil, fmt.Errorf("%s does not begin with an application identifier in brackets", strconv.Quote(clip(rest)))
		}
		given := rest[1:end]
		ai, id, ok := lookup(given)
		if !ok || ai != given {
			return nil, fmt.Errorf("(%s) is no known application identifier", clip(given))
		}
		rest = rest[end+1:]
		value := rest
		// A bracket may be part of a value: the next element begins where a
		// known identifier stands in brackets.
		for i := range len(rest) {
			if rest[i] != '(' {
				continue
			}
			if close := strings.IndexByte(rest[i:], ')'); close > 0 {
				inner := rest[i+1 : i+close]
				if next, _, ok := lookup(inner); ok && next == inner {
					value = rest[:i]
					break
				}
			}
		}
		rest = rest[len(value):]
		e, err := element(ai, id, strings.TrimSpace(value))
		if err != nil {
			return nil, err
		}
		elements = append(elements, e)
	}
	return elements, nil
}

func isLink(text string) bool {
	lower := strings.ToLower(text)
	if !strings.HasPrefix(lower, "https://") && !strings.HasPrefix(lower, "http://") {
		return false
	}
	u, err := url.Parse(text)
	return err == nil && (strings.Contains(u.EscapedPath(), "/01/") || strings.Contains(u.EscapedPath(), "/00/"))
}

// parseLink reads a GS1 Digital Link: identifiers and values take turns in the
// path, further ones stand in the query.
func parseLink(text string) ([]Element, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("it is no address")
	}
	var elements []Element
	add := func(ai, value string) error {
		known, id, ok := lookup(ai)
		if !ok || known != ai {
			return nil
		}
		if (ai == "01" || ai == "02") && digits(value) && len(value) < 14 {
			value = pad14(value)
		}
		e, err := element(ai, id, value)
		if err == nil {
			elements = append(elements, e)
		}
		return err
	}
	segments := strings.Split(strings.Trim(u.EscapedPath(), "/"), "/")
	start := 0
	for start < len(segments) && segments[start] != "01" && segments[start] != "00" {
		start++
	}
	for i := start; i+1 < len(segments); i += 2 {
		value, err := url.PathUnescape(segments[i+1])
		if err != nil {
			return nil, errors.New("the address is written wrongly")
		}
		if err := add(segments[i], value); err != nil {
			return nil, err
		}
	}
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		value, err := url.QueryUnescape(value)
		if err != nil {
			return nil, errors.New("the address is written wrongly")
		}
		if err := add(name, value); err != nil {
			return nil, err
		}
	}
	if len(elements) == 0 {
		return nil, errors.New("the address has no GS1 elements")
	}
	return elements, nil
}

// element checks one value and reads it.
func element(ai string, id identifier, value string) (Element, error) {
	e := Element{AI: ai, Name: id.name, Value: value, Unit: id.unit}
	wrong := func(format string, args ...any) (Element, error) {
		return e, fmt.Errorf("element (%s) %s: "+format, append([]any{ai, id.name}, args...)...)
	}
	if len(value) < id.min || len(value) > id.max {
		if id.min == id.max {
			return wrong("must have %d characters, not %d", id.min, len(value))
		}
		return wrong("must have %d to %d characters, not %d", id.min, id.max, len(value))
	}
	if id.form != "x" && !digits(value) {
		return wrong("must be digits")
	}
	switch id.form {
	case "c":
		if want := CheckDigit(value[:len(value)-1]); want != value[len(value)-1] {
			return wrong("the check digit would be %c", want)
		}
	case "d":
		date, ok := dateOf(value, time.Now().Year())
		if !ok {
			return wrong("%s is no date; it reads like YYMMDD", value)
		}
		e.Date = date
	case "m", "a", "i":
		amount := value
		if id.form == "i" {
			e.Unit, amount = value[:3], value[3:]
		}
		places := int(ai[3] - '0')
		exact, ok := point(amount, places)
		if !ok {
			return wrong("has fewer digits than decimal places")
		}
		e.Exact = exact
	}
	return e, nil
}

// dateOf reads YYMMDD. Day 00 is the last of the month; the century is the one
// that brings the year within 50 years of this one, as GS1 says.
func dateOf(value string, thisYear int) (string, bool) {
	n, err := strconv.Atoi(value)
	if err != nil {
		return "", false
	}
	yy, month, day := n/10000, time.Month(n/100%100), n%100
	year := thisYear - thisYear%100 + yy
	switch diff := yy - thisYear%100; {
	case diff >= 51:
		year -= 100
	case diff <= -50:
		year += 100
	}
	if month < 1 || month > 12 {
		return "", false
	}
	last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	if day == 0 {
		day = last
	}
	if day > last {
		return "", false
	}
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), true
}

// point puts the decimal point into digits.
func point(amount string, places int) (string, bool) {
	if places > len(amount) || places > 9 {
		return "", false
	}
	whole, fraction := amount[:len(amount)-places], amount[len(amount)-places:]
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	if fraction == "" {
		return whole, true
	}
	return whole + "." + fraction, true
}

// gtinOf is the number of the product: of the unit itself, else of what it
// contains.
func gtinOf(elements []Element) string {
	gtin := ""
	for _, e := range elements {
		if e.AI == "01" || e.AI == "02" && gtin == "" {
			gtin = e.Value
			if e.AI == "01" {
				break
			}
		}
	}
	return gtin
}

func clip(s string) string {
	const most = 24
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
