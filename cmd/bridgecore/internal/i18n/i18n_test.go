package i18n_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2/validation"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/recordsync"
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

// source is the text of all Go files and pages below a folder, tests left out.
func source(t *testing.T, folders ...string) string {
	t.Helper()
	var b strings.Builder
	for _, folder := range folders {
		require.NoError(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, ".html") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			b.Write(text)
			return err
		}))
	}
	return b.String()
}

// kept are messages that nothing says yet: those of the first BridgeCore, and
// those of reports, which no endpoint serves yet.
const kept = original + ` yes no page report_sales report_inventory report_partners report_created report_filter`

// Every key that the program uses is a message, and every message is used.
func TestKeysAndCodeAgree(t *testing.T) {
	code := source(t, "../..")
	english := file(t, "en")
	used := map[string]bool{}
	keys := regexp.MustCompile(`(?:\.(?:T|N|Has)|i18n\.(?:Text|Count))\("([a-z_]+)"|"((?:cli|demo|detail|fault)_[a-z_]*[a-z])"`)
	for _, m := range keys.FindAllStringSubmatch(code, -1) {
		_, there := english[m[1]+m[2]]
		assert.True(t, there, "the code uses %q", m[1]+m[2])
	}
	for key := range english { // they stand in constants and tables too
		used[key] = strings.Contains(code, `"`+key+`"`)
	}
	for key := range english {
		// Those of errors are held against the codes by the tests of httpapi,
		// those of phases and phrases against what there is and is said below.
		if used[key] || strings.HasPrefix(key, "error_") || strings.HasPrefix(key, i18n.PhaseKey) || isPhrase(key) || slices.Contains(strings.Fields(kept), key) {
			continue
		}
		assert.Fail(t, "nothing uses the message "+key)
	}
}

// Every phase of a synchronisation has a name, and every name is of a phase.
func TestPhasesHaveNames(t *testing.T) {
	var keys []string
	for _, phase := range recordsync.Phases {
		keys = append(keys, i18n.PhaseKey+string(phase))
	}
	slices.Sort(keys)
	assert.Equal(t, keys, i18n.Keys(i18n.PhaseKey))
}

func isPhrase(key string) bool {
	return strings.HasPrefix(key, "detail_") || strings.HasPrefix(key, "fault_")
}

// Every phrase is one that somebody says: our code, or huma's validation.
func TestPhrasesAreSaid(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/danielgtaylor/huma/v2").Output()
	require.NoError(t, err)
	humaDir := strings.TrimSpace(string(out))
	spoken := strings.NewReplacer(`\"`, `"`, `\'`, `'`).Replace(source(t, "../../../../bridge", "../../../../adapter", "../..", humaDir+"/validation")) +
		source(t, humaDir) + " string number bool array object "
	for key, message := range file(t, "en") {
		if !isPhrase(key) {
			continue
		}
		longest := ""
		for _, part := range regexp.MustCompile(`{{\.\w+}}|; `).Split(message.(string), -1) {
			if part = strings.Trim(part, `" `); len(part) > len(longest) {
				longest = part
			}
		}
		if !strings.Contains(spoken, longest) { // all of the source in the failure's text would help nobody
			t.Errorf("%s: nobody says it", key)
		}
	}
}

// What huma finds wrong with a request is said in every language.
func TestHumaSpeaksEveryLanguage(t *testing.T) {
	for _, m := range []string{
		validation.MsgExpectedBoolean, validation.MsgExpectedNumber, validation.MsgExpectedInteger, validation.MsgExpectedString, validation.MsgExpectedArray, validation.MsgExpectedObject,
		validation.MsgExpectedOneOf, validation.MsgExpectedMinimumNumber, validation.MsgExpectedExclusiveMinimumNumber, validation.MsgExpectedMaximumNumber,
		validation.MsgExpectedExclusiveMaximumNumber, validation.MsgExpectedMinLength, validation.MsgExpectedMaxLength, validation.MsgExpectedBePattern,
		validation.MsgExpectedMinItems, validation.MsgExpectedMaxItems, validation.MsgExpectedArrayItemsUnique, validation.MsgExpectedMatchExactlyOneSchema, validation.MsgExpectedRFC3339DateTime,
	} {
		english := strings.NewReplacer("%s", "x", "%v", "5", "%d", "5").Replace(m)
		for _, l := range []string{"ar", "fr"} {
			assert.NotEqual(t, english, i18n.For(l).Say(english), "%s: %s", l, english)
		}
	}
	assert.Equal(t, "Access denied", i18n.For("ar").Say("Access denied"), "what is no phrase stays as it is")
	assert.Equal(t, "is missing", i18n.For("en").Say("is missing"))
}
