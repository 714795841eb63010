package glewlwyd

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/e2e/matrix"
)

// TestGlewlwyd has one subtest for each feature that the provider offers.
func TestGlewlwyd(t *testing.T) {
	for feature, test := range map[string]func(*testing.T){
		"code": code, "pkce": pkce, "browser": browser, "no-browser-paste": paste,
		"device": device, "device-complete-uri": deviceCompleteURI,
		"refresh": refresh, "rotation": rotation, "reuse-detection": reuseDetection, "offline": offline, "forced-sign-out": forcedSignOut,
		"revocation": revocation, "end-session": endSession, "iss": iss, "form-post": formPost,
		"par-offered": parOffered, "par-required": parRequired, "dpop": dpop, "dpop-nonce": dpopNonce, "mtls": mtls,
		"private-key-jwt-rs256": privateKeyRSA, "private-key-jwt-es256": privateKeyEC,
		"client-secret-basic": secretBasic, "client-secret-post": secretPost,
		"resource-jwt": resourceJWT, "claims": claimsParameter, "prompt": prompt, "login-hint": loginHint,
		"client-credentials": clientCredentials, "userinfo": userinfo, "tls-ca-file": tlsCAFile,
	} {
		matrix.Run(t, feature, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// What the table says this provider does not offer is what it says itself or
// does.
func TestNotOffered(t *testing.T) {
	s, redirect := start(t, options{})
	_, answer := s.send(t, s.admin, http.MethodGet, s.Issuer+"/.well-known/openid-configuration", nil)
	var metadata struct {
		Grants []string `json:"grant_types_supported"`
		ACR    []string `json:"acr_values_supported"`
	}
	if err := json.Unmarshal(answer, &metadata); err != nil {
		t.Fatal(err)
	}
	for _, grant := range metadata.Grants {
		if strings.HasSuffix(grant, ":jwt-bearer") || strings.HasSuffix(grant, ":token-exchange") {
			t.Errorf("it offers %s", grant)
		}
	}
	if metadata.ACR != nil {
		t.Errorf("it offers acr_values %v", metadata.ACR)
	}

	// max_age: in the code grant its auth_time is always 0, so the program can't
	// know and refuses.
	c := harness.NewCLI(t)
	c.Config(t, profile(s, publicID, redirect, "    auth_params: {max_age: \"3600\"}\n"))
	visitor := harness.NewVisitor(t, s.person(t).open)
	c.Set("BROWSER", visitor.Program)
	if r := c.Run(t, "login", "--timeout-sign-in", "20s"); r.Code == 0 || !strings.Contains(r.Stderr, "max_age") {
		t.Errorf("exit %d, %q", r.Code, r.Stderr)
	}
	visitor.Page(t)

	// A refresh token comes whatever the scopes are, and nobody says how long it
	// lives.
	c.Config(t, profile(s, publicID, redirect, "    scopes: [openid]\n"))
	s.signIn(t, c)
	if status := c.Status(t); !status.HasRefreshToken || status.RefreshTokenExpiresAt != nil {
		t.Errorf("refresh token %t, lives until %v", status.HasRefreshToken, status.RefreshTokenExpiresAt)
	}
	// Its access tokens are JWTs, all of them.
	token, _ := c.Token(t)
	harness.Claims(t, token.Token)
}

// profile is a config file with one profile.
func profile(s *server, client, redirect, more string) string {
	return "default_profile: work\nprofiles:\n  work:\n    issuer: " + s.Issuer + "\n    client_id: " + client + "\n    redirect: " + redirect + "\n" + more
}

// signedIn is a new server and a program that is signed in there.
func signedIn(t *testing.T, o options, client, more string) (*server, *harness.CLI) {
	t.Helper()
	s, redirect := start(t, o)
	c := harness.NewCLI(t, "WORK_SECRET="+secret)
	c.Config(t, profile(s, client, redirect, more))
	s.signIn(t, c)
	return s, c
}
