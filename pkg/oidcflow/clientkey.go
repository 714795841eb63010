package oidcflow

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxKeyFile = 1 << 20 // room for a chain of certificates beside the key
	minRSABits = 2048    // RFC 7518 §3.3
	maxRSABits = 16384   // more only takes time
)

// ClientKey is the private key with which a client signs its assertions, RFC
// 7523 §2.2.
type ClientKey struct {
	// Signer signs: an RSA key, an ECDSA key of P-256, P-384 or P-521, or an
	// Ed25519 key.
	Signer crypto.Signer
	// ID is the "kid" that the provider knows the key by; "" sends none.
	ID string
	// Algorithm is the "alg"; "" goes by the key.
	Algorithm string
	// Thumbprint is the "x5t#S256" of the key's certificate, by which some
	// providers know the key, RFC 7515 §4.1.8; "" sends none.
	Thumbprint string
}

// KeyError is a private key that can't be used. Its text has nothing of the
// key.
type KeyError struct {
	Problem string
	hint    string
}

// Error implements error.
func (e *KeyError) Error() string { return e.Problem }

// Configuration says that the failure is this machine's and tells nothing
// about the provider.
func (e *KeyError) Configuration() bool { return true }

// Hint says what to do, or "".
func (e *KeyError) Hint() string { return e.hint }

// ParseClientKey reads a private key: PEM (PKCS#8, PKCS#1 or SEC1) or one JWK
// (RFC 7517). id and alg are the key's ID and algorithm; "" takes those of the
// JWK. The key's certificate may stand beside it and gives the thumbprint. What
// is wrong is a [KeyError].
func ParseClientKey(data []byte, id, alg string) (*ClientKey, error) {
	signer, jwk, err := parsePrivateKey(data)
	if err != nil {
		return nil, err
	}
	key := &ClientKey{Signer: signer, ID: id, Algorithm: alg}
	if key.ID == "" {
		key.ID = jwk.text("kid")
	}
	if key.Algorithm == "" {
		key.Algorithm = jwk.text("alg")
	}
	if key.Thumbprint = jwk.text("x5t#S256"); jwk == nil {
		key.Thumbprint = thumbprintOf(signer, data)
	}
	if err := key.check(); err != nil {
		return nil, err
	}
	return key, nil
}

// check says whether the algorithm goes with the key.
func (k *ClientKey) check() error {
	can := algorithmsOf(k.Signer.Public())
	if len(can) == 0 || k.Algorithm != "" && !slices.Contains(can, k.Algorithm) {
		return &KeyError{
			fmt.Sprintf("this key does not sign with %q", Clean(k.Algorithm)),
			"it signs with " + strings.Join(can, ", ") + ": set token_endpoint_auth_signing_alg",
		}
	}
	return nil
}

// parsePrivateKey reads a key in PEM or as a JWK; jwk is nil for PEM.
func parsePrivateKey(data []byte) (signer crypto.Signer, jwk object, err error) {
	text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	switch {
	case len(data) > maxKeyFile:
		return nil, nil, &KeyError{"it is too large for a key", ""}
	case len(text) == 0:
		return nil, nil, &KeyError{"it is empty", ""}
	case text[0] == '{':
		signer, jwk, err = parsePrivateJWK(text)
	case !bytes.Contains(text, []byte("-----BEGIN ")):
		err = &KeyError{"it is no key in PEM form and no JWK", "openssl pkey -in FILE -out key.pem writes PEM"}
	default:
		signer, err = parsePrivatePEM(text)
	}
	if err == nil {
		err = checkStrength(signer)
	}
	if err != nil {
		return nil, nil, err
	}
	return signer, jwk, nil
}

// parsePrivatePEM takes the first private key; parameters and certificates
// may stand before it.
func parsePrivatePEM(text []byte) (crypto.Signer, error) {
	problem := &KeyError{"its PEM form is broken", ""}
	for len(text) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		var key any
		var err error
		switch kind := block.Type; {
		case kind == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return nil, &KeyError{"the private key is encrypted, which is not supported", "openssl pkey -in FILE -out key.pem decrypts it; let nobody else read the result"}
		case kind == "OPENSSH PRIVATE KEY":
			return nil, &KeyError{"the private key is in OpenSSH's own form", "ssh-keygen -p -m PKCS8 -f FILE writes PKCS#8"}
		case kind == "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case kind == "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case kind == "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case strings.HasSuffix(kind, "PUBLIC KEY"):
			problem = &KeyError{"it is a public key, not the private one", ""}
			continue
		case strings.HasSuffix(kind, "CERTIFICATE"):
			problem = &KeyError{"it has a certificate but no private key", ""}
			continue
		default:
			problem = &KeyError{fmt.Sprintf("it has no private key, only %q", Clean(kind)), ""}
			continue
		}
		// The parsers' errors may quote what they read.
		signer, ok := key.(crypto.Signer)
		if err != nil || !ok {
			return nil, &KeyError{fmt.Sprintf("its %q is broken or of a kind that is not supported", block.Type), ""}
		}
		return signer, nil
	}
	return nil, problem
}

// parsePrivateJWK reads one JWK, RFC 7517 §4 and RFC 7518 §6.
func parsePrivateJWK(text []byte) (crypto.Signer, object, error) {
	o, err := parseObject(text)
	switch {
	case err != nil:
		return nil, nil, &KeyError{"it is no valid JSON", ""}
	case o.has("keys"):
		return nil, nil, &KeyError{"it is a set of keys", "put the one JWK into a file of its own"}
	case o.text("kty") == "oct":
		return nil, nil, &KeyError{"it is a symmetric key, not a private one", ""}
	case o.text("use") == "enc":
		return nil, nil, &KeyError{`it is a key for encryption ("use":"enc")`, ""}
	case o.has("kty") && !o.has("d"):
		return nil, nil, &KeyError{"it is a public key, not the private one", ""}
	}
	// Only the key's own members: a certificate in it need not be one that
	// Go's parser takes.
	own := object{}
	for _, name := range []string{"kty", "crv", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi"} {
		if o.has(name) {
			own[name] = o[name]
		}
	}
	broken := &KeyError{"the JWK is broken or of a kind that is not supported", ""}
	raw, err := json.Marshal(own)
	if err != nil {
		return nil, nil, broken
	}
	var key jose.JSONWebKey
	if key.UnmarshalJSON(raw) != nil || !key.Valid() {
		return nil, nil, broken
	}
	signer, ok := key.Key.(crypto.Signer)
	if !ok || !consistent(signer) {
		return nil, nil, broken
	}
	return signer, o, nil
}

// consistent says whether the private half of a JWK belongs to the public
// one.
func consistent(signer crypto.Signer) bool {
	switch key := signer.(type) {
	case *rsa.PrivateKey:
		return key.Validate() == nil
	case *ecdsa.PrivateKey:
		raw, err := key.Bytes()
		if err != nil {
			return false
		}
		again, err := ecdsa.ParseRawPrivateKey(key.Curve, raw)
		return err == nil && again.PublicKey.Equal(&key.PublicKey)
	case ed25519.PrivateKey:
		return true // go-jose has compared them
	}
	return false
}

func checkStrength(signer crypto.Signer) error {
	switch key := signer.Public().(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return &KeyError{
				fmt.Sprintf("the RSA key has %d bits: it takes %d to %d", bits, minRSABits, maxRSABits),
				"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem makes a good key",
			}
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
		if len(algorithmsOf(key)) == 0 {
			return &KeyError{"the key is on a curve that is not supported", "use P-256, P-384 or P-521"}
		}
	default:
		return &KeyError{"the key is of a kind that is not supported", "use an RSA, EC or Ed25519 key"}
	}
	return nil
}
