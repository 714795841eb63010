package oidcflow

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var errDPoPKey = errors.New("DPoP: the key that the tokens are bound to can't be read")

// newDPoPKey makes a key for one session, RFC 9449 §4.2: ES256, which every
// provider with DPoP has, unless it lists others. The text is PKCS#8 in
// base64.
func newDPoPKey(listed []string) (Secret, error) {
	var key any
	var err error
	switch {
	case len(listed) == 0, slices.Contains(listed, "ES256"):
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case slices.Contains(listed, "ES384"):
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case slices.Contains(listed, "EdDSA"):
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case slices.Contains(listed, "RS256"), slices.Contains(listed, "PS256"):
		key, err = rsa.GenerateKey(rand.Reader, minRSABits)
	case slices.Contains(listed, "ES512"):
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	default:
		return Secret{}, fmt.Errorf("DPoP: the provider takes only proofs with %s, which are not supported", Clean(strings.Join(listed, ", ")))
	}
	if err != nil {
		return Secret{}, fmt.Errorf("DPoP: making a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Secret{}, fmt.Errorf("DPoP: making a key: %w", err)
	}
	return NewSecret(base64.StdEncoding.EncodeToString(der)), nil
}

func parseDPoPKey(key Secret) (crypto.Signer, error) {
	der, err := base64.StdEncoding.DecodeString(key.Reveal())
	if err != nil {
		return nil, errDPoPKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errDPoPKey
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok || len(algorithmsOf(signer.Public())) == 0 {
		return nil, errDPoPKey
	}
	return signer, nil
}

// thumbprint is the "jkt" of a key, RFC 9449 §6.1 and RFC 7638.
func thumbprint(key Secret) (string, error) {
	signer, err := parseDPoPKey(key)
	if err != nil {
		return "", err
	}
	jwk := jose.JSONWebKey{Key: signer.Public()}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("DPoP: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// proof is what a DPoP proof is about, RFC 9449 §4.2.
type proof struct {
	method, endpoint string
	now              time.Time
	nonce            string // "" none
	access           Secret // that is shown with it; zero at the token endpoint
	listed           []string
}

// sign makes the proof. It is good for one request.
func (p proof) sign(key Secret) (string, error) {
	signer, err := parseDPoPKey(key)
	if err != nil {
		return "", err
	}
	target, err := url.Parse(p.endpoint)
	if err != nil {
		return "", errors.New("DPoP: the endpoint is no URL")
	}
	claims := map[string]any{
		"jti": randomText(),
		"htm": p.method,
		"htu": withoutQuery(target),
		"iat": p.now.Add(-behind).Unix(),
	}
	if p.nonce != "" {
		claims["nonce"] = p.nonce
	}
	if !p.access.IsZero() {
		hash := sha256.Sum256([]byte(p.access.Reveal()))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(hash[:])
	}
	// A key that is in use stays so, whatever the provider lists by now.
	alg := pickAlgorithm(signer.Public(), p.listed)
	if alg == "" {
		alg = pickAlgorithm(signer.Public(), nil)
	}
	options := (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")
	signed, err := signJWT(signer, alg, "", options, claims)
	if err != nil {
		return "", fmt.Errorf("DPoP: %w", err)
	}
	return signed, nil
}

// withoutQuery is the "htu": the target without query and fragment.
func withoutQuery(target *url.URL) string {
	u := url.URL{Scheme: target.Scheme, Host: target.Host, Path: target.Path, RawPath: target.RawPath}
	if u.Path == "" {
		u.Path = "/" // as it is sent
	}
	return u.String()
}
