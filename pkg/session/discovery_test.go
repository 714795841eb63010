package session_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func discoveryFaults() map[string]oidctest.Fault {
	return map[string]oidctest.Fault{
		"404": oidctest.Status(404), "500": oidctest.Status(500), "401": oidctest.Status(401), "403": oidctest.Status(403),
		"page": oidctest.HTML(200), "{}": oidctest.EmptyObject(), "hang": oidctest.Hold(), "reset": oidctest.Reset(),
		"other issuer": oidctest.Answer(200, "application/json", `{"issuer":"https://elsewhere.example.com","token_endpoint":"https://elsewhere.example.com/t","jwks_uri":"https://elsewhere.example.com/k"}`),
		"OAuth error":  oidctest.OAuthError(400, "invalid_client", "no"),
	}
}

// forgetDocuments removes the cached discovery document and keys.
func (w *world) forgetDocuments() {
	w.t.Helper()
	if err := os.RemoveAll(filepath.Join(w.dir, "documents")); err != nil {
		w.t.Fatal(err)
	}
}

// TestDiscoveryFails: without a cached document there is no refresh, and
// whatever discovery answers, no session ends.
func TestDiscoveryFails(t *testing.T) {
	base := signedIn(t, oidctest.Settings{})
	start := base.clock.Now()
	for name, fault := range discoveryFaults() {
		t.Run(name, func(t *testing.T) {
			base.clock.Set(start.Add(2 * time.Hour))
			w := base.copyTo(t)
			w.forgetDocuments()
			w.timeout = 400 * time.Millisecond
			w.provider.Set(oidctest.DiscoveryEndpoint, fault)
			defer w.provider.Clear()
			tok := w.mustToken(session.Request{})
			if !tok.Expired || !tok.Offline || tok.Reason != offline.ReasonDiscoveryUnavailable {
				t.Errorf("the token is %+v", tok)
			}
			w.wantKept()
			w.policy.Enabled = false
			_, err := w.token(session.Request{})
			w.wantKind(err, session.Unreachable)
			if n := w.provider.Granted("refresh_token"); n != 0 {
				t.Errorf("%d refreshes", n)
			}
		})
	}
}

// TestDiscoveryFailsWithCachedDocument: the refresh is tried all the same.
func TestDiscoveryFailsWithCachedDocument(t *testing.T) {
	base := signedIn(t, oidctest.Settings{NoRotation: true})
	start := base.clock.Now()
	for name, fault := range discoveryFaults() {
		t.Run(name, func(t *testing.T) {
			base.clock.Set(start.Add(30 * time.Hour)) // the document is old
			w := base.copyTo(t)
			w.timeout = 2 * time.Second
			w.provider.Set(oidctest.DiscoveryEndpoint, fault)
			defer w.provider.Clear()
			n := w.provider.Count(oidctest.DiscoveryEndpoint)
			tok := w.mustToken(session.Request{})
			if tok.Offline || tok.Expired || len(tok.Warnings) != 0 {
				t.Errorf("the token is %+v", tok)
			}
			if got := w.provider.Count(oidctest.DiscoveryEndpoint) - n; got != 1 {
				t.Errorf("%d discoveries", got)
			}
		})
	}
}

// TestDiscoveryAnswersSensibly counts as contact, though the refresh fails.
func TestDiscoveryAnswersSensibly(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.provider.Set(oidctest.TokenEndpoint, oidctest.Status(503))
	w.clock.Add(30 * time.Hour)
	tok := w.mustToken(session.Request{})
	if !tok.LastSync.Equal(w.clock.Now()) || tok.Reason != offline.ReasonServerUnavailable {
		t.Errorf("the token is %+v", tok)
	}
}

func TestDocumentsAreCachedForADay(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	for range 30 {
		w.clock.Add(59*time.Minute + 30*time.Second)
		w.mustToken(session.Request{})
	}
	if n := w.provider.Count(oidctest.DiscoveryEndpoint); n != 2 {
		t.Errorf("%d discoveries in 30 hours", n)
	}
	if n := w.provider.Count(oidctest.KeysEndpoint); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

// TestDocumentFromTheFuture: one that was fetched while the clock ran ahead is
// no fresh one.
func TestDocumentFromTheFuture(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.clock.Add(-time.Hour)
	w.mustToken(session.Request{ForceRefresh: true})
	if n := w.provider.Count(oidctest.DiscoveryEndpoint); n != 2 {
		t.Errorf("%d discoveries", n)
	}
}

// TestOwnConfiguration: what keeps a request from being sent on this machine
// says nothing about the provider: no outage begins, and a good token is given.
func TestOwnConfiguration(t *testing.T) {
	broken := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, &oidcflow.CAFileError{Path: "ca.pem", Err: errors.New("has no certificate in PEM form")}
	})}
	for name, prepare := range map[string]func(*world){
		"refresh":   func(*world) {},
		"discovery": (*world).forgetDocuments,
	} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t, oidctest.Settings{})
			w.client = broken
			prepare(w)
			w.clock.Add(59*time.Minute + 30*time.Second)
			tok := w.mustToken(session.Request{})
			if tok.Offline || len(tok.Warnings) != 0 {
				t.Errorf("the token is %+v", tok)
			}
			w.clock.Add(time.Hour)
			for _, req := range []session.Request{{}, {Type: session.ID}, {ForceRefresh: true}} {
				_, err := w.token(req)
				var file *oidcflow.CAFileError
				if !errors.As(err, &file) || !strings.Contains(err.Error(), "ca.pem") {
					t.Errorf("%+v: the error is %v", req, err)
				}
			}
			if s := w.status(); s.State != session.StateOnline {
				t.Errorf("status is %+v", s)
			}
			w.wantKept()
			w.wantEvents()
		})
	}
}

// TestOwnConfigurationWithoutToken: no empty token is given out.
func TestOwnConfigurationWithoutToken(t *testing.T) {
	w := signedInWithoutIDToken(t)
	w.client = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, &oidcflow.CAFileError{Path: "ca.pem", Err: errors.New("has no certificate in PEM form")}
	})}
	for range 2 {
		tok, err := w.token(session.Request{Type: session.ID})
		var file *oidcflow.CAFileError
		if tok != nil || !errors.As(err, &file) {
			t.Errorf("an ID token that there is none of: %+v, %v", tok, err)
		}
	}
}

// TestOwnConfigurationForProbe: the same holds where only the provider's
// reachability is wanted.
func TestOwnConfigurationForProbe(t *testing.T) {
	w := signedIn(t, oidctest.Settings{NoRefreshTokens: true})
	w.client = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, &oidcflow.CAFileError{Path: "ca.pem", Err: errors.New("has no certificate in PEM form")}
	})}
	w.clock.Add(2 * time.Hour)
	_, err := w.token(session.Request{})
	var file *oidcflow.CAFileError
	if !errors.As(err, &file) {
		t.Errorf("the error is %v", err)
	}
	w.wantEvents()
}
