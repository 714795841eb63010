package oidctest_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

const (
	verifier = "a-code-verifier-of-at-least-forty-three-characters"
	redirect = "http://127.0.0.1:1/callback"
)

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func start(t *testing.T, o oidctest.Options) *oidctest.Provider {
	t.Helper()
	p := oidctest.New(o)
	t.Cleanup(p.Close)
	return p
}

func request(overrides ...string) url.Values {
	q := url.Values{
		"client_id": {"oidc-cred"}, "redirect_uri": {redirect}, "response_type": {"code"},
		"scope": {"openid profile email offline_access"}, "state": {"s1"}, "nonce": {"n1"},
		"code_challenge": {challenge()}, "code_challenge_method": {"S256"},
	}
	return with(q, overrides...)
}

func with(q url.Values, overrides ...string) url.Values {
	for i := 0; i < len(overrides); i += 2 {
		if overrides[i+1] == "" {
			q.Del(overrides[i])
		} else {
			q.Set(overrides[i], overrides[i+1])
		}
	}
	return q
}

// authorize gives the parameters of the redirect to the client, or nil if the
// provider showed a page instead.
func authorize(t *testing.T, p *oidctest.Provider, q url.Values) url.Values {
	t.Helper()
	client := p.HTTPClient()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Get(p.URL(oidctest.AuthorizeEndpoint) + "?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusSeeOther {
		return nil
	}
	target, err := response.Location()
	if err != nil {
		t.Fatal(err)
	}
	return target.Query()
}

// post posts a form, and gives status and JSON of the answer.
func post(p *oidctest.Provider, e oidctest.Endpoint, form url.Values) (int, map[string]any, error) {
	response, err := p.HTTPClient().PostForm(p.URL(e), form)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return response.StatusCode, nil, err
	}
	var answer map[string]any
	if len(body) > 0 {
		err = json.Unmarshal(body, &answer)
	}
	return response.StatusCode, answer, err
}

func mustPost(t *testing.T, p *oidctest.Provider, e oidctest.Endpoint, form url.Values) (int, map[string]any) {
	t.Helper()
	status, answer, err := post(p, e, form)
	if err != nil {
		t.Fatal(err)
	}
	return status, answer
}

func codeForm(code string, overrides ...string) url.Values {
	return with(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect},
		"client_id": {"oidc-cred"}, "code_verifier": {verifier},
	}, overrides...)
}

func refreshForm(token any) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {fmt.Sprint(token)}, "client_id": {"oidc-cred"}}
}

func signIn(t *testing.T, p *oidctest.Provider) map[string]any {
	t.Helper()
	q := authorize(t, p, request())
	status, answer := mustPost(t, p, oidctest.TokenEndpoint, codeForm(q.Get("code")))
	if status != http.StatusOK {
		t.Fatalf("sign-in: HTTP %d, %v", status, answer)
	}
	return answer
}

func claims(t *testing.T, token any) (header, body map[string]any) {
	t.Helper()
	parts := strings.Split(fmt.Sprint(token), ".")
	if len(parts) != 3 {
		t.Fatalf("%v is no JWT", token)
	}
	for i, into := range []*map[string]any{&header, &body} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, body
}

func TestSignIn(t *testing.T) {
	p := start(t, oidctest.Options{Path: "/realms/demo"})
	q := authorize(t, p, request())
	if q.Get("state") != "s1" || q.Get("iss") != p.Issuer() || q.Get("code") == "" {
		t.Fatalf("authorization response: %v", q)
	}
	_, answer := mustPost(t, p, oidctest.TokenEndpoint, codeForm(q.Get("code")))
	_, id := claims(t, answer["id_token"])
	if id["iss"] != p.Issuer() || id["aud"] != "oidc-cred" || id["sub"] != "user-1" || id["nonce"] != "n1" || id["email"] != "user-1@example.com" {
		t.Errorf("ID token: %v", id)
	}
	access := fmt.Sprint(answer["access_token"])
	if !p.Active(access) || p.Subject(access) != "user-1" {
		t.Error("the access token is not active")
	}
	if p.Count(oidctest.TokenEndpoint) != 1 || p.Granted("authorization_code") != 1 {
		t.Error("the counters are wrong")
	}
	secrets := strings.Join(p.Secrets(), "\n")
	for _, secret := range []string{access, fmt.Sprint(answer["refresh_token"]), fmt.Sprint(answer["id_token"]), q.Get("code"), verifier} {
		if !strings.Contains(secrets, secret) {
			t.Error("a secret is not among the secrets")
		}
	}

	// A code works once; the second use revokes what the first one gave.
	status, again := mustPost(t, p, oidctest.TokenEndpoint, codeForm(q.Get("code")))
	if status != http.StatusBadRequest || again["error"] != "invalid_grant" || p.Active(access) {
		t.Errorf("second use of a code: HTTP %d, %v", status, again)
	}
}

func TestAuthorizationErrors(t *testing.T) {
	p := start(t, oidctest.Options{Clients: []oidctest.Client{{ID: "oidc-cred", Redirects: []string{"http://127.0.0.1/callback"}}}})
	tests := []struct {
		name      string
		overrides []string
		want      string // "" means a page and no redirect
	}{
		{"unknown client", []string{"client_id", "x"}, ""},
		{"redirect elsewhere", []string{"redirect_uri", "https://evil.example/callback"}, ""},
		{"redirect to another path", []string{"redirect_uri", "http://127.0.0.1:1/other"}, ""},
		{"implicit flow", []string{"response_type", "token"}, "unsupported_response_type"},
		{"no PKCE", []string{"code_challenge", ""}, "invalid_request"},
		{"plain PKCE", []string{"code_challenge_method", "plain"}, "invalid_request"},
		{"no openid", []string{"scope", "profile"}, "invalid_scope"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := authorize(t, p, request(tt.overrides...))
			if q.Get("error") != tt.want || q.Has("code") || q != nil && q.Get("state") != "s1" {
				t.Errorf("got %v, want the error %q", q, tt.want)
			}
		})
	}
	p.Change(func(s *oidctest.Settings) { s.AuthorizeError = "access_denied" })
	if q := authorize(t, p, request()); q.Get("error") != "access_denied" || q.Has("code") {
		t.Errorf("denied: %v", q)
	}
	p.Change(func(s *oidctest.Settings) {
		*s = oidctest.Settings{NoIssParameter: true, AuthorizationResponse: map[string]any{"state": "wrong", "code": nil}}
	})
	if q := authorize(t, p, request()); q.Get("state") != "wrong" || q.Has("code") || q.Has("iss") {
		t.Errorf("overridden: %v", q)
	}
}

func TestCodeErrors(t *testing.T) {
	p := start(t, oidctest.Options{})
	for name, overrides := range map[string][]string{
		"wrong verifier":  {"code_verifier", strings.Repeat("x", 43)},
		"short verifier":  {"code_verifier", "x"},
		"wrong redirect":  {"redirect_uri", "http://127.0.0.1:2/callback"},
		"unknown code":    {"code", "x"},
		"other grant":     {"grant_type", "password"},
		"unknown client":  {"client_id", "x"},
		"secret not ours": {"client_secret", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			q := authorize(t, p, request())
			status, answer := mustPost(t, p, oidctest.TokenEndpoint, codeForm(q.Get("code"), overrides...))
			if status < 400 || answer["access_token"] != nil || answer["error"] == nil {
				t.Errorf("HTTP %d, %v", status, answer)
			}
		})
	}
}

func TestClientAuthentication(t *testing.T) {
	const id, secret = "a:b", "p%w+ ü"
	tests := []struct {
		name, auth string
		basic      bool
		want       int
	}{
		{"basic", "", true, http.StatusOK},
		{"post", "", false, http.StatusOK},
		{"only basic, basic", "client_secret_basic", true, http.StatusOK},
		{"only basic, post", "client_secret_basic", false, http.StatusUnauthorized},
		{"only post, basic", "client_secret_post", true, http.StatusUnauthorized},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := start(t, oidctest.Options{Clients: []oidctest.Client{{ID: id, Secret: secret, Auth: tt.auth}}})
			form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}
			if !tt.basic {
				form.Set("client_id", id)
				form.Set("client_secret", secret)
			}
			r, err := http.NewRequest(http.MethodPost, p.URL(oidctest.TokenEndpoint), strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if tt.basic {
				r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
			}
			response, err := p.HTTPClient().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			want := tt.want
			if want == http.StatusOK {
				want = http.StatusBadRequest // authenticated, and then there is no such token
			}
			if response.StatusCode != want {
				t.Errorf("HTTP %d, want %d", response.StatusCode, want)
			}
		})
	}
}

func TestRotation(t *testing.T) {
	p := start(t, oidctest.Options{})
	first := signIn(t, p)
	_, second := mustPost(t, p, oidctest.TokenEndpoint, refreshForm(first["refresh_token"]))
	if second["refresh_token"] == nil || second["refresh_token"] == first["refresh_token"] {
		t.Fatal("not rotated")
	}
	if _, id := claims(t, second["id_token"]); id["nonce"] != nil {
		t.Error("a refreshed ID token has a nonce")
	}
	// The spent one revokes the family.
	status, answer := mustPost(t, p, oidctest.TokenEndpoint, refreshForm(first["refresh_token"]))
	if status != http.StatusBadRequest || answer["error"] != "invalid_grant" || p.Reused() != 1 {
		t.Errorf("reuse: HTTP %d, %v", status, answer)
	}
	if _, answer := mustPost(t, p, oidctest.TokenEndpoint, refreshForm(second["refresh_token"])); answer["error"] != "invalid_grant" {
		t.Errorf("the family lives on: %v", answer)
	}
	if p.Active(fmt.Sprint(second["access_token"])) {
		t.Error("the access token lives on")
	}

	p.Change(func(s *oidctest.Settings) { s.KeepFamily = true })
	first = signIn(t, p)
	_, second = mustPost(t, p, oidctest.TokenEndpoint, refreshForm(first["refresh_token"]))
	mustPost(t, p, oidctest.TokenEndpoint, refreshForm(first["refresh_token"]))
	if status, _ := mustPost(t, p, oidctest.TokenEndpoint, refreshForm(second["refresh_token"])); status != http.StatusOK {
		t.Error("KeepFamily did not keep the family")
	}

	p.Change(func(s *oidctest.Settings) { *s = oidctest.Settings{ReuseGrace: time.Hour} })
	first = signIn(t, p)
	for range 3 {
		if status, _ := mustPost(t, p, oidctest.TokenEndpoint, refreshForm(first["refresh_token"])); status != http.StatusOK {
			t.Error("no grace")
		}
	}

	p.Change(func(s *oidctest.Settings) { *s = oidctest.Settings{NoRotation: true, NoIDTokenOnRefresh: true} })
	first = signIn(t, p)
	_, second = mustPost(t, p, oidctest.TokenEndpoint, refreshForm(first["refresh_token"]))
	if second["refresh_token"] != nil || second["id_token"] != nil || second["access_token"] == nil {
		t.Errorf("without rotation: %v", second)
	}
	p.RevokeAll()
	if _, answer := mustPost(t, p, oidctest.TokenEndpoint, refreshForm(first["refresh_token"])); answer["error"] != "invalid_grant" {
		t.Errorf("after RevokeAll: %v", answer)
	}
}

func TestLifetimes(t *testing.T) {
	var mu sync.Mutex
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	p := start(t, oidctest.Options{
		Now:      func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
		Settings: oidctest.Settings{Lifetime: time.Minute, RefreshLifetime: time.Hour},
	})
	answer := signIn(t, p)
	access, refresh := fmt.Sprint(answer["access_token"]), fmt.Sprint(answer["refresh_token"])
	if answer["expires_in"] != 60.0 || !p.Active(access) || !p.Active(refresh) {
		t.Errorf("fresh: %v", answer)
	}
	mu.Lock()
	now = now.Add(time.Minute)
	mu.Unlock()
	if p.Active(access) || !p.Active(refresh) {
		t.Error("a minute later the access token has to be gone, and only it")
	}
	mu.Lock()
	now = now.Add(time.Hour)
	mu.Unlock()
	if status, answer := mustPost(t, p, oidctest.TokenEndpoint, refreshForm(refresh)); status != http.StatusBadRequest {
		t.Errorf("the refresh token lives on: %v", answer)
	}
}

func TestTokenSettings(t *testing.T) {
	p := start(t, oidctest.Options{})
	set := func(s oidctest.Settings) map[string]any {
		p.Change(func(old *oidctest.Settings) { *old = s })
		return signIn(t, p)
	}
	if a := set(oidctest.Settings{TokenResponse: map[string]any{"expires_in": "3599.5", "scope": nil}}); a["expires_in"] != "3599.5" || a["scope"] != nil {
		t.Errorf("token response: %v", a)
	}
	if a := set(oidctest.Settings{NoRefreshTokens: true, NoIDToken: true}); a["refresh_token"] != nil || a["id_token"] != nil {
		t.Errorf("tokens left out: %v", a)
	}
	a := set(oidctest.Settings{Subject: "user-2", IDTokenClaims: map[string]any{"iss": "https://evil.example", "nonce": nil}})
	if _, id := claims(t, a["id_token"]); id["iss"] != "https://evil.example" || id["sub"] != "user-2" || id["nonce"] != nil {
		t.Errorf("claims: %v", id)
	}
	a = set(oidctest.Settings{JWTAccessTokens: true, TokenPadding: 3000})
	if head, _ := claims(t, a["access_token"]); head["typ"] != "at+jwt" || len(a["access_token"].(string)) < 3000 || len(a["id_token"].(string)) < 3000 {
		t.Errorf("access token: %v", head)
	}
	for how, alg := range map[oidctest.Signature]string{
		oidctest.SignatureNone: "none", oidctest.SignatureHMAC: "HS256", oidctest.SignatureWrong: "RS256", oidctest.SignatureUnknownKey: "RS256",
	} {
		if head, _ := claims(t, set(oidctest.Settings{Signature: how})["id_token"]); head["alg"] != alg {
			t.Errorf("signature %q: %v", how, head)
		}
	}
}

// TestParallel is for the race detector, and checks that of many refreshes
// with one token exactly one wins.
func TestParallel(t *testing.T) {
	p := start(t, oidctest.Options{})
	first := signIn(t, p)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if _, _, err := post(p, oidctest.TokenEndpoint, refreshForm(first["refresh_token"])); err != nil {
				t.Error(err)
			}
			p.Change(func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"n": i} })
			p.Set(oidctest.KeysEndpoint, oidctest.Status(500).Times(1))
			if _, _, err := get(t.Context(), p, oidctest.KeysEndpoint); err != nil {
				t.Error(err)
			}
			p.Clear()
			_ = p.Secrets()
		})
	}
	wg.Wait()
	if p.Granted("refresh_token") != 1 || p.Reused() != 49 || p.Count(oidctest.TokenEndpoint) != 51 {
		t.Errorf("granted %d, reused %d, requests %d", p.Granted("refresh_token"), p.Reused(), p.Count(oidctest.TokenEndpoint))
	}
}

func TestUserInfoRevokeEndSession(t *testing.T) {
	p := start(t, oidctest.Options{})
	answer := signIn(t, p)
	userInfo := func(token any) int {
		r, err := http.NewRequest(http.MethodGet, p.URL(oidctest.UserInfoEndpoint), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+fmt.Sprint(token))
		response, err := p.HTTPClient().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	if got := userInfo(answer["access_token"]); got != http.StatusOK {
		t.Errorf("userinfo: HTTP %d", got)
	}
	form := url.Values{"token": {fmt.Sprint(answer["refresh_token"])}, "client_id": {"oidc-cred"}}
	if status, _ := mustPost(t, p, oidctest.RevocationEndpoint, form); status != http.StatusOK {
		t.Errorf("revocation: HTTP %d", status)
	}
	if got := userInfo(answer["access_token"]); got != http.StatusUnauthorized {
		t.Errorf("userinfo after revocation: HTTP %d", got)
	}
	client := p.HTTPClient()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Get(p.URL(oidctest.EndSessionEndpoint) + "?state=s2&post_logout_redirect_uri=" + url.QueryEscape(redirect))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if got := response.Header.Get("Location"); got != redirect+"?state=s2" {
		t.Errorf("end session redirects to %q", got)
	}
}

func TestDevice(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	p := start(t, oidctest.Options{
		Now:      func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
		Settings: oidctest.Settings{DeviceInterval: 2, DeviceSlowDown: true},
	})
	later := func() { mu.Lock(); now = now.Add(10 * time.Second); mu.Unlock() }
	ask := func() map[string]any {
		_, answer := mustPost(t, p, oidctest.DeviceEndpoint, url.Values{"client_id": {"oidc-cred"}, "scope": {"openid"}})
		return answer
	}
	poll := func(device map[string]any) map[string]any {
		_, answer := mustPost(t, p, oidctest.TokenEndpoint, url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"oidc-cred"},
			"device_code": {fmt.Sprint(device["device_code"])},
		})
		return answer
	}
	first, second := ask(), ask()
	if got := poll(first); got["error"] != "authorization_pending" {
		t.Errorf("first poll: %v", got)
	}
	if got := poll(first); got["error"] != "slow_down" {
		t.Errorf("fast poll: %v", got)
	}
	if !p.Approve(fmt.Sprint(first["user_code"])) || !p.Deny("") || p.Deny("") {
		t.Error("the decisions found no devices")
	}
	later()
	if got := poll(first); got["access_token"] == nil || got["id_token"] == nil {
		t.Errorf("approved: %v", got)
	}
	if got := poll(second); got["error"] != "access_denied" {
		t.Errorf("denied: %v", got)
	}
	later()
	if got := poll(first); got["error"] != "invalid_grant" {
		t.Errorf("used: %v", got)
	}
}

func TestWindow(t *testing.T) {
	p := start(t, oidctest.Options{})
	client := start(t, oidctest.Options{}) // anything that listens
	w := oidctest.NewWindow(p.HTTPClient())
	q := request("redirect_uri", "http://"+client.Addr()+"/callback")
	if err := w.Open(t.Context(), p.URL(oidctest.AuthorizeEndpoint)+"?"+q.Encode()); err != nil {
		t.Fatal(err)
	}
	page, err := w.Page(t.Context())
	if err != nil || page.URL.Path != "/callback" || page.URL.Query().Get("code") == "" || page.Status != http.StatusNotFound {
		t.Errorf("%+v, %v", page, err)
	}
	if err := oidctest.Browser(nil)(context.Background(), "no address"); err == nil {
		t.Error("opened something that is no address")
	}
}
