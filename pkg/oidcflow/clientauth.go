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

// authenticate puts the client's authentication into a request, RFC 6749
// §2.3.1. methods are those that the provider supports, in its metadata's
// words.
func (c *Client) authenticate(ctx context.Context, header http.Header, form url.Values, methods []string) error {
	if c.ClientSecret == nil {
		form.Set("client_id", c.ClientID) // a public client, §3.2.1
		return nil
	}
	secret, err := c.ClientSecret(ctx)
	if err != nil {
		return fmt.Errorf("the client secret: %w", err)
	}
	if secret.IsZero() {
		return errors.New("the client secret is empty")
	}
	switch {
	case len(methods) == 0, slices.Contains(methods, "client_secret_basic"):
		// Both halves are form-encoded first, so SetBasicAuth gets no ":".
		req := http.Request{Header: header}
		req.SetBasicAuth(url.QueryEscape(c.ClientID), url.QueryEscape(secret.Reveal()))
		return nil
	case slices.Contains(methods, "client_secret_post"):
		form.Set("client_id", c.ClientID)
		form.Set("client_secret", secret.Reveal())
		return nil
	}
	return fmt.Errorf("the provider takes no client secret, only %s", Clean(strings.Join(methods, ", ")))
}
