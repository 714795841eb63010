package oidcflow

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"slices"
	"testing"
	"time"
)

// The certificate of the key itself gives the thumbprint, wherever it stands
// in the file; another's does not.
func TestThumbprintOfTheKeysCertificate(t *testing.T) {
	key, text := keyWithCertificate(t)
	other, otherText := keyWithCertificate(t)
	block, _ := pem.Decode(text.certificate)
	sum := sha256.Sum256(block.Bytes)
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	for name, tc := range map[string]struct {
		data [][]byte
		want string
	}{
		"after the key":          {[][]byte{text.key, text.certificate}, want},
		"before the key":         {[][]byte{text.certificate, text.key}, want},
		"behind another's":       {[][]byte{text.key, otherText.certificate, text.certificate}, want},
		"another's alone":        {[][]byte{text.key, otherText.certificate}, ""},
		"none":                   {[][]byte{text.key}, ""},
		"broken":                 {[][]byte{text.key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})}, ""},
		"of another, its own in": {[][]byte{otherText.key, text.certificate}, ""},
	} {
		got, err := ParseClientKey(slices.Concat(tc.data...), "", "")
		if err != nil || got.Thumbprint != tc.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if key.Equal(other) {
		t.Fatal("the same key twice")
	}
	jwk, err := ParseClientKey([]byte(`{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","x5t#S256":"abc"}`), "", "")
	if err != nil || jwk.Thumbprint != "abc" {
		t.Errorf("of a JWK: %+v, %v", jwk, err)
	}
}

type pemPair struct{ key, certificate []byte }

func keyWithCertificate(t *testing.T) (*ecdsa.PrivateKey, pemPair) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, pemPair{
		key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
	}
}
