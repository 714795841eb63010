package session_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// TestWorkloadAskedForOther: a token is never given out for what it was not
// asked for, and one that fits is used again.
func TestWorkloadAskedForOther(t *testing.T) {
	for name, change := range map[string]func(*oidcflow.Client, *session.Workload){
		"audience":       func(c *oidcflow.Client, _ *session.Workload) { c.Audience = "https://api2" },
		"scopes":         func(c *oidcflow.Client, _ *session.Workload) { c.Scopes = []string{"api", "more"} },
		"other scopes":   func(c *oidcflow.Client, _ *session.Workload) { c.Scopes = []string{"ap", "i"} },
		"resources":      func(c *oidcflow.Client, _ *session.Workload) { c.Resources = []string{"https://api2"} },
		"requested type": func(_ *oidcflow.Client, w *session.Workload) { w.RequestedTokenType = "id_token" },
		"subject type":   func(_ *oidcflow.Client, w *session.Workload) { w.SubjectTokenType = "id_token" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkload(t, session.GrantTokenExchange, oidctest.Settings{})
			first := w.mustToken(session.Request{})
			flow, was := w.flow, *w.workload
			set := func(on bool) {
				*w.workload, w.flow = was, flow
				if on {
					w.flow = func(c *oidcflow.Client) { flow(c); change(c, &session.Workload{}) }
					change(&oidcflow.Client{}, w.workload)
				}
			}
			set(true)
			if s := w.status(); s.State != session.StateSignInRequired || !s.Changed || s.Token != nil || !s.Begins() {
				t.Errorf("status is %+v", s)
			}
			// While it can't be had, the former one stays where it is, and is not
			// given out for it.
			w.provider.Set(oidctest.TokenEndpoint, oidctest.Status(503))
			_, err := w.token(session.Request{})
			w.wantKind(err, session.Unreachable)
			if s := w.status(); s.State != session.StateOffline || s.Token != nil {
				t.Errorf("in an outage, status is %+v", s)
			}
			set(false)
			if tok := w.mustToken(session.Request{}); !tok.Value.Equal(first.Value) {
				t.Error("the former token is gone")
			}
			if s := w.status(); s.State != session.StateOnline || s.Changed {
				t.Errorf("of the former, status is %+v", s)
			}
			set(true)
			w.provider.Clear()
			w.clock.Add(31 * time.Second)
			second := w.mustToken(session.Request{})
			if again := w.mustToken(session.Request{}); second.Value.Equal(first.Value) || !again.Value.Equal(second.Value) {
				t.Error("it is the former token, or was not kept")
			}
			if s := w.status(); s.State != session.StateOnline || s.Changed {
				t.Errorf("then status is %+v", s)
			}
			set(false)
			if third := w.mustToken(session.Request{}); third.Value.Equal(second.Value) {
				t.Error("back again, it is the other's token")
			}
		})
	}
}

// TestPersonAskedForOther: what a person asked for holds until the next sign-in.
func TestPersonAskedForOther(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	first := w.mustToken(session.Request{})
	w.scopes = []string{"openid", "email"}
	if tok := w.mustToken(session.Request{}); !tok.Value.Equal(first.Value) {
		t.Error("the session was left")
	}
	if s := w.status(); s.State != session.StateOnline || s.Changed || s.Begins() {
		t.Errorf("status is %+v", s)
	}
}

// TestManyRefusedWorkloads: however many begin at once with a secret that is
// wrong, the provider is asked once.
func TestManyRefusedWorkloads(t *testing.T) {
	for name, begun := range map[string]bool{"at the beginning": false, "at a renewal": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorkload(t, session.GrantClientCredentials, oidctest.Settings{})
			if begun {
				w.mustToken(session.Request{})
				w.clock.Add(2 * time.Hour)
			}
			good := w.flow
			wrongSecret(w)
			before := w.provider.Count(oidctest.TokenEndpoint)
			var group sync.WaitGroup
			for range 30 {
				group.Go(func() {
					_, err := w.token(session.Request{})
					if e := w.wantKind(err, session.SignInRequired); e != nil && !strings.Contains(e.Message, "invalid_client") {
						t.Errorf("the error is %v", e)
					}
				})
			}
			group.Wait()
			if n := w.provider.Count(oidctest.TokenEndpoint) - before; n != 1 {
				t.Errorf("%d requests", n)
			}
			if s := w.status(); s.Refused == nil || !s.Begins() {
				t.Errorf("status is %+v", s)
			}
			// Other settings are another question, and a sign-in asks always.
			w.flow = func(c *oidcflow.Client) { good(c); c.AuthMethod = "client_secret_post" }
			w.mustToken(session.Request{})
			wrongSecret(w)
			before = w.provider.Count(oidctest.TokenEndpoint)
			_, err := w.tryLogin()
			w.wantKind(err, session.SignInRequired)
			if n := w.provider.Count(oidctest.TokenEndpoint) - before; n == 0 {
				t.Error("the sign-in did not ask")
			}
		})
	}
}

// TestTokenTypeNotUnderstood: such a token goes nowhere, RFC 6749 §7.1. At a
// refresh it is no reason to end the session, whose refresh token is a new one.
func TestTokenTypeNotUnderstood(t *testing.T) {
	answer := func(kind string) oidctest.Fault {
		return oidctest.Answer(200, "application/json", fmt.Sprintf(`{"access_token":"odd-token","token_type":%q,"refresh_token":"the-next","expires_in":60}`, kind))
	}
	w := signedIn(t, oidctest.Settings{})
	w.clock.Add(2 * time.Hour)
	w.provider.Set(oidctest.TokenEndpoint, answer("mac"))
	for range 2 {
		_, err := w.token(session.Request{})
		if err == nil || session.KindOf(err) != 0 || !strings.Contains(err.Error(), `"mac"`) {
			t.Errorf("the error is %v", err)
		}
	}
	if n := w.provider.Count(oidctest.TokenEndpoint); n != 2 { // and the code
		t.Errorf("%d requests", n)
	}
	if s := w.status(); s.State != session.StateOnline || w.refreshToken() != "the-next" {
		t.Errorf("status is %+v", s)
	}
	w.clock.Add(2 * time.Hour)
	w.provider.Set(oidctest.TokenEndpoint, answer("bearer"))
	w.mustToken(session.Request{})

	for _, grant := range grants() {
		w := newWorkload(t, grant, oidctest.Settings{})
		w.provider.Set(oidctest.TokenEndpoint, answer("JWT"))
		_, err := w.token(session.Request{})
		if err == nil || session.KindOf(err) != 0 || !strings.Contains(err.Error(), `"JWT"`) {
			t.Errorf("%s: %v", grant, err)
		}
		if s := w.status(); s.State == session.StateOffline {
			t.Errorf("%s: it counts as an outage", grant)
		}
		if _, err := w.tryLogin(); err == nil || session.KindOf(err) != 0 {
			t.Errorf("%s: login: %v", grant, err)
		}
	}
}

// TestNotBound: that the provider binds no token is no outage.
func TestNotBound(t *testing.T) {
	w := newWorkload(t, session.GrantClientCredentials, oidctest.Settings{})
	flow := w.flow
	w.flow = func(c *oidcflow.Client) { flow(c); c.DPoP = "always" }
	w.provider.Set(oidctest.TokenEndpoint, oidctest.Answer(200, "application/json", `{"access_token":"a-token","token_type":"Bearer"}`))
	_, err := w.token(session.Request{})
	wantLocal(t, err)
	_, err = w.tryLogin()
	wantLocal(t, err)
}

// TestLogoutShares: a provider that hangs over the refresh token is told of the
// access token all the same.
func TestLogoutShares(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.timeout = 400 * time.Millisecond
	w.provider.Set(oidctest.RevocationEndpoint, oidctest.Hold())
	l, err := w.manager().Logout(t.Context(), session.LogoutOptions{})
	if err != nil || l.Revoked || l.RevokeError == nil {
		t.Errorf("%+v, %v", l, err)
	}
	if n := w.provider.Count(oidctest.RevocationEndpoint); n != 2 {
		t.Errorf("%d requests", n)
	}
}
