package oidcflow

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

func TestKeys(t *testing.T) {
	f := newFake(t)
	set := string(jwksOf(t, rs256().jwk()))
	f.on("/jwks", saysJSON(200, set))
	if got, err := f.client().Keys(t.Context(), f.metadata()); err != nil || string(got) != set {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"", "{}", "[]", `{"keys":{}}`, `{"keys":null}`, "<html>"} {
		f.on("/jwks", saysJSON(200, bad))
		_, err := f.client().Keys(t.Context(), f.metadata())
		var e *oauth2.RetrieveError
		if !errors.As(err, &e) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestCandidates(t *testing.T) {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	n := fmt.Sprintf(`"n":"%s","e":"AQAB"`, base64.RawURLEncoding.EncodeToString(rsaKey().N.Bytes()))
	for _, tc := range []struct {
		name     string
		keys     string
		kid, alg string
		want     int
	}{
		{"named", `{"kty":"RSA","kid":"a",` + n + `}`, "a", "RS256", 1},
		{"other name", `{"kty":"RSA","kid":"b",` + n + `}`, "a", "RS256", 0},
		{"without name in the set", `{"kty":"RSA",` + n + `}`, "a", "RS256", 0},
		{"without name in the token", `{"kty":"RSA","kid":"b",` + n + `}`, "", "RS256", 1},
		{"for encryption", `{"kty":"RSA","kid":"a","use":"enc",` + n + `}`, "a", "RS256", 0},
		{"for another algorithm", `{"kty":"RSA","kid":"a","alg":"RS512",` + n + `}`, "a", "RS256", 0},
		{"of another kind", `{"kty":"RSA","kid":"a",` + n + `}`, "a", "ES256", 0},
		{"symmetric", `{"kty":"oct","kid":"a","k":"AAAA"}`, "a", "RS256", 0},
		{"symmetric for HS256", `{"kty":"oct","kid":"a","k":"AAAA"}`, "a", "HS256", 0},
		{"unknown kind and a good one", `{"kty":"AKP","kid":"a"},5,{"kty":"RSA","kid":"a",` + n + `}`, "a", "RS256", 1},
		{"broken certificate", `{"kty":"RSA","kid":"a","x5c":["no certificate"],` + n + `}`, "a", "RS256", 1},
		{"broken number", `{"kty":"RSA","kid":"a","n":"!","e":"AQAB"}`, "a", "RS256", 0},
		{"huge", `{"kty":"RSA","kid":"a","n":"` + strings.Repeat("_", 4000) + `","e":"AQAB"}`, "a", "RS256", 0},
		{"not on the curve", `{"kty":"EC","kid":"a","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`, "a", "ES256", 0},
		{"Ed25519", `{"kty":"OKP","kid":"a","crv":"Ed25519","x":"` + base64.RawURLEncoding.EncodeToString(public) + `"}`, "a", "EdDSA", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := candidates([]byte(`{"keys":[`+tc.keys+`]}`), tc.kid, tc.alg); len(got) != tc.want {
				t.Errorf("%d keys, want %d", len(got), tc.want)
			}
		})
	}
	if candidates([]byte("<html>"), "", "RS256") != nil {
		t.Error("keys out of HTML")
	}
}

// A provider with very many keys does not keep us busy.
func TestTenThousandKeys(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"keys":[`)
	for i := range 10000 {
		fmt.Fprintf(&b, `{"kty":"EC","kid":"k%d","crv":"P-256","x":"","y":""},`, i)
	}
	other := rs256()
	for range 200 {
		jwk := other.jwk()
		jwk.KeyID = ""
		raw, err := jwk.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		b.Write(raw)
		b.WriteString(",")
	}
	b.WriteString(`{}]}`)
	jwks := []byte(b.String())
	if len(jwks) > maxAnswer {
		t.Fatal("the test's set is too large")
	}
	c := &Client{ClientID: "the-client", Now: func() time.Time { return testNow }}
	md := &Metadata{Issuer: "https://id.example.com", IDTokenSigningAlgs: []string{"RS256", "ES256"}}
	start := time.Now()
	for _, s := range []signer{{rsaKey(), "RS256", ""}, {ecKey(), "ES256", "k1"}, {ecKey(), "ES256", ""}} {
		s.sign(t, claimsOf(nil))
		_, _ = c.VerifyIDToken(md, jwks, s.sign(t, claimsOf(nil)), Expect{})
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	if got := candidates(jwks, "", "RS256"); len(got) != maxKeysTried {
		t.Errorf("%d keys would be tried", len(got))
	}
}
