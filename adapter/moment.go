package adapter

import (
	"time"
)

// moment is a date or a date-time in UTC.
type moment struct {
	at  time.Time
	day bool // a date, without a time
}

// parseMoment reads the forms of [Record.Time].
func parseMoment(s string) (moment, bool) {
	if len(s) < len(time.DateOnly) || s[4] != '-' || s[7] != '-' {
		return moment{}, false
	}
	if len(s) == len(time.DateOnly) {
		t, err := time.Parse(time.DateOnly, s)
		return moment{at: t, day: true}, err == nil
	}
	for _, layout := range [...]string{time.DateTime, time.RFC3339, "2006-01-02T15:04:05"} {
		// A fraction of a second is read even where the layout has none.
		if t, err := time.Parse(layout, s); err == nil {
			return moment{at: t.UTC()}, true
		}
	}
	return moment{}, false
}

// dayOf is the moment's date.
func (m moment) dayOf() moment {
	y, mo, d := m.at.Date()
	return moment{at: time.Date(y, mo, d, 0, 0, 0, 0, time.UTC), day: true}
}

// endOfDay is the last moment of a date.
func (m moment) endOfDay() moment {
	return moment{at: m.at.AddDate(0, 0, 1).Add(-time.Nanosecond)}
}

func (m moment) key() key {
	if m.day {
		return key{kind: 'd', text: m.at.Format(time.DateOnly)}
	}
	return key{kind: 't', text: m.at.Format("2006-01-02 15:04:05.999999999")}
}

// dateParts are what Odoo 18.0 and later read from a date field by a suffix
// such as "create_date.year_number".
var dateParts = map[string]func(time.Time) int{
	"year_number":     time.Time.Year,
	"quarter_number":  func(t time.Time) int { return (int(t.Month()) + 2) / 3 },
	"month_number":    func(t time.Time) int { return int(t.Month()) },
	"iso_week_number": func(t time.Time) int { _, week := t.ISOWeek(); return week },
	"day_of_year":     time.Time.YearDay,
	"day_of_month":    time.Time.Day,
	"day_of_week":     func(t time.Time) int { return int(t.Weekday()) },
	"hour_number":     time.Time.Hour,
	"minute_number":   time.Time.Minute,
	"second_number":   time.Time.Second,
}
