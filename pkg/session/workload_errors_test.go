package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// TestWorkloadCannotBegin: what failed decides what it is, and an outage is
// asked about no more often than for a session that is there.
func TestWorkloadCannotBegin(t *testing.T) {
	for name, c := range map[string]struct {
		set   func(*world)
		kind  session.Kind
		cause offline.Cause
		waits bool
	}{
		"down":          {func(w *world) { w.provider.Down() }, session.Unreachable, offline.CauseNoToken, true},
		"503":           {func(w *world) { w.provider.Set(oidctest.TokenEndpoint, oidctest.Status(503)) }, session.Unreachable, offline.CauseNoToken, true},
		"portal":        {func(w *world) { w.provider.Set(oidctest.TokenEndpoint, oidctest.HTML(200)) }, session.Unreachable, offline.CauseNoToken, true},
		"no discovery":  {func(w *world) { w.provider.Set(oidctest.DiscoveryEndpoint, oidctest.Status(404)) }, session.Unreachable, offline.CauseNoToken, true},
		"refused":       {func(w *world) { w.provider.Set(oidctest.TokenEndpoint, oidctest.OAuthError(400, "invalid_scope", "")) }, session.SignInRequired, offline.CauseRejected, false},
		"wrong secret":  {wrongSecret, session.SignInRequired, offline.CauseRejected, false},
		"no subject":    {func(w *world) { noSubject(w, httpError(403)) }, session.Unreachable, offline.CauseNoToken, true},
		"subject lost":  {func(w *world) { noSubject(w, errors.New("somehow")) }, session.Unreachable, offline.CauseNoToken, true},
		"wrong subject": {func(w *world) { w.provider.Change(func(*oidctest.Settings) {}); badSubject(w) }, session.SignInRequired, offline.CauseRejected, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkload(t, session.GrantJWTBearer, oidctest.Settings{})
			source, flow := w.workload.SubjectToken, w.flow
			c.set(w)
			_, err := w.token(session.Request{})
			e := w.wantKind(err, c.kind)
			if e.Cause != c.cause || strings.Contains(e.Message, "has been removed") {
				t.Errorf("the error is %+v", e)
			}
			s := w.status()
			if c.waits {
				if s.State != session.StateOffline || s.Token != nil || s.Offline.Failures != 1 || !s.Offline.NextRetry.Equal(w.clock.Now().Add(30*time.Second)) || s.Offline.LastError == "" {
					t.Errorf("status is %+v, %+v", s, s.Offline)
				}
				if !strings.Contains(e.Hint, "--force-refresh") && !strings.Contains(e.Hint, "subject token") {
					t.Errorf("the hint is %q", e.Hint)
				}
			} else if s.State != session.StateSignInRequired || s.Token != nil || s.Refused == nil || !s.Refused.Until.Equal(w.clock.Now().Add(30*time.Second)) || s.Refused.Hint == "" {
				t.Errorf("status is %+v, %+v", s, s.Refused)
			}
			if !s.Begins() {
				t.Error("status says that nothing begins by itself")
			}
			requests := w.provider.Count(oidctest.AnyEndpoint)
			for range 2 {
				_, err = w.token(session.Request{})
				if again := w.wantKind(err, c.kind); again.Cause != c.cause || !c.waits && !strings.Contains(again.Message, "asked again in 30 seconds") {
					t.Errorf("the error is %+v", again)
				}
			}
			if w.provider.Count(oidctest.AnyEndpoint) > requests && !w.isDown() {
				t.Error("the next call asked")
			}
			_, err = w.token(session.Request{ForceRefresh: true})
			w.wantKind(err, c.kind)
			if w.provider.Count(oidctest.AnyEndpoint) == requests && !c.waits {
				t.Error("a forced call did not ask")
			}
			_, err = w.tryLogin()
			w.wantKind(err, c.kind)

			w.provider.Up()
			w.provider.Clear()
			w.workload.SubjectToken, w.flow = source, flow
			w.clock.Add(time.Minute)
			w.eventTypes()
			w.wantWarnings(w.mustToken(session.Request{}))
			if c.waits {
				w.wantEvents("offline_mode_exited", "signed_in")
			} else {
				w.wantEvents("signed_in")
			}
		})
	}
}

func wrongSecret(w *world) {
	w.flow = func(c *oidcflow.Client) {
		c.ClientSecret = func(context.Context) (oidcflow.Secret, error) { return oidcflow.NewSecret("another"), nil }
	}
}

func noSubject(w *world, err error) {
	w.workload.SubjectToken = func(context.Context) (oidcflow.Secret, error) { return oidcflow.Secret{}, err }
}

func badSubject(w *world) {
	w.workload.SubjectToken = func(context.Context) (oidcflow.Secret, error) {
		return oidcflow.NewSecret(w.provider.SubjectToken(map[string]any{"aud": "somebody-else"})), nil
	}
}

// TestWorkloadRefused: the provider's no ends the session, and says so to whoever
// looks after the client.
func TestWorkloadRefused(t *testing.T) {
	for _, grant := range grants() {
		w := newWorkload(t, grant, oidctest.Settings{})
		w.mustToken(session.Request{})
		w.clock.Add(2 * time.Hour)
		w.provider.Set(oidctest.TokenEndpoint, oidctest.OAuthError(400, "invalid_grant", ""))
		w.eventTypes()
		_, err := w.token(session.Request{})
		e := w.wantKind(err, session.SignInRequired)
		if e.Cause != offline.CauseRejected || !strings.Contains(e.Message, "has been removed") || !strings.Contains(e.Hint, "client") ||
			strings.Contains(e.Hint, "login") || strings.Contains(e.Hint, "subject token") != (grant != session.GrantClientCredentials) {
			t.Errorf("the error is %+v", e)
		}
		w.wantGone(offline.CauseRejected)
		w.wantEvents("signed_out")
		// Somebody mends it, and nobody has to sign in.
		w.provider.Clear()
		_, err = w.token(session.Request{})
		w.wantKind(err, session.SignInRequired)
		w.clock.Add(time.Minute)
		w.mustToken(session.Request{})
		w.wantEvents("signed_in")
	}
}

// TestSubjectTokenSource: whatever becomes of it, the session stays.
func TestSubjectTokenSource(t *testing.T) {
	for name, err := range map[string]error{"refused": httpError(401), "not found": httpError(404), "down": httpError(503), "odd": errors.New("odd")} {
		t.Run(name, func(t *testing.T) {
			w := newWorkload(t, session.GrantTokenExchange, oidctest.Settings{})
			first := w.mustToken(session.Request{})
			source := w.workload.SubjectToken
			noSubject(w, err)
			w.clock.Add(2 * time.Hour)
			tok := w.mustToken(session.Request{})
			if !tok.Value.Equal(first.Value) || !tok.Expired {
				t.Errorf("the token is %+v", tok)
			}
			if s := w.status(); s.State != session.StateOffline || !strings.Contains(s.Offline.LastError, "subject token") {
				t.Errorf("status is %+v", s.Offline)
			}
			w.workload.SubjectToken = source
			w.clock.Add(time.Minute)
			w.wantWarnings(w.mustToken(session.Request{}))
		})
	}
	// What is wrong on this machine says nothing about anybody.
	for name, change := range map[string]func(*session.Workload){
		"local": func(wl *session.Workload) {
			wl.SubjectToken = func(context.Context) (oidcflow.Secret, error) { return oidcflow.Secret{}, localError{} }
		},
		"empty": func(wl *session.Workload) {
			wl.SubjectToken = func(context.Context) (oidcflow.Secret, error) { return oidcflow.Secret{}, nil }
		},
		"none": func(wl *session.Workload) { wl.SubjectToken = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkload(t, session.GrantTokenExchange, oidctest.Settings{})
			first := w.mustToken(session.Request{})
			change(w.workload)
			w.clock.Add(59*time.Minute + 30*time.Second)
			if tok := w.mustToken(session.Request{}); !tok.Value.Equal(first.Value) || len(tok.Warnings) != 0 {
				t.Errorf("a token that is still good: %+v", tok)
			}
			w.clock.Add(time.Hour)
			_, err := w.token(session.Request{})
			wantLocal(t, err)
			if s := w.status(); s.State != session.StateOnline {
				t.Errorf("status is %+v", s)
			}
			_, err = w.tryLogin()
			wantLocal(t, err)
			other := newWorkload(t, session.GrantTokenExchange, oidctest.Settings{})
			change(other.workload)
			_, err = other.token(session.Request{})
			wantLocal(t, err)
		})
	}
}

func wantLocal(t *testing.T, err error) {
	t.Helper()
	var local interface{ Configuration() bool }
	if !errors.As(err, &local) || !local.Configuration() || session.KindOf(err) != 0 {
		t.Errorf("the error is %v", err)
	}
}

type localError struct{}

func (localError) Error() string       { return "no such file" }
func (localError) Configuration() bool { return true }

// isDown says whether requests to the provider arrive nowhere.
func (w *world) isDown() bool {
	_, err := w.client.Get(w.provider.URL(oidctest.DiscoveryEndpoint))
	return err != nil
}

func httpError(status int) error {
	return fmt.Errorf("the other one: %w", retrieveError(status))
}

func retrieveError(status int) error {
	return &oauth2.RetrieveError{Response: &http.Response{StatusCode: status, Header: http.Header{}}}
}

// TestSubjectTokenHints: whoever waits is told to wait, and whoever has to look
// at the source is told that; the provider is not blamed.
func TestSubjectTokenHints(t *testing.T) {
	const wait, look = "try again later: the source of the subject token", "check the source of the subject token"
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"500":       {httpError(500), wait},
		"429":       {httpError(429), wait},
		"timeout":   {context.DeadlineExceeded, wait},
		"cut off":   {io.ErrUnexpectedEOF, wait},
		"not found": {httpError(404), look},
		"odd":       {errors.New("odd"), look},
		"a portal":  {httpError(302), "a captive portal"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkload(t, session.GrantTokenExchange, oidctest.Settings{})
			noSubject(w, test.err)
			_, err := w.token(session.Request{})
			if e := w.wantKind(err, session.Unreachable); !strings.HasPrefix(e.Hint, test.want) {
				t.Errorf("the hint is %q", e.Hint)
			}
			if s := w.status(); s.Offline == nil || s.Offline.Reason != offline.ReasonTokenRefreshFailed || !strings.Contains(s.Offline.LastError, "the subject token can't be had") {
				t.Errorf("status is %+v", s.Offline)
			}
			_, err = w.tryLogin()
			if e := w.wantKind(err, session.Unreachable); !strings.HasPrefix(e.Hint, test.want) {
				t.Errorf("login's hint is %q", e.Hint)
			}
		})
	}
}
