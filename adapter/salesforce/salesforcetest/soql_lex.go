package salesforcetest

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEnd    tokenKind = iota
	tokenName             // a name, a path or a keyword
	tokenString           // its text is what stands between the quotes
	tokenNumber
	tokenMoment // a date or a date and time
	tokenOperator
	tokenMark // ( ) , :
)

type token struct {
	kind tokenKind
	text string
	at   int // where it begins, in bytes
}

func (t token) is(word string) bool { return t.kind == tokenName && strings.EqualFold(t.text, word) }

func (t token) mark(c string) bool { return t.kind == tokenMark && t.text == c }

// lex cuts SOQL into tokens; the last is tokenEnd.
func lex(soql string) ([]token, *apiError) {
	var tokens []token
	for at := 0; at < len(soql); {
		c := soql[at]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			at++
			continue
		case c == '\'':
			end := at + 1
			for end < len(soql) && soql[end] != '\'' {
				if soql[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(soql) {
				return nil, malformed(soql, at, "line "+"1:"+strconv.Itoa(at)+" no viable alternative at character '<EOF>'")
			}
			tokens = append(tokens, token{tokenString, soql[at+1 : end], at})
			at = end + 1
			continue
		}
		t := lexOne(soql, at)
		if t.text == "" {
			r, _ := utf8.DecodeRuneInString(soql[at:])
			return nil, malformed(soql, at, "line 1:"+strconv.Itoa(at)+" no viable alternative at character '"+string(r)+"'")
		}
		tokens = append(tokens, t)
		at += len(t.text)
	}
	return append(tokens, token{tokenEnd, "", len(soql)}), nil
}

func nameByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// lexOne reads the token that begins here; one without text is none.
func lexOne(soql string, at int) token {
	run := func(of func(byte) bool) string {
		end := at
		for end < len(soql) && of(soql[end]) {
			end++
		}
		return soql[at:end]
	}
	c := soql[at]
	digit := c >= '0' && c <= '9'
	next := byte(0)
	if at+1 < len(soql) {
		next = soql[at+1]
	}
	switch {
	case strings.IndexByte("(),:", c) >= 0:
		return token{tokenMark, soql[at : at+1], at}
	case c == '=':
		return token{tokenOperator, "=", at}
	case c == '<' || c == '>' || c == '!':
		if next == '=' || c == '<' && next == '>' {
			return token{tokenOperator, soql[at : at+2], at}
		}
		if c != '!' {
			return token{tokenOperator, soql[at : at+1], at}
		}
	case digit && looksLikeDate(soql[at:]):
		return token{tokenMoment, run(func(c byte) bool { return nameByte(c) || strings.IndexByte("-:+.", c) >= 0 }), at}
	case digit || (c == '-' || c == '+' || c == '.') && next >= '0' && next <= '9' || c == '-' && next == '.':
		first := true
		text := run(func(c byte) bool {
			ok := nameByte(c) || c == '.' || first && (c == '-' || c == '+')
			first = false
			return ok
		})
		return token{tokenNumber, text, at}
	case nameByte(c):
		return token{tokenName, run(func(c byte) bool { return nameByte(c) || c == '.' }), at}
	}
	return token{}
}

// looksLikeDate says whether it begins as 2026-01-31 does.
func looksLikeDate(s string) bool {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return false
	}
	for i := range 10 {
		if i != 4 && i != 7 && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

// pointed puts the place of an error before what is wrong, as the API does.
func pointed(soql string, at int, message string) string {
	at = min(at, len(soql))
	row := 1 + strings.Count(soql[:at], "\n")
	column := at - strings.LastIndexByte(soql[:at], '\n')
	from, to := max(0, at-40), min(len(soql), at+20)
	for from < at && !utf8.RuneStart(soql[from]) {
		from++
	}
	for to < len(soql) && !utf8.RuneStart(soql[to]) {
		to++
	}
	shown := strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' {
			return ' '
		}
		return r
	}, soql[from:to])
	pad := strings.Repeat(" ", utf8.RuneCountInString(soql[from:at]))
	return "\n" + shown + "\n" + pad + "^\nERROR at Row:" + strconv.Itoa(row) + ":Column:" + strconv.Itoa(column) + "\n" + message
}

func malformed(soql string, at int, message string) *apiError {
	return &apiError{code: "MALFORMED_QUERY", message: pointed(soql, at, message)}
}

// unescape reads the escapes of a string literal. like keeps those that LIKE
// reads itself.
func unescape(text string, like bool) (string, bool) {
	if !strings.Contains(text, `\`) {
		return text, true
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b.WriteByte(text[i])
			continue
		}
		i++
		if i >= len(text) {
			return "", false
		}
		switch c := text[i]; c {
		case 'n', 'N':
			b.WriteByte('\n')
		case 'r', 'R':
			b.WriteByte('\r')
		case 't', 'T':
			b.WriteByte('\t')
		case 'b', 'B':
			b.WriteByte('\b')
		case 'f', 'F':
			b.WriteByte('\f')
		case '"', '\'':
			b.WriteByte(c)
		case '\\':
			if like {
				b.WriteByte('\\')
			}
			b.WriteByte('\\')
		case '_', '%':
			if !like {
				return "", false
			}
			b.WriteByte('\\')
			b.WriteByte(c)
		case 'u':
			if i+5 > len(text) {
				return "", false
			}
			n, err := strconv.ParseUint(text[i+1:i+5], 16, 16)
			if err != nil {
				return "", false
			}
			b.WriteRune(rune(n))
			i += 4
		default:
			return "", false
		}
	}
	return b.String(), true
}
