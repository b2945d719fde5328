// Package i18n has the server's words in English, Arabic and French.
package i18n

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed messages
var messages embed.FS

// Languages are the languages that the server speaks, the first where nobody
// asks for another.
var Languages = []string{"en", "ar", "fr"}

var (
	matcher = language.NewMatcher([]language.Tag{language.English, language.Arabic, language.French})
	bundle  = load()
)

// english are the messages in English that don't depend on a number, by their
// keys; the others are empty.
var english = func() map[string]string {
	text, err := messages.ReadFile("messages/active." + Languages[0] + ".json")
	if err != nil {
		panic("i18n: " + err.Error()) //nolint:forbidigo // the files are part of the program
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		panic("i18n: " + err.Error()) //nolint:forbidigo // the files are part of the program
	}
	plain := map[string]string{}
	for key, message := range all {
		plain[key], _ = message.(string)
	}
	return plain
}()

func load() *i18n.Bundle {
	b := i18n.NewBundle(language.English)
	for _, l := range Languages {
		if _, err := b.LoadMessageFileFS(messages, "messages/active."+l+".json"); err != nil {
			panic("i18n: " + err.Error()) //nolint:forbidigo // the files are part of the program, and every test says so
		}
	}
	return b
}

// Keys are the keys of messages that begin with a prefix, in alphabetical order.
func Keys(prefix string) []string {
	var keys []string
	for key := range english {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Words are the words of one language. Make them with [For].
type Words struct {
	Language  string // one of Languages
	localizer *i18n.Localizer
}

var words = func() map[string]*Words {
	m := map[string]*Words{}
	for _, l := range Languages {
		m[l] = &Words{l, i18n.NewLocalizer(bundle, l)}
	}
	return m
}()

// For returns the words of the language that fits the preferences best, the
// most important first: language tags ("ar", "fr-CA", Odoo's "ar_001") or the
// value of an Accept-Language header. Empty and unreadable ones are passed over.
func For(preferences ...string) *Words {
	for _, p := range preferences {
		tags, weights, err := language.ParseAcceptLanguage(strings.ReplaceAll(strings.TrimSpace(p), "_", "-"))
		if err != nil || len(tags) == 0 || weights[0] == 0 {
			continue
		}
		if _, index, confidence := matcher.Match(tags...); confidence > language.No {
			return words[Languages[index]]
		}
	}
	return words[Languages[0]]
}

// T returns a message, its {{.Name}} filled in from pairs of names and values.
// A key that no language has is returned as it is.
func (w *Words) T(key string, pairs ...any) string {
	return w.message(key, nil, pairs)
}

// N is T for a message that depends on a number, which it has as {{.Count}}.
func (w *Words) N(key string, n int, pairs ...any) string {
	return w.message(key, n, append(pairs, "Count", n))
}

// Has reports whether there is a message of the key.
func (w *Words) Has(key string) bool {
	return w.T(key) != key || w.N(key, 1) != key
}

func (w *Words) message(key string, count any, pairs []any) string {
	data := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		data[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	text, err := w.localizer.Localize(&i18n.LocalizeConfig{MessageID: key, PluralCount: count, TemplateData: data})
	if err != nil {
		return key
	}
	return text
}
