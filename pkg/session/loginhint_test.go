package session

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// TestCertificateHint: a server that refuses the client's certificate, or
// misses one, is not one that can't be reached.
func TestCertificateHint(t *testing.T) {
	certificate, key := oidctest.SelfSignedCertificate("robot", time.Now())
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		version     uint16
		shown, asks bool
		want        string
	}{
		"refused, TLS 1.2":  {tls.VersionTLS12, true, true, "the server refused the certificate in client_certificate_file of profile work"},
		"refused":           {tls.VersionTLS13, true, true, "the server refused the certificate in client_certificate_file of profile work"},
		"missing":           {tls.VersionTLS13, false, true, "set client_certificate_file and client_certificate_key_file"},
		"none is asked for": {tls.VersionTLS13, true, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.TLS = &tls.Config{MaxVersion: c.version}
			if c.asks {
				server.TLS.ClientAuth, server.TLS.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
			}
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			options := oidcflow.HTTPOptions{RootCAs: x509.NewCertPool()}
			options.RootCAs.AddCert(server.Certificate())
			if c.shown {
				options.ClientCertificate = func() (*tls.Certificate, error) { return &pair, nil }
			}
			client, err := oidcflow.NewHTTPClient(options)
			if err != nil {
				t.Fatal(err)
			}
			m := &Manager{profile: "work", flow: &oidcflow.Client{Issuer: server.URL, ClientID: "robot", HTTP: client, MutualTLS: c.shown}}
			_, err = m.flow.Discover(t.Context())
			if hint := m.certificateHint(err); err == nil || (hint == "") != (c.want == "") || !strings.Contains(hint, c.want) {
				t.Errorf("%v: %q", err, hint)
			}
		})
	}
}

func TestCodeHint(t *testing.T) {
	for name, c := range map[string]struct{ code, detail, dpop, want string }{
		"scope":                    {"invalid_scope", "", "", "check scopes of profile work"},
		"target":                   {"invalid_target", "", "", "audience and resources"},
		"proof, never":             {"invalid_dpop_proof", "", "never", "set dpop of profile work to auto"},
		"nonce, never":             {"use_dpop_nonce", "", "never", "set dpop of profile work to auto"},
		"in words, never":          {"invalid_request", "a DPoP proof is required", "never", "set dpop of profile work to auto"},
		"proof":                    {"invalid_dpop_proof", "", "auto", "clock"},
		"nonce":                    {"use_dpop_nonce", "", "", ""},
		"in words, with proofs on": {"invalid_request", "a DPoP proof is required", "", ""},
		"another":                  {"invalid_grant", "", "never", ""},
	} {
		m := &Manager{profile: "work", flow: &oidcflow.Client{DPoP: c.dpop}}
		if hint := m.codeHint(c.code, c.detail); (hint == "") != (c.want == "") || !strings.Contains(hint, c.want) {
			t.Errorf("%s: %q", name, hint)
		}
	}
}

func TestIDTokenHint(t *testing.T) {
	m := &Manager{profile: "work"}
	for rule, want := range map[string]string{
		"missing": "scope openid", "nonce": "sign in again; if it happens again", "iss": "issuer", "aud": "client_id", "azp": "client_id",
		"exp": "clock", "iat": "clock", "acr": "claims", "auth_time": "prompt=login", "at_hash": "tell its operators", "signature": "issuer", "format": "tell its operators",
	} {
		if hint := m.idTokenHint(&oidcflow.IDTokenError{Rule: rule}); !strings.Contains(hint, want) {
			t.Errorf("%s: %q", rule, hint)
		}
	}
}
