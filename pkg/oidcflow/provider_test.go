package oidcflow_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// clientOf is a client of the provider as the program makes it: with its own
// HTTP client and the provider's authority in a ca_file.
func clientOf(t *testing.T, p *oidctest.Provider) *oidcflow.Client {
	t.Helper()
	o := oidcflow.HTTPOptions{UserAgent: "oidc-cred/test"}
	if ca := p.CA(); ca != nil {
		o.CAFile = filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(o.CAFile, ca, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	client, err := oidcflow.NewHTTPClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return &oidcflow.Client{
		Issuer: p.Issuer(), ClientID: "oidc-cred", HTTP: client,
		Scopes: []string{"openid", "profile", "email", "offline_access"},
	}
}

// signIn signs in with a browser and gives the verified tokens.
func signIn(t *testing.T, p *oidctest.Provider, c *oidcflow.Client, md *oidcflow.Metadata) (*oidcflow.Tokens, *oidcflow.IDClaims, error) {
	t.Helper()
	var got *oidcflow.Tokens
	var claims *oidcflow.IDClaims
	err := c.SignIn(t.Context(), md, oidcflow.SignInOptions{
		Open:    oidctest.Browser(p.HTTPClient()),
		Timeout: 10 * time.Second,
		Complete: func(ctx context.Context, tokens *oidcflow.Tokens, nonce string) error {
			keys, err := c.Keys(ctx, md)
			if err != nil {
				return err
			}
			got = tokens
			claims, err = c.VerifyIDToken(md, keys, tokens.ID, oidcflow.Expect{Nonce: nonce, AccessToken: tokens.Access})
			return err
		},
	})
	return got, claims, err
}

// A session from the sign-in to its end, over https and http, with both
// algorithms.
func TestSession(t *testing.T) {
	for _, o := range []oidctest.Options{
		{}, {Algorithm: "ES256", Path: "/realms/demo"}, {TLS: oidctest.TLSValid},
		{Clients: []oidctest.Client{{ID: "oidc-cred", Secret: "s e:c", Auth: "client_secret_basic"}}},
		{Clients: []oidctest.Client{{ID: "oidc-cred", Secret: "s e:c", Auth: "client_secret_post"}}},
	} {
		p := oidctest.New(o)
		t.Cleanup(p.Close)
		c := clientOf(t, p)
		if len(o.Clients) > 0 {
			c.ClientSecret = func(context.Context) (oidcflow.Secret, error) { return oidcflow.NewSecret(o.Clients[0].Secret), nil }
			if o.Clients[0].Auth == "client_secret_post" {
				p.Change(func(s *oidctest.Settings) {
					s.Metadata = map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}}
				})
			}
		}
		md, err := c.Discover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		tokens, claims, err := signIn(t, p, c, md)
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		if _, err := c.UserInfo(t.Context(), md, tokens.Access, claims.Subject); err != nil {
			t.Error(err)
		}
		renewed, err := c.Refresh(t.Context(), md, tokens.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		if renewed.Refresh.IsZero() || renewed.Refresh.Equal(tokens.Refresh) || renewed.Access.Equal(tokens.Access) || renewed.Expiry.IsZero() {
			t.Errorf("%+v", renewed)
		}
		keys, err := c.Keys(t.Context(), md)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.VerifyIDToken(md, keys, renewed.ID, oidcflow.Expect{Subject: claims.Subject, AccessToken: renewed.Access, Refresh: true}); err != nil {
			t.Error(err)
		}
		for hint, token := range map[string]oidcflow.Secret{"refresh_token": renewed.Refresh, "access_token": renewed.Access} {
			if err := c.Revoke(t.Context(), md, token, hint); err != nil {
				t.Error(err)
			}
			if p.Active(token.Reveal()) {
				t.Errorf("the %s is good after its revocation", hint)
			}
		}
		if p.Reused() != 0 || p.Count(oidctest.TokenEndpoint) != 2 {
			t.Errorf("%d token requests, %d reuses", p.Count(oidctest.TokenEndpoint), p.Reused())
		}
	}
}

// What goes wrong has no secret in its text, whatever the provider answers.
func TestFaults(t *testing.T) {
	p := oidctest.New(oidctest.Options{})
	t.Cleanup(p.Close)
	c := clientOf(t, p)
	md, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tokens, _, err := signIn(t, p, c, md)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		name   string
		fault  oidctest.Fault
		answer bool // it is an oauth2.RetrieveError
	}{
		{"503", oidctest.Status(503).RetryAfter("7"), true},
		{"429", oidctest.Status(429), true},
		{"511", oidctest.HTML(511), true},
		{"portal", oidctest.HTML(200), true},
		{"portal redirect", oidctest.HTML(302), true},
		{"redirect", oidctest.Redirect(p.URL(oidctest.UserInfoEndpoint)), true},
		{"empty", oidctest.Empty(), true},
		{"empty object", oidctest.EmptyObject(), true},
		{"no content", oidctest.NoContent(), true},
		{"truncated", oidctest.Truncated(), true},
		{"oversized", oidctest.Oversized(2 << 20), true},
		{"refused", oidctest.OAuthError(400, "invalid_grant", "spent"), true},
		{"reset", oidctest.Reset(), false},
		{"reset in the body", oidctest.ResetMidBody(), false},
		{"cut off", oidctest.CutOff(), false},
		{"silence", oidctest.Hold(), false},
		{"half an answer", oidctest.Stall(), false},
	} {
		p.Set(oidctest.TokenEndpoint, f.fault)
		p.ResetCounts()
		c.HTTP.CloseIdleConnections()
		c.Timeout = 0
		if f.fault.Kind == oidctest.FaultHold || f.fault.Kind == oidctest.FaultStall {
			c.Timeout = 100 * time.Millisecond
		}
		_, err := c.Refresh(t.Context(), md, tokens.Refresh)
		var answer *oauth2.RetrieveError
		if err == nil || errors.As(err, &answer) != f.answer {
			t.Errorf("%s: %v", f.name, err)
			continue
		}
		if n := p.Count(oidctest.TokenEndpoint); n != 1 {
			t.Errorf("%s: sent %d times", f.name, n)
		}
		for _, secret := range p.Secrets() {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: a secret in %q", f.name, err)
			}
		}
		p.Clear()
	}
	p.Down()
	if _, err := c.Refresh(t.Context(), md, tokens.Refresh); err == nil {
		t.Error("a refresh while the provider is down")
	}
	p.Up()
	if _, _, err := signIn(t, p, c, md); err != nil { // some faults spent the refresh token
		t.Errorf("after all that: %v", err)
	}
}

// Wrong ID tokens never get as far as a success.
func TestSignInWrongIDToken(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*oidctest.Settings)
		rule   string // "": an unknown key
	}{
		{"wrong signature", func(s *oidctest.Settings) { s.Signature = oidctest.SignatureWrong }, "signature"},
		{"unknown key", func(s *oidctest.Settings) { s.Signature = oidctest.SignatureUnknownKey }, ""},
		{"none", func(s *oidctest.Settings) { s.Signature = oidctest.SignatureNone }, "alg"},
		{"HMAC with the public key", func(s *oidctest.Settings) { s.Signature = oidctest.SignatureHMAC }, "alg"},
		{"issuer", func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"iss": "https://evil.example"} }, "iss"},
		{"nonce", func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"nonce": "other"} }, "nonce"},
		{"at_hash", func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{"at_hash": "other"} }, "at_hash"},
		{"missing", func(s *oidctest.Settings) { s.NoIDToken = true }, "missing"},
	} {
		p := oidctest.New(oidctest.Options{})
		c := clientOf(t, p)
		p.Change(tc.change)
		md, err := c.Discover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = signIn(t, p, c, md)
		var wrong *oidcflow.IDTokenError
		var unknown *oidcflow.UnknownKeyError
		if tc.rule == "" && !errors.As(err, &unknown) || tc.rule != "" && (!errors.As(err, &wrong) || wrong.Rule != tc.rule) {
			t.Errorf("%s: %v", tc.name, err)
		}
		p.Close()
	}
}

// No request reaches a server with the wrong certificate.
func TestWrongCertificate(t *testing.T) {
	p := oidctest.New(oidctest.Options{TLS: oidctest.TLSValid})
	t.Cleanup(p.Close)
	c := clientOf(t, p)
	md, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []oidctest.TLSMode{oidctest.TLSExpired, oidctest.TLSUnknownCA, oidctest.TLSWrongHost} {
		p.SetTLS(mode)
		p.ResetCounts()
		c.HTTP.CloseIdleConnections()
		if _, err := c.Refresh(t.Context(), md, oidcflow.NewSecret("rt")); err == nil || p.Count(oidctest.AnyEndpoint) != 0 {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

func TestDevice(t *testing.T) {
	p := oidctest.New(oidctest.Options{Settings: oidctest.Settings{DeviceApproveAfter: 3}})
	t.Cleanup(p.Close)
	c := clientOf(t, p)
	md, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := c.DeviceSignIn(t.Context(), md, oidcflow.DeviceOptions{
		Prompt: func(d oidcflow.DevicePrompt) error {
			if d.UserCode == "" || d.CompleteURI == "" {
				t.Errorf("%+v", d)
			}
			return nil
		},
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil || !p.Active(tokens.Access.Reveal()) {
		t.Fatalf("%v", err)
	}
	_, err = c.DeviceSignIn(t.Context(), md, oidcflow.DeviceOptions{
		Prompt: func(d oidcflow.DevicePrompt) error { p.Deny(d.UserCode); return nil },
		Wait:   func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	var refused *oidcflow.AuthorizationError
	if !errors.As(err, &refused) || refused.Code != "access_denied" {
		t.Errorf("%v", err)
	}
}
