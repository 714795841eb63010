package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// RFC 9126: what is asked for goes to the provider directly, and the address
// that the browser opens has only a reference to it.
func testPAROffered(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID)
	mark := w.mark(t)
	page, _ := signIn(t, c, harness.BrowserOptions{})
	pushed(t, w, mark)
	for _, secret := range []string{"state=", "code_challenge", "scope", "redirect_uri"} {
		if strings.Contains(page.Opened, secret) {
			t.Errorf("the browser was given %s", page.Opened)
		}
	}

	w.configure(t, c, "plain", harness.ClientID, "pushed_authorization_requests: never")
	mark = w.mark(t)
	quickly(t, c)
	if calls := w.since(t, mark, "pushed_authorization_request"); len(calls) != 0 {
		t.Errorf("never: %+v", calls)
	}
}

// The provider's metadata, or what it knows about the client, demands it.
func testPARRequired(t *testing.T, w *world) {
	c := w.client(t, "strict", harness.ClientID)
	mark := w.mark(t)
	quickly(t, c)
	pushed(t, w, mark)
	c.OK(t, "token", "--force-refresh")

	c = w.client(t, "plain", "par", "pushed_authorization_requests: always")
	mark = w.mark(t)
	quickly(t, c)
	pushed(t, w, mark)
}

// pushed checks that the browser carried nothing but a reference.
func pushed(t *testing.T, w *world, mark int) {
	t.Helper()
	if call := w.last(t, mark, "pushed_authorization_request"); call.Status != 201 || !slices.Contains(call.Sent, "state") {
		t.Errorf("pushed request: %+v", call)
	}
	calls := w.since(t, mark, "authorization")
	if len(calls) == 0 {
		t.Fatal("no authorization request")
	}
	if query := slices.Sorted(slices.Values(calls[0].Query)); !slices.Equal(query, []string{"client_id", "request_uri"}) {
		t.Errorf("the address has %q", query)
	}
}

// OAuth 2.0 Form Post Response Mode: the answer arrives in a POST.
func testFormPost(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID, "auth_params: {prompt: consent, response_mode: form_post}")
	mark := w.mark(t)
	page, _ := signIn(t, c, harness.BrowserOptions{Screenshot: "oidc-provider-form-post.png"})
	if strings.Contains(page.URL, "code=") || !strings.Contains(strings.ToLower(page.Heading), "signed in") {
		t.Errorf("the browser ended at %s, heading %q", page.URL, page.Heading)
	}
	if !slices.ContainsFunc(w.since(t, mark, "pushed_authorization_request"), func(call harness.Call) bool {
		return call.Params["response_mode"] == "form_post"
	}) {
		t.Error("the response mode was not asked for")
	}
	c.OK(t, "token")
}

// RFC 8707 and RFC 9068.
func testResourceJWT(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID, "resources: ["+api+"]", "scopes: [openid, offline_access, read]")
	quickly(t, c)
	for _, args := range [][]string{nil, {"--force-refresh"}} {
		token, r := c.Token(t, args...)
		got := harness.Claims(t, token.Token)
		if got["aud"] != api || got["sub"] != "alice" || got["iss"] != w.Issuer || r.Stderr != "" {
			t.Errorf("claims %v, stderr %q", got, r.Stderr)
		}
		if !slices.Contains(token.Scopes, "read") {
			t.Errorf("scopes %q", token.Scopes)
		}
	}
}

// The parameter that some providers know an API by.
func testAudience(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID, "audience: "+api+"/by-audience")
	quickly(t, c)
	for _, args := range [][]string{nil, {"--force-refresh"}} {
		token, _ := c.Token(t, args...)
		if got := harness.Claims(t, token.Token); got["aud"] != api+"/by-audience" {
			t.Errorf("claims %v", got)
		}
	}
}

func testOpaqueAccessToken(t *testing.T, w *world) {
	for name, settings := range map[string][]string{
		"userinfo": nil,
		"resource": {"resources: [" + api + "/opaque]", "scopes: [openid, offline_access, read]"},
	} {
		c := w.client(t, "plain", harness.ClientID, settings...)
		quickly(t, c)
		token, _ := c.Token(t)
		about := w.introspect(t, token)
		if strings.Contains(token.Token, ".") || token.Subject != "alice" || token.ExpiresAt == nil || !about.Active || about.Subject != "alice" {
			t.Errorf("%s: token %s, introspection %+v", name, redacted(token), about)
		}
	}
}

// OpenID Connect Core 3.1.2.1: the ID token then says when the user signed in.
func testMaxAge(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID, `auth_params: {prompt: consent, max_age: "600"}`)
	mark := w.mark(t)
	quickly(t, c)
	if call := w.last(t, mark, "pushed_authorization_request"); call.Params["max_age"] != "600" {
		t.Errorf("request %+v", call)
	}
	at, ok := idClaims(t, c)["auth_time"].(float64)
	if since := time.Since(time.Unix(int64(at), 0)); !ok || since > time.Minute || since < -time.Minute {
		t.Errorf("signed in %s ago", since)
	}
	// A refresh doesn't make the sign-in any younger.
	c.OK(t, "token", "--force-refresh")
	if again, _ := idClaims(t, c)["auth_time"].(float64); again != at {
		t.Errorf("auth_time %v after the refresh, %v before", again, at)
	}
}

const (
	mfa      = "urn:example:mfa"
	password = "urn:example:password"
)

func testACR(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID, "auth_params: {prompt: consent, acr_values: '"+mfa+"'}")
	quickly(t, c)
	if got := idClaims(t, c)["acr"]; got != mfa {
		t.Errorf("acr %v", got)
	}
	// Dave has no second factor. acr_values asks only as a wish (Core 5.5.1.1) …
	as(t, c, "dave")
	if got := idClaims(t, c)["acr"]; got != password {
		t.Errorf("dave's acr %v", got)
	}
	// … and as an essential claim it is a condition.
	essential := `auth_params: {prompt: consent, claims: '{"id_token":{"acr":{"essential":true,"values":["` + mfa + `"]}}}'}`
	w.configure(t, c, "plain", harness.ClientID, essential)
	quickly(t, c)
	if got := idClaims(t, c)["acr"]; got != mfa {
		t.Errorf("essential: acr %v", got)
	}
	c = w.client(t, "plain", harness.ClientID, essential)
	browser := harness.NewBrowser(t, harness.BrowserOptions{Quick: true, User: "dave"})
	c.Set("BROWSER", browser.Program)
	if r := c.Run(t, "login", "--timeout-sign-in", "2s"); r.Code == 0 {
		t.Errorf("dave signed in: %q", r.Stderr)
	}
	c.Fails(t, 3, "token")
}

// A claim that no scope gives, OpenID Connect Core 5.5.
func testClaims(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID, `auth_params: {prompt: consent, claims: '{"id_token":{"department":null}}'}`)
	quickly(t, c)
	if got := idClaims(t, c)["department"]; got != "research" {
		t.Errorf("department %v", got)
	}
	c.OK(t, "token", "--force-refresh")
	if got := idClaims(t, c)["department"]; got != "research" {
		t.Errorf("after the refresh: department %v", got)
	}
}

func testPrompt(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID, "auth_params: {prompt: login consent}")
	mark := w.mark(t)
	quickly(t, c)
	if call := w.last(t, mark, "pushed_authorization_request"); call.Params["prompt"] != "login consent" {
		t.Errorf("request %+v", call)
	}
	// Without asking anybody: nobody is signed in there.
	c = w.client(t, "plain", harness.ClientID, "auth_params: {prompt: none}")
	browser := harness.NewBrowser(t, harness.BrowserOptions{Quick: true})
	c.Set("BROWSER", browser.Program)
	if r := c.Run(t, "login", "--timeout-sign-in", "20s"); r.Code == 0 || !strings.Contains(r.Stderr, "login_required") {
		t.Errorf("exit %d: %s", r.Code, r.Stderr)
	}
}

func testLoginHint(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID, "auth_params: {prompt: consent, login_hint: erin}")
	mark := w.mark(t)
	quickly(t, c)
	if call := w.last(t, mark, "pushed_authorization_request"); call.Params["login_hint"] != "erin" {
		t.Errorf("request %+v", call)
	}
	if status := c.Status(t); status.Subject != "erin" {
		t.Errorf("status %+v", status)
	}
}
