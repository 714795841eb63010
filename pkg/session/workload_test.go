package session_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// newWorkload is a world in which nobody signs in.
func newWorkload(t *testing.T, grant string, settings oidctest.Settings) *world {
	t.Helper()
	w := newWorldAt(t, oidctest.Options{Settings: settings, Clients: []oidctest.Client{{ID: "oidc-cred", Secret: "the-client-secret"}}})
	w.scopes = []string{"api"}
	w.flow = func(c *oidcflow.Client) {
		c.ClientSecret = func(context.Context) (oidcflow.Secret, error) { return oidcflow.NewSecret("the-client-secret"), nil }
	}
	w.workload = &session.Workload{Grant: grant}
	if grant != session.GrantClientCredentials {
		w.workload.SubjectToken = func(context.Context) (oidcflow.Secret, error) {
			return oidcflow.NewSecret(w.provider.SubjectToken(nil)), nil
		}
	}
	return w
}

func grants() []string {
	return []string{session.GrantClientCredentials, session.GrantJWTBearer, session.GrantTokenExchange}
}

// TestWorkload: a session without a person begins by itself, is renewed by its
// grant, goes on in an outage, and stays out after a sign-out.
func TestWorkload(t *testing.T) {
	for _, grant := range grants() {
		t.Run(grant, func(t *testing.T) {
			w := newWorkload(t, grant, oidctest.Settings{})
			if s := w.status(); s.State != session.StateSignInRequired || s.Grant != grant {
				t.Errorf("before, status is %+v", s)
			}
			first := w.mustToken(session.Request{})
			w.wantEvents("signed_in")
			w.wantWarnings(first)
			if first.Expired || first.Offline || !slices.Equal(first.Scopes, []string{"api"}) || !first.LastSync.Equal(w.clock.Now()) {
				t.Errorf("the token is %+v", first)
			}
			if wanted := map[bool]string{true: "oidc-cred"}[grant == session.GrantClientCredentials]; first.Username != wanted {
				t.Errorf("the user name is %q", first.Username)
			}
			requests := w.provider.Count(oidctest.AnyEndpoint)
			if again := w.mustToken(session.Request{}); !again.Value.Equal(first.Value) || w.provider.Count(oidctest.AnyEndpoint) != requests {
				t.Error("a good token was not used again")
			}
			if s := w.status(); s.State != session.StateOnline || s.HasRefreshToken || s.Token == nil {
				t.Errorf("status is %+v", s)
			}

			w.clock.Add(2 * time.Hour)
			if s := w.status(); s.State != session.StateOnline {
				t.Errorf("expired, but renewable: %+v", s)
			}
			second := w.mustToken(session.Request{})
			w.wantEvents("token_refreshed")
			if second.Value.Equal(first.Value) || second.Expired || w.provider.Count(oidctest.UserInfoEndpoint) != 0 {
				t.Errorf("renewed: %+v", second)
			}

			w.clock.Add(2 * time.Hour)
			w.provider.Set(oidctest.TokenEndpoint, oidctest.Status(503))
			stale := w.mustToken(session.Request{})
			if !stale.Value.Equal(second.Value) || !stale.Expired || stale.Reason != offline.ReasonServerUnavailable {
				t.Errorf("in an outage: %+v", stale)
			}
			w.wantWarnings(stale, offline.WarnUsingExpiredToken, offline.WarnTokenValidationSkipped)
			off := false
			_, err := w.token(session.Request{Offline: &off})
			w.wantKind(err, session.Unreachable)
			w.provider.Clear()
			w.clock.Add(time.Minute)
			w.wantWarnings(w.mustToken(session.Request{}))

			if l := w.mustLogout(session.LogoutOptions{EndSession: &oidcflow.EndSessionOptions{}}); !l.WasSignedIn || !l.Revoked || l.EndSessionError != nil {
				t.Errorf("logout is %+v", l)
			}
			w.wantGone(session.CauseLogout)
			w.eventTypes()
			_, err = w.token(session.Request{})
			if e := w.wantKind(err, session.SignInRequired); e.Cause != offline.CauseNoSession || !strings.Contains(e.Message, "signed out") {
				t.Errorf("after the sign-out: %+v", e)
			}
			l := w.login()
			if !l.Refreshable || l.Grant != grant || len(l.Missing) != 0 || len(l.Advice) != 0 {
				t.Errorf("login is %+v", l)
			}
			w.mustToken(session.Request{})
			w.wantEvents("signed_in")
		})
	}
}

// TestManyWorkloads: however many find no session, or an expired one, there is
// one request.
func TestManyWorkloads(t *testing.T) {
	for name, shared := range map[string]bool{"goroutines": true, "processes": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorkload(t, session.GrantClientCredentials, oidctest.Settings{})
			for round := 1; round <= 2; round++ {
				one := w.manager()
				var group sync.WaitGroup
				tokens := make([]*session.Token, 50)
				for i := range tokens {
					m := one
					if !shared {
						m = w.manager()
					}
					group.Go(func() {
						tok, err := w.tokenFrom(m, session.Request{})
						if err != nil {
							t.Error(err)
						}
						tokens[i] = tok
					})
				}
				group.Wait()
				for _, tok := range tokens {
					if tok == nil || !tok.Value.Equal(tokens[0].Value) || len(tok.Warnings) != 0 {
						t.Fatalf("a caller got %+v", tok)
					}
				}
				if n := w.provider.Granted("client_credentials"); n != round {
					t.Errorf("%d requests in round %d", n, round)
				}
				w.clock.Add(2 * time.Hour)
			}
			w.wantEvents("signed_in", "token_refreshed")
		})
	}
}

// TestWorkloadIDToken is checked, and its subject stays the same.
func TestWorkloadIDToken(t *testing.T) {
	settings := oidctest.Settings{WorkloadIDTokens: true}
	w := newWorkload(t, session.GrantClientCredentials, settings)
	w.scopes = []string{"openid", "profile"}
	first := w.mustToken(session.Request{Type: session.ID})
	if first.Subject != "oidc-cred" || first.Expired {
		t.Errorf("the ID token is %+v", first)
	}
	w.clock.Add(2 * time.Hour)
	if again := w.mustToken(session.Request{Type: session.ID}); again.Value.Equal(first.Value) || again.Expired {
		t.Errorf("renewed: %+v", again)
	}
	w.clock.Add(2 * time.Hour)
	w.provider.Change(func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"sub": "somebody-else"} })
	_, err := w.token(session.Request{})
	if e := w.wantKind(err, session.SignInRequired); e.Cause != offline.CauseRejected || !strings.Contains(e.Message, "subject") {
		t.Errorf("another subject: %+v", e)
	}
	w.provider.Change(func(s *oidctest.Settings) { s.Signature, s.IDTokenClaims = oidctest.SignatureWrong, nil })
	_, err = w.token(session.Request{})
	w.wantKind(err, session.SignInRequired)
	w.provider.Change(func(s *oidctest.Settings) { s.Signature = oidctest.SignatureGood })
	w.provider.RotateKeys(false)
	w.provider.Set(oidctest.KeysEndpoint, oidctest.Status(503))
	_, err = w.token(session.Request{})
	w.wantKind(err, session.Unreachable)
}

// TestWorkloadWithoutIDToken: none comes, so none is asked for.
func TestWorkloadWithoutIDToken(t *testing.T) {
	w := newWorkload(t, session.GrantClientCredentials, oidctest.Settings{})
	w.scopes = []string{"openid", "api"} // asking is not a promise here
	for range 3 {
		_, err := w.token(session.Request{Type: session.ID})
		if e := w.wantKind(err, session.SignInRequired); e.Cause != offline.CauseNotRenewed || !strings.Contains(e.Message, "client_credentials") {
			t.Errorf("the error is %+v", e)
		}
	}
	w.mustToken(session.Request{})
	if n := w.provider.Granted("client_credentials"); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// TestExchangeForIDToken: what was issued is the ID token.
func TestExchangeForIDToken(t *testing.T) {
	w := newWorkload(t, session.GrantTokenExchange, oidctest.Settings{})
	w.workload.RequestedTokenType = "id_token"
	id := w.mustToken(session.Request{Type: session.ID})
	access := w.mustToken(session.Request{})
	if !id.Value.Equal(access.Value) || id.Subject == "" || id.Bound {
		t.Errorf("the ID token is %+v", id)
	}
	w.clock.Add(2 * time.Hour)
	if again := w.mustToken(session.Request{Type: session.ID}); again.Value.Equal(id.Value) || again.Expired {
		t.Errorf("renewed: %+v", again)
	}
}

// TestExchangeForAudience: an ID token for somebody else is checked to be for
// them.
func TestExchangeForAudience(t *testing.T) {
	for aud, good := range map[any]bool{"kubernetes": true, "oidc-cred": true, "https://api.example.com": true, "somebody-else": false} {
		w := newWorkload(t, session.GrantTokenExchange, oidctest.Settings{IDTokenClaims: map[string]any{"aud": []any{aud, "more"}}})
		w.workload.RequestedTokenType = "id_token"
		flow := w.flow
		w.flow = func(c *oidcflow.Client) {
			flow(c)
			c.Audience, c.Resources = "kubernetes", []string{"https://api.example.com"}
		}
		for range 2 {
			_, err := w.token(session.Request{Type: session.ID})
			if good && err != nil {
				t.Errorf("for %s: %v", aud, err)
			} else if !good {
				if e := w.wantKind(err, session.SignInRequired); !strings.Contains(e.Message, "somebody-else") {
					t.Errorf("for %s: %v", aud, e)
				}
			}
			w.clock.Add(2 * time.Hour)
		}
	}
}

// TestWorkloadRefreshToken: one that comes with such a grant is not used, and
// revoked in the end.
func TestWorkloadRefreshToken(t *testing.T) {
	w := newWorkload(t, session.GrantJWTBearer, oidctest.Settings{WorkloadRefreshTokens: true, RefreshLifetime: time.Minute, RefreshExpiry: "refresh_expires_in"})
	w.mustToken(session.Request{})
	w.clock.Add(2 * time.Hour)
	w.wantWarnings(w.mustToken(session.Request{}))
	if n := w.provider.Granted("refresh_token"); n != 0 {
		t.Errorf("%d refreshes", n)
	}
	if s := w.status(); !s.RefreshExpiry.IsZero() {
		t.Errorf("status is %+v", s)
	}
	refresh := w.refreshToken()
	w.mustLogout(session.LogoutOptions{})
	if hints := w.revoked(); !slices.Equal(hints, []string{"refresh_token", "access_token"}) || w.provider.Active(refresh) {
		t.Errorf("revoked were %v", hints)
	}
}

// TestLogoutOfNoWorkload: it does not begin by itself any more.
func TestLogoutOfNoWorkload(t *testing.T) {
	w := newWorkload(t, session.GrantClientCredentials, oidctest.Settings{})
	if l := w.mustLogout(session.LogoutOptions{}); l.WasSignedIn {
		t.Errorf("logout is %+v", l)
	}
	_, err := w.token(session.Request{})
	w.wantKind(err, session.SignInRequired)
	if n := w.provider.Count(oidctest.AnyEndpoint); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestWorkloadLockHeld: nobody waits for longer than the timeout.
func TestWorkloadLockHeld(t *testing.T) {
	w := newWorkload(t, session.GrantClientCredentials, oidctest.Settings{})
	w.timeout = 50 * time.Millisecond
	defer w.lock()()
	_, err := w.token(session.Request{})
	if e := w.wantKind(err, session.Unreachable); !strings.Contains(e.Message, "another oidc-cred") {
		t.Errorf("the error is %v", e)
	}
}

// TestWorkloadIsAnotherSession: for a person nothing changes, and every grant
// has a session of its own.
func TestWorkloadIsAnotherSession(t *testing.T) {
	w := newWorkload(t, "", oidctest.Settings{})
	w.workload = nil
	ids := []string{w.id()}
	if ids[0] != session.SessionID("work", w.provider.Issuer(), "oidc-cred") {
		t.Error("the session of a person has another name")
	}
	for _, grant := range grants() {
		w.workload = &session.Workload{Grant: grant}
		ids = append(ids, w.id())
	}
	if slices.Sort(ids); len(slices.Compact(ids)) != 4 {
		t.Errorf("the names are %v", ids)
	}
}
