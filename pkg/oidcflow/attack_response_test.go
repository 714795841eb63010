package oidcflow_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// Mix-up, RFC 9207 §1 and RFC 9700 §4.4: the answer of another provider comes
// to a sign-in at the first. Its code never reaches the first one's token
// endpoint.
func TestAttackMixUp(t *testing.T) {
	honest, _, _ := provider(t, oidctest.Options{})
	for name, iss := range map[string][]string{
		"another issuer":            {honest.Issuer()},
		"a slash more":              {"ISSUER/"},
		"no issuer, where promised": nil,
		"empty issuer":              {""},
		"both issuers":              {"ISSUER", honest.Issuer()},
	} {
		t.Run(name, func(t *testing.T) {
			evil, c, md := provider(t, oidctest.Options{})
			a := begin(t, c, md, nil)
			query := url.Values{"code": {"the-code-of-another"}, "state": {a.state}}
			for _, value := range iss {
				query.Add("iss", strings.Replace(value, "ISSUER", evil.Issuer(), 1))
			}
			_, page := visit(t, http.MethodGet, a.address(query), nil, nil)
			if len(iss) > 1 { // not an answer at all, RFC 6749 §3.1
				if !a.open() {
					t.Errorf("ended by it: %s", page)
				}
			} else if err := a.wait(); !isResponseError(err) {
				t.Errorf("%v", err)
			}
			if evil.Count(oidctest.TokenEndpoint) != 0 || a.completed {
				t.Error("the code was sent")
			}
		})
	}
}

// An error of another issuer is no "no" of this one either, RFC 9207 §2.4.
func TestAttackMixUpError(t *testing.T) {
	_, c, md := provider(t, oidctest.Options{})
	a := begin(t, c, md, nil)
	visit(t, http.MethodGet, a.address(url.Values{"error": {"access_denied"}, "state": {a.state}, "iss": {"https://evil.example"}}), nil, nil)
	var refused *oidcflow.AuthorizationError
	if err := a.wait(); !isResponseError(err) || errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
}

// attackersCode is a code that the provider gave the attacker, for the same
// client, with the attacker's own PKCE.
func attackersCode(t *testing.T, a *attempt) string {
	t.Helper()
	sum := sha256.Sum256([]byte("the attacker's verifier, of more than forty-three characters"))
	q := a.asked.Query()
	q.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
	q.Set("nonce", "the attacker's")
	u := *a.asked
	u.RawQuery = q.Encode()
	code := answerOf(t, u.String()).Get("code")
	if code == "" {
		t.Fatal("no code for the attacker")
	}
	return code
}

// Injection of the attacker's code with the right state, RFC 9700 §4.5: the
// provider compares PKCE, RFC 7636 §4.6.
func TestAttackCodeInjection(t *testing.T) {
	for _, way := range []string{"loopback", "pasted", "pasted code alone"} {
		t.Run(way, func(t *testing.T) {
			p, c, md := provider(t, oidctest.Options{})
			paste := make(chan string, 1)
			a := begin(t, c, md, func(o *oidcflow.SignInOptions) { o.Paste = paste })
			code := attackersCode(t, a)
			address := a.address(url.Values{"code": {code}, "state": {a.state}, "iss": {p.Issuer()}})
			switch way {
			case "loopback":
				visit(t, http.MethodGet, address, nil, nil)
			case "pasted":
				paste <- address
			default:
				paste <- code
			}
			var refused *oauth2.RetrieveError
			if err := a.wait(); !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" || a.completed {
				t.Errorf("%v", err)
			}
		})
	}
}

// At a provider that does not compare PKCE, the nonce finds it out, OpenID
// Connect Core §3.1.3.7 point 11.
func TestAttackCodeInjectionWithoutPKCE(t *testing.T) {
	for _, nonce := range []any{"the attacker's", nil} {
		p, c, md := provider(t, oidctest.Options{})
		a := begin(t, c, md, nil)
		p.Change(func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"nonce": nonce} })
		visit(t, http.MethodGet, a.address(answerOf(t, a.asked.String())), nil, nil)
		if err := a.wait(); rule(err) != "nonce" || a.completed {
			t.Errorf("%v", err)
		}
	}
}

// A provider that does not know S256 can't turn PKCE off or down.
func TestAttackPKCEDowngrade(t *testing.T) {
	p, c, _ := provider(t, oidctest.Options{})
	p.Change(func(s *oidctest.Settings) {
		s.Metadata = map[string]any{"code_challenge_methods_supported": []string{"plain"}}
	})
	md, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q := begin(t, c, md, nil).asked.Query()
	if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 {
		t.Errorf("%v", q)
	}
	for _, name := range []string{"code_challenge", "code_challenge_method", "state", "nonce", "redirect_uri", "client_id", "response_type", "request", "request_uri"} {
		if oidcflow.MayAddParam(name, "plain") {
			t.Errorf("auth_params may set %s", name)
		}
	}
}

// Every sign-in has a state, a nonce and a verifier of its own, of 256 bits.
func TestAttackGuessing(t *testing.T) {
	p, c, md := provider(t, oidctest.Options{})
	seen := map[string]bool{}
	for range 3 {
		a := begin(t, c, md, nil)
		q := a.asked.Query()
		visit(t, http.MethodGet, a.address(answerOf(t, a.asked.String())), nil, nil)
		if err := a.wait(); err != nil {
			t.Fatal(err)
		}
		requests := p.Requests(oidctest.TokenEndpoint)
		verifier := requests[len(requests)-1].Form.Get("code_verifier")
		for _, value := range []string{q.Get("state"), q.Get("nonce"), q.Get("code_challenge"), verifier} {
			if len(value) < 43 || seen[value] {
				t.Errorf("%d characters, seen before: %v", len(value), seen[value])
			}
			seen[value] = true
		}
	}
}

// What a web page, a name that resolves to this machine (DNS rebinding) or a
// program without the state can send to the loopback port. None of it ends the
// sign-in, and the right answer still does.
func TestAttackLoopbackRequests(t *testing.T) {
	for _, formPost := range []bool{false, true} {
		p, c, md := provider(t, oidctest.Options{})
		if formPost {
			c.AuthParams = map[string]string{"response_mode": "form_post"}
		}
		a := begin(t, c, md, nil)
		good := url.Values{"code": {"a-code-of-someone"}, "state": {a.state}, "iss": {p.Issuer()}}
		with := func(name, value string) url.Values {
			q := url.Values{}
			for k, v := range good {
				q[k] = v
			}
			if q.Set(name, value); value == "" {
				q.Del(name)
			}
			return q
		}
		other := *a.back
		other.Path = "/other"
		other.RawQuery = good.Encode()
		slash := *a.back
		slash.Path += "/"
		slash.RawQuery = good.Encode()
		host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
		asForm := func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }
		wrongMethod, rightMethod := http.MethodPost, http.MethodGet
		if formPost {
			wrongMethod, rightMethod = rightMethod, wrongMethod
		}
		for _, tc := range []struct {
			name, method, address string
			form                  url.Values
			change                func(*http.Request)
		}{
			{"wrong state", rightMethod, a.address(with("state", a.state[:42]+"x")), with("state", "x"), asForm},
			{"no state", rightMethod, a.address(with("state", "")), with("state", ""), asForm},
			{"prefix of the state", rightMethod, a.address(with("state", a.state[:20])), with("state", a.state[:20]), asForm},
			{"error without state", rightMethod, a.address(url.Values{"error": {"access_denied"}}), url.Values{"error": {"access_denied"}}, asForm},
			{"wrong method", wrongMethod, a.address(good), nil, asForm},
			{"HEAD", http.MethodHead, a.address(good), nil, nil},
			{"OPTIONS", http.MethodOptions, a.address(good), nil, nil},
			{"PUT", http.MethodPut, a.address(good), good, asForm},
			{"other path", rightMethod, other.String(), good, asForm},
			{"a slash more", rightMethod, slash.String(), good, asForm},
			{"rebinding", rightMethod, a.address(good), good, host("evil.example:" + a.back.Port())},
			{"rebinding, without port", rightMethod, a.address(good), good, host("evil.example")},
			{"localhost for the number", rightMethod, a.address(good), good, host("localhost:" + a.back.Port())},
			{"host without port", rightMethod, a.address(good), good, host("127.0.0.1")},
			{"JSON", http.MethodPost, a.address(nil), good, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }},
			{"plain text", http.MethodPost, a.address(nil), good, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }},
			{"answer in both places", http.MethodPost, a.address(good), good, asForm},
		} {
			form := tc.form
			if tc.method != http.MethodPost && tc.method != http.MethodPut {
				form = nil
			}
			response, page := visit(t, tc.method, tc.address, strings.NewReader(form.Encode()), tc.change)
			if response.StatusCode < 400 || strings.Contains(page, "signed in") {
				t.Errorf("form_post %v, %s: HTTP %d: %s", formPost, tc.name, response.StatusCode, page)
			}
			if !a.open() {
				t.Fatalf("form_post %v, %s: it ended the sign-in: %v", formPost, tc.name, a.wait())
			}
		}
		if p.Count(oidctest.TokenEndpoint) != 0 {
			t.Error("a code was sent")
		}
		// A browser that does what it should still gets through.
		window := oidctest.NewWindow(nil)
		if err := window.Open(t.Context(), a.asked.String()); err != nil {
			t.Fatal(err)
		}
		page, err := window.Page(t.Context())
		if err := a.wait(); err != nil || !a.completed {
			t.Errorf("the right answer: %v", err)
		}
		if err != nil || page.Status != http.StatusOK {
			t.Errorf("%+v, %v", page, err)
		}
	}
}

// A page of another origin can't read what the loopback port says, nor ask it
// with headers or methods that need leave (CORS).
func TestAttackCrossOriginFetch(t *testing.T) {
	_, c, md := provider(t, oidctest.Options{})
	a := begin(t, c, md, nil)
	for _, method := range []string{http.MethodOptions, http.MethodGet} {
		response, _ := visit(t, method, a.address(url.Values{"state": {"x"}}), nil, func(r *http.Request) {
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Access-Control-Request-Method", "GET")
			r.Header.Set("Access-Control-Request-Headers", "authorization")
			r.Header.Set("Access-Control-Request-Private-Network", "true")
			r.Header.Set("Access-Control-Request-Local-Network", "true")
		})
		for name := range response.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: %s: %s", method, name, response.Header.Get(name))
			}
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := response.Header.Get(name); got != want {
				t.Errorf("%s: %s: %q", method, name, got)
			}
		}
		if policy := response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: %q", method, policy)
		}
	}
	if !a.open() {
		t.Error("it ended the sign-in")
	}
}

// The answer is good once: whoever has the redirect's address from the
// history, a log or a proxy gets nothing with it.
func TestAttackReplayOfTheRedirect(t *testing.T) {
	p, c, md := provider(t, oidctest.Options{})
	p.Set(oidctest.TokenEndpoint, oidctest.Hold())
	a := begin(t, c, md, nil)
	address := a.address(answerOf(t, a.asked.String()))
	first := make(chan int, 1)
	go func() {
		response, err := http.Get(address)
		if err != nil {
			first <- 0
			return
		}
		_ = response.Body.Close()
		first <- response.StatusCode
	}()
	if err := p.Await(t.Context(), oidctest.TokenEndpoint, 1); err != nil {
		t.Fatal(err)
	}
	if response, page := visit(t, http.MethodGet, address, nil, nil); response.StatusCode != http.StatusBadRequest {
		t.Errorf("the second use: HTTP %d: %s", response.StatusCode, page)
	}
	p.Clear()
	if err := a.wait(); err != nil || <-first != http.StatusOK || p.Count(oidctest.TokenEndpoint) != 1 {
		t.Errorf("%v, %d token requests", err, p.Count(oidctest.TokenEndpoint))
	}
	// Nobody listens any more.
	if conn, err := net.Dial("tcp", a.back.Host); err == nil {
		_ = conn.Close()
		t.Error("the port is open after the sign-in")
	}
	// A later sign-in does not take the earlier answer.
	later := begin(t, c, md, func(o *oidcflow.SignInOptions) { o.Redirect = a.back.String() })
	if response, _ := visit(t, http.MethodGet, address, nil, nil); response.StatusCode < 400 || !later.open() {
		t.Errorf("HTTP %d", response.StatusCode)
	}
}
