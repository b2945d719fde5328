package auth_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
)

func TestPolicy(t *testing.T) {
	for password, want := range map[string]string{
		"":                           "12 characters",
		"short":                      "12 characters",
		"elevenchars":                "12 characters",
		"كلمةسريةقصي":                "12 characters", // 11, although more bytes
		strings.Repeat("xyzw9", 300): "1024 bytes",
		"aaaaaaaaaaaa":               "too easy",
		"abababababab":               "too easy",
		"abcdabcdabcd":               "too easy",
		"correct1correct1":           "too easy", // repeats itself
		"123456789012":               "too easy",
		"qwertyuiopas":               "too easy",
		"1qaz2wsx3edc":               "too easy",
		"abcdefghijklm":              "too easy",
		"Password1234":               "tried first",
		"p@ssw0rd2026!":              "tried first",
		"PASSWORD_2026":              "tried first",
		"Admin123456!":               "tried first",
		"welcome-2026":               "tried first",
		"iloveyou2026":               "tried first",
		"changeme!!!1":               "tried first",
		"passwordpass":               "tried first",
		"ahmed.saudi-1":              "user name",
		"xxAhmed.Saudixx7":           "user name",
		"\xff\xfe12345678901234":     "UTF-8",
	} {
		err := auth.Policy{}.Check("Ahmed.Saudi", password)
		if assert.ErrorIs(t, err, adapter.ErrInvalidArgument, password) {
			assert.Contains(t, err.Error(), want, password)
			if password != "" {
				assert.NotContains(t, err.Error(), password)
			}
		}
	}
	for _, password := range []string{
		"correct horse battery staple", "canary-user-password", "demo-password", "another-password", "8471-9942-1183-77", "كلمة سر طويلة جدا",
		"Tr0ub4dor&3xyz", "9f86d081884c7d65", "$9!8#2@7&4%1^6~5", "mot de passe vraiment long",
	} {
		assert.NoError(t, auth.Policy{}.Check("ahmed", password), password)
	}
	assert.NoError(t, auth.Policy{MinLength: 8}.Check("ahmed", "kx93hd-q"))
	assert.Error(t, auth.Policy{MinLength: 1}.Check("ahmed", "kx93hd"), "8 is the least that can be asked for")
	assert.NoError(t, auth.Policy{}.Check("123", "8471-9942-1183-77"), "a name without letters")
}

func FuzzPolicy(f *testing.F) {
	f.Add("ahmed", "correct horse battery staple")
	f.Add("", "\xff")
	f.Fuzz(func(t *testing.T, name, password string) {
		if err := (auth.Policy{}).Check(name, password); err == nil && len([]rune(password)) < auth.DefaultMinPassword {
			t.Fatalf("%q is too short", password)
		}
	})
}
