package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// A token that has not expired is simply early: a failed refresh says nothing
// of an expired token, whatever the policy.
func TestFailureBeforeExpiry(t *testing.T) {
	t.Parallel()
	p := newProvider(t, oidctest.Options{})
	h := newHome(t, p, "timeout: "+timeout.String())
	h.login()
	first := h.token()
	p.Down()
	for _, args := range [][]string{{"--force-refresh"}, {"--min-valid", "2h"}, {"--no-offline", "--force-refresh"}} {
		r := h.run(append([]string{"token", "-o", "json"}, args...)...).exits(0).quick(margin)
		j := decode[tokenJSON](r)
		if j.Token != first || j.Expired || !j.Offline || j.reason() != "network_unavailable" || slices.Contains(r.warnings(), "using_expired_token") {
			t.Errorf("%v: expired %t, offline %t, reason %q, warnings %v", args, j.Expired, j.Offline, j.reason(), r.warnings())
		}
	}
	h.run("status", "--check").exits(4)
	// Without a need for the network there is nothing to warn of.
	if r := h.run("token").exits(0); r.stderr != "" {
		t.Errorf("a good token comes with %q", r.stderr)
	}
	p.Up()
	if h.token("--force-refresh") == first {
		t.Error("no new token")
	}
	h.run("status", "--check").exits(0)
}

// TestLimit: max_duration counts from the last contact with the provider.
func TestLimit(t *testing.T) {
	t.Parallel()
	for _, onLimit := range []string{"sign_out", "deny"} {
		t.Run(onLimit, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, oidctest.Options{Settings: oidctest.Settings{Lifetime: time.Second}})
			h := newHome(t, p, "timeout: 2s", "offline: {enabled: true, max_duration: 2s, warn_after: 1s, on_limit: "+onLimit+"}")
			h.login()
			p.Down()
			time.Sleep(1100 * time.Millisecond)
			r := h.run("token").exits(0)
			if want := []string{"using_expired_token", "extended_offline_duration", "token_validation_skipped"}; !slices.Equal(r.warnings(), want) {
				t.Errorf("warnings %v, want %v", r.warnings(), want)
			}
			time.Sleep(1500 * time.Millisecond)
			if onLimit == "deny" {
				h.run("token").fails(4)
				h.run("status", "--check").exits(4)
				p.Up()
				h.token("--force-refresh")
				return
			}
			h.run("token").fails(3)
			h.run("status", "--check").exits(3)
			p.Up()
			h.run("token").fails(3)
		})
	}
}

// TestTokensWithoutTheRest: the new tokens came, and what is fetched besides
// them did not.
func TestTokensWithoutTheRest(t *testing.T) {
	t.Parallel()
	p := newProvider(t, oidctest.Options{})
	h := newHome(t, p, "timeout: "+timeout.String())
	h.login()

	t.Run("keys", func(t *testing.T) {
		h := h.copy(t)
		id := h.token("--type", "id")
		p.RotateKeys(false)
		for _, f := range []oidctest.Fault{oidctest.Status(503), oidctest.Status(401), oidctest.HTML(200), oidctest.Reset(), oidctest.Hold()} {
			p.Set(oidctest.KeysEndpoint, f)
			r := h.run("token", "--force-refresh").exits(0).quick(timeout + margin)
			if !p.Active(strings.TrimSpace(r.stdout)) || !slices.Contains(r.warnings(), "token_validation_skipped") {
				t.Errorf("keys %s %d: accepted %t, warnings %v", f.Kind, f.Code, p.Active(strings.TrimSpace(r.stdout)), r.warnings())
			}
			if got := h.token("--type", "id"); got != id {
				t.Error("an ID token that nobody could check was taken")
			}
		}
		p.Clear()
		if r := h.run("token", "--force-refresh").exits(0); r.stderr != "" {
			t.Errorf("with the keys back: %s", r.stderr)
		}
		if h.token("--type", "id") == id {
			t.Error("the ID token was not renewed")
		}
	})

	t.Run("userinfo", func(t *testing.T) {
		h := newHome(t, p, "timeout: "+timeout.String())
		h.login()
		for _, f := range []oidctest.Fault{oidctest.Status(401), oidctest.Status(503), oidctest.HTML(403), oidctest.Hold()} {
			p.Down()
			h.token("--force-refresh") // now offline; coming back reads userinfo again
			p.Up()
			p.Set(oidctest.UserInfoEndpoint, f)
			r := h.run("token", "--force-refresh").exits(0).quick(timeout + margin)
			if !slices.Equal(r.warnings(), []string{"stale_user_info"}) {
				t.Errorf("userinfo %s %d: warnings %v", f.Kind, f.Code, r.warnings())
			}
			p.Clear()
		}
		h.run("token", "--force-refresh").exits(0)
		if r := h.run("token").exits(0); r.stderr != "" {
			t.Errorf("with userinfo back: %s", r.stderr)
		}
	})
}

// TestSpentRefreshToken: the provider carried out the refresh and its answer
// was lost on the way. Nobody can save that session, and nothing but the
// provider's own word ends it.
func TestSpentRefreshToken(t *testing.T) {
	t.Parallel()
	p := newProvider(t, oidctest.Options{Settings: oidctest.Settings{Lifetime: time.Second}})
	h := newHome(t, p, "timeout: 2s", "offline: {enabled: true}")
	h.login()
	time.Sleep(1100 * time.Millisecond)
	p.Set(oidctest.TokenEndpoint, oidctest.ResetMidBody().Performed().Times(1))
	h.run("token").exits(0)
	if s := h.status(); s.State != "offline" {
		t.Errorf("the state is %s", s.State)
	}
	r := h.run("token", "--force-refresh").fails(3)
	if !strings.Contains(r.stderr, "invalid_grant") {
		t.Errorf("stderr: %s", r.stderr)
	}
}
