// Package vault keeps secrets: it encrypts connection configurations at rest
// with Fernet, under a list of keys that can be rotated, and has [Secret], a
// text that can't be printed by mistake.
package vault

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/fernet/fernet-go"
)

// ErrUnreadable means that none of the keys opens a stored value: it was
// written with a key that is no longer in the list, or it was altered.
var ErrUnreadable = errors.New("the stored value can't be decrypted with any key of ENCRYPTION_KEY")

// Vault encrypts with its first key and decrypts with any of them. It is safe
// for concurrent use.
type Vault struct{ keys []*fernet.Key }

// GenerateKey makes a new Fernet key: 32 random bytes in URL-safe base64.
func GenerateKey() (string, error) {
	var k fernet.Key
	if err := k.Generate(); err != nil {
		return "", fmt.Errorf("generate a key: %w", err)
	}
	return k.Encode(), nil
}

// New makes a vault from one Fernet key or several separated by commas, the
// newest first. To rotate, put a new key before the old one; to retire the old
// one, write every system's configuration once more and take it from the list.
// The error never shows a key.
func New(keys Secret) (*Vault, error) {
	v := &Vault{}
	for i, text := range strings.Split(keys.Reveal(), ",") {
		key, err := fernet.DecodeKey(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("key %d is not a Fernet key (32 bytes in base64, as `bridgecore keygen` prints)", i+1)
		}
		v.keys = append(v.keys, key)
	}
	return v, nil
}

// Seal encrypts a value as JSON.
func (v *Vault) Seal(value any) (string, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("encode before encryption: %w", err)
	}
	token, err := fernet.EncryptAndSign(plain, v.keys[0])
	if err != nil {
		return "", fmt.Errorf("encrypt: %w", err)
	}
	return string(token), nil
}

// Open decrypts a sealed value into target. It fails with ErrUnreadable.
func (v *Vault) Open(sealed string, target any) error {
	// 0: stored values don't expire.
	plain := fernet.VerifyAndDecrypt([]byte(sealed), 0, v.keys)
	if plain == nil {
		return ErrUnreadable
	}
	if err := json.Unmarshal(plain, target); err != nil {
		// The cause would quote the plain text.
		return ErrUnreadable
	}
	return nil
}

// Derive returns a key for another purpose, made of the newest key. It is
// another one after a rotation.
func (v *Vault) Derive(purpose string) []byte {
	key, err := hkdf.Key(sha256.New, v.keys[0][:], nil, "bridgecore "+purpose, sha256.Size)
	if err != nil {
		panic(err) //nolint:forbidigo // the length is constant
	}
	return key
}
