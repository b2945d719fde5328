package i18n_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
)

// plurals are the forms that each language needs for whole numbers.
var plurals = map[string][]string{
	"en": {"one", "other"}, "fr": {"many", "one", "other"}, "ar": {"few", "many", "one", "other", "two", "zero"},
}

// original are the keys of the first BridgeCore.
const original = `success error not_found invalid_request unauthorized forbidden internal_error
	record_created record_updated record_deleted records_found no_records_found
	login_success login_failed logout_success token_expired token_invalid session_expired
	system_connected system_disconnected connection_failed
	name email phone mobile address city country date price quantity total status
	required_field invalid_email invalid_phone invalid_format`

func file(t *testing.T, language string) map[string]any {
	t.Helper()
	b, err := os.ReadFile("messages/active." + language + ".json")
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(b, &m))
	return m
}

func TestNoKeyIsMissingInAnyLanguage(t *testing.T) {
	english := file(t, "en")
	for _, key := range strings.Fields(original) {
		assert.Contains(t, english, key)
	}
	holes := regexp.MustCompile(`{{\.\w+}}`)
	all := func(v any) []string {
		var found []string
		text, _ := json.Marshal(v)
		for _, hole := range holes.FindAllString(string(text), -1) {
			if !slices.Contains(found, hole) {
				found = append(found, hole)
			}
		}
		slices.Sort(found)
		return found
	}
	for _, l := range i18n.Languages {
		messages := file(t, l)
		assert.Len(t, messages, len(english), l)
		for key, v := range english {
			got, there := messages[key]
			if !assert.True(t, there, "%s has no %s", l, key) {
				continue
			}
			assert.Equal(t, all(v), all(got), "%s: %s fills in the same", l, key)
			if forms, ok := got.(map[string]any); ok {
				var names []string
				for name, text := range forms {
					names = append(names, name)
					assert.NotEmpty(t, text)
				}
				slices.Sort(names)
				assert.Equal(t, plurals[l], names, "%s: plural forms of %s", l, key)
			} else {
				assert.NotEmpty(t, got, "%s: %s", l, key)
				if l != "en" && v != "Date" && v != "Mobile" && v != "Total" && v != "Page" {
					continue
				}
			}
		}
	}
}

func TestLanguageThatFits(t *testing.T) {
	for _, c := range []struct {
		preferences []string
		want        string
	}{
		{nil, "en"},
		{[]string{"ar"}, "ar"},
		{[]string{"ar_001"}, "ar"},
		{[]string{"fr-CA"}, "fr"},
		{[]string{"", "fr;q=0.5, ar;q=0.9"}, "ar"},
		{[]string{"de, fr;q=0.1"}, "fr"},
		{[]string{"de"}, "en"},
		{[]string{"de", "ar"}, "ar"},
		{[]string{"\x00;;;", "ar"}, "ar"},
		{[]string{"fr;q=0", "ar"}, "ar"},
		{[]string{strings.Repeat("x-", 5000)}, "en"},
	} {
		assert.Equal(t, c.want, i18n.For(c.preferences...).Language, "%q", c.preferences)
	}
}

func TestPlurals(t *testing.T) {
	ar, fr, en := i18n.For("ar"), i18n.For("fr"), i18n.For("en")
	for n, want := range map[int]string{0: "لم يتم العثور على أي سجل", 1: "تم العثور على سجل واحد", 2: "تم العثور على سجلين", 3: "تم العثور على 3 سجلات", 11: "تم العثور على 11 سجلاً", 100: "تم العثور على 100 سجل"} {
		assert.Equal(t, want, ar.N("records_found", n))
	}
	assert.Equal(t, "0 enregistrement trouvé", fr.N("records_found", 0))
	assert.Equal(t, "2 enregistrements trouvés", fr.N("records_found", 2))
	assert.Equal(t, "1 record found", en.N("records_found", 1))
	assert.Equal(t, "0 records found", en.N("records_found", 0))
}

func TestMessages(t *testing.T) {
	assert.Equal(t, "صفحة 2 من 3", i18n.For("ar").T("page", "Page", 2, "Pages", 3))
	assert.Equal(t, "no_such_key", i18n.For("fr").T("no_such_key"), "a key that nobody has stays as it is")
	assert.True(t, i18n.For("ar").Has("record_deleted"))
	assert.False(t, i18n.For("ar").Has("no_such_key"))
}

func TestOdooLanguage(t *testing.T) {
	ar := i18n.For("ar")
	assert.Equal(t, "ar_001", ar.OdooLanguage([]string{"en_US", "ar_SY", "ar_001"}))
	assert.Equal(t, "ar_EG", ar.OdooLanguage([]string{"ar_EG"}))
	assert.Empty(t, ar.OdooLanguage([]string{"en_US"}))
}
