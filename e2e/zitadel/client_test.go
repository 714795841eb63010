package zitadel

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// write makes a file for the test.
func write(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func privateKeyJWT(t *testing.T) {
	der, err := x509.MarshalPKCS8PrivateKey(serviceKey())
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	s, c := signedIn(t, keyID, "    client_key_file: "+file+"\n    client_key_id: "+keyName+"\n")
	c.OK(t, "token", "--force-refresh")
	c.OK(t, "logout")
	// Each request has an assertion of its own.
	seen := map[string]bool{}
	for _, asked := range append(s.asked("/oauth/token"), s.asked("/revoke")...) {
		assertion := asked.form.Get("client_assertion")
		if assertion == "" || asked.auth != "" || seen[assertion] {
			t.Errorf("%s: assertion %t, used before %t", asked.path, assertion != "", seen[assertion])
		}
		seen[assertion] = true
	}
}

func secretBasic(t *testing.T) {
	s := start(t, options{})
	c := harness.NewCLI(t, "WORK_SECRET="+secret)
	c.Config(t, profile(s, basicID, "    client_secret_env: WORK_SECRET\n"))
	signIn(t, c, s)
	c.OK(t, "token", "--force-refresh")
	if asked := s.last(t, "/oauth/token", "refresh_token"); !strings.HasPrefix(asked.auth, "Basic ") || asked.form.Has("client_secret") {
		t.Errorf("header %t, body %t", asked.auth != "", asked.form.Has("client_secret"))
	}
	c.OK(t, "logout")
}

func secretPost(t *testing.T) {
	s := start(t, options{})
	c := harness.NewCLI(t, "WORK_SECRET="+secret)
	c.Config(t, profile(s, postID, "    client_secret_env: WORK_SECRET\n    token_endpoint_auth_method: client_secret_post\n"))
	signIn(t, c, s)
	c.OK(t, "token", "--force-refresh")
	if asked := s.last(t, "/oauth/token", "refresh_token"); asked.auth != "" || asked.form.Get("client_secret") != secret {
		t.Errorf("header %t, body %t", asked.auth != "", asked.form.Has("client_secret"))
	}
	c.OK(t, "logout")
}

func clientCredentials(t *testing.T) {
	s := start(t, options{})
	c := harness.NewCLI(t, "WORK_SECRET="+secret)
	c.Config(t, profile(s, serviceID, "    grant: client_credentials\n    client_secret_env: WORK_SECRET\n    scopes: [openid]\n"))
	token, r := c.Token(t) // without a login before
	if r.Stderr != "" || harness.Claims(t, token.Token)["sub"] != serviceID {
		t.Errorf("stderr %q, subject %v", r.Stderr, harness.Claims(t, token.Token)["sub"])
	}
	if again, _ := c.Token(t); again.Token != token.Token {
		t.Error("the token was not kept")
	}
	if again, _ := c.Token(t, "--force-refresh"); again.Token == token.Token {
		t.Error("not renewed")
	}
}

func jwtBearer(t *testing.T) {
	s := start(t, options{})
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: serviceKey(), KeyID: keyName}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	assertion, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: serviceID, Subject: serviceID, Audience: jwt.Audience{s.Issuer},
		IssuedAt: jwt.NewNumericDate(time.Now()), Expiry: jwt.NewNumericDate(time.Now().Add(5 * time.Minute)),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	c := harness.NewCLI(t)
	c.Config(t, profile(s, serviceID, "    grant: jwt-bearer\n    subject_token_command: cat "+write(t, "assertion", assertion+"\n")+"\n    scopes: [openid]\n"))
	token, r := c.Token(t)
	if r.Stderr != "" || token.Token == "" || token.ExpiresAt == nil {
		t.Errorf("stderr %q", r.Stderr)
	}
	if sent := s.last(t, "/oauth/token", "urn:ietf:params:oauth:grant-type:jwt-bearer"); sent.form.Get("assertion") != assertion {
		t.Error("another assertion was sent")
	}
}

func tokenExchange(t *testing.T) {
	s, person := signedIn(t, nativeID, "")
	subject, _ := person.Token(t)
	c := harness.NewCLI(t, "WORK_SECRET="+secret)
	c.Config(t, profile(s, basicID, "    grant: token-exchange\n    client_secret_env: WORK_SECRET\n    subject_token_file: "+write(t, "token", subject.Token)+
		"\n    subject_token_type: access_token\n    requested_token_type: access_token\n    scopes: [openid, profile]\n"))
	token, r := c.Token(t)
	if r.Stderr != "" || token.Token == subject.Token || !s.knows(t, token.Token) {
		t.Errorf("stderr %q, same %t", r.Stderr, token.Token == subject.Token)
	}
	c.OK(t, "token", "--force-refresh")
}
