package oidcflow

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func secretOf(text string) func(context.Context) (Secret, error) {
	return func(context.Context) (Secret, error) { return NewSecret(text), nil }
}

func keyOf(k *ClientKey, err error) func(context.Context) (*ClientKey, error) {
	return func(context.Context) (*ClientKey, error) { return k, err }
}

// authenticated says how the last request was authenticated.
func authenticated(f *fake) string {
	form, header := f.last()
	switch {
	case form.Has("client_assertion"):
		return authPrivateKey
	case form.Has("client_secret"):
		return authPost
	case header.Get("Authorization") != "":
		return authBasic
	case form.Get("client_id") != "":
		return "client_id alone"
	}
	return "nothing"
}

func TestAuthMethod(t *testing.T) {
	ec := keyOf(&ClientKey{Signer: ecKey()}, nil)
	secret := secretOf("hush")
	for _, tc := range []struct {
		name   string
		client Client
		listed []string
		want   string
	}{
		{"public", Client{}, nil, "client_id alone"},
		{"public, whatever is listed", Client{AuthMethod: "auto"}, []string{authBasic}, "client_id alone"},
		{"secret", Client{ClientSecret: secret}, nil, authBasic},
		{"secret, both", Client{ClientSecret: secret}, []string{authPost, authBasic}, authBasic},
		{"secret, post alone", Client{ClientSecret: secret}, []string{authPost, authNone}, authPost},
		{"key before secret", Client{ClientSecret: secret, ClientKey: ec}, []string{authBasic}, authPrivateKey},
		{"certificate", Client{MutualTLS: true}, []string{authBasic, authTLS}, "client_id alone"},
		{"secret and certificate", Client{MutualTLS: true, ClientSecret: secret}, []string{authBasic, authTLS}, authBasic},
		{"post by name", Client{AuthMethod: authPost, ClientSecret: secret}, []string{authBasic}, authPost},
		{"basic by name", Client{AuthMethod: authBasic, ClientSecret: secret, ClientKey: ec}, []string{authPost}, authBasic},
		{"key by name", Client{AuthMethod: authPrivateKey, ClientSecret: secret, ClientKey: ec}, []string{authPost}, authPrivateKey},
		{"none by name", Client{AuthMethod: authNone, ClientSecret: secret, ClientKey: ec}, []string{authPost}, "client_id alone"},
		{"certificate by name", Client{AuthMethod: authTLS, ClientSecret: secret, MutualTLS: true}, nil, "client_id alone"},
		{"self-signed by name", Client{AuthMethod: authSelfSignedTLS, MutualTLS: true}, nil, "client_id alone"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t)
			f.on("/token", saysJSON(200, tokenBody("")))
			f.on("/revoke", saysJSON(200, ""))
			f.on("/device", saysJSON(200, `{"device_code":"d","user_code":"u","verification_uri":"https://id.example.com/d","expires_in":60}`))
			f.on("/par", saysJSON(201, `{"request_uri":"urn:ietf:params:oauth:request_uri:1","expires_in":60}`))
			md := f.metadata()
			md.TokenEndpointAuthMethods = tc.listed
			md.PushedAuthorizationRequestEndpoint = f.URL + "/par"
			c := tc.client
			c.Issuer, c.ClientID, c.HTTP = f.URL, "the-client", f.Client()
			check := func(operation string, err error) {
				t.Helper()
				if got := authenticated(f); err != nil || got != tc.want {
					t.Errorf("%s: %s, want %s, %v", operation, got, tc.want, err)
				}
			}
			_, err := c.Refresh(t.Context(), md, NewSecret("rt"))
			check("token", err)
			check("revocation", c.Revoke(t.Context(), md, NewSecret("rt"), ""))
			_, err = c.authorizeDevice(t.Context(), md, testNow)
			check("device", err)
			_, err = c.push(t.Context(), md, url.Values{"client_id": {"the-client"}})
			check("pushed request", err)
		})
	}
}

func TestAuthMethodIsMissingSomething(t *testing.T) {
	for _, tc := range []struct {
		name   string
		client Client
		says   string
		hint   string
	}{
		{"no key", Client{AuthMethod: authPrivateKey}, "private_key_jwt needs a private key", "client_key_file"},
		{"no secret", Client{AuthMethod: authPost}, "client_secret_post needs a client secret", "client_secret"},
		{"no certificate", Client{AuthMethod: authTLS}, "tls_client_auth needs a certificate", "client_certificate_file"},
		{"unknown", Client{AuthMethod: "client_secret_jwt"}, `"client_secret_jwt" is not supported`, "private_key_jwt"},
		{"the key file is broken", Client{ClientKey: keyOf(ParseClientKey([]byte("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"), "", ""))}, "public key", ""},
		{"the key file is missing", Client{ClientKey: keyOf(nil, errors.New("no such file"))}, "no such file", ""},
		{"the key is nil", Client{ClientKey: keyOf(nil, nil)}, "no private key", ""},
		{"a key that does not fit", Client{ClientKey: keyOf(&ClientKey{Signer: ecKey(), Algorithm: "RS256"}, nil)}, "RS256", "ES256"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t)
			c := tc.client
			c.Issuer, c.ClientID, c.HTTP = f.URL, "the-client", f.Client()
			_, err := c.Refresh(t.Context(), f.metadata(), NewSecret("rt"))
			var local interface {
				Configuration() bool
				Hint() string
			}
			if !errors.As(err, &local) || !local.Configuration() || !strings.Contains(err.Error(), tc.says) || !strings.Contains(local.Hint(), tc.hint) {
				t.Fatalf("%v", err)
			}
			if f.count("/token") != 0 {
				t.Error("a request was sent")
			}
		})
	}
}

// The caller gave up while the key was fetched: that is no mistake in the
// configuration.
func TestAssertionWhenTheCallerGaveUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := &Client{ClientKey: func(context.Context) (*ClientKey, error) { cancel(); return nil, errors.New("broken off") }}
	_, err := c.assertion(ctx, &Metadata{})
	if _, local := err.(interface{ Configuration() bool }); local || !errors.Is(err, context.Canceled) { //nolint:errorlint // the error itself
		t.Errorf("%v", err)
	}
}

func TestAssertion(t *testing.T) {
	for _, tc := range []struct {
		name     string
		key      ClientKey
		listed   []string
		audience string
		alg, aud string
	}{
		{"RSA", ClientKey{Signer: rsaKey(), ID: "k1"}, nil, "", "RS256", "the issuer"},
		{"RSA where PS256 alone is listed", ClientKey{Signer: rsaKey()}, []string{"ES256", "PS256"}, "", "PS256", "the issuer"},
		{"RSA with a certificate", ClientKey{Signer: rsaKey(), Algorithm: "PS256", Thumbprint: "abc"}, nil, "", "PS256", "the issuer"},
		{"RSA with PS256", ClientKey{Signer: rsaKey(), Algorithm: "PS256"}, []string{"RS256", "PS256"}, "", "PS256", "the issuer"},
		{"P-256, token endpoint", ClientKey{Signer: ecKey()}, nil, "token_endpoint", "ES256", "the token endpoint"},
		{"P-384, text", ClientKey{Signer: p384Key()}, []string{"RS256", "ES384"}, "https://aud.example", "ES384", "https://aud.example"},
		{"Ed25519", ClientKey{Signer: edKey()}, nil, "", "EdDSA", "the issuer"},
		{"a key that stays where it is", ClientKey{Signer: struct{ *opaque }{&opaque{}}, ID: "card"}, nil, "", "ES256", "the issuer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t)
			f.on("/token", saysJSON(200, tokenBody("")))
			md := f.metadata()
			md.TokenEndpointAuthSigningAlgs = tc.listed
			c := f.client()
			c.ClientKey, c.AssertionAudience = keyOf(&tc.key, nil), tc.audience
			seen := map[string]bool{}
			for range 2 {
				if _, err := c.Refresh(t.Context(), md, NewSecret("rt")); err != nil {
					t.Fatal(err)
				}
				form, header := f.last()
				if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" ||
					form.Get("client_id") != "the-client" || header.Get("Authorization") != "" || form.Has("client_secret") {
					t.Errorf("%v", form)
				}
				jws, err := jose.ParseSignedCompact(form.Get("client_assertion"), asymmetricAlgs())
				if err != nil {
					t.Fatal(err)
				}
				payload, err := jws.Verify(tc.key.Signer.Public())
				if err != nil {
					t.Fatal(err)
				}
				h := jws.Signatures[0].Protected
				thumbprint, _ := h.ExtraHeaders["x5t#S256"].(string)
				if h.Algorithm != tc.alg || h.KeyID != tc.key.ID || h.JSONWebKey != nil || thumbprint != tc.key.Thumbprint {
					t.Errorf("%+v", h)
				}
				var claims struct {
					Iss, Sub, Aud, Jti string
					Iat, Exp           int64
				}
				if err := json.Unmarshal(payload, &claims); err != nil {
					t.Fatal(err)
				}
				want := map[string]string{"the issuer": f.URL, "the token endpoint": f.URL + "/token"}[tc.aud]
				if want == "" {
					want = tc.aud
				}
				if claims.Iss != "the-client" || claims.Sub != "the-client" || claims.Aud != want ||
					claims.Iat != testNow.Add(-behind).Unix() || claims.Exp != testNow.Add(2*time.Minute).Unix() {
					t.Errorf("%+v", claims)
				}
				if len(claims.Jti) < 20 || seen[claims.Jti] {
					t.Errorf("jti %q", claims.Jti)
				}
				seen[claims.Jti] = true
			}
		})
	}
}

func TestAssertionAlgorithmNotListed(t *testing.T) {
	for _, key := range []ClientKey{{Signer: ecKey()}, {Signer: rsaKey(), Algorithm: "PS256"}} {
		f := newFake(t)
		md := f.metadata()
		md.TokenEndpointAuthSigningAlgs = []string{"RS256", "ES384"}
		c := f.client()
		c.ClientKey = keyOf(&key, nil)
		if _, err := c.Refresh(t.Context(), md, NewSecret("rt")); err == nil || !strings.Contains(err.Error(), "RS256, ES384") || f.count("/token") != 0 {
			t.Errorf("%v", err)
		}
	}
}

// RFC 6749 §2.3.1 wants both halves of the header form-encoded.
func TestBasicEncoding(t *testing.T) {
	f := newFake(t)
	f.on("/token", saysJSON(200, tokenBody("")))
	c := f.client()
	c.ClientID, c.ClientSecret = "a:b", secretOf("ü %+")
	if _, err := c.Refresh(t.Context(), f.metadata(), NewSecret("rt")); err != nil {
		t.Fatal(err)
	}
	_, header := f.last()
	if got, want := header.Get("Authorization"), "Basic "+base64.StdEncoding.EncodeToString([]byte("a%3Ab:%C3%BC+%25%2B")); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
