package i18n_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
)

// What is kept once is said to each reader in his language, every number in it
// with the form that it needs.
func TestAKeptMessageSpeaksEveryLanguage(t *testing.T) {
	batch := func(done, total, failed int) i18n.Message {
		return i18n.Text("progress_pair", "First", i18n.Count("progress_done", done, "Total", total), "Second", i18n.Count("progress_failed", failed))
	}
	for _, c := range []struct {
		message    i18n.Message
		en, fr, ar string
	}{
		{batch(250, 1000, 3), "250 of 1000 done, 3 failed", "250 sur 1000 traités, 3 échecs", "أُنجز 250 من 1000، 3 إخفاقات"},
		{batch(1, 2, 1), "1 of 2 done, 1 failed", "1 sur 2 traité, 1 échec", "أُنجز واحد من 2، إخفاق واحد"},
		{batch(0, 2, 0), "0 of 2 done, 0 failed", "0 sur 2 traité, 0 échec", "لم يُنجز شيء من 2، دون إخفاق"},
		{batch(2, 3, 2), "2 of 3 done, 2 failed", "2 sur 3 traités, 2 échecs", "أُنجز اثنان من 3، إخفاقان"},
		{batch(11, 12, 11), "11 of 12 done, 11 failed", "11 sur 12 traités, 11 échecs", "أُنجز 11 من 12، 11 إخفاقاً"},
		{i18n.Count("progress_read_of", 2000000, "Read", 1000000), "1000000 of 2000000 records read", "1000000 sur 2000000 d’enregistrements lus", "قُرئ 1000000 من 2000000 سجل"},
		{i18n.Text("progress_file", "Read", i18n.Count("progress_read", 2)), "2 records read; the file is being made", "2 enregistrements lus ; le fichier est en cours de création", "قُرئ سجلان؛ جارٍ إنشاء الملف"},
		{i18n.Count("progress_in_file", 1, "File", `{{.Count}}"<b>.csv`), `1 record in {{.Count}}"<b>.csv`, `1 enregistrement dans {{.Count}}"<b>.csv`, `سجل واحد في {{.Count}}"<b>.csv`},
	} {
		kept := c.message.Kept()
		assert.Equal(t, c.en, i18n.For("en").Kept(kept), kept)
		assert.Equal(t, c.fr, i18n.For("fr").Kept(kept), kept)
		assert.Equal(t, c.ar, i18n.For("ar").Kept(kept), kept)
	}
}

// What was kept as a text, before messages were, is still shown.
func TestAKeptTextIsShown(t *testing.T) {
	for _, text := range []string{"", "250 of 1000 done, 3 failed", "{", `{"count":3}`, `{"key":5}`, `[{"key":"progress_pair"}]`, `"progress_pair"`} {
		for _, l := range i18n.Languages {
			assert.Equal(t, text, i18n.For(l).Kept(text), l)
		}
	}
	assert.Equal(t, "est manquant", i18n.For("fr").Kept("is missing"), "a phrase is translated")
	assert.Equal(t, "of_a_later_version", i18n.For("fr").Kept(`{"key":"of_a_later_version"}`))
}
