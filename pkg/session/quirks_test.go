package session_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// TestRefreshQuirks: what providers do differently, and what must not come of
// it.
func TestRefreshQuirks(t *testing.T) {
	answer := func(members map[string]any) func(*oidctest.Settings) {
		return func(s *oidctest.Settings) { s.TokenResponse = members }
	}
	for name, c := range map[string]struct {
		settings oidctest.Settings
		change   func(*oidctest.Settings)
		warnings []offline.WarningType
		forever  bool // the new access token has no expiry
		kept     bool // the refresh token is the former one
		sameID   bool // and so is the ID token
		ends     bool
	}{
		"rotation":               {},
		"no rotation":            {settings: oidctest.Settings{NoRotation: true}, kept: true},
		"null refresh token":     {change: answer(map[string]any{"refresh_token": nil}), kept: true},
		"empty refresh token":    {change: answer(map[string]any{"refresh_token": ""}), kept: true},
		"no ID token":            {settings: oidctest.Settings{NoIDTokenOnRefresh: true}, sameID: true},
		"no expires_in":          {change: answer(map[string]any{"expires_in": nil}), forever: true},
		"expires_in 0":           {change: answer(map[string]any{"expires_in": 0}), forever: true},
		"JWT access tokens":      {settings: oidctest.Settings{JWTAccessTokens: true}},
		"no scope":               {change: answer(map[string]any{"scope": nil})},
		"empty scope":            {change: answer(map[string]any{"scope": ""})},
		"lower-case type":        {change: answer(map[string]any{"token_type": "bearer"})},
		"ID token without nonce": {change: func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"nonce": nil} }},
		"another nonce":          {change: func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"nonce": "another"} }, ends: true},
		"an empty nonce":         {change: func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"nonce": ""} }, ends: true},
		"another subject":        {change: func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"sub": "somebody-else"} }, ends: true},
		"fewer scopes":           {settings: oidctest.Settings{RefreshScopes: []string{"openid", "offline_access"}}, warnings: []offline.WarningType{session.WarnScopesReduced}},
		"what has its effect":    {settings: oidctest.Settings{RefreshScopes: []string{"profile"}, NoIDTokenOnRefresh: true}, sameID: true, warnings: []offline.WarningType{session.WarnScopesReduced}},
		"Google's names":         {change: answer(map[string]any{"scope": "https://www.googleapis.com/auth/userinfo.profile openid"})},
		"openid in effect":       {change: answer(map[string]any{"scope": "profile"})},
	} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t, c.settings)
			first, id, spent := w.mustToken(session.Request{}), w.mustToken(session.Request{Type: session.ID}), w.refreshToken()
			if c.change != nil {
				w.provider.Change(c.change)
			}
			w.clock.Add(59*time.Minute + 30*time.Second)
			tok, err := w.token(session.Request{})
			if c.ends {
				if e := w.wantKind(err, session.SignInRequired); e.Cause != offline.CauseRejected {
					t.Errorf("the error is %+v", e)
				}
				w.wantGone(offline.CauseRejected)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			w.wantWarnings(tok, c.warnings...)
			if tok.Value.Equal(first.Value) || tok.Expiry.IsZero() != c.forever || (w.refreshToken() == spent) != c.kept {
				t.Errorf("the token is %+v; the refresh token was kept: %v", tok, w.refreshToken() == spent)
			}
			// It is said in the call that renewed.
			w.wantWarnings(w.mustToken(session.Request{}))
			if again := w.mustToken(session.Request{Type: session.ID}); again.Value.Equal(id.Value) != c.sameID {
				t.Errorf("the ID token is the former one: %v", !c.sameID)
			}
			if w.provider.Reused() != 0 {
				t.Error("a spent refresh token was used")
			}
		})
	}
}

// TestNonceOnRefresh: an ID token that comes with a refresh may have the nonce
// of the sign-in, and no other.
func TestNonceOnRefresh(t *testing.T) {
	w := newWorld(t, oidctest.Settings{})
	nonce := ""
	open := w.browser
	w.browser = func(ctx context.Context, url string) error {
		_, after, _ := strings.Cut(url, "nonce=")
		nonce, _, _ = strings.Cut(after, "&")
		return open(ctx, url)
	}
	w.login()
	w.provider.Change(func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"nonce": nonce} })
	w.clock.Add(2 * time.Hour)
	w.wantWarnings(w.mustToken(session.Request{Type: session.ID}))
	w.provider.Change(func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"nonce": nonce + "x"} })
	w.clock.Add(2 * time.Hour)
	_, err := w.token(session.Request{Type: session.ID})
	w.wantKind(err, session.SignInRequired)
}

// TestScopesKept: the record keeps what was granted last, so that it is said
// once.
func TestScopesKept(t *testing.T) {
	w := signedIn(t, oidctest.Settings{RefreshScopes: []string{"openid", "offline_access"}})
	w.clock.Add(2 * time.Hour)
	tok := w.mustToken(session.Request{})
	w.wantWarnings(tok, session.WarnScopesReduced)
	w.wantEvents("token_refreshed", "warning scopes_reduced")
	if !strings.HasSuffix(tok.Warnings[0].Message, "without profile") || !slices.Equal(tok.Scopes, []string{"openid", "offline_access"}) {
		t.Errorf("%q, and the scopes are %v", tok.Warnings[0].Message, tok.Scopes)
	}
	w.clock.Add(2 * time.Hour)
	w.wantWarnings(w.mustToken(session.Request{}))
}

// TestMissingScopes: at the sign-in.
func TestMissingScopes(t *testing.T) {
	for granted, want := range map[string][]string{
		"openid profile offline_access https://api.example/.default": {"email"},
		"email profile": nil, // openid and offline_access are there in effect
		"openid email":  {"profile"},
		"https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/userinfo.profile openid": nil,
		"https://www.googleapis.com/auth/userinfo.email":                                                         {"profile"},
	} {
		w := newWorld(t, oidctest.Settings{TokenResponse: map[string]any{"scope": granted}})
		w.scopes = []string{"openid", "email", "profile", "offline_access", "https://api.example/.default"}
		if l := w.login(); !slices.Equal(l.Missing, want) {
			t.Errorf("granted %q: %v is missing, want %v", granted, l.Missing, want)
		}
	}
	w := newWorld(t, oidctest.Settings{TokenResponse: map[string]any{"scope": "openid"}, NoRefreshTokens: true})
	w.scopes = []string{"openid", "offline_access"}
	if l := w.login(); !slices.Equal(l.Missing, []string{"offline_access"}) {
		t.Errorf("without a refresh token %v is missing", l.Missing)
	}
}

// TestDPoPSession: the key that the tokens are bound to stays with the session.
func TestDPoPSession(t *testing.T) {
	for name, settings := range map[string]oidctest.Settings{
		"with nonces": {DPoP: oidctest.Required, DPoPNonce: true},
		"without":     {DPoP: oidctest.Required},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, settings)
			l := w.login()
			if l.StaleUserInfo {
				t.Error("the userinfo endpoint refused the token")
			}
			access, id := w.mustToken(session.Request{}), w.mustToken(session.Request{Type: session.ID})
			if !access.Bound || id.Bound {
				t.Errorf("bound: the access token %v, the ID token %v", access.Bound, id.Bound)
			}
			if s := w.status(); !s.Token.Bound {
				t.Errorf("status is %+v", s.Token)
			}
			source, err := w.manager().TokenSource(context.Background(), session.Request{}).Token()
			if err != nil || source.TokenType != "DPoP" {
				t.Errorf("the token source gives a %s token, %v", source.TokenType, err)
			}
			for range 2 {
				w.clock.Add(2 * time.Hour)
				again := w.mustToken(session.Request{})
				w.wantWarnings(again)
				if !again.Bound || again.Value.Equal(access.Value) {
					t.Errorf("renewed: %+v", again)
				}
			}
			// Userinfo is read again after an outage, with a proof.
			w.provider.Set(oidctest.TokenEndpoint, oidctest.Status(503))
			w.clock.Add(2 * time.Hour)
			w.mustToken(session.Request{})
			w.provider.Clear()
			w.clock.Add(time.Minute)
			w.wantWarnings(w.mustToken(session.Request{}))
			if l := w.mustLogout(session.LogoutOptions{}); !l.Revoked {
				t.Errorf("logout: %+v", l)
			}
		})
	}
}

// TestAdvice: what is said about a missing refresh token depends on what was
// asked for and what the provider says of itself.
func TestAdvice(t *testing.T) {
	for name, c := range map[string]struct {
		scopes   []string
		metadata map[string]any
		prompt   string
		want     []string
	}{
		"not asked, listed":   {[]string{"openid"}, map[string]any{"scopes_supported": []string{"openid", "offline_access"}}, "", []string{"add the scope offline_access: the provider lists it", "prompt=consent", "client's settings"}},
		"not asked, no list":  {[]string{"openid"}, map[string]any{"scopes_supported": nil}, "", []string{"most providers", "prompt=consent", "client's settings"}},
		"not asked, unlisted": {[]string{"openid"}, map[string]any{"scopes_supported": []string{"openid"}}, "", []string{"was not asked for, and the provider does not list it", "prompt=consent", "client's settings"}},
		"asked, listed":       {[]string{"openid", "offline_access"}, map[string]any{"scopes_supported": []string{"offline_access"}}, "", []string{"prompt=consent", "client's settings"}},
		"asked, unlisted":     {[]string{"openid", "offline_access"}, map[string]any{"scopes_supported": []string{"openid"}}, "login consent", []string{"does not list the scope offline_access, which was asked for", "client's settings"}},
		"consent was asked":   {[]string{"openid", "offline_access"}, map[string]any{"scopes_supported": nil}, "consent", []string{"client's settings"}},
		"no such grant":       {[]string{"openid", "offline_access"}, map[string]any{"grant_types_supported": []string{"authorization_code"}}, "consent", []string{"does not list the grant refresh_token"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, oidctest.Settings{NoRefreshTokens: true, Metadata: c.metadata})
			w.scopes = c.scopes
			w.flow = func(f *oidcflow.Client) {
				if c.prompt != "" {
					f.AuthParams = map[string]string{"prompt": c.prompt}
				}
			}
			l := w.login()
			if l.Refreshable || len(l.Advice) != len(c.want) {
				t.Fatalf("the advice is %q", l.Advice)
			}
			for i, part := range c.want {
				if !strings.Contains(l.Advice[i], part) {
					t.Errorf("%q does not say %q", l.Advice[i], part)
				}
			}
		})
	}
	w := newWorld(t, oidctest.Settings{})
	if l := w.login(); l.Advice != nil {
		t.Errorf("with a refresh token the advice is %q", l.Advice)
	}
}

// TestEndSession: the local session is gone before the browser is sent
// anywhere, whatever becomes of that.
func TestEndSession(t *testing.T) {
	visited := make(chan struct{}, 9)
	visit := func(w *world) func(context.Context, string) error {
		return func(ctx context.Context, url string) error {
			w.wantGone(session.CauseLogout)
			if strings.Contains(url, "id_token") {
				t.Errorf("the browser gets the ID token as an argument: %s", url)
			}
			w.lock()() // and it does not hold up anybody
			go func() {
				req, _ := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, url, nil)
				if res, err := w.client.Do(req); err == nil {
					_ = res.Body.Close()
				}
				visited <- struct{}{}
			}()
			return nil
		}
	}
	w := signedIn(t, oidctest.Settings{})
	l := w.mustLogout(session.LogoutOptions{EndSession: &oidcflow.EndSessionOptions{Open: visit(w), Timeout: 10 * time.Second}})
	<-visited // without a redirect, nobody waits for the provider
	ended := w.provider.EndSessions()
	if !l.SessionEnded || l.EndSessionError != nil || !l.Revoked || len(ended) != 1 || ended[0].Subject != "user-1" {
		t.Errorf("logout is %+v, and the provider ended %+v", l, ended)
	}

	broken := errors.New("no browser")
	w = signedIn(t, oidctest.Settings{})
	l = w.mustLogout(session.LogoutOptions{EndSession: &oidcflow.EndSessionOptions{Open: func(context.Context, string) error { return broken }, Timeout: time.Second}})
	if l.SessionEnded || !errors.Is(l.EndSessionError, broken) || !l.Revoked {
		t.Errorf("without a browser logout is %+v", l)
	}
	w.wantGone(session.CauseLogout)

	w = signedIn(t, oidctest.Settings{})
	w.provider.Down()
	w.forgetDocuments()
	l = w.mustLogout(session.LogoutOptions{EndSession: &oidcflow.EndSessionOptions{Open: visit(w)}})
	if l.EndSessionError == nil || l.RevokeError == nil {
		t.Errorf("with the provider down logout is %+v", l)
	}
	w.wantGone(session.CauseLogout)
}

// TestCaptivePortal: the network wants a sign-in at its own page, and status
// says where.
func TestCaptivePortal(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.provider.Change(func(s *oidctest.Settings) { s.CaptivePortal = true })
	w.clock.Add(2 * time.Hour)
	tok := w.mustToken(session.Request{})
	if !tok.Expired || tok.Reason != offline.ReasonServerUnavailable {
		t.Errorf("the token is %+v", tok)
	}
	if s := w.status(); !strings.Contains(s.Offline.LastError, "sign-in page at localhost") {
		t.Errorf("status is %+v", s.Offline)
	}
	w.wantKept()
}
