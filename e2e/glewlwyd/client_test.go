package glewlwyd

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// keyFile writes a private key as PKCS#8.
func keyFile(t *testing.T, key crypto.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// works goes through the exchanges in which a client says who it is, and looks
// at each request.
func works(t *testing.T, client, more string, right func(request) bool) {
	t.Helper()
	s, c := signedIn(t, options{}, client, more)
	token, _ := c.Token(t, "--force-refresh")
	if !s.knows(t, token.Token) {
		t.Error("the token does not work")
	}
	asked := s.asked("/token", "")
	for _, r := range asked {
		if !right(r) {
			t.Errorf("%s: header %t, fields %v", r.form.Get("grant_type"), r.auth != "", slices.Sorted(maps.Keys(r.form)))
		}
	}
	if len(asked) != 2 {
		t.Errorf("%d requests to the token endpoint", len(asked))
	}
}

func secretBasic(t *testing.T) {
	works(t, basicID, "    client_secret_env: WORK_SECRET\n", func(r request) bool {
		return strings.HasPrefix(r.auth, "Basic ") && !r.form.Has("client_secret")
	})
}

func secretPost(t *testing.T) {
	works(t, postID, "    client_secret_env: WORK_SECRET\n    token_endpoint_auth_method: client_secret_post\n", func(r request) bool {
		return r.auth == "" && r.form.Get("client_secret") == secret
	})
}

func privateKeyRSA(t *testing.T) { privateKey(t, rsaID, keys().rsa, "rsa-1", "RS256") }

func privateKeyEC(t *testing.T) { privateKey(t, ecID, keys().ec, "ec-1", "ES256") }

// privateKey: this server wants its token endpoint as the audience.
func privateKey(t *testing.T, client string, key crypto.PrivateKey, id, alg string) {
	t.Helper()
	works(t, client, "    client_key_file: "+keyFile(t, key)+"\n    client_key_id: "+id+"\n    client_assertion_audience: token_endpoint\n", func(r request) bool {
		assertion := r.form.Get("client_assertion")
		header, err := base64.RawURLEncoding.DecodeString(strings.Split(assertion, ".")[0])
		return err == nil && r.auth == "" && !r.form.Has("client_secret") && strings.Contains(string(header), alg) &&
			strings.HasSuffix(fmt.Sprint(harness.Claims(t, assertion)["aud"]), "/api/oidc/token")
	})
}

func clientCredentials(t *testing.T) {
	s, redirect := start(t, options{})
	c := harness.NewCLI(t, "WORK_SECRET="+secret)
	c.Config(t, profile(s, serviceID, redirect, "    grant: client_credentials\n    client_secret_env: WORK_SECRET\n    scopes: [email]\n"))
	token, r := c.Token(t) // without a login before
	if r.Stderr != "" || harness.Claims(t, token.Token)["client_id"] != serviceID {
		t.Errorf("stderr %q, %v", r.Stderr, harness.Claims(t, token.Token))
	}
	if again, _ := c.Token(t); again.Token != token.Token {
		t.Error("the token was not kept")
	}
	if again, _ := c.Token(t, "--force-refresh"); again.Token == token.Token {
		t.Error("not renewed")
	}
}

// thumbprint is the key that an access token is bound to (RFC 9449 §6.1).
func thumbprint(t *testing.T, access, kind string) string {
	t.Helper()
	cnf, _ := harness.Claims(t, access)["cnf"].(map[string]any)
	value, _ := cnf[kind].(string)
	return value
}

func dpop(t *testing.T) {
	allowed := options{plugin: object{"oauth-dpop-allowed": true, "oauth-dpop-iat-duration": 30, "oauth-dpop-iat-gap-duration": 5}}
	_, c := signedIn(t, allowed, publicID, "    dpop: always\n")
	first, _ := c.Token(t)
	second, _ := c.Token(t, "--force-refresh")
	a, b := thumbprint(t, first.Token, "jkt"), thumbprint(t, second.Token, "jkt")
	if a == "" || a != b {
		t.Errorf("bound to %q, after a refresh to %q", a, b)
	}
}

func dpopNonce(t *testing.T) {
	demanded := options{plugin: object{"oauth-dpop-allowed": true, "oauth-dpop-iat-duration": 30, "oauth-dpop-iat-gap-duration": 5, "oauth-dpop-nonce-mandatory": true, "oauth-dpop-nonce-counter": 10}}
	s, c := signedIn(t, demanded, publicID, "    dpop: always\n")
	token, _ := c.Token(t, "--force-refresh")
	if thumbprint(t, token.Token, "jkt") == "" {
		t.Error("the token is not bound")
	}
	// The first proof had none, and was sent again with the provider's.
	var with, without int
	for _, r := range s.asked("/token", "") {
		if harness.Claims(t, r.dpop)["nonce"] == nil {
			without++
		} else {
			with++
		}
	}
	if with < 2 || without == 0 {
		t.Errorf("%d proofs with a nonce, %d without", with, without)
	}
}

func mtls(t *testing.T) {
	cert := harness.NewCertificate(t)
	client := harness.NewClientCertificate(t, certID+".example.test")
	s, redirect := start(t, options{
		cert: cert, clientCA: client.CAFile,
		plugin: object{"client-cert-source": "TLS", "client-cert-use-endpoint-aliases": true},
	})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, certID, redirect, "    ca_file: "+cert.CAFile+"\n    token_endpoint_auth_method: tls_client_auth\n    client_certificate_file: "+
		client.CertFile+"\n    client_certificate_key_file: "+client.KeyFile+"\n"))
	s.signIn(t, c)
	token, _ := c.Token(t, "--force-refresh")
	if thumbprint(t, token.Token, "x5t#S256") == "" {
		t.Error("the token is not bound to the certificate")
	}
	c.OK(t, "logout")
}
