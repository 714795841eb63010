package oidcflow

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// testNow is when every test with a clock takes place.
var testNow = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// signer is a key of a provider.
type signer struct {
	private any
	alg     jose.SignatureAlgorithm
	kid     string
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

var ecKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

func rs256() signer { return signer{rsaKey(), jose.RS256, "rsa-1"} }
func es256() signer { return signer{ecKey(), jose.ES256, "ec-1"} }

func (s signer) sign(t testing.TB, claims any) Secret {
	t.Helper()
	options := &jose.SignerOptions{}
	if s.kid != "" {
		options = options.WithHeader("kid", s.kid)
	}
	js, err := jose.NewSigner(jose.SigningKey{Algorithm: s.alg, Key: s.private}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := js.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return NewSecret(compact)
}

func (s signer) jwk() jose.JSONWebKey {
	return jose.JSONWebKey{
		Key: s.private.(crypto.Signer).Public(), KeyID: s.kid, Algorithm: string(s.alg), Use: "sig",
	}
}

func jwksOf(t testing.TB, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// fake is a provider that answers as each test says.
type fake struct {
	*httptest.Server
	t testing.TB
	// nonce of the last authorization request.
	mu    sync.Mutex
	forms []url.Values
	heads []http.Header
	paths []string
	// token answers the token endpoint, as authorize does the browser.
	handlers map[string]http.HandlerFunc
}

// newFake starts a provider whose endpoints are /authorize, /token, /jwks,
// /userinfo, /revoke, /logout and /device. It answers 404 where the test gives
// no handler.
func newFake(t testing.TB) *fake {
	f := &fake{t: t, handlers: map[string]http.HandlerFunc{}}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		f.mu.Lock()
		f.forms, f.heads, f.paths = append(f.forms, r.Form), append(f.heads, r.Header), append(f.paths, r.URL.Path)
		h := f.handlers[r.URL.Path]
		f.mu.Unlock()
		if h == nil {
			http.NotFound(w, r)
			return
		}
		h(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) on(path string, h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handlers[path] = h
}

// last gives the form and the header of the last request.
func (f *fake) last() (url.Values, http.Header) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.forms[len(f.forms)-1], f.heads[len(f.heads)-1]
}

func (f *fake) count(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, p := range f.paths {
		if p == path {
			n++
		}
	}
	return n
}

func (f *fake) document() map[string]any {
	return map[string]any{
		"issuer":                                f.URL,
		"authorization_endpoint":                f.URL + "/authorize",
		"token_endpoint":                        f.URL + "/token",
		"jwks_uri":                              f.URL + "/jwks",
		"userinfo_endpoint":                     f.URL + "/userinfo",
		"revocation_endpoint":                   f.URL + "/revoke",
		"end_session_endpoint":                  f.URL + "/logout",
		"device_authorization_endpoint":         f.URL + "/device",
		"id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
	}
}

func (f *fake) metadata() *Metadata {
	f.t.Helper()
	md, err := ParseMetadata(mustJSON(f.t, f.document()), f.URL)
	if err != nil {
		f.t.Fatal(err)
	}
	return md
}

func (f *fake) client() *Client {
	return &Client{
		Issuer: f.URL, ClientID: "the-client", Scopes: []string{"openid", "offline_access"},
		HTTP: f.Client(), Now: func() time.Time { return testNow },
	}
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// says is a handler with a fixed answer.
func says(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func saysJSON(status int, body string) http.HandlerFunc {
	return says(status, "application/json", body)
}

// browse follows the authorization URL as a browser does and gives the last
// page.
func browse(ctx context.Context, target string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return 0, "", err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	page, err := io.ReadAll(res.Body)
	return res.StatusCode, string(page), err
}

// redirects is an authorization endpoint that sends the browser back with
// what answer says.
func redirects(answer func(asked url.Values) url.Values) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		to := r.FormValue("redirect_uri") + "?" + answer(r.Form).Encode()
		http.Redirect(w, r, to, http.StatusFound)
	}
}

func approves(asked url.Values) url.Values {
	return url.Values{"code": {"the-code"}, "state": {asked.Get("state")}}
}

func tokenBody(extra string) string {
	return fmt.Sprintf(`{"access_token":"at-1","token_type":"Bearer","id_token":"x.y.z"%s}`, extra)
}
