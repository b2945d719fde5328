package vault_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

func newKey(t *testing.T) string {
	t.Helper()
	key, err := vault.GenerateKey()
	require.NoError(t, err)
	return key
}

func open(t *testing.T, keys string) *vault.Vault {
	t.Helper()
	v, err := vault.New(vault.NewSecret(keys))
	require.NoError(t, err)
	return v
}

func TestSealedValuesOpenWithAnyKeyOfTheList(t *testing.T) {
	old, fresh := newKey(t), newKey(t)
	config := map[string]any{"url": "https://odoo.example.com", "password": "secret123"}

	sealed, err := open(t, old).Seal(config)
	require.NoError(t, err)
	assert.NotContains(t, sealed, "secret123")

	var got map[string]any
	require.NoError(t, open(t, fresh+", "+old).Open(sealed, &got))
	assert.Equal(t, config, got)

	assert.ErrorIs(t, open(t, fresh).Open(sealed, &got), vault.ErrUnreadable, "the key was retired")
}

func TestRotatedVaultSealsWithTheFirstKey(t *testing.T) {
	old, fresh := newKey(t), newKey(t)
	sealed, err := open(t, fresh+","+old).Seal("x")
	require.NoError(t, err)
	var got string
	assert.NoError(t, open(t, fresh).Open(sealed, &got))
	assert.ErrorIs(t, open(t, old).Open(sealed, &got), vault.ErrUnreadable)
}

func TestAlteredValuesDoNotOpen(t *testing.T) {
	v := open(t, newKey(t))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		sealed, err := v.Seal(text)
		require.NoError(t, err)
		var got string
		require.NoError(t, v.Open(sealed, &got))

		b := []byte(sealed)
		b[rapid.IntRange(0, len(b)-5).Draw(t, "at")] ^= 1
		assert.Error(t, v.Open(string(b), &got))
	})
}

func TestBadKeysAreRefusedWithoutBeingShown(t *testing.T) {
	for _, keys := range []string{"", "canary-not-a-key", newKey(t) + ",", "c2hvcnQ="} {
		_, err := vault.New(vault.NewSecret(keys))
		require.Error(t, err, keys)
		assert.NotContains(t, err.Error(), "canary")
		assert.Contains(t, err.Error(), "keygen")
	}
}

func TestASecretIsNeverPrinted(t *testing.T) {
	const canary = "canary-5d1e"
	type config struct {
		Shown  string
		Public vault.Secret
		hidden vault.Secret
		Map    map[string]vault.Secret
		Ptr    *vault.Secret
	}
	secret := vault.NewSecret(canary)
	c := config{"visible", secret, secret, map[string]vault.Secret{"k": secret}, &secret}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", c)
		fmt.Fprintf(&out, verb+"\n", secret)
	}
	b, err := json.Marshal(c)
	require.NoError(t, err)
	out.Write(b)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "config", c, "secret", secret)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "config", c, "secret", secret)

	assert.NotContains(t, out.String(), canary)
	assert.NotContains(t, out.String(), fmt.Sprintf("%x", canary))
	assert.Contains(t, out.String(), "[redacted]")
	assert.Equal(t, canary, secret.Reveal())
	assert.Equal(t, canary, c.hidden.Reveal())
}

func TestASecretReadsFromText(t *testing.T) {
	var v struct{ Password vault.Secret }
	require.NoError(t, json.Unmarshal([]byte(`{"Password":"p"}`), &v))
	assert.Equal(t, "p", v.Password.Reveal())
	assert.False(t, v.Password.IsZero())
	assert.True(t, vault.Secret{}.IsZero())
	assert.Empty(t, vault.Secret{}.String())
}
