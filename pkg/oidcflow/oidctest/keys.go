package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"sync"
)

// Signature is a way to sign ID tokens wrongly.
type Signature string

// The ways. The zero value signs as it should.
const (
	SignatureGood       Signature = ""
	SignatureWrong      Signature = "wrong"       // a published key id, another key
	SignatureUnknownKey Signature = "unknown-key" // a key id that is not published
	SignatureNone       Signature = "none"        // alg none, RFC 7519 §6
	SignatureHMAC       Signature = "hmac"        // HS256 with the public key as the secret
)

// signingKey is a key of the provider, RFC 7517.
type signingKey struct {
	id, algorithm string
	private       crypto.Signer
}

// Making an RSA key takes a good part of a second, so providers of one test
// binary share their first ones. Nothing is made before a provider starts.
var (
	sharedRSA = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })
	otherRSA  = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })
)

func firstKey(algorithm string) (signingKey, error) {
	if algorithm == "" || algorithm == "RS256" {
		key, err := sharedRSA()
		return signingKey{"key-1", "RS256", key}, err
	}
	return newKey("key-1", algorithm)
}

func newKey(id, algorithm string) (signingKey, error) {
	switch algorithm {
	case "", "RS256":
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		return signingKey{id, "RS256", key}, err
	case "ES256":
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		return signingKey{id, "ES256", key}, err
	default:
		return signingKey{}, fmt.Errorf("the test provider has no algorithm %q", algorithm)
	}
}

// otherKey is a key of the same kind that is never published.
func otherKey(like signingKey) (signingKey, error) {
	if like.algorithm == "RS256" {
		key, err := otherRSA()
		return signingKey{like.id, like.algorithm, key}, err
	}
	return newKey(like.id, like.algorithm)
}

// RotateKeys makes a new signing key. The old ones stay published if keep is
// true, as a careful provider does; otherwise they are gone at once.
func (p *Provider) RotateKeys(keep bool) {
	p.mu.Lock()
	p.rotations++
	id := fmt.Sprintf("key-%d", p.rotations+1)
	p.mu.Unlock()
	key, err := newKey(id, p.algorithm)
	if err != nil {
		panic(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !keep {
		p.keys = nil
	}
	p.keys = append([]signingKey{key}, p.keys...)
}

// jwk is the public half, RFC 7517 §4.
func (k signingKey) jwk() map[string]any {
	answer := map[string]any{"kid": k.id, "alg": k.algorithm, "use": "sig"}
	switch public := k.private.Public().(type) {
	case *rsa.PublicKey:
		answer["kty"] = "RSA"
		answer["n"] = b64(public.N.Bytes())
		answer["e"] = b64(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := public.Bytes() // 4, then x and y
		if err != nil {
			panic(err)
		}
		answer["kty"], answer["crv"] = "EC", "P-256"
		answer["x"], answer["y"] = b64(point[1:33]), b64(point[33:])
	}
	return answer
}

// jwt signs claims, RFC 7515 §7.1.
func (k signingKey) jwt(kind string, claims map[string]any, how Signature) string {
	header := map[string]any{"alg": k.algorithm, "kid": k.id, "typ": kind}
	switch how {
	case SignatureNone:
		header = map[string]any{"alg": "none", "typ": kind}
	case SignatureHMAC:
		header["alg"] = "HS256"
	case SignatureUnknownKey:
		header["kid"] = "not-published"
	}
	text := b64(encode(header)) + "." + b64(encode(claims))
	return text + "." + b64(k.sign([]byte(text), how))
}

func (k signingKey) sign(text []byte, how Signature) []byte {
	digest := sha256.Sum256(text)
	switch how {
	case SignatureNone:
		return nil
	case SignatureHMAC:
		mac := hmac.New(sha256.New, encode(k.jwk()))
		_, _ = mac.Write(text)
		return mac.Sum(nil)
	case SignatureWrong, SignatureUnknownKey:
		other, err := otherKey(k)
		if err != nil {
			panic(err)
		}
		return other.sign(text, SignatureGood)
	}
	if key, ok := k.private.(*ecdsa.PrivateKey); ok {
		// RFC 7518 §3.4: r and s one after the other, not ASN.1.
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			panic(err)
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	signature, err := k.private.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	return signature
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
