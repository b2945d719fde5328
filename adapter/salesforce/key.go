package salesforce

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
)

// parsePrivateKey reads an RSA key in PEM. Its errors hold nothing of the key.
func parsePrivateKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, wrongField("private_key", "is not PEM; it must begin with -----BEGIN PRIVATE KEY-----")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, wrongField("private_key", "holds no key that can be read; give it without a passphrase, as PKCS #1 or PKCS #8")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, wrongField("private_key", "is no RSA key; Salesforce takes signatures by RS256 alone")
	}
	return key, nil
}
