package cmd_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

const robotSecret = "the-secret-of-the-robot"

// registered: registered KIND [SETTINGS] starts a provider at which the client
// "robot" is registered, and sets $ISSUER.
//
//	secret, post   the secret is in $ROBOT_SECRET and secret.txt
//	key            the key is in client-key.pem
//	mtls           certificate and key are in client.pem and client.key, and the provider's authority in ca.pem
//	ipv6           a public client, at [::1]
func registered(ts *testscript.TestScript, _ bool, args []string) {
	client, options := oidctest.Client{ID: "robot"}, oidctest.Options{}
	write := func(name string, data []byte) { ts.Check(os.WriteFile(ts.MkAbs(name), data, 0o600)) }
	switch args[0] {
	case "secret", "post":
		client.Secret = robotSecret
		if args[0] == "post" {
			client.Auth = "client_secret_post"
		}
		ts.Setenv("ROBOT_SECRET", robotSecret)
		write("secret.txt", []byte(robotSecret+"\n"))
	case "key":
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		ts.Check(err)
		der, err := x509.MarshalPKCS8PrivateKey(key)
		ts.Check(err)
		client.Key, client.KeyID = key.Public(), "robot-1"
		write("client-key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	case "mtls":
		client.CertificateSubject = "robot"
		options.TLS, options.MutualTLS = oidctest.TLSValid, oidctest.MutualTLSMain
	case "ipv6":
		options.Addr = "[::1]:0"
	default:
		ts.Fatalf("registered: unknown kind %q", args[0])
	}
	options.Clients = []oidctest.Client{client}
	p, err := oidctest.Start(options)
	ts.Check(err)
	if len(args) > 1 {
		ts.Check(p.Do(oidctest.Control{Settings: json.RawMessage(args[1])}))
	}
	if args[0] == "mtls" {
		certificate, key := p.ClientCertificateUntil("robot", time.Now().AddDate(1, 0, 0))
		write("client.pem", certificate)
		write("client.key", key)
		certificate, key = p.ClientCertificateUntil("robot", time.Now().Add(-time.Hour))
		write("expired.pem", append(certificate, key...))
		write("ca.pem", p.CA())
	}
	of(ts).providers[""] = p
	ts.Setenv("ISSUER", p.Issuer())
	ts.Setenv("ADDR", p.Addr())
}

// haveIPv6 says whether this machine has the loopback address of IPv6.
func haveIPv6() bool {
	listener, err := net.Listen("tcp", "[::1]:0") //nolint:noctx // loopback
	if err != nil {
		return false
	}
	_ = listener.Close()
	return true
}

// subject: subject FILE|=NAME [CLAIMS] puts a token that the provider trusts
// into a file, or into the environment.
func subject(ts *testscript.TestScript, _ bool, args []string) {
	claims := map[string]any{}
	if len(args) > 1 {
		ts.Check(json.Unmarshal([]byte(args[1]), &claims))
	}
	token := of(ts).providers[""].SubjectToken(claims)
	if name, isEnv := strings.CutPrefix(args[0], "="); isEnv {
		ts.Setenv(name, token)
		return
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(token+"\n"), 0o600))
}

// github: github [STATUS] is GitHub Actions' endpoint for a job's ID token, and
// its two variables.
func github(ts *testscript.TestScript, _ bool, args []string) {
	p, status := of(ts).providers[""], http.StatusOK
	if len(args) > 0 {
		var err error
		status, err = strconv.Atoi(args[0])
		ts.Check(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer github-request-token" {
			status = http.StatusUnauthorized
		}
		w.WriteHeader(status)
		token := p.SubjectToken(map[string]any{"aud": r.URL.Query().Get("audience")})
		_ = json.NewEncoder(w).Encode(map[string]any{"count": len(token), "value": token})
	}))
	ts.Defer(server.Close)
	ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", server.URL+"/token?api-version=2.0")
	ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "github-request-token")
}
