package oidcflow

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

func TestGrants(t *testing.T) {
	subject := NewSecret("subject-token")
	for _, tc := range []struct {
		name string
		ask  func(*Client, *Metadata) (*Tokens, error)
		want url.Values
	}{
		{"client credentials", func(c *Client, md *Metadata) (*Tokens, error) {
			return c.ClientCredentials(t.Context(), md)
		}, url.Values{"grant_type": {"client_credentials"}}},
		{"JWT bearer", func(c *Client, md *Metadata) (*Tokens, error) {
			return c.JWTBearer(t.Context(), md, subject)
		}, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {"subject-token"}}},
		{"token exchange", func(c *Client, md *Metadata) (*Tokens, error) {
			return c.TokenExchange(t.Context(), md, ExchangeOptions{SubjectToken: subject})
		}, url.Values{
			"grant_type":    {"urn:ietf:params:oauth:grant-type:token-exchange"},
			"subject_token": {"subject-token"}, "subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
		}},
		{"token exchange, types", func(c *Client, md *Metadata) (*Tokens, error) {
			return c.TokenExchange(t.Context(), md, ExchangeOptions{SubjectToken: subject, SubjectTokenType: "id_token", RequestedTokenType: "urn:example:other"})
		}, url.Values{
			"grant_type":    {"urn:ietf:params:oauth:grant-type:token-exchange"},
			"subject_token": {"subject-token"}, "subject_token_type": {"urn:ietf:params:oauth:token-type:id_token"},
			"requested_token_type": {"urn:example:other"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t)
			f.on("/token", saysJSON(200, `{"access_token":"at-2","token_type":"Bearer","expires_in":60}`))
			c := f.client()
			c.Scopes, c.Audience, c.Resources = []string{"a", "b"}, "aud", []string{"https://a.example", "https://b.example"}
			got, err := tc.ask(c, f.metadata())
			if err != nil || got.Access.Reveal() != "at-2" || !got.Expiry.Equal(testNow.Add(time.Minute)) {
				t.Fatalf("%+v, %v", got, err)
			}
			tc.want["scope"], tc.want["audience"], tc.want["resource"] = []string{"a b"}, []string{"aud"}, c.Resources
			tc.want["client_id"] = []string{"the-client"} // a public client, RFC 6749 §3.2.1
			form, _ := f.last()
			for name, values := range tc.want {
				if !slices.Equal(form[name], values) {
					t.Errorf("%s is %q, want %q", name, form[name], values)
				}
			}
			if len(form) != len(tc.want) {
				t.Errorf("sent %v", form)
			}

			// With nothing set, nothing is sent; a confidential client says who it
			// is in its own way.
			c = f.client()
			c.Scopes, c.ClientSecret = nil, func(context.Context) (Secret, error) { return NewSecret("hush"), nil }
			if _, err := tc.ask(c, f.metadata()); err != nil {
				t.Fatal(err)
			}
			form, head := f.last()
			if form.Has("scope") || form.Has("audience") || form.Has("resource") || form.Has("client_id") || head.Get("Authorization") == "" {
				t.Errorf("sent %v", form)
			}

			f.on("/token", saysJSON(400, `{"error":"invalid_grant"}`))
			_, err = tc.ask(c, f.metadata())
			var answer *oauth2.RetrieveError
			if !errors.As(err, &answer) || answer.ErrorCode != "invalid_grant" {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestGrantsWithoutSubject(t *testing.T) {
	f := newFake(t)
	c, md := f.client(), f.metadata()
	_, bearer := c.JWTBearer(t.Context(), md, Secret{})
	_, exchange := c.TokenExchange(t.Context(), md, ExchangeOptions{})
	_, kind := c.TokenExchange(t.Context(), md, ExchangeOptions{SubjectToken: NewSecret("x"), SubjectTokenType: "id"})
	_, wanted := c.TokenExchange(t.Context(), md, ExchangeOptions{SubjectToken: NewSecret("x"), RequestedTokenType: "no type"})
	if bearer == nil || exchange == nil || kind == nil || wanted == nil || f.count("/token") != 0 {
		t.Errorf("%v, %v, %v, %v; %d requests", bearer, exchange, kind, wanted, f.count("/token"))
	}
}

// TestIssuedIDToken: whatever was issued is in access_token.
func TestIssuedIDToken(t *testing.T) {
	for _, tc := range []struct{ name, body, requested, id string }{
		{"issued", `{"access_token":"id.to.ken","token_type":"N_A","issued_token_type":"urn:ietf:params:oauth:token-type:id_token"}`, "", "id.to.ken"},
		{"issued, as Bearer", `{"access_token":"id.to.ken","token_type":"bearer","issued_token_type":"urn:ietf:params:oauth:token-type:id_token"}`, "", "id.to.ken"},
		{"besides", `{"access_token":"at","token_type":"Bearer","id_token":"id.to.ken","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`, "", "id.to.ken"},
		{"type left out", `{"access_token":"id.to.ken","token_type":"n_a"}`, "id_token", "id.to.ken"},
		{"another type", `{"access_token":"at","token_type":"N_A","issued_token_type":"urn:ietf:params:oauth:token-type:saml2"}`, "id_token", ""},
		{"access token", `{"access_token":"at","token_type":"Bearer"}`, "id_token", ""},
	} {
		f := newFake(t)
		f.on("/token", saysJSON(200, tc.body))
		got, err := f.client().TokenExchange(t.Context(), f.metadata(), ExchangeOptions{SubjectToken: NewSecret("s"), RequestedTokenType: tc.requested})
		if err != nil || got.ID.Reveal() != tc.id || got.Access.IsZero() {
			t.Errorf("%s: %q, %v", tc.name, got.ID.Reveal(), err)
		}
	}
}

func TestTokenTypeURI(t *testing.T) {
	for name, want := range map[string]string{
		"jwt": tokenTypePrefix + "jwt", "id_token": tokenTypePrefix + "id_token", "access_token": tokenTypePrefix + "access_token",
		"refresh_token": tokenTypePrefix + "refresh_token", "saml2": tokenTypePrefix + "saml2",
		"urn:x:y": "urn:x:y", "https://types.example/own": "https://types.example/own",
		"": "", "saml": "", "JWT": "", "a b": "", "urn:": "", "://": "", "\x1b": "",
	} {
		if got := TokenTypeURI(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// TestRefreshExpiry: no standard names the refresh token's lifetime.
func TestRefreshExpiry(t *testing.T) {
	for members, want := range map[string]time.Duration{
		`"refresh_expires_in":1800`: 30 * time.Minute, `"refresh_expires_in":"1800"`: 30 * time.Minute,
		`"refresh_token_expires_in":60.5`: 60*time.Second + 500*time.Millisecond, `"refresh_token_expires_in":" 60 "`: time.Minute,
		`"refresh_expires_in":0`: 0, `"refresh_expires_in":0,"refresh_token_expires_in":60`: time.Minute,
		`"refresh_expires_in":-1`: 0, `"refresh_expires_in":"never"`: 0, `"refresh_expires_in":null`: 0, `"refresh_expires_in":{}`: 0,
		`"Refresh_Expires_In":60`: 0, `"refresh_expires_in":1e99`: 0, `"x":1`: 0,
	} {
		got, err := answerOf(200, `{"access_token":"at","token_type":"Bearer",`+members+`}`).tokens("test", testNow)
		switch {
		case err != nil:
			t.Errorf("%s: %v", members, err)
		case want == 0 != got.RefreshExpiry.IsZero(), want != 0 && !got.RefreshExpiry.Equal(testNow.Add(want)):
			t.Errorf("%s: %s", members, got.RefreshExpiry)
		}
	}
}

func TestBound(t *testing.T) {
	for kind, want := range map[string]bool{"DPoP": true, "dpop": true, "DPOP": true, "Bearer": false, "N_A": false, "": false} {
		if got := (&Tokens{TokenType: kind}).Bound(); got != want {
			t.Errorf("%q: %v", kind, got)
		}
	}
}

func FuzzTokenTypeURI(f *testing.F) {
	for _, s := range []string{"jwt", "urn:x:y", "https://a/b", "::", "urn:\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if got := TokenTypeURI(name); got != "" && got != name && got != tokenTypePrefix+name {
			t.Fatalf("%q: %q", name, got)
		}
		_ = (object{"refresh_expires_in": json.RawMessage(name)}).refreshLifetime()
	})
}
