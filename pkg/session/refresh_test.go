package session_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// TestNoNewIDToken: OpenID Connect Core §12.2 lets a provider leave it out.
func TestNoNewIDToken(t *testing.T) {
	w := signedIn(t, oidctest.Settings{NoIDTokenOnRefresh: true})
	id := w.mustToken(session.Request{Type: session.ID})
	w.clock.Add(59*time.Minute + 30*time.Second)
	w.wantWarnings(w.mustToken(session.Request{})) // its at_hash is not compared with the old ID token's
	// The kept one is due, and no refresh would bring another: it is given as
	// long as it lives, and no refresh token is spent for it.
	refreshes := w.provider.Count(oidctest.TokenEndpoint)
	if again := w.mustToken(session.Request{Type: session.ID}); !again.Value.Equal(id.Value) {
		t.Error("the ID token is another one")
	}
	w.clock.Add(50 * time.Minute)
	for range 2 {
		_, err := w.token(session.Request{Type: session.ID})
		if e := w.wantKind(err, session.SignInRequired); e.Cause != offline.CauseNotRenewed {
			t.Errorf("the cause is %s", e.Cause)
		}
	}
	if n := w.provider.Count(oidctest.TokenEndpoint) - refreshes; n != 0 {
		t.Errorf("%d refreshes for an ID token that none brings", n)
	}
	// When the access token has to be renewed all the same, the provider may
	// bring one again: it is asked, once for that access token.
	w.clock.Add(time.Hour)
	for range 2 {
		_, err := w.token(session.Request{Type: session.ID})
		w.wantKind(err, session.SignInRequired)
	}
	if n := w.provider.Count(oidctest.TokenEndpoint) - refreshes; n != 1 {
		t.Errorf("%d refreshes for a new access token", n)
	}
	w.provider.Change(func(s *oidctest.Settings) { s.NoIDTokenOnRefresh = false })
	w.clock.Add(2 * time.Hour)
	if back := w.mustToken(session.Request{Type: session.ID}); back.Expired || back.Value.Equal(id.Value) {
		t.Errorf("a provider that brings one again gives %+v", back)
	}
	w.clock.Add(2 * time.Hour)
	// An outage must not be what prompts for a sign-in.
	w.provider.Down()
	stale := w.mustToken(session.Request{Type: session.ID})
	if !stale.Expired || !stale.Offline {
		t.Errorf("offline, the ID token is %+v", stale)
	}
	w.policy.Enabled = false
	_, err := w.token(session.Request{Type: session.ID})
	w.wantKind(err, session.Unreachable)
}

// signedInWithoutIDToken: the client did not ask for openid, and got no ID
// token. The provider here insists on the scope, so the browser adds it.
func signedInWithoutIDToken(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, oidctest.Settings{NoIDToken: true})
	w.scopes = []string{"profile"}
	open := w.browser
	w.browser = func(ctx context.Context, url string) error {
		return open(ctx, strings.Replace(url, "scope=profile", "scope=openid+profile", 1))
	}
	w.login()
	return w
}

// TestNeverAnIDToken: each call for it must not spend a refresh token.
func TestNeverAnIDToken(t *testing.T) {
	w := signedInWithoutIDToken(t)
	for range 3 {
		_, err := w.token(session.Request{Type: session.ID})
		if e := w.wantKind(err, session.SignInRequired); e.Cause != offline.CauseNotRenewed {
			t.Errorf("the cause is %s", e.Cause)
		}
	}
	if n := w.provider.Granted("refresh_token"); n != 1 {
		t.Errorf("%d refreshes", n)
	}
}

// TestKeysDown: the tokens came, the keys to check the new ID token did not.
func TestKeysDown(t *testing.T) {
	for name, fault := range map[string]oidctest.Fault{
		"500": oidctest.Status(500), "404": oidctest.Status(404), "401": oidctest.Status(401), "reset": oidctest.Reset(),
		"a page": oidctest.HTML(200), "{}": oidctest.EmptyObject(), "silence": oidctest.Hold(),
	} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t, oidctest.Settings{})
			id, spent := w.mustToken(session.Request{Type: session.ID}), w.refreshToken()
			w.timeout = 500 * time.Millisecond
			w.provider.RotateKeys(true) // the cached keys are no help
			w.provider.Set(oidctest.KeysEndpoint, fault)
			w.clock.Add(59*time.Minute + 30*time.Second)
			tok := w.mustToken(session.Request{})
			w.wantWarnings(tok, offline.WarnTokenValidationSkipped)
			w.wantEvents("token_refreshed", "warning token_validation_skipped")
			if tok.Offline || !w.provider.Active(tok.Value.Reveal()) || w.refreshToken() == spent {
				t.Errorf("the token is %+v; the refresh token is new: %v", tok, w.refreshToken() != spent)
			}
			if s := w.status(); s.State != session.StateOnline || !slices.Equal(warnings(s.Warnings), []offline.WarningType{offline.WarnTokenValidationSkipped}) {
				t.Errorf("status is %+v", s)
			}
			// It is said until a check succeeds.
			w.wantWarnings(w.mustToken(session.Request{}), offline.WarnTokenValidationSkipped)
			w.provider.Clear()
			if kept := w.mustToken(session.Request{Type: session.ID}); kept.Value.Equal(id.Value) {
				t.Error("the ID token was due, could be checked, and was not renewed")
			}
			w.wantWarnings(w.mustToken(session.Request{}))
			if n := w.provider.Reused(); n != 0 {
				t.Errorf("%d spent refresh tokens were used", n)
			}
		})
	}
}

// TestKeysDownForAnExpiredIDToken: the ID token itself is wanted, and neither
// the new one nor the old one will do. That is an outage, not a reason to sign
// in.
func TestKeysDownForAnExpiredIDToken(t *testing.T) {
	for _, enabled := range []bool{true, false} {
		w := signedIn(t, oidctest.Settings{})
		id := w.mustToken(session.Request{Type: session.ID})
		w.policy.Enabled = enabled
		w.provider.RotateKeys(true)
		w.provider.Set(oidctest.KeysEndpoint, oidctest.Status(503))
		w.clock.Add(2 * time.Hour)
		tok, err := w.token(session.Request{Type: session.ID})
		if enabled {
			if err != nil || !tok.Value.Equal(id.Value) || !tok.Expired || tok.Reason != offline.ReasonServerUnavailable {
				t.Errorf("the ID token is %+v, %v", tok, err)
			}
			w.wantWarnings(tok, offline.WarnUsingExpiredToken, offline.WarnTokenValidationSkipped)
			w.wantEvents("token_refreshed", "offline_mode_entered", "warning using_expired_token", "warning token_validation_skipped")
		} else if e := w.wantKind(err, session.Unreachable); e.Cause != offline.CauseOfflineOff {
			t.Errorf("the cause is %s", e.Cause)
		}
		// The backoff holds, so that not every call spends a refresh token,
		// and the access token that came is good.
		_, _ = w.token(session.Request{Type: session.ID})
		access := w.mustToken(session.Request{})
		if access.Expired || !w.provider.Active(access.Value.Reveal()) {
			t.Errorf("the access token is %+v", access)
		}
		w.wantWarnings(access, offline.WarnTokenValidationSkipped)
		if n := w.provider.Granted("refresh_token"); n != 1 {
			t.Errorf("%d refreshes", n)
		}
		w.provider.Clear()
		w.clock.Add(time.Minute)
		if tok := w.mustToken(session.Request{Type: session.ID}); tok.Expired || tok.Value.Equal(id.Value) {
			t.Errorf("afterwards the ID token is %+v", tok)
		}
	}
}

func TestKeysRotated(t *testing.T) {
	for _, keep := range []bool{true, false} {
		w := signedIn(t, oidctest.Settings{})
		id := w.mustToken(session.Request{Type: session.ID})
		w.provider.RotateKeys(keep)
		w.clock.Add(2 * time.Hour)
		keys := w.provider.Count(oidctest.KeysEndpoint)
		tok := w.mustToken(session.Request{Type: session.ID})
		w.wantWarnings(tok)
		if tok.Value.Equal(id.Value) || tok.Expired {
			t.Errorf("the ID token is %+v", tok)
		}
		w.clock.Add(2 * time.Hour)
		w.mustToken(session.Request{Type: session.ID})
		if n := w.provider.Count(oidctest.KeysEndpoint) - keys; n != 1 {
			t.Errorf("the keys were fetched %d times", n)
		}
	}
}

// TestWrongIDToken: one that proves wrong ends the session, and it was on disk
// before, since the answer is stored first.
func TestWrongIDToken(t *testing.T) {
	claim := func(name string, value any) func(*oidctest.Settings) {
		return func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{name: value} }
	}
	signature := func(how oidctest.Signature) func(*oidctest.Settings) {
		return func(s *oidctest.Settings) { s.Signature = how }
	}
	for name, change := range map[string]func(*oidctest.Settings){
		"signature":   signature(oidctest.SignatureWrong),
		"unknown key": signature(oidctest.SignatureUnknownKey),
		"alg none":    signature(oidctest.SignatureNone),
		"alg HS256":   signature(oidctest.SignatureHMAC),
		"iss":         claim("iss", "https://elsewhere.example.com"),
		"aud":         claim("aud", "somebody-else"),
		"azp":         claim("azp", "somebody-else"),
		"sub":         claim("sub", "somebody-else"),
		"no sub":      claim("sub", nil),
		"at_hash":     claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
		"no JWT": func(s *oidctest.Settings) {
			s.TokenResponse = map[string]any{"id_token": "this.is-no.jwt"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t, oidctest.Settings{})
			w.provider.Change(change)
			w.clock.Add(59*time.Minute + 30*time.Second)
			_, err := w.token(session.Request{})
			if e := w.wantKind(err, session.SignInRequired); e.Cause != offline.CauseRejected || !strings.Contains(e.Message, "ID token") {
				t.Errorf("the error is %+v", e)
			}
			w.wantGone(offline.CauseRejected)
			w.wantEvents("signed_out")
		})
	}
}

// TestClockAgainstIDToken: what only a clock says against a token is not held
// against the session, since the clock may be this machine's.
func TestClockAgainstIDToken(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"from the past": -3 * time.Hour, "from the future": 3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t, oidctest.Settings{})
			w.clock.Add(59*time.Minute + 30*time.Second)
			theirs := w.clock.Now().Add(ahead)
			w.provider.Change(func(s *oidctest.Settings) {
				s.IDTokenClaims = map[string]any{"iat": theirs.Unix(), "exp": theirs.Add(time.Hour).Unix()}
			})
			tok := w.mustToken(session.Request{})
			w.wantWarnings(tok, offline.WarnTokenValidationSkipped)
			w.wantKept()
		})
	}
}

func TestExpiresIn(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		want  time.Duration // 0: unknown
	}{
		"integer": {1800, 30 * time.Minute}, "float": {1800.5, 30*time.Minute + 500*time.Millisecond},
		"string": {"1800", 30 * time.Minute}, "float in a string": {"1800.0", 30 * time.Minute}, "exponent": {json.Number("1.8e3"), 30 * time.Minute},
		"absent": {nil, 0}, "zero": {0, 0}, "negative": {-5, 0}, "word": {"soon", 0}, "NaN": {"NaN", 0},
		"absurd": {1e18, 0}, "list": {[]int{1800}, 0}, "object": {map[string]any{}, 0}, "true": {true, 0}, "empty": {"", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t, oidctest.Settings{})
			w.provider.Change(func(s *oidctest.Settings) { s.TokenResponse = map[string]any{"expires_in": c.value} })
			w.clock.Add(2 * time.Hour)
			tok := w.mustToken(session.Request{})
			want := time.Time{}
			if c.want != 0 {
				want = w.clock.Now().Add(c.want)
			}
			if !tok.Expiry.Equal(want) || tok.Expired {
				t.Errorf("the token expires %s, want %s", tok.Expiry, want)
			}
			// Good until something says otherwise.
			n := w.provider.Count(oidctest.TokenEndpoint)
			if c.want == 0 {
				w.clock.Add(100 * time.Hour)
				w.wantWarnings(w.mustToken(session.Request{}))
				if s := w.status(); s.Token.Expired || s.State != session.StateOnline {
					t.Errorf("status is %+v", s)
				}
			}
			if got := w.provider.Count(oidctest.TokenEndpoint); got != n {
				t.Errorf("%d refreshes", got-n)
			}
		})
	}
}

// TestSparseAnswer: RFC 6749 §6 lets a refresh leave out what stays as it was.
func TestSparseAnswer(t *testing.T) {
	w := signedIn(t, oidctest.Settings{NoRotation: true})
	refresh := w.refreshToken()
	w.provider.Change(func(s *oidctest.Settings) { s.TokenResponse = map[string]any{"scope": nil} })
	w.clock.Add(2 * time.Hour)
	tok := w.mustToken(session.Request{})
	if len(tok.Scopes) != 3 || w.refreshToken() != refresh {
		t.Errorf("scopes are %v", tok.Scopes)
	}
	w.provider.Change(func(s *oidctest.Settings) { s.TokenResponse = map[string]any{"scope": "openid"} })
	w.clock.Add(2 * time.Hour)
	if tok := w.mustToken(session.Request{}); !slices.Equal(tok.Scopes, []string{"openid"}) {
		t.Errorf("scopes are %v", tok.Scopes)
	}
}

// TestNoRefreshToken is step 7.
func TestNoRefreshToken(t *testing.T) {
	w := signedIn(t, oidctest.Settings{NoRefreshTokens: true})
	first := w.mustToken(session.Request{})
	w.clock.Add(59*time.Minute + 30*time.Second)
	w.wantWarnings(w.mustToken(session.Request{})) // due, and all there is
	_, err := w.token(session.Request{ForceRefresh: true})
	if e := w.wantKind(err, session.SignInRequired); e.Cause != offline.CauseNoRefreshToken {
		t.Errorf("the cause is %s", e.Cause)
	}
	w.clock.Add(time.Hour)
	_, err = w.token(session.Request{})
	if e := w.wantKind(err, session.SignInRequired); e.Cause != offline.CauseNoRefreshToken {
		t.Errorf("the cause is %s", e.Cause)
	}
	// Nothing was removed: an outage that begins now still allows the token.
	w.eventTypes()
	w.provider.Down()
	tok := w.mustToken(session.Request{})
	if !tok.Value.Equal(first.Value) || !tok.Expired || tok.Reason != offline.ReasonDiscoveryUnavailable {
		t.Errorf("in the outage the token is %+v", tok)
	}
	w.wantEvents("offline_mode_entered", "warning using_expired_token", "warning token_validation_skipped")
	off := false
	_, err = w.token(session.Request{Offline: &off})
	w.wantKind(err, session.SignInRequired)
	w.provider.Up()
	w.clock.Add(time.Minute)
	_, err = w.token(session.Request{})
	w.wantKind(err, session.SignInRequired)
	w.wantEvents("offline_mode_exited")
}

// TestUserInfo: whatever the endpoint answers, the token stays usable.
func TestUserInfo(t *testing.T) {
	for name, set := range map[string]func(*oidctest.Provider){
		"401": func(p *oidctest.Provider) {
			p.Set(oidctest.UserInfoEndpoint, oidctest.OAuthError(401, "invalid_token", "no"))
		},
		"500":   func(p *oidctest.Provider) { p.Set(oidctest.UserInfoEndpoint, oidctest.Status(500)) },
		"page":  func(p *oidctest.Provider) { p.Set(oidctest.UserInfoEndpoint, oidctest.HTML(200)) },
		"reset": func(p *oidctest.Provider) { p.Set(oidctest.UserInfoEndpoint, oidctest.Reset()) },
		"hang":  func(p *oidctest.Provider) { p.Set(oidctest.UserInfoEndpoint, oidctest.Hold()) },
		"somebody else": func(p *oidctest.Provider) {
			p.Change(func(s *oidctest.Settings) {
				s.UserInfoClaims = map[string]any{"sub": "somebody-else", "preferred_username": "mallory"}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t, oidctest.Settings{})
			// An outage, so that the claims are read again after it.
			w.provider.Set(oidctest.TokenEndpoint, oidctest.Status(503))
			w.clock.Add(2 * time.Hour)
			w.mustToken(session.Request{})
			w.provider.Clear()
			w.eventTypes()

			w.timeout = 500 * time.Millisecond
			set(w.provider)
			w.clock.Add(time.Minute)
			tok := w.mustToken(session.Request{})
			w.wantWarnings(tok, offline.WarnStaleUserInfo)
			w.wantEvents("offline_mode_exited", "token_refreshed", "warning stale_user_info")
			if tok.Offline || tok.Expired || tok.Username != "user-1" {
				t.Errorf("the token is %+v", tok)
			}
			w.wantKept()
			w.wantWarnings(w.mustToken(session.Request{}), offline.WarnStaleUserInfo)

			w.provider.Clear()
			w.provider.Change(func(s *oidctest.Settings) { s.UserInfoClaims = map[string]any{"preferred_username": "countess"} })
			w.clock.Add(2 * time.Hour)
			tok = w.mustToken(session.Request{})
			w.wantWarnings(tok)
			if tok.Username != "countess" || w.status().Username != "countess" {
				t.Errorf("the name was not read again: %q", tok.Username)
			}
		})
	}
}
