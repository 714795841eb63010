package oidcflow

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// certificateFor makes a self-signed certificate.
func certificateFor(t testing.TB, key crypto.Signer, end time.Time) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the-client"},
		NotBefore: end.Add(-100 * 365 * 24 * time.Hour), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return pemOf("CERTIFICATE", der, err)
}

// never is when no certificate of a test has expired.
var never = time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)

func file(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadClientCertificate(t *testing.T) {
	cert := certificateFor(t, ecKey(), never)
	chain := append(append([]byte{}, cert...), certificateFor(t, rsaKey(), never)...)
	both := append(append([]byte{}, chain...), pkcs8(ecKey())...)
	missing := filepath.Join(t.TempDir(), "none.pem")
	for _, tc := range []struct {
		name      string
		cert, key string
		chain     int
		says      string
		wrong     string // the file that is named
	}{
		{"two files", file(t, cert), file(t, sec1(ecKey())), 1, "", ""},
		{"a chain", file(t, chain), file(t, pkcs8(ecKey())), 2, "", ""},
		{"one file", file(t, both), "", 2, "", ""},
		{"one file, named twice", "both", "both", 2, "", ""},
		{"the key is a JWK", file(t, cert), file(t, jwk(ecKey(), nil)), 1, "", ""},
		{"certificate missing", missing, file(t, pkcs8(ecKey())), 0, "no such file", missing},
		{"key missing", file(t, cert), missing, 0, "no such file", missing},
		{"a folder", t.TempDir(), missing, 0, "it is a folder", ""},
		{"no certificate", file(t, []byte("hello")), missing, 0, "no certificate in PEM form", ""},
		{"files the wrong way round", file(t, pkcs8(ecKey())), file(t, cert), 0, "no certificate in PEM form", ""},
		{"a broken certificate", file(t, pemOf("CERTIFICATE", []byte("x"), nil)), missing, 0, "can't be read", ""},
		{"another's key", file(t, cert), file(t, pkcs8(rsaKey())), 0, "does not belong to the certificate", ""},
		{"the chain the wrong way round", file(t, chain), file(t, pkcs8(rsaKey())), 0, "does not belong to the certificate", ""},
		{"an encrypted key", file(t, cert), file(t, pemOf("ENCRYPTED PRIVATE KEY", []byte("x"), nil)), 0, "encrypted", ""},
		{"no key in one file", file(t, cert), "", 0, "certificate but no private key", ""},
		{"expired", file(t, certificateFor(t, ecKey(), testNow.Add(-time.Minute))), file(t, pkcs8(ecKey())), 0, "expired at 2025-06-01T11:59:00Z", ""},
		{"too large", file(t, make([]byte, maxKeyFile+1)), "", 0, "larger than", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.cert == "both" {
				tc.cert = file(t, both)
				tc.key = tc.cert
			}
			c, err := loadClientCertificate(tc.cert, tc.key, testNow)
			if tc.says == "" {
				if err != nil || len(c.Certificate) != tc.chain || !ecKey().PublicKey.Equal(c.PrivateKey.(crypto.Signer).Public()) {
					t.Fatalf("%v", err)
				}
				return
			}
			var e *CertificateFileError
			if !errors.As(err, &e) || !e.Configuration() || !strings.Contains(err.Error(), tc.says) || tc.wrong != "" && e.Path != tc.wrong {
				t.Fatalf("%v", err)
			}
		})
	}
	if _, err := LoadClientCertificate(file(t, cert), file(t, sec1(ecKey()))); err != nil {
		t.Errorf("by this machine's clock: %v", err)
	}
}

// tlsFake is a provider with a port that wants a certificate.
type tlsFake struct {
	*fake
	main, mutual *httptest.Server
	mu           sync.Mutex
	shown        map[string]string // the certificate's name by path and port
}

func newTLSFake(t *testing.T, mutual tls.ClientAuthType) *tlsFake {
	t.Helper()
	f := &tlsFake{fake: newFake(t), shown: map[string]string{}}
	start := func(name string, auth tls.ClientAuthType) *httptest.Server {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			who := "nobody"
			if len(r.TLS.PeerCertificates) > 0 {
				who = r.TLS.PeerCertificates[0].Subject.CommonName
			}
			f.mu.Lock()
			f.shown[name+r.URL.Path] = who
			f.mu.Unlock()
			f.Config.Handler.ServeHTTP(w, r)
		}))
		s.TLS = &tls.Config{ClientAuth: auth, MinVersion: tls.VersionTLS12}
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.EnableHTTP2 = true
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	f.main, f.mutual = start("main", tls.NoClientCert), start("mutual", mutual)
	return f
}

func (f *tlsFake) saw(what string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.shown[what]
}

func (f *tlsFake) metadataFrom(t *testing.T, changes map[string]any) *Metadata {
	t.Helper()
	doc := document(map[string]any{
		"issuer": f.main.URL, "token_endpoint": f.main.URL + "/token", "jwks_uri": f.main.URL + "/jwks",
		"userinfo_endpoint": f.main.URL + "/userinfo", "revocation_endpoint": f.main.URL + "/revoke",
		"device_authorization_endpoint":         f.main.URL + "/device",
		"pushed_authorization_request_endpoint": f.main.URL + "/par",
		"token_endpoint_auth_methods_supported": []string{authTLS},
	})
	for name, value := range changes {
		doc[name] = value
	}
	md, err := ParseMetadata(mustJSON(t, doc), f.main.URL)
	if err != nil {
		t.Fatal(err)
	}
	return md
}

func (f *tlsFake) options(t *testing.T, load func() (*tls.Certificate, error)) HTTPOptions {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(f.main.Certificate())
	return HTTPOptions{RootCAs: pool, ClientCertificate: load}
}

func TestMutualTLS(t *testing.T) {
	certFile, keyFile := file(t, certificateFor(t, ecKey(), never)), file(t, pkcs8(ecKey()))
	loaded := 0
	load := func() (*tls.Certificate, error) { loaded++; return LoadClientCertificate(certFile, keyFile) }
	for _, aliases := range []bool{true, false} {
		f := newTLSFake(t, tls.RequireAnyClientCert)
		f.on("/token", saysJSON(200, tokenBody("")))
		f.on("/revoke", saysJSON(200, ""))
		f.on("/userinfo", saysJSON(200, `{"sub":"s"}`))
		f.on("/device", saysJSON(200, `{"device_code":"d","user_code":"u","verification_uri":"https://id.example.com/d","expires_in":60}`))
		f.on("/par", saysJSON(201, `{"request_uri":"urn:ietf:params:oauth:request_uri:1","expires_in":60}`))
		of := f.mutual.URL
		endpoints := map[string]any{
			"token_endpoint": of + "/token", "userinfo_endpoint": of + "/userinfo", "revocation_endpoint": of + "/revoke",
			"device_authorization_endpoint": of + "/device", "pushed_authorization_request_endpoint": of + "/par",
		}
		changes := endpoints
		if aliases {
			changes = map[string]any{"mtls_endpoint_aliases": endpoints}
		}
		md := f.metadataFrom(t, changes)
		loaded = 0
		c := &Client{Issuer: f.main.URL, ClientID: "the-client", MutualTLS: true, HTTP: httpClient(t, f.options(t, load))}
		if _, err := c.Refresh(t.Context(), md, NewSecret("rt")); err != nil {
			t.Fatal(err)
		}
		if form, header := f.last(); form.Get("client_id") != "the-client" || header.Get("Authorization") != "" {
			t.Errorf("%v", form)
		}
		if err := c.Revoke(t.Context(), md, NewSecret("rt"), ""); err != nil {
			t.Error(err)
		}
		if _, err := c.UserInfo(t.Context(), md, NewSecret("at"), "s"); err != nil {
			t.Error(err)
		}
		if _, err := c.authorizeDevice(t.Context(), md, testNow); err != nil {
			t.Error(err)
		}
		if _, err := c.push(t.Context(), md, url.Values{}); err != nil {
			t.Error(err)
		}
		for _, path := range []string{"/token", "/revoke", "/userinfo", "/device", "/par"} {
			if got := f.saw("mutual" + path); got != "the-client" {
				t.Errorf("%s: the certificate of %q", path, got)
			}
		}
		if loaded != 1 {
			t.Errorf("loaded %d times for one connection", loaded)
		}
		if !aliases {
			continue
		}
		// Without a certificate the aliases are left alone.
		c = &Client{Issuer: f.main.URL, ClientID: "the-client", HTTP: httpClient(t, f.options(t, nil))}
		if _, err := c.Refresh(t.Context(), md, NewSecret("rt")); err != nil || f.saw("main/token") != "nobody" {
			t.Errorf("without a certificate: %v", err)
		}
	}
}

// A server that asks for no certificate sees none, and nothing is loaded.
func TestMutualTLSWhereNobodyAsks(t *testing.T) {
	f := newTLSFake(t, tls.RequireAnyClientCert)
	f.on("/token", saysJSON(200, tokenBody("")))
	load := func() (*tls.Certificate, error) { t.Error("loaded"); return nil, errors.New("no") }
	c := &Client{Issuer: f.main.URL, ClientID: "the-client", MutualTLS: true, HTTP: httpClient(t, f.options(t, load))}
	if _, err := c.Refresh(t.Context(), f.metadataFrom(t, nil), NewSecret("rt")); err != nil || f.saw("main/token") != "nobody" {
		t.Errorf("%v", err)
	}
}

// A certificate that can't be had is this machine's fault, and that it was
// missing is not the provider's verdict.
func TestMutualTLSWithoutCertificate(t *testing.T) {
	f := newTLSFake(t, tls.RequireAnyClientCert)
	f.on("/token", saysJSON(200, tokenBody("")))
	md := f.metadataFrom(t, map[string]any{"mtls_endpoint_aliases": map[string]any{"token_endpoint": f.mutual.URL + "/token"}})
	type local interface{ Configuration() bool }
	for name, load := range map[string]func() (*tls.Certificate, error){
		"a file that is missing": func() (*tls.Certificate, error) { return LoadClientCertificate(filepath.Join(t.TempDir(), "none"), "") },
		"another error":          func() (*tls.Certificate, error) { return nil, errors.New("broken") },
	} {
		c := &Client{Issuer: f.main.URL, ClientID: "the-client", MutualTLS: true, HTTP: httpClient(t, f.options(t, load))}
		_, err := c.Refresh(t.Context(), md, NewSecret("rt"))
		var e local
		if !errors.As(err, &e) || !e.Configuration() {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, load := range map[string]func() (*tls.Certificate, error){
		"none is set": nil,
		"none is had": func() (*tls.Certificate, error) { return nil, nil },
	} {
		c := &Client{Issuer: f.main.URL, ClientID: "the-client", MutualTLS: true, HTTP: httpClient(t, f.options(t, load))}
		_, err := c.Refresh(t.Context(), md, NewSecret("rt"))
		// With TLS 1.3 the server's alert comes after the handshake, and
		// net/http shows it or what came of it.
		var e local
		var sent *url.Error
		if errors.As(err, &e) || !errors.As(err, &sent) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseMetadataAliases(t *testing.T) {
	for _, tc := range []struct {
		name  string
		value any
		field string
	}{
		{"plain http", map[string]any{"token_endpoint": "http://mtls.example.com/token"}, "mtls_endpoint_aliases.token_endpoint"},
		{"plain http of this machine", map[string]any{"userinfo_endpoint": "http://127.0.0.1/u"}, "mtls_endpoint_aliases.userinfo_endpoint"},
		{"user in the URL", map[string]any{"revocation_endpoint": "https://u:p@mtls.example.com/r"}, "mtls_endpoint_aliases.revocation_endpoint"},
		{"a number", map[string]any{"device_authorization_endpoint": 5}, "mtls_endpoint_aliases.device_authorization_endpoint"},
		{"a list", []string{"https://mtls.example.com/token"}, "mtls_endpoint_aliases"},
	} {
		_, err := ParseMetadata(mustJSON(t, document(map[string]any{"mtls_endpoint_aliases": tc.value})), "https://id.example.com")
		var e *MetadataError
		if !errors.As(err, &e) || e.Field != tc.field {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	md, err := ParseMetadata(mustJSON(t, document(map[string]any{
		"mtls_endpoint_aliases": map[string]any{"token_endpoint": "https://mtls.example.com/token", "par_of_the_future": 5, "userinfo_endpoint": ""},
	})), "https://id.example.com")
	if err != nil || len(md.MTLSEndpointAliases) != 1 || md.MTLSEndpointAliases["token_endpoint"] != "https://mtls.example.com/token" {
		t.Errorf("%v, %v", md, err)
	}
}

// What only helps to choose does not spoil the document.
func TestParseMetadataNewMembers(t *testing.T) {
	md, err := ParseMetadata(mustJSON(t, document(map[string]any{
		"pushed_authorization_request_endpoint": "https://id.example.com/par", "require_pushed_authorization_requests": true,
		"dpop_signing_alg_values_supported": []string{"ES256"}, "token_endpoint_auth_signing_alg_values_supported": "RS256",
		"response_modes_supported": []any{"query", 5}, "prompt_values_supported": []string{"create"}, "acr_values_supported": map[string]any{},
	})), "https://id.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if md.PushedAuthorizationRequestEndpoint != "https://id.example.com/par" || !md.RequirePushedAuthorizationRequests || len(md.DPoPSigningAlgs) != 1 ||
		md.TokenEndpointAuthSigningAlgs != nil || md.ResponseModes != nil || len(md.PromptValues) != 1 || md.ACRValues != nil {
		t.Errorf("%+v", md)
	}
}

func FuzzParseCertificates(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseCertificates(data)
		if (err == nil) != (c != nil && c.Leaf != nil && len(c.Certificate) > 0) {
			t.Fatalf("%v, %v", c, err)
		}
	})
}
