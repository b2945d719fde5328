package mapping

import (
	"html"
	"strings"
)

// textToHTML writes plain text as HTML: one paragraph, its lines broken.
func textToHTML(text string) string {
	if text == "" {
		return ""
	}
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
	return "<p>" + strings.ReplaceAll(escaped, "\n", "<br>") + "</p>"
}

// breaks are the tags that end a line.
var breaks = map[string]bool{
	"br": true, "hr": true, "/p": true, "/div": true, "/li": true, "/tr": true, "/h1": true, "/h2": true, "/h3": true, "/h4": true, "/h5": true, "/h6": true, "/blockquote": true, "/pre": true,
}

// htmlToText reads HTML as plain text: lines instead of paragraphs and breaks,
// no tags, no comments, no blank space around.
func htmlToText(source string) string {
	var b strings.Builder
	for source != "" {
		text, rest, found := strings.Cut(source, "<")
		b.WriteString(html.UnescapeString(text))
		if !found {
			break
		}
		if strings.HasPrefix(rest, "!--") {
			_, rest, _ = strings.Cut(rest, "-->")
			source = rest
			continue
		}
		tag, after, closed := strings.Cut(rest, ">")
		name := tagName(tag)
		if !closed || name == "" {
			// A "<" that begins no tag is text.
			b.WriteByte('<')
			source = rest
			continue
		}
		if name == "script" || name == "style" {
			if i := strings.Index(strings.ToLower(after), "</"+name); i >= 0 {
				after = after[i:]
			} else {
				after = ""
			}
		}
		if breaks[name] {
			b.WriteByte('\n')
		}
		source = after
	}
	return strings.TrimSpace(strings.ReplaceAll(b.String(), "\u00a0", " "))
}

// tagName returns the name of a tag, "/" before that of a closing one, and ""
// for what is no tag.
func tagName(tag string) string {
	slash := strings.HasPrefix(tag, "/")
	name := strings.TrimPrefix(tag, "/")
	end := strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
	if end >= 0 {
		name = name[:end]
	}
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return ""
	}
	if name = strings.ToLower(name); slash {
		return "/" + name
	}
	return name
}
