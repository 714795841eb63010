package glewlwyd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

func refresh(t *testing.T) {
	s, c := signedIn(t, options{}, publicID, "")
	first, _ := c.Token(t)
	second, r := c.Token(t, "--force-refresh")
	if second.Token == first.Token || r.Stderr != "" || !s.knows(t, second.Token) {
		t.Errorf("same token %t, stderr %q", second.Token == first.Token, r.Stderr)
	}
}

func rotation(t *testing.T) {
	s, c := signedIn(t, options{}, publicID, "")
	for range 3 {
		c.OK(t, "token", "--force-refresh")
	}
	used := map[string]bool{}
	for _, r := range s.asked("/token", "refresh_token") {
		used[r.form.Get("refresh_token")] = true
	}
	if len(used) != 3 {
		t.Errorf("%d different refresh tokens sent", len(used))
	}
}

// reuseDetection: whoever copied the state uses its refresh token, the owner the
// same one after that. The provider then ends the chain for both.
func reuseDetection(t *testing.T) {
	_, c := signedIn(t, options{}, publicID, "")
	thief := harness.NewCLI(t)
	if err := os.CopyFS(thief.Home, os.DirFS(c.Home)); err != nil {
		t.Fatal(err)
	}
	thief.OK(t, "token", "--force-refresh")
	c.Fails(t, 3, "token", "--force-refresh")
	c.Fails(t, 3, "token")
	thief.Fails(t, 3, "token", "--force-refresh")
}

func offline(t *testing.T) {
	s, c := signedIn(t, options{plugin: object{"access-token-duration": 2}}, publicID, "    offline: {enabled: true, retry: {initial: 1s, max: 1s}}\n")
	token, _ := c.Token(t)
	s.front.down(t)
	time.Sleep(time.Until(token.ExpiresAt.Add(1100 * time.Millisecond)))
	stale, _ := c.Token(t)
	if stale.Token != token.Token || !stale.Expired || !stale.Offline || !harness.HasWarning(stale.Warnings, "using_expired_token") {
		t.Errorf("same %t, expired %t, offline %t, warnings %+v", stale.Token == token.Token, stale.Expired, stale.Offline, stale.Warnings)
	}
	c.Fails(t, 4, "token", "--no-offline")
	s.front.up(t)
	fresh, _ := c.Token(t, "--force-refresh")
	if fresh.Token == token.Token || fresh.Offline {
		t.Errorf("back: same %t, offline %t", fresh.Token == token.Token, fresh.Offline)
	}
}

// forcedSignOut: alice ends the session on the provider's profile page.
func forcedSignOut(t *testing.T) {
	s, redirect := start(t, options{})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, publicID, redirect, "    offline: {enabled: true}\n"))
	p := s.person(t)
	visitor := harness.NewVisitor(t, p.open)
	c.Set("BROWSER", visitor.Program)
	c.OK(t, "login", "--timeout-sign-in", "20s")
	visitor.Page(t)

	status, answer := s.send(t, p.web.Client(), http.MethodGet, s.Issuer+"/token", nil)
	var tokens []struct {
		Hash string `json:"token_hash"`
	}
	if err := json.Unmarshal(answer, &tokens); err != nil || len(tokens) != 1 {
		t.Fatalf("status %d: %s", status, answer)
	}
	if status, answer := s.send(t, p.web.Client(), http.MethodDelete, s.Issuer+"/token/"+url.PathEscape(tokens[0].Hash), nil); status != http.StatusOK {
		t.Fatalf("status %d: %s", status, answer)
	}

	if r := c.Fails(t, 3, "token", "--force-refresh"); !strings.Contains(r.Stderr, "oidc-cred login") {
		t.Errorf("no hint to sign in: %q", r.Stderr)
	}
	c.Fails(t, 3, "token")
	if status := c.Status(t); status.State != "sign_in_required" || status.SignedOut == nil || status.SignedOut.Reason != "rejected" {
		t.Errorf("status %+v", status)
	}
}

func revocation(t *testing.T) {
	s, c := signedIn(t, options{}, basicID, "    client_secret_env: WORK_SECRET\n")
	copied := harness.NewCLI(t, "WORK_SECRET="+secret)
	if err := os.CopyFS(copied.Home, os.DirFS(c.Home)); err != nil {
		t.Fatal(err)
	}
	token, _ := c.Token(t)
	if r := c.OK(t, "logout"); strings.Contains(r.Stderr, "warning") {
		t.Errorf("stderr %q", r.Stderr)
	}
	if s.knows(t, token.Token) {
		t.Error("the access token works")
	}
	c.Fails(t, 3, "token")
	copied.Fails(t, 3, "token", "--force-refresh")
}

// endSession: the provider's page asks whether to sign out. It is a script; the
// requests are those that it makes when the person agrees.
func endSession(t *testing.T) {
	s, redirect := start(t, options{})
	signedOut := strings.Replace(redirect, "/callback", "/signed-out", 1)
	for _, more := range []string{"", "    post_logout_redirect: " + signedOut + "\n"} {
		c := harness.NewCLI(t)
		c.Config(t, profile(s, publicID, redirect, more))
		p := s.person(t)
		visitor := harness.NewVisitor(t, p.open)
		c.Set("BROWSER", visitor.Program)
		c.OK(t, "login", "--timeout-sign-in", "20s")
		visitor.Page(t)

		visitor = harness.NewVisitor(t, func(address string) (*harness.Page, error) {
			page, err := p.web.Get(address)
			if err != nil {
				return nil, err
			}
			query := page.URL.Query()
			if page.URL.Path != "/login.html" || query.Get("prompt") != "end_session" {
				return nil, fmt.Errorf("unexpected page %s: %.300s", page.URL, page.Body)
			}
			for _, path := range []string{"/api/oidc/session/" + query.Get("sid") + "/", "/api/auth/"} {
				if status, answer := s.send(t, p.web.Client(), http.MethodDelete, s.URL+path, nil); status != http.StatusOK {
					return nil, fmt.Errorf("DELETE %s: status %d: %s", path, status, answer)
				}
			}
			if next := query.Get("callback_url"); next != "" {
				return p.web.Get(next)
			}
			return page, nil
		})
		c.Set("BROWSER", visitor.Program)
		c.OK(t, "logout", "--browser", "--no-revoke")
		page := visitor.Page(t)
		if ours := strings.HasPrefix(page.URL.String(), signedOut); ours != (more != "") || page.Status != http.StatusOK {
			t.Errorf("%q: last page %s, status %d", more, page.URL, page.Status)
		}
		if status, _ := s.send(t, p.web.Client(), http.MethodGet, s.URL+"/api/profile_list", nil); status != http.StatusUnauthorized {
			t.Errorf("still signed in at the provider: status %d", status)
		}
		if s.last(t, "/end_session", "").form.Get("id_token_hint") == "" {
			t.Error("no id_token_hint")
		}
		c.Fails(t, 3, "token")
	}
}
