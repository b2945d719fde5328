package mapping

import (
	"fmt"
	"strconv"
	"strings"
)

// Range is a range of versions, both ends included. The zero value holds all.
type Range struct {
	From, To string // "" leaves the end open
}

// String returns the form that files have; "" for all versions.
func (r Range) String() string {
	if r.From == r.To {
		return r.From
	}
	return r.From + "-" + r.To
}

// All reports whether the range holds every version.
func (r Range) All() bool { return r.From == "" && r.To == "" }

// Has reports whether the version is in the range. A version that is not known
// ("") is in that of all versions only.
func (r Range) Has(version string) bool {
	if r.All() {
		return true
	}
	v, ok := numbers(version)
	if !ok {
		return false
	}
	if from, ok := numbers(r.From); ok && compareVersions(v, from, len(from)) < 0 {
		return false
	}
	to, ok := numbers(r.To)
	return !ok || compareVersions(v, to, len(to)) <= 0
}

// overlaps reports whether some version is in both.
func (r Range) overlaps(o Range) bool {
	before := func(a, b Range) bool { // a ends before b begins
		to, ok := numbers(a.To)
		from, has := numbers(b.From)
		return ok && has && compareVersions(from, to, len(to)) > 0
	}
	return !before(r, o) && !before(o, r)
}

// ends are the versions at which tests run.
func (r Range) ends() []string {
	switch {
	case r.From == r.To, r.To == "":
		return []string{r.From}
	case r.From == "":
		return []string{r.To}
	}
	return []string{r.From, r.To}
}

// parseRange reads "13.0-19.0", "17.0", "17.0-" and "-16.0".
func parseRange(s string) (Range, error) {
	from, to, ranged := strings.Cut(strings.ReplaceAll(s, " ", ""), "-")
	if !ranged {
		to = from
	}
	for _, end := range []string{from, to} {
		if end == "" {
			continue
		}
		if _, ok := numbers(end); !ok || strings.Trim(end, "0123456789.") != "" {
			return Range{}, fmt.Errorf("versions read like 13.0-19.0, 17.0, 17.0- or -16.0, not %q", s)
		}
	}
	if from == "" && to == "" {
		return Range{}, fmt.Errorf("versions read like 13.0-19.0, 17.0, 17.0- or -16.0, not %q", s)
	}
	r := Range{From: from, To: to}
	if a, ok := numbers(from); ok {
		if b, ok := numbers(to); ok && compareVersions(a, b, len(b)) > 0 {
			return Range{}, fmt.Errorf("versions %s end before they begin", s)
		}
	}
	return r, nil
}

// numbers reads the numbers of a version: 17.0 of "17.0" and "17.0+e", 17.2 of
// "saas~17.2", 2023 of "S/4HANA 2023".
func numbers(version string) ([]int, bool) {
	if words := strings.Fields(version); len(words) > 1 {
		version = words[len(words)-1]
	}
	version = strings.TrimLeft(version, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ~/ ")
	var out []int
	for part := range strings.SplitSeq(version, ".") {
		end := 0
		for end < len(part) && part[end] >= '0' && part[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(part[:end])
		if err != nil {
			break
		}
		out = append(out, n)
		if end < len(part) {
			break
		}
	}
	return out, len(out) > 0
}

// compareVersions looks at the first n numbers; those that are missing are 0.
func compareVersions(a, b []int, n int) int {
	at := func(v []int, i int) int {
		if i < len(v) {
			return v[i]
		}
		return 0
	}
	for i := range n {
		if d := at(a, i) - at(b, i); d != 0 {
			return d
		}
	}
	return 0
}
