package session_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// TestSignInEnding: the end that the provider announced is shown, warned of when
// it is near, and decides nothing.
func TestSignInEnding(t *testing.T) {
	for _, name := range []string{"refresh_expires_in", "refresh_token_expires_in"} {
		w := newWorld(t, oidctest.Settings{RefreshLifetime: 10 * time.Hour, RefreshExpiry: name, Lifetime: 100 * time.Hour})
		end := w.clock.Now().Add(10 * time.Hour)
		if l := w.login(); !l.RefreshExpiry.Equal(end) {
			t.Errorf("login: %s", l.RefreshExpiry)
		}
		w.wantWarnings(w.mustToken(session.Request{}))
		w.clock.Add(9 * time.Hour)
		w.wantWarnings(w.mustToken(session.Request{}))
		w.clock.Add(time.Minute)
		tok := w.mustToken(session.Request{})
		w.wantWarnings(tok, session.WarnSignInEnding)
		if m := tok.Warnings[0].Message; !strings.Contains(m, "ends in 59 minutes") || !strings.Contains(m, "login") {
			t.Errorf("%q", m)
		}
		s := w.status()
		if !s.RefreshExpiry.Equal(end) || !slices.Equal(warnings(s.Warnings), []offline.WarningType{session.WarnSignInEnding}) {
			t.Errorf("status is %+v", s)
		}
		// Past it, the refresh token is tried all the same.
		w.provider.Change(func(s *oidctest.Settings) { s.RefreshLifetime = 0 })
		w.clock.Add(2 * time.Hour)
		if m := w.mustToken(session.Request{}).Warnings[0].Message; !strings.Contains(m, "ended 1 hour 1 minute ago") {
			t.Errorf("%q", m)
		}
		_, err := w.token(session.Request{ForceRefresh: true})
		if n := w.provider.Count(oidctest.TokenEndpoint); n != 2 {
			t.Errorf("%d requests, %v", n, err)
		}
	}
}

// TestEndingOfWhat: an end that every renewal moves is the refresh token's, one
// that stays is the session's.
func TestEndingOfWhat(t *testing.T) {
	announce := func(w *world, seconds any) {
		w.provider.Change(func(s *oidctest.Settings) { s.TokenResponse = map[string]any{"refresh_expires_in": seconds} })
	}
	w := newWorld(t, oidctest.Settings{Lifetime: 5 * time.Minute})
	announce(w, "1800") // a string, and an end that moves
	w.login()
	for range 20 {
		w.clock.Add(6 * time.Minute)
		w.wantWarnings(w.mustToken(session.Request{}))
	}
	begun := w.clock.Now()
	end := begun.Add(1800 * time.Second)
	for w.clock.Now().Before(end.Add(-4 * time.Minute)) {
		w.clock.Add(5*time.Minute + 45*time.Second)
		announce(w, int64(end.Sub(w.clock.Now()).Seconds()))
		var want []offline.WarningType
		if end.Sub(w.clock.Now()) < 3*time.Minute {
			want = []offline.WarningType{session.WarnSignInEnding}
		}
		w.wantWarnings(w.mustToken(session.Request{}), want...)
	}
	announce(w, 0) // without an end
	w.clock.Add(6 * time.Minute)
	w.wantWarnings(w.mustToken(session.Request{}))
	if s := w.status(); !s.RefreshExpiry.IsZero() {
		t.Errorf("it ends at %s", s.RefreshExpiry)
	}
	// A long one: the last day.
	announce(w, int64((90 * 24 * time.Hour).Seconds()))
	w.clock.Add(6 * time.Minute)
	w.mustToken(session.Request{})
	w.provider.Change(func(s *oidctest.Settings) {
		s.TokenResponse, s.Lifetime = map[string]any{"refresh_token": nil}, 1000*time.Hour
	})
	w.clock.Add(89*24*time.Hour - time.Minute)
	w.wantWarnings(w.mustToken(session.Request{}))
	w.clock.Add(2 * time.Minute)
	w.wantWarnings(w.mustToken(session.Request{}), session.WarnSignInEnding)
}
