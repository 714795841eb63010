package oidcflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" // RFC 7523 §2.2
	// assertionLifetime is long enough for clocks that differ a little, and
	// well below the five minutes that some providers allow at most.
	assertionLifetime = 2 * time.Minute
	// behind is how far back proofs and assertions are dated: a server whose
	// clock is a moment behind, and that allows nothing, would take one for
	// coming from the future.
	behind = 2 * time.Second
)

// assertion makes the JWT with which the client authenticates itself, RFC
// 7523 §3 and OpenID Connect Core §9. It is good for one request.
func (c *Client) assertion(ctx context.Context, md *Metadata) (Secret, error) {
	key, err := c.ClientKey(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return Secret{}, ctx.Err()
	case err != nil:
		return Secret{}, &ClientAuthError{Err: err}
	case key == nil || key.Signer == nil:
		return Secret{}, &ClientAuthError{Err: errors.New("there is no private key")}
	}
	alg, err := key.algorithm(md.TokenEndpointAuthSigningAlgs)
	if err != nil {
		return Secret{}, err
	}
	now := c.now()
	options := &jose.SignerOptions{}
	if key.Thumbprint != "" {
		options.WithHeader("x5t#S256", key.Thumbprint)
	}
	signed, err := signJWT(key.Signer, alg, key.ID, options, map[string]any{
		"iss": c.ClientID,
		"sub": c.ClientID,
		"aud": c.assertionAudience(md),
		"jti": randomText(),
		"iat": now.Add(-behind).Unix(),
		"exp": now.Add(assertionLifetime).Unix(),
	})
	if err != nil {
		return Secret{}, &ClientAuthError{Err: fmt.Errorf("the private key does not sign with %s: %w", alg, err)}
	}
	return NewSecret(signed), nil
}

// assertionAudience is the issuer by default: an assertion for the token
// endpoint's URL could be got by a provider that names another's endpoint as
// its own.
func (c *Client) assertionAudience(md *Metadata) string {
	switch c.AssertionAudience {
	case "":
		return md.Issuer
	case "token_endpoint":
		return md.TokenEndpoint
	default:
		return c.AssertionAudience
	}
}

// algorithm to sign with, checked against those that the provider lists. An
// empty list says nothing.
func (k *ClientKey) algorithm(listed []string) (string, error) {
	can := algorithmsOf(k.Signer.Public())
	if k.Algorithm != "" {
		if err := k.check(); err != nil {
			return "", &ClientAuthError{Err: err}
		}
		can = []string{k.Algorithm}
	}
	if len(can) == 0 {
		return "", &ClientAuthError{Err: errors.New("the private key is of a kind that signs no JWT")}
	}
	if len(listed) == 0 {
		return can[0], nil
	}
	if i := slices.IndexFunc(can, func(alg string) bool { return slices.Contains(listed, alg) }); i >= 0 {
		return can[i], nil
	}
	return "", fmt.Errorf("client authentication: the key signs with %s, but the provider takes only %s",
		strings.Join(can, ", "), Clean(strings.Join(listed, ", ")))
}
