package oidcflow

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const testIssuer = "https://id.example.com"

// claimsOf is a good ID token's payload with changes; nil removes a claim.
func claimsOf(changes map[string]any) map[string]any {
	claims := map[string]any{
		"iss": testIssuer, "sub": "alice", "aud": "the-client",
		"exp": testNow.Add(time.Hour).Unix(), "iat": testNow.Unix(),
		"nonce": "n-1", "email": "alice@example.com", "preferred_username": "alice", "name": "Alice",
	}
	for k, v := range changes {
		if v == nil {
			delete(claims, k)
		} else {
			claims[k] = v
		}
	}
	return claims
}

func atHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func testClient() *Client {
	return &Client{Issuer: testIssuer, ClientID: "the-client", Now: func() time.Time { return testNow }}
}

func testMetadata(algs ...string) *Metadata {
	return &Metadata{Issuer: testIssuer, IDTokenSigningAlgs: algs}
}

// One row per rule of OpenID Connect Core §3.1.3.7, §3.1.3.8 and §12.2.
func TestVerifyIDToken(t *testing.T) {
	signIn := Expect{Nonce: "n-1", AccessToken: NewSecret("at"), Subject: ""}
	refresh := Expect{AccessToken: NewSecret("at"), Subject: "alice", Refresh: true}
	jwks := jwksOf(t, rs256().jwk(), es256().jwk())
	for _, tc := range []struct {
		name   string
		claims map[string]any
		x      Expect
		rule   string // "": good
	}{
		{"good", nil, signIn, ""},
		{"nothing to compare", nil, Expect{}, ""},

		{"no issuer", map[string]any{"iss": nil}, signIn, "iss"},
		{"another issuer", map[string]any{"iss": "https://evil.example"}, signIn, "iss"},
		{"a slash more", map[string]any{"iss": testIssuer + "/"}, signIn, "iss"},

		{"no audience", map[string]any{"aud": nil}, signIn, "aud"},
		{"another audience", map[string]any{"aud": "other"}, signIn, "aud"},
		{"other audiences", map[string]any{"aud": []string{"other", "more"}}, signIn, "aud"},
		{"list of one", map[string]any{"aud": []string{"the-client"}}, signIn, ""},
		{"prefix of the audience", map[string]any{"aud": "the-client-2"}, signIn, "aud"},
		{"audience is a number", map[string]any{"aud": 5}, signIn, "aud"},

		{"several audiences, no azp", map[string]any{"aud": []string{"the-client", "api"}}, signIn, "azp"},
		{"several audiences, our azp", map[string]any{"aud": []string{"the-client", "api"}, "azp": "the-client"}, signIn, ""},
		{"several audiences, another azp", map[string]any{"aud": []string{"the-client", "api"}, "azp": "api"}, signIn, "azp"},
		{"one audience, our azp", map[string]any{"azp": "the-client"}, signIn, ""},
		{"one audience, another azp", map[string]any{"azp": "other"}, signIn, "azp"},
		{"azp is a list", map[string]any{"azp": []string{"the-client"}}, signIn, "azp"},

		{"no expiry", map[string]any{"exp": nil}, signIn, "format"},
		{"expired", map[string]any{"exp": testNow.Add(-2 * time.Minute).Unix()}, signIn, "exp"},
		{"expired within the leeway", map[string]any{"exp": testNow.Add(-30 * time.Second).Unix()}, signIn, ""},
		{"expiry as a fraction", map[string]any{"exp": float64(testNow.Add(time.Hour).Unix()) + 0.5}, signIn, ""},
		{"expiry absurd", map[string]any{"exp": 1e300}, signIn, "exp"},
		{"expiry as a date", map[string]any{"exp": "2030-01-01"}, signIn, "format"},

		{"no time of issue", map[string]any{"iat": nil}, signIn, "format"},
		{"issued in the future", map[string]any{"iat": testNow.Add(6 * time.Minute).Unix()}, signIn, "iat"},
		{"issued a little in the future", map[string]any{"iat": testNow.Add(4 * time.Minute).Unix()}, signIn, ""},
		{"issued long ago", map[string]any{"iat": testNow.Add(-48 * time.Hour).Unix()}, signIn, ""},
		{"not valid yet", map[string]any{"nbf": testNow.Add(6 * time.Minute).Unix()}, signIn, "nbf"},
		{"valid since", map[string]any{"nbf": testNow.Unix()}, signIn, ""},

		{"no nonce", map[string]any{"nonce": nil}, signIn, "nonce"},
		{"another nonce", map[string]any{"nonce": "n-2"}, signIn, "nonce"},
		{"nonce not asked for", map[string]any{"nonce": "n-2"}, Expect{}, ""},
		{"refresh without nonce", map[string]any{"nonce": nil}, Expect{Nonce: "n-1", Refresh: true}, ""},
		{"refresh with the nonce", nil, Expect{Nonce: "n-1", Refresh: true}, ""},
		{"refresh with another nonce", map[string]any{"nonce": "n-2"}, Expect{Nonce: "n-1", Refresh: true}, "nonce"},
		{"refresh, nonce unknown", map[string]any{"nonce": "n-2"}, refresh, ""},

		{"no subject", map[string]any{"sub": nil}, signIn, "sub"},
		{"empty subject", map[string]any{"sub": ""}, signIn, "sub"},
		{"refresh for another subject", map[string]any{"sub": "mallory"}, refresh, "sub"},
		{"refresh for the subject", nil, refresh, ""},
		{"refresh with another issuer", map[string]any{"iss": "https://evil.example"}, refresh, "iss"},

		{"at_hash", map[string]any{"at_hash": atHash("at")}, signIn, ""},
		{"another at_hash", map[string]any{"at_hash": atHash("other")}, signIn, "at_hash"},
		{"empty at_hash", map[string]any{"at_hash": ""}, signIn, "at_hash"},
		{"at_hash not compared", map[string]any{"at_hash": atHash("other")}, Expect{Nonce: "n-1"}, ""},

		{"wrong subject and expired", map[string]any{"sub": "mallory", "exp": 1}, refresh, "sub"},
		{"wrong nonce and from the future", map[string]any{"nonce": "x", "iat": testNow.Add(time.Hour).Unix()}, signIn, "nonce"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := testClient().VerifyIDToken(testMetadata("RS256", "ES256"), jwks, rs256().sign(t, claimsOf(tc.claims)), tc.x)
			if tc.rule == "" {
				if err != nil || got.Subject != "alice" || got.Email != "alice@example.com" || len(got.Raw) == 0 {
					t.Fatalf("%+v, %v", got, err)
				}
				return
			}
			var e *IDTokenError
			if !errors.As(err, &e) || e.Rule != tc.rule {
				t.Fatalf("%v (want rule %s)", err, tc.rule)
			}
			if clock := tc.rule == "exp" || tc.rule == "iat" || tc.rule == "nbf"; e.ClockRelated() != clock {
				t.Errorf("clock related: %v", e.ClockRelated())
			}
		})
	}
}

func TestVerifyIDTokenAlgorithms(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed := signer{private, jose.EdDSA, "ed-1"}
	jwks := jwksOf(t, rs256().jwk(), es256().jwk(), jose.JSONWebKey{Key: public, KeyID: "ed-1"}, jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "ps-1"})
	for _, tc := range []struct {
		name string
		s    signer
		algs []string
		rule string
	}{
		{"RS256 by default", rs256(), nil, ""},
		{"RS256 listed", rs256(), []string{"RS256", "none", "HS256"}, ""},
		{"RS256 not listed", rs256(), []string{"ES256"}, "alg"},
		{"ES256 listed", es256(), []string{"ES256"}, ""},
		{"ES256 by default", es256(), nil, "alg"},
		{"PS256", signer{rsaKey(), jose.PS256, "ps-1"}, []string{"PS256"}, ""},
		{"EdDSA", ed, []string{"EdDSA"}, ""},
		{"HS256 listed", signer{[]byte(strings.Repeat("k", 32)), jose.HS256, "x"}, []string{"HS256", "RS256"}, "alg"},
		{"only HS256 listed", rs256(), []string{"HS256", "none"}, "alg"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := testClient().VerifyIDToken(testMetadata(tc.algs...), jwks, tc.s.sign(t, claimsOf(map[string]any{"at_hash": nil})), Expect{})
			checkRule(t, err, tc.rule)
		})
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(mustJSON(t, claimsOf(nil))) + "."
	_, err = testClient().VerifyIDToken(testMetadata("RS256", "none"), jwks, NewSecret(none), Expect{})
	checkRule(t, err, "alg")
}

func checkRule(t *testing.T, err error, rule string) {
	t.Helper()
	var e *IDTokenError
	switch {
	case rule == "" && err != nil:
		t.Errorf("%v", err)
	case rule != "" && (!errors.As(err, &e) || e.Rule != rule):
		t.Errorf("%v, want rule %s", err, rule)
	}
}

func TestVerifyIDTokenSignature(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	jwks := jwksOf(t, rs256().jwk())
	verify := func(raw Secret) error {
		_, err := testClient().VerifyIDToken(testMetadata(), jwks, raw, Expect{})
		return err
	}
	good := rs256().sign(t, claimsOf(nil))
	if err := verify(good); err != nil {
		t.Fatal(err)
	}
	if err := verify(signer{rsaKey(), jose.RS256, ""}.sign(t, claimsOf(nil))); err != nil {
		t.Errorf("a token that names no key: %v", err)
	}

	forged := verify(signer{other, jose.RS256, "rsa-1"}.sign(t, claimsOf(nil)))
	checkRule(t, forged, "signature")
	if !NeedsFreshKeys(forged) {
		t.Error("the key's name may have been used again")
	}
	parts := strings.Split(good.Reveal(), ".")
	payload := base64.RawURLEncoding.EncodeToString(mustJSON(t, claimsOf(map[string]any{"sub": "mallory"})))
	checkRule(t, verify(NewSecret(parts[0]+"."+payload+"."+parts[2])), "signature")
	checkRule(t, verify(NewSecret(parts[0]+"."+parts[1]+".")), "signature")

	var unknown *UnknownKeyError
	if err := verify(signer{other, jose.RS256, "rsa-2"}.sign(t, claimsOf(nil))); !errors.As(err, &unknown) || unknown.KeyID != "rsa-2" || !NeedsFreshKeys(err) {
		t.Errorf("a new key: %v", err)
	}
	if err := verify(signer{other, jose.RS256, ""}.sign(t, claimsOf(nil))); !errors.As(err, &unknown) {
		t.Errorf("a new key without a name: %v", err)
	}
	if _, err := testClient().VerifyIDToken(testMetadata(), []byte("<html>"), good, Expect{}); !errors.As(err, &unknown) {
		t.Errorf("no keys: %v", err)
	}
}

func TestVerifyIDTokenFormat(t *testing.T) {
	jwks := jwksOf(t, rs256().jwk())
	for _, raw := range []string{"", ".", "..", "a.b.c", "a.b.c.d.e", strings.Repeat("a", 1<<16), `{"payload":"","signatures":[]}`} {
		_, err := testClient().VerifyIDToken(testMetadata(), jwks, NewSecret(raw), Expect{})
		checkRule(t, err, "format")
	}
	_, err := testClient().VerifyIDToken(testMetadata(), jwks, rs256().sign(t, []string{"no", "object"}), Expect{})
	checkRule(t, err, "format")
}

func FuzzVerifyIDToken(f *testing.F) {
	jwks := jwksOf(f, rs256().jwk(), es256().jwk())
	good := rs256().sign(f, claimsOf(nil)).Reveal()
	f.Add(good, jwks)
	f.Add("a.b.c", []byte(`{"keys":[]}`))
	f.Add("eyJhbGciOiJub25lIn0.e30.", []byte(`{"keys":[{"kty":"oct","k":"AA"}]}`))
	f.Fuzz(func(t *testing.T, raw string, keys []byte) {
		got, err := testClient().VerifyIDToken(testMetadata("RS256", "ES256"), jwks, NewSecret(raw), Expect{})
		if err == nil && (got.Subject == "" || got.Issuer != testIssuer || raw != good && strings.TrimSpace(raw) != good && got.Subject != "alice") {
			t.Fatalf("%q: %+v", raw, got)
		}
		var wrong *IDTokenError
		var unknown *UnknownKeyError
		if err != nil && !errors.As(err, &wrong) && !errors.As(err, &unknown) {
			t.Fatal(err)
		}
		_, _ = testClient().VerifyIDToken(testMetadata("RS256", "ES256"), keys, NewSecret(good), Expect{})
	})
}
