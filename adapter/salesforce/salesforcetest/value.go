package salesforcetest

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Stored values are nil, string (texts, ids, and dates as "2006-01-02"), bool,
// float64 (numbers of every type), moment and []byte.

// moment is a date and time in seconds since 1970, UTC.
type moment int64

const (
	dayForm    = "2006-01-02"
	momentForm = "2006-01-02T15:04:05.000+0000"
)

func (m moment) String() string { return time.Unix(int64(m), 0).UTC().Format(momentForm) }

// formatDouble writes a number with decimals as Java's Double.toString does:
// "5.0", "0.25", "3.5E8", "1.0E-4".
func formatDouble(f float64) string {
	if f == 0 {
		return "0.0"
	}
	if a := math.Abs(f); a >= 1e-3 && a < 1e7 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	s := strconv.FormatFloat(f, 'E', -1, 64)
	mantissa, exponent, _ := strings.Cut(s, "E")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(n)
}

// wire is how a stored value is written in JSON.
func (f *Field) wire(v any) any {
	switch v := v.(type) {
	case float64:
		if f.Type == TypeInt {
			return int64(v)
		}
		return double(v)
	case moment:
		return v.String()
	}
	return v
}

// text is how a stored value is written in CSV.
func (f *Field) text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		if f.Type == TypeInt {
			return strconv.FormatInt(int64(v), 10)
		}
		return formatDouble(v)
	case moment:
		return strings.TrimSuffix(v.String(), "+0000") + "Z"
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	}
	return ""
}

// parseMoment reads the forms that the API takes, and says whether the text is
// one.
func parseMoment(text string) (moment, bool) {
	for _, form := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04"} {
		if t, err := time.Parse(form, text); err == nil && plausible(t) {
			return moment(t.Unix()), true
		}
	}
	return 0, false
}

// plausible holds the years that dates may have.
func plausible(t time.Time) bool { return t.Year() >= 1700 && t.Year() <= 4000 }

func parseDay(text string) (string, bool) {
	t, err := time.Parse(dayForm, text)
	return text, err == nil && plausible(t)
}

// parse reads a JSON value for the field. ok is false when it is of another
// kind than the field.
func (f *Field) parse(v any) (value any, ok bool) {
	switch v := v.(type) {
	case nil:
		return nil, true
	case string:
		return f.parseText(v)
	case bool:
		if f.Type == TypeBoolean {
			return v, true
		}
		return strconv.FormatBool(v), f.isText()
	case json.Number:
		if f.isNumber() {
			return f.parseNumber(v.String())
		}
		return v.String(), f.isText()
	}
	return nil, false
}

func (f *Field) parseText(text string) (value any, ok bool) {
	if f.Type == TypeBase64 {
		data, err := base64.StdEncoding.DecodeString(text)
		return data, err == nil
	}
	if text = trim(text); text == "" {
		return nil, true
	}
	switch f.Type {
	case TypeBoolean:
		switch strings.ToLower(text) {
		case "true", "1":
			return true, true
		case "false", "0":
			return false, true
		}
		return nil, false
	case TypeInt, TypeDouble, TypeCurrency, TypePercent:
		return f.parseNumber(text)
	case TypeDate:
		if len(text) > 10 && text[10] == 'T' {
			if _, whole := parseMoment(text); whole {
				text = text[:10]
			}
		}
		return parseDay(text)
	case TypeDateTime:
		if m, whole := parseMoment(text); whole {
			return m, true
		}
		if t, err := time.Parse(dayForm, text); err == nil && plausible(t) {
			return moment(t.Unix()), true
		}
		return nil, false
	case TypeAddress:
		return nil, false
	case TypeMultiPicklist:
		return f.sortChoices(text), true
	}
	return text, true
}

// trim takes off what the system does not keep at the ends of texts.
func trim(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' })
}

func (f *Field) parseNumber(text string) (value any, ok bool) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) || strings.ContainsAny(text, "xXpP_") {
		return nil, false
	}
	if f.Type == TypeInt {
		return n, n == math.Trunc(n) && math.Abs(n) < 1<<53
	}
	return round(n, f.Scale), true
}

// round rounds half away from zero, in decimal digits as they are written.
func round(n float64, scale int) float64 {
	if math.Abs(n) >= 1<<53 {
		return n
	}
	power := math.Pow10(scale)
	rounded := math.Round(n*power) / power
	// The nearest number of that many digits, without the error of dividing.
	exact, err := strconv.ParseFloat(strconv.FormatFloat(rounded, 'f', scale, 64), 64)
	if err != nil {
		return rounded
	}
	return exact
}

// sortChoices puts the choices of a multi-select picklist in their order.
func (f *Field) sortChoices(text string) string {
	var choices []string
	for choice := range strings.SplitSeq(text, ";") {
		if choice = trim(choice); choice != "" && !slices.Contains(choices, choice) {
			choices = append(choices, choice)
		}
	}
	slices.SortStableFunc(choices, func(a, b string) int { return f.position(a) - f.position(b) })
	return strings.Join(choices, ";")
}

// position is where a choice stands among a picklist's values; others come
// last.
func (f *Field) position(choice string) int {
	for i, v := range f.Values {
		if strings.EqualFold(v, choice) {
			return i
		}
	}
	return len(f.Values)
}

// check holds a value against what the field allows. It may return the value
// in another form (a picklist's own spelling).
func (f *Field) check(v any) (any, *apiError) {
	switch v := v.(type) {
	case string:
		return f.checkText(v)
	case float64:
		whole := f.Precision - f.Scale
		if f.Type == TypeInt {
			whole = max(f.Length, 9)
			if math.Abs(v) > math.MaxInt32 {
				return nil, f.outOfRange(v)
			}
		}
		if whole > 0 && math.Abs(v) >= math.Pow10(whole) {
			return nil, f.outOfRange(v)
		}
	}
	return v, nil
}

func (f *Field) outOfRange(v float64) *apiError {
	return &apiError{code: "NUMBER_OUTSIDE_VALID_RANGE", message: f.Label + ": value outside of valid range on numeric field: " + formatDouble(v), fields: []string{f.Name}}
}

func (f *Field) checkText(v string) (any, *apiError) {
	if n := utf8.RuneCountInString(v); f.Length > 0 && n > f.Length && f.isText() {
		shown := v
		if runes := []rune(v); len(runes) > f.Length {
			shown = string(runes[:min(len(runes), 255)])
		}
		return nil, &apiError{code: "STRING_TOO_LONG", message: f.Label + ": data value too large: " + shown + " (max length=" + strconv.Itoa(f.Length) + ")", fields: []string{f.Name}}
	}
	switch f.Type {
	case TypePicklist:
		if at := f.position(v); at < len(f.Values) {
			return f.Values[at], nil
		}
		if f.Restricted {
			return nil, f.badChoice(v)
		}
	case TypeMultiPicklist:
		for choice := range strings.SplitSeq(v, ";") {
			if f.position(choice) == len(f.Values) && f.Restricted {
				return nil, f.badChoice(choice)
			}
		}
	case TypeEmail:
		local, domain, ok := strings.Cut(v, "@")
		if !ok || local == "" || !strings.Contains(strings.Trim(domain, "."), ".") || strings.ContainsAny(v, " ,;<>()") {
			return nil, &apiError{code: "INVALID_EMAIL_ADDRESS", message: f.Label + ": invalid email address: " + v, fields: []string{f.Name}}
		}
	}
	return v, nil
}

func (f *Field) badChoice(v string) *apiError {
	return &apiError{code: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message: f.Label + ": bad value for restricted picklist field: " + v, fields: []string{f.Name}}
}
