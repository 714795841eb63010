package oidcflow

import (
	"crypto/rand"
	"encoding/base64"
)

// randomText is 256 random bits as 43 URL-safe characters: a state (RFC 6749
// §10.12) or a nonce (OpenID Connect Core §15.5.2).
func randomText() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
