package auth

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bridgecore/bridgecore/adapter"
)

// Lengths of new passwords.
const (
	MinPassword        = 8    // characters that a Policy asks for at least
	DefaultMinPassword = 12   // characters that it asks for unless told otherwise
	MaxPassword        = 1024 // bytes
)

// Policy says which new passwords are good enough. Those that are in use
// already stay.
type Policy struct {
	MinLength int // characters; 0 for DefaultMinPassword
}

// Check tells what is wrong with a new password of a user, if anything.
func (p Policy) Check(username, password string) error {
	least := p.MinLength
	if least == 0 {
		least = DefaultMinPassword
	}
	least = max(least, MinPassword)
	name := strings.ToLower(strings.TrimSpace(username))
	lower := strings.ToLower(password)
	switch {
	case !utf8.ValidString(password):
		return wrongPassword("the password must be valid UTF-8")
	case utf8.RuneCountInString(password) < least:
		return wrongPassword("the password needs %d characters or more", least)
	case len(password) > MaxPassword:
		return wrongPassword("the password may have %d bytes at most", MaxPassword)
	case bare(name) != "" && bare(lower) == bare(name), utf8.RuneCountInString(name) >= 4 && strings.Contains(lower, name):
		return wrongPassword("the password must not be or contain the user name")
	case simple(lower):
		return wrongPassword("the password is too easy to guess: it is a row of keys or signs, or repeats itself")
	case common(lower):
		return wrongPassword("the password is among those that are tried first; take several words that nobody would put together")
	}
	return nil
}

func wrongPassword(format string, args ...any) error {
	return &adapter.Error{Code: adapter.InvalidArgument, Field: "password", Message: fmt.Sprintf(format, args...)}
}

// simple reports whether a text is one short piece over and over, or a row.
func simple(text string) bool {
	signs := []rune(text)
	different := map[rune]bool{}
	for _, r := range signs {
		different[r] = true
	}
	if len(different) < 4 {
		return true
	}
	for n := 1; n <= len(signs)/2; n++ {
		piece := string(signs[:n])
		if strings.HasPrefix(strings.Repeat(piece, len(signs)/n+1), text) {
			return true
		}
	}
	return inRow(signs)
}

// rows are what a finger or a tongue runs along.
var rows = []string{"1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn", "qwertzuiop", "abcdefghijklmnopqrstuvwxyz", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p"}

// inRow reports whether all but a few signs follow from the one before.
func inRow(signs []rune) bool {
	follows := map[string]bool{}
	for _, row := range rows {
		r := []rune(row)
		for i := range r {
			follows[string([]rune{r[i], r[(i+1)%len(r)]})] = true
			follows[string([]rune{r[(i+1)%len(r)], r[i]})] = true
		}
	}
	breaks := 0
	for i := 1; i < len(signs); i++ {
		if !follows[string(signs[i-1:i+1])] {
			breaks++
		}
	}
	return breaks <= max(1, len(signs)/6)
}

// firstTried are words that lists of stolen passwords are full of.
var firstTried = []string{
	"administrator", "bridgecore", "password", "passwort", "motdepasse", "football", "baseball", "superman", "starwars", "princess",
	"sunshine", "iloveyou", "trustno", "changeme", "letmein", "welcome", "whatever", "default", "dragon", "master", "monkey", "shadow",
	"freedom", "computer", "internet", "michael", "jordan", "secret", "server", "azerty", "qwerty", "qwertz", "google", "login", "hello",
	"admin", "guest", "pass", "root", "user", "test", "odoo", "abc",
}

// common reports whether a text has words that are tried first, and hardly
// anything else but digits and signs.
func common(text string) bool {
	all := bare(text)
	left := all
	for _, word := range firstTried {
		left = strings.ReplaceAll(left, word, "")
	}
	return len(left) < len(all) && utf8.RuneCountInString(left) <= 3
}

// digitsAsLetters are digits and signs that stand for letters.
var digitsAsLetters = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i")

// bare are the letters of a text: as they are if those suffice for a word,
// otherwise with digits read as letters.
func bare(text string) string {
	letters := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) {
				return r
			}
			return -1
		}, s)
	}
	plain := letters(text)
	for _, word := range firstTried {
		if strings.Contains(plain, word) {
			return plain
		}
	}
	read := letters(digitsAsLetters.Replace(text))
	for _, word := range firstTried {
		if len(word) > 4 && strings.Contains(read, word) {
			return read
		}
	}
	return plain
}
