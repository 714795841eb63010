package session_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

type tokenResult struct {
	token *session.Token
	err   error
}

// tokenInBackground asks for a token as another process would, and goes on.
func (w *world) tokenInBackground(ctx context.Context, req session.Request) <-chan tokenResult {
	done := make(chan tokenResult, 1)
	m := w.manager()
	go func() {
		tok, err := m.Token(ctx, req)
		w.heard(err)
		done <- tokenResult{tok, err}
	}()
	return done
}

// awaitRequests waits until so many more requests to the endpoint have come.
func (w *world) awaitRequests(e oidctest.Endpoint, n int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := w.provider.Await(ctx, e, n); err != nil {
		w.t.Fatalf("request %d to %s has not come: %v", n, e, err)
	}
}

// TestStoredBeforeChecked: the token answer is on disk while the keys, and then
// the user's claims, are still waited for.
func TestStoredBeforeChecked(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	first, spent := w.mustToken(session.Request{}), w.refreshToken()
	// An outage before, so that userinfo is read too.
	w.provider.Set(oidctest.TokenEndpoint, oidctest.Status(503))
	w.clock.Add(2 * time.Hour)
	w.mustToken(session.Request{})
	w.provider.Clear()
	w.clock.Add(time.Minute)
	w.provider.RotateKeys(true)

	for _, e := range []oidctest.Endpoint{oidctest.KeysEndpoint, oidctest.UserInfoEndpoint} {
		w.provider.Set(e, oidctest.Hold())
	}
	keys, userInfo := w.provider.Count(oidctest.KeysEndpoint), w.provider.Count(oidctest.UserInfoEndpoint)
	done := w.tokenInBackground(context.Background(), session.Request{})
	for _, step := range []struct {
		endpoint oidctest.Endpoint
		before   int
	}{{oidctest.KeysEndpoint, keys}, {oidctest.UserInfoEndpoint, userInfo}} {
		w.awaitRequests(step.endpoint, step.before+1)
		if w.refreshToken() == spent {
			t.Fatalf("while %s is waited for, the spent refresh token is on disk", step.endpoint)
		}
		// Others go on with what is there, without the lock and without any
		// word of the outage that is over.
		other := w.mustToken(session.Request{})
		if other.Value.Equal(first.Value) || other.Offline || other.Expired {
			t.Errorf("meanwhile another process gets %+v", other)
		}
		w.wantWarnings(other)
		if s := w.status(); s.State != session.StateOnline {
			t.Errorf("meanwhile the state is %s", s.State)
		}
		w.provider.Clear(step.endpoint)
	}
	if r := <-done; r.err != nil || r.token.Offline || len(r.token.Warnings) != 0 {
		t.Errorf("the token is %+v, %v", r.token, r.err)
	}
	if n := w.provider.Reused(); n != 0 {
		t.Errorf("%d spent refresh tokens were used", n)
	}
}

// breakStorage puts something in the sealed file's place that can't be
// replaced.
func (w *world) breakStorage() {
	if err := errors.Join(os.Remove(w.file(".sealed")), os.MkdirAll(filepath.Join(w.file(".sealed"), "full"), 0o700)); err != nil {
		w.t.Error(err)
	}
}

// TestNotStored: the provider rotated the tokens and they can't be written.
func TestNotStored(t *testing.T) {
	for name, settings := range map[string]oidctest.Settings{
		"with an ID token": {}, "without": {NoIDTokenOnRefresh: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t, settings)
			first := w.mustToken(session.Request{})
			w.onRequest(oidctest.TokenEndpoint, nil, w.breakStorage)
			w.clock.Add(2 * time.Hour)
			tok := w.mustToken(session.Request{})
			if tok.Value.Equal(first.Value) || tok.Expired || !w.provider.Active(tok.Value.Reveal()) {
				t.Errorf("the token is %+v", tok)
			}
			w.wantWarnings(tok, session.WarnNotStored)
			w.wantEvents("token_refreshed", "warning session_not_stored")
		})
	}
}

// TestStoredAtLast: a store that fails for a moment is no trouble.
func TestStoredAtLast(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.provider.RotateKeys(true)
	sealed, err := os.ReadFile(w.file(".sealed"))
	if err != nil {
		t.Fatal(err)
	}
	w.onRequest(oidctest.TokenEndpoint, nil, w.breakStorage)
	next := w.client.Transport
	w.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.String() == w.provider.URL(oidctest.KeysEndpoint) {
			// Between the first try and the last.
			if err := errors.Join(os.RemoveAll(w.file(".sealed")), os.WriteFile(w.file(".sealed"), sealed, 0o600)); err != nil {
				t.Error(err)
			}
		}
		return next.RoundTrip(r)
	})
	w.clock.Add(2 * time.Hour)
	w.wantWarnings(w.mustToken(session.Request{}))
	w.clock.Add(2 * time.Hour)
	w.client = w.provider.HTTPClient()
	w.wantWarnings(w.mustToken(session.Request{}))
	if n := w.provider.Reused(); n != 0 {
		t.Errorf("%d spent refresh tokens were used", n)
	}
}

// TestStoredAtTheLastTry: so is a disk that is full for a tenth of a second.
func TestStoredAtTheLastTry(t *testing.T) {
	w := signedIn(t, oidctest.Settings{NoIDTokenOnRefresh: true})
	w.clock.Add(2 * time.Hour)
	synctest.Test(t, func(t *testing.T) {
		w.onRequest(oidctest.TokenEndpoint, nil, func() {
			sealed, err := os.ReadFile(w.file(".sealed"))
			if err != nil {
				t.Error(err)
			}
			w.breakStorage()
			go func() {
				time.Sleep(100 * time.Millisecond)
				if err := errors.Join(os.RemoveAll(w.file(".sealed")), os.WriteFile(w.file(".sealed"), sealed, 0o600)); err != nil {
					t.Error(err)
				}
			}()
		})
		w.wantWarnings(w.mustToken(session.Request{}))
	})
	if tok := w.mustToken(session.Request{}); tok.Expired {
		t.Errorf("what was stored is %+v", tok)
	}
}

// TestFailureNotStored: a failure that can't be counted changes nothing about
// the token.
func TestFailureNotStored(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.onRequest(oidctest.TokenEndpoint, nil, w.breakStorage)
	w.provider.Set(oidctest.TokenEndpoint, oidctest.Status(503))
	w.clock.Add(2 * time.Hour)
	w.wantWarnings(w.mustToken(session.Request{}), offline.WarnUsingExpiredToken, offline.WarnTokenValidationSkipped)
}

// withoutLock makes the lock useless once, as on a network file system: the
// other process gets a lock of its own.
func (w *world) withoutLock() {
	w.t.Helper()
	if runtime.GOOS == "windows" {
		w.t.Skip("Windows removes no file that is locked")
	}
	if err := os.Remove(w.file(".lock")); err != nil {
		w.t.Error(err)
	}
}

// TestLateLook: before a forced sign-out the session is read once more, and
// whoever lost a race does not remove the winner's tokens.
func TestLateLook(t *testing.T) {
	for name, settings := range map[string]oidctest.Settings{
		"the family is revoked": {}, "the family lives on": {KeepFamily: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t, settings)
			first := w.mustToken(session.Request{})
			var winner *session.Token
			w.onRequest(oidctest.TokenEndpoint, func() {
				if winner == nil {
					w.withoutLock()
					winner = w.unwatched().mustToken(session.Request{})
				}
			}, nil)
			w.clock.Add(2 * time.Hour)
			loser := w.mustToken(session.Request{})
			if !loser.Value.Equal(winner.Value) || loser.Value.Equal(first.Value) || loser.Offline {
				t.Errorf("the loser gets %+v", loser)
			}
			w.wantKept()
			if n := w.provider.Reused(); n != 1 {
				t.Errorf("%d spent refresh tokens were used; the test has no race", n)
			}
		})
	}
}

// unwatched is the same world with the provider's plain client.
func (w *world) unwatched() *world {
	return &world{
		t: w.t, provider: w.provider, clock: w.clock, keychain: w.keychain, dir: w.dir, policy: w.policy,
		timeout: w.timeout, client: w.provider.HTTPClient(), scopes: w.scopes, browser: w.browser,
	}
}

// TestLateLookRefreshes: what the winner stored is due again, so its refresh
// token is used.
func TestLateLookRefreshes(t *testing.T) {
	w := signedIn(t, oidctest.Settings{KeepFamily: true})
	raced := false
	w.onRequest(oidctest.TokenEndpoint, func() {
		if raced {
			return
		}
		raced = true
		w.withoutLock()
		w.unwatched().mustToken(session.Request{})
		w.clock.Add(2 * time.Hour)
	}, nil)
	w.clock.Add(2 * time.Hour)
	tok := w.mustToken(session.Request{})
	if tok.Offline || !w.provider.Active(tok.Value.Reveal()) || w.provider.Granted("refresh_token") != 2 {
		t.Errorf("the token is %+v after %d refreshes", tok, w.provider.Granted("refresh_token"))
	}
}

// TestLateLookAfterLogout: somebody signed out meanwhile; that it was he stays
// the reason.
func TestLateLookAfterLogout(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.onRequest(oidctest.TokenEndpoint, func() {
		w.withoutLock()
		if _, err := w.unwatched().manager().Logout(context.Background(), session.LogoutOptions{}); err != nil {
			t.Error(err)
		}
	}, nil)
	w.clock.Add(2 * time.Hour)
	_, err := w.token(session.Request{})
	if e := w.wantKind(err, session.SignInRequired); e.Cause != offline.CauseNoSession {
		t.Errorf("the cause is %s", e.Cause)
	}
	w.wantGone(session.CauseLogout)
}

// TestLateLookAfterLogin: the session that was rejected is not the one that is
// stored now, which has no refresh token and is not to be removed.
func TestLateLookAfterLogin(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.provider.RevokeAll()
	raced := false
	w.onRequest(oidctest.TokenEndpoint, func() {
		if raced {
			return
		}
		raced = true
		w.withoutLock()
		w.provider.Change(func(s *oidctest.Settings) { s.NoRefreshTokens = true })
		w.unwatched().login()
	}, nil)
	w.clock.Add(2 * time.Hour)
	if tok := w.mustToken(session.Request{}); !w.provider.Active(tok.Value.Reveal()) {
		t.Errorf("the token is %+v", tok)
	}
	if s := w.status(); s.State != session.StateOnline || s.HasRefreshToken {
		t.Errorf("status is %+v", s)
	}
}
