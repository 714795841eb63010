package session_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// TestFailedLoginKeepsTheFormerSession: at whatever step it fails.
func TestFailedLoginKeepsTheFormerSession(t *testing.T) {
	boom := errors.New("the profile can't be saved")
	change := func(f func(*oidctest.Settings)) func(*world) {
		return func(w *world) { w.provider.Change(f) }
	}
	fault := func(e oidctest.Endpoint, f oidctest.Fault) func(*world) {
		return func(w *world) { w.provider.Set(e, f) }
	}
	for name, c := range map[string]struct {
		set  func(*world)
		kind session.Kind
		is   error
	}{
		"discovery down": {set: fault(oidctest.DiscoveryEndpoint, oidctest.Status(503)), kind: session.Unreachable},
		"no discovery":   {set: fault(oidctest.DiscoveryEndpoint, oidctest.Status(404)), kind: session.Unreachable},
		"wrong issuer":   {set: change(func(s *oidctest.Settings) { s.Metadata = map[string]any{"issuer": "https://elsewhere.example.com"} }), kind: session.Unreachable},
		"access denied":  {set: change(func(s *oidctest.Settings) { s.AuthorizeError = "access_denied" }), kind: session.SignInRequired},
		"invalid scope":  {set: change(func(s *oidctest.Settings) { s.AuthorizeError = "invalid_scope" }), kind: session.SignInRequired},
		"answer's issuer": {set: change(func(s *oidctest.Settings) {
			s.AuthorizationResponse = map[string]any{"iss": "https://elsewhere.example.com"}
		}), kind: session.SignInRequired},
		"code refused": {set: fault(oidctest.TokenEndpoint, oidctest.OAuthError(400, "invalid_grant", "no")), kind: session.SignInRequired},
		"token down":   {set: fault(oidctest.TokenEndpoint, oidctest.Status(503)), kind: session.Unreachable},
		"portal":       {set: fault(oidctest.TokenEndpoint, oidctest.HTML(200)), kind: session.Unreachable},
		"keys down": {set: func(w *world) {
			w.provider.RotateKeys(true)
			w.provider.Set(oidctest.KeysEndpoint, oidctest.Status(503))
		}, kind: session.Unreachable},
		"wrong signature": {set: change(func(s *oidctest.Settings) { s.Signature = oidctest.SignatureWrong }), kind: session.SignInRequired},
		"wrong nonce":     {set: change(func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"nonce": "another"} }), kind: session.SignInRequired},
		"wrong aud":       {set: change(func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"aud": "another"} }), kind: session.SignInRequired},
		"clock":           {set: change(func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"exp": 1} }), kind: session.SignInRequired},
		"no ID token":     {set: change(func(s *oidctest.Settings) { s.NoIDToken = true }), kind: session.SignInRequired},
		"before storing":  {set: func(w *world) { w.options.BeforeStore = func() error { return boom } }, is: boom},
		"keychain, early": {set: func(w *world) { w.keychain.broken(cache.ProblemLocked) }, kind: session.StoreUnusable},
		"keychain, late": {set: func(w *world) {
			w.options.BeforeStore = func() error { w.keychain.broken(cache.ProblemTimeout); return nil }
		}, kind: session.StoreUnusable},
		"browser":          {set: func(w *world) { w.browser = func(context.Context, string) error { return boom } }, is: boom},
		"lock held by one": {set: func(w *world) { w.timeout = 100 * time.Millisecond; t.Cleanup(w.lock()) }, kind: session.StoreUnusable},
	} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t, oidctest.Settings{})
			first, refresh := w.mustToken(session.Request{}), w.refreshToken()
			other := w.unwatched()
			c.set(other)
			_, err := other.tryLogin()
			if err == nil {
				t.Fatal("the sign-in succeeded")
			}
			var e *session.Error
			if errors.As(err, &e) && e.Kind != c.kind || c.kind != 0 && e == nil || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("the error is %v (%+v)", err, e)
			}
			if e != nil && e.Hint == "" {
				t.Errorf("%q has no hint", e)
			}
			w.keychain.broken("")
			if tok := w.mustToken(session.Request{}); !tok.Value.Equal(first.Value) || w.refreshToken() != refresh {
				t.Error("the former session is another one")
			}
			for _, event := range other.eventTypes() {
				t.Errorf("there was an event %s", event)
			}
		})
	}
}

// TestStoreFirstOfAll: a person is not sent to the browser in vain.
func TestStoreFirstOfAll(t *testing.T) {
	w := newWorld(t, oidctest.Settings{})
	w.keychain.broken(cache.ProblemMissing)
	_, err := w.tryLogin()
	w.wantKind(err, session.StoreUnusable)
	if n := w.provider.Count(oidctest.AnyEndpoint); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestLoginReplaces the former session, in whatever state it is.
func TestLoginReplaces(t *testing.T) {
	for name, spoil := range map[string]func(*world){
		"good": func(*world) {},
		"garbage": func(w *world) {
			if err := os.WriteFile(w.file(".sealed"), []byte("garbage"), 0o600); err != nil {
				t.Error(err)
			}
		},
		"damaged": func(w *world) {
			sealed, err := os.ReadFile(w.file(".sealed"))
			if err != nil {
				t.Error(err)
			}
			sealed[len(sealed)-1] ^= 1
			if err := os.WriteFile(w.file(".sealed"), sealed, 0o600); err != nil {
				t.Error(err)
			}
		},
		"from a later version": func(w *world) {
			if err := w.store().Create(context.Background(), w.id(), []byte(`{"v":99}`), []byte(`{"v":99}`)); err != nil {
				t.Error(err)
			}
		},
		"damaged key": func(w *world) { w.keychain.items[w.id()] = []byte("garbage") },
		"no key":      func(w *world) { clear(w.keychain.items) },
		"no public copy": func(w *world) {
			if err := os.WriteFile(w.file(".json"), []byte("{"), 0o600); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t, oidctest.Settings{})
			first := w.mustToken(session.Request{})
			spoil(w)
			if tok, err := w.token(session.Request{}); err != nil {
				if kind := session.KindOf(err); kind != session.StoreUnusable && kind != session.SignInRequired {
					t.Errorf("the error is %v", err)
				}
			} else if !tok.Value.Equal(first.Value) {
				t.Errorf("the token is %+v", tok)
			}
			w.status()
			w.login()
			tok := w.mustToken(session.Request{})
			if tok.Value.Equal(first.Value) || len(tok.Warnings) != 0 {
				t.Errorf("after the sign-in the token is %+v", tok)
			}
			if s := w.status(); s.State != session.StateOnline || !s.LoginAt.Equal(w.clock.Now()) {
				t.Errorf("status is %+v", s)
			}
			w.wantEvents("signed_in")
		})
	}
}

// TestLoginWhileOffline always tries, and ends the outage.
func TestLoginWhileOffline(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.provider.Set(oidctest.TokenEndpoint, oidctest.Status(503).Times(1))
	w.clock.Add(2 * time.Hour)
	w.mustToken(session.Request{})
	w.eventTypes()
	w.clock.Add(time.Second)
	w.login()
	w.wantEvents("offline_mode_exited", "signed_in")
	if s := w.status(); s.State != session.StateOnline {
		t.Errorf("status is %+v", s)
	}
	w.wantWarnings(w.mustToken(session.Request{}))
}

// TestLoginResult: what was granted, and what was not.
func TestLoginResult(t *testing.T) {
	w := newWorld(t, oidctest.Settings{TokenResponse: map[string]any{"scope": "openid profile"}, NoRefreshTokens: true})
	l := w.login()
	if !slices.Equal(l.Missing, []string{"offline_access"}) || l.Refreshable || l.Subject != "user-1" || l.Username != "user-1" ||
		l.Issuer != w.provider.Issuer() || !l.Expiry.Equal(w.clock.Now().Add(time.Hour)) || l.StaleUserInfo {
		t.Errorf("login is %+v", l)
	}
}

// TestLoginUserInfo: it can't fail a sign-in.
func TestLoginUserInfo(t *testing.T) {
	for name, fault := range map[string]oidctest.Fault{"401": oidctest.Status(401), "500": oidctest.Status(500), "page": oidctest.HTML(200)} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, oidctest.Settings{})
			w.provider.Set(oidctest.UserInfoEndpoint, fault)
			if l := w.login(); !l.StaleUserInfo || l.Username != "user-1" {
				t.Errorf("login is %+v", l)
			}
			w.wantWarnings(w.mustToken(session.Request{}), offline.WarnStaleUserInfo)
		})
	}
}

// TestBeforeStore is called when everything else is done.
func TestBeforeStore(t *testing.T) {
	w := newWorld(t, oidctest.Settings{})
	called := false
	w.options.BeforeStore = func() error {
		called = true
		if _, err := os.Stat(w.file(".sealed")); err == nil || w.provider.Count(oidctest.UserInfoEndpoint) != 1 {
			t.Error("it was not called between the checks and the store")
		}
		return nil
	}
	w.login()
	if !called {
		t.Error("it was not called")
	}
}

func TestDeviceLogin(t *testing.T) {
	w := newWorld(t, oidctest.Settings{DeviceApproveAfter: 2})
	var prompt oidcflow.DevicePrompt
	l, err := w.manager().Login(context.Background(), session.LoginOptions{Device: &oidcflow.DeviceOptions{
		Prompt: func(p oidcflow.DevicePrompt) error { prompt = p; return nil },
		Wait:   func(context.Context, time.Duration) error { return nil },
	}})
	w.heard(err)
	if err != nil || prompt.UserCode == "" || !l.Refreshable {
		t.Fatalf("login is %+v, %v", l, err)
	}
	w.mustToken(session.Request{})
	w.provider.Change(func(s *oidctest.Settings) { s.Metadata = map[string]any{"device_authorization_endpoint": nil} })
	_, err = w.manager().Login(context.Background(), session.LoginOptions{Device: &oidcflow.DeviceOptions{
		Prompt: func(oidcflow.DevicePrompt) error { return nil },
	}})
	if !errors.Is(err, oidcflow.ErrNoDeviceGrant) || session.KindOf(err) != 0 {
		t.Errorf("without the grant: %v", err)
	}
}

// TestLoginCancelled: an interrupt is no failure of anything.
func TestLoginCancelled(t *testing.T) {
	for name, opened := range map[string]bool{"before": false, "in the browser": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, oidctest.Settings{})
			ctx, cancel := context.WithCancel(context.Background())
			if !opened {
				cancel()
			}
			_, err := w.manager().Login(ctx, session.LoginOptions{SignIn: oidcflow.SignInOptions{
				Open: func(context.Context, string) error { cancel(); return nil },
			}})
			var e *session.Error
			if !errors.Is(err, context.Canceled) || errors.As(err, &e) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestOneProfileIsNotAnother: a profile that is pointed at another provider
// does not send it the former one's tokens.
func TestOneProfileIsNotAnother(t *testing.T) {
	ids := map[string]bool{}
	for _, parts := range [][3]string{
		{"work", "https://a.example", "c"}, {"work", "https://b.example", "c"}, {"work", "https://a.example", "d"}, {"home", "https://a.example", "c"},
		{"work", "https://a.examplec", ""}, {"workhttps://a.example", "", "c"},
	} {
		ids[session.SessionID(parts[0], parts[1], parts[2])] = true
	}
	if len(ids) != 6 {
		t.Errorf("six sessions have %d names", len(ids))
	}
	for id := range ids {
		if len(id) != 16 || strings.Trim(id, "0123456789abcdef") != "" {
			t.Errorf("%q is no name for a file", id)
		}
	}
}

// TestPublicCopyIsPublic: it has no token, and the sealed file shows none.
func TestPublicCopyIsPublic(t *testing.T) {
	w := signedIn(t, oidctest.Settings{TokenPadding: 3000})
	tok := w.mustToken(session.Request{})
	for _, suffix := range []string{".json", ".sealed"} {
		data, err := os.ReadFile(w.file(suffix))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(tok.Value.Reveal()[:20])) {
			t.Errorf("%s has the token in it", suffix)
		}
	}
}
