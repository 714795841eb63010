package oidcflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

const (
	expiryLeeway = time.Minute     // clocks differ
	issuedLeeway = 5 * time.Minute // "iat" and "nbf" in the future
)

// Expect is what an ID token has to say beyond what the metadata and the
// client tell.
type Expect struct {
	// Nonce of the sign-in. After a refresh it is only compared where the
	// token has one, OpenID Connect Core §12.2. "" is not compared.
	Nonce string
	// AccessToken that came in the same answer; its hash is compared where
	// the token has one, §3.1.3.8. Leave it out when an old ID token was kept.
	AccessToken Secret
	// Subject of the session; "" is not compared.
	Subject string
	// Refresh: the token came with a refresh. What auth_params asks of the
	// person's authentication (max_age, an essential acr) is then not checked:
	// it was, at the sign-in.
	Refresh bool
	// Audience are others that the token may be meant for: those that a token
	// exchange asked it for, RFC 8693 §2.1. nil: it is for this client.
	Audience []string
	// Asked is when the sign-in began, from which max_age counts back; zero:
	// it counts from now.
	Asked time.Time
}

// IDClaims are what a verified ID token says.
type IDClaims struct {
	Issuer   string
	Subject  string
	Audience []string
	Expiry   time.Time
	IssuedAt time.Time
	Nonce    string

	// Claims that a provider may leave out, §5.1. They are its text: clean
	// them before they are shown.
	Name              string
	PreferredUsername string
	Email             string

	// Raw is the whole payload.
	Raw json.RawMessage
}

// IDTokenError is an ID token that proves wrong.
type IDTokenError struct {
	// Rule that it breaks: format, alg, signature, iss, aud, azp, exp, iat,
	// nbf, nonce, at_hash, sub, acr, auth_time, or missing where none came at
	// all.
	Rule    string
	Problem string
}

// Error implements error.
func (e *IDTokenError) Error() string { return "ID token: " + e.Problem }

// ClockRelated says that only a clock, maybe this machine's, stands against
// the token: every other rule holds.
func (e *IDTokenError) ClockRelated() bool {
	return e.Rule == "exp" || e.Rule == "iat" || e.Rule == "nbf"
}

// Hint says what to do; "" where this package knows nothing.
func (e *IDTokenError) Hint() string {
	switch e.Rule {
	case "acr":
		return "sign in in one of the ways that the claims in auth_params ask for, or change them"
	case "auth_time":
		return "add prompt=login to auth_params, if the provider does not heed max_age, or remove max_age"
	}
	return ""
}

// UnknownKeyError is an ID token that none of the keys has signed and whose
// own key is not among them: the provider may have new keys.
type UnknownKeyError struct {
	// KeyID that the token names; "" if it names none.
	KeyID string
	Alg   string
}

// Error implements error.
func (e *UnknownKeyError) Error() string {
	if e.KeyID == "" {
		return fmt.Sprintf("ID token: none of the provider's keys for %s has signed it", e.Alg)
	}
	return fmt.Sprintf("ID token: its key %q is not among the provider's keys for %s", e.KeyID, e.Alg)
}

// NeedsFreshKeys says whether err may be due to keys that are out of date: an
// unknown key, or, as some providers use a key's name again, a signature that
// does not fit. With keys fetched just now, the token is at fault.
func NeedsFreshKeys(err error) bool {
	var unknown *UnknownKeyError
	var wrong *IDTokenError
	return errors.As(err, &unknown) || errors.As(err, &wrong) && wrong.Rule == "signature"
}

// asymmetricAlgs are the algorithms for which there can be a public key, RFC
// 7518 §3.1. "none" and HS256 are not among them: with those, anyone who
// knows the client's public data could sign.
func asymmetricAlgs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
		jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// algorithms that the provider may sign with: those that it lists, or RS256,
// OpenID Connect Core §3.1.3.7 point 7.
func (md *Metadata) algorithms() []jose.SignatureAlgorithm {
	if len(md.IDTokenSigningAlgs) == 0 {
		return []jose.SignatureAlgorithm{jose.RS256}
	}
	return slices.DeleteFunc(asymmetricAlgs(), func(alg jose.SignatureAlgorithm) bool {
		return !slices.Contains(md.IDTokenSigningAlgs, string(alg))
	})
}

// VerifyIDToken checks an ID token by OpenID Connect Core §3.1.3.7, with the
// keys that [Client.Keys] gave. What is wrong is an [IDTokenError], or an
// [UnknownKeyError] if other keys might help. What a clock decides is looked
// at last, so that an error with ClockRelated vouches for all the rest.
func (c *Client) VerifyIDToken(md *Metadata, jwks []byte, raw Secret, x Expect) (*IDClaims, error) {
	algs := md.algorithms()
	if len(algs) == 0 {
		return nil, &IDTokenError{"alg", "the provider lists no algorithm with public keys"}
	}
	jws, err := jose.ParseSignedCompact(raw.Reveal(), algs)
	var unexpected *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &unexpected) && unexpected.Got != "":
		return nil, &IDTokenError{"alg", fmt.Sprintf("it is signed with %q, which the provider does not list", Clean(string(unexpected.Got)))}
	case err != nil || len(jws.Signatures) != 1:
		return nil, &IDTokenError{"format", "it is not a signed JWT"}
	}
	// Only what is signed counts.
	header := jws.Signatures[0].Protected
	keys := &keySet{StaticKeySet: oidc.StaticKeySet{PublicKeys: candidates(jwks, header.KeyID, header.Algorithm)}}
	if len(keys.PublicKeys) == 0 {
		return nil, &UnknownKeyError{KeyID: Clean(header.KeyID), Alg: header.Algorithm}
	}
	config := &oidc.Config{ClientID: c.ClientID, SkipExpiryCheck: true, SkipClientIDCheck: len(x.Audience) > 0}
	for _, alg := range algs {
		config.SupportedSigningAlgs = append(config.SupportedSigningAlgs, string(alg))
	}
	token, err := oidc.NewVerifier(md.Issuer, keys, config).Verify(context.Background(), raw.Reveal())
	switch {
	case err != nil && keys.failed && header.KeyID == "":
		return nil, &UnknownKeyError{Alg: header.Algorithm}
	case err != nil && keys.failed:
		return nil, &IDTokenError{"signature", "its signature is not the provider's"}
	case err != nil:
		return nil, c.whatIsWrong(md, keys.payload)
	}
	claims, err := c.checkClaims(token, keys.payload, x)
	if err != nil {
		return nil, err
	}
	if err := c.checkTimes(token, keys.payload, x); err != nil {
		return nil, err
	}
	return claims, nil
}

// keySet remembers what became of the signature: go-oidc's errors have no
// types.
type keySet struct {
	oidc.StaticKeySet
	payload []byte
	failed  bool
}

// VerifySignature implements [oidc.KeySet].
func (k *keySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.StaticKeySet.VerifySignature(ctx, jwt)
	k.payload, k.failed = payload, err != nil
	return payload, err
}
