// Package barcode reads and draws barcodes. It takes what a scanner sends
// (EAN, UPC, GTIN-14, GS1-128, GS1 DataMatrix and QR, GS1 Digital Link, or a
// text of a company's own) apart into what it says, and lists the texts under
// which a system may have stored the product.
//
// It knows no system and does no I/O.
package barcode

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind is the kind of a code.
type Kind string

// The kinds.
const (
	EAN13  Kind = "EAN-13"
	EAN8   Kind = "EAN-8"
	UPCA   Kind = "UPC-A"
	GTIN14 Kind = "GTIN-14"
	GS1    Kind = "GS1" // several elements: GTIN, lot, expiry, ...
	Plain  Kind = "plain"
)

// Code is what a barcode says.
type Code struct {
	Kind Kind   `json:"kind"`
	Text string `json:"text"` // as scanned, without what names the symbology and without spaces around it
	// GTIN is the product's number in 14 digits, "" where the code has none.
	GTIN string `json:"gtin,omitempty"`
	// Elements are the parts of a GS1 code, in order.
	Elements []Element `json:"elements,omitempty"`
	// Problem says what is wrong with a code that looks like one of a standard
	// but breaks its rules, such as a wrong check digit. It may still be the
	// text that a company has chosen, so it is no error.
	Problem string `json:"problem,omitempty"`
}

// maxText is more than any symbology holds.
const maxText = 4096

// Parse takes a scanned code apart. Only an empty text, one that no barcode can
// hold and one with control characters is an error.
func Parse(scanned string) (Code, error) {
	text := strings.TrimSpace(scanned)
	switch {
	case text == "":
		return Code{}, errors.New("the barcode is empty")
	case len(text) > maxText:
		return Code{}, fmt.Errorf("the barcode is longer than the %d characters that a barcode can hold", maxText)
	}
	symbology, text := cutSymbology(text)
	if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' && r != separator || r == 0x7f }); i >= 0 {
		return Code{}, fmt.Errorf("the barcode has a control character at place %d", i+1)
	}
	c := Code{Kind: Plain, Text: strings.Trim(text, string(separator))}
	if symbology.gs1 || looksLikeGS1(text) {
		elements, err := parseGS1(text)
		if err == nil {
			c.Kind, c.Elements = GS1, elements
			c.GTIN = gtinOf(elements)
			return c, nil
		}
		c.Problem = err.Error()
		return c, nil
	}
	if !digits(c.Text) {
		return c, nil
	}
	kind, known := byLength[len(c.Text)]
	if !known {
		return c, nil
	}
	if want := CheckDigit(c.Text[:len(c.Text)-1]); want != c.Text[len(c.Text)-1] {
		c.Problem = fmt.Sprintf("the check digit of %s would be %c", kind, want)
		return c, nil
	}
	c.Kind, c.GTIN = kind, pad14(c.Text)
	return c, nil
}

var byLength = map[int]Kind{8: EAN8, 12: UPCA, 13: EAN13, 14: GTIN14}

// Get returns the value of the first element with an application identifier,
// "" if there is none.
func (c *Code) Get(ai string) string {
	for _, e := range c.Elements {
		if e.AI == ai {
			return e.Value
		}
	}
	return ""
}

// Variants are the texts under which a system may hold the product, the most
// likely first: the code as scanned, the number of a GS1 code, and the same
// number with and without the zeros before it (a UPC-A is an EAN-13 that
// begins with 0).
func (c *Code) Variants() []string {
	list := []string{}
	add := func(text string) {
		if text != "" && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	if c.Kind != GS1 {
		add(c.Text)
	}
	if c.GTIN != "" {
		for _, n := range [...]int{13, 12, 8, 14} {
			zeros := len(c.GTIN) - n
			if strings.Trim(c.GTIN[:zeros], "0") == "" {
				add(c.GTIN[zeros:])
			}
		}
	}
	if c.Kind == GS1 {
		add(c.Text)
	}
	return list
}

// Piece is the number of the pieces in a carton, "" for a code that is no
// carton's: the number of a carton holds it, but for the first digit, which says
// how they are packed, and for the check digit.
func (c *Code) Piece() string {
	if c.GTIN == "" || c.GTIN[0] == '0' {
		return ""
	}
	inner := c.GTIN[1:13]
	return inner + string(CheckDigit(inner))
}

// CheckDigit is the last digit of a GTIN, SSCC or GLN whose other digits are
// given. It is '?' where they are no digits.
func CheckDigit(number string) byte {
	if !digits(number) {
		return '?'
	}
	sum := 0
	for i := range len(number) {
		n := int(number[len(number)-1-i] - '0')
		if i%2 == 0 {
			n *= 3
		}
		sum += n
	}
	return byte('0' + (10-sum%10)%10)
}

// ExpandUPCE gives the UPC-A behind the six, seven or eight digits of a UPC-E,
// which leaves zeros out.
func ExpandUPCE(code string) (string, error) {
	body := code
	switch len(code) {
	case 6:
	case 7:
		body = code[1:]
	case 8:
		body = code[1:7]
	default:
		return "", fmt.Errorf("a UPC-E has 6, 7 or 8 digits, not %d", len(code))
	}
	system := "0"
	if len(code) > 6 {
		system = code[:1]
	}
	if !digits(code) || system != "0" && system != "1" {
		return "", fmt.Errorf("%q is no UPC-E", code)
	}
	var number string
	switch last := body[5]; last {
	case '0', '1', '2':
		number = system + body[:2] + string(last) + "0000" + body[2:5]
	case '3':
		number = system + body[:3] + "00000" + body[3:5]
	case '4':
		number = system + body[:4] + "00000" + body[4:5]
	default:
		number = system + body[:5] + "0000" + string(last)
	}
	check := CheckDigit(number)
	if len(code) == 8 && code[7] != check {
		return "", fmt.Errorf("the check digit of this UPC-E would be %c", check)
	}
	return number + string(check), nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func pad14(number string) string { return strings.Repeat("0", 14-len(number)) + number }
