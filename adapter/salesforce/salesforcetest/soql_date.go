package salesforcetest

import (
	"strconv"
	"strings"
	"time"
)

// dateLiteral says whether a word is the name of a span of days, and whether
// a number goes with it.
func dateLiteral(word string) (known, counted bool) {
	word = strings.ToUpper(word)
	if _, _, ok := span(word, 0, time.Time{}); !ok {
		return false, false
	}
	return true, strings.Contains(word, "_N_") || strings.HasPrefix(word, "N_")
}

// span returns the first day of a date literal and the day behind its last.
func span(word string, n int, now time.Time) (from, to time.Time, ok bool) {
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	days := func(a, b int) (time.Time, time.Time, bool) {
		return today.AddDate(0, 0, a), today.AddDate(0, 0, b), true
	}
	switch word {
	case "TODAY":
		return days(0, 1)
	case "YESTERDAY":
		return days(-1, 0)
	case "TOMORROW":
		return days(1, 2)
	case "LAST_90_DAYS":
		return days(-90, 1)
	case "NEXT_90_DAYS":
		return days(1, 91)
	case "LAST_N_DAYS":
		return days(-n, 1)
	case "NEXT_N_DAYS":
		return days(1, n+1)
	case "N_DAYS_AGO":
		return days(-n, -n+1)
	}
	for unit, start := range map[string]func(offset int) time.Time{
		"WEEK": func(k int) time.Time { return today.AddDate(0, 0, 7*k-int(today.Weekday())) },
		"MONTH": func(k int) time.Time {
			return time.Date(today.Year(), today.Month()+time.Month(k), 1, 0, 0, 0, 0, time.UTC)
		},
		"QUARTER": func(k int) time.Time {
			return time.Date(today.Year(), (today.Month()-1)/3*3+1+time.Month(3*k), 1, 0, 0, 0, 0, time.UTC)
		},
		"YEAR": func(k int) time.Time { return time.Date(today.Year()+k, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		switch word {
		case "THIS_" + unit:
			return start(0), start(1), true
		case "LAST_" + unit:
			return start(-1), start(0), true
		case "NEXT_" + unit:
			return start(1), start(2), true
		case "LAST_N_" + unit + "S":
			return start(-n), start(0), true
		case "NEXT_N_" + unit + "S":
			return start(1), start(n + 1), true
		case "N_" + unit + "S_AGO":
			return start(-n), start(-n + 1), true
		}
	}
	return time.Time{}, time.Time{}, false
}

// spanOf is span of a token such as "LAST_N_DAYS:7".
func spanOf(text string, now time.Time) (from, to time.Time, ok bool) {
	word, count, _ := strings.Cut(strings.ToUpper(text), ":")
	n, _ := strconv.Atoi(count)
	return span(word, min(n, 100_000), now)
}
