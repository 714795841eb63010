package zitadel

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// knows asks the provider whether it takes an access token.
func (s *server) knows(t *testing.T, access string) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Issuer+"/userinfo", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+access)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func refresh(t *testing.T) {
	s, c := signedIn(t, nativeID, "")
	first, _ := c.Token(t)
	second, r := c.Token(t, "--force-refresh")
	if second.Token == first.Token || r.Stderr != "" || !s.knows(t, second.Token) {
		t.Errorf("same token %t, stderr %q", second.Token == first.Token, r.Stderr)
	}
}

func rotation(t *testing.T) {
	s, c := signedIn(t, nativeID, "")
	for range 3 {
		c.OK(t, "token", "--force-refresh")
	}
	var used []string
	for _, r := range s.asked("/oauth/token") {
		if token := r.form.Get("refresh_token"); token != "" {
			used = append(used, token)
		}
	}
	if len(used) != 3 || len(slices.Compact(slices.Sorted(slices.Values(used)))) != 3 {
		t.Errorf("%d refresh tokens sent, %d different", len(used), len(slices.Compact(slices.Sorted(slices.Values(used)))))
	}
	// The provider takes none of them again.
	if status := s.post(t, "/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {nativeID}, "refresh_token": {used[2]}}); status != http.StatusBadRequest {
		t.Errorf("a used refresh token: status %d", status)
	}
	c.OK(t, "token", "--force-refresh")
}

func offline(t *testing.T) {
	s := start(t, options{})
	s.store.lifetime(2 * time.Second)
	c := harness.NewCLI(t)
	c.Config(t, profile(s, nativeID, "    offline: {enabled: true, retry: {initial: 1s, max: 1s}}\n"))
	signIn(t, c, s)
	token, _ := c.Token(t)
	s.down(t)
	time.Sleep(time.Until(token.ExpiresAt.Add(1100 * time.Millisecond)))
	stale, _ := c.Token(t)
	if stale.Token != token.Token || !stale.Expired || !stale.Offline || !harness.HasWarning(stale.Warnings, "using_expired_token") {
		t.Errorf("same %t, expired %t, offline %t, warnings %+v", stale.Token == token.Token, stale.Expired, stale.Offline, stale.Warnings)
	}
	c.Fails(t, 4, "token", "--no-offline")
	s.up(t)
	fresh, _ := c.Token(t, "--force-refresh")
	if fresh.Token == token.Token || fresh.Offline {
		t.Errorf("back: same %t, offline %t", fresh.Token == token.Token, fresh.Offline)
	}
}

func forcedSignOut(t *testing.T) {
	s, c := signedIn(t, nativeID, "    offline: {enabled: true}\n")
	if err := s.store.TerminateSession(t.Context(), alice, nativeID); err != nil {
		t.Fatal(err)
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
	s, c := signedIn(t, nativeID, "")
	token, _ := c.Token(t)
	c.OK(t, "logout")
	revoked := s.asked("/revoke")
	if len(revoked) == 0 || s.knows(t, token.Token) {
		t.Fatalf("%d requests to revoke; the access token works: %t", len(revoked), s.knows(t, token.Token))
	}
	refresh := revoked[0].form.Get("token")
	if status := s.post(t, "/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {nativeID}, "refresh_token": {refresh}}); status != http.StatusBadRequest {
		t.Errorf("the refresh token works: status %d", status)
	}
	c.Fails(t, 3, "token")
}

func endSession(t *testing.T) {
	for more, last := range map[string]string{
		"": "signed out successfully", // the provider's own page
		"    post_logout_redirect: http://127.0.0.1:0/signed-out\n": "oidc-cred",
	} {
		s, c := signedIn(t, nativeID, more)
		token, _ := c.Token(t)
		id, _ := c.Token(t, "--type", "id")
		visitor := harness.NewVisitor(t, harness.NewWeb(nil).Get)
		c.Set("BROWSER", visitor.Program)
		c.OK(t, "logout", "--browser", "--no-revoke")
		if page := visitor.Page(t); page.Status != http.StatusOK || !strings.Contains(page.Body, last) {
			t.Errorf("status %d, last page:\n%.400s", page.Status, page.Body)
		}
		if hint := s.last(t, "/end_session", "").form.Get("id_token_hint"); hint != id.Token {
			t.Error("the ID token is not the hint")
		}
		if s.knows(t, token.Token) {
			t.Error("the session goes on at the provider")
		}
		c.Fails(t, 3, "token")
	}
}

func noRefreshToken(t *testing.T) {
	s, c := signedIn(t, nativeID, "    scopes: [openid, profile]\n")
	if c.Status(t).HasRefreshToken {
		t.Error("a refresh token")
	}
	token, _ := c.Token(t)
	if !s.knows(t, token.Token) {
		t.Error("the token does not work")
	}
	if r := c.Run(t, "token", "--force-refresh"); r.Code == 0 {
		t.Errorf("refreshed without a refresh token: %q", r.Stderr)
	}
}

func narrowerScopes(t *testing.T) {
	s, c := signedIn(t, nativeID, "")
	s.store.narrowTo("openid", "offline_access")
	token, r := c.Token(t, "--force-refresh")
	if !harness.HasWarning(token.Warnings, "scopes_reduced") || !strings.Contains(r.Stderr, "scopes_reduced") {
		t.Errorf("warnings %+v, stderr %q", token.Warnings, r.Stderr)
	}
	if slices.Contains(token.Scopes, "email") || !slices.Contains(token.Scopes, "openid") {
		t.Errorf("scopes %v", token.Scopes)
	}
}
