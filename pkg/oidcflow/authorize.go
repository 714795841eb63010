package oidcflow

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// request is one authorization request, with what its answer is checked
// against.
type request struct {
	redirectURI string
	state       string
	nonce       string
	verifier    string // RFC 7636 §4.1
	params      url.Values
	plain       string        // the address with all of them
	url         string        // where the browser is sent
	life        time.Duration // of the url; 0: no end is known
}

// authorize makes an authorization request with PKCE (S256, always), a state
// and a nonce.
func (c *Client) authorize(md *Metadata, redirectURI string) (*request, error) {
	if md.AuthorizationEndpoint == "" {
		return nil, errors.New("sign-in: the provider has no authorization_endpoint")
	}
	endpoint, err := checkEndpoint(md.AuthorizationEndpoint)
	if err != nil {
		return nil, fmt.Errorf("sign-in: the endpoint %q %w", Clean(md.AuthorizationEndpoint), err)
	}
	r := &request{redirectURI: redirectURI, state: randomText(), nonce: randomText(), verifier: oauth2.GenerateVerifier()}
	v := url.Values{}
	for name, value := range c.AuthParams {
		if err := CheckAuthParam(name, value); err != nil {
			return nil, fmt.Errorf("sign-in: auth_params: %s: %w", Clean(name), err)
		}
		v.Set(name, value)
	}
	if c.Audience != "" {
		v.Set("audience", c.Audience)
	}
	if len(c.Resources) > 0 {
		v["resource"] = c.Resources // RFC 8707 §2: one parameter each
	}
	if len(c.Scopes) > 0 {
		v.Set("scope", strings.Join(c.Scopes, " "))
	}
	v.Set("response_type", "code")
	v.Set("client_id", c.ClientID)
	v.Set("redirect_uri", redirectURI)
	v.Set("state", r.state)
	v.Set("nonce", r.nonce)
	v.Set("code_challenge", oauth2.S256ChallengeFromVerifier(r.verifier))
	v.Set("code_challenge_method", "S256")
	// RFC 9449 §10: a stolen code is worth nothing without the key.
	jkt, err := c.dpopJKT()
	if err != nil {
		return nil, fmt.Errorf("sign-in: %w", err)
	}
	if jkt != "" {
		v.Set("dpop_jkt", jkt)
	}
	r.params, r.plain = v, withQuery(endpoint, v)
	r.url = r.plain
	return r, nil
}

// MayAddParam says whether auth_params may set a parameter: those that the
// protocol's security or the loopback answer rests on are ours, and no secret
// belongs into an address.
func MayAddParam(name, value string) bool {
	switch name {
	case "response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "request", "request_uri",
		"code_verifier", "client_secret", "client_assertion", "client_assertion_type", "dpop_jkt":
		return false
	case "response_mode":
		return value == "query" || value == "form_post"
	}
	return !strings.HasPrefix(name, "code_challenge")
}

// formPost says whether the answer comes as a form that the browser posts,
// OAuth 2.0 Form Post Response Mode.
func (c *Client) formPost() bool { return c.AuthParams["response_mode"] == "form_post" }

// form is the token request for the code, RFC 6749 §4.1.3.
func (r *request) form(c *Client, code Secret) url.Values {
	return url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code.Reveal()},
		"redirect_uri":  {r.redirectURI},
		"code_verifier": {r.verifier},
		"resource":      c.Resources, // RFC 8707 §2.2
	}
}
