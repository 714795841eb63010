package oidcflow

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// ErrNoRevocation: the provider has no revocation endpoint.
var ErrNoRevocation = errors.New("revocation: the provider has no revocation endpoint")

// Revoke makes a token useless, RFC 7009. hint is "refresh_token" or
// "access_token"; "" gives none.
func (c *Client) Revoke(ctx context.Context, md *Metadata, token Secret, hint string) error {
	const operation = "revocation"
	if md.RevocationEndpoint == "" {
		return ErrNoRevocation
	}
	methods := md.RevocationEndpointMethods
	if len(methods) == 0 {
		methods = md.TokenEndpointAuthMethods
	}
	form := url.Values{"token": {token.Reveal()}}
	if hint != "" {
		form.Set("token_type_hint", hint)
	}
	a, err := c.post(ctx, operation, md, c.endpoint(md, "revocation_endpoint", md.RevocationEndpoint), form, methods)
	if err != nil {
		return err
	}
	// §2.2: the status is the answer and its body is ignored, unless it shows
	// that a captive portal wrote it.
	success := a.StatusCode >= 200 && a.StatusCode < 300
	if !success || len(bytes.TrimSpace(a.body)) > 0 && isHTML(a.Header.Get("Content-Type"), a.body) {
		return a.failure(operation)
	}
	return nil
}

// isHTML says whether a person was meant to read the answer: no endpoint for
// programs writes HTML.
func isHTML(kind string, body []byte) bool {
	return strings.Contains(strings.ToLower(kind), "html") ||
		strings.HasPrefix(http.DetectContentType(bytes.TrimSpace(body)), "text/html")
}
