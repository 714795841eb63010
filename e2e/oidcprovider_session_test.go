package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

func testRefresh(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID)
	quickly(t, c)
	first, _ := c.Token(t)
	mark := w.mark(t)
	second, r := c.Token(t, "--force-refresh")
	if second.Token == first.Token || second.Subject != "alice" || r.Stderr != "" {
		t.Errorf("same token %t, %s, stderr %q", second.Token == first.Token, redacted(second), r.Stderr)
	}
	if call := w.last(t, mark, "token"); call.Params["grant_type"] != "refresh_token" || call.Auth != "none" {
		t.Errorf("token endpoint: %+v", call)
	}
}

// Each refresh token is used once, and the new one is what the next refresh uses.
func testRotation(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID)
	quickly(t, c)
	before := w.Log(t)
	for range 3 {
		c.OK(t, "token", "--force-refresh")
	}
	after := w.Log(t)
	for event, want := range map[string]int{"consumed": 3, "saved": 3} {
		if got := after.Count(event, "refresh_token") - before.Count(event, "refresh_token"); got != want {
			t.Errorf("%d refresh tokens %s, want %d", got, event, want)
		}
	}
	if after.Count("revoked", "grant") != before.Count("revoked", "grant") {
		t.Error("a grant was revoked")
	}
}

// A refresh token that is used twice was stolen, RFC 9700 4.14: the provider
// ends the family, and the next refresh ends the session.
func testReuseDetection(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID)
	quickly(t, c)
	thief := harness.NewCLI(t)
	if err := os.CopyFS(thief.Home, os.DirFS(c.Home)); err != nil {
		t.Fatal(err)
	}
	before := w.Log(t).Count("revoked", "grant")
	thief.OK(t, "token", "--force-refresh")
	if r := c.Fails(t, 3, "token", "--force-refresh"); !strings.Contains(r.Stderr, "oidc-cred login") {
		t.Errorf("no hint to sign in: %q", r.Stderr)
	}
	if got := w.Log(t).Count("revoked", "grant") - before; got != 1 {
		t.Errorf("%d grants revoked", got)
	}
	if status := c.Status(t); status.State != "sign_in_required" || status.SignedOut == nil || status.SignedOut.Reason != "rejected" {
		t.Errorf("status %+v", status)
	}
}

func testOffline(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID, "offline: {enabled: true, retry: {initial: 1s, max: 1s}}")
	w.TTL(t, "access", 2*time.Second)
	defer w.TTL(t, "access", 5*time.Minute)
	quickly(t, c)
	token, _ := c.Token(t)
	w.Down(t)
	waitPast(t, token)
	stale, _ := c.Token(t)
	if stale.Token != token.Token || !stale.Expired || stale.OfflineReason == nil || *stale.OfflineReason != "network_unavailable" {
		t.Errorf("token %s", redacted(stale))
	}
	c.Fails(t, 4, "token", "--no-offline")
	w.Up(t)
	fresh, _ := c.Token(t, "--force-refresh")
	if fresh.Token == token.Token || fresh.Offline {
		t.Errorf("back: token %s", redacted(fresh))
	}
}

// The provider's administrator signs everybody out: offline mode doesn't help.
func testForcedSignOut(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID, "offline: {enabled: true}")
	quickly(t, c)
	w.SignOut(t)
	c.Fails(t, 3, "token", "--force-refresh")
	c.Fails(t, 3, "token")
	if status := c.Status(t); status.State != "sign_in_required" || status.SignedOut == nil || status.SignedOut.Reason != "rejected" {
		t.Errorf("status %+v", status)
	}
}

// RFC 7009: the refresh token first, then the access token.
func testRevocation(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID)
	quickly(t, c)
	token, _ := c.Token(t)
	mark := w.mark(t)
	c.OK(t, "logout")
	var hints []string
	for _, call := range w.since(t, mark, "revocation") {
		hints = append(hints, call.Params["token_type_hint"])
		if call.Status != 200 {
			t.Errorf("revocation: %+v", call)
		}
	}
	if len(hints) == 0 || hints[0] != "refresh_token" {
		t.Errorf("revoked %q", hints)
	}
	if w.introspect(t, token).Active {
		t.Error("the access token still works")
	}
	c.Fails(t, 3, "token")
}

// OpenID Connect RP-Initiated Logout 1.0: through the provider's own question
// back to a page of the program.
func testEndSession(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID, "post_logout_redirect: http://127.0.0.1:0/signed-out")
	quickly(t, c)
	hint, _ := c.Token(t, "--type", "id")
	browser := harness.NewBrowser(t, harness.BrowserOptions{Action: "logout", Screenshot: "oidc-provider-signed-out.png"})
	c.Set("BROWSER", browser.Program)
	mark := w.mark(t)
	r := c.OK(t, "logout", "--browser")
	page := browser.Report(t)
	call := w.last(t, mark, "end_session")
	if !slices.Contains(call.Sent, "id_token_hint") || !slices.Contains(call.Sent, "state") ||
		!strings.HasPrefix(call.Params["post_logout_redirect_uri"], "http://127.0.0.1:") {
		t.Errorf("end session: %+v", call)
	}
	if strings.Contains(page.Opened, hint.Token) || strings.Contains(r.Stderr, hint.Token) || !strings.HasPrefix(page.Opened, "http://127.0.0.1:") {
		t.Errorf("the browser was given %.60s…", page.Opened)
	}
	if !strings.HasPrefix(page.URL, "http://127.0.0.1:") || !strings.Contains(page.URL, "/signed-out") ||
		!strings.Contains(strings.ToLower(page.Heading), "signed out") {
		t.Errorf("the browser ended at %s, heading %q", page.URL, page.Heading)
	}
	c.Fails(t, 3, "token")
}

// A provider that gives no refresh token: the sign-in lasts as long as the
// token, and nothing is lost before.
func testNoRefreshToken(t *testing.T, w *world) {
	c := w.client(t, "plain", "no-refresh")
	w.TTL(t, "access", 3*time.Second)
	defer w.TTL(t, "access", 5*time.Minute)
	if r := quickly(t, c); !strings.Contains(r.Stderr, "oidc-cred: warning: no_refresh_token: ") {
		t.Errorf("login says nothing: %q", r.Stderr)
	}
	token, _ := c.Token(t)
	if status := c.Status(t); status.HasRefreshToken || status.State != "online" {
		t.Errorf("status %+v", status)
	}
	waitPast(t, token)
	if r := c.Fails(t, 3, "token"); !strings.Contains(r.Stderr, "oidc-cred login") {
		t.Errorf("stderr %q", r.Stderr)
	}
}

// Somebody grants less than was asked for, RFC 6749 3.3.
func testNarrowerScopes(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID)
	r := as(t, c, "carol")
	token, _ := c.Token(t)
	if slices.Contains(token.Scopes, "email") || !slices.Contains(token.Scopes, "profile") || token.Subject != "carol" {
		t.Errorf("token %s", redacted(token))
	}
	if !strings.Contains(r.Stderr, "oidc-cred: warning: scopes_not_granted: the provider did not grant: email\n") {
		t.Errorf("login says nothing about the missing scope: %q", r.Stderr)
	}
	again, r := c.Token(t, "--force-refresh")
	if !slices.Equal(again.Scopes, token.Scopes) || r.Stderr != "" {
		t.Errorf("scopes %q after the refresh, %q before, stderr %q", again.Scopes, token.Scopes, r.Stderr)
	}
	// Later she withdraws another: the refresh brings less than before.
	w.Withdraw(t, "profile")
	less, r := c.Token(t, "--force-refresh")
	if slices.Contains(less.Scopes, "profile") || !strings.Contains(r.Stderr, "scopes_reduced") {
		t.Errorf("scopes %q, stderr %q", less.Scopes, r.Stderr)
	}
	if _, r := c.Token(t); strings.Contains(r.Stderr, "scopes_reduced") {
		t.Errorf("said twice: %q", r.Stderr)
	}
}

// The provider says how long a refresh token lives, and means it.
func testRefreshLifetime(t *testing.T, w *world) {
	c := w.client(t, "plain", "short-lived")
	quickly(t, c)
	status := c.Status(t)
	if status.RefreshTokenExpiresAt == nil {
		t.Fatalf("status does not say when the sign-in ends: %+v", status)
	}
	if left := time.Until(*status.RefreshTokenExpiresAt); left > shortTTL || left < 0 {
		t.Errorf("the sign-in ends in %s", left)
	}
	c.OK(t, "token", "--force-refresh") // and the new one lives as long again
	status = c.Status(t)
	time.Sleep(time.Until(status.RefreshTokenExpiresAt.Add(1100 * time.Millisecond)))
	c.Fails(t, 3, "token", "--force-refresh")
}

// The user's name is only at the userinfo endpoint there.
func testUserInfo(t *testing.T, w *world) {
	c := w.client(t, "strict", harness.ClientID)
	mark := w.mark(t)
	quickly(t, c)
	if _, there := idClaims(t, c)["email"]; there {
		t.Fatal("this issuer has the claims in the ID token")
	}
	if status := c.Status(t); status.Username != "alice" {
		t.Errorf("status %+v", status)
	}
	if call := w.last(t, mark, "userinfo"); call.Status != 200 {
		t.Errorf("userinfo: %+v", call)
	}
}
