package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/e2e/matrix"
)

// api is a resource server that the provider has JWTs for.
const api = "https://api.example.test"

// TestOIDCProvider goes through what the program can do with a provider, one
// feature a subtest, against the npm package oidc-provider. The names are those
// of the matrix of providers and features.
func TestOIDCProvider(t *testing.T) {
	w := newWorld(t)
	for _, feature := range []struct {
		name string
		test func(*testing.T, *world)
	}{
		{"code", testCode},
		{"pkce", testPKCE},
		{"browser", testBrowser},
		{"device", testDevice},
		{"device-complete-uri", testDeviceCompleteURI},
		{"no-browser-paste", testPaste},
		{"refresh", testRefresh},
		{"rotation", testRotation},
		{"reuse-detection", testReuseDetection},
		{"offline", testOffline},
		{"forced-sign-out", testForcedSignOut},
		{"revocation", testRevocation},
		{"end-session", testEndSession},
		{"iss", testIss},
		{"par-offered", testPAROffered},
		{"par-required", testPARRequired},
		{"form-post", testFormPost},
		{"dpop", testDPoP},
		{"dpop-nonce", testDPoPNonce},
		{"mtls", testMutualTLS},
		{"private-key-jwt-rs256", testPrivateKeyRS256},
		{"private-key-jwt-es256", testPrivateKeyES256},
		{"client-secret-basic", testClientSecretBasic},
		{"client-secret-post", testClientSecretPost},
		{"resource-jwt", testResourceJWT},
		{"audience", testAudience},
		{"opaque-access-token", testOpaqueAccessToken},
		{"max-age", testMaxAge},
		{"acr", testACR},
		{"claims", testClaims},
		{"prompt", testPrompt},
		{"login-hint", testLoginHint},
		{"client-credentials", testClientCredentials},
		{"jwt-bearer", testJWTBearer},
		{"token-exchange", testTokenExchange},
		{"no-refresh-token", testNoRefreshToken},
		{"narrower-scopes", testNarrowerScopes},
		{"refresh-lifetime", testRefreshLifetime},
		{"userinfo", testUserInfo},
		{"ipv6", testIPv6},
		{"tls-ca-file", testTLSCAFile},
	} {
		matrix.Run(t, feature.name, func(t *testing.T) { feature.test(t, w) })
	}
}

// shortTTL is how long refresh tokens of the client short-lived live.
const shortTTL = 5 * time.Second

// world is one provider for all the features, with four issuers.
type world struct {
	*harness.Provider
	keys *harness.ClientKeys
	ci   *harness.TokenSource
	cert *harness.Certificate
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{keys: harness.NewClientKeys(t), ci: harness.NewTokenSource(t), cert: harness.NewCertificate(t)}
	w.Provider = harness.StartProvider(t, harness.ProviderOptions{
		Issuers: []string{"plain", "ipv6", "strict", "tls"}, Cert: w.cert, Clients: w.keys, Trusted: w.ci, ShortTTL: shortTTL,
	})
	return w
}

// client is a program with a profile for one of the issuers and clients. The
// settings are lines of YAML. It asks for consent unless they have auth_params.
func (w *world) client(t *testing.T, issuer, client string, settings ...string) *harness.CLI {
	t.Helper()
	c := harness.NewCLI(t)
	w.configure(t, c, issuer, client, settings...)
	return c
}

func (w *world) configure(t *testing.T, c *harness.CLI, issuer, client string, settings ...string) {
	t.Helper()
	if !slices.ContainsFunc(settings, func(s string) bool {
		return strings.HasPrefix(s, "auth_params:") || strings.HasPrefix(s, "grant:")
	}) {
		settings = append(settings, "auth_params: {prompt: consent}")
	}
	if issuer == "tls" {
		settings = append(settings, "ca_file: "+w.cert.CAFile)
	}
	lines := append([]string{"issuer: " + w.Issuers[issuer], "client_id: " + client}, settings...)
	c.Config(t, "default_profile: work\nprofiles:\n  work:\n    "+strings.Join(lines, "\n    ")+"\n")
}

// quickly signs in without a browser's window.
func quickly(t *testing.T, c *harness.CLI, args ...string) harness.Result {
	t.Helper()
	_, r := signIn(t, c, harness.BrowserOptions{Quick: true, TrustAny: true}, args...)
	return r
}

// as signs in as somebody else than alice.
func as(t *testing.T, c *harness.CLI, user string) harness.Result {
	t.Helper()
	_, r := signIn(t, c, harness.BrowserOptions{Quick: true, User: user})
	return r
}

// mark remembers how far the provider's log goes, for since.
func (w *world) mark(t *testing.T) int { t.Helper(); return len(w.Log(t).Calls) }

// since gives the calls at an endpoint after a mark.
func (w *world) since(t *testing.T, mark int, route string) []harness.Call {
	t.Helper()
	var calls []harness.Call
	for _, call := range w.Log(t).Calls[mark:] {
		if call.Route == route {
			calls = append(calls, call)
		}
	}
	return calls
}

// last is the last call at an endpoint after a mark; there must be one.
func (w *world) last(t *testing.T, mark int, route string) harness.Call {
	t.Helper()
	calls := w.since(t, mark, route)
	if len(calls) == 0 {
		t.Fatalf("nothing arrived at the %s endpoint", route)
	}
	return calls[len(calls)-1]
}

// introspect asks the issuer that the token is from.
func (w *world) introspect(t *testing.T, token harness.Token) harness.Introspection {
	t.Helper()
	return w.Introspect(t, token.Issuer, token.Token)
}

// idClaims are those of the ID token.
func idClaims(t *testing.T, c *harness.CLI) map[string]any {
	t.Helper()
	token, _ := c.Token(t, "--type", "id")
	return harness.Claims(t, token.Token)
}
