package oidcflow

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// visit is a browser that is sent to a sign-in's URL and keeps the page that
// it ends at.
type visit struct {
	wg     sync.WaitGroup
	status int
	page   string
	err    error
}

func (v *visit) open(ctx context.Context, target string) error {
	v.wg.Add(1)
	go func() {
		defer v.wg.Done()
		v.status, v.page, v.err = browse(context.WithoutCancel(ctx), target)
	}()
	return nil
}

func accepts(context.Context, *Tokens, string) error { return nil }

func TestSignIn(t *testing.T) {
	for _, where := range []string{"", "http://localhost:0/cb", "http://[::1]:0/", "http://127.0.0.1"} {
		t.Run(where, func(t *testing.T) {
			if strings.Contains(where, "::1") {
				l, err := net.Listen("tcp6", "[::1]:0")
				if err != nil {
					t.Skip("no IPv6 on this machine")
				}
				_ = l.Close()
			}
			f := newFake(t)
			c, md := f.client(), f.metadata()
			var asked url.Values
			f.on("/authorize", redirects(func(q url.Values) url.Values {
				asked = q
				return url.Values{"code": {"the-code"}, "state": {q.Get("state")}, "iss": {f.URL}}
			}))
			f.on("/token", func(w http.ResponseWriter, r *http.Request) {
				id := rs256().sign(t, claimsOf(map[string]any{"iss": f.URL, "nonce": asked.Get("nonce")})).Reveal()
				saysJSON(200, `{"access_token":"at","token_type":"Bearer","refresh_token":"rt","id_token":"`+id+`"}`)(w, r)
			})
			f.on("/jwks", saysJSON(200, string(jwksOf(t, rs256().jwk()))))

			var browser visit
			var shown string
			stored := false
			err := c.SignIn(t.Context(), md, SignInOptions{
				Redirect: where,
				Open:     browser.open,
				Notify:   func(u string) { shown = u },
				Complete: func(ctx context.Context, tokens *Tokens, nonce string) error {
					keys, err := c.Keys(ctx, md)
					if err != nil {
						return err
					}
					_, err = c.VerifyIDToken(md, keys, tokens.ID, Expect{Nonce: nonce, AccessToken: tokens.Access})
					stored = err == nil && tokens.Refresh.Reveal() == "rt"
					return err
				},
			})
			browser.wg.Wait()
			if err != nil || !stored || browser.err != nil || browser.status != 200 {
				t.Fatalf("%v, stored %v; browser %d, %v", err, stored, browser.status, browser.err)
			}
			form, _ := f.last() // the keys came last
			_ = form
			f.mu.Lock()
			defer f.mu.Unlock()
			for i, path := range f.paths {
				if path != "/token" {
					continue
				}
				sent := f.forms[i]
				if sent.Get("code") != "the-code" || sent.Get("redirect_uri") != asked.Get("redirect_uri") ||
					oauth2.S256ChallengeFromVerifier(sent.Get("code_verifier")) != asked.Get("code_challenge") {
					t.Errorf("token request %v", sent)
				}
			}
			if u, err := url.Parse(shown); err != nil || u.Query().Get("state") != asked.Get("state") {
				t.Errorf("shown %q", shown)
			}
		})
	}
}

// The browser shows success only if the tokens are verified and stored.
func TestSignInFails(t *testing.T) {
	broken := errors.New("the keychain is locked")
	for _, tc := range []struct {
		name     string
		answer   func(url.Values) url.Values
		token    http.HandlerFunc
		complete func(context.Context, *Tokens, string) error
		check    func(error) bool
		page     string
	}{
		{"not stored", approves, saysJSON(200, tokenBody("")), func(context.Context, *Tokens, string) error { return broken },
			func(err error) bool { return errors.Is(err, broken) }, "the keychain is locked"},
		{"denied", func(q url.Values) url.Values {
			return url.Values{"error": {"access_denied"}, "error_description": {"the <b>user</b> said no"}, "state": {q.Get("state")}}
		}, nil, accepts, func(err error) bool {
			var e *AuthorizationError
			return errors.As(err, &e) && e.Code == "access_denied"
		}, "the &lt;b&gt;user"},
		{"code refused", approves, saysJSON(400, `{"error":"invalid_grant","access_token":"hush"}`), accepts, func(err error) bool {
			var e *oauth2.RetrieveError
			return errors.As(err, &e) && e.ErrorCode == "invalid_grant"
		}, "invalid_grant"},
		{"portal", approves, says(200, "text/html", "<html>hush"), accepts, func(err error) bool {
			var e *oauth2.RetrieveError
			return errors.As(err, &e)
		}, ""},
		{"no ID token", approves, saysJSON(200, `{"access_token":"hush","token_type":"Bearer"}`), accepts, func(err error) bool {
			var e *IDTokenError
			return errors.As(err, &e) && e.Rule == "missing"
		}, ""},
		{"another issuer", func(q url.Values) url.Values {
			return url.Values{"code": {"hush"}, "state": {q.Get("state")}, "iss": {"https://evil.example"}}
		}, nil, accepts, func(err error) bool {
			var e *ResponseError
			return errors.As(err, &e)
		}, "evil.example"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t)
			f.on("/authorize", redirects(tc.answer))
			if tc.token != nil {
				f.on("/token", tc.token)
			}
			var browser visit
			err := f.client().SignIn(t.Context(), f.metadata(), SignInOptions{Open: browser.open, Complete: tc.complete})
			browser.wg.Wait()
			if err == nil || !tc.check(err) {
				t.Errorf("%v", err)
			}
			if browser.err != nil || browser.status == 200 || !strings.Contains(browser.page, tc.page) || strings.Contains(browser.page, "hush") {
				t.Errorf("browser: %d, %v: %s", browser.status, browser.err, browser.page)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("%q", err)
			}
			if tc.token == nil && f.count("/token") != 0 {
				t.Error("a code was exchanged")
			}
		})
	}
}

func TestSignInIssuerRequired(t *testing.T) {
	f := newFake(t)
	f.on("/authorize", redirects(approves))
	md := f.metadata()
	md.AuthorizationResponseIssParameterSupported = true
	var browser visit
	err := f.client().SignIn(t.Context(), md, SignInOptions{Open: browser.open, Complete: accepts})
	browser.wg.Wait()
	var e *ResponseError
	if !errors.As(err, &e) || f.count("/token") != 0 {
		t.Errorf("%v", err)
	}
}

// Without openid in the scopes, no ID token is missed.
func TestSignInWithoutOpenID(t *testing.T) {
	f := newFake(t)
	f.on("/authorize", redirects(approves))
	f.on("/token", saysJSON(200, `{"access_token":"at","token_type":"Bearer"}`))
	c := f.client()
	c.Scopes = []string{"repo"}
	var browser visit
	err := c.SignIn(t.Context(), f.metadata(), SignInOptions{Open: browser.open, Complete: accepts})
	browser.wg.Wait()
	if err != nil || browser.status != 200 {
		t.Errorf("%v, %d", err, browser.status)
	}
}

func TestSignInEnds(t *testing.T) {
	f := newFake(t)
	silent := func(context.Context, string) error { return nil }
	c, md := f.client(), f.metadata()

	err := c.SignIn(t.Context(), md, SignInOptions{Open: silent, Complete: accepts, Timeout: 10 * time.Millisecond})
	if !errors.Is(err, ErrSignInTimeout) {
		t.Errorf("time limit: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	err = c.SignIn(ctx, md, SignInOptions{Complete: accepts, Notify: func(string) { cancel(errors.New("interrupt")) }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	broken := errors.New("no browser")
	err = c.SignIn(t.Context(), md, SignInOptions{Complete: accepts, Open: func(context.Context, string) error { return broken }})
	if !errors.Is(err, broken) {
		t.Errorf("no browser: %v", err)
	}
	if err := c.SignIn(t.Context(), md, SignInOptions{Complete: accepts}); err == nil {
		t.Error("no way to sign in")
	}
	if err := c.SignIn(t.Context(), md, SignInOptions{Open: silent}); err == nil {
		t.Error("nothing to complete it")
	}
	if err := c.SignIn(t.Context(), md, SignInOptions{Open: silent, Complete: accepts, Redirect: "https://example.com/cb"}); err == nil {
		t.Error("a redirect elsewhere")
	}
}

// A person who presses Ctrl-C after the code came does not lose the tokens.
func TestSignInGoesOnAfterTheCode(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.on("/authorize", redirects(approves))
	f.on("/token", func(w http.ResponseWriter, r *http.Request) {
		cancel()
		saysJSON(200, tokenBody(""))(w, r)
	})
	var browser visit
	completed := false
	err := f.client().SignIn(ctx, f.metadata(), SignInOptions{Open: browser.open, Complete: func(ctx context.Context, _ *Tokens, _ string) error {
		completed = ctx.Err() == nil
		return ctx.Err()
	}})
	browser.wg.Wait()
	if err != nil || !completed || browser.status != 200 {
		t.Errorf("%v, %d", err, browser.status)
	}
}

// A browser that never reads its page does not keep the process.
func TestSignInBrowserGone(t *testing.T) {
	f := newFake(t)
	f.on("/token", saysJSON(200, tokenBody("")))
	err := f.client().SignIn(t.Context(), f.metadata(), SignInOptions{Complete: accepts, Open: func(_ context.Context, target string) error {
		u, err := url.Parse(target)
		if err != nil {
			return err
		}
		back, err := url.Parse(u.Query().Get("redirect_uri"))
		if err != nil {
			return err
		}
		conn, err := net.Dial("tcp", back.Host)
		if err != nil {
			return err
		}
		_, err = conn.Write([]byte("GET " + back.Path + "?code=c&state=" + u.Query().Get("state") + " HTTP/1.1\r\nHost: " + back.Host + "\r\n\r\n"))
		_ = conn.Close()
		return err
	}})
	if err != nil {
		t.Errorf("%v", err)
	}
}

func TestSignInPortInUse(t *testing.T) {
	f := newFake(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	o := SignInOptions{Redirect: "http://" + taken.Addr().String() + "/callback", Open: func(context.Context, string) error { return nil }, Complete: accepts}
	var e *ListenError
	if err := f.client().SignIn(t.Context(), f.metadata(), o); !errors.As(err, &e) || e.Port != portOf(taken) {
		t.Errorf("%v", err)
	}

	// Who pastes needs no port.
	f.on("/token", saysJSON(200, tokenBody("")))
	paste := make(chan string, 1)
	o.Open, o.Paste = nil, paste
	o.Notify = func(u string) { paste <- "code=c&state=" + stateOf(t, u) }
	if err := f.client().SignIn(t.Context(), f.metadata(), o); err != nil {
		t.Errorf("pasted: %v", err)
	}
	o.Notify = func(string) {}
	close(paste)
	if err := f.client().SignIn(t.Context(), f.metadata(), o); !errors.Is(err, errNoPaste) {
		t.Errorf("end of the input: %v", err)
	}
}

func stateOf(t *testing.T, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("state")
}

func TestSignInPaste(t *testing.T) {
	f := newFake(t)
	f.on("/token", saysJSON(200, tokenBody("")))
	paste := make(chan string, 9)
	var problems []error
	err := f.client().SignIn(t.Context(), f.metadata(), SignInOptions{
		Paste: paste, Complete: accepts,
		PasteProblem: func(err error) { problems = append(problems, err) },
		Notify: func(u string) {
			paste <- "the-code"
			paste <- "http://127.0.0.1:1/callback?code=the-code&state=wrong"
			paste <- "http://127.0.0.1:1/callback?code=the-code&iss=https://evil.example&state=" + stateOf(t, u)
			paste <- "http://127.0.0.1:1/callback?code=the-code&state=" + stateOf(t, u)
			close(paste)
		},
	})
	if err != nil || len(problems) != 3 {
		t.Errorf("%v, problems %v", err, problems)
	}
	if form, _ := f.last(); form.Get("code") != "the-code" {
		t.Errorf("%v", form)
	}
}

// The input of a script ends at once; the browser can still answer.
func TestSignInListensWhilePasting(t *testing.T) {
	f := newFake(t)
	f.on("/authorize", redirects(approves))
	f.on("/token", saysJSON(200, tokenBody("")))
	paste := make(chan string)
	close(paste)
	var browser visit
	err := f.client().SignIn(t.Context(), f.metadata(), SignInOptions{
		Paste: paste, Complete: accepts, Notify: func(u string) { _ = browser.open(t.Context(), u) },
	})
	browser.wg.Wait()
	if err != nil || browser.status != 200 {
		t.Errorf("%v, %d", err, browser.status)
	}
}

func TestSafeText(t *testing.T) {
	raw := &oauth2.RetrieveError{Response: &http.Response{StatusCode: 400}, ErrorCode: "invalid_grant", Body: []byte("hush")}
	for _, err := range []error{raw, &oauth2.RetrieveError{Body: []byte("hush")}, answerOf(200, "hush").failure("test")} {
		if text := safeText(err); strings.Contains(text, "hush") || text == "" {
			t.Errorf("%q", text)
		}
	}
}
