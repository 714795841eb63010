package oidcflow_test

import (
	"errors"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// An access token of another client in the answer does not fit the ID token's
// hash, OpenID Connect Core §3.1.3.8.
func TestAttackAccessTokenSubstitution(t *testing.T) {
	p, c, md := provider(t, oidctest.Options{Clients: []oidctest.Client{oidctest.DefaultClient, {ID: "other"}}})
	other := clientOf(t, p)
	other.ClientID = "other"
	stolen, _, err := signIn(t, p, other, md)
	if err != nil {
		t.Fatal(err)
	}
	p.Change(func(s *oidctest.Settings) { s.TokenResponse = map[string]any{"access_token": stolen.Access.Reveal()} })
	a := begin(t, c, md, nil)
	visit(t, "GET", a.address(answerOf(t, a.asked.String())), nil, nil)
	if err := a.wait(); rule(err) != "at_hash" || a.completed {
		t.Errorf("%v", err)
	}
}

// An ID token of another client, issuer or person, at the sign-in.
func TestAttackIDTokenSubstitution(t *testing.T) {
	p, c, md := provider(t, oidctest.Options{Clients: []oidctest.Client{oidctest.DefaultClient, {ID: "other"}}})
	for _, tc := range []struct {
		claims map[string]any
		rule   string
	}{
		{map[string]any{"aud": "other"}, "aud"},
		{map[string]any{"aud": []string{"other", "more"}}, "aud"},
		{map[string]any{"aud": []string{"oidc-cred", "other"}}, "azp"},
		{map[string]any{"aud": []string{"oidc-cred", "other"}, "azp": "other"}, "azp"},
		{map[string]any{"azp": "other"}, "azp"},
		{map[string]any{"iss": "https://evil.example"}, "iss"},
		{map[string]any{"iss": p.Issuer() + "/"}, "iss"},
		{map[string]any{"sub": ""}, "sub"},
		{map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}, "exp"},
		{map[string]any{"iat": time.Now().Add(time.Hour).Unix()}, "iat"},
		// go-oidc reads these for the real ones.
		{map[string]any{"Sub": "mallory"}, "format"},
		{map[string]any{"ſub": "mallory"}, "format"},
		{map[string]any{"NONCE": "x", "nonce": nil}, "format"},
		{map[string]any{"AT_HASH": "x"}, "format"},
	} {
		p.Change(func(s *oidctest.Settings) { s.IDTokenClaims = tc.claims })
		if _, _, err := signIn(t, p, c, md); rule(err) != tc.rule || !harmless(err.Error()) {
			t.Errorf("%v: %v", tc.claims, err)
		}
	}
}

// At a refresh, the ID token of another session, issuer or client, and one with
// another sign-in's nonce, OpenID Connect Core §12.2.
func TestAttackIDTokenOfAnotherSession(t *testing.T) {
	p, c, md := provider(t, oidctest.Options{})
	p.Change(func(s *oidctest.Settings) { s.Subject = "mallory" })
	others, _, err := signIn(t, p, c, md)
	if err != nil {
		t.Fatal(err)
	}
	p.Change(func(s *oidctest.Settings) { s.Subject = "" })
	tokens, claims, err := signIn(t, p, c, md)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := c.Keys(t.Context(), md)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		set  func(*oidctest.Settings)
		rule string
	}{
		{"another session's", func(s *oidctest.Settings) { s.TokenResponse = map[string]any{"id_token": others.ID.Reveal()} }, "sub"},
		{"another subject", func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"sub": "mallory"} }, "sub"},
		{"another issuer", func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"iss": "https://evil.example"} }, "iss"},
		{"another client", func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"aud": "other"} }, "aud"},
		{"another nonce", func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"nonce": "other"} }, "nonce"},
		{"another access token", func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"at_hash": "other"} }, "at_hash"},
		{"unsigned", func(s *oidctest.Settings) { s.Signature = oidctest.SignatureNone }, "alg"},
	} {
		p.Change(func(s *oidctest.Settings) {
			*s = oidctest.Settings{NoRotation: true}
			tc.set(s)
		})
		renewed, err := c.Refresh(t.Context(), md, tokens.Refresh)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		x := oidcflow.Expect{Subject: claims.Subject, AccessToken: renewed.Access, Refresh: true}
		if tc.rule == "nonce" {
			x.Nonce = "the nonce of the sign-in"
		}
		_, err = c.VerifyIDToken(md, keys, renewed.ID, x)
		if rule(err) != tc.rule {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// The ID token of an earlier sign-in of the same person and client, replayed in
// a later one: it has another nonce.
func TestAttackReplayOfAnIDToken(t *testing.T) {
	p, c, md := provider(t, oidctest.Options{})
	earlier, _, err := signIn(t, p, c, md)
	if err != nil {
		t.Fatal(err)
	}
	p.Change(func(s *oidctest.Settings) {
		s.TokenResponse = map[string]any{"id_token": earlier.ID.Reveal(), "access_token": earlier.Access.Reveal()}
	})
	if _, _, err := signIn(t, p, c, md); rule(err) != "nonce" {
		t.Errorf("%v", err)
	}
}

// Userinfo about somebody else, OpenID Connect Core §5.3.2.
func TestAttackUserInfoSubstitution(t *testing.T) {
	p, c, md := provider(t, oidctest.Options{})
	tokens, claims, err := signIn(t, p, c, md)
	if err != nil {
		t.Fatal(err)
	}
	for _, with := range []map[string]any{
		{"sub": "mallory"}, {"sub": nil}, {"sub": []string{"user-1"}}, {"sub": nil, "Sub": "user-1"}, {"sub": "USER-1"},
	} {
		p.Change(func(s *oidctest.Settings) { s.UserInfoClaims = with })
		var wrong *oidcflow.SubjectError
		if _, err := c.UserInfo(t.Context(), md, tokens.Access, claims.Subject); !errors.As(err, &wrong) {
			t.Errorf("%v: %v", with, err)
		}
	}
}

// An access token that could end a header line or a line of a protocol.
func TestAttackTokenWithControlCharacters(t *testing.T) {
	p, c, md := provider(t, oidctest.Options{Settings: oidctest.Settings{NoRotation: true}})
	tokens, _, err := signIn(t, p, c, md)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []any{"a\r\nX-Evil: 1", "a\nquit=1", "a\x00b", "a\x1b[31m", "é", "", nil, 5, []string{"a"}} {
		p.Change(func(s *oidctest.Settings) { s.TokenResponse = map[string]any{"access_token": bad} })
		if _, err := c.Refresh(t.Context(), md, tokens.Refresh); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
