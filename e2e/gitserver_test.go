package e2e

import (
	"crypto/tls"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// gitAudience is what tokens for the git server are issued for, RFC 8707.
const gitAudience = "https://git.test"

// gitServer is git's own smart HTTP server, and one of git-lfs, behind a check
// of the token.
type gitServer struct {
	Host string // 127.0.0.1:port
	cert *harness.Certificate

	verifier *oidc.IDTokenVerifier

	mu      sync.Mutex
	schemes []string // that it names and takes
	refuse  map[string]bool
	strict  bool // it refuses every token
	lenient bool
	tokens  []string // accepted
	seen    []string // the schemes that they came with
	refused int
	objects map[string][]byte // of git-lfs
}

func newGitServer(t *testing.T, p *harness.Provider) *gitServer {
	t.Helper()
	git := testenv.Program(t, "git")
	root := t.TempDir()
	for _, name := range []string{"repo.git", "sub.git"} {
		for _, args := range [][]string{
			{"init", "-q", "--bare", "-b", "main", filepath.Join(root, name)},
			{"-C", filepath.Join(root, name), "config", "http.receivepack", "true"},
		} {
			if out, err := exec.Command(git, args...).CombinedOutput(); err != nil {
				t.Fatalf("git %v: %v\n%s", args, err, out)
			}
		}
	}
	s := &gitServer{
		cert: harness.NewCertificate(t), schemes: []string{"Basic", "Bearer"},
		refuse: map[string]bool{}, objects: map[string][]byte{},
	}
	// The keys are read once, here: the provider may be down later.
	s.verifier = oidc.NewVerifier(p.Issuer, p.Keys(t), &oidc.Config{ClientID: gitAudience, SkipExpiryCheck: true})
	backend := &cgi.Handler{
		Path: git, Args: []string{"http-backend"},
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"},
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.allowed(r) {
			s.set(func(s *gitServer) {
				for _, scheme := range s.schemes {
					w.Header().Add("WWW-Authenticate", scheme+` realm="git"`)
				}
			})
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if !s.serveLFS(w, r) {
			backend.ServeHTTP(w, r)
		}
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{s.cert.TLS}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	s.Host = server.Listener.Addr().String()
	return s
}

// allowed takes the token as the password of any user, or as a bearer token,
// if the server takes that scheme.
func (s *gitServer) allowed(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if _, password, ok := r.BasicAuth(); ok {
		token = password
	}
	if token == "" {
		return false
	}
	parsed, err := s.verifier.Verify(r.Context(), token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.strict || s.refuse[token] || !slices.Contains(s.schemes, scheme) || !s.lenient && time.Now().After(parsed.Expiry) {
		s.refused++
		return false
	}
	s.tokens, s.seen = append(s.tokens, token), append(s.seen, scheme)
	return true
}

// set changes the server while it runs.
func (s *gitServer) set(change func(*gitServer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// last is the token of the last request that was let in.
func (s *gitServer) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tokens) == 0 {
		return ""
	}
	return s.tokens[len(s.tokens)-1]
}

// scheme is what that token came with.
func (s *gitServer) scheme() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) == 0 {
		return ""
	}
	return s.seen[len(s.seen)-1]
}

func (s *gitServer) refusals() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}
