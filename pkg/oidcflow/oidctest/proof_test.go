package oidctest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

func newECKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signed makes a JWT with a library that the provider does not use.
func signed(t *testing.T, key crypto.Signer, typ, kid string, embed bool, claims map[string]any) string {
	t.Helper()
	o := (&jose.SignerOptions{EmbedJWK: embed}).WithType(jose.ContentType(typ))
	if kid != "" {
		o = o.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// proof is a DPoP proof for a POST to the token endpoint, with changes.
func proof(t *testing.T, p *oidctest.Provider, key crypto.Signer, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{"jti": rand.Text(), "htm": "POST", "htu": p.URL(oidctest.TokenEndpoint), "iat": time.Now().Unix()}
	for name, value := range changes {
		claims[name] = value
	}
	return signed(t, key, "dpop+jwt", "", true, claims)
}

// send posts a form, or gets without one.
func send(t *testing.T, p *oidctest.Provider, e oidctest.Endpoint, form url.Values, header map[string]string) (int, http.Header, map[string]any) {
	t.Helper()
	method, body := http.MethodPost, io.Reader(strings.NewReader(form.Encode()))
	if form == nil {
		method, body = http.MethodGet, nil
	}
	request, err := http.NewRequestWithContext(t.Context(), method, p.URL(e), body)
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := p.HTTPClient().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, answer
}

func TestDPoP(t *testing.T) {
	p := start(t, oidctest.Options{Settings: oidctest.Settings{DPoP: oidctest.Required}})
	key, other := newECKey(t), newECKey(t)
	code := authorize(t, p, request()).Get("code")
	post := func(form url.Values, proof string) (int, map[string]any) {
		header := map[string]string{}
		if proof != "" {
			header["DPoP"] = proof
		}
		status, _, answer := send(t, p, oidctest.TokenEndpoint, form, header)
		return status, answer
	}
	used := proof(t, p, key, nil)
	for name, wrong := range map[string]string{
		"none": "", "no JWT": "x", "method": proof(t, p, key, map[string]any{"htm": "GET"}),
		"address": proof(t, p, key, map[string]any{"htu": p.URL(oidctest.TokenEndpoint) + "/"}),
		"old":     proof(t, p, key, map[string]any{"iat": time.Now().Add(-time.Hour).Unix()}),
		"future":  proof(t, p, key, map[string]any{"iat": time.Now().Add(time.Hour).Unix()}),
		"no jti":  proof(t, p, key, map[string]any{"jti": ""}),
		"type":    signed(t, key, "JWT", "", true, map[string]any{}),
		"no key":  signed(t, key, "dpop+jwt", "", false, map[string]any{}),
		"changed": used[:len(used)-8] + "AAAAAAAA",
	} {
		if status, answer := post(codeForm(code), wrong); status != 400 || answer["error"] != "invalid_dpop_proof" {
			t.Errorf("%s: %d, %v", name, status, answer)
		}
	}
	status, answer := post(codeForm(code), used)
	if status != 200 || answer["token_type"] != "DPoP" {
		t.Fatalf("%d, %v", status, answer)
	}
	if status, _ := post(refreshForm(answer["refresh_token"]), used); status != 400 || p.Replays() != 1 {
		t.Error("a proof was taken twice")
	}
	if status, e := post(refreshForm(answer["refresh_token"]), proof(t, p, other, nil)); status != 400 || e["error"] != "invalid_grant" {
		t.Errorf("another key: %d, %v", status, e)
	}
	// The access token is of use with the key alone, RFC 9449 §7.
	token := answer["access_token"].(string)
	sum := sha256.Sum256([]byte(token))
	claims := func(ath string) map[string]any {
		return map[string]any{"htm": "GET", "htu": p.URL(oidctest.UserInfoEndpoint), "ath": ath}
	}
	good := base64.RawURLEncoding.EncodeToString(sum[:])
	for _, tc := range []struct {
		authorization, proof string
		status               int
	}{
		{"DPoP " + token, proof(t, p, key, claims(good)), 200},
		{"Bearer " + token, proof(t, p, key, claims(good)), 401},
		{"DPoP " + token, proof(t, p, other, claims(good)), 401},
		{"DPoP " + token, proof(t, p, key, claims("other")), 401},
	} {
		if status, _, e := send(t, p, oidctest.UserInfoEndpoint, nil, map[string]string{"Authorization": tc.authorization, "DPoP": tc.proof}); status != tc.status {
			t.Errorf("userinfo: %d, %v", status, e)
		}
	}

	p.Change(func(s *oidctest.Settings) { s.DPoPNonce, s.DPoPNonceOnce = true, true })
	status, header, e := send(t, p, oidctest.TokenEndpoint, refreshForm(answer["refresh_token"]), map[string]string{"DPoP": proof(t, p, key, nil)})
	if status != 400 || e["error"] != "use_dpop_nonce" || header.Get("DPoP-Nonce") == "" {
		t.Fatalf("%d, %v", status, e)
	}
	if status, e = post(refreshForm(answer["refresh_token"]), proof(t, p, key, map[string]any{"nonce": header.Get("DPoP-Nonce")})); status != 200 {
		t.Fatalf("%d, %v", status, e)
	}
	if status, _ = post(refreshForm(e["refresh_token"]), proof(t, p, key, map[string]any{"nonce": header.Get("DPoP-Nonce")})); status != 400 {
		t.Error("a nonce was good twice")
	}
}

func TestPushedRequests(t *testing.T) {
	p := start(t, oidctest.Options{
		Settings: oidctest.Settings{PushedRequests: oidctest.Required},
		Clients:  []oidctest.Client{oidctest.DefaultClient, {ID: "other"}},
	})
	if q := authorize(t, p, request()); q.Get("error") != "invalid_request" {
		t.Errorf("not pushed: %v", q)
	}
	status, pushed := mustPost(t, p, oidctest.PushedEndpoint, request())
	if status != http.StatusCreated {
		t.Fatalf("%d, %v", status, pushed)
	}
	uri := pushed["request_uri"].(string)
	if authorize(t, p, url.Values{"client_id": {"other"}, "request_uri": {uri}}) != nil {
		t.Error("another client's request")
	}
	short := url.Values{"client_id": {"oidc-cred"}, "request_uri": {uri}}
	q := authorize(t, p, short)
	if status, answer := mustPost(t, p, oidctest.TokenEndpoint, codeForm(q.Get("code"))); status != 200 {
		t.Errorf("%d, %v", status, answer)
	}
	if authorize(t, p, short) != nil {
		t.Error("a request_uri was good twice")
	}
	for _, bad := range []url.Values{request("redirect_uri", "https://example.com/"), request("code_challenge", ""), request("request_uri", "x")} {
		if status, answer := mustPost(t, p, oidctest.PushedEndpoint, bad); status != 400 {
			t.Errorf("%v: %d, %v", bad, status, answer)
		}
	}
}

func TestClientAssertion(t *testing.T) {
	key := newECKey(t)
	p := start(t, oidctest.Options{Clients: []oidctest.Client{{ID: "robot", Key: key.Public(), KeyID: "k1"}}})
	assertion := func(signer crypto.Signer, kid string, changes map[string]any) string {
		claims := map[string]any{
			"iss": "robot", "sub": "robot", "aud": p.Issuer(), "jti": rand.Text(),
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		}
		for name, value := range changes {
			claims[name] = value
		}
		return signed(t, signer, "JWT", kid, false, claims)
	}
	ask := func(assertion string) int {
		status, _ := mustPost(t, p, oidctest.TokenEndpoint, url.Values{
			"grant_type": {"client_credentials"}, "client_assertion": {assertion}, "scope": {"api"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		})
		return status
	}
	once := assertion(key, "k1", nil)
	if ask(once) != 200 || ask(once) != 401 || p.Replays() != 1 {
		t.Error("an assertion is good once")
	}
	if ask(assertion(key, "k1", map[string]any{"aud": p.URL(oidctest.TokenEndpoint)})) != 200 {
		t.Error("the token endpoint is an audience")
	}
	for name, bad := range map[string]string{
		"another key": assertion(newECKey(t), "k1", nil), "another kid": assertion(key, "k2", nil),
		"audience": assertion(key, "k1", map[string]any{"aud": "https://evil.example"}),
		"expired":  assertion(key, "k1", map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}),
		"for ever": assertion(key, "k1", map[string]any{"exp": time.Now().AddDate(1, 0, 0).Unix()}),
		"issuer":   assertion(key, "k1", map[string]any{"iss": "other"}),
		"no jti":   assertion(key, "k1", map[string]any{"jti": ""}),
		"none":     "",
	} {
		if status := ask(bad); status != 401 {
			t.Errorf("%s: %d", name, status)
		}
	}
	if status, _ := mustPost(t, p, oidctest.TokenEndpoint, url.Values{"grant_type": {"client_credentials"}, "client_id": {"robot"}}); status != 401 {
		t.Errorf("without authentication: %d", status)
	}
}
