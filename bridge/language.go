package bridge

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// languagesOperation is how long a system's languages are kept. Languages are
// installed once in a system's life.
var languagesOperation = &operation{name: "languages", kind: reads, ttl: 10 * time.Minute}

// languagesModel is the model that Odoo keeps them in: a change of it through
// the bridge is known at once.
const languagesModel = "res.lang"

// InLanguage returns the system for calls in the language that fits the
// preferences best, the most wanted first: "ar", "fr-CA", Odoo's "ar_001". It
// is one that the system has; where none fits, or the connected user may not
// see which there are, the system is returned as it is.
func (s *System) InLanguage(ctx context.Context, preferences ...string) *System {
	if len(preferences) == 0 {
		return s
	}
	code := fittingLanguage(s.languages(ctx), preferences)
	if code == "" {
		return s
	}
	other := *s
	other.caller.Scope.Language, other.chosen = code, code
	return &other
}

// Languages returns the languages that the system may be asked in, as it codes
// them: none if it does not tell.
func (s *System) Languages(ctx context.Context) []string { return s.languages(ctx) }

func (s *System) languages(ctx context.Context) []string {
	q := question{family: "system", operation: languagesOperation.name, model: languagesModel}
	plain := System{bridge: s.bridge, link: s.link, caller: s.caller}
	a, err := plain.kept(ctx, &adapter.Scope{}, q, languagesOperation, func(ctx context.Context) (Answer, error) {
		codes := []string{}
		err := s.link.do(ctx, work{operation: languagesOperation.name, model: languagesModel, timeout: healthTimeout, once: true, run: func(ctx context.Context, a adapter.Adapter) error {
			known, err := adapter.Languages(ctx, a)
			codes = append(codes, known...)
			return err
		}})
		switch adapter.CodeOf(err) {
		case adapter.PermissionDenied, adapter.NotFound, adapter.Unsupported, adapter.InvalidArgument:
			err = nil // it stays so for a while: don't ask for each request
		}
		if err != nil {
			return Answer{}, err
		}
		b, err := json.Marshal(codes)
		return Answer{Result: b}, err
	})
	var codes []string
	if err != nil || json.Unmarshal(a.Result, &codes) != nil {
		return nil // what is asked for will say what is wrong
	}
	return codes
}

// usual are the regions whose words are the common ones of a language, where
// they have not its own name, as those of fr_FR have.
var usual = map[string]string{"ar": "ar_001", "en": "en_US", "zh": "zh_CN", "ja": "ja_JP", "ko": "ko_KR", "sv": "sv_SE", "da": "da_DK"}

// fittingLanguage returns the code that fits the first preference that one
// fits: the same region, or the usual one, or any of the language.
func fittingLanguage(codes, preferences []string) string {
	find := func(fits func(code string) bool) string {
		for _, code := range codes {
			if fits(code) {
				return code
			}
		}
		return ""
	}
	for _, p := range preferences {
		p = strings.ReplaceAll(strings.TrimSpace(p), "-", "_")
		base := languageBase(p)
		if base == "" || base == "*" {
			continue
		}
		for _, want := range []string{p, usual[base], base + "_" + base, base} {
			if code := find(func(code string) bool { return strings.EqualFold(code, want) }); code != "" {
				return code
			}
		}
		if code := find(func(code string) bool { return languageBase(code) == base }); code != "" {
			return code
		}
	}
	return ""
}

// languageBase is the language of a code without its region.
func languageBase(code string) string {
	if i := strings.IndexAny(code, "_@"); i >= 0 {
		code = code[:i]
	}
	return strings.ToLower(code)
}

// gone reports whether a call was refused because the language that was chosen
// for it is no longer one of the system's, and forgets what was known of them.
func (s *System) gone(ctx context.Context, err error) bool {
	if s.chosen == "" || s.caller.Scope.Language != s.chosen || adapter.CodeOf(err) != adapter.InvalidArgument || !strings.Contains(err.Error(), s.chosen) {
		return false
	}
	s.bridge.config.Cache.Bump(ctx, s.subject(languagesModel))
	return fittingLanguage(s.languages(ctx), []string{s.chosen}) != s.chosen
}
