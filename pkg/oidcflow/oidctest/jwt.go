package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// parsedJWT is a JWT that somebody sent, RFC 7519. It is read and checked with
// the standard library alone, so that a client and this provider can't share a
// mistake of a JOSE library.
type parsedJWT struct {
	header, claims map[string]any
	signed         string
	signature      []byte
}

func parseJWT(text string) (*parsedJWT, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, errors.New("it has not three parts")
	}
	j := &parsedJWT{signed: parts[0] + "." + parts[1]}
	for i, into := range []*map[string]any{&j.header, &j.claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil || *into == nil {
			return nil, fmt.Errorf("part %d is no JSON object in base64url", i+1)
		}
	}
	var err error
	if j.signature, err = base64.RawURLEncoding.DecodeString(parts[2]); err != nil {
		return nil, errors.New("the signature is no base64url")
	}
	return j, nil
}

// text is a member that is a string, or "".
func text(o map[string]any, name string) string {
	s, _ := o[name].(string)
	return s
}

// number is a member that is a number.
func number(o map[string]any, name string) (int64, bool) {
	f, ok := o[name].(float64)
	return int64(f), ok
}

// texts is a member that is a string or a list of strings, as "aud" is.
func texts(o map[string]any, name string) []string {
	if s, ok := o[name].(string); ok {
		return []string{s}
	}
	var all []string
	list, _ := o[name].([]any)
	for _, v := range list {
		if s, ok := v.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// hashes are those of RFC 7518 §3.1.
var hashes = map[string]struct {
	kind crypto.Hash
	size int // of an ECDSA coordinate with the hash
}{"256": {crypto.SHA256, 32}, "384": {crypto.SHA384, 48}, "512": {crypto.SHA512, 66}}

// verify checks the signature. The algorithm has to fit the key.
func (j *parsedJWT) verify(key crypto.PublicKey) error {
	alg := text(j.header, "alg")
	if public, ok := key.(ed25519.PublicKey); ok {
		if alg != "EdDSA" && alg != "Ed25519" || !ed25519.Verify(public, []byte(j.signed), j.signature) {
			return errors.New("the signature is wrong")
		}
		return nil
	}
	if len(alg) != 5 {
		return fmt.Errorf("the algorithm %q is not known", alg)
	}
	h, ok := hashes[alg[2:]]
	if !ok {
		return fmt.Errorf("the algorithm %q is not known", alg)
	}
	sum := h.kind.New()
	_, _ = sum.Write([]byte(j.signed))
	digest := sum.Sum(nil)
	switch public := key.(type) {
	case *rsa.PublicKey:
		switch {
		case alg[:2] == "RS" && rsa.VerifyPKCS1v15(public, h.kind, digest, j.signature) == nil:
			return nil
		case alg[:2] == "PS" && rsa.VerifyPSS(public, h.kind, digest, j.signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil:
			return nil
		}
	case *ecdsa.PublicKey:
		// RFC 7518 §3.4: ES256 is P-256, and r and s stand one after the other.
		if alg[:2] == "ES" && (public.Curve.Params().BitSize+7)/8 == h.size && len(j.signature) == 2*h.size &&
			ecdsa.Verify(public, digest, new(big.Int).SetBytes(j.signature[:h.size]), new(big.Int).SetBytes(j.signature[h.size:])) {
			return nil
		}
	}
	return errors.New("the signature is wrong")
}

// publicJWK reads a public key, and makes its thumbprint, RFC 7638 §3. One
// with a private part is refused, RFC 9449 §4.3 point 7.
func publicJWK(jwk map[string]any) (key crypto.PublicKey, thumbprint string, err error) {
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
		if _, ok := jwk[private]; ok {
			return nil, "", errors.New("the key has a private part")
		}
	}
	part := func(name string) []byte {
		raw, failed := base64.RawURLEncoding.DecodeString(text(jwk, name))
		if failed != nil || len(raw) == 0 {
			err = fmt.Errorf("the key has no usable %q", name)
		}
		return raw
	}
	members := []string{"kty"}
	switch text(jwk, "kty") {
	case "EC":
		members = append(members, "crv", "x", "y")
		curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[text(jwk, "crv")]
		x, y := part("x"), part("y")
		if err == nil && curve == nil {
			err = errors.New("the key's curve is not known")
		}
		if err == nil {
			key, err = ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
		}
	case "RSA":
		members = append(members, "n", "e")
		n, e := part("n"), part("e")
		if err == nil && len(n) < 256 {
			err = errors.New("the RSA key is too short")
		}
		key = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	case "OKP":
		members = append(members, "crv", "x")
		x := part("x")
		if err == nil && (text(jwk, "crv") != "Ed25519" || len(x) != ed25519.PublicKeySize) {
			err = errors.New("the key's curve is not known")
		}
		key = ed25519.PublicKey(x)
	default:
		err = errors.New("the key's kind is not known")
	}
	if err != nil {
		return nil, "", err
	}
	required := map[string]any{} // encoding/json sorts the members, as the RFC wants them
	for _, name := range members {
		required[name] = text(jwk, name)
	}
	sum := sha256.Sum256(encode(required))
	return key, b64(sum[:]), nil
}
