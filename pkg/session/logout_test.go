package session_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func (w *world) logout(o session.LogoutOptions) (*session.Logout, error) {
	l, err := w.manager().Logout(context.Background(), o)
	w.heard(err)
	if l != nil {
		w.heard(l.RevokeError)
		w.say(l.EndSessionURL, l.Username)
	}
	return l, err
}

func (w *world) mustLogout(o session.LogoutOptions) *session.Logout {
	w.t.Helper()
	l, err := w.logout(o)
	if err != nil {
		w.t.Fatalf("logout: %v", err)
	}
	return l
}

// revoked are the kinds of token that the provider was told of, in order.
func (w *world) revoked() (hints []string) {
	for _, r := range w.provider.Requests(oidctest.RevocationEndpoint) {
		hints = append(hints, r.Form.Get("token_type_hint"))
	}
	return hints
}

func TestLogout(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	tok, refresh := w.mustToken(session.Request{}), w.refreshToken()
	w.clock.Add(time.Minute)
	l := w.mustLogout(session.LogoutOptions{})
	if !l.WasSignedIn || !l.Revoked || l.RevokeError != nil || l.Username != "user-1" {
		t.Errorf("logout is %+v", l)
	}
	if hints := w.revoked(); !slices.Equal(hints, []string{"refresh_token", "access_token"}) {
		t.Errorf("revoked were %v", hints)
	}
	if w.provider.Active(refresh) || w.provider.Active(tok.Value.Reveal()) {
		t.Error("the provider still takes a token")
	}
	// No token of any kind: the browser gets it as an argument.
	if !strings.HasPrefix(l.EndSessionURL, w.provider.URL(oidctest.EndSessionEndpoint)+"?client_id=") || strings.Contains(l.EndSessionURL, "id_token") {
		t.Errorf("the end-session URL is %s", l.EndSessionURL)
	}
	w.wantGone(session.CauseLogout)
	w.wantEvents("signed_out")
	s := w.status()
	if s.Username != "user-1" || !s.LastSync.Equal(w.clock.Now()) || s.HasRefreshToken || s.Token != nil || !s.SignedOut.At.Equal(w.clock.Now()) {
		t.Errorf("status is %+v", s)
	}
	_, err := w.token(session.Request{})
	w.wantKind(err, session.SignInRequired)

	if again := w.mustLogout(session.LogoutOptions{}); again.WasSignedIn || again.Revoked {
		t.Errorf("the second logout is %+v", again)
	}
	w.wantEvents()
}

// TestLogoutWhateverTheProviderSays destroys the local session.
func TestLogoutWhateverTheProviderSays(t *testing.T) {
	fault := func(f oidctest.Fault) func(*world) {
		return func(w *world) { w.provider.Set(oidctest.RevocationEndpoint, f) }
	}
	for name, c := range map[string]struct {
		set      func(*world)
		revoked  bool
		none     bool
		requests []string
	}{
		"down":                {set: func(w *world) { w.provider.Down() }},
		"down, no document":   {set: func(w *world) { w.forgetDocuments(); w.provider.Down() }},
		"black hole":          {set: func(w *world) { w.timeout = 200 * time.Millisecond; w.provider.BlackHole() }},
		"500":                 {set: fault(oidctest.Status(500)), requests: []string{"refresh_token", "access_token"}},
		"page":                {set: fault(oidctest.HTML(200)), requests: []string{"refresh_token", "access_token"}},
		"first one refused":   {set: fault(oidctest.OAuthError(400, "invalid_request", "no").Times(1)), requests: []string{"refresh_token", "access_token"}},
		"no access tokens":    {set: func(w *world) { w.refuseAccessTokens() }, revoked: true, requests: []string{"refresh_token"}},
		"no endpoint":         {set: func(w *world) { w.withoutEndpoint("revocation_endpoint") }, none: true},
		"no document, reload": {set: func(w *world) { w.forgetDocuments() }, revoked: true, requests: []string{"refresh_token", "access_token"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t, oidctest.Settings{})
			c.set(w)
			l := w.mustLogout(session.LogoutOptions{})
			if !l.WasSignedIn || l.Revoked != c.revoked || l.NoRevocation != c.none || (l.RevokeError == nil) != (c.revoked || c.none) {
				t.Errorf("logout is %+v", l)
			}
			if hints := w.revoked(); !slices.Equal(hints, c.requests) {
				t.Errorf("revoked were %v, want %v", hints, c.requests)
			}
			w.wantGone(session.CauseLogout)
			w.wantEvents("signed_out")
		})
	}
}

// refuseAccessTokens is RFC 7009 §2.2.1.
func (w *world) refuseAccessTokens() {
	next := w.client.Transport
	w.client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.String() == w.provider.URL(oidctest.RevocationEndpoint) && w.provider.Count(oidctest.RevocationEndpoint) == 1 {
			w.provider.Set(oidctest.TokenEndpoint, oidctest.OAuthError(400, "unsupported_token_type", ""))
			r = r.Clone(r.Context())
			r.URL.Path = strings.Replace(r.URL.Path, "/revoke", "/token", 1)
		}
		return next.RoundTrip(r)
	})}
}

// withoutEndpoint has the provider not have one.
func (w *world) withoutEndpoint(name string) {
	w.provider.Change(func(s *oidctest.Settings) { s.Metadata = map[string]any{name: nil} })
	w.forgetDocuments()
}

func TestLogoutNoEndSession(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.withoutEndpoint("end_session_endpoint")
	if l := w.mustLogout(session.LogoutOptions{}); l.EndSessionURL != "" || !l.Revoked {
		t.Errorf("logout is %+v", l)
	}
}

// TestLogoutNoRevoke leaves the provider alone, and does not complain that it
// was not told.
func TestLogoutNoRevoke(t *testing.T) {
	for name, forget := range map[string]bool{"cached document": false, "no document": true} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t, oidctest.Settings{})
			refresh := w.refreshToken()
			if forget {
				w.forgetDocuments()
			}
			requests := w.provider.Count(oidctest.AnyEndpoint)
			l := w.mustLogout(session.LogoutOptions{NoRevoke: true})
			if !l.WasSignedIn || l.Revoked || l.RevokeError != nil || (l.EndSessionURL == "") != forget {
				t.Errorf("logout is %+v", l)
			}
			if n := w.provider.Count(oidctest.AnyEndpoint) - requests; n != 0 || !w.provider.Active(refresh) {
				t.Errorf("%d requests", n)
			}
			w.wantGone(session.CauseLogout)
		})
	}
}

// TestLogoutKeychainFails: the files go all the same, and it is said.
func TestLogoutKeychainFails(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.keychain.broken(cache.ProblemLocked)
	_, err := w.logout(session.LogoutOptions{})
	w.wantKind(err, session.StoreUnusable)
	if _, err := os.Stat(w.file(".sealed")); err == nil {
		t.Error("the sealed file is still there")
	}
	w.wantEvents("signed_out")
	w.keychain.broken("")
	_, err = w.token(session.Request{})
	w.wantKind(err, session.SignInRequired)
	if s := w.status(); s.SignedOut == nil || s.SignedOut.Cause != session.CauseLogout {
		t.Errorf("status is %+v", s)
	}
}

// TestForcedSignOutKeychainFails: the provider said no, and both are told.
func TestForcedSignOutKeychainFails(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.provider.RevokeAll()
	w.clock.Add(2 * time.Hour)
	w.onRequest(oidctest.TokenEndpoint, nil, func() { w.keychain.broken(cache.ProblemTimeout) })
	_, err := w.token(session.Request{})
	if e := w.wantKind(err, session.SignInRequired); e.Cause != offline.CauseRejected {
		t.Errorf("the error is %+v", e)
	}
	var keychain *cache.KeychainError
	if !errors.As(err, &keychain) {
		t.Errorf("nothing is said of the keychain: %v", err)
	}
	if _, err := os.Stat(w.file(".sealed")); err == nil {
		t.Error("the sealed file is still there")
	}
}

// TestLogoutDamaged: a session that can't be read can be signed out of.
func TestLogoutDamaged(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	if err := os.WriteFile(w.file(".sealed"), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l := w.mustLogout(session.LogoutOptions{}); !l.WasSignedIn || l.Revoked {
		t.Errorf("logout is %+v", l)
	}
	w.wantGone(session.CauseLogout)
}

// TestLogoutLockHeld: a process that hangs can't keep a session alive, and what
// it writes later is not read.
func TestLogoutLockHeld(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.clock.Add(2 * time.Hour)
	w.provider.Set(oidctest.TokenEndpoint, oidctest.Hold())
	done := w.tokenInBackground(context.Background(), session.Request{})
	w.awaitRequests(oidctest.TokenEndpoint, 2)
	other := w.unwatched()
	other.timeout = 100 * time.Millisecond
	if l := other.mustLogout(session.LogoutOptions{NoRevoke: true}); !l.WasSignedIn {
		t.Errorf("logout is %+v", l)
	}
	other.wantGone(session.CauseLogout)
	w.provider.Clear()
	<-done
	w.wantGone(session.CauseLogout)
	_, err := w.token(session.Request{})
	w.wantKind(err, session.SignInRequired)
}

func TestLogoutCancelled(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.manager().Logout(ctx, session.LogoutOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	w.wantKept()
	// Once it has begun, the session goes.
	ctx, cancel = context.WithCancel(context.Background())
	w.provider.Set(oidctest.RevocationEndpoint, oidctest.Hold())
	done := make(chan error, 1)
	go func() {
		_, err := w.manager().Logout(ctx, session.LogoutOptions{})
		done <- err
	}()
	w.awaitRequests(oidctest.RevocationEndpoint, 1)
	cancel()
	w.provider.Clear()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	w.wantGone(session.CauseLogout)
}

// TestLogoutWhileOffline tries all the same.
func TestLogoutWhileOffline(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.provider.Set(oidctest.TokenEndpoint, oidctest.Status(503))
	w.clock.Add(2 * time.Hour)
	w.mustToken(session.Request{})
	if l := w.mustLogout(session.LogoutOptions{}); !l.Revoked {
		t.Errorf("logout is %+v", l)
	}
	w.wantGone(session.CauseLogout)
}
