package oidcflow

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// request is one authorization request, with what its answer is checked
// against.
type request struct {
	redirectURI string
	state       string
	nonce       string
	verifier    string // RFC 7636 §4.1
	url         string
}

// authorize makes an authorization request with PKCE (S256, always), a state
// and a nonce.
func (c *Client) authorize(md *Metadata, redirectURI string) (*request, error) {
	if md.AuthorizationEndpoint == "" {
		return nil, errors.New("sign-in: the provider has no authorization_endpoint")
	}
	if _, err := checkEndpoint(md.AuthorizationEndpoint); err != nil {
		return nil, fmt.Errorf("sign-in: the endpoint %q %w", Clean(md.AuthorizationEndpoint), err)
	}
	r := &request{redirectURI: redirectURI, state: randomText(), nonce: randomText(), verifier: oauth2.GenerateVerifier()}
	var options []oauth2.AuthCodeOption
	for _, name := range slices.Sorted(maps.Keys(c.AuthParams)) {
		if !MayAddParam(name, c.AuthParams[name]) {
			return nil, fmt.Errorf("sign-in: auth_params can't set %q, which the sign-in itself needs", Clean(name))
		}
		options = append(options, oauth2.SetAuthURLParam(name, c.AuthParams[name]))
	}
	if c.Audience != "" {
		options = append(options, oauth2.SetAuthURLParam("audience", c.Audience))
	}
	options = append(options, oauth2.SetAuthURLParam("nonce", r.nonce), oauth2.S256ChallengeOption(r.verifier))
	config := oauth2.Config{
		ClientID:    c.ClientID,
		Endpoint:    oauth2.Endpoint{AuthURL: strings.TrimSuffix(md.AuthorizationEndpoint, "?")},
		RedirectURL: redirectURI,
		Scopes:      c.Scopes,
	}
	r.url = config.AuthCodeURL(r.state, options...)
	if len(c.Resources) > 0 { // RFC 8707 §2: one parameter each
		r.url += "&" + url.Values{"resource": c.Resources}.Encode()
	}
	return r, nil
}

// MayAddParam says whether auth_params may set a parameter: those that the
// protocol's security or the loopback answer rests on are ours.
func MayAddParam(name, value string) bool {
	switch name {
	case "response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "request", "request_uri":
		return false
	case "response_mode":
		return value == "query"
	}
	return !strings.HasPrefix(name, "code_challenge")
}

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
