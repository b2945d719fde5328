package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheLanguageOfCommands(t *testing.T) {
	for name, c := range map[string]struct {
		flag    string
		environ []string
		want    string
	}{
		"nothing":              {"", nil, "en"},
		"flag":                 {"ar", []string{"LANG=fr_FR.UTF-8"}, "ar"},
		"LANG":                 {"", []string{"LANG=fr_FR.UTF-8"}, "fr"},
		"LC_ALL before others": {"", []string{"LANG=fr_FR.UTF-8", "LC_MESSAGES=fr_CA", "LC_ALL=ar_SA.UTF-8"}, "ar"},
		"LC_MESSAGES":          {"", []string{"LANG=en_US.UTF-8", "LC_MESSAGES=ar_EG@euro"}, "ar"},
		"empty is not set":     {"", []string{"LC_ALL=", "LANG=fr"}, "fr"},
		"C":                    {"", []string{"LC_ALL=C", "LANG=fr"}, "en"},
		"POSIX":                {"", []string{"LANG=POSIX"}, "en"},
		"one that is not had":  {"de", nil, "en"},
	} {
		assert.Equal(t, c.want, wordsOf(c.flag, c.environ).Language, name)
	}
}

func TestCommandsInTheCallersLanguage(t *testing.T) {
	p := newProgram(t)
	p.environ = append(p.environ, "LANG=ar_SA.UTF-8")
	status, out, _ := p.run("correct-horse-9", "user", "add", "sara")
	require.Equal(t, statusOK, status)
	assert.Contains(t, out, `أُضيف user "sara"`)
	status, _, errs := p.run("correct-horse-9", "user", "add", "sara")
	assert.Equal(t, statusFailed, status)
	assert.Equal(t, "bridgecore: يوجد بالفعل مستخدم \"sara\"\n", errs)
	_, _, errs = p.run("short", "user", "add", "omar")
	assert.Contains(t, errs, "تحتاج كلمة المرور إلى")
	_, out, _ = p.run("", "user", "list")
	assert.Contains(t, out, "اسم المستخدم")
	_, out, _ = p.run("", "--lang", "fr", "user", "list")
	assert.Contains(t, out, "UTILISATEUR")
	_, out, _ = p.run("", "config", "check", "--offline")
	assert.Contains(t, out, "الإعدادات سليمة (development)")
	_, out, _ = p.run("", "audit", "purge", "3")
	assert.Equal(t, "لم يُحذف أي قيد\n", out)
	_, out, _ = p.run("", "--lang", "fr", "audit", "purge", "3")
	assert.Equal(t, "0 entrée supprimée\n", out)

	p.environ = append(p.environ, "PORT=123456", "CACHE_TTL=soon", "LOG_LEVEL=x")
	status, _, errs = p.run("", "config", "check", "--offline")
	assert.Equal(t, statusUsage, status)
	assert.Contains(t, errs, "الإعدادات غير صالحة:")
	assert.Contains(t, errs, "PORT: يجب أن يكون بين 0 و65535")
}

// What other programs read is the same in every language.
func TestJSONHasNoLanguage(t *testing.T) {
	p := newProgram(t)
	p.environ = append(p.environ, "LANG=ar")
	const partner = `{"id":1,"name":"A"}` + "\n"
	run := func(args ...string) (string, string) {
		status, out, errs := p.run(partner, append([]string{"migrate", "--pack", "community", "--model", "res.partner", "--from", "13.0", "--to", "19.0"}, args...)...)
		require.Equal(t, statusOK, status, errs)
		return out, errs
	}
	records, told := run()
	assert.Contains(t, told, "res.partner، من 13.0 إلى 19.0: السجلات 1، المُرحَّلة 1")
	_, english := run("--lang", "en")
	assert.Contains(t, english, "res.partner, 13.0 to 19.0: 1 records, 1 migrated, 0 refused")
	same, report := run("--json")
	assert.Equal(t, records, same)
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(report), &v))
	_, inEnglish := run("--json", "--lang", "en")
	assert.JSONEq(t, inEnglish, report)
}
