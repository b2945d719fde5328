package i18n

import (
	"regexp"
	"slices"
	"sync"
)

// phrasePrefixes are what the keys of phrases begin with: sentences that others
// may have said in English. Those of detail_ are about one member of a request,
// those of fault_ are errors of commands.
var phrasePrefixes = []string{"detail_", "fault_"}

// phrase is an English sentence with holes.
type phrase struct {
	key   string
	said  *regexp.Regexp
	exact int // how many letters are no holes
}

var hole = regexp.MustCompile(`\\\{\\\{\\\.(\w+)\\\}\\\}`)

// phrases are those that can be recognised, the most telling first.
var phrases = sync.OnceValue(func() []phrase {
	var list []phrase
	for _, prefix := range phrasePrefixes {
		for _, key := range Keys(prefix) {
			quoted := regexp.QuoteMeta(english[key])
			list = append(list, phrase{
				key: key, said: regexp.MustCompile(`(?s)^` + hole.ReplaceAllString(quoted, `(?P<$1>.+?)`) + `$`),
				exact: len(hole.ReplaceAllString(quoted, "")),
			})
		}
	}
	slices.SortStableFunc(list, func(a, b phrase) int { return b.exact - a.exact })
	return list
})

// Say returns an English phrase in the language of the words. What fills its
// holes is translated too, where that is a phrase itself; what is no phrase is
// returned as it is.
func (w *Words) Say(english string) string {
	if w.Language == Languages[0] {
		return english
	}
	for _, p := range phrases() {
		found := p.said.FindStringSubmatch(english)
		if found == nil {
			continue
		}
		var pairs []any
		for i, name := range p.said.SubexpNames() {
			if name != "" {
				pairs = append(pairs, name, w.Say(found[i]))
			}
		}
		return w.T(p.key, pairs...)
	}
	return english
}
