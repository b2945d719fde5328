package mapping

import (
	"strconv"
	"strings"
	"time"
)

// layouts are the forms of moments that every field reads.
var layouts = [...]string{time.DateTime, time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05Z07:00"}

// parseMoment reads a date or a date-time in any of the usual forms.
func parseMoment(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v.UTC(), !v.IsZero()
	case string:
		if len(v) == len(time.DateOnly) {
			t, err := time.Parse(time.DateOnly, v)
			return t, err == nil
		}
		for _, layout := range layouts {
			if t, err := time.Parse(layout, v); err == nil {
				return t.UTC(), true
			}
		}
		if ms, ok := strings.CutPrefix(v, "/Date("); ok {
			// OData v2: milliseconds, and minutes from UTC that say nothing about the moment.
			ms, _, _ = strings.Cut(ms, ")")
			if i := strings.LastIndexAny(ms, "+-"); i > 0 {
				ms = ms[:i]
			}
			if n, err := strconv.ParseInt(ms, 10, 64); err == nil {
				return time.UnixMilli(n).UTC(), true
			}
		}
	}
	return time.Time{}, false
}

// momentConv converts between the form of a universal date or date-time and
// that of a system.
type momentConv struct {
	day  bool // the universal field is a date
	form Form
}

// whole reports whether the system has days only.
func (m momentConv) wholeDays() bool {
	return m.form == FormDate || (m.day && m.form == FormCompact)
}

func (m momentConv) read(v any) (time.Time, bool) {
	switch m.form {
	case FormCompact:
		s, ok := textOf(v)
		if !ok {
			return time.Time{}, false
		}
		for _, layout := range [...]string{"20060102", "20060102150405"} {
			if len(s) == len(layout) {
				if t, err := time.Parse(layout, s); err == nil {
					return t, true
				}
			}
		}
	case FormEpoch:
		if s, ok := literalOf(v); ok {
			if n, err := strconv.ParseInt(s, 10, 64); err == nil {
				return time.UnixMilli(n).UTC(), true
			}
		}
	}
	return parseMoment(v)
}

// universal is the form of universal values.
func (m momentConv) universal(t time.Time) string {
	if m.day {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339Nano)
}

// system is the form of the system's values.
func (m momentConv) system(t time.Time) any {
	switch m.form {
	case FormDate:
		return t.Format(time.DateOnly)
	case FormRFC3339:
		return t.Format(time.RFC3339Nano)
	case FormCompact:
		if m.day {
			return t.Format("20060102")
		}
		return t.Format("20060102150405")
	case FormEpoch:
		return number(t.UnixMilli())
	case FormDateTime:
		return t.Format(time.DateTime)
	}
	return t.Format(time.DateOnly)
}
