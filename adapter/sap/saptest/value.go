package saptest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Values are nil, string, bool, int64, decimal, float64, time.Time (UTC, of
// dates too), time.Duration (a time of day) and []byte. A Guid is a string in
// lower case.

const (
	dateLayout     = "2006-01-02"
	dateTimeLayout = "2006-01-02T15:04:05.9999999"
)

// wireFormat is how values look in JSON: version 2 or 4, and in version 4
// whether large numbers are texts (IEEE754Compatible).
type wireFormat struct {
	version int
	ieee754 bool
}

// appendValue writes a value as JSON.
func (p *property) appendValue(b []byte, v any, f wireFormat) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	quoted := f.version == 2 || f.ieee754
	switch v := v.(type) {
	case string:
		return appendString(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		if p.kind == kindInt64 && quoted {
			return append(strconv.AppendInt(append(b, '"'), v, 10), '"')
		}
		return strconv.AppendInt(b, v, 10)
	case decimal:
		if quoted {
			return append(append(append(b, '"'), v...), '"')
		}
		return append(b, v...)
	case float64:
		if f.version == 2 {
			return append(strconv.AppendFloat(append(b, '"'), v, 'g', -1, 64), '"')
		}
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	case time.Time:
		return append(append(append(b, '"'), p.timeText(v, f)...), '"')
	case time.Duration:
		return append(append(append(b, '"'), clockText(v, f.version)...), '"')
	case []byte:
		return append(base64.StdEncoding.AppendEncode(append(b, '"'), v), '"')
	}
	return append(b, "null"...)
}

func (p *property) timeText(t time.Time, f wireFormat) string {
	switch {
	case f.version == 2 && p.kind == kindDateTimeOffset:
		return fmt.Sprintf(`\/Date(%d+0000)\/`, t.UnixMilli())
	case f.version == 2:
		return fmt.Sprintf(`\/Date(%d)\/`, t.UnixMilli())
	case p.kind == kindDate:
		return t.Format(dateLayout)
	}
	return t.Format("2006-01-02T15:04:05.9999999Z07:00")
}

func clockText(d time.Duration, version int) string {
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	if version == 2 {
		return fmt.Sprintf("PT%02dH%02dM%02dS", h, m, s)
	}
	return fmt.Sprintf("%02d:%02d:%02d", h, m, s)
}

// appendString writes a JSON text; characters beyond ASCII stay.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(b, `\ufffd`...)
			} else {
				b = append(b, s[i:i+size]...)
			}
			i += size
			continue
		}
		i++
	}
	return append(b, '"')
}

// literal is a value as it stands in a URL.
func (p *property) literal(v any, version int) string {
	switch v := v.(type) {
	case string:
		if p.kind == kindGuid {
			if version == 2 {
				return "guid'" + v + "'"
			}
			return v
		}
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case bool:
		return strconv.FormatBool(v)
	case int64:
		if p.kind == kindInt64 && version == 2 {
			return strconv.FormatInt(v, 10) + "L"
		}
		return strconv.FormatInt(v, 10)
	case decimal:
		if version == 2 {
			return string(v) + "M"
		}
		return string(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		return p.timeLiteral(v, version)
	case time.Duration:
		if version == 2 {
			return "time'" + clockText(v, 2) + "'"
		}
		return clockText(v, 4)
	case []byte:
		if version == 2 {
			return fmt.Sprintf("binary'%X'", v)
		}
		return "binary'" + base64.URLEncoding.EncodeToString(v) + "'"
	}
	return "null"
}

func (p *property) timeLiteral(t time.Time, version int) string {
	switch {
	case version == 2 && p.kind == kindDateTimeOffset:
		return "datetimeoffset'" + t.Format(dateTimeLayout) + "Z'"
	case version == 2:
		return "datetime'" + t.Format(dateTimeLayout) + "'"
	case p.kind == kindDate:
		return t.Format(dateLayout)
	}
	return t.Format(dateTimeLayout) + "Z"
}

// read takes a value from decoded JSON, of which numbers are json.Number.
func (p *property) read(v any, f wireFormat) (any, error) {
	if v == nil {
		if p.key || p.required {
			return nil, p.refuse("must not be null")
		}
		return p.initialValue(), nil
	}
	switch p.kind {
	case kindBoolean:
		if b, ok := v.(bool); ok {
			return b, nil
		}
	case kindByte, kindSByte, kindInt16, kindInt32:
		if n, ok := v.(json.Number); ok {
			return p.readInteger(n.String())
		}
	case kindInt64, kindDecimal:
		return p.readLarge(v, f)
	case kindDouble, kindSingle:
		return p.readFloat(v)
	case kindBinary:
		if s, ok := v.(string); ok {
			if b, err := base64.StdEncoding.DecodeString(s); err == nil {
				return b, nil
			}
		}
	default:
		if s, ok := v.(string); ok {
			return p.readText(s, f.version)
		}
	}
	return nil, p.refuse("has a value of the wrong type")
}

// readLarge reads what is a text in version 2, and in version 4 if asked for.
func (p *property) readLarge(v any, f wireFormat) (any, error) {
	text := ""
	switch v := v.(type) {
	case string:
		if f.version == 4 && !f.ieee754 {
			return nil, p.refuse("is a number, not a text, without IEEE754Compatible=true")
		}
		text = v
	case json.Number:
		if f.version == 2 || f.ieee754 {
			return nil, p.refuse("is to be written as a text")
		}
		text = v.String()
	default:
		return nil, p.refuse("has a value of the wrong type")
	}
	if p.kind == kindInt64 {
		return p.readInteger(text)
	}
	return p.readDecimal(text)
}

func (p *property) readDecimal(text string) (any, error) {
	d, ok := parseDecimal(text)
	if !ok {
		return nil, p.refuse("has a value that is no number")
	}
	if p.precision > 0 && (d.places() > p.scale || d.digits() > p.precision-p.scale) {
		return nil, p.refuse(fmt.Sprintf("has a value with more digits than Decimal(%d,%d) holds", p.precision, p.scale))
	}
	return d, nil
}

var integerRanges = map[kind][2]int64{
	kindByte: {0, math.MaxUint8}, kindSByte: {math.MinInt8, math.MaxInt8}, kindInt16: {math.MinInt16, math.MaxInt16},
	kindInt32: {math.MinInt32, math.MaxInt32}, kindInt64: {math.MinInt64, math.MaxInt64},
}

func (p *property) readInteger(text string) (any, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < integerRanges[p.kind][0] || n > integerRanges[p.kind][1] {
		return nil, p.refuse("has a value that is no " + kindNames[p.kind])
	}
	return n, nil
}

func (p *property) readFloat(v any) (any, error) {
	text := ""
	switch v := v.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return nil, p.refuse("has a value that is no number")
	}
	return n, nil
}

var guidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func (p *property) readText(s string, version int) (any, error) {
	switch p.kind {
	case kindGuid:
		if guidForm.MatchString(s) {
			return strings.ToLower(s), nil
		}
	case kindDateTime, kindDate, kindDateTimeOffset:
		if t, ok := p.parseTime(s, version); ok {
			if p.kind == kindDate {
				t = t.Truncate(24 * time.Hour)
			}
			return t, nil
		}
	case kindTime:
		if d, ok := parseClock(s, version); ok {
			return d, nil
		}
	default:
		if p.length > 0 && utf8.RuneCountInString(s) > p.length {
			return nil, p.refuse(fmt.Sprintf("has a value longer than %d characters", p.length))
		}
		if p.alpha {
			s = stripZeros(s)
		}
		return s, nil
	}
	return nil, p.refuse("has a value that is no " + strings.TrimPrefix(p.edm(version), "Edm."))
}

var ticksForm = regexp.MustCompile(`^/Date\((-?\d{1,15})([+-]\d{1,4})?\)/$`)

func (p *property) parseTime(s string, version int) (time.Time, bool) {
	if version == 4 {
		layout := time.RFC3339Nano
		if p.kind == kindDate {
			layout = dateLayout
		}
		t, err := time.Parse(layout, s)
		return t.UTC(), err == nil
	}
	if m := ticksForm.FindStringSubmatch(s); m != nil {
		ms, err := strconv.ParseInt(m[1], 10, 64)
		return time.UnixMilli(ms).UTC(), err == nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", time.RFC3339Nano} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

var durationForm = regexp.MustCompile(`^PT(?:(\d{1,2})H)?(?:(\d{1,2})M)?(?:(\d{1,2})(?:\.\d+)?S)?$`)

func parseClock(s string, version int) (time.Duration, bool) {
	if version == 4 {
		for _, layout := range []string{"15:04:05.999999999", "15:04"} {
			if t, err := time.Parse(layout, s); err == nil {
				return t.Sub(t.Truncate(24 * time.Hour)).Truncate(time.Second), true
			}
		}
		return 0, false
	}
	m := durationForm.FindStringSubmatch(s)
	if m == nil || s == "PT" {
		return 0, false
	}
	var d time.Duration
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		n, _ := strconv.Atoi("0" + m[i+1])
		d += time.Duration(n) * unit
	}
	return d, d < 24*time.Hour
}

// refuse is the error of a property whose value can't be.
func (p *property) refuse(why string) error {
	return &Error{Status: 400, Code: "/IWBEP/CM_MGW_RT/022", Message: fmt.Sprintf("Property '%s' %s", p.name, why), Target: p.name}
}

// stripZeros is ABAP's ALPHA conversion outward: numbers lose leading zeros.
func stripZeros(s string) string {
	if !allDigits(s) {
		return s
	}
	if s = strings.TrimLeft(s, "0"); s == "" {
		return "0"
	}
	return s
}

// padZeros is ALPHA inward, by which such values are ordered.
func padZeros(s string) string {
	if !allDigits(s) || len(s) >= 40 {
		return s
	}
	return strings.Repeat("0", 40-len(s)) + s
}

// wire is the opposite of read, for a value of Go's.
func (p *property) wire(v any, f wireFormat) any {
	switch x := v.(type) {
	case nil, bool:
		return v
	case string:
		if f.version == 2 || p.kind != kindInt64 && p.kind != kindDecimal {
			return v
		}
		return json.Number(x)
	case time.Time:
		text := p.timeText(x.UTC(), f)
		return strings.ReplaceAll(text, `\/`, "/")
	}
	value, err := p.inward(v)
	if err != nil {
		return v
	}
	var out any
	d := json.NewDecoder(strings.NewReader(string(p.appendValue(nil, value, f))))
	d.UseNumber()
	if d.Decode(&out) != nil {
		return v
	}
	return out
}
