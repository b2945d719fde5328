package adapter

import (
	"strconv"
	"strings"
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

var weekdays = map[string]time.Weekday{
	"monday": time.Monday, "tuesday": time.Tuesday, "wednesday": time.Wednesday, "thursday": time.Thursday,
	"friday": time.Friday, "saturday": time.Saturday, "sunday": time.Sunday, "week_start": time.Monday,
}

// relativeMoment reads a date relative to now, as Odoo 19.0 does: "today" or
// "now" (which may be left out), then steps such as "-1d", "+2w", "=1m" or
// "=monday". Weeks start on Monday.
func relativeMoment(s string, now time.Time) (moment, bool) {
	words := strings.Fields(s)
	if len(words) == 0 || len(words) > 20 {
		return moment{}, false
	}
	m := moment{at: now.UTC().Truncate(time.Second)}
	switch words[0] {
	case "today":
		m, words = m.dayOf(), words[1:]
	case "now":
		words = words[1:]
	}
	for _, word := range words {
		at, ok := step(m.at, word)
		if !ok {
			return moment{}, false
		}
		m.at = at
	}
	return m, true
}

// step applies one word of a relative date.
func step(at time.Time, word string) (time.Time, bool) {
	if len(word) < 3 {
		return at, false
	}
	sign, rest := word[0], word[1:]
	if weekday, ok := weekdays[rest]; ok {
		midnight := moment{at: at}.dayOf().at
		days := (int(weekday) + 6) % 7 // from Monday
		today := (int(at.Weekday()) + 6) % 7
		switch sign {
		case '=':
			return midnight.AddDate(0, 0, days-today), true
		case '+':
			return midnight.AddDate(0, 0, (days-today+7)%7), true
		case '-':
			return midnight.AddDate(0, 0, -((today - days + 7) % 7)), true
		}
		return at, false
	}
	n, err := strconv.Atoi(rest[:len(rest)-1])
	if err != nil || rest[0] == '-' || rest[0] == '+' || n > 100_000 {
		return at, false
	}
	unit := rest[len(rest)-1]
	if sign == '=' {
		return setPart(at, unit, n)
	}
	if sign == '-' {
		n = -n
	} else if sign != '+' {
		return at, false
	}
	switch unit {
	case 'S':
		return at.Add(time.Duration(n) * time.Second), true
	case 'M':
		return at.Add(time.Duration(n) * time.Minute), true
	case 'H':
		return at.Add(time.Duration(n) * time.Hour), true
	case 'd':
		return at.AddDate(0, 0, n), true
	case 'w':
		return at.AddDate(0, 0, 7*n), true
	case 'm':
		return addMonths(at, n), true
	case 'y':
		return addMonths(at, 12*n), true
	}
	return at, false
}

// addMonths stays in the month that it reaches: a month after January 31 is
// the last of February.
func addMonths(at time.Time, n int) time.Time {
	y, m, d := at.Date()
	first := time.Date(y, m+time.Month(n), 1, at.Hour(), at.Minute(), at.Second(), 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(d, last)-1)
}

// setPart sets a part of a time, and what is smaller than an hour or a day to
// nothing.
func setPart(at time.Time, unit byte, n int) (time.Time, bool) {
	y, m, d := at.Date()
	hour, minute, second := 0, 0, 0
	var inRange bool
	switch unit {
	case 'y':
		y, inRange = n, n >= 1 && n <= 9999
	case 'm':
		m, inRange = time.Month(n), n >= 1 && n <= 12
	case 'd':
		d, inRange = n, n >= 1 && n <= 31
	case 'H':
		hour, inRange = n, n < 24
	case 'M':
		hour, minute, inRange = at.Hour(), n, n < 60
	case 'S':
		hour, minute, second, inRange = at.Hour(), at.Minute(), n, n < 60
	default:
		return at, false
	}
	last := time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return time.Date(y, m, min(d, last), hour, minute, second, 0, time.UTC), inRange
}
