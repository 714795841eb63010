package oidcflow

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// maxKeysTried bounds the work for a token that does not name its key.
const maxKeysTried = 50

// Keys fetches the provider's keys, a JWK set (RFC 7517 §5).
func (c *Client) Keys(ctx context.Context, md *Metadata) ([]byte, error) {
	const operation = "keys"
	a, err := c.get(ctx, operation, md.JWKSURI, "application/jwk-set+json, application/json", Secret{})
	if err != nil {
		return nil, err
	}
	o, err := a.object(operation)
	if err != nil {
		return nil, err
	}
	var keys []json.RawMessage
	if json.Unmarshal(o["keys"], &keys) != nil || keys == nil {
		return nil, a.failure(operation)
	}
	return a.body, nil
}

// candidates are the public keys of the set that may have signed a token
// which names the key kid ("": none named) and the algorithm alg. A set that
// can't be read has none. Keys that are of no use, of a kind that is not
// known or broken are passed over, RFC 7517 §5.
func candidates(jwks []byte, kid, alg string) []crypto.PublicKey {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if len(jwks) > maxAnswer || json.Unmarshal(jwks, &set) != nil {
		return nil
	}
	var found []crypto.PublicKey
	for _, raw := range set.Keys {
		if len(found) == maxKeysTried {
			break
		}
		o, err := parseObject(raw)
		if err != nil || !mayVerify(o, kid, alg) {
			continue
		}
		if key, err := publicKey(o); err == nil {
			found = append(found, key)
		}
	}
	return found
}

func mayVerify(o object, kid, alg string) bool {
	if kid != "" && o.text("kid") != kid {
		return false
	}
	if use := o.text("use"); use != "" && use != "sig" {
		return false
	}
	if a := o.text("alg"); a != "" && a != alg {
		return false
	}
	return o.text("kty") == keyType(alg)
}

// keyType is the "kty" that goes with an algorithm, RFC 7518 §3.1 and RFC
// 8037 §3.1.
func keyType(alg string) string {
	switch {
	case strings.HasPrefix(alg, "RS"), strings.HasPrefix(alg, "PS"):
		return "RSA"
	case strings.HasPrefix(alg, "ES"):
		return "EC"
	case alg == "EdDSA":
		return "OKP"
	}
	return ""
}

// publicKey reads the public half of a JWK and nothing else: a certificate in
// it may be one that Go's parser refuses, and we don't go by it.
func publicKey(o object) (crypto.PublicKey, error) {
	public := object{}
	for _, name := range []string{"kty", "crv", "x", "y", "n", "e"} {
		if o.has(name) {
			public[name] = o[name]
		}
	}
	raw, err := json.Marshal(public)
	if err != nil {
		return nil, err
	}
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	if !key.Valid() || !key.IsPublic() {
		return nil, errors.New("no valid public key")
	}
	return key.Key, nil
}
