package bridge

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheLanguageThatFits(t *testing.T) {
	for _, c := range []struct{ installed, preferences, want string }{
		{"en_US ar_001", "ar", "ar_001"},
		{"en_US ar_SY ar_001", "ar", "ar_001"},
		{"en_US ar_SY", "ar-SA", "ar_SY"},
		{"en_US ar_001 ar_SA", "ar-SA", "ar_SA"},
		{"en_GB en_US", "en", "en_US"},
		{"en_US en_GB", "en-GB", "en_GB"},
		{"fr_CA fr_FR", "fr", "fr_FR"},
		{"fr_CA fr_FR", "fr_BE", "fr_FR"},
		{"en_US", "ar", ""},
		{"en_US", "ar en-US", "en_US"},
		{"en_US fr_FR", "de fr en", "fr_FR"},
		{"en_US sr@latin", "sr", "sr@latin"},
		{"en ar", "ar-EG", "ar"},
		{"en_US", "* ", ""},
		{"", "ar", ""},
		{"en_US", "", ""},
		{"FR_fr", "fr-FR", "FR_fr"},
	} {
		assert.Equal(t, c.want, fittingLanguage(strings.Fields(c.installed), strings.Split(c.preferences, " ")), "%v", c)
	}
}
