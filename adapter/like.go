package adapter

import (
	"strings"
	"unicode/utf8"
)

// pattern is a compiled pattern of "like": runs of literal text between the
// wildcards % (any text) and _ (any one character).
type pattern struct {
	runes []rune // anyText and anyChar stand for the wildcards
	fold  bool
	plain string // the text to contain, where there is no wildcard inside
}

const (
	anyText rune = -1
	anyChar rune = -2
)

// compilePattern reads a pattern: a backslash makes the next character
// literal. Unless whole, the pattern may stand anywhere in the text.
func compilePattern(s string, whole, fold bool) pattern {
	if fold {
		s = strings.ToLower(s)
	}
	p := pattern{fold: fold}
	if !whole {
		if !strings.ContainsAny(s, `%_\`) {
			p.plain = s
			return p
		}
		// As Odoo builds it, so that a backslash at the end escapes the % behind.
		s = "%" + s + "%"
	}
	escaped := false
	for _, r := range s {
		switch {
		case escaped:
			escaped = false
			p.runes = append(p.runes, r)
		case r == '\\':
			escaped = true
		case r == '%':
			if n := len(p.runes); n == 0 || p.runes[n-1] != anyText {
				p.runes = append(p.runes, anyText)
			}
		case r == '_':
			p.runes = append(p.runes, anyChar)
		default:
			p.runes = append(p.runes, r)
		}
	}
	if escaped {
		p.runes = append(p.runes, '\\')
	}
	return p
}

// match reports whether the text fits. It never backtracks further than the
// last %, so it takes at most len(text) * len(pattern) steps.
func (p pattern) match(text string) bool {
	if p.fold {
		text = strings.ToLower(text)
	}
	if p.plain != "" || p.runes == nil {
		return strings.Contains(text, p.plain)
	}
	pi, ti := 0, 0
	star, resume := -1, 0
	for ti < len(text) {
		r, size := utf8.DecodeRuneInString(text[ti:])
		switch {
		case pi < len(p.runes) && p.runes[pi] == anyText:
			star, resume = pi, ti
			pi++
		case pi < len(p.runes) && (p.runes[pi] == anyChar || p.runes[pi] == r):
			pi++
			ti += size
		case star >= 0:
			_, step := utf8.DecodeRuneInString(text[resume:])
			resume += step
			pi, ti = star+1, resume
		default:
			return false
		}
	}
	for pi < len(p.runes) && p.runes[pi] == anyText {
		pi++
	}
	return pi == len(p.runes)
}
