package session_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// TestStatusTouchesNothing: no keychain, no network, no lock, no file is
// written.
func TestStatusTouchesNothing(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.clock.Add(2 * time.Hour)
	w.keychain.broken(cache.ProblemLocked)
	calls, _ := w.keychain.count()
	requests := w.provider.Count(oidctest.AnyEndpoint)
	defer w.lock()()
	before, err := os.ReadFile(w.file(".json"))
	if err != nil {
		t.Fatal(err)
	}
	s := w.status()
	if s.State != session.StateOnline || !s.Token.Expired || s.Profile != "work" || s.Store != "memory" || s.ClientID != "oidc-cred" ||
		s.Issuer != w.provider.Issuer() || s.Subject != "user-1" || s.Username != "user-1" || !s.HasRefreshToken {
		t.Errorf("status is %+v", s)
	}
	if now, _ := w.keychain.count(); now != calls {
		t.Errorf("%d calls of the keychain", now-calls)
	}
	if n := w.provider.Count(oidctest.AnyEndpoint); n != requests {
		t.Errorf("%d requests", n-requests)
	}
	if after, err := os.ReadFile(w.file(".json")); err != nil || !slices.Equal(before, after) {
		t.Errorf("the public copy was changed: %v", err)
	}
	w.keychain.broken("")
}

func TestStatusWithoutSession(t *testing.T) {
	w := newWorld(t, oidctest.Settings{})
	s := w.status()
	if s.State != session.StateSignInRequired || s.Token != nil || s.Offline != nil || s.SignedOut != nil || s.Profile != "work" || !s.LastSync.IsZero() {
		t.Errorf("status is %+v", s)
	}
	if _, err := os.Stat(w.file(".lock")); err == nil {
		t.Error("a lock was taken")
	}
}

func TestStatusOffline(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	start := w.clock.Now()
	w.provider.Set(oidctest.TokenEndpoint, oidctest.Status(503))
	w.clock.Add(59*time.Minute + 30*time.Second)
	w.mustToken(session.Request{})
	entered := w.clock.Now()
	s := w.status()
	if s.State != session.StateOffline || !s.Offline.Usable || s.Token.Expired {
		t.Errorf("with a token that is still good: %+v, %+v", s, s.Offline)
	}
	w.clock.Add(2 * time.Hour)
	w.mustToken(session.Request{})
	s = w.status()
	o := s.Offline
	if !o.Since.Equal(entered) || o.Failures != 2 || o.LastError != "HTTP 503" || !o.NextRetry.Equal(w.clock.Now().Add(time.Minute)) ||
		!o.MustSignInBy.Equal(start.Add(w.policy.MaxDuration)) || o.LimitPassed || !o.Usable || o.Reason != offline.ReasonServerUnavailable || !s.LastSync.Equal(start) {
		t.Errorf("offline: %+v", o)
	}
	if want := []offline.WarningType{offline.WarnUsingExpiredToken, offline.WarnTokenValidationSkipped}; !slices.Equal(warnings(s.Warnings), want) {
		t.Errorf("warnings are %v", s.Warnings)
	}
	w.policy.Enabled = false
	if o := w.status().Offline; o.Usable || !o.MustSignInBy.IsZero() {
		t.Errorf("with offline mode off: %+v", o)
	}
	w.policy.Enabled = true
	w.clock.Add(8 * 24 * time.Hour)
	if o := w.status().Offline; o.Usable || !o.LimitPassed {
		t.Errorf("past the limit: %+v", o)
	}
}

// TestStatusAgreesWithToken on what is usable.
func TestStatusAgreesWithToken(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.policy.OnLimit = offline.DenyOnLimit
	w.provider.Down()
	for range 80 {
		w.clock.Add(3 * time.Hour)
		tok, err := w.token(session.Request{})
		s := w.status()
		if s.Offline == nil || s.Offline.Usable != (err == nil) {
			t.Fatalf("status is %+v, but the token %+v, %v", s.Offline, tok, err)
		}
		if err == nil && !slices.Equal(warnings(s.Warnings), warnings(tok.Warnings)) {
			t.Fatalf("status warns of %v, the token of %v", s.Warnings, tok.Warnings)
		}
	}
}

func TestStatusNoRefreshToken(t *testing.T) {
	w := signedIn(t, oidctest.Settings{NoRefreshTokens: true})
	if s := w.status(); s.State != session.StateOnline || s.HasRefreshToken {
		t.Errorf("with a good token: %+v", s)
	}
	tok := w.mustToken(session.Request{})
	if _, err := w.manager().MarkStale(t.Context(), tok.Value); err != nil {
		t.Fatal(err)
	}
	if s := w.status(); s.State != session.StateSignInRequired {
		t.Errorf("with a stale token: %+v", s)
	}
	w.clock.Add(2 * time.Hour)
	if s := w.status(); s.State != session.StateSignInRequired {
		t.Errorf("with an expired token: %+v", s)
	}
}

// TestStatusOfDamagedCopy: nothing is known, and nothing fails.
func TestStatusOfDamagedCopy(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "cut off": `{"v":1,"profile":"wo`, "later version": `{"v":99}`, "list": "[]", "null": "null"} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t, oidctest.Settings{})
			if err := os.WriteFile(w.file(".json"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if s := w.status(); s.State != session.StateSignInRequired || s.Profile != "work" {
				t.Errorf("status is %+v", s)
			}
			// The token does not depend on it, and the next change renews it.
			w.mustToken(session.Request{})
			w.clock.Add(2 * time.Hour)
			w.mustToken(session.Request{})
			if s := w.status(); s.State != session.StateOnline {
				t.Errorf("after a refresh: %+v", s)
			}
		})
	}
}

// TestStatusIsNotBelieved: an editor can change the plain copy, and that
// extends nothing.
func TestStatusIsNotBelieved(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.policy.OnLimit = offline.DenyOnLimit
	w.provider.Down()
	w.clock.Add(8 * 24 * time.Hour)
	_, err := w.token(session.Request{})
	w.wantKind(err, session.Unreachable)
	forged := `{"v":1,"profile":"work","has_refresh_token":true,"access":{"present":true,"expiry":"2100-01-01T00:00:00Z"},"state":{"last_sync":"2099-01-01T00:00:00Z"}}`
	if err := os.WriteFile(w.file(".json"), []byte(forged), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = w.token(session.Request{})
	w.wantKind(err, session.Unreachable)
}
