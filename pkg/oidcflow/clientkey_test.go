package oidcflow

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

var p384Key = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

var edKey = sync.OnceValue(func() ed25519.PrivateKey {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

func pemOf(kind string, der []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func pkcs8(key any) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pemOf("PRIVATE KEY", der, err)
}

func pkcs1(key *rsa.PrivateKey) []byte {
	return pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), nil)
}

func sec1(key *ecdsa.PrivateKey) []byte {
	der, err := x509.MarshalECPrivateKey(key)
	return pemOf("EC PRIVATE KEY", der, err)
}

// jwk gives the members of a key, changed.
func jwk(key any, changes map[string]any) []byte {
	raw, err := jose.JSONWebKey{Key: key}.MarshalJSON()
	if err != nil {
		panic(err)
	}
	var o map[string]any
	if err := json.Unmarshal(raw, &o); err != nil {
		panic(err)
	}
	for name, value := range changes {
		if value == nil {
			delete(o, name)
		} else {
			o[name] = value
		}
	}
	if raw, err = json.Marshal(o); err != nil {
		panic(err)
	}
	return raw
}

func TestParseClientKey(t *testing.T) {
	ecParameters := pemOf("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}, nil)
	certificate := pemOf("CERTIFICATE", []byte("any"), nil)
	for _, tc := range []struct {
		name    string
		data    []byte
		id, alg string
		key     crypto.PublicKey
		want    ClientKey
		signs   string
	}{
		{"PKCS#8, RSA", pkcs8(rsaKey()), "", "", rsaKey().Public(), ClientKey{}, "RS256"},
		{"PKCS#8, EC", pkcs8(ecKey()), "k1", "", ecKey().Public(), ClientKey{ID: "k1"}, "ES256"},
		{"PKCS#8, Ed25519", pkcs8(edKey()), "", "", edKey().Public(), ClientKey{}, "EdDSA"},
		{"PKCS#1", pkcs1(rsaKey()), "", "PS256", rsaKey().Public(), ClientKey{Algorithm: "PS256"}, "PS256"},
		{"SEC1", sec1(p384Key()), "", "", p384Key().Public(), ClientKey{}, "ES384"},
		{"parameters before the key", append(ecParameters, sec1(ecKey())...), "", "", ecKey().Public(), ClientKey{}, "ES256"},
		{"a certificate before the key", append(certificate, pkcs8(ecKey())...), "", "", ecKey().Public(), ClientKey{}, "ES256"},
		{"text around it", append([]byte("\xef\xbb\xbfBag Attributes\n  friendlyName: x\r\n"), pkcs8(ecKey())...), "", "", ecKey().Public(), ClientKey{}, "ES256"},
		{"JWK, EC", jwk(ecKey(), map[string]any{"kid": "in the JWK", "alg": "ES256", "use": "sig"}), "", "", ecKey().Public(), ClientKey{ID: "in the JWK", Algorithm: "ES256"}, "ES256"},
		{"JWK, RSA", jwk(rsaKey(), map[string]any{"alg": "RS256", "kid": "a", "x5c": []string{"broken"}}), "b", "PS256", rsaKey().Public(), ClientKey{ID: "b", Algorithm: "PS256"}, "PS256"},
		{"JWK, Ed25519", append([]byte("\n "), jwk(edKey(), nil)...), "", "", edKey().Public(), ClientKey{}, "EdDSA"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseClientKey(tc.data, tc.id, tc.alg)
			if err != nil {
				t.Fatal(err)
			}
			if got.ID != tc.want.ID || got.Algorithm != tc.want.Algorithm || !tc.key.(interface{ Equal(crypto.PublicKey) bool }).Equal(got.Signer.Public()) {
				t.Errorf("ID %q, algorithm %q", got.ID, got.Algorithm)
			}
			if alg, err := got.algorithm(nil); err != nil || alg != tc.signs {
				t.Errorf("signs with %q, %v", alg, err)
			}
		})
	}
}

func TestParseClientKeyRefuses(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // what must be refused
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(ecKey().Public())
	other := jwk(p384Key(), nil)
	var o map[string]any
	if err := json.Unmarshal(other, &o); err != nil {
		t.Fatal(err)
	}
	encrypted := pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Bytes: []byte("any"), Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"},
	})
	for _, tc := range []struct {
		name, alg string
		data      []byte
		says      string
	}{
		{"nothing", "", nil, "empty"},
		{"blanks", "", []byte(" \n"), "empty"},
		{"a word", "", []byte("hello"), "no key in PEM form and no JWK"},
		{"DER", "", x509.MarshalPKCS1PrivateKey(rsaKey()), "no key in PEM form and no JWK"},
		{"too large", "", []byte(strings.Repeat("a", maxKeyFile+1)), "too large"},
		{"PEM without an end", "", []byte("-----BEGIN PRIVATE KEY-----\nAAAA"), "broken"},
		{"PEM of something else", "", pemOf("PRIVATE KEY", []byte("something else"), nil), `"PRIVATE KEY" is broken`},
		{"PKCS#8 that says PKCS#1", "", pemOf("RSA PRIVATE KEY", mustDER(pkcs8(rsaKey())), nil), `"RSA PRIVATE KEY" is broken`},
		{"encrypted PKCS#8", "", pemOf("ENCRYPTED PRIVATE KEY", []byte("any"), nil), "encrypted"},
		{"encrypted in the old way", "", encrypted, "encrypted"},
		{"OpenSSH", "", pemOf("OPENSSH PRIVATE KEY", []byte("any"), nil), "OpenSSH"},
		{"public key", "", pemOf("PUBLIC KEY", public, err), "public key"},
		{"RSA public key", "", pemOf("RSA PUBLIC KEY", []byte("any"), nil), "public key"},
		{"certificate", "", pemOf("CERTIFICATE", []byte("any"), nil), "certificate but no private key"},
		{"something else", "", pemOf("DH PARAMETERS\x1b[31m", []byte("any"), nil), "no private key"},
		{"small RSA key", "", pkcs8(small), "1024 bits"},
		{"small RSA key, JWK", "", jwk(small, nil), "1024 bits"},
		{"small curve", "", pkcs8(p224), "curve"},
		{"algorithm of another kind", "RS256", pkcs8(ecKey()), `does not sign with "RS256"`},
		{"algorithm of another curve", "ES384", pkcs8(ecKey()), `does not sign with "ES384"`},
		{"none", "none", pkcs8(ecKey()), `does not sign with "none"`},
		{"HMAC", "HS256", pkcs8(rsaKey()), `does not sign with "HS256"`},
		{"JWK's algorithm is another's", "", jwk(ecKey(), map[string]any{"alg": "RS256"}), `does not sign with "RS256"`},
		{"public JWK", "", jwk(ecKey().Public(), nil), "public key"},
		{"JWK set", "", []byte(`{"keys":[` + string(jwk(ecKey(), nil)) + `]}`), "set of keys"},
		{"symmetric JWK", "", []byte(`{"kty":"oct","k":"aHVzaC1odXNo"}`), "symmetric"},
		{"JWK for encryption", "", jwk(ecKey(), map[string]any{"use": "enc"}), "encryption"},
		{"JWK of no kind", "", jwk(ecKey(), map[string]any{"kty": nil}), "broken"},
		{"JWK of an unknown kind", "", jwk(ecKey(), map[string]any{"kty": "XX"}), "broken"},
		{"JWK with halves of two keys", "", jwk(p384Key(), map[string]any{"d": base64.RawURLEncoding.EncodeToString(make([]byte, 48))}), "broken"},
		{"RSA JWK without its primes", "", jwk(rsaKey(), map[string]any{"p": nil, "q": nil}), "broken"},
		{"broken JSON", "", append(jwk(ecKey(), nil), 'x'), "JSON"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			key, err := ParseClientKey(tc.data, "", tc.alg)
			var e *KeyError
			if !errors.As(err, &e) || key != nil || !e.Configuration() || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("%v, %v", key, err)
			}
			if strings.ContainsAny(err.Error()+e.Hint(), "\x1b\n") || leaks(err.Error()+e.Hint(), tc.data) {
				t.Errorf("the text is %q", err)
			}
		})
	}
}

func mustDER(text []byte) []byte {
	block, _ := pem.Decode(text)
	return block.Bytes
}

// leaks says whether a text has a piece of the file in it.
func leaks(text string, data []byte) bool {
	for i := 0; i+16 <= len(data); i++ {
		piece := string(data[i : i+16])
		if !strings.Contains("-----BEGIN RSA PRIVATE KEY----- -----BEGIN ENCRYPTED PRIVATE KEY----- -----BEGIN OPENSSH PRIVATE KEY-----", piece) && strings.Contains(text, piece) {
			return true
		}
	}
	return false
}

func FuzzParseClientKey(f *testing.F) {
	for _, seed := range [][]byte{
		pkcs8(ecKey()), pkcs8(rsaKey()), pkcs8(edKey()), sec1(ecKey()), jwk(ecKey(), map[string]any{"kid": "a"}), jwk(edKey(), nil),
		[]byte(`{"kty":"RSA","n":"AQ","e":"AQAB","d":"AQ","p":"AQ","q":"AQ"}`), []byte(`{"kty":"EC","crv":"P-256","x":"","y":"","d":""}`), []byte("{}"),
		pemOf("CERTIFICATE", []byte("x"), nil), []byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----\n"),
	} {
		f.Add(seed, "")
	}
	f.Add([]byte(`{"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA"}`), "EdDSA")
	f.Fuzz(func(t *testing.T, data []byte, alg string) {
		key, err := ParseClientKey(data, "", alg)
		if err != nil {
			var e *KeyError
			if key != nil || !errors.As(err, &e) {
				t.Fatalf("%v, %v", key, err)
			}
			return
		}
		picked, err := key.algorithm(nil)
		if err != nil {
			t.Fatalf("a key that was taken has no algorithm: %v", err)
		}
		if _, err := signJWT(key.Signer, picked, key.ID, &jose.SignerOptions{}, "x"); err != nil {
			t.Fatalf("a key that was taken does not sign: %v", err)
		}
	})
}
