package harness

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// ClientKeys are those of the clients that prove who they are with a key. The
// files hold private keys.
type ClientKeys struct {
	// RS256 is a PKCS#8 PEM file, ES256 a SEC1 one, PS256 a JWK with a kid.
	RS256, ES256, PS256 string
	// Certificate is a client's: its authority vouches for the client mtls-ca,
	// and the client mtls-self-signed has registered the certificate itself.
	Certificate *Certificate
	sets        map[string]jose.JSONWebKeySet
}

// PS256KeyID is the kid of the client key-ps256.
const PS256KeyID = "a key of its own"

// NewClientKeys makes keys for all of them.
func NewClientKeys(t testing.TB) *ClientKeys {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey := newKey(t)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(jose.JSONWebKey{Key: rsaKey, KeyID: PS256KeyID, Algorithm: "PS256"})
	if err != nil {
		t.Fatal(err)
	}
	k := &ClientKeys{Certificate: newCertificate(t, "client.example.test", x509.ExtKeyUsageClientAuth)}
	dir := t.TempDir()
	for name, file := range map[string]struct {
		path *string
		data []byte
	}{
		"rs256.pem":  {&k.RS256, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})},
		"es256.pem":  {&k.ES256, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})},
		"ps256.json": {&k.PS256, jwk},
	} {
		*file.path = filepath.Join(dir, name)
		if err := os.WriteFile(*file.path, file.data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	leaf, err := x509.ParseCertificate(k.Certificate.TLS.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	set := func(key jose.JSONWebKey) jose.JSONWebKeySet { return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}} }
	k.sets = map[string]jose.JSONWebKeySet{
		"key-rs256":        set(jose.JSONWebKey{Key: rsaKey.Public()}),
		"key-es256":        set(jose.JSONWebKey{Key: ecKey.Public()}),
		"key-ps256":        set(jose.JSONWebKey{Key: rsaKey.Public(), KeyID: PS256KeyID}),
		"mtls-self-signed": set(jose.JSONWebKey{Key: leaf.PublicKey, Certificates: []*x509.Certificate{leaf}}),
	}
	return k
}

func (k *ClientKeys) public(t testing.TB) string {
	t.Helper()
	data, err := json.Marshal(k.sets)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TokenSource is an issuer of subject tokens, as a build service is one.
type TokenSource struct {
	Issuer string
	key    crypto.Signer
}

// NewTokenSource makes one with a key of its own.
func NewTokenSource(t testing.TB) *TokenSource {
	t.Helper()
	return &TokenSource{Issuer: "https://ci.example.test", key: newKey(t)}
}

// Token signs one for five minutes.
func (s *TokenSource) Token(t testing.TB, subject, audience string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: "ci"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	token, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: s.Issuer, Subject: subject, Audience: jwt.Audience{audience},
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(5 * time.Minute)),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (s *TokenSource) public(t testing.TB) string {
	t.Helper()
	keys := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.key.Public(), KeyID: "ci", Algorithm: "ES256"}}}
	data, err := json.Marshal(map[string]any{"issuer": s.Issuer, "jwks": keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
