// Package visual turns a text into the glyphs in the order in which they are
// drawn from left to right: Arabic letters take the form in which they join
// their neighbours, and runs from right to left are turned around (UAX #9,
// without explicit embeddings and without the pairing of brackets, N0).
//
// It is for writers that know neither, such as PDF's.
package visual

import (
	"slices"

	"golang.org/x/text/unicode/bidi"
)

// Line is one line of a text as it is drawn. rtl is the direction of the
// paragraph, whatever the letters are.
func Line(text string, rtl bool) string {
	if plain(text) && !rtl {
		return text
	}
	runes := shape([]rune(text))
	return string(reorder(runes, levels(runes, rtl)))
}

// RTL reports whether a text by itself is read from right to left: whether its
// first letter is. A text without letters, such as a number, is not.
func RTL(text string) bool {
	for _, r := range text {
		switch p, _ := bidi.LookupRune(r); p.Class() {
		case bidi.R, bidi.AL:
			return true
		case bidi.L:
			return false
		}
	}
	return false
}

// plain reports whether nothing in a text goes from right to left.
func plain(text string) bool {
	for _, r := range text {
		if r >= 0x0590 {
			return false
		}
	}
	return true
}

// levels gives each rune its embedding level: even from left to right, odd
// from right to left.
func levels(runes []rune, rtl bool) []uint8 {
	base := uint8(0)
	edge := bidi.L
	if rtl {
		base, edge = 1, bidi.R
	}
	classes := make([]bidi.Class, len(runes))
	for i, r := range runes {
		p, _ := bidi.LookupRune(r)
		classes[i] = p.Class()
	}
	original := slices.Clone(classes)
	weak(classes, edge)
	neutral(classes, edge)
	out := make([]uint8, len(runes))
	for i, c := range classes {
		out[i] = base
		switch {
		case base == 0 && c == bidi.R, base == 1 && c != bidi.R:
			out[i] = base + 1
		case base == 0 && (c == bidi.AN || c == bidi.EN):
			out[i] = base + 2
		}
	}
	// L1: space at the end stays where the paragraph ends.
	for i := len(out) - 1; i >= 0 && (original[i] == bidi.WS || original[i] == bidi.B || original[i] == bidi.S); i-- {
		out[i] = base
	}
	return out
}

// weak resolves numbers and what belongs to them (W1 to W7).
func weak(c []bidi.Class, edge bidi.Class) {
	strong, before := edge, edge
	for i := range c {
		switch c[i] {
		case bidi.NSM: // W1
			c[i] = before
		case bidi.EN: // W2
			if strong == bidi.AL {
				c[i] = bidi.AN
			}
		case bidi.L, bidi.R, bidi.AL:
			strong = c[i]
		}
		before = c[i]
	}
	for i := range c {
		if c[i] == bidi.AL { // W3
			c[i] = bidi.R
		}
	}
	for i := 1; i+1 < len(c); i++ { // W4
		prev, next := c[i-1], c[i+1]
		switch {
		case c[i] == bidi.ES && prev == bidi.EN && next == bidi.EN:
			c[i] = bidi.EN
		case c[i] == bidi.CS && prev == next && (prev == bidi.EN || prev == bidi.AN):
			c[i] = prev
		}
	}
	for i := 0; i < len(c); i++ { // W5
		if c[i] != bidi.ET {
			continue
		}
		end := i
		for end < len(c) && c[end] == bidi.ET {
			end++
		}
		if i > 0 && c[i-1] == bidi.EN || end < len(c) && c[end] == bidi.EN {
			for j := i; j < end; j++ {
				c[j] = bidi.EN
			}
		}
		i = end - 1
	}
	strong = edge
	for i := range c {
		switch c[i] {
		case bidi.ES, bidi.ET, bidi.CS: // W6
			c[i] = bidi.ON
		case bidi.L, bidi.R:
			strong = c[i]
		case bidi.EN: // W7
			if strong == bidi.L {
				c[i] = bidi.L
			}
		}
	}
}

// neutral gives what has no direction that of its neighbours where they agree,
// else the paragraph's (N1, N2).
func neutral(c []bidi.Class, edge bidi.Class) {
	side := func(c bidi.Class) bidi.Class {
		if c == bidi.EN || c == bidi.AN {
			return bidi.R
		}
		return c
	}
	isStrong := func(c bidi.Class) bool { return c == bidi.L || c == bidi.R || c == bidi.EN || c == bidi.AN }
	for i := 0; i < len(c); i++ {
		if isStrong(c[i]) {
			continue
		}
		end := i
		for end < len(c) && !isStrong(c[end]) {
			end++
		}
		left, right := edge, edge
		if i > 0 {
			left = side(c[i-1])
		}
		if end < len(c) {
			right = side(c[end])
		}
		to := edge
		if left == right {
			to = left
		}
		for j := i; j < end; j++ {
			c[j] = to
		}
		i = end - 1
	}
}

// mirrored are the pairs that turn around with the text.
var mirrored = map[rune]rune{
	'(': ')', ')': '(', '[': ']', ']': '[', '{': '}', '}': '{', '<': '>', '>': '<', '«': '»', '»': '«', '‹': '›', '›': '‹',
}

// reorder puts the runes where they are drawn (L2), marks after the letter
// that carries them (L3), brackets turned around (L4).
func reorder(runes []rune, levels []uint8) []rune {
	order := make([]int, len(runes))
	highest := uint8(0)
	for i := range order {
		order[i] = i
		highest = max(highest, levels[i])
	}
	for level := highest; level > 0; level-- {
		for i := 0; i < len(order); i++ {
			if levels[order[i]] < level {
				continue
			}
			end := i
			for end < len(order) && levels[order[end]] >= level {
				end++
			}
			slices.Reverse(order[i:end])
			i = end
		}
	}
	out := make([]rune, 0, len(runes))
	for i := 0; i < len(order); i++ {
		at := order[i]
		if levels[at]%2 == 1 && isMark(runes[at]) {
			// Turned around, the marks stand before their letter.
			end := i
			for end < len(order) && isMark(runes[order[end]]) {
				end++
			}
			if end < len(order) {
				out = append(out, runes[order[end]])
			}
			for j := end - 1; j >= i; j-- {
				out = append(out, runes[order[j]])
			}
			i = end
			continue
		}
		r := runes[at]
		if m, ok := mirrored[r]; ok && levels[at]%2 == 1 {
			r = m
		}
		out = append(out, r)
	}
	return out
}

func isMark(r rune) bool {
	return r >= 0x064b && r <= 0x065f || r == 0x0670 || r >= 0x0610 && r <= 0x061a || r >= 0x06d6 && r <= 0x06ed && r != 0x06dd && r != 0x06de && r != 0x06e5 && r != 0x06e6 && r != 0x06e9
}
