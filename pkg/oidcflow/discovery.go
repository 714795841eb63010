package oidcflow

import (
	"context"
	"strings"
)

// Discover fetches the provider's metadata, OpenID Connect Discovery §4.
func (c *Client) Discover(ctx context.Context) (*Metadata, error) {
	const operation = "discovery"
	if _, err := checkIssuer(c.Issuer); err != nil {
		return nil, err
	}
	// §4.1: a slash at the end goes before the rest is appended.
	endpoint := strings.TrimSuffix(c.Issuer, "/") + "/.well-known/openid-configuration"
	a, err := c.get(ctx, operation, endpoint, "application/json", Secret{})
	if err != nil {
		return nil, err
	}
	if _, err := a.object(operation); err != nil {
		return nil, err
	}
	return ParseMetadata(a.body, c.Issuer)
}
