package session_test

import (
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func TestSignInThenTokenFromCache(t *testing.T) {
	w := newWorld(t, oidctest.Settings{})
	l := w.login()
	if l.Subject == "" || !l.Refreshable || l.Profile != "work" {
		t.Errorf("login is %+v", l)
	}
	w.wantEvents("signed_in")
	before := w.provider.Count(oidctest.AnyEndpoint)
	defer w.lock()() // nor does it wait for a lock
	first := w.mustToken(session.Request{})
	if !w.provider.Active(first.Value.Reveal()) {
		t.Error("the token is not one that the provider knows")
	}
	if first.Offline || first.Expired || len(first.Warnings) != 0 {
		t.Errorf("a good token is %+v", first)
	}
	if first.Type != session.Access || first.Profile != "work" || first.Issuer != w.provider.Issuer() || first.Subject != l.Subject ||
		!first.Expiry.Equal(w.clock.Now().Add(time.Hour)) || !first.LastSync.Equal(w.clock.Now()) || len(first.Scopes) != 3 {
		t.Errorf("the token is %+v", first)
	}
	if n := w.provider.Count(oidctest.AnyEndpoint) - before; n != 0 {
		t.Errorf("a token from the cache cost %d requests", n)
	}
	w.wantEvents()
}

func TestNoSession(t *testing.T) {
	w := newWorld(t, oidctest.Settings{})
	for _, req := range []session.Request{{}, {ForceRefresh: true}, {Type: session.ID}} {
		_, err := w.token(req)
		if e := w.wantKind(err, session.SignInRequired); e.Cause != offline.CauseNoSession {
			t.Errorf("%+v: %+v", req, e)
		}
	}
	if n := w.provider.Count(oidctest.AnyEndpoint); n != 0 {
		t.Errorf("without a session there were %d requests", n)
	}
}

func TestRefreshRotates(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	last := w.mustToken(session.Request{})
	for range 3 {
		w.clock.Add(time.Hour)
		next := w.mustToken(session.Request{})
		if next.Value.Equal(last.Value) || next.Offline || next.Expired {
			t.Fatalf("after an hour the token is the same, or offline: %+v", next)
		}
		w.wantWarnings(next)
		w.wantEvents("token_refreshed")
		last = next
	}
	if n := w.provider.Reused(); n != 0 {
		t.Errorf("a spent refresh token was used %d times", n)
	}
}

// TestWhenToRefresh is step 2: the window, --min-valid and --force-refresh.
func TestWhenToRefresh(t *testing.T) {
	base := signedIn(t, oidctest.Settings{KeepFamily: true, ReuseGrace: 24 * time.Hour})
	start := base.clock.Now()
	for _, c := range []struct {
		name  string
		after time.Duration
		req   session.Request
		want  bool
	}{
		{"fresh", 0, session.Request{}, false},
		{"before the window", 58 * time.Minute, session.Request{}, false},
		{"inside the window", 59*time.Minute + time.Second, session.Request{}, true},
		{"expired", time.Hour, session.Request{}, true},
		{"enough life", 10 * time.Minute, session.Request{MinValid: 49 * time.Minute}, false},
		{"not enough life", 10 * time.Minute, session.Request{MinValid: 51 * time.Minute}, true},
		{"more life than any token has", 10 * time.Minute, session.Request{MinValid: 2 * time.Hour}, true},
		{"forced", 0, session.Request{ForceRefresh: true}, true},
		{"the ID token", 30 * time.Minute, session.Request{Type: session.ID}, false},
		{"the expired ID token", time.Hour, session.Request{Type: session.ID}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			base.clock.Set(start)
			w := base.copyTo(t)
			first := w.mustToken(session.Request{Type: c.req.Type})
			before := w.provider.Count(oidctest.TokenEndpoint)
			w.clock.Add(c.after)
			tok := w.mustToken(c.req)
			want := 0
			if c.want {
				want = 1
			}
			if n := w.provider.Count(oidctest.TokenEndpoint) - before; n != want {
				t.Errorf("%d refreshes, want %d", n, want)
			}
			if tok.Value.Equal(first.Value) == c.want {
				t.Errorf("a new token: %v, want %v", !c.want, c.want)
			}
			w.wantWarnings(tok)
		})
	}
}

// TestShortTokens: a window longer than a token lives does not refresh at
// every call.
func TestShortTokens(t *testing.T) {
	w := newWorld(t, oidctest.Settings{Lifetime: 2 * time.Minute})
	w.policy.RefreshBefore = 5 * time.Minute
	w.login()
	for range 50 {
		w.mustToken(session.Request{})
		w.clock.Add(2 * time.Second)
	}
	if n := w.provider.Granted("refresh_token"); n != 1 {
		t.Errorf("%d refreshes in 100 seconds", n)
	}
}

func TestTokenSource(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	source := w.manager().TokenSource(t.Context(), session.Request{})
	first, err := source.Token()
	if err != nil || !first.Valid() || first.Type() != "Bearer" || !first.Expiry.Equal(w.clock.Now().Add(time.Hour)) {
		t.Fatalf("the token is %v, %v", first.Expiry, err)
	}
	w.clock.Add(2 * time.Hour)
	w.provider.Down()
	stale, err := source.Token()
	if err != nil || stale.AccessToken != first.AccessToken || !stale.Expiry.IsZero() || !stale.Valid() {
		t.Errorf("offline: %v; an http client must be able to send it", err)
	}
	w.policy.Enabled = false
	_, err = w.manager().TokenSource(t.Context(), session.Request{}).Token()
	w.wantKind(err, session.Unreachable)
}
