package oidcflow

import (
	"net/url"
	"slices"
	"testing"

	"golang.org/x/oauth2"
)

func authorizeQuery(t *testing.T, c *Client, endpoint string) (*request, url.Values) {
	t.Helper()
	r, err := c.authorize(&Metadata{Issuer: testIssuer, AuthorizationEndpoint: endpoint}, "http://127.0.0.1:1234/callback")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	return r, u.Query()
}

func TestAuthorize(t *testing.T) {
	c := testClient()
	c.Scopes, c.Audience, c.Resources = []string{"openid", "email"}, "the-api", []string{"https://a.example", "https://b.example"}
	c.AuthParams = map[string]string{"prompt": "consent", "login_hint": "a&b=c", "audience": "other", "response_mode": "query"}
	r, q := authorizeQuery(t, c, testIssuer+"/authorize?tenant=x")
	for name, want := range map[string]string{
		"tenant": "x", "response_type": "code", "client_id": "the-client", "redirect_uri": "http://127.0.0.1:1234/callback",
		"scope": "openid email", "state": r.state, "nonce": r.nonce, "audience": "the-api", "prompt": "consent", "login_hint": "a&b=c",
		"code_challenge_method": "S256", "code_challenge": oauth2.S256ChallengeFromVerifier(r.verifier),
	} {
		if got := q[name]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !slices.Equal(q["resource"], c.Resources) {
		t.Errorf("resource: %q", q["resource"])
	}
	if len(r.state) != 43 || len(r.nonce) != 43 || len(r.verifier) < 43 || r.state == r.nonce {
		t.Errorf("state %q, nonce %q, verifier %q", r.state, r.nonce, r.verifier)
	}
	again, _ := authorizeQuery(t, c, testIssuer+"/authorize?")
	if again.state == r.state || again.nonce == r.nonce || again.verifier == r.verifier {
		t.Error("two sign-ins share a secret")
	}
	form := r.form(c, NewSecret("the-code"))
	if form.Get("code") != "the-code" || form.Get("code_verifier") != r.verifier || form.Get("redirect_uri") != r.redirectURI || len(form["resource"]) != 2 {
		t.Errorf("%v", form)
	}
}

func TestAuthorizeRefuses(t *testing.T) {
	for _, name := range []string{
		"response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
		"request", "request_uri", "response_mode", "client_secret", "client_assertion", "dpop_jkt", "code_verifier",
	} {
		c := testClient()
		c.AuthParams = map[string]string{name: "evil"}
		if _, err := c.authorize(&Metadata{AuthorizationEndpoint: testIssuer}, DefaultRedirect); err == nil {
			t.Errorf("auth_params set %s", name)
		}
	}
	for _, endpoint := range []string{"", "http://id.example.com/a", "javascript:alert(1)"} {
		if _, err := testClient().authorize(&Metadata{AuthorizationEndpoint: endpoint}, DefaultRedirect); err == nil {
			t.Errorf("the endpoint %q was used", endpoint)
		}
	}
}
