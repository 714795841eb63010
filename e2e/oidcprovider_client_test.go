package e2e

import (
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// throughout signs in, refreshes and signs out, and gives the calls that the
// client had to authenticate at.
func (w *world) throughout(t *testing.T, c *harness.CLI) []harness.Call {
	t.Helper()
	mark := w.mark(t)
	quickly(t, c)
	c.OK(t, "token", "--force-refresh")
	c.OK(t, "logout")
	var calls []harness.Call
	for _, route := range []string{"pushed_authorization_request", "token", "revocation"} {
		found := w.since(t, mark, route)
		if len(found) == 0 {
			t.Errorf("nothing arrived at the %s endpoint", route)
		}
		for _, call := range found {
			if call.Status >= 300 {
				t.Errorf("%s: %+v", route, call)
			}
		}
		calls = append(calls, found...)
	}
	return calls
}

func (w *world) authenticates(t *testing.T, c *harness.CLI, method string) {
	t.Helper()
	for _, call := range w.throughout(t, c) {
		if call.Auth != method {
			t.Errorf("%s: the client authenticated with %s", call.Route, call.Auth)
		}
	}
}

func testClientSecretBasic(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ConfidentialID, "client_secret_env: WORK_SECRET")
	c.Set("WORK_SECRET", harness.ConfidentialSecret)
	w.authenticates(t, c, "client_secret_basic")
	t.Run("keychain", func(t *testing.T) {
		c := w.client(t, "plain", harness.ConfidentialID)
		browser := harness.NewBrowser(t, harness.BrowserOptions{Quick: true})
		c.Set("BROWSER", browser.Program)
		mark := w.mark(t)
		r := c.Program(t, harness.Input{Stdin: harness.ConfidentialSecret + "\n"}, harness.Binary, "login", "--client-secret-keychain", "--timeout-sign-in", "20s")
		if r.Code != 0 {
			t.Fatalf("exit %d: %s", r.Code, r.Stderr)
		}
		c.OK(t, "token", "--force-refresh")
		for _, call := range w.since(t, mark, "token") {
			if call.Auth != "client_secret_basic" {
				t.Errorf("token endpoint: %+v", call)
			}
		}
		noSecretsInClear(t, c.Home, harness.ConfidentialSecret)
	})
	// A wrong one.
	c.Set("WORK_SECRET", "guess")
	browser := harness.NewBrowser(t, harness.BrowserOptions{Quick: true})
	c.Set("BROWSER", browser.Program)
	if r := c.Run(t, "login", "--timeout-sign-in", "20s"); r.Code == 0 || !strings.Contains(r.Stderr, "invalid_client") || strings.Contains(r.Stderr, "guess") {
		t.Errorf("exit %d: %s", r.Code, r.Stderr)
	}
}

func testClientSecretPost(t *testing.T, w *world) {
	c := w.client(t, "plain", "secret-post", "client_secret_env: WORK_SECRET", "token_endpoint_auth_method: client_secret_post")
	c.Set("WORK_SECRET", harness.ConfidentialSecret)
	w.authenticates(t, c, "client_secret_post")
}

func testPrivateKeyRS256(t *testing.T, w *world) {
	w.withKey(t, w.client(t, "plain", "key-rs256", "client_key_file: "+w.keys.RS256), "RS256", "", w.Issuer)
	// The same with a JWK that says which key and algorithm it is.
	t.Run("ps256-jwk", func(t *testing.T) {
		w.withKey(t, w.client(t, "plain", "key-ps256", "client_key_file: "+w.keys.PS256), "PS256", harness.PS256KeyID, w.Issuer)
	})
}

func testPrivateKeyES256(t *testing.T, w *world) {
	c := w.client(t, "plain", "key-es256",
		"client_key_file: "+w.keys.ES256, "token_endpoint_auth_method: private_key_jwt", "client_assertion_audience: token_endpoint")
	w.withKey(t, c, "ES256", "", w.Issuer+"/token")
}

// withKey checks RFC 7523 3: each request has an assertion of its own, which the
// provider takes once.
func (w *world) withKey(t *testing.T, c *harness.CLI, alg, kid, audience string) {
	t.Helper()
	for _, call := range w.throughout(t, c) {
		if call.Auth != "private_key_jwt" || call.Assertion == nil || call.Assertion.Alg != alg || call.Assertion.KID != kid || call.Assertion.Aud != audience {
			t.Errorf("%s: %s, assertion %+v", call.Route, call.Auth, call.Assertion)
		}
	}
}

// RFC 8705: the client is its certificate, and so are its tokens. The endpoints
// that ask for one have a port of their own (5).
func testMutualTLS(t *testing.T, w *world) {
	cert := w.keys.Certificate
	for client, method := range map[string]string{"mtls-ca": "tls_client_auth", "mtls-self-signed": "self_signed_tls_client_auth"} {
		t.Run(method, func(t *testing.T) {
			c := w.client(t, "tls", client, "token_endpoint_auth_method: "+method,
				"client_certificate_file: "+cert.CertFile, "client_certificate_key_file: "+cert.KeyFile)
			mark := w.mark(t)
			quickly(t, c)
			token, _ := c.Token(t)
			if about := w.introspect(t, token); !about.Active || about.Bound.Certificate == "" {
				t.Errorf("introspection %+v", about)
			}
			fresh, _ := c.Token(t, "--force-refresh")
			if about := w.introspect(t, fresh); !about.Active || about.Bound.Certificate == "" {
				t.Errorf("after the refresh: introspection %+v", about)
			}
			c.OK(t, "logout")
			if w.introspect(t, fresh).Active {
				t.Error("the access token still works")
			}
			for _, route := range []string{"pushed_authorization_request", "token", "revocation"} {
				for _, call := range w.since(t, mark, route) {
					if call.Auth != method || call.Certificate != "CN=client.example.test" || call.Status >= 300 || strings.HasSuffix(call.Issuer, call.Host) {
						t.Errorf("%s: %+v", route, call)
					}
				}
			}
		})
	}
	t.Run("wrong-certificate", func(t *testing.T) { testWrongCertificate(t, w) })
}

// A certificate that the provider does not know is a matter for who set it up.
func testWrongCertificate(t *testing.T, w *world) {
	t.Helper()
	c := w.client(t, "tls", "mtls-ca", "token_endpoint_auth_method: tls_client_auth",
		"client_certificate_file: "+w.cert.CertFile, "client_certificate_key_file: "+w.cert.KeyFile)
	browser := harness.NewBrowser(t, harness.BrowserOptions{Quick: true, TrustAny: true})
	c.Set("BROWSER", browser.Program)
	if r := c.Fails(t, 3, "login", "--timeout-sign-in", "20s"); !strings.Contains(r.Stderr, "invalid_client") {
		t.Errorf("stderr %q", r.Stderr)
	}
}

// RFC 9449: the tokens are bound to a key that only this session has.
func testDPoP(t *testing.T, w *world) {
	for name, how := range map[string]struct{ client, setting string }{
		"always":   {harness.ClientID, "always"},
		"required": {"dpop", "always"},
		"auto":     {"dpop", "auto"}, // this client's tokens have to be bound
	} {
		t.Run(name, func(t *testing.T) {
			c := w.client(t, "plain", how.client, "dpop: "+how.setting)
			mark := w.mark(t)
			quickly(t, c)
			first, _ := c.Token(t)
			about := w.introspect(t, first)
			if !about.Active || about.TokenType != "DPoP" || about.Bound.Key == "" {
				t.Errorf("introspection %+v", about)
			}
			// The refresh token of a public client is bound as well (5).
			second, _ := c.Token(t, "--force-refresh")
			if again := w.introspect(t, second); again.Bound.Key != about.Bound.Key || second.Token == first.Token {
				t.Errorf("after the refresh: introspection %+v, key %s before", again, about.Bound.Key)
			}
			for _, call := range w.since(t, mark, "token") {
				demanded := how.setting == "auto" && call.Error != "" // the first, without a proof
				if !demanded && (call.Proof == nil || call.Proof.Alg != "ES256" || call.Status != 200) {
					t.Errorf("token endpoint: %+v", call)
				}
			}
			// Other programs can't use it, so it is not printed for them.
			if r := c.Fails(t, 2, "token"); !strings.Contains(r.Stderr, "DPoP") {
				t.Errorf("stderr %q", r.Stderr)
			}
			if status := c.Status(t); status.Token == nil || !status.Token.Bound {
				t.Errorf("status %+v", status)
			}
			c.OK(t, "logout")
			if w.introspect(t, second).Active {
				t.Error("the access token still works")
			}
		})
	}
}

// The provider wants a nonce of its own in each proof (8). It is asked once for
// each process, not once more for each request.
func testDPoPNonce(t *testing.T, w *world) {
	c := w.client(t, "strict", harness.ClientID, "dpop: always")
	mark := w.mark(t)
	quickly(t, c)
	token, _ := c.Token(t, "--force-refresh")
	if about := w.introspect(t, token); about.TokenType != "DPoP" {
		t.Errorf("introspection %+v", about)
	}
	calls := w.since(t, mark, "token")
	granted := 0
	for _, call := range calls {
		switch {
		case call.Error == "use_dpop_nonce" && !call.Proof.Nonce:
		case call.Status == 200 && call.Proof.Nonce:
			granted++
		default:
			t.Errorf("token endpoint: %+v", call)
		}
	}
	if granted != 2 || len(calls) > 4 {
		t.Errorf("%d calls, %d granted", len(calls), granted)
	}
	if call := w.last(t, mark, "userinfo"); call.Status != 200 || call.Proof == nil || !call.Proof.Ath {
		t.Errorf("userinfo: %+v", call)
	}
	c.OK(t, "logout")
}
