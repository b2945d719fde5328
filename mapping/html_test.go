package mapping

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestHTMLToText(t *testing.T) {
	for _, c := range []struct{ html, text string }{
		{"", ""},
		{"<p>Ring twice</p>", "Ring twice"},
		{"<p>a &lt; b<br>and more</p>", "a < b\nand more"},
		{"<p>one</p><p>two</p>", "one\ntwo"},
		{`<div class="x">a<br/>b</div>`, "a\nb"},
		{"<ul><li>one</li><li>two</li></ul>", "one\ntwo"},
		{"<p><br></p>", ""},
		{"plain & simple", "plain & simple"},
		{"1 < 2 and 3 > 2", "1 < 2 and 3 > 2"},
		{"<!-- <p>no</p> -->yes", "yes"},
		{"<style>p{}</style><p>yes</p>", "yes"},
		{"a&nbsp;b", "a b"},
		{"<p>unclosed <b", "unclosed <b"},
	} {
		assert.Equal(t, c.text, htmlToText(c.html), c.html)
	}
}

// Text comes back from HTML as it was, but for blank space around it.
func TestTextThroughHTML(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.TrimSpace(strings.ReplaceAll(rapid.String().Draw(t, "text"), "\u00a0", " "))
		assert.Equal(t, text, htmlToText(textToHTML(text)))
	})
}

func FuzzHTMLToText(f *testing.F) {
	f.Add("<p>a &lt; b<br>and more</p>")
	f.Add("<<<!--<script>&amp;amp;")
	f.Fuzz(func(t *testing.T, source string) {
		text := htmlToText(source)
		assert.Equal(t, text, htmlToText(textToHTML(text)))
	})
}
