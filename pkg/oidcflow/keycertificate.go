package oidcflow

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
)

// thumbprintOf gives the SHA-256 thumbprint of the key's own certificate among
// those in PEM form, RFC 7515 §4.1.8; "" if there is none.
func thumbprintOf(key crypto.Signer, text []byte) string {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	for ok {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil && public.Equal(certificate.PublicKey) {
			sum := sha256.Sum256(block.Bytes)
			return base64.RawURLEncoding.EncodeToString(sum[:])
		}
	}
	return ""
}
