package salesforcetest

import "strings"

// An id is stored in its 18 characters: 3 of the object's key prefix, 12 of
// number in base 62, and 3 that say which of the 15 are capitals, so that ids
// survive software that does not tell "a" from "A".

const (
	base62   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	checksum = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
)

// newID makes the id of the nth record of a key prefix. "Wt" stands where the
// instance is told apart.
func newID(prefix string, n int) string {
	digits := [15]byte{3: 'W', 4: 't', 5: '0'}
	copy(digits[:3], prefix)
	for i := len(digits) - 1; i > 5; i-- {
		digits[i] = base62[n%62]
		n /= 62
	}
	return longID(string(digits[:]))
}

// longID adds the three characters of checksum to an id of 15.
func longID(id string) string {
	suffix := [3]byte{}
	for i := range 3 {
		bits := 0
		for j := range 5 {
			if c := id[i*5+j]; c >= 'A' && c <= 'Z' {
				bits |= 1 << j
			}
		}
		suffix[i] = checksum[bits]
	}
	return id + string(suffix[:])
}

// parseID reads an id of 15 or 18 characters into its 18, and says whether it
// is one. With 18 the case of the first 15 does not matter: the last 3 restore
// it.
func parseID(text string) (string, bool) {
	if len(text) != 15 && len(text) != 18 {
		return "", false
	}
	for i := range len(text) {
		if strings.IndexByte(base62, text[i]) < 0 {
			return "", false
		}
	}
	if len(text) == 15 {
		return longID(text), true
	}
	suffix := strings.ToUpper(text[15:])
	restored := []byte(strings.ToLower(text[:15]))
	for i := range 3 {
		bits := strings.IndexByte(checksum, suffix[i])
		if bits < 0 {
			return "", false
		}
		for j := range 5 {
			if bits&(1<<j) == 0 {
				continue
			}
			at := i*5 + j
			if restored[at] < 'a' || restored[at] > 'z' {
				return "", false
			}
			restored[at] -= 'a' - 'A'
		}
	}
	return string(restored) + suffix, true
}
