package httpapi

import (
	"context"
	"net/http"
	"strings"

	"golang.org/x/text/language"

	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
)

// preferences are the languages that a caller wants, the most wanted first:
// those of the request (?lang=, then Accept-Language), then the caller's own.
// id is nil where nobody is known to call.
func preferences(query, header string, id *auth.Identity) []string {
	var list []string
	for _, wanted := range [...]string{query, header} {
		tags, weights, err := language.ParseAcceptLanguage(strings.ReplaceAll(wanted, "_", "-"))
		if err != nil {
			continue
		}
		for i, tag := range tags {
			if weights[i] > 0 && tag != language.Und && len(list) < maxPreferences {
				list = append(list, tag.String())
			}
		}
	}
	if id != nil && id.Language != "" {
		list = append(list, id.Language)
	}
	return list
}

// maxPreferences is how many languages of a request are looked at.
const maxPreferences = 10

// preferencesOf are those of a request.
func preferencesOf(r *http.Request) []string {
	var id *auth.Identity
	if c := callFrom(r.Context()); c != nil {
		id = c.identity
	}
	return asked(r, id)
}

func asked(r *http.Request, id *auth.Identity) []string {
	query := ""
	if strings.Contains(r.URL.RawQuery, "lang=") {
		query = r.URL.Query().Get("lang")
	}
	return preferences(query, r.Header.Get("Accept-Language"), id)
}

// words are the server's words in the language of the caller. The call's request
// is the one that came in, which does not know who calls.
func (c *call) words() *i18n.Words { return i18n.For(asked(c.request, c.identity)...) }

// wordsFor are the server's words in the language that a request asks for.
func wordsFor(r *http.Request) *i18n.Words { return i18n.For(preferencesOf(r)...) }

// translated returns the caller's system for calls in the language that the
// request asks for, if the system has it. A context.lang of the request's own
// goes before it.
func (a *API) translated(ctx context.Context, id string) (*bridge.System, error) {
	sys, err := a.system(ctx, id)
	if err != nil {
		return nil, err
	}
	c := callFrom(ctx)
	return sys.InLanguage(ctx, asked(c.request, c.identity)...), nil
}
