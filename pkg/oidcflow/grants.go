package oidcflow

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// The grants without a person: RFC 7523 §2.1 and RFC 8693 §2.1.
const (
	jwtBearerGrant     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	tokenExchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// The token types of RFC 8693 §3.
const (
	tokenTypePrefix = "urn:ietf:params:oauth:token-type:"
	idTokenType     = tokenTypePrefix + "id_token"
)

// ClientCredentials asks for a token for the client itself, RFC 6749 §4.4.
func (c *Client) ClientCredentials(ctx context.Context, md *Metadata) (*Tokens, error) {
	return c.requestTokens(ctx, "client credentials", md, c.grantForm("client_credentials"))
}

// JWTBearer asks for a token for whoever the assertion is about, RFC 7523
// §2.1. The client may be a public one.
func (c *Client) JWTBearer(ctx context.Context, md *Metadata, assertion Secret) (*Tokens, error) {
	const operation = "JWT bearer grant"
	if assertion.IsZero() {
		return nil, errors.New(operation + ": there is no assertion")
	}
	form := c.grantForm(jwtBearerGrant)
	form.Set("assertion", assertion.Reveal())
	return c.requestTokens(ctx, operation, md, form)
}

// ExchangeOptions say what is exchanged for what, RFC 8693 §2.1. The types are
// URIs, or short names that [TokenTypeURI] knows.
type ExchangeOptions struct {
	SubjectToken Secret
	// SubjectTokenType; "" is jwt.
	SubjectTokenType string
	// RequestedTokenType; "" leaves it to the provider.
	RequestedTokenType string
}

// TokenExchange exchanges a token for another, RFC 8693. An ID token that is
// issued is in [Tokens.ID] as well as in [Tokens.Access].
func (c *Client) TokenExchange(ctx context.Context, md *Metadata, o ExchangeOptions) (*Tokens, error) {
	const operation = "token exchange"
	if o.SubjectToken.IsZero() {
		return nil, errors.New(operation + ": there is no subject token")
	}
	form := c.grantForm(tokenExchangeGrant)
	form.Set("subject_token", o.SubjectToken.Reveal())
	if o.SubjectTokenType == "" {
		o.SubjectTokenType = "jwt"
	}
	for _, t := range []struct{ parameter, name string }{
		{"subject_token_type", o.SubjectTokenType}, {"requested_token_type", o.RequestedTokenType},
	} {
		if t.name == "" {
			continue
		}
		uri := TokenTypeURI(t.name)
		if uri == "" {
			return nil, fmt.Errorf("%s: %s: %q is no token type", operation, t.parameter, Clean(t.name))
		}
		form.Set(t.parameter, uri)
	}
	t, err := c.requestTokens(ctx, operation, md, form)
	if err != nil {
		return nil, err
	}
	// §2.2.1: whatever was issued is in "access_token". Some servers leave the
	// required "issued_token_type" out, and mark what is no access token.
	issued := t.IssuedTokenType
	if issued == "" && strings.EqualFold(t.TokenType, "N_A") {
		issued = form.Get("requested_token_type")
	}
	if issued == idTokenType && t.ID.IsZero() {
		t.ID = t.Access
	}
	return t, nil
}

// TokenTypeURI gives the URI of a token type (RFC 8693 §3) for its short name:
// jwt, id_token, access_token, refresh_token or saml2. A URI is its own; what
// is neither gives "".
func TokenTypeURI(name string) string {
	switch name {
	case "jwt", "id_token", "access_token", "refresh_token", "saml2":
		return tokenTypePrefix + name
	}
	if u, err := url.Parse(name); err != nil || u.Scheme == "" || u.Opaque == "" && u.Host == "" {
		return ""
	}
	return name
}

// grantForm is what the grants without a person have in common. "audience" is
// RFC 8693's and, with the other grants, a parameter that several providers
// want; "resource" is RFC 8707 §2.2.
func (c *Client) grantForm(grant string) url.Values {
	form := url.Values{"grant_type": {grant}}
	if len(c.Scopes) > 0 {
		form.Set("scope", strings.Join(c.Scopes, " "))
	}
	if c.Audience != "" {
		form.Set("audience", c.Audience)
	}
	if len(c.Resources) > 0 {
		form["resource"] = slices.Clone(c.Resources)
	}
	return form
}
