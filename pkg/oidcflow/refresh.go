package oidcflow

import (
	"context"
	"errors"
	"net/url"
)

// Refresh asks for new tokens, RFC 6749 §6. The provider may replace the
// refresh token and take a second use of the former one for theft, so call it
// in one process at a time and keep the answer before anything else is done.
// Once the request is on its way, cancelling ctx does not end it; its deadline
// and [Client.Timeout] do.
func (c *Client) Refresh(ctx context.Context, md *Metadata, refresh Secret) (*Tokens, error) {
	if refresh.IsZero() {
		return nil, errors.New("token refresh: there is no refresh token")
	}
	return c.requestTokens(ctx, "token refresh", md, url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {refresh.Reveal()},
		"resource":      c.Resources, // RFC 8707 §2.2
	})
}
