package oidcflow

import (
	"errors"
	"fmt"
	"net/url"
)

// ErrNoEndSession: the provider has no end session endpoint.
var ErrNoEndSession = errors.New("end of session: the provider has no end_session_endpoint")

// EndSessionURL is the address at which the browser ends the session at the
// provider, OpenID Connect RP-Initiated Logout §2. idToken may be zero,
// postLogout and state may be "".
func (c *Client) EndSessionURL(md *Metadata, idToken Secret, postLogout, state string) (string, error) {
	if md.EndSessionEndpoint == "" {
		return "", ErrNoEndSession
	}
	u, err := checkEndpoint(md.EndSessionEndpoint)
	if err != nil {
		return "", fmt.Errorf("end of session: the endpoint %q %w", Clean(md.EndSessionEndpoint), err)
	}
	v := url.Values{"client_id": {c.ClientID}}
	if !idToken.IsZero() {
		v.Set("id_token_hint", idToken.Reveal())
	}
	if postLogout != "" {
		v.Set("post_logout_redirect_uri", postLogout)
	}
	if state != "" {
		v.Set("state", state)
	}
	return withQuery(u, v), nil
}

// withQuery adds parameters to those that the endpoint has of its own, RFC
// 6749 §3.1.
func withQuery(u *url.URL, v url.Values) string {
	added := *u
	if added.RawQuery != "" {
		added.RawQuery += "&"
	}
	added.RawQuery += v.Encode()
	added.ForceQuery = false
	return added.String()
}
