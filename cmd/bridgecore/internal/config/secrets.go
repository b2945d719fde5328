package config

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

// minSecret is the least length of a signing key, in characters.
const minSecret = 32

// secretsFile keeps what was generated in development, in DataDir.
const secretsFile = "secrets.env"

// FillSecrets makes sure that there is a signing key, in JWTSecretKey, and an
// encryption key, and that they are good ones. Outside development a missing,
// short or well-known one is an error (an Errors). In development a missing one
// is generated and kept in a file in DataDir; note then says so.
func (c *Config) FillSecrets() (note string, err error) {
	name := "JWT_SECRET_KEY"
	if c.JWTSecretKey.IsZero() {
		name = "SECRET_KEY"
		c.JWTSecretKey = c.SecretKey
	}
	var errs Errors
	if c.Environment != Development {
		if c.JWTSecretKey.IsZero() {
			errs = append(errs, errors.New("SECRET_KEY: must be set in "+string(c.Environment)+"; make one with: openssl rand -hex 32"))
		} else if why := weakness(c.JWTSecretKey.Reveal()); why != "" {
			errs = append(errs, fmt.Errorf("%s: %s; make one with: openssl rand -hex 32", name, why))
		}
		if c.EncryptionKey.IsZero() {
			errs = append(errs, errors.New("ENCRYPTION_KEY: must be set in "+string(c.Environment)+"; make one with: bridgecore keygen"))
		}
		if len(errs) > 0 {
			return "", errs
		}
		return "", nil
	}
	if !c.JWTSecretKey.IsZero() && !c.EncryptionKey.IsZero() {
		return "", nil
	}
	path := filepath.Join(c.DataDir, secretsFile)
	kept, created, err := keptSecrets(path)
	if err != nil {
		return "", fmt.Errorf("keep generated secrets: %w", err)
	}
	if c.JWTSecretKey.IsZero() {
		c.JWTSecretKey = kept.JWTSecretKey
	}
	if c.EncryptionKey.IsZero() {
		c.EncryptionKey = kept.EncryptionKey
	}
	if created {
		note = "generated secrets for development and kept them in " + path + "; in production set SECRET_KEY and ENCRYPTION_KEY"
	}
	return note, nil
}

// keptSecrets reads the file of generated secrets, or generates it.
func keptSecrets(path string) (c *Config, created bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, false, err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if created, err = generateSecrets(path); err != nil {
			return nil, false, err
		}
	}
	vars, err := readDotenv(path)
	if err != nil {
		return nil, false, err
	}
	c = &Config{JWTSecretKey: vault.NewSecret(vars["JWT_SECRET_KEY"]), EncryptionKey: vault.NewSecret(vars["ENCRYPTION_KEY"])}
	if c.JWTSecretKey.IsZero() || c.EncryptionKey.IsZero() {
		return nil, false, fmt.Errorf("%s must hold JWT_SECRET_KEY and ENCRYPTION_KEY; remove it to generate new ones (registered systems must then be registered again)", path)
	}
	return c, created, nil
}

// generateSecrets writes the file whole or not at all: of several processes
// that start at once, one wins and the others read what it wrote.
func generateSecrets(path string) (created bool, err error) {
	key, err := vault.GenerateKey()
	if err != nil {
		return false, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".secrets-*") // mode 0600
	if err != nil {
		return false, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = fmt.Fprintf(f, "# Generated for development. Without these, tokens and registered systems are lost.\nJWT_SECRET_KEY=%s\nENCRYPTION_KEY=%s\n", rand.Text()+rand.Text(), key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return false, err
	}
	switch err := os.Link(f.Name(), path); {
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}

// wellKnown are words of placeholders that people forget to replace.
var wellKnown = []string{"your-secret", "your_secret", "secret-key", "secret_key", "changeme", "change-me", "change_me", "change-this", "change_this", "change-in-production", "replace-me", "example", "password", "default", "insecure", "please-change"}

// weakness tells why a signing key is no secret, or "".
func weakness(key string) string {
	lower := strings.ToLower(key)
	for _, word := range wellKnown {
		if strings.Contains(lower, word) {
			return "is a placeholder"
		}
	}
	if len(key) < minSecret {
		return fmt.Sprintf("is too short: it needs %d characters or more", minSecret)
	}
	seen := map[rune]bool{}
	for _, c := range key {
		seen[c] = true
	}
	if len(seen) < 8 {
		return "is too uniform to be random"
	}
	return ""
}
