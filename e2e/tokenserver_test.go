package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// packageAudience is what tokens for the package servers are issued for.
const packageAudience = "https://packages.test"

// tokenServer is a server over TLS that checks the token of every request.
type tokenServer struct {
	Host string // 127.0.0.1:port
	cert *harness.Certificate

	verifier *oidc.IDTokenVerifier

	mu      sync.Mutex
	refuse  map[string]bool
	lenient bool // it takes expired tokens
	tokens  []string
	users   []string
	// anonymous counts the requests without a token, refused those with one
	// that was not taken.
	anonymous, refused int
}

// newTokenServer serves the handler behind the check, and the paths in open
// without it.
func newTokenServer(t *testing.T, p *harness.Provider, challenge string, handler http.Handler, open ...string) *tokenServer {
	t.Helper()
	s := &tokenServer{cert: harness.NewCertificate(t), refuse: map[string]bool{}}
	// The keys are read once, here: the provider may be down later.
	s.verifier = oidc.NewVerifier(p.Issuer, p.Keys(t), &oidc.Config{ClientID: packageAudience, SkipExpiryCheck: true})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.ContainsFunc(open, func(prefix string) bool { return strings.HasPrefix(r.URL.Path, prefix) }) && !s.allowed(r) {
			w.Header().Set("WWW-Authenticate", challenge)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{s.cert.TLS}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	s.Host = server.Listener.Addr().String()
	return s
}

// allowed takes a bearer token, or one as the password of any user.
func (s *tokenServer) allowed(r *http.Request) bool {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	user, password, basic := r.BasicAuth()
	if basic {
		token = password
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if token == "" {
		s.anonymous++
		return false
	}
	parsed, err := s.verifier.Verify(r.Context(), token)
	if err != nil || s.refuse[token] || !s.lenient && time.Now().After(parsed.Expiry) {
		s.refused++
		return false
	}
	s.tokens = append(s.tokens, token)
	if basic && !slices.Contains(s.users, user) {
		s.users = append(s.users, user)
	}
	return true
}

// set changes the server while it runs.
func (s *tokenServer) set(change func(*tokenServer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// seen is how many requests were let in, how many had a token that was
// refused, and the last token.
func (s *tokenServer) seen() (taken, refused int, last string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.tokens); n > 0 {
		last = s.tokens[n-1]
	}
	return len(s.tokens), s.refused, last
}

// packager is a person with a signed-in program and a package server.
type packager struct {
	*harness.CLI
	provider *harness.Provider
	server   *tokenServer
}

func newPackager(t *testing.T, o harness.ProviderOptions, more string) *packager {
	t.Helper()
	c := &packager{CLI: harness.NewCLI(t), provider: harness.StartProvider(t, o)}
	c.Config(t, profile(c.provider, "    resources: ["+packageAudience+"]\n"+more))
	signIn(t, c.CLI, harness.BrowserOptions{})
	return c
}

// ok demands that a client succeeds and that the server saw the current token.
func (c *packager) ok(t *testing.T, r harness.Result) {
	t.Helper()
	if r.Code != 0 {
		t.Fatalf("exit %d\n%s\n%s", r.Code, r.Stdout, r.Stderr)
	}
}

// tarball is a compressed archive of one file.
func tarball(t *testing.T, name, content string) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
