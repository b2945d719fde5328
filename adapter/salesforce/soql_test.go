package salesforce

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// unquote reads a literal as SOQL does: the text it stands for, and what
// follows its end.
func unquote(t require.TestingT, literal string) (text, rest string) {
	require.True(t, strings.HasPrefix(literal, "'"), literal)
	var b strings.Builder
	for i := 1; i < len(literal); i++ {
		switch c := literal[i]; c {
		case '\'':
			return b.String(), literal[i+1:]
		case '\\':
			i++
			require.Less(t, i, len(literal), "a backslash at the end")
			switch c := literal[i]; c {
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case 't':
				b.WriteByte('\t')
			case 'b':
				b.WriteByte('\b')
			case 'f':
				b.WriteByte('\f')
			case '\'', '"', '\\':
				b.WriteByte(c)
			case 'u':
				require.LessOrEqual(t, i+4, len(literal))
				n := rune(0)
				for _, d := range literal[i+1 : i+5] {
					v := strings.IndexRune("0123456789abcdef", d)
					require.GreaterOrEqual(t, v, 0)
					n = n<<4 | rune(v)
				}
				b.WriteRune(n)
				i += 4
			default:
				require.Fail(t, "an escape that SOQL has not", "\\%c", c)
			}
		default:
			b.WriteByte(c)
		}
	}
	require.Fail(t, "no end", literal)
	return "", ""
}

// TestQuotedTextsStayTexts has no text end its literal, or change in it.
func TestQuotedTextsStayTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		text, rest := unquote(t, quoted(s))
		require.Empty(t, rest)
		require.Equal(t, s, text)
	})
}

func FuzzQuoted(f *testing.F) {
	for _, s := range []string{"", "x", "O'Brien", `\`, `\'`, "\n\r\t\b\f\x00\x7f", "' OR Id != null --", "\xff", "\ufffd", "😀", `\u0027`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, rest := unquote(t, quoted(s))
		require.Empty(t, rest)
		require.Equal(t, string([]rune(s)), string([]rune(text)), "but for bytes that are no text")
		pattern, _ := likePattern(s, true)
		require.True(t, strings.HasPrefix(pattern, "'") && strings.HasSuffix(pattern, "'"))
		require.True(t, utf8.ValidString(pattern))
		// Nothing but the last quote ends the pattern, whatever stands before.
		escaped := false
		for i, c := range []byte(pattern[1:]) {
			switch {
			case escaped:
				escaped = false
			case c == '\\':
				escaped = true
			case c == '\'':
				require.Equal(t, len(pattern)-2, i)
			}
		}
	})
}

func TestLikePatterns(t *testing.T) {
	for _, test := range []struct {
		pattern  string
		contains bool
		want     string
		exact    bool
	}{
		{"x", true, `'%x%'`, true},
		{"x", false, `'x'`, true},
		{"100%", false, `'100%'`, true},
		{`100\%`, false, `'100\%'`, true},
		{`a\_b`, true, `'%a\_b%'`, true},
		{"a_b", true, `'%a_b%'`, true},
		{"O'Brien", true, `'%O\'Brien%'`, true},
		{`back\\slash`, true, `'%back_slash%'`, false},
		{`end\`, true, `'%end\%'`, true},
		{`end\`, false, `'end_'`, false},
		{`\x`, false, `'x'`, true},
		{"a\nb", false, `'a\nb'`, true},
	} {
		literal, exact := likePattern(test.pattern, test.contains)
		assert.Equal(t, test.want, literal, "%q", test.pattern)
		assert.Equal(t, test.exact, exact, "%q", test.pattern)
	}
}

// TestSplit cuts lists so that together the parts hold for the same values.
func TestSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := drawNode(t, 2)
		most := rapid.IntRange(1, 200).Draw(t, "most")
		parts, disjoint := n.split(most)
		if len(parts) > maxSplit {
			return // too many, which callers refuse
		}
		for value := range 12 {
			want, hits := holds(&n, value), 0
			for i := range parts {
				if holds(&parts[i], value) {
					hits++
				}
			}
			require.Equal(t, want, hits > 0, "value %d", value)
			if disjoint {
				require.LessOrEqual(t, hits, 1, "value %d", value)
			}
		}
	})
}

func drawNode(t *rapid.T, depth int) node {
	if depth == 0 || rapid.Bool().Draw(t, "leaf") {
		var literals []string
		for _, v := range rapid.SliceOfNDistinct(rapid.IntRange(0, 11), 2, 12, rapid.ID[int]).Draw(t, "values") {
			literals = append(literals, string(rune('a'+v)))
		}
		return oneOf("F", literals)
	}
	parts := []node{drawNode(t, depth-1), drawNode(t, depth-1)}
	if rapid.Bool().Draw(t, "and") {
		return allOf(parts...)
	}
	return anyOf(parts...)
}

// holds evaluates a node of drawNode for the field's value.
func holds(n *node, value int) bool {
	literal := string(rune('a' + value))
	switch n.op {
	case opConstant:
		return n.truth
	case opCompare:
		return n.text == "F = "+literal
	case opList:
		for _, l := range n.list {
			if l == literal {
				return true
			}
		}
		return false
	}
	for i := range n.parts {
		if holds(&n.parts[i], value) == (n.op == opAny) {
			return n.op == opAny
		}
	}
	return n.op == opAll
}

func TestQueryEscape(t *testing.T) {
	assert.Equal(t, "SELECT+Id+FROM+A__c+WHERE+N+%3D+'%C3%A9%26%2B%25'", queryEscape("SELECT Id FROM A__c WHERE N = 'é&+%'"))
}
