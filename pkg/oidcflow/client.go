package oidcflow

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// DefaultTimeout is the time limit of one exchange with the provider.
const DefaultTimeout = 10 * time.Second

// Client is a relying party at one provider. Its zero fields work, except
// Issuer and ClientID; it has no state and may be used by many goroutines.
type Client struct {
	// Issuer is the provider's identifier, compared exactly.
	Issuer string
	// ClientID is the identifier that the provider gave.
	ClientID string
	// ClientSecret gives the secret of a confidential client when it is
	// needed. nil: a public client.
	ClientSecret func(context.Context) (Secret, error)
	// Scopes to ask for.
	Scopes []string
	// Audience is sent as "audience", which some providers want.
	Audience string
	// Resources are sent as "resource", RFC 8707.
	Resources []string
	// AuthParams are further parameters of the authorization request, such as
	// prompt, acr_values or login_hint.
	AuthParams map[string]string
	// HTTP does the exchanges, see [NewHTTPClient]; nil is a client with the
	// standard library's defaults. Its redirect policy is replaced.
	HTTP *http.Client
	// Now is the clock; nil is the machine's.
	Now func() time.Time
	// Timeout limits one exchange with the provider; 0 is [DefaultTimeout].
	Timeout time.Duration
}

func (c *Client) now() time.Time {
	now := c.Now
	if now == nil {
		now = time.Now
	}
	return now()
}

func (c *Client) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return DefaultTimeout
}

// openID says whether an ID token is asked for, OpenID Connect Core §3.1.2.1.
func (c *Client) openID() bool { return slices.Contains(c.Scopes, "openid") }
