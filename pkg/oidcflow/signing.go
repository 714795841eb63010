package oidcflow

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

// algorithmsOf are the algorithms that a public key can sign with, the usual
// one first, RFC 7518 §3.1 and RFC 8037 §3.1.
func algorithmsOf(key crypto.PublicKey) []string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return []string{"RS256", "PS256", "RS384", "PS384", "RS512", "PS512"}
	case *ecdsa.PublicKey:
		switch key.Curve.Params().Name {
		case "P-256":
			return []string{"ES256"}
		case "P-384":
			return []string{"ES384"}
		case "P-521":
			return []string{"ES512"}
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	}
	return nil
}

// pickAlgorithm is the first of the key's algorithms that is among those
// listed, or the first of all if none are listed; "" if there is none.
func pickAlgorithm(key crypto.PublicKey, listed []string) string {
	can := algorithmsOf(key)
	if len(can) == 0 {
		return ""
	}
	if len(listed) == 0 {
		return can[0]
	}
	if i := slices.IndexFunc(can, func(alg string) bool { return slices.Contains(listed, alg) }); i >= 0 {
		return can[i]
	}
	return ""
}

// signJWT signs claims with the key; kid may be "".
func signJWT(signer crypto.Signer, alg, kid string, options *jose.SignerOptions, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	var key any = signer
	switch signer.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey:
	default: // a key that can't be taken out, such as a smart card's
		key = cryptosigner.Opaque(signer)
	}
	if kid != "" {
		key = jose.JSONWebKey{Key: key, KeyID: kid}
	}
	js, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, options)
	if err != nil {
		return "", err
	}
	signed, err := js.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
