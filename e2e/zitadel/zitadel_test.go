package zitadel

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/e2e/matrix"
)

// TestZitadel has one subtest for each feature that the provider offers.
func TestZitadel(t *testing.T) {
	for feature, test := range map[string]func(*testing.T){
		"code": code, "pkce": pkce, "browser": browser, "no-browser-paste": paste,
		"device": device, "device-complete-uri": deviceCompleteURI,
		"refresh": refresh, "rotation": rotation, "offline": offline, "forced-sign-out": forcedSignOut,
		"no-refresh-token": noRefreshToken, "narrower-scopes": narrowerScopes,
		"revocation": revocation, "end-session": endSession, "form-post": formPost,
		"private-key-jwt-rs256": privateKeyJWT, "client-secret-basic": secretBasic, "client-secret-post": secretPost,
		"opaque-access-token": opaqueAccessToken, "max-age": maxAge, "prompt": prompt, "userinfo": userinfo,
		"client-credentials": clientCredentials, "jwt-bearer": jwtBearer, "token-exchange": tokenExchange,
		"ipv6": ipv6, "tls-ca-file": tlsCAFile,
	} {
		matrix.Run(t, feature, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// What the table says the provider does not offer is what it says itself.
func TestNotOffered(t *testing.T) {
	s := start(t, options{})
	response, err := http.Get(s.Issuer + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	metadata := map[string]any{}
	if err := json.NewDecoder(response.Body).Decode(&metadata); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"pushed_authorization_request_endpoint", "dpop_signing_alg_values_supported", "mtls_endpoint_aliases",
		"authorization_response_iss_parameter_supported", "acr_values_supported", "claims_parameter_supported",
	} {
		if value := metadata[name]; value != nil && value != false {
			t.Errorf("the provider offers %s: %v", name, value)
		}
	}
	if algs, ok := metadata["token_endpoint_auth_signing_alg_values_supported"].([]any); !ok || len(algs) != 1 || algs[0] != "RS256" {
		t.Errorf("client assertions may be signed with %v", metadata["token_endpoint_auth_signing_alg_values_supported"])
	}
}

// profile is a config file with one profile.
func profile(s *server, client, more string) string {
	return "default_profile: work\nprofiles:\n  work:\n    issuer: " + s.Issuer + "\n    client_id: " + client + "\n" + more
}

// signIn signs alice in and returns the last page that she saw.
func signIn(t *testing.T, c *harness.CLI, s *server, args ...string) *harness.Page {
	t.Helper()
	visitor := harness.NewVisitor(t, s.user(nil))
	c.Set("BROWSER", visitor.Program)
	c.OK(t, append([]string{"login", "--timeout-sign-in", "30s"}, args...)...)
	return visitor.Page(t)
}

// signedIn is a new server and a program that is signed in there.
func signedIn(t *testing.T, client, more string) (*server, *harness.CLI) {
	t.Helper()
	s := start(t, options{})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, client, more))
	signIn(t, c, s)
	return s, c
}
