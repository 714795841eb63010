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
	// AuthMethod is how the client authenticates, in the words of RFC 7591 §2
	// (token_endpoint_auth_method); "" and "auto" choose by what the client
	// has and the provider lists.
	AuthMethod string
	// ClientKey gives the key for private_key_jwt when it is needed, see
	// [ParseClientKey]. nil: none.
	ClientKey func(context.Context) (*ClientKey, error)
	// Assertion, if it is not zero, authenticates the client instead of one
	// that ClientKey signs: a token that something else gave out, which the
	// provider takes for this client, RFC 7523 §2.2 and RFC 7521 §6.2.
	Assertion Secret
	// AssertionAudience is the "aud" of the client's assertions: "" is the
	// issuer, "token_endpoint" is that URL, all else is the text itself.
	AssertionAudience string
	// MutualTLS: HTTP shows a certificate, so the provider's
	// mtls_endpoint_aliases are used where it has any, RFC 8705 §5.
	MutualTLS bool
	// PushedRequests says when the authorization request is pushed, RFC 9126:
	// "always", "never", or, with "" and "auto", where the provider requires
	// or offers it.
	PushedRequests string
	// DPoP says when tokens are bound to a key, RFC 9449: "always", "never",
	// or, with "" and "auto", once the provider demands it. Tokens that are
	// bound already go with their DPoPKey whatever it says.
	DPoP string
	// DPoPKey is the key that the session's tokens are bound to, as in
	// [Tokens.DPoPKey]. Zero: a new one is made where one is needed.
	DPoPKey Secret
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

	// binding is that of one sign-in, see forFlow; nil: of one request.
	binding *binding
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
