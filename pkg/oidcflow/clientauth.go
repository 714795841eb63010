package oidcflow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The ways to authenticate, RFC 7591 §2, RFC 8705 §2 and OpenID Connect Core
// §9.
const (
	authNone          = "none"
	authBasic         = "client_secret_basic"
	authPost          = "client_secret_post"
	authPrivateKey    = "private_key_jwt"
	authTLS           = "tls_client_auth"
	authSelfSignedTLS = "self_signed_tls_client_auth"
)

// ClientAuthError says that the client can't authenticate itself because of
// what this machine has: no request was sent.
type ClientAuthError struct {
	Err  error
	hint string
}

// Error implements error.
func (e *ClientAuthError) Error() string { return "client authentication: " + e.Err.Error() }

// Unwrap gives the failure behind it.
func (e *ClientAuthError) Unwrap() error { return e.Err }

// Configuration says that the failure is this machine's and tells nothing
// about the provider.
func (e *ClientAuthError) Configuration() bool { return true }

// Hint says what to do.
func (e *ClientAuthError) Hint() string {
	var inner interface{ Hint() string }
	if e.hint == "" && errors.As(e.Err, &inner) {
		return inner.Hint()
	}
	return e.hint
}

// authenticate puts the client's authentication into a request, RFC 6749
// §2.3. methods are those that the provider supports at the endpoint, in its
// metadata's words.
func (c *Client) authenticate(ctx context.Context, md *Metadata, header http.Header, form url.Values, methods []string) error {
	method, err := c.authMethod(methods)
	if err != nil {
		return err
	}
	// A public client names itself so, RFC 6749 §3.2.1, and one with a
	// certificate must, RFC 8705 §2. With an assertion it is optional, RFC
	// 7521 §4.2, and some providers want it.
	if method != authBasic {
		form.Set("client_id", c.ClientID)
	}
	switch method {
	case authBasic, authPost:
		secret, err := c.clientSecret(ctx)
		if err != nil {
			return err
		}
		if method == authPost {
			form.Set("client_secret", secret.Reveal())
			return nil
		}
		// Both halves are form-encoded first, so SetBasicAuth gets no ":".
		req := http.Request{Header: header}
		req.SetBasicAuth(url.QueryEscape(c.ClientID), url.QueryEscape(secret.Reveal()))
	case authPrivateKey:
		assertion := c.Assertion
		if assertion.IsZero() {
			if assertion, err = c.assertion(ctx, md); err != nil {
				return err
			}
		}
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", assertion.Reveal())
	}
	return nil
}

// authMethod is the configured method, or the strongest for which the client
// has what it takes.
func (c *Client) authMethod(methods []string) (string, error) {
	missing := func(what, hint string) (string, error) {
		return "", &ClientAuthError{fmt.Errorf("%s needs %s", c.AuthMethod, what), hint}
	}
	switch c.AuthMethod {
	case "", "auto":
		return c.chooseAuthMethod(methods)
	case authNone:
	case authBasic, authPost:
		if c.ClientSecret == nil {
			return missing("a client secret", "set client_secret_env, client_secret_command or client_secret_keychain")
		}
	case authPrivateKey:
		if c.ClientKey == nil && c.Assertion.IsZero() {
			return missing("a private key", "set client_key_file")
		}
	case authTLS, authSelfSignedTLS:
		if !c.MutualTLS {
			return missing("a certificate", "set client_certificate_file and client_certificate_key_file")
		}
	default:
		return "", &ClientAuthError{fmt.Errorf("the method %q is not supported", Clean(c.AuthMethod)),
			"token_endpoint_auth_method is auto, none, client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth or self_signed_tls_client_auth"}
	}
	return c.AuthMethod, nil
}

func (c *Client) chooseAuthMethod(methods []string) (string, error) {
	switch {
	case c.ClientKey != nil, !c.Assertion.IsZero():
		return authPrivateKey, nil
	case c.ClientSecret != nil:
		switch {
		case len(methods) == 0, slices.Contains(methods, authBasic):
			return authBasic, nil // the default, Discovery §3
		case slices.Contains(methods, authPost):
			return authPost, nil
		}
		return "", fmt.Errorf("the provider takes no client secret, only %s", Clean(strings.Join(methods, ", ")))
	case c.MutualTLS && slices.Contains(methods, authTLS):
		return authTLS, nil
	case c.MutualTLS && slices.Contains(methods, authSelfSignedTLS):
		return authSelfSignedTLS, nil
	}
	return authNone, nil
}

func (c *Client) clientSecret(ctx context.Context) (Secret, error) {
	secret, err := c.ClientSecret(ctx)
	if err != nil {
		return Secret{}, fmt.Errorf("the client secret: %w", err)
	}
	if secret.IsZero() {
		return Secret{}, errors.New("the client secret is empty")
	}
	return secret, nil
}
